#include "saferl/policy/drift.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <functional>
#include <string>
#include <thread>

#include "saferl/base/random.h"
#include "saferl/policy/drift_statistics.h"
#include "saferl/policy/spec_builder.h"

namespace saferl::policy {
namespace {

using testing::ElementsAre;
using testing::Field;
using testing::IsEmpty;

enum Group : size_t { kObservation, kAction, kShield };

PolicySpec Spec(int n_obs) {
  PolicySpec spec = MakeGaussianMlp(n_obs, 2, std::vector<int>{4}, 1);
  for (int i = 0; i < n_obs; ++i) {
    spec.obs_mean[static_cast<size_t>(i)] = static_cast<float>(i) - 2;
    spec.obs_std[static_cast<size_t>(i)] = 0.5F + 0.25F * static_cast<float>(i);
  }
  MakeGoldenVectors(&spec, 8, 1);
  return spec;
}

/// A robot whose features are first-order processes with the reference's means and deviations and
/// the correlation `rho` from tick to tick, and a detector that watches it.
struct World {
  World(int n_obs, double correlation, const DriftOptions& options, uint64_t seed)
      : World(Spec(n_obs), correlation, options, seed) {}
  World(PolicySpec of, double correlation, const DriftOptions& options, uint64_t seed)
      : spec(std::move(of)), detector(spec, options), random(seed), rho(correlation) {
    stream = detector.AddStream();
    x.resize(static_cast<size_t>(spec.n_obs()));
    for (size_t i = 0; i < x.size(); ++i) z.push_back(random.Normal());
  }
  void Step() {
    const double noise = std::sqrt(1 - rho * rho);
    for (size_t i = 0; i < z.size(); ++i) {
      if (!parked) z[i] = rho * z[i] + noise * random.Normal();
      x[i] = spec.obs_mean[i] + spec.obs_std[i] * static_cast<float>(z[i]);
    }
    for (size_t i = 0; i < action.size(); ++i) action[i] = static_cast<float>(0.3 * z[i]);
    if (fault) fault();
    stream->Record(x, action, random.Chance(changed) ? 1 : 0);
    if (++samples % 256 == 0) detector.Collect();
  }
  void Windows(uint64_t n) {
    for (const uint64_t until = detector.windows() + n; detector.windows() < until;) Step();
  }
  DriftReport At(size_t group) { return detector.Reports()[group]; }
  /// Samples until the group drifts; 0: it does not within `most`.
  int64_t Find(size_t group, int64_t most) {
    for (const int64_t start = samples; samples - start < most;) {
      Step();
      if (samples % 256 == 0 && At(group).drifting) return samples - start;
    }
    return 0;
  }
  /// Adds so many of the reference's deviations to feature 3.
  void Shift(float deviations) {
    fault = [this, deviations] { x[3] += deviations * spec.obs_std[3]; };
  }
  /// Share of full windows that the observation group's p calls drift.
  double Alarms(int windows, double level) {
    int alarms = 0;
    for (int w = 0; w < windows; ++w) {
      Windows(1);
      alarms += At(kObservation).p <= level;
    }
    return static_cast<double>(alarms) / windows;
  }

