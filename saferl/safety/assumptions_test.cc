#include "saferl/safety/assumptions.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <deque>
#include <memory>

#include "saferl/base/random.h"
#include "saferl/safety/testing/point_robot.h"

namespace saferl::safety {
namespace {

using testing::PointRobot;
constexpr int64_t kTick = 20'000'000;

/// A 1-D robot that is told ramps, and one person; both inside or outside what is assumed.
struct Watch {
  Watch() {
    model.robot = std::make_shared<PointRobot>(testing::PointOptions{});
    model.human.error_m = 0.05;
    observation.n_parts = 1;
    observation.parts[0].person = 3;
    observation.parts[0].track = 9;
    SetPart(5);
  }
  void SetPart(double x) { observation.parts[0].capsule_W = {{x, 0, 0}, {x, 0, 1}, 0.2}; }
  ReasonSet Step(double rate) {
    now += kTick;
    observation.robot.stamp_ns = observation.parts[0].stamp_ns = now;
    observation.robot.qd[0] = rate;
    const ReasonSet r = CheckAssumptions(model, {}, observation, now, sent, &data);
    return r;
  }
  SafetyModel model;
  robot::Observation observation;
  AssumptionData data;
  robot::Joints sent{};  ///< the command that left last
  int64_t now = 0;
};

TEST(Assumptions, APersonWhoJumpsIsFoundInTheSameTick) {
  Watch w;
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(w.Step(0).empty());
  w.SetPart(5 + 0.1 + 1.6 * 0.02 + 1e-4);
  EXPECT_TRUE(w.Step(0).Has(Reason::kPersonJumped));
}

TEST(Assumptions, APersonWhoRunsIsFoundOnceTheErrorCannotHideIt) {
  Watch w;
  double x = 5;
  int found = 0;
  for (int i = 1; i < 50 && found == 0; ++i) {
    w.SetPart(x -= 0.02 * 2.6);  // 1 m/s too fast: 2 epsilon = 0.1 m are used up after 0.1 s
    if (w.Step(0).Has(Reason::kPersonTooFast)) found = i;
  }
  EXPECT_GT(found, 5);
  EXPECT_LE(found, 8);
}

/// Walks, runs and stands, measured with a trembling error, every `period_ns`. What the monitor
/// finds is compared, tick by tick, with what all pairs of measurements within a second show.
struct Compared {
  int begun = 0, found_late = 0;  ///< breaches that begin to show; not found in that tick
  int64_t wrong = 0;              ///< ticks that found what nothing shows
  double hidden_m = 0;            ///< farthest outside of what is possible, yet not found
};
Compared WithAllPairs(int64_t period_ns, uint64_t seed) {
  Watch w;
  Random random(seed);
  const double dt = 1e-9 * static_cast<double>(period_ns), error_m = w.model.human.error_m;
  std::deque<std::pair<int64_t, double>> past;  // stamp, place
  double x = 5, velocity = 0, wander = 0;
  int64_t now = 0, shown_ns = 0;
  Compared result;
  for (int i = 0; i < 50'000; ++i) {
    if (random.Chance(dt)) velocity = random.Uniform(-2.6, 2.6);
    x += velocity * dt;
    wander = std::clamp(wander + 0.02 * random.Uniform(-1.0, 1.0), -0.7, 0.7);
    const double seen = x + error_m * (wander + 0.3 * random.Uniform(-1.0, 1.0));
    now += period_ns;
    while (!past.empty() && now - past.front().first > 1'000'000'000) past.pop_front();
    double outside = -1;
    for (const auto& [stamp, place] : past) {
      const double age_s = 1e-9 * static_cast<double>(now - stamp);
      outside = std::max(outside, std::abs(seen - place) - 2 * error_m - 1e-6 - 1.6 * age_s);
    }
    past.emplace_back(now, seen);
    w.now = now - kTick;
    w.SetPart(seen);
    const ReasonSet reasons = w.Step(0);
    const bool found = reasons.Has(Reason::kPersonTooFast) || reasons.Has(Reason::kPersonJumped);
    result.wrong += found && outside < -1e-9;
    if (!found) result.hidden_m = std::max(result.hidden_m, outside);
    if (outside > 0 && (shown_ns == 0 || now - shown_ns > 1'000'000'000)) {
      ++result.begun;
      result.found_late += !found;
    }
    if (outside > 0) shown_ns = now;
  }
  return result;
}

TEST(Assumptions, EveryPairOfMeasurementsWithinASecondCounts) {
  for (uint64_t seed = 1; seed <= 4; ++seed) {
    const Compared camera = WithAllPairs(20'000'000, seed);
    EXPECT_GT(camera.begun, 100);
    EXPECT_EQ(camera.wrong, 0);
    EXPECT_LT(camera.hidden_m, 1e-9);
    // A thousand measurements a second that tremble by ten times v_h dt: the room for them runs
    // out. What is then hidden is a centimetre of a breach that goes on, never its beginning.
    const Compared fast = WithAllPairs(1'000'000, seed);
    EXPECT_GT(fast.begun, 3);
    EXPECT_EQ(fast.wrong, 0);
    EXPECT_EQ(fast.found_late, 0);
    EXPECT_LT(fast.hidden_m, 0.01);
  }
}

TEST(Assumptions, IdentityIsByPersonAndTrack) {
  Watch w;
  w.Step(0);
  w.observation.parts[0].track = 10;  // another part, elsewhere: not a jump
  w.SetPart(1);
  EXPECT_TRUE(w.Step(0).empty());
  w.observation.parts[0].track = 9;
  EXPECT_TRUE(w.Step(0).Has(Reason::kPersonJumped));  // the first one is still remembered
}

TEST(Assumptions, TrackingErrorIsFoundInTheSameTick) {
  Watch w;
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(w.Step(0).empty());
  EXPECT_TRUE(w.Step(0.03).Has(Reason::kTrackingError));  // 0.01 + 0.01 allowed
  EXPECT_TRUE(w.Step(0.019).empty());
}

TEST(Assumptions, BrakeFadeIsFoundInTheFirstTickThatShowsIt) {
  Watch w;
  w.sent[0] = 1.0;
  w.Step(0);
  for (int i = 0; i < 20; ++i) w.Step(1.0);
  // Commands brake at 2 m/s^2; the robot manages half of that.
  std::deque<double> window(
      8, 1.0);  // commands that can still act: reaction + 2 periods and the one before
  double command = 1.0, rate = 1.0;
  for (int i = 0; i < 30; ++i) {
    command -= 0.04;
    rate -= 0.02;
    w.sent[0] = command;
    const ReasonSet reasons = w.Step(rate);
    window.push_front(command);
    window.pop_back();
    const bool visible = rate > *std::max_element(window.begin(), window.end()) + 0.02 + 1e-6;
    if (visible) {
      EXPECT_TRUE(reasons.Has(Reason::kBrakeFade)) << i;
      return;
    }
  }
  FAIL() << "the fade never showed";
}

TEST(Assumptions, MeasuredLimitsBrokenAreFound) {
  Watch w;
  w.observation.robot.q[0] = 100.1;
  EXPECT_TRUE(w.Step(0).Has(Reason::kConstraintViolated));
  w.observation.robot.q[0] = 0;
  w.sent[0] = 0.5;  // moves, and overlaps a person by more than the measurement can be wrong
  w.SetPart(0.2);
  EXPECT_TRUE(w.Step(0.5).Has(Reason::kConstraintViolated));
}

TEST(Assumptions, ARestingRobotMayBeTouched) {
  Watch w;
  w.SetPart(0.2);
  EXPECT_FALSE(w.Step(0).Has(Reason::kConstraintViolated));
}

// Worst-case data inside every bound, 10^5 steps: never a finding.
TEST(Assumptions, CleanDataInsideTheBoundsNeverTrips) {
  Watch w;
  Random random(21);
  const double dt = 0.02;
  double person = 5, velocity = 1.6;
  std::deque<double> sent(6, 0.0);  // newest first; acts after 0..reaction
  double rate = 0;
  for (int i = 0; i < 100'000; ++i) {
    // The person: full speed either way, measured wrong by epsilon with changing sign.
    if (random.Chance(0.02)) velocity = random.Chance(0.5) ? 1.6 : -1.6;
    person += velocity * dt;
    w.SetPart(person + (random.Chance(0.5) ? 0.05 : -0.05));
    // The robot: any command in flight acts, plus tracking error, plus measurement error.
    double u = sent.front() + random.Uniform(-0.04, 0.03);
    u = std::clamp(u, -1.5, 1.5);
    rate = sent[static_cast<size_t>(random.Index(5))];
    const double error = random.Chance(0.5) ? 0.02 : -0.02;
    w.observation.robot.q[0] = person > 0 ? person - 50 : person + 50;  // never near the person
    const ReasonSet reasons = w.Step(rate + error);
    ASSERT_TRUE(reasons.empty()) << i << " " << Name(reasons.Worst());
    w.sent[0] = u;
    sent.push_front(u);
    sent.pop_back();
  }
}

TEST(Assumptions, MorePeopleThanSlotsForgetTheOldest) {
  Watch w;
  for (uint16_t track = 0; track < 200; ++track) {
    w.observation.parts[0].track = track;
    w.SetPart(track);
    EXPECT_TRUE(w.Step(0).empty());
  }
}

}  // namespace
}  // namespace saferl::safety
