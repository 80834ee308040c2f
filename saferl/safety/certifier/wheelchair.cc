// The certifier's wheelchair: 200 poses along the arc of the command, each with its own tube and
// its own latest moment, against every raw lidar return and every person grown to that moment.

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <vector>

#include "saferl/base/clock.h"
#include "saferl/safety/certifier/models.h"

namespace saferl::safety::certifier {
namespace {

constexpr int kPoses = 200;
constexpr double kGravity_m_s2 = 9.80665;
constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

/// A lidar return, or the chord between two neighbours, in W.
struct Seen {
  Point2 a, b;
};

class Wheelchair final : public CertifierModel {
 public:
  explicit Wheelchair(const RobotData& data) : d_(data) {
    corner_m_ =
        std::hypot(std::max(d_.footprint.front, -d_.footprint.rear), d_.footprint.half_width);
  }

  double Fresh(const TickRecord& record, const CertifierData& chain,
               const char** why) const override;
  bool IsBraking(const TickRecord& record) const override {
    return IsPathBraking(d_, record.previous, record.command);
  }
  bool IsStandstill(const TickRecord& record, const CertifierData& chain) const override {
    return IsPathStandstill(d_, record, chain);
  }

 private:
  struct Sweep {
    double age_s, hold_s, rho, length;
    Straying stray;
  };
  double LimitMargin(const TickRecord& record, const Sweep& sweep, const char** why) const;
  int Look(const TickRecord& record, double horizon_m,
           std::array<Seen, robot::kMaxLidar>* seen) const;
  PosedRectangle PoseAt(const robot::Joints& q, const robot::Joints& u, double sigma) const;

