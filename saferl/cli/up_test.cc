// `saferl up` as a process of its own: how soon it serves, what it holds while nobody calls, and
// what it says where a library that only some installations need is not there.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <charconv>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <thread>

#include "saferl/base/clock.h"
#include "saferl/cli/testing/program.h"
#include "saferl/storage/testing/child_process.h"

namespace saferl::cli {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr const char* kStart =
    " --set data_dir=data --set api.port=0 --set inference_server.port=0 "
    "--set monitor_server.port=0";
constexpr int64_t kLongest_ns = 30 * kNanosPerSecond;

/// A running `saferl up`, killed at the end.
class Up {
 public:
  explicit Up(const Program& saferl, const std::string& more = "") : log_(saferl.Path("up.log")) {
    const auto started = storage::testing::StartChild(
        {"/bin/sh", "-c",
         Cat(saferl.environment(), " exec '", saferl.binary(), "' up --json", kStart, more)},
        {.log = log_, .directory = saferl.folder(), .death_signal = SIGKILL});
    if (started.ok()) process_ = *started;
  }
  ~Up() {
    if (process_ == 0) return;
    ::kill(process_, SIGKILL);
    ::waitpid(process_, nullptr, 0);
  }
  Up(const Up&) = delete;
  Up& operator=(const Up&) = delete;

  std::string log() const { return ReadFile(log_).value_or(""); }
  /// What it says once it serves: {"api_port":...,"ready_s":...}.
  StatusOr<Node> Ready() const {
    const Deadline deadline = Deadline::After(kLongest_ns);
    while (!deadline.Passed()) {
      const std::string text = log();
      const size_t from = text.find(R"({"api_port":)");
      const size_t to = from == std::string::npos ? from : text.find('\n', from);
      if (to != std::string::npos) return ParseJson(text.substr(from, to - from), "ready");
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return absl::DeadlineExceededError("saferl up does not say that it is ready");
  }
  /// Bytes in memory now, the program's pages and its libraries' among them; 0: unknown.
  int64_t Resident() const {
    const std::string status = ReadFile(Cat("/proc/", process_, "/status")).value_or("");
    size_t at = status.find("VmRSS:");
    at = at == std::string::npos ? at : status.find_first_of("0123456789", at);
    int64_t kib = 0;
    if (at != std::string::npos)
      std::from_chars(status.data() + at, status.data() + status.size(), kib);
    return kib * 1024;
  }

 private:
  const std::string log_;
  pid_t process_ = 0;
};

TEST(UpTest, IsReadyWithinASecond) {
  const Program saferl("up_ready", SAFERL_BINARY_DIR);
  const Up up(saferl);
  const StatusOr<Node> ready = up.Ready();
  ASSERT_TRUE(ready.ok()) << ready.status() << up.log();
  EXPECT_LE(ready->Find("ready_s")->AsDouble().value(), 1.0);
}

// Of a release build only: sanitizers keep shadow memory, coverage keeps counters, and code that
// is not optimised is several times larger. None of them is what runs beside a robot.
#if !defined(SAFERL_SANITIZED) && !defined(SAFERL_COVERAGE) && defined(__OPTIMIZE__)
TEST(UpTest, HoldsAtMostThirtyMegabytesWhenIdle) {
  const Program saferl("up_idle", SAFERL_BINARY_DIR);
  const Up up(saferl);
  const StatusOr<Node> ready = up.Ready();
  ASSERT_TRUE(ready.ok()) << ready.status() << up.log();
  // What its own threads do each second (steering, following the registry, judging alerts) is part
  // of being idle: the most of three seconds counts.
  int64_t most = 0;
  const Deadline deadline = Deadline::After(3 * kNanosPerSecond);
  while (!deadline.Passed()) {
    most = std::max(most, up.Resident());
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  EXPECT_GT(most, 1'000'000);
  EXPECT_LE(most, 30'000'000);
}
#endif

TEST(UpTest, TheSpecificationsProfilingAndLogSettingsOfDotEnvAreHeard) {
  const Program saferl("up_telemetry", SAFERL_BINARY_DIR);
  ASSERT_TRUE(
      WriteFileAtomic(saferl.Path(".env"), "PROFILING_ENABLED=true\nSAFERL_LOG_LEVEL=debug\n")
          .ok());
  const Up up(saferl, " --set telemetry.log_dir=logs --set telemetry.access_log=all");
  const StatusOr<Node> ready = up.Ready();
  ASSERT_TRUE(ready.ok()) << ready.status() << up.log();
  const ProgramResult profile =
      saferl.Run(Cat("profile cpu --service http://127.0.0.1:", ready->Find("api_port")->text(),
                     " --duration 0.2 --out profile.html"));
  EXPECT_EQ(profile.code, 0) << profile.err;
  EXPECT_TRUE(std::filesystem::exists(saferl.Path("profile.html")));
  EXPECT_THAT(ReadFile(saferl.Path("logs/saferl.log")).value_or(""), HasSubstr("/debug/profile"));
}

TEST(UpTest, AMissingLibraryIsNamedWithItsPackage) {
  Program saferl("up_libraries", SAFERL_BINARY_DIR);
  // The loader takes these for the libraries, and finds none in them.
  std::filesystem::create_directories(saferl.Path("broken"));
  for (const char* library : {"libpq.so.5", "libcurl.so.4"})
    ASSERT_TRUE(WriteFileAtomic(saferl.Path(Cat("broken/", library)), "").ok());
  saferl.SetEnvironment("LD_LIBRARY_PATH=broken");
  const ProgramResult rows = saferl.Run(Cat("up --set database.host=127.0.0.1", kStart));
  EXPECT_EQ(rows.code, 1);
  EXPECT_THAT(rows.err, AllOf(HasSubstr("libpq.so.5"), HasSubstr("PostgreSQL"),
                              HasSubstr("install the package libpq5")));
  const ProgramResult objects =
      saferl.Run(Cat("up --set objects.bucket=models --set objects.endpoint=http://127.0.0.1:9 "
                     "--set objects.access_key_id=a --set objects.secret_access_key=b",
                     kStart));
  EXPECT_EQ(objects.code, 1);
  EXPECT_THAT(objects.err, AllOf(HasSubstr("libcurl.so.4"), HasSubstr("S3"),
                                 HasSubstr("install the package libcurl4")));
  const ProgramResult alerts = saferl.Run(
      Cat("up --service api --set telemetry.alert_webhook_url=http://127.0.0.1:9/", kStart));
  EXPECT_EQ(alerts.code, 1);
  EXPECT_THAT(alerts.err, AllOf(HasSubstr("libcurl.so.4"), HasSubstr("webhook")));
  // Who needs neither does not notice.
  EXPECT_EQ(saferl.Run("version").code, 0);
  const Up up(saferl);
  EXPECT_TRUE(up.Ready().ok()) << up.log();
}

}  // namespace
}  // namespace saferl::cli
