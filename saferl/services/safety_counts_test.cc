#include "saferl/services/safety_counts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "saferl/base/clock.h"
#include "saferl/base/text.h"

namespace saferl::services {
namespace {

using safety::Reason;
using telemetry::Arm;
using ::testing::HasSubstr;

constexpr int64_t kTick_ns = 20'000'000;

class SafetyCountsTest : public ::testing::Test {
 protected:
  SafetyCountsTest() {
    decision_.gate_passed = true;
    decision_.filter.margin.fill(std::numeric_limits<double>::infinity());
  }
  /// A tick later.
  void Count(Arm arm = Arm::kStable, int64_t passed_ns = kTick_ns) {
    decision_.input.now_ns += passed_ns;
    counts_.Count(decision_, arm, &memory_);
  }
  std::string Of(const std::string& series) const {
    const std::string text = metrics_.Text();
    const size_t at = text.find(Cat("\n", series, " "));
    if (at == std::string::npos) return "absent";
    const size_t from = at + series.size() + 2;
    return text.substr(from, text.find('\n', from) - from);
  }
  std::string Violations(const std::string& constraint, const std::string& severity,
                         const std::string& arm) const {
    return Of(Cat("saferl_safety_violations_total{arm=\"", arm, "\",constraint=\"", constraint,
                  "\",severity=\"", severity, "\"}"));
  }

  telemetry::Metrics metrics_;
  SafetyCounts counts_{&metrics_};
  SafetyCounts::Memory memory_;
  control::Decision decision_;
};

TEST_F(SafetyCountsTest, EverythingIsThereAtZeroFromTheStart) {
  for (const char* arm : {"stable", "canary", "shadow"}) {
    EXPECT_EQ(Of(Cat("saferl_robot_exposure_seconds_total{arm=\"", arm, "\"}")), "0");
    EXPECT_EQ(Of(Cat("saferl_human_interventions_total{arm=\"", arm, "\",kind=\"stop\"}")), "0");
    for (const char* constraint :
         {"separation", "contact", "joint_position", "measured", "gate", "tracking"}) {
      EXPECT_EQ(Violations(constraint, "critical", arm), "0") << constraint;
      EXPECT_EQ(Violations(constraint, "warning", arm), "0") << constraint;
    }
  }
}

TEST_F(SafetyCountsTest, ExposureIsTheRobotsTimeAndLeavesOutSilence) {
  Count(Arm::kCanary);  // nothing came before it
  for (int i = 0; i < 50; ++i) Count(Arm::kCanary);
  Count(Arm::kCanary, 5 * kNanosPerSecond);
  Count(Arm::kCanary, -kNanosPerSecond);
  EXPECT_EQ(Of("saferl_robot_exposure_seconds_total{arm=\"canary\"}"), "1");
  EXPECT_EQ(Of("saferl_robot_exposure_seconds_total{arm=\"stable\"}"), "0");
}

TEST_F(SafetyCountsTest, AnInterventionIsTheNearestConstraints) {
  decision_.filter.margin[static_cast<size_t>(safety::ConstraintId::kSeparation)] = 0.4;
  decision_.filter.margin[static_cast<size_t>(safety::ConstraintId::kKeepOut)] = 0.001;
  Count();
  decision_.filter.intervened = true;
  Count();
  Count();
  EXPECT_EQ(Of("saferl_shield_interventions_total{arm=\"stable\",constraint=\"keep_out\"}"), "2");
  EXPECT_EQ(Of("saferl_shield_interventions_total{arm=\"stable\",constraint=\"separation\"}"), "0");
}

TEST_F(SafetyCountsTest, AStopAndAViolationCountWhenTheyBegin) {
  for (int episode = 0; episode < 2; ++episode) {
    decision_.input.human.stop = true;
    decision_.command.reason = Reason::kConstraintViolated;
    for (int i = 0; i < 10; ++i) Count();
    decision_.input.human.stop = false;
    decision_.command.reason = Reason::kNone;
    Count();
  }
  EXPECT_EQ(Of("saferl_human_interventions_total{arm=\"stable\",kind=\"stop\"}"), "2");
  EXPECT_EQ(Violations("measured", "critical", "stable"), "2");
  EXPECT_EQ(Violations("gate", "critical", "stable"), "0");
}

TEST_F(SafetyCountsTest, WhatTheGateRefusesIsCriticalAndWhatTheRobotDoesNotFollowAWarning) {
  decision_.gate_passed = false;
  Count(Arm::kShadow);
  decision_.gate_passed = true;
  decision_.command.reason = Reason::kBrakeFade;
  Count(Arm::kShadow);
  EXPECT_EQ(Violations("gate", "critical", "shadow"), "1");
  EXPECT_EQ(Violations("tracking", "warning", "shadow"), "1");
  EXPECT_EQ(Violations("tracking", "critical", "shadow"), "0");
}

TEST_F(SafetyCountsTest, SensorsAndOperatorsAreNoViolations) {
  for (const Reason reason : {Reason::kNone, Reason::kStopRequested, Reason::kStateStale,
                              Reason::kHumanStale, Reason::kPolicyLate}) {
    decision_.command.reason = reason;
    Count();
  }
  const std::string text = metrics_.Text();
  for (size_t at = 0;
       (at = text.find("\nsaferl_safety_violations_total{", at)) != std::string::npos; ++at) {
    const size_t value = text.find("} ", at);
    EXPECT_EQ(text.substr(value + 2, text.find('\n', value) - value - 2), "0")
        << text.substr(at, value - at);
  }
}

}  // namespace
}  // namespace saferl::services