  PolicySpec spec;
  DriftDetector detector;
  Random random;
  double rho, changed = 0.05;
  bool parked = false;
  std::shared_ptr<DriftStream> stream;
  std::vector<double> z;
  std::vector<float> x, action = std::vector<float>(2);
  std::function<void()> fault;
  int64_t samples = 0;
};

constexpr double kLevel = 0.05;
constexpr int kRateWindows = 200;

/// Nothing differs, and no difference is too small: what the test's own null promises.
DriftOptions Exact() {
  DriftOptions options;
  options.least_shift = 0;
  options.expected_run_windows = 1 / kLevel;
  return options;
}

TEST(Drift, CleanDataIsCalledDriftNoMoreOftenThanConfiguredHoweverCorrelated) {
  for (const double rho : {0.0, 0.9, 0.99, 0.999})
    EXPECT_LE(World(3, rho, Exact(), 3).Alarms(kRateWindows, kLevel), 1.2 * kLevel) << rho;
}

/// Single samples for blocks and no correlation believed: what most drift detectors compute.
TEST(Drift, TheMutantThatTakesSamplesForIndependentFailsThat) {
  DriftOptions mutant = Exact();
  mutant.block = 1;
  mutant.blocks = 4096;
  mutant.least_blocks = 2048;
  mutant.most_correlation = 0;
  EXPECT_LE(World(3, 0, mutant, 3).Alarms(kRateWindows, kLevel), 1.2 * kLevel);
  for (const double rho : {0.9, 0.99})
    EXPECT_GT(World(3, rho, mutant, 3).Alarms(kRateWindows, kLevel), 10 * kLevel) << rho;
}

/// Robots whose samples reach the detector in turns do not hide each other's correlation.
TEST(Drift, RobotsThatTakeTurnsDoNotHideTheirCorrelation) {
  int alarms = 0;
  DriftOptions options = Exact();
  options.least_stream_shift = 0;
  World one(3, 0.999, options, 4);
  std::vector<std::unique_ptr<World>> others;
  for (uint64_t r = 0; r < 3; ++r) {
    others.push_back(std::make_unique<World>(3, 0.999, Exact(), 5 + r));
    others.back()->stream = one.detector.AddStream();
  }
  for (uint64_t w = 0; w < kRateWindows; w = one.detector.windows()) {
    one.Step();
    for (auto& other : others) other->Step();
    if (one.detector.windows() != w) alarms += one.At(kObservation).p <= kLevel;
  }
  EXPECT_LE(alarms, 1.2 * kLevel * kRateWindows);
}

/// 38 features, as a wheelchair's, of which one differs by one deviation.
TEST(Drift, AShiftOfOneDeviationIsFoundWithin32768SamplesOrTwoWindows) {
  for (uint64_t seed = 0; seed < 5; ++seed) {
    for (const auto& [rho, most] : {std::pair{0.9, 32768}, {0.99, 2 * 65536}}) {
      World world(38, rho, {}, seed);
      world.Shift(1);
      EXPECT_GT(world.Find(kObservation, most), 0) << rho << " " << seed;
      const DriftReport report = world.At(kObservation);
      ASSERT_THAT(report.findings, ElementsAre(Field(&DriftFinding::feature, "observation[3]")));
      EXPECT_NEAR(report.findings[0].shift, 1, 0.35);
      EXPECT_LT(report.p, 1e-3);
    }
  }
}

TEST(Drift, LargeShiftsAreFoundAtTheFirstLook) {
  World world(38, 0.9, {}, 1);
  world.Shift(-3);
  EXPECT_EQ(world.Find(kObservation, 65536), 8192);
}

/// Parts of a window are looked at on their own: what came before does not hide a change.
TEST(Drift, AChangeInTheMiddleOfAWindowIsFoundBeforeItsEnd) {
  World world(38, 0.9, {}, 1);
  for (int i = 0; i < 30'000; ++i) world.Step();
  world.Shift(3);
  EXPECT_THAT(world.Find(kObservation, 65536), testing::AllOf(testing::Gt(0), testing::Lt(16384)));
}

/// What is smaller than least_shift is no drift, however certain it is.
TEST(Drift, AShiftBelowTheFloorIsNoDrift) {
  World world(8, 0.9, {}, 1);
  world.Shift(0.4F);
  EXPECT_EQ(world.Find(kObservation, 10 * 65536), 0);
  EXPECT_GT(world.At(kObservation).p, 0.5);
  DriftOptions mutant;
  mutant.least_shift = 0;
  World without(8, 0.9, mutant, 1);
  without.Shift(0.4F);
  EXPECT_GT(without.Find(kObservation, 65536), 0);
}

TEST(Drift, AnEndedDriftIsClearedAfterTwoCalmWindows) {
  World world(8, 0.9, {}, 1);
  world.Shift(2);
  world.Windows(1);
  EXPECT_TRUE(world.At(kObservation).drifting);
  world.fault = nullptr;
  world.Windows(1);
  EXPECT_TRUE(world.At(kObservation).drifting);
  EXPECT_GT(world.At(kObservation).p, 0.5);
  world.Windows(1);
  EXPECT_FALSE(world.At(kObservation).drifting);
  EXPECT_THAT(world.At(kObservation).findings, IsEmpty());
}

/// The p that is published stays until a full window says otherwise: no gap between windows.
TEST(Drift, ThePValueHoldsWhileTheNextWindowFills) {
  World world(8, 0.9, {}, 1);
  world.Shift(1);
  world.Windows(1);
  for (int i = 0; i < 3 * 65536; ++i) {
    world.Step();
    ASSERT_LT(world.At(kObservation).p, 1e-3) << i;
  }
}

TEST(Drift, AStuckSensorIsFoundWhileTheOthersMove) {
  World world(38, 0.99, {}, 1);
  world.fault = [&] { world.x[3] = world.spec.obs_mean[3]; };  // no shift at all
  EXPECT_EQ(world.Find(kObservation, 65536), 8192);
  const std::vector<DriftFinding> findings = world.At(kObservation).findings;
  ASSERT_THAT(findings, ElementsAre(Field(&DriftFinding::feature, "observation[3]")));
  EXPECT_EQ(findings[0].spread, 0);
}

/// A range's cap, a person who is not there: training saw that value again and again.
TEST(Drift, AValueThatTrainingRepeatsIsNotStuck) {
  PolicySpec spec = Spec(38);
  for (size_t g = 0; g < 3; ++g) spec.golden_observations[g][3] = spec.obs_mean[3];
  World world(spec, 0.99, {}, 1);
  world.fault = [&] { world.x[3] = spec.obs_mean[3]; };
  EXPECT_EQ(world.Find(kObservation, 2 * 65536), 0);
}

/// One place of the reference, two deviations off in half of the features, is no other
/// distribution; neither is one that a sensor's noise blurs.
TEST(Drift, ARobotThatStandsStillIsNoDrift) {
  for (const float noise : {0.0F, 0.05F}) {
    World world(38, 0.9, {}, 1);
    for (double& z : world.z) z = world.random.Chance(0.5) ? 2 : -0.3;
    world.parked = true;
    world.fault = [&] {
      for (size_t i = 0; i < world.x.size(); ++i)
        world.x[i] += noise * world.spec.obs_std[i] * static_cast<float>(world.random.Normal());
    };
    EXPECT_EQ(world.Find(kObservation, 2 * 65536), 0) << noise;
  }
}

TEST(Drift, NoiseOfThreeDeviationsIsASpread) {
  World world(38, 0.9, {}, 1);
  world.fault = [&] {
    world.x[3] += 3 * world.spec.obs_std[3] * static_cast<float>(world.random.Normal());
  };
  ASSERT_GT(world.Find(kObservation, 65536), 0);
  EXPECT_NEAR(world.At(kObservation).findings[0].spread, std::sqrt(10), 0.2);
}

TEST(Drift, TheFirstWindowIsTheActionsReferenceAndAnotherBehaviourDrifts) {
  World world(8, 0.9, {}, 1);
  EXPECT_TRUE(world.At(kAction).learning);
  world.Windows(3);
  EXPECT_FALSE(world.At(kAction).learning);
  EXPECT_FALSE(world.At(kAction).drifting);
  world.fault = [&] { world.action[1] += 0.5F; };
  EXPECT_GT(world.Find(kAction, 65536), 0);
  EXPECT_THAT(world.At(kAction).findings, ElementsAre(Field(&DriftFinding::feature, "action[1]")));
  EXPECT_FALSE(world.At(kObservation).drifting);
  EXPECT_FALSE(world.At(kShield).drifting);
}

/// A reference that was learned from one window is itself no surer than a window.
TEST(Drift, ALearnedReferenceIsNotTakenForTheTruth) {
  constexpr int kWorlds = 400;
  DriftOptions options = Exact();
  options.block = 64;
  options.blocks = options.least_blocks;
  int alarms = 0;
  for (uint64_t seed = 0; seed < kWorlds; ++seed) {
    World world(3, 0.9, options, seed);
    world.Windows(2);
    alarms += world.At(kAction).p <= kLevel;
  }
  EXPECT_GT(alarms, 0);
  EXPECT_LE(alarms, 0.5 * kLevel * kWorlds);  // of the mutant without its error: more than that
}

TEST(Drift, AFilterThatHasToChangeMoreCommandsDrifts) {
  World world(8, 0.9, {}, 1);
  world.Windows(3);
  EXPECT_FALSE(world.At(kShield).drifting);
  world.changed = 0.3;
  EXPECT_GT(world.Find(kShield, 65536), 0);
  EXPECT_THAT(world.At(kShield).findings, ElementsAre(Field(&DriftFinding::feature, "changed")));
}

/// Requests without a filter say nothing of it, and nothing wrong.
TEST(Drift, WhereNoFilterRanItsGroupKeepsLearning) {
  World world(4, 0.9, {}, 1);
  const auto requests = world.detector.AddStream();
  world.fault = [&] { requests->TryRecord(world.x, world.action); };
  world.Windows(1);
  EXPECT_FALSE(world.At(kShield).learning);  // half of the blocks know it
  World only(4, 0.9, {}, 1);
  only.fault = [&] {
    only.stream->TryRecord(only.x, only.action);
    only.x.clear();  // the robot's own sample is left out
  };
  for (int i = 0; i < 65536; ++i) {
    only.x.resize(4);
    only.Step();
  }
  EXPECT_EQ(only.detector.windows(), 1u);
  EXPECT_FALSE(only.At(kAction).learning);
  EXPECT_TRUE(only.At(kShield).learning);
}

TEST(Drift, BlocksThatNobodyCollectsAreDroppedAndSamplesOfAnotherSizeToo) {
  DriftDetector detector(Spec(4), {});
  auto stream = detector.AddStream();
  const std::vector<float> x(4), action(2), wrong(5);
  for (int i = 0; i < 1'000'000; ++i) stream->Record(x, action, 0);
  for (int i = 0; i < 1000; ++i) stream->Record(wrong, action, 0);
  detector.Collect();
  EXPECT_EQ(detector.windows(), 0u);  // 16 of 3906 blocks
}

TEST(Drift, ThreadsRecordAndCollectAtOnce) {
  DriftOptions options;
  options.block = 8;
  DriftDetector detector(Spec(4), options);
  const auto shared = detector.AddStream();
  std::atomic<bool> end{false};
  std::vector<std::jthread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&, t] {
      Random random(static_cast<uint64_t>(t));
      const std::vector<float> action(2);
      for (int s = 0; s < 50; ++s) {
        const auto own = detector.AddStream();
        for (int i = 0; i < 500; ++i) {
          std::vector<float> x(4);
          for (float& v : x) v = static_cast<float>(random.Normal());
          own->Record(x, action, 0);
          shared->TryRecord(x, action);
        }
      }
    });
  }
  std::jthread collector([&] {
    while (!end) detector.Collect();
  });
  threads.clear();
  end = true;
  collector.join();
  detector.Collect();
  EXPECT_GT(detector.windows(), 0u);
}

