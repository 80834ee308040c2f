#include "saferl/policy/drift.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "saferl/base/random.h"
#include "saferl/policy/drift_statistics.h"
#include "saferl/policy/spec_builder.h"

namespace saferl::policy {
namespace {

PolicySpec Spec(int n_obs) {
  PolicySpec spec = MakeGaussianMlp(n_obs, 2, std::vector<int>{4}, 1);
  for (int i = 0; i < n_obs; ++i) {
    spec.obs_mean[static_cast<size_t>(i)] = static_cast<float>(i) - 2;
    spec.obs_std[static_cast<size_t>(i)] = 0.5F + 0.25F * static_cast<float>(i);
  }
  return spec;
}

/// A robot whose features are first-order processes of the reference's mean and deviation, and a
/// detector that watches it.
struct World {
  World(int n_obs, double correlation, const DriftOptions& options, uint64_t seed)
      : spec(Spec(n_obs)), detector(spec, options), random(seed), rho(correlation) {
    stream = detector.AddStream();
    z.resize(static_cast<size_t>(n_obs));
    x.resize(z.size());
    for (double& v : z) v = random.Normal();
  }
  void Step() {
    const double noise = std::sqrt(1 - rho * rho);
    for (size_t i = 0; i < z.size(); ++i) {
      z[i] = rho * z[i] + noise * random.Normal();
      x[i] = spec.obs_mean[i] + spec.obs_std[i] * static_cast<float>(z[i]);
    }
    if (fault) fault(&x);
    const std::vector<float> action = {static_cast<float>(0.3 * z[0]),
                                       static_cast<float>(0.3 * z[1])};
    stream->Record(x, answer.empty() ? action : answer, random.Chance(changed));
    if (++samples % 256 == 0) detector.Collect();
  }
  DriftReport Group(size_t group) { return detector.Reports()[group]; }
  /// Samples until the group drifts; -1: it does not within `most`.
  int64_t Find(size_t group, int64_t most) {
    const int64_t start = samples;
    while (samples - start < most) {
      Step();
      if (samples % 256 == 0 && Group(group).drifting) return samples - start;
    }
    return -1;
  }
  /// Share of full windows, in each of which nothing differs, that the observation group's p calls
  /// drift.
  double FalseAlarms(int windows, double level) {
    int alarms = 0;
    for (int w = 0; w < windows; ++w) {
      const uint64_t before = detector.windows();
      while (detector.windows() == before) Step();
      alarms += Group(0).p <= level;
    }
    return static_cast<double>(alarms) / windows;
  }

  PolicySpec spec;
  DriftDetector detector;
  Random random;
  double rho, changed = 0.05;
  std::shared_ptr<DriftStream> stream;
  std::vector<double> z;
  std::vector<float> x, answer;
  std::function<void(std::vector<float>*)> fault;
  int64_t samples = 0;
};

TEST(DriftPrint, Rates) {
  for (double rho : {0.0, 0.9, 0.99, 0.999, 0.9999}) {
    DriftOptions o;
    o.least_shift = 0;
    o.expected_run_windows = 20;
    World w(4, rho, o, 3);
    printf("rho %g rate/level %g\n", rho, w.FalseAlarms(1000, 0.05) / 0.05);
  }
  for (double rho : {0.0, 0.9, 0.99}) {
    DriftOptions o;
    o.least_shift = 0;
    o.expected_run_windows = 20;
    o.block = 1;
    o.blocks = 4096;
    o.first_look = 2048;
    o.most_correlation = 0;
    World w(4, rho, o, 3);
    printf("naive rho %g rate/level %g\n", rho, w.FalseAlarms(200, 0.05) / 0.05);
  }
  for (double rho : {0.0, 0.9, 0.99, 0.999}) {
    for (double shift : {0.75, 1.0, 1.5, 3.0}) {
      printf("rho %g shift %g:", rho, shift);
      for (int seed = 0; seed < 8; ++seed) {
        World w(38, rho, {}, 100 + seed);
        w.fault = [&](std::vector<float>* x) { (*x)[3] += static_cast<float>(shift) * w.spec.obs_std[3]; };
        printf(" %ld", w.Find(0, 1 << 18));
      }
      printf("\n");
      fflush(stdout);
    }
  }
  World w(38, 0.99, {}, 5);
  w.fault = [&](std::vector<float>* x) { (*x)[3] = 0.7F; };
  printf("stuck %ld\n", w.Find(0, 1 << 18));
}

}  // namespace
}  // namespace saferl::policy
