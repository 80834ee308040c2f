// No acknowledged row or object is lost by kill -9 or power cut; a program that does not sync is
// caught.
//
//   build/bin/crash_test                                             30 kills, 60 power cuts
//   SAFERL_KILLS=1000 SAFERL_POWER_CUTS=600 build/bin/crash_test     the whole proof
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "saferl/base/text.h"
#include "tests/crash/harness.h"
#include "tests/crash/objects.h"
#include "tests/crash/rows.h"

namespace saferl::crash {
namespace {

namespace fs = std::filesystem;

int CountFrom(const char* variable, int otherwise) {
  const char* text = std::getenv(variable);
  return text ? std::atoi(text) : otherwise;
}

class CrashTest : public ::testing::Test {
 protected:
  void SetUp() override {
    directory_ = fs::temp_directory_path() / "saferl-crash-XXXXXX";
    ASSERT_NE(::mkdtemp(directory_.data()), nullptr);
  }
  void TearDown() override { fs::remove_all(directory_); }

  static Workload Rows() { return {{SAFERL_BINARY_DIR "/bin/crash_writer", "rows"}, VerifyRows}; }
  static Workload Objects() {
    return {{SAFERL_BINARY_DIR "/bin/crash_writer", "objects"}, VerifyObjects};
  }
  static void Print(const char* what, Report report) {
    std::sort(report.ready_s.begin(), report.ready_s.end());
    const auto at = [&](double share) {
      return report.ready_s.empty() ? 0.0
                                    : report.ready_s[static_cast<size_t>(
                                          share * static_cast<double>(report.ready_s.size() - 1))];
    };
    std::printf(
        "%s: %d of %d bad, %llu acknowledged; open, verify, write: p50 %.3f s p99 %.3f s "
        "max %.3f s%s%s\n",
        what, report.bad, report.cuts, static_cast<unsigned long long>(report.acknowledged),
        at(0.5), at(0.99), at(1), report.first_problem.ok() ? "" : "; first: ",
        report.first_problem.ok() ? "" : report.first_problem.ToString().c_str());
  }

  std::string directory_;
};

TEST_F(CrashTest, KilledRowsLoseNothing) {
  const StatusOr<Report> report =
      KillLoop(Rows(), CountFrom("SAFERL_KILLS", 30), 20260101, directory_);
  ASSERT_TRUE(report.ok()) << report.status();
  Print("kill -9", *report);
  EXPECT_EQ(report->bad, 0) << report->first_problem;
  EXPECT_GT(report->acknowledged, static_cast<uint64_t>(report->cuts)) << "it hardly wrote";
}

TEST_F(CrashTest, PowerCutRowsLoseNothingAndMutantsAreCaught) {
  ::setenv("NUMBERS_OF_EACH_THREAD", "400", 1);
  const StatusOr<Recording> recording = Recording::Make(Rows(), directory_);
  ::unsetenv("NUMBERS_OF_EACH_THREAD");
  ASSERT_TRUE(recording.ok()) << recording.status();
  EXPECT_GT(recording->BytesWritten("rows.db"), 1u << 20) << "no checkpoint was cut";
  EXPECT_GT(recording->BytesWritten("rows.db-wal"), 4u << 20);
  const int cuts = CountFrom("SAFERL_POWER_CUTS", 60);
  const StatusOr<Report> honest = recording->PowerCuts(cuts, 1, {});
  ASSERT_TRUE(honest.ok()) << honest.status();
  Print("power cut", *honest);
  EXPECT_EQ(honest->bad, 0) << honest->first_problem;
  EXPECT_GT(honest->acknowledged, 100u);

  // The same calls without the effect of their syncs: what PRAGMA synchronous=OFF would leave.
  const StatusOr<Report> unsynced = recording->PowerCuts(20, 2, {.no_file_sync = true});
  ASSERT_TRUE(unsynced.ok()) << unsynced.status();
  Print("mutant without fsync of files", *unsynced);
  EXPECT_GT(unsynced->bad, 10);
  const StatusOr<Report> unnamed = recording->PowerCuts(20, 3, {.no_directory_sync = true});
  ASSERT_TRUE(unnamed.ok()) << unnamed.status();
  Print("mutant without fsync of directories", *unnamed);
  EXPECT_GT(unnamed->bad, 5);
}

TEST_F(CrashTest, KilledObjectsLoseNothing) {
  const StatusOr<Report> report =
      KillLoop(Objects(), CountFrom("SAFERL_KILLS", 30), 20260102, directory_);
  ASSERT_TRUE(report.ok()) << report.status();
  Print("kill -9, objects", *report);
  EXPECT_EQ(report->bad, 0) << report->first_problem;
  EXPECT_GT(report->acknowledged, static_cast<uint64_t>(report->cuts)) << "it hardly wrote";
}

TEST_F(CrashTest, PowerCutObjectsLoseNothingAndMutantsAreCaught) {
  ::setenv("NUMBERS_OF_EACH_THREAD", "40", 1);
  const StatusOr<Recording> recording = Recording::Make(Objects(), directory_);
  ::unsetenv("NUMBERS_OF_EACH_THREAD");
  ASSERT_TRUE(recording.ok()) << recording.status();
  const StatusOr<Report> honest = recording->PowerCuts(CountFrom("SAFERL_POWER_CUTS", 60), 1, {});
  ASSERT_TRUE(honest.ok()) << honest.status();
  Print("power cut, objects", *honest);
  EXPECT_EQ(honest->bad, 0) << honest->first_problem;
  EXPECT_GT(honest->acknowledged, 100u);
  const StatusOr<Report> unsynced = recording->PowerCuts(20, 2, {.no_file_sync = true});
  ASSERT_TRUE(unsynced.ok()) << unsynced.status();
  Print("objects, mutant without fsync of files", *unsynced);
  EXPECT_GT(unsynced->bad, 10);
  const StatusOr<Report> unnamed = recording->PowerCuts(20, 3, {.no_directory_sync = true});
  ASSERT_TRUE(unnamed.ok()) << unnamed.status();
  Print("objects, mutant without fsync of directories", *unnamed);
  EXPECT_GT(unnamed->bad, 10);
}

}  // namespace
}  // namespace saferl::crash
