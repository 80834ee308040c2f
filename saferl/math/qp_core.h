#pragma once
// The dual active-set iteration behind SolveQp, for one scalar type. Included by qp.cc only.
//
// Least-distance form: with H = L L', u = L' x + v, v = L^-1 f, M = A L^-T, d = b + M v the problem
// is
//   minimise 1/2 |u|^2  subject to  M u <= d,
// whose dual is  minimise 1/2 y' M M' y + d' y  over y >= 0,  u = -M' y.
// W holds the working rows, L D L' = M_W M_W' their Gram matrix. Each pass either adds the most
// violated row or moves toward the working rows' own optimum and drops the first row whose
// multiplier would turn negative. When a new row depends on the working rows (last pivot 0), the
// null direction p of M_W' is followed instead; if nothing blocks it, p >= 0, M_W' p = 0, d' p < 0
// is the Farkas certificate. Source: Arnstrom, Bemporad, Axehill, "A dual active-set solver for
// embedded quadratic programming using recursive LDL' updates", IEEE TAC 67(8), 2022; rank-one
// update: Gill, Golub, Murray, Saunders 1974, method C1.

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "saferl/math/qp.h"

namespace saferl::math::qp_internal {

inline constexpr int kStride = kQpMaxVars;
inline constexpr int kMaxAll =
    kQpMaxRows + kQpMaxVars;  // general rows, then one two-sided row per bounded variable

enum class CoreStatus { kOptimal, kInfeasible, kLimit };

/// kWidth: n rounded up to 4, 8 or 16: loops of fixed length over zero-padded rows, so that they
/// vectorise. Arrays are not cleared: each entry is written before it is read.
template <class T, int kWidth>
struct Core {
  // The problem in least-distance form (written by the caller).
  int n = 0, rows = 0;           // rows = general + bounds
  const T* m = nullptr;          // (rows x kWidth), stride kStride
  std::array<T, kMaxAll> upper;  // m_i u <= upper_i
  std::array<T, kMaxAll> lower;  // m_i u >= lower_i (-inf for general rows)
  std::array<T, kMaxAll> norm2;  // |m_i|^2
  std::array<T, kMaxAll> slack_tolerance;
  T dependence_tolerance = 0;  // pivot / norm2 below this is a dependent row

  int refinements = 0;  // of the null direction; the careful path uses some

  // The working set.
  int k = 0;
  bool singular = false;  // the last working row depends on the others
  static constexpr int kMaxWork = kWidth + 1;
  std::array<int, kMaxWork> index;
  std::array<T, kMaxWork> sign;
  std::array<T, kMaxWork> y;                       // multipliers, >= 0
  std::array<T, kMaxWork> bound;                   // d of the working rows, with sign
  alignas(64) std::array<T, kMaxWork * kWidth> w;  // the working rows, with sign
  std::array<T, kMaxWork * kMaxWork> l;            // unit lower triangle
  std::array<T, kMaxWork> d;

  // The answer.
  alignas(64) std::array<T, kWidth> u;
  std::array<T, kMaxWork> step;
  int iterations = 0;

  T& L(int i, int j) { return l[i * kMaxWork + j]; }

  // Appends row r (side +1: upper, -1: lower). Returns false when it depends on the working rows
  // and may not.
  bool Add(int r, T side, T multiplier, bool allow_dependent) {
    T* row = w.data() + k * kWidth;
    for (int c = 0; c < kWidth; ++c) row[c] = side * m[r * kStride + c];
    T pivot = norm2[r];
    for (int i = 0; i < k; ++i) {
      T dot = Dot(w.data() + i * kWidth, row);
      for (int j = 0; j < i; ++j) dot -= L(i, j) * L(k, j);  // L(k, j) still holds (L D) entries
      L(k, i) = dot;
    }
    for (int i = 0; i < k; ++i) {
      const T scaled = L(k, i) / d[i];
      pivot -= scaled * L(k, i);
      L(k, i) = scaled;
    }
    const bool dependent = !(pivot > dependence_tolerance * norm2[r]) || k == n;
    if (dependent && !allow_dependent) return false;
    singular = dependent;
    d[k] = dependent ? T(0) : pivot;
    L(k, k) = 1;
    index[k] = r;
    sign[k] = side;
    bound[k] = side > 0 ? upper[r] : -lower[r];
    y[k] = multiplier;
    ++k;
    return true;
  }

  // Drops working row i and updates the factor of the rows behind it.
  void Remove(int i) {
    std::array<T, kMaxWork> z;
    T alpha = d[i];
    for (int r = i + 1; r < k; ++r) z[r - 1] = L(r, i);
    for (int r = i + 1; r < k; ++r) {
      for (int c = 0; c < i; ++c) L(r - 1, c) = L(r, c);
      for (int c = i + 1; c <= r; ++c) L(r - 1, c - 1) = L(r, c);
      d[r - 1] = d[r];
      y[r - 1] = y[r];
      index[r - 1] = index[r];
      sign[r - 1] = sign[r];
      bound[r - 1] = bound[r];
      for (int c = 0; c < kWidth; ++c) w[(r - 1) * kWidth + c] = w[r * kWidth + c];
    }
    --k;
    singular = false;
    for (int j = i; j < k; ++j) {
      const T p = z[j];
      const T updated = d[j] + alpha * p * p;
      if (!(updated > dependence_tolerance * norm2[index[j]])) {
        d[j] = 0;
        singular = true;
        break;  // only the last row can be dependent
      }
      const T gain = alpha * p / updated;
      alpha *= d[j] / updated;
      d[j] = updated;
      for (int r = j + 1; r < k; ++r) {
        z[r] -= p * L(r, j);
        L(r, j) += gain * z[r];
      }
    }
  }