constexpr int64_t kTwoWindows = 2 * 65536;

/// A drift that began before a restart: with what was learned before it is found, without it is
/// taken for the reference.
TEST(Drift, WhatWasLearnedBeforeARestartIsComparedWithAfterIt) {
  const auto drifted = [](World* world) {
    world->fault = [world] { world->action[1] += 0.6F; };  // two deviations
  };
  World before(3, 0.9, {}, 1);
  EXPECT_TRUE(before.detector.Learned().groups.empty());
  before.Windows(1);
  const auto kept =
      DecodeDriftReference(EncodeDriftReference(before.detector.Learned()), "reference");
  ASSERT_TRUE(kept.ok()) << kept.status();
  EXPECT_EQ(kept->groups.size(), 2u);

  World after(3, 0.9, {}, 2), forgetful(3, 0.9, {}, 2);
  drifted(&after);
  drifted(&forgetful);
  ASSERT_TRUE(after.detector.Restore(*kept).ok());
  EXPECT_FALSE(after.At(kAction).learning);
  EXPECT_TRUE(forgetful.At(kAction).learning);
  EXPECT_GT(after.Find(kAction, kTwoWindows), 0);
  EXPECT_THAT(after.At(kAction).findings, ElementsAre(Field(&DriftFinding::feature, "action[1]")));
  EXPECT_EQ(forgetful.Find(kAction, 2 * kTwoWindows), 0);

  World clean(3, 0.9, {}, 3);
  ASSERT_TRUE(clean.detector.Restore(*kept).ok());
  EXPECT_EQ(clean.Find(kAction, 2 * kTwoWindows), 0);
}

