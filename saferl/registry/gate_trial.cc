#include "saferl/registry/gate_trial.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>
#include <mutex>
#include <thread>
#include <vector>

#include "saferl/base/random.h"
#include "saferl/registry/gates.h"

namespace saferl::registry {
namespace {

constexpr int kNever = std::numeric_limits<int>::max();
constexpr int kFewest = 10;           // events before the z-test's approximation means anything
constexpr double kOneSided = 1.6449;  // 95 %
constexpr int kWindow = 100;          // events that both arms together bring in a window
constexpr double kTwice = 2.0;

/// Share of the canary among all events so far, against what equal rates give.
class ZTest {
 public:
  bool Rejects(bool on_canary, double share) {
    ++n_;
    canary_ += on_canary ? 1 : 0;
    const double n = n_, expected = n * share;
    return n_ >= kFewest && canary_ - expected > kOneSided * std::sqrt(expected * (1 - share));
  }

 private:
  int n_ = 0, canary_ = 0;
};

/// Canary's events among the last window's, against twice what the stable rate gives.
class Threshold {
 public:
  bool Rejects(bool on_canary, double share) {
    bool& slot = ring_[static_cast<size_t>(n_++ % kWindow)];
    canary_ += (on_canary ? 1 : 0) - (slot ? 1 : 0);
    slot = on_canary;
    return n_ >= kWindow && canary_ > kTwice * share * kWindow;
  }

 private:
  std::array<bool, kWindow> ring_{};
  int n_ = 0, canary_ = 0;
};

using Ends = std::array<int, kTrialGates>;

Ends Simulate(const GateTrialOptions& options, uint64_t run) {
  Random random(options.seed, run);
  const double w = options.share;
  const double p = w * options.ratio / (w * options.ratio + 1 - w);
  RateGate gate;
  ZTest z;
  Threshold threshold;
  Ends ends;
  ends.fill(kNever);
  for (int i = 1; i <= options.events; ++i) {
    const bool on_canary = random.Chance(p);
    if (ends[0] == kNever) {
      gate.Event(on_canary, w);
      if (gate.rejects()) ends[0] = i;
    }
    if (z.Rejects(on_canary, w)) ends[1] = std::min(ends[1], i);
    if (threshold.Rejects(on_canary, w)) ends[2] = std::min(ends[2], i);
    if (std::ranges::all_of(ends, [](int end) { return end != kNever; })) break;
  }
  return ends;
}

}  // namespace

std::array<GateTally, kTrialGates> RunGateTrial(const GateTrialOptions& options,
                                                const std::function<void(int)>& progress) {
  const auto runs = static_cast<size_t>(options.simulations);
  std::vector<Ends> ends(runs);
  std::atomic<size_t> next{0};
  std::mutex mutex;
  int done = 0;
  const auto work = [&] {
    constexpr size_t kChunk = 50;
    for (size_t from = next.fetch_add(kChunk); from < runs; from = next.fetch_add(kChunk)) {
      const size_t until = std::min(runs, from + kChunk);
      for (size_t i = from; i < until; ++i) ends[i] = Simulate(options, i);
      const std::lock_guard lock(mutex);
      done += static_cast<int>(until - from);
      if (progress) progress(done);
    }
  };
  std::vector<std::thread> workers;
  for (int k = 1; k < options.threads; ++k) workers.emplace_back(work);
  work();
  for (std::thread& worker : workers) worker.join();

  std::array<GateTally, kTrialGates> tallies;
  for (size_t g = 0; g < tallies.size(); ++g) {
    std::vector<int> of_gate;
    for (const Ends& one : ends) {
      of_gate.push_back(one[g]);
      tallies[g].rejected += one[g] != kNever;
      tallies[g].within_200 += one[g] <= 200;
    }
    if (of_gate.empty()) continue;
    const auto middle = of_gate.begin() + static_cast<ptrdiff_t>(of_gate.size() / 2);
    std::nth_element(of_gate.begin(), middle, of_gate.end());
    tallies[g].median_events =
        *middle == kNever ? std::numeric_limits<double>::infinity() : *middle;
  }
  return tallies;
}

}  // namespace saferl::registry
