#include "saferl/base/log.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <memory>
#include <sstream>

#include "saferl/base/file.h"
#include "saferl/base/json.h"
#include "saferl/base/text.h"

namespace saferl {
namespace {

TEST(Log, LineIsOneJsonObject) {
  const std::string line =
      LogLine(LogLevel::kWarning, 1'767'323'045'678'901'000, "a \"b\"\nc",
              {{"n", 3}, {"x", 0.5}, {"nan", NAN}, {"yes", true}, {"s", "t\\"}});
  EXPECT_EQ(line,
            R"({"time":"2026-01-02T03:04:05.678901Z","level":"warning","message":"a \"b\"\nc",)"
            R"("n":3,"x":0.5,"nan":null,"yes":true,"s":"t\\"})");
}

class LogFile : public testing::Test {
 protected:
  LogFile() : path_(Cat(testing::TempDir(), "saferl_log_", ::getpid())) { ::unlink(path_.c_str()); }
  ~LogFile() override {
    EXPECT_TRUE(ConfigureLog(LogLevel::kInfo, "").ok());
    ::unlink(path_.c_str());
  }
  std::vector<Node> Lines() {
    EXPECT_TRUE(ConfigureLog(LogLevel::kInfo, "").ok());  // closes and flushes the file
    std::istringstream text(*ReadFile(path_));
    std::vector<Node> lines;
    for (std::string line; std::getline(text, line);) lines.push_back(*ParseJson(line, "log"));
    return lines;
  }
  std::string path_;
};

TEST_F(LogFile, LevelsBelowTheChosenOneAreLeftOut) {
  ASSERT_TRUE(ConfigureLog(LogLevel::kInfo, path_).ok());
  Log(LogLevel::kDebug, "hidden");
  Log(LogLevel::kInfo, "shown {} %s", {{"k", 1}});
  const std::vector<Node> lines = Lines();
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_EQ(lines[0].Find("message")->text(), "shown {} %s");
}

TEST_F(LogFile, LinesOfAScopeCarryItsIds) {
  ASSERT_TRUE(ConfigureLog(LogLevel::kInfo, path_).ok());
  {
    const LogScope outer("r1", "");
    Log(LogLevel::kInfo, "a");
    {
      const LogScope inner("r2", "00ff");
      Log(LogLevel::kInfo, "b", {{"k", 1}});
    }
    Log(LogLevel::kInfo, "c");
  }
  Log(LogLevel::kInfo, "d");
  const std::vector<Node> lines = Lines();
  ASSERT_EQ(lines.size(), 4u);
  EXPECT_EQ(lines[0].Find("request_id")->text(), "r1");
  EXPECT_EQ(lines[0].Find("trace_id"), nullptr);
  EXPECT_EQ(lines[1].Find("request_id")->text(), "r2");
  EXPECT_EQ(lines[1].Find("trace_id")->text(), "00ff");
  EXPECT_EQ(lines[2].Find("request_id")->text(), "r1");
  EXPECT_EQ(lines[3].Find("request_id"), nullptr);
}

TEST_F(LogFile, FilesRotateBySizeAndTheOldestGoes) {
  ASSERT_TRUE(
      ConfigureLog({.level = LogLevel::kInfo, .path = path_, .max_bytes = 1000, .old_files = 2})
          .ok());
  for (int i = 0; i < 100; ++i) Log(LogLevel::kInfo, "a line of about ninety bytes", {{"i", i}});
  const std::vector<Node> lines = Lines();
  EXPECT_EQ(*lines.back().Find("i")->AsInt64(), 99);
  for (const char* suffix : {"", ".1", ".2"}) {
    const StatusOr<std::string> text = ReadFile(path_ + suffix);
    ASSERT_TRUE(text.ok()) << suffix;
    EXPECT_LE(text->size(), 1000u);
    EXPECT_GT(text->size(), 0u);
    ::unlink((path_ + suffix).c_str());
  }
  EXPECT_FALSE(FileExists(path_ + ".3"));
}

TEST_F(LogFile, AnImpossibleFileIsAnError) {
  EXPECT_FALSE(ConfigureLog(LogLevel::kInfo, "/proc/none/log").ok());
}

}  // namespace
}  // namespace saferl
