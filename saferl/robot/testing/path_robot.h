#pragma once
// Tests only: random true robots that brake along a path, with every freedom that the models state.
// A hunt runs many of them against a prediction and reports the worst escape from its tubes.
//
// The truth: commands issued every period (older ones first, `command` at 0, then rated braking),
// each acting after a delay of its own within the reaction time, in order; a driving command is
// reached along any course within a period, braking is at least rated; the measured state is up to
// state_age old; rates stray by the tracking error while the robot drives; the receiver may brake
// by itself once `command` was reached.

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "saferl/base/random.h"
#include "saferl/robot/robot_model.h"

namespace saferl::robot::testing {

struct PathTruth {
  int n = 0;
  int n_q = 0;  ///< components of q (0: n)
  double period_s = 0, reaction_s = 0, state_age_s = 0;
  Limits limits;
  Joints q_error{}, qd_error{}, tracking_error{};
  int n_older = 4;

  double Share(const Joints& u) const {
    double rho = 1e300;
    for (int j = 0; j < n; ++j) rho = std::min(rho, limits.brake[j] / std::abs(u[j]));
    return rho;
  }
  double Step(int j) const { return std::max(limits.command_rate[j], limits.brake[j]) * period_s; }
};

struct Hunt {
  double worst = -1e9;
  int escapes = 0;
};

/// How one random robot draws: anywhere in an interval, or only at its ends.
struct Freedom {
  bool extreme = false;
  double Draw(Random& r, double low, double high) const {
    return extreme ? (r.Chance(0.5) ? low : high) : r.Uniform(low, high);
  }
};

class PathRobot {
 public:
  PathRobot(const PathTruth& truth, Freedom freedom, Random* rng, const std::vector<Joints>& older,
            const Joints& command)
      : truth_(truth), rng_(*rng), freedom_(freedom), n_older_(static_cast<int>(older.size())) {
    for (int i = 0; i < n_older_; ++i) Push(-truth.period_s * (n_older_ - i), older[i]);
    Push(0, command);
    Joints u = command;
    for (int k = 1; k < 2000 && !IsZero(u); ++k) {
      const double share = 1.0 - truth.period_s * truth.Share(u);
      for (int j = 0; j < truth.n; ++j) u[j] = share > 0 ? share * u[j] : 0.0;
      Push(truth.period_s * k, u);
    }
    own_brake_ = rng_.Chance(0.3);
    own_at_ = acts_[n_older_].first + truth.period_s + freedom.Draw(rng_, 0.0, truth.reaction_s);
    own_factor_ = rng_.Uniform(1.0, 5.0);
    late_slew_ = rng_.Chance(0.5);
    jitter_ = rng_.Chance(0.3);
    NewBias();
  }

  /// The rate between t and t + dt. `moving` tells whether the robot still drives.
  Joints Rate(double t, double dt, bool* moving) {
    const double mid = t + 0.5 * dt;
    while (newest_ + 1 < static_cast<int>(acts_.size()) && acts_[newest_ + 1].first <= mid)
      ++newest_;
    Joints rate = acts_[newest_].second;
    if (newest_ > 0) {
      const double since = mid - acts_[newest_].first;
      const Joints& before = acts_[newest_ - 1].second;
      double blend = late_slew_ ? (since < truth_.period_s ? 0.0 : 1.0)
                                : std::min(1.0, since / truth_.period_s);
      if (newest_ > n_older_)
        blend = std::min(1.0, since / std::min(truth_.period_s, 1.0 / truth_.Share(before)));
      for (int j = 0; j < truth_.n; ++j) rate[j] = blend * rate[j] + (1 - blend) * before[j];
    }
    if (own_brake_ && mid >= own_at_) {
      if (!own_braking_) braking_ = rate;
      own_braking_ = true;
      const double loss = own_factor_ * dt * truth_.Share(braking_);
      for (int j = 0; j < truth_.n; ++j) braking_[j] = loss < 1 ? (1 - loss) * braking_[j] : 0.0;
      rate = braking_;
    }
    *moving = !IsZero(rate);
    if (*moving) {
      if (jitter_ && rng_.Chance(0.05)) NewBias();
      for (int j = 0; j < truth_.n; ++j) rate[j] += bias_[j];
    }
    return rate;
  }

