#include "saferl/base/config.h"
#include "saferl/robot/robot_file.h"
#include "saferl/robot/wheelchair.h"

namespace saferl::robot {
namespace {

struct FootprintSection {
  double rear_m = 0, front_m = 0, half_width_m = 0;
  template <class V>
  static void Visit(V& v, FootprintSection& s) {
    v.Field("rear_m", s.rear_m,
            {.doc = "rear end, x in the body frame",
             .unit = "m",
             .min = -3,
             .max = -0.01,
             .required = true});
    v.Field("front_m", s.front_m,
            {.doc = "front end, x in the body frame",
             .unit = "m",
             .min = 0.01,
             .max = 3,
             .required = true});
    v.Field("half_width_m", s.half_width_m,
            {.doc = "half of the width", .unit = "m", .min = 0.05, .max = 2, .required = true});
  }
};

struct TipOverSection {
  double com_height_m = 0, front_m = 0, rear_m = 0, side_m = 0;
  template <class V>
  static void Visit(V& v, TipOverSection& s) {
    v.Field("com_height_m", s.com_height_m,
            {.doc = "centre of mass above the floor, with rider",
             .unit = "m",
             .min = 0.05,
             .max = 3,
             .required = true});
    v.Field("front_m", s.front_m,
            {.doc = "from the centre of mass forward to the wheels' contact",
             .unit = "m",
             .min = 0.01,
             .max = 3,
             .required = true});
    v.Field("rear_m", s.rear_m,
            {.doc = "backward to the wheels' contact",
             .unit = "m",
             .min = 0.01,
             .max = 3,
             .required = true});
    v.Field("side_m", s.side_m,
            {.doc = "sideways to a wheel's contact",
             .unit = "m",
             .min = 0.01,
             .max = 3,
             .required = true});
  }
};

struct LidarSection {
  double x_m = 0, y_m = 0, z_m = 0;
  template <class V>
  static void Visit(V& v, LidarSection& s) {
    v.Field("x_m", s.x_m,
            {.doc = "origin of the lidar in the body frame", .unit = "m", .min = -3, .max = 3});
    v.Field("y_m", s.y_m,
            {.doc = "origin of the lidar in the body frame", .unit = "m", .min = -3, .max = 3});
    v.Field("z_m", s.z_m,
            {.doc = "origin of the lidar in the body frame", .unit = "m", .min = 0, .max = 3});
  }
};

struct LimitsSection {
  double speed_min_m_s = 0, speed_max_m_s = 0, turn_max_rad_s = 0, speed_rate_m_s2 = 0,
         turn_rate_rad_s2 = 0, speed_brake_m_s2 = 0, turn_brake_rad_s2 = 0;
  template <class V>
  static void Visit(V& v, LimitsSection& s) {
    v.Field("speed_min_m_s", s.speed_min_m_s,
            {.doc = "fastest backward speed, negative",
             .unit = "m/s",
             .min = -10,
             .max = 0,
             .required = true});
    v.Field(
        "speed_max_m_s", s.speed_max_m_s,
        {.doc = "fastest forward speed", .unit = "m/s", .min = 0.05, .max = 10, .required = true});
    v.Field("turn_max_rad_s", s.turn_max_rad_s,
            {.doc = "fastest turn to either side",
             .unit = "rad/s",
             .min = 0.05,
             .max = 20,
             .required = true});
    v.Field("speed_rate_m_s2", s.speed_rate_m_s2,
            {.doc = "change of speed while driving",
             .unit = "m/s^2",
             .min = 0.01,
             .max = 50,
             .required = true});
    v.Field("turn_rate_rad_s2", s.turn_rate_rad_s2,
            {.doc = "change of turn rate while driving",
             .unit = "rad/s^2",
             .min = 0.01,
             .max = 200,
             .required = true});
    v.Field(
        "speed_brake_m_s2", s.speed_brake_m_s2,
        {.doc = "rated deceleration", .unit = "m/s^2", .min = 0.01, .max = 50, .required = true});
    v.Field("turn_brake_rad_s2", s.turn_brake_rad_s2,
            {.doc = "rated deceleration of turning",
             .unit = "rad/s^2",
             .min = 0.01,
             .max = 200,
             .required = true});
  }
};

struct UncertaintySection {
  double position_error_m = 0, yaw_error_rad = 0, speed_error_m_s = 0, turn_error_rad_s = 0,
         speed_tracking_m_s = 0, turn_tracking_rad_s = 0;
  template <class V>
  static void Visit(V& v, UncertaintySection& s) {
    v.Field("position_error_m", s.position_error_m,
            {.doc = "|measured - true| of x and of y",
             .unit = "m",
             .min = 0,
             .max = 1,
             .required = true});
    v.Field(
        "yaw_error_rad", s.yaw_error_rad,
        {.doc = "|measured - true| of yaw", .unit = "rad", .min = 0, .max = 1, .required = true});
    v.Field("speed_error_m_s", s.speed_error_m_s,
            {.doc = "|measured - true| of v", .unit = "m/s", .min = 0, .max = 2, .required = true});
    v.Field("turn_error_rad_s", s.turn_error_rad_s,
            {.doc = "|measured - true| of omega",
             .unit = "rad/s",
             .min = 0,
             .max = 2,
             .required = true});
    v.Field("speed_tracking_m_s", s.speed_tracking_m_s,
            {.doc = "|true v - acting command| while it drives",
             .unit = "m/s",
             .min = 0,
             .max = 2,
             .required = true});
    v.Field("turn_tracking_rad_s", s.turn_tracking_rad_s,
            {.doc = "|true omega - acting command| while it drives",
             .unit = "rad/s",
             .min = 0,
             .max = 2,
             .required = true});
  }
};

struct WheelchairFile {
  std::string kind, name;
  double period_s = 0, reaction_s = 0, state_age_s = 0, mass_kg = 0;
  FootprintSection footprint;
  TipOverSection tip_over;
  LidarSection lidar;
  LimitsSection limits;
  UncertaintySection uncertainty;
  template <class V>
  static void Visit(V& v, WheelchairFile& s) {
    v.Field("kind", s.kind, {.doc = "wheelchair", .required = true});
    v.Field("name", s.name, {.doc = "what reports call it", .required = true});
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
    v.Field("mass_kg", s.mass_kg,
            {.doc = "chair and rider", .unit = "kg", .min = 1, .max = 2000, .required = true});
    v.Field("footprint", s.footprint,
            {.doc = "rectangle around the point between the driven wheels", .required = true});
    v.Field("tip_over", s.tip_over, {.doc = "centre of mass and support", .required = true});
    v.Field("lidar", s.lidar, {.doc = "where the planar lidar sits"});
    v.Field("limits", s.limits,
            {.doc = "what the drive may be asked for and how it brakes", .required = true});
    v.Field("uncertainty", s.uncertainty,
            {.doc = "how far measurement and motion may be off", .required = true});
  }
};

WheelchairConfig ToConfig(const WheelchairFile& file) {
  WheelchairConfig c;
  c.name = file.name;
  c.period_s = file.period_s;
  c.reaction_s = file.reaction_s;
  c.state_age_s = file.state_age_s;
  c.mass_kg = file.mass_kg;
  c.footprint = {file.footprint.rear_m, file.footprint.front_m, file.footprint.half_width_m};
  c.tip_over = {file.tip_over.com_height_m, file.tip_over.front_m, file.tip_over.rear_m,
                file.tip_over.side_m};
  c.p_BLidar = {file.lidar.x_m, file.lidar.y_m, file.lidar.z_m};
  const LimitsSection& l = file.limits;
  c.limits.command_lower = {l.speed_min_m_s, -l.turn_max_rad_s};
  c.limits.command_upper = {l.speed_max_m_s, l.turn_max_rad_s};
  c.limits.command_rate = {l.speed_rate_m_s2, l.turn_rate_rad_s2};
  c.limits.brake = {l.speed_brake_m_s2, l.turn_brake_rad_s2};
  const UncertaintySection& u = file.uncertainty;
  c.q_error = {u.position_error_m, u.position_error_m, u.yaw_error_rad};
  c.qd_error = {u.speed_error_m_s, u.turn_error_rad_s};
  c.tracking_error = {u.speed_tracking_m_s, u.turn_tracking_rad_s};
  return c;
}

}  // namespace

StatusOr<std::shared_ptr<const RobotModel>> ReadWheelchair(const Node& file,
                                                           std::span<const Override> overrides) {
  SAFERL_ASSIGN_OR_RETURN(const WheelchairFile read, config::Read<WheelchairFile>(file));
  WheelchairConfig config = ToConfig(read);
  if (const Status status = Wheelchair::Create(config).status(); !status.ok()) {
    return file.Error(Cat(status.message()));
  }
  for (const Override& change : overrides) {
    if (!ApplyCommonOverride(change, &config)) return UnknownOverride(change);
  }
  return std::make_shared<const Wheelchair>(config);
}

}  // namespace saferl::robot
