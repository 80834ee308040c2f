#include "saferl/sim/scenario.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "saferl/base/data_path.h"

namespace saferl::sim {
namespace {

using testing::HasSubstr;

class ScenarioFile : public testing::TestWithParam<std::string> {};

TEST_P(ScenarioFile, EndsAsItSays) {
  const auto path = FindNamed(GetParam(), "scenarios", ".yaml");
  ASSERT_TRUE(path.ok()) << path.status();
  const auto scenario = LoadScenario(*path);
  ASSERT_TRUE(scenario.ok()) << scenario.status();
  EXPECT_EQ(scenario->name, GetParam());
  const auto report = RunScenario(*scenario);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_TRUE(report->Passed()) << ToText(*scenario, *report);
}

INSTANTIATE_TEST_SUITE_P(Data, ScenarioFile, testing::ValuesIn(ListNames("scenarios", ".yaml")),
                         [](const auto& one) { return one.param; });

constexpr char kGood[] = R"(name: one
about: text
world:
  length_m: 8
  width_m: 5
  start: [1.5, 2.5, 0]
  goal_x_m: [6.5]
  goal_y_m: [2.5]
expect:
  goal_reached: yes
)";

TEST(Scenario, AFailedExpectationIsReported) {
  auto scenario = ParseScenario(kGood, "one.yaml");
  ASSERT_TRUE(scenario.ok()) << scenario.status();
  scenario->expect.max_time_s = 0.5;
  scenario->expect.modes_seen = {"protective_stop"};
  const auto report = RunScenario(*scenario);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->failures.size(), 2U) << ToText(*scenario, *report);
}

TEST(Scenario, ErrorsNameFileLineAndField) {
  struct Case {
    std::string from, to, says;
  };
  const Case cases[] = {
      {"about:", "abuot:", "about"},
      {"length_m: 8", "length_m: -8", "length_m"},
      {"goal_reached: yes", "goal_reached: perhaps", "goal_reached"},
      {"goal_y_m: [2.5]", "goal_y_m: [2.5, 1]", "goal_x_m"},
      {"start: [1.5, 2.5, 0]", "start: [1.5, 2.5]", "start"},
  };
  for (const Case& c : cases) {
    std::string text = kGood;
    text.replace(text.find(c.from), c.from.size(), c.to);
    const auto scenario = ParseScenario(text, "one.yaml");
    ASSERT_FALSE(scenario.ok()) << c.to;
    EXPECT_THAT(scenario.status().ToString(), HasSubstr("one.yaml:")) << c.to;
    EXPECT_THAT(scenario.status().ToString(), HasSubstr(c.says)) << c.to;
  }
}

TEST(Scenario, AFileThatExpectsNothingIsRefused) {
  const std::string text = kGood;
  const std::string head = text.substr(0, text.find("expect:"));
  for (const char* end : {"expect:\n", "expect:", "expect: {}\n", "expect: ~\n"}) {
    const auto scenario = ParseScenario(head + end, "one.yaml");
    ASSERT_FALSE(scenario.ok()) << end;
    EXPECT_THAT(scenario.status().ToString(), HasSubstr("expect: expects nothing")) << end;
    EXPECT_THAT(scenario.status().ToString(), HasSubstr("one.yaml:")) << end;
  }
}

TEST(Scenario, AnUnreachableGoalIsAnError) {
  std::string text = kGood;
  text.replace(text.find("  start:"), 0,
               "  boxes:\n    - {x_m: 4, y_m: 2.5, length_m: 0.1, width_m: 5}\n");
  const auto scenario = ParseScenario(text, "one.yaml");
  ASSERT_TRUE(scenario.ok()) << scenario.status();
  EXPECT_THAT(RunScenario(*scenario).status().ToString(), HasSubstr("goals[0]"));
}

}  // namespace
}  // namespace saferl::sim