 private:
  bool IsZero(const Joints& u) const {
    for (int j = 0; j < truth_.n; ++j)
      if (u[j] != 0) return false;
    return true;
  }
  void Push(double issued, const Joints& u) {
    last_ = std::max(last_, issued + freedom_.Draw(rng_, 0.0, truth_.reaction_s));
    acts_.emplace_back(last_, u);
  }
  void NewBias() {
    for (int j = 0; j < truth_.n; ++j)
      bias_[j] = freedom_.Draw(rng_, -1, 1) * truth_.tracking_error[j];
  }

  const PathTruth& truth_;
  Random& rng_;
  Freedom freedom_;
  int n_older_, newest_ = 0;
  std::vector<std::pair<double, Joints>> acts_;
  double last_ = -1e9, own_at_ = 0, own_factor_ = 1;
  bool own_brake_ = false, late_slew_ = false, jitter_ = false, own_braking_ = false;
  Joints bias_{}, braking_{};
};

/// Runs `cases` random robots of the truth. `escape(m, t, q, qd, moving)` says by how much the
/// truth is outside.
template <class DrawQ, class Integrate, class Predict, class EscapeBy>
Hunt HuntEscapes(const PathTruth& truth, int cases, uint64_t seed, double dt, bool stop_at_first,
                 DrawQ draw_q, Integrate integrate, Predict predict, EscapeBy escape) {
  Hunt result;
  Random rng(seed);
  for (int k = 0; k < cases; ++k) {
    const Freedom freedom{rng.Chance(0.5)};
    Joints u{}, previous{};
    std::vector<Joints> older(truth.n_older);
    const double scale = rng.Chance(0.5) ? 1.0 : rng.Uniform();
    for (int j = 0; j < truth.n; ++j) {
      u[j] = rng.Chance(0.2) ? 0.0
                             : scale * freedom.Draw(rng, truth.limits.command_lower[j],
                                                    truth.limits.command_upper[j]);
      previous[j] =
          rng.Chance(0.3) ? u[j] : u[j] + freedom.Draw(rng, -truth.Step(j), truth.Step(j));
      older.back()[j] = previous[j];
      const bool steady = rng.Chance(0.3);
      const double slope = freedom.Draw(rng, -truth.Step(j), truth.Step(j));
      for (int i = truth.n_older - 2; i >= 0; --i)
        older[i][j] =
            older[i + 1][j] + (steady ? slope : freedom.Draw(rng, -truth.Step(j), truth.Step(j)));
    }
    Joints q = draw_q(rng);
    RobotState measured;
    for (int j = 0; j < (truth.n_q > 0 ? truth.n_q : truth.n); ++j)
      measured.q[j] = q[j] + freedom.Draw(rng, -1, 1) * truth.q_error[j];
    for (int j = 0; j < truth.n; ++j)
      measured.qd[j] =
          previous[j] + rng.Uniform(-1, 1) * (truth.qd_error[j] + truth.tracking_error[j]);
    Manoeuvre m;
    predict(measured, previous, u, &m);
    PathRobot robot(truth, freedom, &rng, older, u);
    const double age = dt * std::floor(freedom.Draw(rng, 0.0, truth.state_age_s) / dt + 1e-9);
    double worst = -1e9;
    for (double t = -age; t < 5.0; t += dt) {
      bool moving = false;
      const Joints rate = robot.Rate(t, dt, &moving);
      if (!moving && t > truth.reaction_s + truth.period_s) break;
      if (moving) q = integrate(q, rate, dt);
      if (t + dt < 0) continue;
      worst = std::max(worst, escape(m, t + dt, q, rate, moving));
      if (moving && t > m.stop_time_s + 2 * dt && !m.at_rest) worst = std::max(worst, 1.0);
    }
    result.worst = std::max(result.worst, worst);
    // Commands act on the grid of the simulation: up to dt / 2 off, at rates that differ by up to a
    // few tenths.
    result.escapes += worst > 0.3 * dt;
    if (stop_at_first && result.escapes > 0) break;
  }
  return result;
}

}  // namespace saferl::robot::testing