  RobotData d_;
  double corner_m_ = 0;
};

PosedRectangle Wheelchair::PoseAt(const robot::Joints& q, const robot::Joints& u,
                                  double sigma) const {
  PosedRectangle pose = d_.footprint;
  pose.yaw = q[2] + u[1] * sigma;
  if (std::abs(u[1]) > 1e-9) {
    const double r = u[0] / u[1];  // exact circle
    pose.x = q[0] + r * (std::sin(pose.yaw) - std::sin(q[2]));
    pose.y = q[1] - r * (std::cos(pose.yaw) - std::cos(q[2]));
  } else {
    pose.x = q[0] + u[0] * sigma * std::cos(q[2]);
    pose.y = q[1] + u[0] * sigma * std::sin(q[2]);
  }
  return pose;
}

int Wheelchair::Look(const TickRecord& record, double horizon_m,
                     std::array<Seen, robot::kMaxLidar>* seen) const {
  const robot::Observation& o = *record.observation;
  const double c = std::cos(o.robot.q[2]), s = std::sin(o.robot.q[2]);
  const double x0 = o.robot.q[0] + c * d_.lidar_B.x - s * d_.lidar_B.y;
  const double y0 = o.robot.q[1] + s * d_.lidar_B.x + c * d_.lidar_B.y;
  const auto at = [&](int i) {
    const double angle = o.robot.q[2] - std::numbers::pi + 2.0 * std::numbers::pi * i / o.n_lidar;
    const double r = o.lidar_m[static_cast<size_t>(i)];
    return Point2{x0 + r * std::cos(angle), y0 + r * std::sin(angle)};
  };
  int n = 0;
  for (int i = 0; i < o.n_lidar; ++i) {
    const double r = o.lidar_m[static_cast<size_t>(i)];
    if (std::isnan(r) || r < 0) return -1;
    if (!(r < horizon_m)) continue;
    // Neighbours that belong to one surface are joined by their chord.
    const int next = (i + 1) % o.n_lidar;
    const double other = o.lidar_m[static_cast<size_t>(next)];
    const Point2 a = at(i);
    (*seen)[n++] = {a, std::isfinite(other) && std::abs(other - r) < 0.5 ? at(next) : a};
  }
  return n;
}

double Wheelchair::LimitMargin(const TickRecord& record, const Sweep& sweep,
                               const char** why) const {
  double margin = kInf;
  const auto take = [&](double m, const char* name) {
    if (!(m >= margin)) {
      margin = m;
      *why = name;
    }
  };
  const robot::Joints& u = record.command;
  const double share = std::max(0.0, 1.0 - BrakeShare(d_, record.previous) * d_.period_s);
  for (int i = 0; i < 2; ++i) {
    take(d_.command_upper[i] - u[i] + 1e-12, "command limit");
    take(u[i] - d_.command_lower[i] + 1e-12, "command limit");
    // Within the driving rate, or between there and this component's braking step.
    const double step = d_.command_rate[i] * d_.period_s;
    const double braked = share * record.previous[i];
    take(u[i] - std::min(record.previous[i] - step, braked) + 1e-9, "command rate");
    take(std::max(record.previous[i] + step, braked) - u[i] + 1e-9, "command rate");
  }
  const double v = std::abs(u[0]) + sweep.stray.rate[0] + d_.tracking_error[0];
  const double omega = std::abs(u[1]) + sweep.stray.rate[1] + d_.tracking_error[1];
  const double side =
      (d_.tip_side_m - d_.side_shift_m) / d_.com_height_m * kGravity_m_s2 * std::cos(d_.slope_rad) -
      kGravity_m_s2 * std::sin(d_.slope_rad);
  // The strayed rates do not all meet the largest command; the early part of the path is the worst
  // there is.
  const double early =
      std::max(std::abs(u[0] * u[1]), std::abs(record.previous[0] * record.previous[1]));
  take(side - std::min(v * omega, early + v * d_.tracking_error[1] + omega * d_.tracking_error[0]),
       "tip-over");
  return margin;
}

double Wheelchair::Fresh(const TickRecord& record, const CertifierData& chain,
                         const char** why) const {
  const robot::Observation& o = *record.observation;
  if (!AllFinite(record.command, 2) || !AllFinite(record.previous, 2) || !AllFinite(o.robot.q, 3) ||
      !AllFinite(o.robot.qd, 2)) {
    *why = "not finite";
    return kNan;
  }
  Sweep sweep;
  sweep.age_s = Seconds(Elapsed(o.robot.stamp_ns, record.now_ns));
  if (!(sweep.age_s >= 0 && sweep.age_s <= d_.state_age_s + 1e-9)) {
    *why = "state too old";
    return kNan;
  }
  sweep.hold_s = d_.period_s + d_.reaction_s + sweep.age_s;
  sweep.rho = BrakeShare(d_, record.command);
  sweep.stray = StrayBound(d_, record, chain, sweep.age_s);
  const bool still = std::isinf(sweep.rho);
  sweep.length = still ? 0.0 : sweep.hold_s + 0.5 / sweep.rho;
  double margin = LimitMargin(record, sweep, why);
  const auto take = [&](double m, const char* name) {
    if (!(m >= margin)) {
      margin = m;
      *why = name;
    }
  };

  const robot::Joints& u = record.command;
  const double q_error = std::hypot(d_.q_error[0], d_.q_error[1]);
  const double point_speed =
      std::hypot(std::abs(u[0]) + std::abs(u[1]) * d_.footprint.half_width,
                 std::abs(u[1]) * std::max(d_.footprint.front, -d_.footprint.rear));
  const double half = 0.5 * sweep.length / kPoses * point_speed;
  std::array<Seen, robot::kMaxLidar> seen;
  const double horizon = sweep.length * point_speed + 2 * corner_m_ + 1.0;
  const int n_seen = d_.has_lidar ? Look(record, horizon, &seen) : 0;
  if (n_seen < 0) {
    *why = "lidar not usable";
    return kNan;
  }
  for (int k = 0; k < (still ? 1 : kPoses); ++k) {
    const double sigma = still ? 0.0 : sweep.length * (k + 0.5) / kPoses;
    const double end = still ? 0.0 : sweep.length * (k + 1) / kPoses;
    const double moment = still ? sweep.stray.lasts_s + sweep.age_s
                                : std::max(LatestMoment(end, sweep.rho, sweep.hold_s, d_.period_s),
                                           sweep.stray.lasts_s + sweep.age_s);
    const double turned = d_.q_error[2] + sweep.stray.integral[1] + d_.tracking_error[1] * moment;
    const double drift =
        sweep.stray.integral[0] + d_.tracking_error[0] * moment + std::abs(u[0]) * end * turned;
    const double tube = q_error + drift + corner_m_ * turned + half;
    const PosedRectangle pose = PoseAt(o.robot.q, u, sigma);
    const double later = moment - sweep.age_s;
    for (const robot::HumanPart& part : o.people()) {
      const math::Capsule& c = part.capsule_W;
      const double d = RectangleToSegment(pose, {c.a.x, c.a.y}, {c.b.x, c.b.y}) - c.radius;
      take(d - tube - Growth(d_, part, record.now_ns, later), "separation from a person");
    }
    const double far =
        corner_m_ + tube + d_.lidar_error_m + (margin < kInf ? std::max(margin, 0.0) : 1e9);
    for (int i = 0; i < n_seen; ++i) {
      const Seen& s = seen[static_cast<size_t>(i)];
      const double mx = 0.5 * (s.a.x + s.b.x) - pose.x, my = 0.5 * (s.a.y + s.b.y) - pose.y;
      const double reach = far + 0.5 * (std::abs(s.b.x - s.a.x) + std::abs(s.b.y - s.a.y));
      if (mx * mx + my * my > reach * reach) continue;
      take(RectangleToSegment(pose, s.a, s.b) - d_.lidar_error_m - tube,
           "clearance to something fixed");
    }
  }
  return margin;
}

}  // namespace

StatusOr<std::shared_ptr<const CertifierModel>> MakeWheelchair(const RobotData& data) {
  return std::make_shared<const Wheelchair>(data);
}

}  // namespace saferl::safety::certifier