TEST(Drift, AReferenceOfAnotherShapeIsRefusedAndChangesNothing) {
  World world(3, 0.9, {}, 1);
  world.Windows(1);
  const DriftReference good = world.detector.Learned();
  for (const auto& spoil : std::vector<std::function<void(DriftReference*)>>{
           [](DriftReference* r) { r->groups[1].name = "observation"; },
           [](DriftReference* r) { r->groups[1].features.pop_back(); },
           [](DriftReference* r) { r->groups[1].features[0].name = "other"; },
       }) {
    DriftReference bad = good;
    spoil(&bad);
    World fresh(3, 0.9, {}, 1);
    EXPECT_EQ(fresh.detector.Restore(bad).code(), absl::StatusCode::kInvalidArgument);
    EXPECT_TRUE(fresh.At(kAction).learning);
  }
}

/// A model that tells nothing of its training: 20 +- 0.5 in units that nobody stated.
TEST(Drift, WithoutANormaliserTheObservationIsLearned) {
  DriftDetector detector(PlainShape("in", 2, "out", 1), {});
  const auto stream = detector.AddStream();
  Random random(1);
  const auto windows = [&](uint64_t n, float offset) {
    for (const uint64_t until = detector.windows() + n; detector.windows() < until;) {
      const std::array<float, 2> in = {20 + 0.5F * static_cast<float>(random.Normal()) + offset,
                                       static_cast<float>(1e-3 * random.Normal())};
      const std::array<float, 1> out = {static_cast<float>(random.Normal())};
      stream->TryRecord(in, out);
      detector.Collect();
    }
  };
  EXPECT_TRUE(detector.Reports()[kObservation].learning);
  windows(1, 0);
  EXPECT_FALSE(detector.Reports()[kObservation].learning);
  windows(3, 0);
  EXPECT_FALSE(detector.Reports()[kObservation].drifting);
  windows(1, 0.5F);
  EXPECT_TRUE(detector.Reports()[kObservation].drifting);
  EXPECT_THAT(detector.Reports()[kObservation].findings,
              ElementsAre(Field(&DriftFinding::feature, "in[0]")));
  EXPECT_NEAR(detector.Reports()[kObservation].findings[0].shift, 1, 0.05);
}

