#include "saferl/math/qp.h"

#include <immintrin.h>

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
constexpr double kAccepted = 1e-9;     // residual at which the fast path's answer stands
constexpr double kTolerable = 1e-8;    // residual at which the careful path's answer stands

/// The least-distance form of one problem and the core that solves it.
template <class T>
struct Transformed {
  Core<T> core;
  std::array<T, kStride> v{};                              // L^-1 f
  std::array<T, kStride> bound_shift{};                    // x_i = bound row i . u - bound_shift_i
  std::array<T, kStride * kStride> factor{};               // L of H = L L'
  alignas(32) std::array<T, kMaxAll * kStride> m;          // rows written before use
};

template <class T>
bool Cholesky(const QpProblem& problem, std::array<T, kStride * kStride>* factor) {
  T largest = 0;
  for (int i = 0; i < problem.n; ++i) largest = std::max(largest, T(std::abs(problem.h[i * kStride + i])));
  for (int i = 0; i < problem.n; ++i) {
    for (int j = 0; j <= i; ++j) {
      T sum = problem.h[i * kStride + j];
      for (int c = 0; c < j; ++c) sum -= (*factor)[i * kStride + c] * (*factor)[j * kStride + c];
      if (i == j) {
        if (!(sum > largest * T(1e-13))) return false;
        (*factor)[i * kStride + i] = std::sqrt(sum);
      } else {
        (*factor)[i * kStride + j] = sum / (*factor)[j * kStride + j];
      }
    }
  }
  return true;
}

/// out = row L^-T, that is: solve L out' = row'.
template <class T>
void ForwardSubstitute(const std::array<T, kStride * kStride>& factor, int n, T* row) {
  for (int i = 0; i < n; ++i) {
    T sum = row[i];
    for (int c = 0; c < i; ++c) sum -= factor[i * kStride + c] * row[c];
    row[i] = sum / factor[i * kStride + i];
  }
}

bool InputIsFinite(const QpProblem& p) {
  if (p.n < 1 || p.n > kQpMaxVars || p.m < 0 || p.m > kQpMaxRows) return false;
  // A sum of products with 0 is 0 unless something is not finite: one test for all entries.
  double probe = 0;
  for (int i = 0; i < p.n; ++i) {
    probe += 0.0 * p.f[i];
    if (std::isnan(p.lower[i]) || std::isnan(p.upper[i])) return false;
    if (p.lower[i] == kInfinity || p.upper[i] == -kInfinity) return false;
    if (!p.identity_hessian)
      for (int j = 0; j <= i; ++j) probe += 0.0 * p.h[i * kStride + j];
  }
  for (int r = 0; r < p.m; ++r) {
    if (std::isnan(p.b[r]) || p.b[r] == -kInfinity) return false;
    for (int c = 0; c < p.n; ++c) probe += 0.0 * p.row(r)[c];
  }
  return probe == 0.0;
}

/// Fills the transformed problem. False: H is not positive definite.
template <class T>
bool Transform(const QpProblem& p, Transformed<T>* t) {
  Core<T>& core = t->core;
  core.n = p.n;
  core.rows = p.m;
  const bool dense = !p.identity_hessian;
  if (dense && !Cholesky(p, &t->factor)) return false;
  for (int i = 0; i < p.n; ++i) t->v[i] = p.f[i];
  if (dense) ForwardSubstitute(t->factor, p.n, t->v.data());
  for (int r = 0; r < p.m; ++r) {
    T* row = t->m.data() + r * kStride;
    for (int c = 0; c < kStride; ++c) row[c] = c < p.n ? T(p.row(r)[c]) : T(0);
    if (dense) ForwardSubstitute(t->factor, p.n, row);
    core.upper[r] = p.b[r];
    core.lower[r] = -std::numeric_limits<T>::infinity();
  }
  for (int i = 0; i < p.n; ++i) {  // bounds: row i of L^-T
    T* row = t->m.data() + core.rows * kStride;
    for (int c = 0; c < kStride; ++c) row[c] = c == i ? T(1) : T(0);
    if (dense) ForwardSubstitute(t->factor, p.n, row);
    core.upper[core.rows] = p.upper[i];
    core.lower[core.rows] = p.lower[i];
    ++core.rows;
  }
  core.m = t->m.data();
  for (int r = 0; r < core.rows; ++r) {
    const T* row = core.m + r * kStride;
    T norm2 = 0, shift = 0;
    for (int c = 0; c < p.n; ++c) {
      norm2 += row[c] * row[c];
      shift += row[c] * t->v[c];
    }
    if (r >= p.m) t->bound_shift[r - p.m] = shift;
    core.norm2[r] = norm2;
    core.upper[r] += shift;
    core.lower[r] += shift;
    const T scale = std::sqrt(norm2) + std::abs(shift);
    core.slack_tolerance[r] = T(1e-12) * (T(1) + scale);
  }
  return true;
}

