#include "saferl/robot/robot_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <unistd.h>

#include <filesystem>

#include "saferl/base/file.h"

namespace saferl::robot {
namespace {

using ::testing::HasSubstr;

const CheckItem* Find(const RobotReport& report, const std::string& name) {
  for (const CheckItem& item : report.items)
    if (item.name == name) return &item;
  return nullptr;
}

TEST(RobotCheckTest, OurRobotsAreGood) {
  for (const char* name : {"wheelchair", "arm7", "exoskeleton"}) {
    const auto report = CheckRobot(name);
    ASSERT_TRUE(report.ok()) << report.status();
    for (const CheckItem& item : report->items)
      EXPECT_TRUE(item.good) << name << " " << item.name << ": " << item.detail;
    EXPECT_TRUE(report->good());
    EXPECT_GT(report->stop_time_s, report->hold_s);
    EXPECT_GT(report->stop_way_m, 0);
  }
}

class BrokenArm : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::temp_directory_path() /
              ("saferl_robot_check_" + std::to_string(::getpid()));
    std::filesystem::create_directories(folder_);
    const std::string data = std::string(SAFERL_SOURCE_DIR) + "/data/robots/";
    yaml_ = *ReadFile(data + "arm7.yaml");
    ASSERT_TRUE(
        WriteFileAtomic((folder_ / "arm7.urdf").string(), *ReadFile(data + "arm7.urdf")).ok());
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  StatusOr<RobotReport> CheckWith(const std::string& from, const std::string& to) {
    std::string text = yaml_;
    const size_t at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    text.replace(at, from.size(), to);
    const std::string path = (folder_ / "mine.yaml").string();
    EXPECT_TRUE(WriteFileAtomic(path, text).ok());
    return CheckRobot(path, 100);
  }

  std::filesystem::path folder_;
  std::string yaml_;
};

TEST_F(BrokenArm, ACapsuleThatIsTooThinIsFound) {
  const auto report = CheckWith("radius_m: 0.080}", "radius_m: 0.060}");
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_FALSE(report->good());
  EXPECT_THAT(Find(*report, "links")->detail, HasSubstr("link2"));
}

TEST_F(BrokenArm, AMissingCapsuleIsFound) {
  const auto report = CheckWith("  - {link: link4,", "  - {link: link5,");
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_THAT(Find(*report, "links")->detail, HasSubstr("link4"));
}

TEST_F(BrokenArm, AFileThatDoesNotLoadIsAnErrorWithItsPlace) {
  const auto report = CheckWith("link: link4", "link: linc4");
  ASSERT_FALSE(report.ok());
  EXPECT_THAT(std::string(report.status().message()), HasSubstr("did you mean 'link4'"));
  EXPECT_THAT(std::string(report.status().message()), HasSubstr("mine.yaml"));
}

}  // namespace
}  // namespace saferl::robot
