#include "saferl/sim/prove.h"

#include <gtest/gtest.h>

#include "saferl/sim/mutants.h"

namespace saferl::sim {
namespace {

ProveOptions Options(const std::string& robot, int64_t ticks) {
  ProveOptions options;
  options.robot = robot;
  options.ticks = ticks;
  return options;
}

void ExpectCaught(const std::string& robot, robot::Kind kind) {
  for (const Mutant& mutant : Mutants(kind)) {
    ProveOptions options = Options(robot, mutant.budget_ticks);
    options.mutant = mutant.name;
    options.certify_every = 0;
    options.stop_at_violation = true;
    const auto report = Prove(options);
    ASSERT_TRUE(report.ok()) << report.status();
    EXPECT_GT(report->violations, 0) << mutant.name << " (" << mutant.what << ") goes unnoticed:\n"
                                     << ToText(*report);
  }
}

TEST(Prove, WheelchairIsSafeAndEveryTickIsCertified) {
  ProveOptions options = Options("wheelchair", 40'000);
  options.certify_every = 4;
  const auto report = Prove(options);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->violations, 0) << ToText(*report);
  EXPECT_EQ(report->uncertified, 0) << ToText(*report);
  EXPECT_GT(report->moving_ticks, report->ticks / 4) << "a prover that stands still proves nothing";
  EXPECT_GT(report->worst_margin, 0);
}

TEST(Prove, EveryMutantOfTheWheelchairIsCaught) {
  ExpectCaught("wheelchair", robot::Kind::kWheelchair);
}

TEST(Prove, ArmIsSafeAndEveryTickIsCertified) {
  ProveOptions options = Options("arm7", 60'000);
  options.certify_every = 10;
  const auto report = Prove(options);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->violations, 0) << ToText(*report);
  EXPECT_EQ(report->uncertified, 0) << ToText(*report);
  EXPECT_GT(report->moving_ticks, report->ticks / 10);
}

TEST(Prove, EveryMutantOfTheArmIsCaught) { ExpectCaught("arm7", robot::Kind::kArm); }

TEST(Prove, ExoskeletonIsSafeAndEveryTickIsCertified) {
  ProveOptions options = Options("exoskeleton", 60'000);
  options.certify_every = 10;
  const auto report = Prove(options);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->violations, 0) << ToText(*report);
  EXPECT_EQ(report->uncertified, 0) << ToText(*report);
  EXPECT_GT(report->worst_margin, 0);
}

TEST(Prove, EveryMutantOfTheExoskeletonIsCaught) {
  ExpectCaught("exoskeleton", robot::Kind::kExoskeleton);
}

TEST(Prove, ReportIsTheSameForAnyThreadCount) {
  ProveOptions options = Options("wheelchair", 5'000);
  options.seed = 11;
  const auto one = Prove(options);
  options.threads = 3;
  const auto three = Prove(options);
  ASSERT_TRUE(one.ok() && three.ok());
  EXPECT_EQ(one->interventions, three->interventions);
  EXPECT_EQ(one->moving_ticks, three->moving_ticks);
  EXPECT_EQ(one->worst_margin, three->worst_margin);
  options.mutant = "no_separation";
  options.stop_at_violation = true;
  const auto caught_by_three = Prove(options);
  options.threads = 1;
  const auto caught_by_one = Prove(options);
  ASSERT_TRUE(caught_by_one.ok() && caught_by_three.ok());
  EXPECT_EQ(caught_by_one->first_violation_tick, caught_by_three->first_violation_tick);
  EXPECT_EQ(caught_by_one->ticks, caught_by_three->ticks);
}

TEST(Prove, UnknownMutantNamesTheNearest) {
  ProveOptions options = Options("wheelchair", 250);
  options.mutant = "no_epsilom";
  const auto report = Prove(options);
  ASSERT_FALSE(report.ok());
  EXPECT_NE(std::string(report.status().message()).find("no_epsilon"), std::string::npos);
}

TEST(Prove, JsonHasTheFieldsOfTheReport) {
  ProveReport report;
  report.robot = "wheelchair";
  report.ticks = 250;
  report.slots = 6;
  report.worst_margin = 0.5;
  report.interventions = 3;
  report.ticks_per_s = 1000.4;
  EXPECT_EQ(ToJson(report),
            "{\"robot\":\"wheelchair\",\"mutant\":\"\",\"ticks\":250,\"slots\":6,\"violations\":0,"
            "\"uncertified\":0,\"certified\":0,\"worst_margin\":0.5,\"interventions\":3,"
            "\"upper_bound_per_slot\":0.5,\"ticks_per_s\":1000}");
  report.mutant = "no_epsilon";
  report.violations = 1;
  report.first_violation_tick = 42;
  report.first_violation = "ran into \"something\"";
  EXPECT_NE(ToJson(report).find("\"first_violation_tick\":42,\"first_violation\":\"ran into "
                                "\\\"something\\\"\""),
            std::string::npos)
      << ToJson(report);
}

}  // namespace
}  // namespace saferl::sim
