#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "saferl/base/file.h"
#include "saferl/robot/robot_file.h"
#include "saferl/robot/wheelchair.h"

namespace saferl::robot {
namespace {

using ::testing::HasSubstr;

std::string DataText(const std::string& name) {
  StatusOr<std::string> text = ReadFile(std::string(SAFERL_SOURCE_DIR) + "/data/robots/" + name);
  return text.ok() ? *text : "";
}

std::string Replaced(std::string text, const std::string& from, const std::string& to) {
  const size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return at == std::string::npos ? text : text.replace(at, from.size(), to);
}

std::string Message(const StatusOr<std::shared_ptr<const RobotModel>>& loaded) {
  EXPECT_FALSE(loaded.ok());
  return std::string(loaded.status().message().data(), loaded.status().message().size());
}

TEST(LoaderTest, WheelchairByName) {
  const auto loaded = LoadRobot("wheelchair");
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  const auto chair = std::dynamic_pointer_cast<const Wheelchair>(*loaded);
  ASSERT_NE(chair, nullptr);
  EXPECT_EQ(chair->n(), 2);
  EXPECT_DOUBLE_EQ(chair->hold_s(), 0.07);
  EXPECT_DOUBLE_EQ(chair->limits().command_lower[0], -0.5);
  EXPECT_DOUBLE_EQ(chair->limits().brake[1], 3.5);
  EXPECT_DOUBLE_EQ(chair->footprint().front, 0.65);
}

TEST(LoaderTest, ErrorsNameFileLineFieldAndFix) {
  const std::string good = DataText("wheelchair.yaml");
  ASSERT_TRUE(ReadRobot(good, "chair.yaml").ok());
  struct Case {
    const char *from, *to, *expect;
  };
  for (const Case& c : {
           Case{"speed_max_m_s: 1.2", "speed_max_m_s: 120", "limits.speed_max_m_s"},
           Case{"speed_max_m_s: 1.2", "speed_max_ms: 1.2", "speed_max_m_s"},
           Case{"period_s: 0.020", "period_s: off", "period_s"},
           Case{"kind: wheelchair", "kind: wheelchiar", "did you mean 'wheelchair'"},
           Case{"mass_kg: 180", "# mass_kg: 180", "mass_kg"},
           Case{"rear_m: -0.35", "rear_m: 0.35", "footprint.rear_m"},
       }) {
    const std::string message = Message(ReadRobot(Replaced(good, c.from, c.to), "chair.yaml"));
    EXPECT_THAT(message, HasSubstr("chair.yaml:"));
    EXPECT_THAT(message, HasSubstr(c.expect));
  }
}

TEST(LoaderTest, TheSafetySectionBelongsToSomeoneElse) {
  const std::string text = DataText("wheelchair.yaml") + "\nsafety_extra: 1\n";
  EXPECT_THAT(Message(ReadRobot(text, "chair.yaml")), HasSubstr("safety_extra"));
  std::string bare = DataText("wheelchair.yaml");
  if (const size_t at = bare.find("\nsafety:"); at != std::string::npos) bare.resize(at);
  EXPECT_TRUE(ReadRobot(bare + "\nsafety:\n  anything: [1, {at: all}]\n", "chair.yaml").ok());
}

TEST(LoaderTest, OverridesSkipTheRangesAndNameUnknownKeys) {
  const Override none[] = {{"reaction_s", 0.0}, {"limits.brake", 1e6}};
  const auto loaded = LoadRobot("wheelchair", none);
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ((*loaded)->reaction_s(), 0.0);
  EXPECT_EQ((*loaded)->limits().brake[0], 1e6);
  EXPECT_EQ((*loaded)->limits().brake[1], 1e6);
  const Override unknown[] = {{"limits.braek", 1}};
  EXPECT_THAT(Message(LoadRobot("wheelchair", unknown)), HasSubstr("limits.brake"));
}

TEST(LoaderTest, MissingRobotIsNotFound) {
  EXPECT_EQ(LoadRobot("no_such_robot").status().code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace saferl::robot
