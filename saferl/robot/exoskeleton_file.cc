#include "saferl/base/config.h"
#include "saferl/robot/exoskeleton.h"
#include "saferl/robot/robot_file.h"

namespace saferl::robot {
namespace {

/// Hip, knee; both legs alike.
using Pair = std::array<double, 2>;

struct LegSection {
  LegData leg;
  template <class V>
  static void Visit(V& v, LegSection& s) {
    const auto length = [&](const char* key, double& field, const char* doc) {
      v.Field(key, field, {.doc = doc, .unit = "m", .min = 0.01, .max = 2, .required = true});
    };
    length("hip_height_m", s.leg.hip_height_m, "hip axis above the floor");
    length("hip_half_width_m", s.leg.hip_half_width_m, "sideways from the middle to each leg");
    length("thigh_length_m", s.leg.thigh_length_m, "hip to knee");
    length("shank_length_m", s.leg.shank_length_m, "knee to ankle");
    v.Field("thigh_mass_kg", s.leg.thigh_mass_kg,
            {.doc = "thigh and device", .unit = "kg", .min = 0.1, .max = 50, .required = true});
    v.Field(
        "shank_mass_kg", s.leg.shank_mass_kg,
        {.doc = "shank, foot and device", .unit = "kg", .min = 0.1, .max = 50, .required = true});
    length("thigh_com_m", s.leg.thigh_com_m, "centre of mass from the hip");
    length("shank_com_m", s.leg.shank_com_m, "centre of mass from the knee");
    v.Field("thigh_inertia_kg_m2", s.leg.thigh_inertia_kg_m2,
            {.doc = "about the centre of mass",
             .unit = "kg m^2",
             .min = 0.001,
             .max = 10,
             .required = true});
    v.Field("shank_inertia_kg_m2", s.leg.shank_inertia_kg_m2,
            {.doc = "about the centre of mass",
             .unit = "kg m^2",
             .min = 0.001,
             .max = 10,
             .required = true});
    length("thigh_radius_m", s.leg.thigh_radius_m, "capsule around thigh and shell");
    length("shank_radius_m", s.leg.shank_radius_m, "capsule around shank and shell");
  }
};

struct LimitsSection {
  Pair angle_min_rad{}, angle_max_rad{}, speed_max_rad_s{}, torque_max_nm{}, power_max_w{},
      torque_rate_nm_s{}, brake_rad_s2{};
  template <class V>
  static void Visit(V& v, LimitsSection& s) {
    v.Field("angle_min_rad", s.angle_min_rad,
            {.doc = "range of motion, extension",
             .unit = "rad",
             .min = -2.9,
             .max = 2.9,
             .required = true});
    v.Field("angle_max_rad", s.angle_max_rad,
            {.doc = "range of motion, flexion",
             .unit = "rad",
             .min = -2.9,
             .max = 2.9,
             .required = true});
    v.Field(
        "speed_max_rad_s", s.speed_max_rad_s,
        {.doc = "fastest joint rate", .unit = "rad/s", .min = 0.1, .max = 30, .required = true});
    v.Field("torque_max_nm", s.torque_max_nm,
            {.doc = "largest torque", .unit = "Nm", .min = 1, .max = 1000, .required = true});
    v.Field(
        "power_max_w", s.power_max_w,
        {.doc = "largest mechanical power", .unit = "W", .min = 1, .max = 10000, .required = true});
    v.Field("torque_rate_nm_s", s.torque_rate_nm_s,
            {.doc = "change of torque while driving",
             .unit = "Nm/s",
             .min = 1,
             .max = 100000,
             .required = true});
    v.Field("brake_rad_s2", s.brake_rad_s2,
            {.doc = "deceleration that braking asks for",
             .unit = "rad/s^2",
             .min = 0.1,
             .max = 1000,
             .required = true});
  }
};

struct UncertaintySection {
  Pair angle_error_rad{}, speed_error_rad_s{}, wearer_torque_nm{}, model_torque_nm{};
  template <class V>
  static void Visit(V& v, UncertaintySection& s) {
    v.Field("angle_error_rad", s.angle_error_rad,
            {.doc = "|measured - true|", .unit = "rad", .min = 0, .max = 0.5, .required = true});
    v.Field("speed_error_rad_s", s.speed_error_rad_s,
            {.doc = "|measured - true|", .unit = "rad/s", .min = 0, .max = 5, .required = true});
    v.Field("wearer_torque_nm", s.wearer_torque_nm,
            {.doc = "torque of the wearer's own muscles, any sign",
             .unit = "Nm",
             .min = 0,
             .max = 200,
             .required = true});
    v.Field("model_torque_nm", s.model_torque_nm,
            {.doc = "friction and errors of masses and lengths",
             .unit = "Nm",
             .min = 0,
             .max = 200,
             .required = true});
  }
};

struct BrakingSection {
  double damping_1_s = 0, soft_rad = 0;
  template <class V>
  static void Visit(V& v, BrakingSection& s) {
    v.Field("damping_1_s", s.damping_1_s,
            {.doc = "deceleration per rate while braking",
             .unit = "1/s",
             .min = 1,
             .max = 10000,
             .required = true});
    v.Field("soft_rad", s.soft_rad,
            {.doc = "zone in which the push from an end of the range fades in",
             .unit = "rad",
             .min = 0.001,
             .max = 1,
             .required = true});
  }
};

struct ExoskeletonFile {
  std::string kind, name;
  double period_s = 0, reaction_s = 0, state_age_s = 0;
  LegSection leg;
  LimitsSection limits;
  UncertaintySection uncertainty;
  BrakingSection braking;
  template <class V>
  static void Visit(V& v, ExoskeletonFile& s) {
    v.Field("kind", s.kind, {.doc = "exoskeleton", .required = true});
    v.Field("name", s.name, {.doc = "what reports call it", .required = true});
    v.Field("period_s", s.period_s,
            {.doc = "control period", .unit = "s", .min = 0.0001, .max = 0.1, .required = true});
    v.Field("reaction_s", s.reaction_s,
            {.doc = "worst delay until a torque acts",
             .unit = "s",
             .min = 0,
             .max = 0.1,
             .required = true});
    v.Field("state_age_s", s.state_age_s,
            {.doc = "oldest state that a decision may use",
             .unit = "s",
             .min = 0,
             .max = 0.1,
             .required = true});
    v.Field("leg", s.leg,
            {.doc = "lengths and masses of each leg with its device", .required = true});
    v.Field("limits", s.limits, {.doc = "hip and knee", .required = true});
    v.Field("uncertainty", s.uncertainty, {.doc = "hip and knee", .required = true});
    v.Field("braking", s.braking, {.doc = "the braking law", .required = true});
  }
};

Joints BothLegs(const Pair& pair, double sign = 1) {
  return {sign * pair[0], sign * pair[1], sign * pair[0], sign * pair[1]};
}

ExoskeletonConfig ToConfig(const ExoskeletonFile& file) {
  ExoskeletonConfig c;
  c.name = file.name;
  c.period_s = file.period_s;
  c.reaction_s = file.reaction_s;
  c.state_age_s = file.state_age_s;
  c.leg = file.leg.leg;
  const LimitsSection& l = file.limits;
  c.limits.command_lower = BothLegs(l.torque_max_nm, -1);
  c.limits.command_upper = c.limits.effort_max = BothLegs(l.torque_max_nm);
  c.limits.command_rate = BothLegs(l.torque_rate_nm_s);
  c.limits.brake = BothLegs(l.brake_rad_s2);
  c.limits.q_lower = BothLegs(l.angle_min_rad);
  c.limits.q_upper = BothLegs(l.angle_max_rad);
  c.limits.qd_max = BothLegs(l.speed_max_rad_s);
  c.limits.power_max = BothLegs(l.power_max_w);
  const UncertaintySection& u = file.uncertainty;
  c.q_error = BothLegs(u.angle_error_rad);
  c.qd_error = BothLegs(u.speed_error_rad_s);
  for (int j = 0; j < kExoJoints; ++j)
    c.tracking_error[j] = u.wearer_torque_nm[j % 2] + u.model_torque_nm[j % 2];
  c.damping_1_s = file.braking.damping_1_s;
  c.soft_rad = file.braking.soft_rad;
  return c;
}

}  // namespace

StatusOr<std::shared_ptr<const RobotModel>> ReadExoskeleton(const Node& file,
                                                            std::span<const Override> overrides) {
  SAFERL_ASSIGN_OR_RETURN(const ExoskeletonFile read, config::Read<ExoskeletonFile>(file));
  ExoskeletonConfig config = ToConfig(read);
  if (const Status status = Exoskeleton::Create(config).status(); !status.ok())
    return file.Error(Cat(status.message()));
  for (const Override& change : overrides) {
    if (!ApplyCommonOverride(change, &config)) return UnknownOverride(change);
  }
  return std::make_shared<const Exoskeleton>(config);
}

}  // namespace saferl::robot
