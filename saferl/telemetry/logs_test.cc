#include "saferl/telemetry/logs.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "saferl/base/config.h"
#include "saferl/base/file.h"
#include "saferl/base/json.h"
#include "saferl/base/text.h"

namespace saferl::telemetry {
namespace {

class Logs : public testing::Test {
 protected:
  Logs() : dir_(Cat(testing::TempDir(), "saferl_logs_", ::getpid())) {
    std::filesystem::create_directories(dir_);
    ::setenv("XDG_STATE_HOME", (dir_ + "/state").c_str(), 1);
  }
  ~Logs() override {
    EXPECT_TRUE(ConfigureLog(LogLevel::kInfo, "").ok());
    std::filesystem::remove_all(dir_);
    ::unsetenv("XDG_STATE_HOME");
  }
  std::string dir_;
};

TEST_F(Logs, TheSpecificationsPlacesComeFirst) {
  EXPECT_EQ(LogDirectory(LogPlace::kApplication, "edge", dir_).value_or(""),
            dir_ + "/opt/safe-rl/edge/logs");
  EXPECT_EQ(LogDirectory(LogPlace::kSystem, "edge", dir_).value_or(""), dir_ + "/var/log/safe_rl");
  EXPECT_EQ(LogDirectory(LogPlace::kAudit, "edge", dir_).value_or(""), dir_ + "/opt/safe-rl/audit");
}

TEST_F(Logs, WhereTheyCannotBeMadeTheUsersStateDirectoryServes) {
  ASSERT_TRUE(WriteFileAtomic(dir_ + "/opt", "a file in the way").ok());
  EXPECT_EQ(LogDirectory(LogPlace::kApplication, "edge", dir_).value_or(""),
            dir_ + "/state/saferl/logs");
  ::setenv("XDG_STATE_HOME", (dir_ + "/opt").c_str(), 1);
  const StatusOr<std::string> none = LogDirectory(LogPlace::kAudit, "edge", dir_);
  EXPECT_EQ(none.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_NE(none.status().message().find("logs.directory"), absl::string_view::npos);
}

TEST_F(Logs, OpenLogWritesTheServicesFile) {
  const StatusOr<Node> node = ParseJson(
      Cat(R"({"output":"file","level":"warning","directory":")", dir_, R"(/logs"})"), "x");
  const StatusOr<LogSettings> settings = config::Read<LogSettings>(*node);
  ASSERT_TRUE(settings.ok()) << settings.status();
  EXPECT_EQ(OpenLog(*settings, "api").value_or(""), dir_ + "/logs/api.log");
  Log(LogLevel::kInfo, "hidden");
  Log(LogLevel::kWarning, "shown");
  const std::string text = ReadFile(dir_ + "/logs/api.log").value_or("");
  EXPECT_NE(text.find("shown"), std::string::npos);
  EXPECT_EQ(text.find("hidden"), std::string::npos);
}

}  // namespace
}  // namespace saferl::telemetry