/// Four robots; `drifting` of them are off by `deviations` in one feature.
DriftFinding FindingOf(int drifting, float deviations) {
  World first(3, 0.9, {}, 1);
  std::vector<std::unique_ptr<World>> robots;
  for (uint64_t r = 0; r < 4; ++r) {
    robots.push_back(std::make_unique<World>(3, 0.9, DriftOptions(), 10 + r));
    World& robot = *robots.back();
    robot.stream = first.detector.AddStream("robot-" + std::to_string(r));
    if (static_cast<int>(r) < drifting)
      robot.fault = [&robot, deviations] { robot.x[2] += deviations * robot.spec.obs_std[2]; };
  }
  while (first.detector.windows() < 1) {
    for (const auto& robot : robots) robot->Step();
    first.detector.Collect();
  }
  const std::vector<DriftFinding> findings = first.At(kObservation).findings;
  EXPECT_LE(findings.size(), 1u);
  return findings.empty() ? DriftFinding() : findings[0];
}

TEST(Drift, AFindingNamesTheRobotThatDriftsAlone) {
  const DriftFinding one = FindingOf(1, 6);
  EXPECT_EQ(one.stream, "robot-0");
  EXPECT_NEAR(one.stream_shift, 6, 0.5);
  EXPECT_LT(one.stream_p, 1e-4);
  EXPECT_GT(one.others_p, 0.1);
  const DriftFinding all = FindingOf(4, 2);
  EXPECT_LT(all.others_p, 1e-4);                   // not one robot's fault
  EXPECT_TRUE(FindingOf(1, 1.5).feature.empty());  // where it works may explain that
}

}  // namespace
}  // namespace saferl::policy