  // step = the multipliers that are optimal for the working rows as equalities: (M_W M_W') step =
  // -bound.
  void SolveWorking() {
    for (int i = 0; i < k; ++i) {
      T value = -bound[i];
      for (int j = 0; j < i; ++j) value -= L(i, j) * step[j];
      step[i] = value;
    }
    for (int i = 0; i < k; ++i) step[i] /= d[i];
    BackSubstitute(k);
  }

  // step = p with M_W' p = 0, p_last = 1 (the last working row depends on the others).
  void SolveNull() {
    step[k - 1] = 1;
    for (int i = 0; i < k - 1; ++i) step[i] = -L(k - 1, i);
    BackSubstitute(k - 1);
    for (int round = 0; round < refinements; ++round) RefineNull();
  }

  // One step of iterative refinement: removes from p what M_W' p still is (rounding through a bad
  // condition).
  void RefineNull() {
    std::array<T, kWidth> rest{};
    for (int i = 0; i < k; ++i)
      for (int c = 0; c < kWidth; ++c) rest[c] += step[i] * w[i * kWidth + c];
    std::array<T, kMaxWork> p = step;
    for (int i = 0; i < k - 1; ++i) {
      T value = -Dot(w.data() + i * kWidth, rest.data());
      for (int j = 0; j < i; ++j) value -= L(i, j) * step[j];
      step[i] = value;
    }
    for (int i = 0; i < k - 1; ++i) step[i] /= d[i];
    BackSubstitute(k - 1);
    for (int i = 0; i < k - 1; ++i) step[i] += p[i];
    step[k - 1] = p[k - 1];
  }

  void BackSubstitute(int size) {
    for (int i = size - 1; i >= 0; --i)
      for (int r = i + 1; r < size; ++r) step[i] -= L(r, i) * step[r];
  }

  // Index of the first working row whose multiplier reaches 0 on the way y + t (target - y) (or y +
  // t p), and t.
  int Blocking(bool along_direction, T* t) const {
    int first = -1;
    *t = std::numeric_limits<T>::infinity();
    for (int i = 0; i < k; ++i) {
      if (!(step[i] < 0)) continue;
      const T ratio = along_direction ? y[i] / -step[i] : y[i] / (y[i] - step[i]);
      if (ratio < *t) {
        *t = ratio;
        first = i;
      }
    }
    return first;
  }

  CoreStatus Run() {
    for (; iterations < kQpMaxIterations; ++iterations) {
      T t;
      if (singular) {
        SolveNull();
        T descent = 0;
        for (int i = 0; i < k; ++i) descent += bound[i] * step[i];
        if (descent > 0)
          for (int i = 0; i < k; ++i) step[i] = -step[i];
        const int blocking = Blocking(true, &t);
        if (blocking < 0) return CoreStatus::kInfeasible;
        for (int i = 0; i < k; ++i) y[i] = std::max(T(0), y[i] + t * step[i]);
        Remove(blocking);
        continue;
      }
      SolveWorking();
      const int blocking = Blocking(false, &t);
      if (blocking >= 0) {
        for (int i = 0; i < k; ++i) y[i] = std::max(T(0), y[i] + t * (step[i] - y[i]));
        Remove(blocking);
        continue;
      }
      for (int i = 0; i < k; ++i) y[i] = step[i];
      for (int c = 0; c < kWidth; ++c) u[c] = 0;
      for (int i = 0; i < k; ++i)
        for (int c = 0; c < kWidth; ++c) u[c] -= y[i] * w[i * kWidth + c];
      T side = 0;
      const int violated = Price(&side);
      if (violated < 0) return CoreStatus::kOptimal;
      Add(violated, side, 0, true);
    }
    return CoreStatus::kLimit;
  }

  bool Working(int r) const {
    for (int i = 0; i < k; ++i)
      if (index[i] == r) return true;
    return false;
  }

  /// Sum of products in four lanes, added pairwise: one fixed order on every path.
  static T Dot(const T* a, const T* b) {
    T lane[4] = {0, 0, 0, 0};
    for (int c = 0; c < kWidth; c += 4)
      for (int j = 0; j < 4; ++j) lane[j] += a[c + j] * b[c + j];
    return (lane[0] + lane[2]) + (lane[1] + lane[3]);
  }

  /// The most violated row beyond its tolerance, -1 when there is none.
  int Price(T* side) const {
    int worst = -1;
    T most = 0;
    for (int r = 0; r < rows; ++r) {
      const T value = Dot(m + r * kStride, u.data());
      const T above = value - upper[r], below = lower[r] - value;
      const T violation = std::max(above, below) - slack_tolerance[r];
      if (violation > most && !Working(r)) {
        most = violation;
        worst = r;
        *side = above > below ? T(1) : T(-1);
      }
    }
    return worst;
  }
};

}  // namespace saferl::math::qp_internal
