#pragma once
// GateTrial: rollouts simulated by their events, judged by the anytime-valid gate and by two naive
// ones, to show what each costs in false rollbacks and in time to a true one.
//
// A simulation draws arm-labelled bad events: with equal rates an event is the canary's with
// probability `share`, its part of the exposure; with a canary `ratio` times worse with probability
// share ratio / (share ratio + 1 - share). Every gate sees the same events.
//   gate        registry/gates.h at its default alpha
//   z-test      the fixed-horizon test (binomial share, normal approximation, one-sided 5 %) looked
//               at after every event from the tenth on: what "check significance as we go" does
//   threshold   rolls back when more than twice the canary's share of the last 100 events is its
//               own: a raw threshold on a window, as progressive delivery controllers have it
// Deterministic for a seed whatever the number of threads. RT: no.
// Source: P. Armitage et al., "Repeated significance tests on accumulating data" (1969).

#include <array>
#include <cstdint>
#include <functional>
#include <string_view>

namespace saferl::registry {

struct GateTrialOptions {
  double share = 0.10;  ///< canary's part of the exposure
  double ratio = 1.0;   ///< canary's rate over stable's; 1: A/A
  int events = 2000;    ///< length of a simulation
  int simulations = 10'000;
  uint64_t seed = 1;
  int threads = 2;
};

inline constexpr int kTrialGates = 3;
inline constexpr std::array<std::string_view, kTrialGates> kTrialGateNames = {"gate", "z-test",
                                                                              "threshold"};

struct GateTally {
  int rejected = 0;          ///< simulations that were rolled back
  int within_200 = 0;        ///< of them, within 200 events
  double median_events = 0;  ///< to the rollback, over all simulations; +inf: more than half never
};

std::array<GateTally, kTrialGates> RunGateTrial(const GateTrialOptions& options,
                                                const std::function<void(int)>& progress = {});

}  // namespace saferl::registry
