#pragma once
// CPO's inner problem, solved through its dual:
//
//   maximise  g'x   subject to   1/2 x'H x <= delta,   c_k + b_k'x <= 0   for every cost k
//
// needs only the numbers q = g'H^-1 g, r_k = b_k'H^-1 g, S_kl = b_k'H^-1 b_l, so the answer is
// written as
//   x = (1 / lambda) H^-1 (g - sum_k nu_k b_k)                       when a feasible x exists
//   x = -recovery * H^-1 sum_k nu_k b_k                              when none does (recovery:
//   leave the unsafe side)
//
// One constraint: closed form (Achiam's theorem 2). Several: for fixed lambda the nu_k solve a
// small QP (math/qp.h), and the dual's slope in lambda is monotone, so lambda is found by
// bisection. Costs whose gradient vanishes (S_kk <= kNoGradient) cannot be changed by a step: they
// are left out. RT: no. Errors: none; a zero objective gives lambda = 0 and no step. Source: Achiam
// et al., "Constrained policy optimization" (2017), section 6.1, theorem 2, eq. 11-14.

#include <array>

#include "saferl/learn/env.h"

namespace saferl::learn {

inline constexpr double kNoGradient = 1e-10;

struct CpoNumbers {
  int n = 0;  ///< costs
  double q = 0;
  std::array<double, kMaxCosts> r{}, c{};
  std::array<std::array<double, kMaxCosts>, kMaxCosts> s{};
  double delta = 0;  ///< trust region, > 0
};

struct CpoStep {
  bool feasible = true;
  double lambda = 0;    ///< of the trust region; 0 = no step
  double recovery = 0;  ///< step length in recovery
  std::array<double, kMaxCosts>
      nu{};       ///< price of each cost (feasible) or mix of directions (recovery)
  double kl = 0;  ///< 1/2 x'H x of the answer
};

/// Chooses the closed form for one cost, the QP dual otherwise.
CpoStep SolveCpoDual(const CpoNumbers& numbers);
/// The two branches by themselves (tests compare them).
CpoStep SolveSingleDual(const CpoNumbers& numbers);
CpoStep SolveQpDual(const CpoNumbers& numbers);

}  // namespace saferl::learn
