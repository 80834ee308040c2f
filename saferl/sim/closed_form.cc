#include "saferl/sim/closed_form.h"

#include <algorithm>
#include <cmath>

namespace saferl::sim {

PlantBounds BoundsOf(const robot::RobotModel& robot) {
  PlantBounds bounds;
  bounds.n = robot.n();
  bounds.planar_base = robot.kind() == robot::Kind::kWheelchair;
  bounds.drive_rate = robot.limits().command_rate;
  bounds.brake_rate = robot.limits().brake;
  bounds.tracking = robot.tracking_error();
  return bounds;
}

void VelocityPlant::Reset(const robot::Joints& q, int64_t now_ns) {
  now_ns_ = now_ns;
  n_pending_ = 0;
  target_ = {};
  target_expires_ns_ = now_ns;
  braking_ = true;
  q_ = q;
  w_ = {};
}

void VelocityPlant::Apply(const safety::Command& command, double delay_s) {
  for (int i = 0; i < bounds_.n; ++i) {
    if (!std::isfinite(command.u[i])) return;
  }
  Pending pending;
  pending.acts_at_ns = command.issued_ns + std::llround(std::max(delay_s, 0.0) * 1e9);
  pending.expires_ns = command.issued_ns + command.valid_for_ns;
  pending.u = command.u;
  // A later command that acts earlier replaces the ones it overtakes.
  while (n_pending_ > 0 && pending_[n_pending_ - 1].acts_at_ns >= pending.acts_at_ns) --n_pending_;
  if (n_pending_ == kMaxPending) {
    std::copy(pending_.begin() + 1, pending_.end(), pending_.begin());
    --n_pending_;
  }
  pending_[n_pending_++] = pending;
}

void VelocityPlant::TakeDue() {
  int taken = 0;
  while (taken < n_pending_ && pending_[taken].acts_at_ns <= now_ns_) {
    target_ = pending_[taken].u;
    target_expires_ns_ = pending_[taken].expires_ns;
    ++taken;
  }
  if (taken > 0) {
    std::copy(pending_.begin() + taken, pending_.begin() + n_pending_, pending_.begin());
    n_pending_ -= taken;
  }
  braking_ = now_ns_ >= target_expires_ns_;
}

void VelocityPlant::Advance(double dt_s) {
  const int64_t end_ns = now_ns_ + std::llround(dt_s * 1e9);
  const int64_t substep_ns = std::max<int64_t>(1, std::llround(freedom_.substep_s * 1e9));
  while (now_ns_ < end_ns) {
    TakeDue();
    int64_t next_ns = std::min(end_ns, now_ns_ + substep_ns);
    if (n_pending_ > 0) next_ns = std::min(next_ns, pending_[0].acts_at_ns);
    if (!braking_) next_ns = std::min(next_ns, target_expires_ns_);
    Step(static_cast<double>(next_ns - now_ns_) * 1e-9);
    now_ns_ = next_ns;
  }
  TakeDue();
}

double VelocityPlant::RampTime(const robot::Joints& target) const {
  double time = 0;
  for (int i = 0; i < bounds_.n; ++i) {
    // Past zero a component speeds up again, so the part beyond counts at the driving rate.
    const double now = std::abs(w_[i]), then = std::abs(target[i]);
    const bool reverses = w_[i] * target[i] < 0;
    const double slowed = reverses ? now : std::max(0.0, now - then);
    const double gained = reverses ? then : std::max(0.0, then - now);
    time = std::max(time, slowed / bounds_.brake_rate[i] + gained / bounds_.drive_rate[i]);
  }
  return time;
}

void VelocityPlant::Step(double h) {
  const robot::Joints zero{};
  const robot::Joints& target = braking_ ? zero : target_;
  const double ramp_s = RampTime(target) * (braking_ ? 1.0 / freedom_.brake_factor : freedom_.lag);
  // Velocities change at a constant rate until `ramp_s`, then stay: split so that the end is met
  // exactly.
  double left = h;
  for (int stretch = 0; stretch < 2 && left > 0; ++stretch) {
    const bool ramping = ramp_s > 0 && stretch == 0;
    const double part = ramping ? std::min(left, ramp_s) : left;
    const robot::Joints before = w_;
    for (int i = 0; i < bounds_.n; ++i) {
      w_[i] = ramping && ramp_s > part ? w_[i] + (target[i] - w_[i]) * (part / ramp_s) : target[i];
    }
    robot::Joints mean{};
    bool moving = false;
    for (int i = 0; i < bounds_.n; ++i) {
      mean[i] = ramping ? 0.5 * (before[i] + w_[i]) : w_[i];
      moving = moving || mean[i] != 0.0;
    }
    if (moving) {
      for (int i = 0; i < bounds_.n; ++i) mean[i] += freedom_.tracking[i] * bounds_.tracking[i];
      if (bounds_.planar_base) {
        const double turn = mean[1] * part;
        const double half = 0.5 * turn;
        const double chord =
            std::abs(half) < 1e-4 ? 1.0 - half * half / 6.0 : std::sin(half) / half;
        q_[0] += mean[0] * part * chord * std::cos(q_[2] + half);
        q_[1] += mean[0] * part * chord * std::sin(q_[2] + half);
        q_[2] += turn;
      } else {
        for (int i = 0; i < bounds_.n; ++i) q_[i] += mean[i] * part;
      }
    }
    left -= part;
  }
}

bool VelocityPlant::at_rest() const {
  return std::all_of(w_.begin(), w_.begin() + bounds_.n, [](double w) { return w == 0.0; });
}

robot::RobotState VelocityPlant::Truth() const {
  robot::RobotState state;
  state.stamp_ns = now_ns_;
  state.q = q_;
  if (!at_rest()) {
    for (int i = 0; i < bounds_.n; ++i)
      state.qd[i] = w_[i] + freedom_.tracking[i] * bounds_.tracking[i];
  }
  return state;
}

}  // namespace saferl::sim
