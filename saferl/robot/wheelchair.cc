#include "saferl/robot/wheelchair.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include "absl/strings/str_cat.h"
#include "saferl/math/trig.h"
#include "saferl/robot/brake_path.h"
#include "saferl/robot/rectangle_query.h"

// The tube. Path time s runs from the state's stamp: age a before `now`, so hold' = hold + a,
// reaction' = reaction + a. Truth:   pose (p, psi), rates v = lambda v_u + d_v, omega = lambda
// omega_u + d_omega, sigma = integral of lambda. Nominal: the arc of u from the measured pose at
// the same sigma.
//   |integral d_v| <= D_v = deviation.integral + tracking_v t, and D_omega alike [BoundDeviation]
//   |psi - psi_nominal|  <= E = q_error_yaw + D_omega
//   |p - p_nominal|      <= |q_error_xy| + D_v + |v_u| sigma E       [difference of two unit
//   headings <= their angle] a footprint point at distance r from the origin adds 2 r sin(E/2) <= r
//   E
// A sample at the middle of [sigma_b, sigma_e] adds (sigma_e - sigma_b)/2 * PointSpeed(u): chord <=
// arc.

namespace saferl::robot {
namespace {

/// A sample covers at most this much of the fastest point's path to either side, while samples last
/// [m].
constexpr double kHalfSpacing = 0.015;
constexpr int kMaxNear = 32;  // pairs that Near() tells at most

/// Arc() with the heading at the start known: half the turn is added to it once for the chord and
/// once more for the heading at the end.
void PlaceAlong(const Joints& q, const math::SinCosPair& start, const Joints& u, double sigma_s,
                ManoeuvreSample* sample) {
  const double half = 0.5 * u[1] * sigma_s;
  const math::SinCosPair turn = math::SinCos(half);
  const double chord =
      u[0] * sigma_s * (std::abs(half) < 1e-4 ? 1.0 - half * half / 6.0 : turn.sin / half);
  const double c = start.cos * turn.cos - start.sin * turn.sin,
               s = start.sin * turn.cos + start.cos * turn.sin;
  sample->q = {q[0] + chord * c, q[1] + chord * s, q[2] + 2.0 * half};
  Placement& at = sample->placement;
  at.n_links = 1;
  at.x = sample->q[0];
  at.y = sample->q[1];
  at.yaw = sample->q[2];
  at.cos_yaw = c * turn.cos - s * turn.sin;
  at.sin_yaw = s * turn.cos + c * turn.sin;
}

/// max(0, x) that lets NaN through.
double Positive(double x) { return x < 0 ? 0.0 : x; }

bool Finite(const Joints& v, int n) {
  double sum = 0;
  for (int i = 0; i < n; ++i) sum += v[i] * 0.0;
  return sum == 0.0;
}

Status Bad(const char* field, const char* problem) {
  return absl::InvalidArgumentError(absl::StrCat(field, ": ", problem));
}

}  // namespace

StatusOr<std::shared_ptr<const Wheelchair>> Wheelchair::Create(const WheelchairConfig& config) {
  const auto positive = [](double x) { return std::isfinite(x) && x > 0; };
  if (!positive(config.period_s))
    return Bad("period_s", "must be above 0; give the control period");
  if (!(std::isfinite(config.reaction_s) && config.reaction_s >= 0))
    return Bad("reaction_s", "must be 0 or more; give the worst transport and actuator delay");
  if (!(std::isfinite(config.state_age_s) && config.state_age_s >= 0))
    return Bad("state_age_s", "must be 0 or more; give the oldest state that may be used");
  for (int i = 0; i < 2; ++i) {
    const Limits& l = config.limits;
    if (!(l.command_lower[i] <= 0 && l.command_upper[i] >= 0 &&
          l.command_lower[i] < l.command_upper[i]))
      return Bad("limits.command",
                 "lower must be <= 0 <= upper, and not both 0: standstill has to be a command");
    if (!positive(l.command_rate[i])) return Bad("limits.command_rate", "must be above 0");
    if (!positive(l.brake[i]))
      return Bad("limits.brake", "must be above 0: a chair that cannot brake is never safe");
    if (!(config.qd_error[i] >= 0 && config.tracking_error[i] >= 0))
      return Bad("uncertainty", "must be 0 or more");
  }
  for (int i = 0; i < 3; ++i)
    if (!(config.q_error[i] >= 0)) return Bad("uncertainty.pose_error", "must be 0 or more");
  const math::Rectangle& r = config.footprint;
  if (!(r.rear < 0 && r.front > 0 && r.half_width > 0))
    return Bad("footprint",
               "must enclose the axle centre: rear_m < 0 < front_m and half_width_m > 0");
  const TipOverData& t = config.tip_over;
  if (!(positive(t.com_height_m) && positive(t.front_m) && positive(t.rear_m) &&
        positive(t.side_m)))
    return Bad("tip_over", "heights and support lengths must be above 0");
  if (!positive(config.mass_kg)) return Bad("mass_kg", "must be above 0");
  return std::make_shared<const Wheelchair>(config);
}

Wheelchair::Wheelchair(const WheelchairConfig& config) : config_(config) {
  constexpr double kInf = std::numeric_limits<double>::infinity();
  kind_ = Kind::kWheelchair;
  name_ = config.name;
  n_ = 2;
  n_links_ = 1;
  period_s_ = config.period_s;
  reaction_s_ = config.reaction_s;
  state_age_s_ = config.state_age_s;
  limits_ = config.limits;
  for (int i = 0; i < 3; ++i) {
    limits_.q_lower[i] = -kInf;
    limits_.q_upper[i] = kInf;
  }
  for (int i = 0; i < 2; ++i) {
    limits_.qd_max[i] = std::max(-limits_.command_lower[i], limits_.command_upper[i]);
    limits_.effort_max[i] = kInf;
    limits_.power_max[i] = kInf;
  }
  q_error_ = config.q_error;
  qd_error_ = config.qd_error;
  tracking_error_ = config.tracking_error;
  const math::Rectangle& r = config.footprint;
  corner_m_ = std::hypot(std::max(-r.rear, r.front), r.half_width);
  centre_x_m_ = 0.5 * (r.rear + r.front);
  radius_m_ = std::hypot(0.5 * (r.front - r.rear), r.half_width);
}

Joints Wheelchair::Arc(const Joints& q, const Joints& u, double sigma_s) {
  const double half = 0.5 * u[1] * sigma_s;
  const double chord =
      u[0] * sigma_s * (std::abs(half) < 1e-4 ? 1.0 - half * half / 6.0 : std::sin(half) / half);
  return {q[0] + chord * std::cos(q[2] + half), q[1] + chord * std::sin(q[2] + half),
          q[2] + 2.0 * half};
}

double Wheelchair::BrakeShare(const Joints& u) const {
  return std::min(limits_.brake[0] / std::abs(u[0]), limits_.brake[1] / std::abs(u[1]));
}

double Wheelchair::PointSpeed(const Joints& u) const {
  // |(v - omega y, omega x)| over the corners: largest where both terms are.
  const math::Rectangle& r = config_.footprint;
  const double along = std::abs(u[0]) + std::abs(u[1]) * r.half_width,
               across = std::abs(u[1]) * std::max(-r.rear, r.front);
  return std::sqrt(along * along + across * across);
}

void Wheelchair::Place(const Joints& q, Placement* placement) const {
  placement->n_links = 1;
  placement->x = q[0];
  placement->y = q[1];
  placement->yaw = q[2];
  const math::SinCosPair heading = math::SinCos(q[2]);
  placement->cos_yaw = heading.cos;
  placement->sin_yaw = heading.sin;
}

void Wheelchair::Predict(const RobotState& state, const Joints& previous, const Joints& command,
                         Manoeuvre* manoeuvre) const {
  Manoeuvre& m = *manoeuvre;
  const bool finite =
      Finite(state.q, 3) && Finite(state.qd, 2) && Finite(previous, 2) && Finite(command, 2);
  const double reaction = reaction_s_ + state_age_s_;
  const double rho = finite ? BrakeShare(command) : std::numeric_limits<double>::infinity();
  const BrakePath path{hold_s() + state_age_s_, rho, hold_s() + period_s_ + state_age_s_};
  std::array<Deviation, 2> deviation;
  m.at_rest = finite;
  double moves_s = std::isinf(rho) ? 0.0 : path.stop_time();
  for (int i = 0; i < 2; ++i) {
    const double step = std::max(limits_.command_rate[i], limits_.brake[i]) * period_s_;
    const double slew = std::min(limits_.command_rate[i], limits_.brake[i]);
    const double excess = Positive(std::abs(state.qd[i] - previous[i]) - qd_error_[i] -
                                   tracking_error_[i] - step * InFlight(reaction, period_s_));
    deviation[i] =
        BoundDeviation(previous[i] - command[i], excess, step, slew, reaction, period_s_);
    moves_s = std::max(moves_s, deviation[i].lasts_s);
    m.at_rest = m.at_rest && command[i] == 0.0 && previous[i] == 0.0 &&
                std::abs(state.qd[i]) <= qd_error_[i];
  }
  m.stop_time_s = m.at_rest ? 0.0 : moves_s - state_age_s_;

  const double length = std::isinf(rho) ? 0.0 : path.length();
  const double point_speed = PointSpeed(command);
  const double wanted = std::ceil(0.5 * length * point_speed / kHalfSpacing);
  m.n = wanted >= 1.0 ? static_cast<int>(std::min<double>(wanted, kMaxSamples)) : 1;
  const double poison = finite ? 0.0 : std::numeric_limits<double>::quiet_NaN();
  const double pose_error = std::hypot(q_error_[0], q_error_[1]);
  const math::SinCosPair start = math::SinCos(state.q[2]);
  for (int i = 0; i < m.n; ++i) {
    ManoeuvreSample& s = m.sample[i];
    const double begin = length * i / m.n, end = length * (i + 1) / m.n, half = 0.5 * (end - begin);
    const double from = std::isinf(rho) ? 0.0 : path.earliest(begin);
    const double until =
        std::max(std::isinf(rho) ? moves_s : path.latest(end),
                 i + 1 == m.n ? moves_s : std::max(deviation[0].lasts_s, deviation[1].lasts_s));
    const double share = std::isinf(rho) ? 0.0 : path.share(begin);
    s.t_begin_s = Positive(from - state_age_s_);
    s.t_end_s = until - state_age_s_;
    PlaceAlong(state.q, start, command, 0.5 * (begin + end), &s);
    s.q[0] += poison;
    s.placement.x += poison;
    const double yaw_tube = q_error_[2] + deviation[1].integral + tracking_error_[1] * until;
    const double drift =
        deviation[0].integral + tracking_error_[0] * until + std::abs(command[0]) * end * yaw_tube;
    const double along = drift + half * std::abs(command[0]);
    s.q_tube = {q_error_[0] + along, q_error_[1] + along, yaw_tube + half * std::abs(command[1])};
    s.reach_m[0] = pose_error + drift + corner_m_ * yaw_tube + half * point_speed;
    Joints rate{};
    for (int j = 0; j < 2; ++j) {
      rate[j] = tracking_error_[j] + (from < deviation[j].lasts_s ? deviation[j].rate : 0.0);
      // Any share of the command from none to `share` may act.
      s.qd[j] = 0.5 * share * command[j];
      s.qd_tube[j] = 0.5 * share * std::abs(command[j]) + rate[j];
      s.effort[j] = 0.0;
    }
    s.speed_m_s[0] = share * point_speed + PointSpeed(rate);
  }
}

Joints Wheelchair::Brake(const RobotState&, const Joints& previous) const {
  const double share = 1.0 - BrakeShare(previous) * period_s_;
  Joints next{};
  // A share that is not a number (previous was not) ends in standstill.
  if (share > 0) {
    next[0] = share * previous[0];
    next[1] = share * previous[1];
  }
  return next;
}

double Wheelchair::Clearance(const Placement& placement, std::span<const math::Capsule> obstacles,
                             std::span<const double> reach_m, double enough_m) const {
  const double c = placement.cos_yaw, s = placement.sin_yaw;
  const double centre_x = placement.x + c * centre_x_m_, centre_y = placement.y + s * centre_x_m_;
  const double reach = reach_m.empty() ? 0.0 : reach_m[0];
  const double bad = (centre_x + centre_y + reach) * 0.0;
  if (std::isnan(bad)) return bad;
  double best = std::numeric_limits<double>::infinity();
  for (const math::Capsule& obstacle : obstacles) {
    // Circle against circle around the shadow's middle: a lower bound that settles most obstacles.
    const double hx = 0.5 * (obstacle.b.x - obstacle.a.x), hy = 0.5 * (obstacle.b.y - obstacle.a.y);
    const double mx = obstacle.a.x + hx - centre_x, my = obstacle.a.y + hy - centre_y;
    const double limit = std::min(best, enough_m) + reach + radius_m_ + obstacle.radius +
                         (hx == 0 && hy == 0 ? 0.0 : std::sqrt(hx * hx + hy * hy));
    if (limit < 0 || mx * mx + my * my > limit * limit) continue;
    const Shadow shadow = ToBody(obstacle, placement.x, placement.y, c, s);
    const double distance = RectangleDistance(config_.footprint, shadow) - obstacle.radius - reach;
    if (std::isnan(distance)) return distance;
    best = std::min(best, distance);
  }
  return best;
}

int Wheelchair::Near(const RobotState&, const Placement& placement,
                     std::span<const math::Capsule> obstacles, double horizon_m,
                     std::span<Nearness> out) const {
  const double c = placement.cos_yaw, s = placement.sin_yaw;
  const double centre_x = placement.x + c * centre_x_m_, centre_y = placement.y + s * centre_x_m_;
  const int capacity = std::min(kMaxNear, static_cast<int>(out.size()));
  if (capacity == 0) return 0;
  struct Close {
    double distance;
    int obstacle;
  };
  std::array<Close, kMaxNear> close;
  int n = 0;
  for (size_t i = 0; i < obstacles.size(); ++i) {
    const math::Capsule& obstacle = obstacles[i];
    const double hx = 0.5 * (obstacle.b.x - obstacle.a.x), hy = 0.5 * (obstacle.b.y - obstacle.a.y);
    const double x = obstacle.a.x + hx, y = obstacle.a.y + hy;
    const double mx = x - centre_x, my = y - centre_y;
    const double horizon = n == capacity ? std::min(horizon_m, close[n - 1].distance) : horizon_m;
    // Disc against disc, then the shadow's middle against the rectangle: lower bounds.
    const double around = horizon + obstacle.radius + std::abs(hx) + std::abs(hy);
    const double limit = around + radius_m_;
    if (!(limit >= 0 && mx * mx + my * my <= limit * limit)) continue;
    const double px = x - placement.x, py = y - placement.y;
    if (math::SignedDistance(config_.footprint, c * px + s * py, c * py - s * px) > around)
      continue;
    const Shadow shadow = ToBody(obstacle, placement.x, placement.y, c, s);
    const double distance = RectangleDistance(config_.footprint, shadow) - obstacle.radius;
    if (!(distance <= horizon)) continue;
    int at = n < capacity ? n++ : capacity - 1;
    for (; at > 0 && close[at - 1].distance > distance; --at) close[at] = close[at - 1];
    close[at] = {distance, static_cast<int>(i)};
  }
  for (int k = 0; k < n; ++k) {
    const math::Capsule& obstacle = obstacles[static_cast<size_t>(close[k].obstacle)];
    const auto [x, y] =
        NearestPoint(config_.footprint, ToBody(obstacle, placement.x, placement.y, c, s));
    const auto [gx, gy] = Outward(config_.footprint, x, y);
    out[k] = Nearness{};
    out[k].distance_m = close[k].distance;
    out[k].gradient[0] = -gx;
    out[k].gradient[1] = gx * y - gy * x;
    out[k].obstacle = close[k].obstacle;
  }
  return n;
}

}  // namespace saferl::robot
