#include "saferl/robot/arm.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "saferl/base/text.h"
#include "saferl/math/trig.h"
#include "saferl/robot/arm_frames.h"
#include "saferl/robot/capsule_query.h"
#include "saferl/robot/link_sweep.h"

namespace saferl::robot {
namespace {

using math::Cross;
using math::Dot;
using math::Norm;
using math::Pose;
using math::Vec3;

Status Bad(const std::string& field, const std::string& problem) {
  return absl::InvalidArgumentError(Cat(field, ": ", problem));
}

bool Positive(double x) { return std::isfinite(x) && x > 0; }
bool NotNegative(double x) { return std::isfinite(x) && x >= 0; }

Status CheckJoint(const ArmConfig& c, int i) {
  const std::string at = Cat("joint '", c.joints[i].name, "'");
  const Limits& l = c.limits;
  if (!(l.q_lower[i] < l.q_upper[i])) return Bad(at, "position limits must be lower < upper");
  if (!(l.command_lower[i] < 0 && l.command_upper[i] > 0))
    return Bad(at, "velocity limits must be below and above 0: standstill has to be a command");
  if (!Positive(l.command_rate[i])) return Bad(at, "joint_rate_rad_s2 must be above 0");
  if (!Positive(l.brake[i]))
    return Bad(at, "joint_brake_rad_s2 must be above 0: an arm that cannot brake is never safe");
  if (!(NotNegative(c.q_error[i]) && NotNegative(c.qd_error[i]) &&
        NotNegative(c.tracking_error[i])))
    return Bad(at, "uncertainties must be 0 or more");
  if (!(c.home[i] >= l.q_lower[i] && c.home[i] <= l.q_upper[i]))
    return Bad(at, "home_rad lies outside the position limits");
  return absl::OkStatus();
}

}  // namespace

StatusOr<std::shared_ptr<const Arm>> Arm::Create(const ArmConfig& config) {
  const int n = static_cast<int>(config.joints.size()),
            n_links = static_cast<int>(config.links.size());
  if (n < 1 || n > kMaxDof)
    return Bad("joints", Cat(n, " turning joints; 1 to ", kMaxDof, " are supported"));
  if (n_links < 1 || n_links > kMaxLinks)
    return Bad("links", Cat(n_links, " capsules; give 1 to ", kMaxLinks));
  if (!Positive(config.period_s))
    return Bad("period_s", "must be above 0; give the control period");
  if (!NotNegative(config.reaction_s)) return Bad("reaction_s", "must be 0 or more");
  if (!NotNegative(config.state_age_s)) return Bad("state_age_s", "must be 0 or more");
  for (int i = 0; i < n; ++i) SAFERL_RETURN_IF_ERROR(CheckJoint(config, i));
  for (const ArmLink& link : config.links) {
    if (link.joint < -1 || link.joint >= n)
      return Bad(Cat("link '", link.name, "'"), "is attached to no joint of this arm");
    if (!Positive(link.capsule.radius))
      return Bad(Cat("link '", link.name, "'"), "radius_m must be above 0");
    if (!std::isfinite(Norm(link.capsule.a) + Norm(link.capsule.b)))
      return Bad(Cat("link '", link.name, "'"), "ends must be finite");
  }
  return std::make_shared<const Arm>(config);
}

Arm::Arm(const ArmConfig& config) : config_(config) {
  kind_ = Kind::kArm;
  name_ = config.name;
  n_ = static_cast<int>(config.joints.size());
  n_links_ = static_cast<int>(config.links.size());
  period_s_ = config.period_s;
  reaction_s_ = config.reaction_s;
  state_age_s_ = config.state_age_s;
  limits_ = config.limits;
  q_error_ = config.q_error;
  qd_error_ = config.qd_error;
  tracking_error_ = config.tracking_error;
  for (int i = 0; i < n_; ++i)
    x_PJ_[i] = i == 0 ? config.x_WBase * config.joints[i].x_PJ : config.joints[i].x_PJ;
  for (int k = 0; k < n_links_; ++k) {
    const ArmLink& link = config.links[k];
    link_joint_[k] = link.joint;
    capsule_[k] = link.capsule;
    if (link.joint < 0) {
      capsule_[k].a = config.x_WBase * link.capsule.a;
      capsule_[k].b = config.x_WBase * link.capsule.b;
    }
    // Farthest point of the capsule from the origin of its joint's frame, carried inward joint by
    // joint; the last step to an axis counts only what lies across it.
    const auto across = [](Vec3 v) { return std::hypot(v.x, v.y); };
    double from_origin = std::max(Norm(link.capsule.a), Norm(link.capsule.b)) + link.capsule.radius;
    double from_axis =
        std::max(across(link.capsule.a), across(link.capsule.b)) + link.capsule.radius;
    for (int j = link.joint; j >= 0; --j) {
      lever_[k][j] = from_axis;
      const Vec3 offset = config.joints[j].x_PJ.p;
      from_axis = across(offset) + from_origin;
      from_origin += Norm(offset);
    }
  }
}

void Arm::ForwardKinematics(const Joints& q, ArmPose* pose) const {
  Joints sine, cosine;
  math::SinCos(q.data(), n_, sine.data(), cosine.data());
  ArmFrames frames;
  Chain(sine, cosine, &frames);
  for (int i = 0; i < n_; ++i) {
    Pose& out = pose->x_WJ[i];
    out.p = ToVec3(frames.p[i]);
    for (int r = 0; r < 3; ++r) {
      out.r.m[r][0] = frames.x[i][r];
      out.r.m[r][1] = frames.y[i][r];
      out.r.m[r][2] = frames.z[i][r];
    }
  }
}

void Arm::Chain(const Joints& sine, const Joints& cosine, ArmFrames* frames) const {
  Lanes x{1, 0, 0, 0}, y{0, 1, 0, 0}, z{0, 0, 1, 0}, p{0, 0, 0, 0};
  for (int i = 0; i < n_; ++i) {
    const auto& r = x_PJ_[i].r.m;
    const Vec3& o = x_PJ_[i].p;
    const double c = cosine[i], s = sine[i];
    // X_PJ(i) Rz(q_i) first: short chains from joint to joint.
    double a[3], b[3];
    for (int k = 0; k < 3; ++k) {
      a[k] = c * r[k][0] + s * r[k][1];
      b[k] = c * r[k][1] - s * r[k][0];
    }
    p = p + (x * o.x + (y * o.y + z * o.z));
    const Lanes next_x = x * a[0] + (y * a[1] + z * a[2]);
    const Lanes next_y = x * b[0] + (y * b[1] + z * b[2]);
    z = x * r[0][2] + (y * r[1][2] + z * r[2][2]);
    x = next_x;
    y = next_y;
    frames->x[i] = x;
    frames->y[i] = y;
    frames->z[i] = z;
    frames->p[i] = p;
  }
}

void Arm::PlaceLinks(const ArmFrames& frames, Placement* placement) const {
  placement->n_links = n_links_;
  for (int k = 0; k < n_links_; ++k) {
    math::Capsule& out = placement->link_W[k];
    const int j = link_joint_[k];
    out = capsule_[k];
    if (j < 0) continue;
    const Lanes &x = frames.x[j], &y = frames.y[j], &z = frames.z[j], &p = frames.p[j];
    const Vec3 &a = capsule_[k].a, &b = capsule_[k].b;
    out.a = ToVec3(p + (x * a.x + (y * a.y + z * a.z)));
    out.b = ToVec3(p + (x * b.x + (y * b.y + z * b.z)));
  }
}

void Arm::Jacobian(const ArmPose& pose, int joint, Vec3 p_W, std::span<Vec3> columns) const {
  for (int j = 0; j < n_; ++j) {
    const Pose& x = pose.x_WJ[j];
    const Vec3 axis{x.r.m[0][2], x.r.m[1][2], x.r.m[2][2]};
    columns[j] = j <= joint ? Cross(axis, p_W - x.p) : Vec3{};
  }
}

void Arm::PlaceLinks(const ArmPose& pose, Placement* placement) const {
  placement->n_links = n_links_;
  for (int k = 0; k < n_links_; ++k) {
    math::Capsule& out = placement->link_W[k];
    const int j = link_joint_[k];
    out = capsule_[k];
    if (j < 0) continue;
    out.a = pose.x_WJ[j] * capsule_[k].a;
    out.b = pose.x_WJ[j] * capsule_[k].b;
  }
}

void Arm::Place(const Joints& q, Placement* placement) const {
  Joints sine, cosine;
  math::SinCos(q.data(), n_, sine.data(), cosine.data());
  ArmFrames frames;
  Chain(sine, cosine, &frames);
  PlaceLinks(frames, placement);
  for (int i = 0; i < n_; ++i) placement->joint[i] = {ToVec3(frames.p[i]), ToVec3(frames.z[i])};
}

double Arm::BrakeShare(const Joints& u) const {
  double rho = std::numeric_limits<double>::infinity();
  for (int i = 0; i < n_; ++i) rho = std::min(rho, limits_.brake[i] / std::abs(u[i]));
  return rho;
}

Joints Arm::Brake(const RobotState&, const Joints& previous) const {
  Joints next{};
  double sum = 0;
  for (int i = 0; i < n_; ++i) sum += previous[i];
  const double share = 1.0 - BrakeShare(previous) * period_s_;
  // A share or a command that is not a number ends in standstill.
  if (!(share > 0) || !std::isfinite(sum)) return next;
  for (int i = 0; i < n_; ++i) next[i] = share * previous[i];
  return next;
}

double Arm::Clearance(const Placement& placement, std::span<const math::Capsule> obstacles,
                      std::span<const double> reach_m, double enough_m) const {
  return LinkClearance(placement, obstacles, reach_m, enough_m);
}

double Arm::SweepClearance(const Manoeuvre& manoeuvre, std::span<const math::Capsule> obstacles,
                           std::span<const double> grown_m, double enough_m) const {
  return LinkSweepClearance(manoeuvre, obstacles, grown_m, enough_m);
}

int Arm::Near(const RobotState&, const Placement& placement,
              std::span<const math::Capsule> obstacles, double horizon_m,
              std::span<Nearness> out) const {
  std::array<NearPair, kMaxNearPairs> pairs;
  const int capacity = std::min(kMaxNearPairs, static_cast<int>(out.size()));
  const int n = NearestPairs(placement, obstacles, horizon_m, capacity, pairs);
  for (int i = 0; i < n; ++i) {
    out[i] = Nearness{};
    out[i].distance_m = pairs[i].distance_m;
    out[i].link = pairs[i].link;
    out[i].obstacle = pairs[i].obstacle;
    for (int j = 0; j <= link_joint_[pairs[i].link]; ++j) {
      const Axis& axis = placement.joint[j];
      out[i].gradient[j] =
          -Dot(pairs[i].direction_W, Cross(axis.direction_W, pairs[i].on_link_W - axis.origin_W));
    }
  }
  return n;
}

void Arm::BoundSpeed(const ArmFrames& frames, const Placement& placement, const Joints& u,
                     LinkMotion* motion) const {
  // Twist of every link, from the base out: omega and the velocity of the link's frame origin.
  std::array<Vec3, kMaxDof> omega, v, origin;
  std::array<double, kMaxDof> spin;
  Vec3 w{}, velocity{}, at{};
  for (int j = 0; j < n_; ++j) {
    origin[j] = ToVec3(frames.p[j]);
    velocity = velocity + Cross(w, origin[j] - at);
    at = origin[j];
    w = w + u[j] * ToVec3(frames.z[j]);
    omega[j] = w;
    v[j] = velocity;
    spin[j] = Norm(w);
  }
  for (int k = 0; k < n_links_; ++k) {
    const int j = link_joint_[k];
    if (j < 0) {
      motion->speed[k] = 0;
      continue;
    }
    // Velocity is affine along the axis, so its norm is largest at an end; the skin adds |omega|
    // radius.
    const math::Capsule& c = placement.link_W[k];
    const Vec3 va = v[j] + Cross(omega[j], c.a - origin[j]);
    const Vec3 vb = v[j] + Cross(omega[j], c.b - origin[j]);
    motion->speed[k] = std::sqrt(std::max(Dot(va, va), Dot(vb, vb))) + spin[j] * c.radius;
  }
}

void Arm::BoundAcceleration(const Joints& u, LinkMotion* motion) const {
  for (int k = 0; k < n_links_; ++k) {
    double sum = 0, inner = 0;  // inner: sum of |u_i|, i < j
    for (int j = 0; j <= link_joint_[k]; ++j) {
      const double rate = std::abs(u[j]);
      sum += rate * lever_[k][j] * (rate + 2 * inner);
      inner += rate;
    }
    motion->acceleration[k] = sum;
  }
}

}  // namespace saferl::robot
