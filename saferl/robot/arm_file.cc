#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "saferl/base/config.h"
#include "saferl/base/file.h"
#include "saferl/robot/arm.h"
#include "saferl/robot/robot_file.h"
#include "saferl/robot/urdf_adapter.h"

namespace saferl::robot {
namespace {

using Triple = std::array<double, 3>;

struct BaseSection {
  Triple position_m{}, rpy_rad{};
  template <class V>
  static void Visit(V& v, BaseSection& s) {
    v.Field("position_m", s.position_m,
            {.doc = "origin of the base link in the world", .unit = "m", .min = -100, .max = 100});
    v.Field("rpy_rad", s.rpy_rad,
            {.doc = "roll, pitch, yaw of the base link in the world",
             .unit = "rad",
             .min = -7,
             .max = 7});
  }
};

struct LinkSection {
  std::string link;
  Triple from_m{}, to_m{};
  double radius_m = 0;
  template <class V>
  static void Visit(V& v, LinkSection& s) {
    v.Field("link", s.link, {.doc = "URDF link that the capsule moves with", .required = true});
    v.Field("from_m", s.from_m,
            {.doc = "one end of its axis in the link's frame",
             .unit = "m",
             .min = -5,
             .max = 5,
             .required = true});
    v.Field("to_m", s.to_m,
            {.doc = "the other end", .unit = "m", .min = -5, .max = 5, .required = true});
    v.Field("radius_m", s.radius_m,
            {.doc = "all of the link's skin lies this near the axis",
             .unit = "m",
             .min = 0.001,
             .max = 2,
             .required = true});
  }
};

struct LimitsSection {
  std::vector<double> joint_rate_rad_s2, joint_brake_rad_s2, joint_speed_rad_s;
  template <class V>
  static void Visit(V& v, LimitsSection& s) {
    v.Field("joint_rate_rad_s2", s.joint_rate_rad_s2,
            {.doc = "change of each joint's speed while driving",
             .unit = "rad/s^2",
             .min = 0.01,
             .max = 1000,
             .required = true});
    v.Field("joint_brake_rad_s2", s.joint_brake_rad_s2,
            {.doc = "rated deceleration of each joint",
             .unit = "rad/s^2",
             .min = 0.01,
             .max = 1000,
             .required = true});
    v.Field("joint_speed_rad_s", s.joint_speed_rad_s,
            {.doc = "largest speed, where lower than the URDF's",
             .unit = "rad/s",
             .min = 0.001,
             .max = 100});
  }
};

struct UncertaintySection {
  std::vector<double> angle_error_rad, speed_error_rad_s, tracking_rad_s;
  template <class V>
  static void Visit(V& v, UncertaintySection& s) {
    v.Field("angle_error_rad", s.angle_error_rad,
            {.doc = "|measured - true| of each joint",
             .unit = "rad",
             .min = 0,
             .max = 1,
             .required = true});
    v.Field("speed_error_rad_s", s.speed_error_rad_s,
            {.doc = "|measured - true| of each joint's speed",
             .unit = "rad/s",
             .min = 0,
             .max = 5,
             .required = true});
    v.Field("tracking_rad_s", s.tracking_rad_s,
            {.doc = "|true speed - acting command| while it drives",
             .unit = "rad/s",
             .min = 0,
             .max = 5,
             .required = true});
  }
};

struct ArmFile {
  std::string kind, name, urdf, base_link, tip_link;
  double period_s = 0, reaction_s = 0, state_age_s = 0;
  BaseSection base;
  std::vector<double> home_rad;
  LimitsSection limits;
  UncertaintySection uncertainty;
  std::vector<LinkSection> links;
  template <class V>
  static void Visit(V& v, ArmFile& s) {
    v.Field("kind", s.kind, {.doc = "arm", .required = true});
    v.Field("name", s.name, {.doc = "what reports call it", .required = true});
    v.Field("urdf", s.urdf, {.doc = "URDF file, relative to this file", .required = true});
    v.Field("base_link", s.base_link, {.doc = "URDF link that stands still", .required = true});
    v.Field("tip_link", s.tip_link, {.doc = "URDF link of the tool", .required = true});
    v.Field("period_s", s.period_s,
            {.doc = "control period", .unit = "s", .min = 0.0001, .max = 1, .required = true});
    v.Field("reaction_s", s.reaction_s,
            {.doc = "worst delay until a command acts",
             .unit = "s",
             .min = 0,
             .max = 2,
             .required = true});
    v.Field("state_age_s", s.state_age_s,
            {.doc = "oldest state that a decision may use",
             .unit = "s",
             .min = 0,
             .max = 1,
             .required = true});
    v.Field("base", s.base, {.doc = "where the arm is mounted"});
    v.Field("home_rad", s.home_rad,
            {.doc = "a comfortable posture", .unit = "rad", .min = -7, .max = 7});
    v.Field("limits", s.limits,
            {.doc = "what the joints may be asked for and how they brake", .required = true});
    v.Field("uncertainty", s.uncertainty,
            {.doc = "how far measurement and motion may be off", .required = true});
    v.Field("links", s.links,
            {.doc = "capsules around the links",
             .required = true,
             .min_size = 1,
             .max_size = kMaxLinks});
  }
};

math::Vec3 ToVec3(const Triple& t) { return {t[0], t[1], t[2]}; }

/// Copies a per-joint list of the file; one number stands for every joint.
Status Spread(const Node& file, const std::string& field, const std::vector<double>& from, int n,
              Joints* to) {
  const size_t size = from.size();
  if (size != 1 && size != static_cast<size_t>(n)) {
    return file.Error(Cat(field, ": has ", size, " numbers; give 1, or ", n,
                          " (one for each turning joint of the URDF)"));
  }
  for (int i = 0; i < n; ++i) (*to)[i] = from[size == 1 ? 0 : i];
  return absl::OkStatus();
}

/// A rotation that takes z to `axis`.
math::Mat3 ZTo(math::Vec3 axis) {
  const math::Vec3 z{0, 0, 1};
  const math::Vec3 turn = math::Cross(z, axis);
  const double sine = math::Norm(turn), cosine = axis.z;
  if (sine < 1e-12)
    return cosine > 0 ? math::Mat3{} : math::RollPitchYaw(3.14159265358979323846, 0, 0);
  return math::AxisAngle((1.0 / sine) * turn, std::atan2(sine, cosine));
}

/// The turning joints with fixed ones merged, and where every link's frame sits on them.
struct Chain {
  struct Frame {
    int joint;           ///< -1: base
    math::Pose x_JLink;  ///< the link in the joint's frame
  };
  std::map<std::string, Frame> frame;
};

Status BuildChain(const Node& file, const UrdfChain& urdf, const ArmFile& read, ArmConfig* config,
                  Chain* chain) {
  int joint = -1;
  math::Pose x_JLink;
  chain->frame[read.base_link] = {-1, {}};
  Limits& l = config->limits;
  for (const UrdfJoint& u : urdf.joints) {
    const math::Pose x_JChild = x_JLink * u.x_PJ;
    if (!u.turns) {
      x_JLink = x_JChild;
    } else {
      if (++joint >= kMaxDof)
        return file.Error(
            Cat("urdf: more than ", kMaxDof, " turning joints between base_link and tip_link"));
      const math::Mat3 z_to_axis = ZTo(u.axis);
      config->joints.push_back({u.name, {x_JChild.r * z_to_axis, x_JChild.p}});
      x_JLink = {math::Transpose(z_to_axis), {}};
      l.q_lower[joint] = u.lower_rad;
      l.q_upper[joint] = u.upper_rad;
      l.qd_max[joint] = u.velocity_rad_s;
      l.effort_max[joint] = u.effort_nm;
      l.power_max[joint] = std::numeric_limits<double>::infinity();
    }
    chain->frame[u.child_link] = {joint, x_JLink};
  }
  config->x_LastTool = x_JLink;
  if (joint < 0) return file.Error("urdf: no turning joint between base_link and tip_link");
  return absl::OkStatus();
}

Status BuildLinks(const Node& file, const ArmFile& read, const Chain& chain, ArmConfig* config) {
  std::vector<std::string> names;
  for (const auto& [name, unused] : chain.frame) names.push_back(name);
  for (size_t i = 0; i < read.links.size(); ++i) {
    const LinkSection& link = read.links[i];
    const auto at = chain.frame.find(link.link);
    if (at == chain.frame.end()) {
      const std::optional<std::string> nearest = Nearest(link.link, names);
      return file.Error(
          Cat("links[", i, "].link: '", link.link, "' is not between base_link and tip_link; ",
              nearest ? Cat("did you mean '", *nearest, "'?") : "name a link of the URDF's chain"));
    }
    const math::Pose& x = at->second.x_JLink;
    config->links.push_back({link.link,
                             at->second.joint,
                             {x * ToVec3(link.from_m), x * ToVec3(link.to_m), link.radius_m}});
  }
  return absl::OkStatus();
}

StatusOr<ArmConfig> ToConfig(const Node& file, const ArmFile& read) {
  ArmConfig c;
  c.name = read.name;
  c.period_s = read.period_s;
  c.reaction_s = read.reaction_s;
  c.state_age_s = read.state_age_s;
  c.x_WBase = {math::RollPitchYaw(read.base.rpy_rad[0], read.base.rpy_rad[1], read.base.rpy_rad[2]),
               ToVec3(read.base.position_m)};
  const size_t slash = file.source().rfind('/');
  c.urdf_path = read.urdf.starts_with('/') || slash == std::string::npos
                    ? read.urdf
                    : file.source().substr(0, slash + 1) + read.urdf;
  const StatusOr<std::string> text = ReadFile(c.urdf_path, kMaxUrdfBytes);
  if (!text.ok()) return file.Error(Cat("urdf: ", text.status().message()));
  const StatusOr<UrdfChain> urdf =
      ParseUrdfChain(*text, c.urdf_path, read.base_link, read.tip_link);
  if (!urdf.ok()) return file.Error(Cat("urdf: ", urdf.status().message()));
  Chain chain;
  SAFERL_RETURN_IF_ERROR(BuildChain(file, *urdf, read, &c, &chain));
  SAFERL_RETURN_IF_ERROR(BuildLinks(file, read, chain, &c));
  for (const UrdfSkin& skin : urdf->skins) {
    const Chain::Frame& frame = chain.frame.at(skin.link);
    ArmSkin out{skin.link, frame.joint, {}, skin.n_meshes};
    for (const math::Vec3 p : skin.points_m) out.points_m.push_back(frame.x_JLink * p);
    c.skins.push_back(std::move(out));
  }
  const int n = static_cast<int>(c.joints.size());
  SAFERL_RETURN_IF_ERROR(Spread(file, "limits.joint_rate_rad_s2", read.limits.joint_rate_rad_s2, n,
                                &c.limits.command_rate));
  SAFERL_RETURN_IF_ERROR(Spread(file, "limits.joint_brake_rad_s2", read.limits.joint_brake_rad_s2,
                                n, &c.limits.brake));
  SAFERL_RETURN_IF_ERROR(
      Spread(file, "uncertainty.angle_error_rad", read.uncertainty.angle_error_rad, n, &c.q_error));
  SAFERL_RETURN_IF_ERROR(Spread(file, "uncertainty.speed_error_rad_s",
                                read.uncertainty.speed_error_rad_s, n, &c.qd_error));
  SAFERL_RETURN_IF_ERROR(Spread(file, "uncertainty.tracking_rad_s", read.uncertainty.tracking_rad_s,
                                n, &c.tracking_error));
  Joints speed = c.limits.qd_max;
  if (!read.limits.joint_speed_rad_s.empty())
    SAFERL_RETURN_IF_ERROR(
        Spread(file, "limits.joint_speed_rad_s", read.limits.joint_speed_rad_s, n, &speed));
  for (int i = 0; i < n; ++i) {
    c.limits.qd_max[i] = std::min(c.limits.qd_max[i], speed[i]);
    c.limits.command_upper[i] = c.limits.qd_max[i];
    c.limits.command_lower[i] = -c.limits.qd_max[i];
    c.home[i] = std::clamp(0.0, c.limits.q_lower[i], c.limits.q_upper[i]);
  }
  if (!read.home_rad.empty())
    SAFERL_RETURN_IF_ERROR(Spread(file, "home_rad", read.home_rad, n, &c.home));
  return c;
}

}  // namespace

StatusOr<std::shared_ptr<const RobotModel>> ReadArm(const Node& file,
                                                    std::span<const Override> overrides) {
  SAFERL_ASSIGN_OR_RETURN(const ArmFile read, config::Read<ArmFile>(file));
  SAFERL_ASSIGN_OR_RETURN(ArmConfig config, ToConfig(file, read));
  if (const Status status = Arm::Create(config).status(); !status.ok())
    return file.Error(Cat(status.message()));
  for (const Override& change : overrides) {
    if (!ApplyCommonOverride(change, &config)) return UnknownOverride(change);
  }
  return std::make_shared<const Arm>(config);
}

}  // namespace saferl::robot
