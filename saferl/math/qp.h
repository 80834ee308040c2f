#pragma once
// Small dense convex quadratic programme with a definite answer:
//
//   minimise   1/2 x'H x + f'x     subject to   A x <= b
//
// The filter of every control tick calls it (nearest safe command). Dual active set (Goldfarb &
// Idnani 1983, in the least-distance form of Arnstrom, Bemporad & Axehill 2022) on an LDL' factor
// of the active rows' Gram matrix, warm-started from the last tick's active rows, with bounded
// iterations. An answer whose certificate is not good enough in double precision is computed again
// in extended precision before it is given.
//
// Shapes: x, f: n <= 16; A: m x n row-major with stride kQpMaxVars, m <= 64; H: n x n symmetric
// positive definite. RT: yes. No allocation, no recursion; at most kQpMaxIterations row changes.
// Errors: never throws. QpStatus says what the answer is; on anything but kSolved the caller must
// not use x
//   (the filter falls to verified braking).
// Every answer carries its KKT residual; kInfeasible carries a Farkas certificate y >= 0, A'y = 0,
// b'y < 0, which
//   CheckQpCertificate verifies with code of its own.

#include <array>
#include <cstdint>

namespace saferl::math {

inline constexpr int kQpMaxVars = 16;
inline constexpr int kQpMaxRows = 64;

enum class QpStatus : uint8_t {
  kSolved,          ///< x is optimal, kkt_residual <= tolerance
  kInfeasible,      ///< no x satisfies the rows; certificate in `multipliers`
  kIterationLimit,  ///< bound reached; x must not be used
  kBadInput,        ///< non-finite entries, n or m out of range, H not positive definite
};

/// The problem, written by the caller. Rows: a_i' x <= b_i. Bounds: lower <= x <= upper (infinite =
/// none).
struct QpProblem {
  int n = 0;                      ///< variables, 1..16
  int m = 0;                      ///< general rows, 0..64
  bool identity_hessian = false;  ///< H = I: `h` is not read, no factorisation
  std::array<double, kQpMaxVars * kQpMaxVars>
      h{};                             ///< (n x n), stride kQpMaxVars; lower triangle is read
  std::array<double, kQpMaxVars> f{};  ///< (n)
  alignas(64) std::array<double, kQpMaxRows * kQpMaxVars> a{};  ///< (m x n), stride kQpMaxVars;
                                                                ///< columns >= n are 0
  std::array<double, kQpMaxRows> b{};                           ///< (m)
  std::array<double, kQpMaxVars> lower{};                       ///< (n)
  std::array<double, kQpMaxVars> upper{};                       ///< (n)

  double* row(int i) { return a.data() + i * kQpMaxVars; }
  const double* row(int i) const { return a.data() + i * kQpMaxVars; }
};

/// The answer, written by SolveQp. Multipliers are ordered: m rows, then n lower bounds, then n
/// upper bounds.
struct QpSolution {
  QpStatus status = QpStatus::kBadInput;
  int iterations = 0;  ///< rows added and removed
  double kkt_residual =
      0;  ///< worst scaled violation of the KKT (or Farkas) conditions, see CheckQpCertificate
  std::array<double, kQpMaxVars> x{};
  std::array<double, kQpMaxRows + 2 * kQpMaxVars>
      multipliers{};  ///< kInfeasible: the Farkas certificate
};

/// The warm start: the rows active at the last solution, in multiplier order, and their
/// multipliers. Zero-initialised = cold. Plain data, so that a tick's state can be recorded and
/// replayed.
struct QpWorkspace {
  int n_active = 0;
  std::array<int16_t, kQpMaxVars> active{};
  std::array<double, kQpMaxVars> multiplier{};
  void Reset() { n_active = 0; }
};

/// Row additions and removals after which an attempt gives up; qp_test.cc prints the most that a
/// million random and adversarial problems needed.
inline constexpr int kQpMaxIterations = 300;

/// Solves, warm-starting from the workspace's active rows where they still make sense.
void SolveQp(const QpProblem& problem, QpWorkspace* workspace, QpSolution* solution);

/// Independent check of an answer: kSolved by the KKT conditions, kInfeasible by the Farkas
/// certificate. Shares no code with SolveQp. Returns the worst scaled violation (<= 1e-8 is a
/// pass).
double CheckQpCertificate(const QpProblem& problem, const QpSolution& solution);

}  // namespace saferl::math
