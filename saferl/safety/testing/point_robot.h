#pragma once
// A robot small enough to be checked by hand: a ball that slides along n <= 3 axes,
// velocity-commanded.
//
// Its manoeuvre is the textbook one: the command acts at once and for hold_s, then rated braking
// along the same line. Used by this room's tests only. Units: SI.

#include <algorithm>
#include <cmath>

#include "saferl/robot/robot_model.h"

namespace saferl::safety::testing {

struct PointOptions {
  int n = 1;
  double period_s = 0.02, reaction_s = 0.08;
  double brake_m_s2 = 2.0, rate_m_s2 = 1.5, top_m_s = 1.5;
  double radius_m = 0.2;
  double error_m = 0.0;  ///< Z_r
  robot::Kind kind = robot::Kind::kArm;
};

class PointRobot final : public robot::RobotModel {
 public:
  explicit PointRobot(const PointOptions& options) : options_(options) {
    kind_ = options.kind;
    name_ = "point";
    n_ = options.n;
    n_links_ = 1;
    period_s_ = options.period_s;
    reaction_s_ = options.reaction_s;
    state_age_s_ = 0.01;
    limits_.command_lower.fill(-options.top_m_s);
    limits_.command_upper.fill(options.top_m_s);
    limits_.command_rate.fill(options.rate_m_s2);
    limits_.brake.fill(options.brake_m_s2);
    limits_.q_lower.fill(-100);
    limits_.q_upper.fill(100);
    limits_.qd_max.fill(2 * options.top_m_s);
    limits_.effort_max.fill(100);
    limits_.power_max.fill(1000);
    q_error_.fill(options.error_m);
    qd_error_.fill(0.01);
    tracking_error_.fill(0.01);
  }

  robot::Limits& mutable_limits() { return limits_; }

  void Place(const robot::Joints& q, robot::Placement* placement) const override {
    const math::Vec3 p = {q[0], n_ > 1 ? q[1] : 0.0, n_ > 2 ? q[2] : 0.0};
    placement->n_links = 1;
    placement->link_W[0] = {p, p, options_.radius_m};
  }

  void Predict(const robot::RobotState& state, const robot::Joints& previous,
               const robot::Joints& command, robot::Manoeuvre* m) const override {
    double fastest = 0;
    bool rest = true;
    for (int i = 0; i < n_; ++i) {
      fastest = std::max(fastest, std::abs(command[i]));
      rest = rest && command[i] == 0 && previous[i] == 0 && std::abs(state.qd[i]) <= qd_error_[i];
    }
    const double stop = fastest / options_.brake_m_s2;
    const double sigma_end = hold_s() + 0.5 * stop;
    m->n = 8;
    m->at_rest = rest;
    m->stop_time_s = rest ? 0 : hold_s() + stop;
    for (int k = 0; k < m->n; ++k) {
      robot::ManoeuvreSample& s = m->sample[k];
      s = {};
      const double middle = sigma_end * (k + 0.5) / m->n, half = 0.5 * sigma_end / m->n;
      s.t_begin_s = m->stop_time_s * k / m->n;
      s.t_end_s = m->stop_time_s * (k + 1) / m->n;
      double length2 = 0;
      for (int i = 0; i < n_; ++i) {
        s.q[i] = state.q[i] + command[i] * middle;
        s.q_tube[i] = options_.error_m + std::abs(command[i]) * half;
        s.qd[i] = command[i];
        s.effort[i] = 10 * std::abs(command[i]);
        length2 += command[i] * command[i];
      }
      s.reach_m[0] = options_.error_m + std::sqrt(length2) * half;
      s.speed_m_s[0] = std::sqrt(length2);
      Place(s.q, &s.placement);
    }
  }

  robot::Joints Brake(const robot::RobotState&, const robot::Joints& previous) const override {
    double fastest = 0;
    for (int i = 0; i < n_; ++i) fastest = std::max(fastest, std::abs(previous[i]));
    const double share = 1 - options_.brake_m_s2 * period_s_ / fastest;
    robot::Joints next{};
    for (int i = 0; i < n_ && share > 0; ++i) next[i] = share * previous[i];
    return next;
  }

  double Clearance(const robot::Placement& placement, std::span<const math::Capsule> obstacles,
                   std::span<const double> reach_m, double) const override {
    double best = 1e9;
    for (const math::Capsule& obstacle : obstacles) {
      const double d = math::CapsuleDistance(placement.link_W[0], obstacle) - reach_m[0];
      if (!(d >= best)) best = d;
    }
    return best;
  }

  int Near(const robot::RobotState&, const robot::Placement& placement,
           std::span<const math::Capsule> obstacles, double horizon_m,
           std::span<robot::Nearness> out) const override {
    size_t n = 0;
    for (size_t i = 0; i < obstacles.size() && n < out.size(); ++i) {
      const math::Nearest nearest = math::NearestCapsules(placement.link_W[0], obstacles[i]);
      if (!(nearest.distance <= horizon_m)) continue;
      out[n] = {};
      out[n].distance_m = nearest.distance;
      const double g[3] = {-nearest.direction.x, -nearest.direction.y, -nearest.direction.z};
      for (int j = 0; j < n_; ++j) out[n].gradient[j] = g[j];
      out[n++].obstacle = static_cast<int>(i);
    }
    std::sort(out.begin(), out.begin() + static_cast<long>(n),
              [](const auto& a, const auto& b) { return a.distance_m < b.distance_m; });
    return static_cast<int>(n);
  }

 private:
  PointOptions options_;
};

}  // namespace saferl::safety::testing
