#include "saferl/safety/search.h"

#include <gtest/gtest.h>

#include <cmath>

#include "saferl/base/random.h"
#include "saferl/safety/constraints/constraints.h"
#include "saferl/safety/testing/cases.h"

namespace saferl::safety {
namespace {

/// A shipped robot in a busy moment, and a line from braking to a corner of what may follow.
struct Line {
  testing::Case c;
  FilterData data;
  robot::Joints from{}, to{};

  explicit Line(const char* robot) : c(testing::MakeCase(robot)) {}

  /// A new state near the case's. True when braking is proved and the far end is not.
  bool Draw(Random* random) {
    const robot::RobotModel& robot = *c.model->robot;
    const bool torque = robot.kind() == robot::Kind::kExoskeleton;
    robot::Observation& o = c.observation;
    for (int i = 0; i < robot.n(); ++i) {
      const robot::Limits& l = robot.limits();
      const double share = random->Uniform(0.0, 0.7);
      data.previous[i] =
          torque ? c.previous[i]
                 : share * (random->Chance(0.5) ? l.command_lower[i] : l.command_upper[i]);
      o.robot.qd[i] = torque ? random->Uniform(-2, 2) : data.previous[i];
    }
    Situation& s = data.situation;
    AssembleSituation(*c.model, o, c.now_ns, data.previous, &s);
    from = s.brake;
    for (int i = 0; i < robot.n(); ++i) {
      const CommandInterval next = NextCommand(robot, data.previous[i], s.brake[i], i);
      to[i] = random->Chance(0.5) ? next.lower : next.upper;
    }
    s.wanted = to;
    return Proved(0) && !Proved(1);
  }

  robot::Joints At(double share) const {
    if (share == 1) return to;  // to the last bit: the box's own corner
    robot::Joints u{};
    for (int i = 0; i < c.model->robot->n(); ++i) u[i] = from[i] + share * (to[i] - from[i]);
    return u;
  }
  bool Proved(double share) {
    Margins margin;
    return Prove(*c.model, At(share), &data.situation, &data.manoeuvre, &margin);
  }
  /// What share of the way `u` is.
  double ShareOf(const robot::Joints& u) const {
    int widest = 0;
    for (int i = 1; i < c.model->robot->n(); ++i) {
      if (std::abs(to[i] - from[i]) > std::abs(to[widest] - from[widest])) widest = i;
    }
    return (u[widest] - from[widest]) / (to[widest] - from[widest]);
  }
};

class SearchTest : public ::testing::TestWithParam<const char*> {};

TEST_P(SearchTest, EndsProvedAndNearTheEdgeWithinItsBound) {
  Line line(GetParam());
  ASSERT_NE(line.c.model, nullptr);
  Random random(3);
  int lines = 0, tried = 0, far_off = 0;
  for (int trial = 0; trial < 4000 && lines < 200; ++trial) {
    if (!line.Draw(&random)) continue;
    // Only lines with a single edge have an answer to compare with.
    constexpr int kSteps = 128;
    int edge = 0;
    while (line.Proved(static_cast<double>(edge + 1) / kSteps)) ++edge;
    bool again = false;
    for (int k = edge + 2; k <= kSteps; ++k) again |= line.Proved(static_cast<double>(k) / kSteps);
    if (again) continue;
    ++lines;
    Search search(*line.c.model, &line.data);
    ASSERT_FALSE(search.Try(line.to));
    const Margins to_margin = search.last().margin;
    ASSERT_TRUE(search.Try(line.from));
    const int n = search.Between(line.to, to_margin);
    tried += n;
    ASSERT_LE(n, line.c.model->max_bisections);
    ASSERT_TRUE(search.found().proved);
    const double share = line.ShareOf(search.found().u), truth = static_cast<double>(edge) / kSteps;
    ASSERT_TRUE(line.Proved(share)) << "found without a proof";
    far_off += share > truth - 0.06 ? 0 : 1;
  }
  ASSERT_GT(lines, 20);
  // A margin with a kink at 0 may end the search early: rare, and never without a proof.
  EXPECT_LE(far_off, lines / 50);
  EXPECT_LT(tried, 5 * lines) << "no faster than bisection to the same tolerance";
}

TEST_P(SearchTest, StoppingAtTheFirstFailureChangesNoVerdict) {
  Line line(GetParam());
  ASSERT_NE(line.c.model, nullptr);
  Random random(4);
  size_t first = 0;
  int proved = 0, refused = 0;
  for (int trial = 0; trial < 1000; ++trial) {
    line.Draw(&random);
    const robot::Joints u = line.At(random.Uniform());
    Margins whole, quick;
    const bool expected =
        Prove(*line.c.model, u, &line.data.situation, &line.data.manoeuvre, &whole);
    const bool found =
        Prove(*line.c.model, u, &line.data.situation, &line.data.manoeuvre, &quick, &first);
    ASSERT_EQ(found, expected);
    if (found) {
      ++proved;
      ASSERT_EQ(quick, whole);
    } else {
      ++refused;
      const auto id = static_cast<size_t>(line.c.model->proof[first]->id());
      ASSERT_FALSE(quick[id] >= 0);
      ASSERT_EQ(quick[id], whole[id]);
    }
  }
  EXPECT_GT(proved, 50);
  EXPECT_GT(refused, 50);
  line.data.situation.state_usable = false;
  Margins margin;
  EXPECT_FALSE(
      Prove(*line.c.model, line.from, &line.data.situation, &line.data.manoeuvre, &margin, &first));
}

INSTANTIATE_TEST_SUITE_P(Robots, SearchTest,
                         ::testing::Values("wheelchair", "arm7", "exoskeleton"));

}  // namespace
}  // namespace saferl::safety