/// Pricing with AVX2: the same sums as PricePortable, four lanes at a time.
[[gnu::target("avx2,fma")]] int PriceAvx2(const Core<double>& core, double* side) {
  const __m256d u0 = _mm256_load_pd(core.u.data()), u1 = _mm256_load_pd(core.u.data() + 4);
  const __m256d u2 = _mm256_load_pd(core.u.data() + 8), u3 = _mm256_load_pd(core.u.data() + 12);
  int worst = -1;
  double most = 0;
  for (int r = 0; r < core.rows; ++r) {
    const double* row = core.m + r * kStride;
    __m256d sum = _mm256_mul_pd(_mm256_load_pd(row), u0);
    if (core.n > 4) sum = _mm256_fmadd_pd(_mm256_load_pd(row + 4), u1, sum);
    if (core.n > 8) {
      sum = _mm256_fmadd_pd(_mm256_load_pd(row + 8), u2, sum);
      sum = _mm256_fmadd_pd(_mm256_load_pd(row + 12), u3, sum);
    }
    const __m128d half = _mm_add_pd(_mm256_castpd256_pd128(sum), _mm256_extractf128_pd(sum, 1));
    const double dot = _mm_cvtsd_f64(_mm_add_sd(half, _mm_unpackhi_pd(half, half)));
    const double above = dot - core.upper[r], below = core.lower[r] - dot;
    const double violation = std::max(above, below) - core.slack_tolerance[r];
    if (violation > most && !core.Working(r)) {
      most = violation;
      worst = r;
      *side = above > below ? 1.0 : -1.0;
    }
  }
  return worst;
}

template <class T>
void WarmStart(const QpProblem& p, const QpWorkspace& workspace, Core<T>* core) {
  const int all = p.m + 2 * p.n;
  for (int i = 0; i < workspace.n_active; ++i) {
    const int code = workspace.active[i];
    if (code < 0 || code >= all) continue;
    const int row = code < p.m ? code : p.m + (code - p.m) % p.n;
    const T side = code >= p.m && code < p.m + p.n ? T(-1) : T(1);
    if (!std::isfinite(side > 0 ? core->upper[row] : core->lower[row]) || core->Working(row)) continue;
    core->Add(row, side, T(std::max(0.0, workspace.multiplier[i])), false);
  }
}

int MultiplierIndex(const QpProblem& p, int row, bool upper_side) {
  if (row < p.m) return row;
  return p.m + (upper_side ? p.n : 0) + (row - p.m);
}

/// Moves what is left of A'y onto the bounds' multipliers, where they exist: the certificate then closes exactly.
template <class T>
void CloseWithBounds(const QpProblem& p, QpSolution* s) {
  for (int i = 0; i < p.n; ++i) {
    T rest = T(s->multipliers[p.m + p.n + i]) - T(s->multipliers[p.m + i]);
    for (int r = 0; r < p.m; ++r) rest += T(p.row(r)[i]) * T(s->multipliers[r]);
    if (rest > 0 && std::isfinite(p.lower[i])) s->multipliers[p.m + i] += static_cast<double>(rest);
    if (rest < 0 && std::isfinite(p.upper[i])) s->multipliers[p.m + p.n + i] -= static_cast<double>(rest);
  }
}

template <class T>
void WriteAnswer(const QpProblem& p, const Transformed<T>& t, CoreStatus status, QpWorkspace* workspace,
                 QpSolution* s) {
  const Core<T>& core = t.core;
  s->multipliers.fill(0);
  s->x.fill(0);
  workspace->n_active = 0;
  const bool infeasible = status == CoreStatus::kInfeasible;
  T scale = 0;
  if (infeasible)
    for (int i = 0; i < core.k; ++i) scale = std::max(scale, core.step[i]);
  for (int i = 0; i < core.k; ++i) {
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
    for (int c = 0; c < p.n; ++c) value += row[c] * core.u[c];
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

template <class T>
CoreStatus Solve(const QpProblem& p, bool warm, QpWorkspace* workspace, Transformed<T>* t) {
  Core<T>& core = t->core;
  core.dependence_tolerance = std::is_same_v<T, double> ? T(1e-12) : T(1e-16);
  if (warm) WarmStart(p, *workspace, &core);
  if constexpr (std::is_same_v<T, double>) {
    static const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    if (avx2) return core.Run(PriceAvx2);
  }
  return core.Run(qp_internal::PricePortable<T>);
}

template <class T>
bool Attempt(const QpProblem& p, bool warm, double accepted, QpWorkspace* workspace, QpSolution* s) {
  Transformed<T> t;
  if (!Transform(p, &t)) {
    s->status = QpStatus::kBadInput;
    return true;
  }
  const CoreStatus status = Solve(p, warm, workspace, &t);
  s->iterations += t.core.iterations;
  if (status == CoreStatus::kLimit) return false;
  WriteAnswer(p, t, status, workspace, s);
  s->status = status == CoreStatus::kInfeasible ? QpStatus::kInfeasible : QpStatus::kSolved;
  s->kkt_residual = CheckQpCertificate(p, *s);
  return s->kkt_residual <= accepted;
}

}  // namespace

void SolveQp(const QpProblem& problem, QpWorkspace* workspace, QpSolution* solution) {
  solution->iterations = 0;
  solution->kkt_residual = kInfinity;
  solution->status = QpStatus::kBadInput;
  if (!InputIsFinite(problem)) return;
  if (BoundsCross(problem, solution)) {
    solution->status = QpStatus::kInfeasible;
    solution->kkt_residual = CheckQpCertificate(problem, *solution);
    return;
  }
  if (Attempt<double>(problem, true, kAccepted, workspace, solution)) return;
  workspace->Reset();
  if (Attempt<long double>(problem, false, kTolerable, workspace, solution)) return;
  workspace->Reset();
  solution->status = QpStatus::kIterationLimit;
}

}  // namespace saferl::math
