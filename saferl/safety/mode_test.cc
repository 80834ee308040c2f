#include "saferl/safety/mode.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace saferl::safety {
namespace {

TEST(Mode, EveryReasonHasOneModeNameAndClearCondition) {
  std::set<std::string> names, lines;
  for (int i = 0; i < static_cast<int>(Reason::kCount); ++i) {
    const auto reason = static_cast<Reason>(i);
    EXPECT_LE(DemandedMode(reason), Mode::kProtectiveStop);
    const std::string name(Name(reason)), line(Describe(reason));
    EXPECT_TRUE(names.insert(name).second) << name;
    EXPECT_TRUE(lines.insert(line).second) << line;
    EXPECT_EQ(name.find_first_not_of("abcdefghijklmnopqrstuvwxyz_"), std::string::npos) << name;
    if (reason == Reason::kNone) continue;
    EXPECT_NE(line.find("; clears "), std::string::npos) << line;
    EXPECT_EQ(line.find("; clears "), line.rfind("; clears ")) << line;
  }
}

TEST(Mode, TheClearConditionFitsTheMode) {
  for (int i = 1; i < static_cast<int>(Reason::kCount); ++i) {
    const auto reason = static_cast<Reason>(i);
    const std::string line(Describe(reason));
    const bool acknowledged = line.find("acknowledges at rest") != std::string::npos;
    const bool at_rest = line.find("clears at rest") != std::string::npos;
    EXPECT_EQ(acknowledged, DemandedMode(reason) == Mode::kProtectiveStop) << line;
    EXPECT_EQ(at_rest, DemandedMode(reason) == Mode::kControlledStop) << line;
  }
}

TEST(Mode, ModesAreAsTheHeaderSays) {
  using enum Reason;
  EXPECT_EQ(DemandedMode(kNone), Mode::kNominal);
  EXPECT_EQ(DemandedMode(kFilterInfeasible), Mode::kNominal);
  for (Reason r : {kPolicyLate, kPolicyInvalid}) EXPECT_EQ(DemandedMode(r), Mode::kDegraded);
  for (Reason r : {kHumanStale, kHumanInvalid, kEnableReleased})
    EXPECT_EQ(DemandedMode(r), Mode::kHold);
  for (Reason r : {kStateStale, kStateInvalid, kPeopleStale, kPeopleInvalid, kLidarStale,
                   kLidarInvalid, kClockBackward, kClockFuture, kSensorFrozen, kTickLate,
                   kTickSlips, kFilterRepeated, kGateRejected, kMonitorLost})
    EXPECT_EQ(DemandedMode(r), Mode::kControlledStop) << Name(r);
  for (Reason r : {kPersonTooFast, kPersonJumped, kTrackingError, kBrakeFade, kConstraintViolated,
                   kStopRequested})
    EXPECT_EQ(DemandedMode(r), Mode::kProtectiveStop) << Name(r);
}

TEST(Mode, AnUnknownReasonIsTheWorst) {
  EXPECT_EQ(DemandedMode(static_cast<Reason>(200)), Mode::kProtectiveStop);
  EXPECT_EQ(DemandedMode(Reason::kCount), Mode::kProtectiveStop);
}

TEST(Mode, EveryModeHasAName) {
  std::set<std::string_view> names;
  for (int i = 0; i <= static_cast<int>(Mode::kProtectiveStop); ++i)
    names.insert(Name(static_cast<Mode>(i)));
  EXPECT_EQ(names.size(), 5U);
  EXPECT_FALSE(names.contains("unknown"));
  EXPECT_EQ(Name(static_cast<Mode>(77)), "unknown");
}

}  // namespace
}  // namespace saferl::safety
