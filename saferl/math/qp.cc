#include "saferl/math/qp.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "saferl/math/qp_core.h"

namespace saferl::math {
namespace {

using qp_internal::Core;
using qp_internal::CoreStatus;
using qp_internal::kMaxAll;
using qp_internal::kStride;

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kAccepted = 1e-9;   // residual at which the fast path's answer stands
constexpr double kTolerable = 1e-8;  // residual at which the careful path's answer stands

/// The least-distance form of one problem and the core that solves it.
template <class T, int kWidth>
struct Transformed {
  Core<T, kWidth> core;
  std::array<T, kWidth> v;                         // L^-1 f
  std::array<T, kWidth> bound_shift;               // x_i = bound row i . u - bound_shift_i
  alignas(64) std::array<T, kMaxAll * kStride> m;  // all rows, zero-padded to kWidth
};

/// inverse_t = (L^-1)' of H = L L', zero-padded. False: H is not positive definite.
template <class T, int kWidth>
bool InvertFactor(const QpProblem& p, T (*inverse_t)[kWidth]) {
  T l[kWidth][kWidth], largest = 0, reciprocal[kWidth];
  for (int i = 0; i < p.n; ++i) largest = std::max(largest, T(std::abs(p.h[i * kStride + i])));
  for (int i = 0; i < p.n; ++i) {
    for (int j = 0; j < i; ++j) {
      T sum = p.h[i * kStride + j];
      for (int c = 0; c < j; ++c) sum -= l[i][c] * l[j][c];
      l[i][j] = sum * reciprocal[j];
    }
    T pivot = p.h[i * kStride + i];
    for (int c = 0; c < i; ++c) pivot -= l[i][c] * l[i][c];
    if (!(pivot > largest * T(1e-13))) return false;
    reciprocal[i] = T(1) / std::sqrt(pivot);
  }
  // Column i of L^-1' is row i of L^-1: (e_i - sum_c l_ic row_c) / l_ii.
  T row[kWidth][kWidth];
  for (int i = 0; i < p.n; ++i) {
    for (int j = 0; j < kWidth; ++j) row[i][j] = i == j ? T(1) : T(0);
    for (int c = 0; c < i; ++c)
      for (int j = 0; j < kWidth; ++j) row[i][j] -= l[i][c] * row[c][j];
    for (int j = 0; j < kWidth; ++j) row[i][j] *= reciprocal[i];
  }
  for (int c = 0; c < p.n; ++c)
    for (int i = 0; i < kWidth; ++i) inverse_t[c][i] = i < p.n ? row[i][c] : T(0);
  return true;
}

/// out = (L^-1 row')', as a sum of columns so that it vectorises.
template <class T, int kWidth>
void MultiplyInverse(const T (*inverse_t)[kWidth], int n, const double* row, T* out) {
  T sum[kWidth] = {};
  for (int c = 0; c < n; ++c)
    for (int i = 0; i < kWidth; ++i) sum[i] += T(row[c]) * inverse_t[c][i];
  for (int i = 0; i < kWidth; ++i) out[i] = sum[i];
}

/// Sizes in range and no bound or right-hand side that excludes everything. Entries of H, f and A
/// are judged by Transform, which reads them anyway.
bool SidesAreUsable(const QpProblem& p) {
  if (p.n < 1 || p.n > kQpMaxVars || p.m < 0 || p.m > kQpMaxRows) return false;
  for (int i = 0; i < p.n; ++i)
    if (!(p.lower[i] < kInfinity) || !(p.upper[i] > -kInfinity)) return false;
  for (int r = 0; r < p.m; ++r)
    if (!(p.b[r] > -kInfinity)) return false;
  return true;
}

/// Fills the transformed problem. False: H is not positive definite, or an entry is not finite (or
/// beyond 1e150).
template <class T, int kWidth>
bool Transform(const QpProblem& p, Transformed<T, kWidth>* t) {
  Core<T, kWidth>& core = t->core;
  core.n = p.n;
  core.rows = p.m + p.n;
  T* bound_row = t->m.data() + p.m * kStride;  // bounds: row i of L^-T
  if (p.identity_hessian) {
    for (int c = 0; c < kWidth; ++c) t->v[c] = c < p.n ? p.f[c] : 0.0;
    for (int r = 0; r < p.m; ++r)
      for (int c = 0; c < kWidth; ++c) t->m[r * kStride + c] = p.row(r)[c];
    for (int i = 0; i < p.n; ++i)
      for (int c = 0; c < kWidth; ++c) bound_row[i * kStride + c] = c == i ? T(1) : T(0);
  } else {
    T inverse_t[kWidth][kWidth];
    if (!InvertFactor<T, kWidth>(p, inverse_t)) return false;
    MultiplyInverse<T, kWidth>(inverse_t, p.n, p.f.data(), t->v.data());
    for (int r = 0; r < p.m; ++r)
      MultiplyInverse<T, kWidth>(inverse_t, p.n, p.row(r), t->m.data() + r * kStride);
    for (int i = 0; i < p.n; ++i)
      for (int c = 0; c < kWidth; ++c) bound_row[i * kStride + c] = inverse_t[i][c];
  }
  for (int r = 0; r < p.m; ++r) {
    core.upper[r] = p.b[r];
    core.lower[r] = -std::numeric_limits<T>::infinity();
  }
  for (int i = 0; i < p.n; ++i) {
    core.upper[p.m + i] = p.upper[i];
    core.lower[p.m + i] = p.lower[i];
  }
  core.m = t->m.data();
  T probe = T(0) * core.Dot(t->v.data(), t->v.data());  // 0, unless something is not finite
  for (int r = 0; r < core.rows; ++r) {
    const T* row = core.m + r * kStride;
    const T norm2 = core.Dot(row, row);
    const T shift = core.Dot(row, t->v.data());
    if (r >= p.m) t->bound_shift[r - p.m] = shift;
    core.norm2[r] = norm2;
    probe += T(0) * norm2 + T(0) * shift;
    core.upper[r] += shift;
    core.lower[r] += shift;
    const T scale = std::sqrt(norm2) + std::abs(shift);
    core.slack_tolerance[r] = T(1e-12) * (T(1) + scale);
  }
  return probe == T(0);
}

template <class T, int kWidth>
void WarmStart(const QpProblem& p, const QpWorkspace& workspace, Core<T, kWidth>* core) {
  const int all = p.m + 2 * p.n;
  for (int i = 0; i < workspace.n_active; ++i) {
    const int code = workspace.active[i];
    if (code < 0 || code >= all) continue;
    const int row = code < p.m ? code : p.m + (code - p.m) % p.n;
    const T side = code >= p.m && code < p.m + p.n ? T(-1) : T(1);
    if (!std::isfinite(side > 0 ? core->upper[row] : core->lower[row]) || core->Working(row))
      continue;
    core->Add(row, side, T(std::max(0.0, workspace.multiplier[i])), false);
  }
}

int MultiplierIndex(const QpProblem& p, int row, bool upper_side) {
  if (row < p.m) return row;
  return p.m + (upper_side ? p.n : 0) + (row - p.m);
}

/// Moves what is left of A'y onto the bounds' multipliers, where they exist: the certificate then
/// closes exactly.
template <class T>
void CloseWithBounds(const QpProblem& p, QpSolution* s) {
  for (int i = 0; i < p.n; ++i) {
    T rest = T(s->multipliers[p.m + p.n + i]) - T(s->multipliers[p.m + i]);
    for (int r = 0; r < p.m; ++r) rest += T(p.row(r)[i]) * T(s->multipliers[r]);
    if (rest > 0 && std::isfinite(p.lower[i])) s->multipliers[p.m + i] += static_cast<double>(rest);
    if (rest < 0 && std::isfinite(p.upper[i]))
      s->multipliers[p.m + p.n + i] -= static_cast<double>(rest);
  }
}

template <class T, int kWidth>
void WriteAnswer(const QpProblem& p, const Transformed<T, kWidth>& t, CoreStatus status,
                 QpWorkspace* workspace, QpSolution* s) {
  const Core<T, kWidth>& core = t.core;
  s->multipliers.fill(0);
  s->x.fill(0);
  workspace->n_active = 0;
  const bool infeasible = status == CoreStatus::kInfeasible;
  T scale = 0, weight = 0;
  if (infeasible) {
    for (int i = 0; i < core.k; ++i) {
      scale = std::max(scale, core.step[i]);
      weight = std::max(weight, core.step[i] * core.step[i] * core.norm2[core.index[i]]);
    }
  }
  for (int i = 0; i < core.k; ++i) {
    // A multiplier that is rounding noise names a row that has no part in the conflict.
    if (infeasible && core.step[i] * core.step[i] * core.norm2[core.index[i]] < T(1e-20) * weight &&
        core.norm2[core.index[i]] > 0)
      continue;
    const int code = MultiplierIndex(p, core.index[i], core.sign[i] > 0);
    s->multipliers[code] = static_cast<double>(infeasible ? core.step[i] / scale : core.y[i]);
    if (workspace->n_active < kQpMaxVars) {
      workspace->active[workspace->n_active] = static_cast<int16_t>(code);
      workspace->multiplier[workspace->n_active++] = infeasible ? 0.0 : s->multipliers[code];
    }
  }
  if (infeasible) {
    workspace->n_active = 0;
    CloseWithBounds<T>(p, s);
    return;
  }
  for (int i = 0; i < p.n; ++i) {
    const T* row = core.m + (p.m + i) * kStride;
    T value = -t.bound_shift[i];
    value += core.Dot(row, core.u.data());
    // A bound that is active holds to the last bit, so that callers may compare.
    s->x[i] = std::clamp(static_cast<double>(value), p.lower[i], std::max(p.lower[i], p.upper[i]));
  }
}

/// Bounds that cross are infeasible without any iteration; the certificate is the pair of them.
bool BoundsCross(const QpProblem& p, QpSolution* s) {
  for (int i = 0; i < p.n; ++i) {
    if (p.lower[i] <= p.upper[i]) continue;
    s->multipliers.fill(0);
    s->multipliers[p.m + i] = s->multipliers[p.m + p.n + i] = 1;
    return true;
  }
  return false;
}

template <class T, int kWidth>
bool Attempt(const QpProblem& p, bool warm, double dependence, double accepted,
             QpWorkspace* workspace, QpSolution* s) {
  Transformed<T, kWidth> t;
  if (!Transform(p, &t)) {
    s->status = QpStatus::kBadInput;
    return true;
  }
  t.core.dependence_tolerance = dependence;
  t.core.refinements = std::is_same_v<T, double> ? 0 : 3;
  if (warm) WarmStart(p, *workspace, &t.core);
  const CoreStatus status = t.core.Run();
  s->iterations += t.core.iterations;
  if (status == CoreStatus::kLimit) return false;
  WriteAnswer(p, t, status, workspace, s);
  s->status = status == CoreStatus::kInfeasible ? QpStatus::kInfeasible : QpStatus::kSolved;
  s->kkt_residual = CheckQpCertificate(p, *s);
  return s->kkt_residual <= accepted;
}

using Fast = bool (*)(const QpProblem&, QpWorkspace*, QpSolution*);

// The fast path twice: for any machine, and with AVX2. No fused multiply-add in either: both give
// the same bits.
template <int kWidth>
[[gnu::flatten]] bool FastPortable(const QpProblem& p, QpWorkspace* workspace, QpSolution* s) {
  return Attempt<double, kWidth>(p, true, 1e-12, kAccepted, workspace, s);
}
template <int kWidth>
[[gnu::target("avx2"), gnu::flatten]] bool FastAvx2(const QpProblem& p, QpWorkspace* workspace,
                                                    QpSolution* s) {
  return Attempt<double, kWidth>(p, true, 1e-12, kAccepted, workspace, s);
}

constexpr Fast kPortable[3] = {FastPortable<4>, FastPortable<8>, FastPortable<16>};
constexpr Fast kAvx2[3] = {FastAvx2<4>, FastAvx2<8>, FastAvx2<16>};
const bool kHasAvx2 = __builtin_cpu_supports("avx2");

}  // namespace

void SolveQp(const QpProblem& problem, QpWorkspace* workspace, QpSolution* solution) {
  solution->iterations = 0;
  solution->kkt_residual = kInfinity;
  solution->status = QpStatus::kBadInput;
  if (!SidesAreUsable(problem)) return;
  if (BoundsCross(problem, solution)) {
    solution->status = QpStatus::kInfeasible;
    solution->kkt_residual = CheckQpCertificate(problem, *solution);
    return;
  }
  const int width = problem.n <= 4 ? 0 : problem.n <= 8 ? 1 : 2;
  if ((kHasAvx2 ? kAvx2 : kPortable)[width](problem, workspace, solution)) return;
  workspace->Reset();
  // The careful path, for rows so nearly dependent that their pivots are rounding: first trusting
  // small pivots, then not. One problem in a hundred thousand adversarial ones comes here.
  for (const double dependence : {1e-16, 1e-12}) {
    if (Attempt<long double, 16>(problem, false, dependence, kTolerable, workspace, solution))
      return;
    workspace->Reset();
  }
  solution->status = QpStatus::kIterationLimit;
}

}  // namespace saferl::math
