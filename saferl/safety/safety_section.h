#pragma once
// The `safety:` section of a robot file as typed structs: what LoadSafetyModel reads and
// docs/safety.md explains.
//
// Units are in the keys. RT: no. Errors: "file:line: field: problem; next step" (base/config.h).

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "saferl/base/status.h"
#include "saferl/robot/robot_model.h"

namespace saferl::safety {

struct HumanSection {
  double body_speed_m_s = 0, reach_speed_m_s = 0, error_m = 0, intrusion_m = 0;
  template <class V>
  static void Visit(V& v, HumanSection& s) {
    v.Field(
        "body_speed_m_s", s.body_speed_m_s,
        {.doc = "how fast a body moves", .unit = "m/s", .min = 0.1, .max = 10, .required = true});
    v.Field("reach_speed_m_s", s.reach_speed_m_s,
            {.doc = "how fast a reaching arm moves",
             .unit = "m/s",
             .min = 0.1,
             .max = 10,
             .required = true});
    v.Field("error_m", s.error_m,
            {.doc = "|measured - true| of any point of a part",
             .unit = "m",
             .min = 0.001,
             .max = 1,
             .required = true});
    v.Field("intrusion_m", s.intrusion_m,
            {.doc = "reach past what is tracked (C)", .unit = "m", .min = 0, .max = 2});
  }
};

struct LidarErrorSection {
  double error_m = 0, fill_m = 0;
  template <class V>
  static void Visit(V& v, LidarErrorSection& s) {
    v.Field("error_m", s.error_m,
            {.doc = "|measured - true| of a range", .unit = "m", .min = 0.001, .max = 0.5});
    v.Field(
        "fill_m", s.fill_m,
        {.doc = "unseen between two beams on one surface", .unit = "m", .min = 0.001, .max = 0.5});
  }
};

struct TipOverLimits {
  double slope_rad = 0, side_shift_m = 0, hardest_braking = 1;
  template <class V>
  static void Visit(V& v, TipOverLimits& s) {
    v.Field("slope_rad", s.slope_rad,
            {.doc = "steepest floor, any direction", .unit = "rad", .min = 0, .max = 0.5});
    v.Field("side_shift_m", s.side_shift_m,
            {.doc = "sideways shift of the centre of mass by the rider",
             .unit = "m",
             .min = 0,
             .max = 1});
    v.Field("hardest_braking", s.hardest_braking,
            {.doc = "strongest deceleration over the rated one", .unit = "1", .min = 1, .max = 5});
  }
};

struct CapsuleSection {
  std::array<double, 3> a_m{}, b_m{};
  double radius_m = 0;
  template <class V>
  static void Visit(V& v, CapsuleSection& s) {
    v.Field("a_m", s.a_m, {.doc = "one end of the axis, in W", .unit = "m", .required = true});
    v.Field("b_m", s.b_m, {.doc = "other end of the axis, in W", .unit = "m", .required = true});
    v.Field("radius_m", s.radius_m,
            {.doc = "radius", .unit = "m", .min = 0.001, .max = 100, .required = true});
  }
};

struct HalfSpaceSection {
  std::array<double, 3> normal{};
  double offset_m = 0;
  template <class V>
  static void Visit(V& v, HalfSpaceSection& s) {
    v.Field("normal", s.normal,
            {.doc = "unit vector out of the workspace, in W", .unit = "1", .required = true});
    v.Field("offset_m", s.offset_m,
            {.doc = "normal . p stays below this", .unit = "m", .required = true});
  }
};

struct ContactSection {
  double robot_mass_kg = 0;
  std::vector<std::string> regions;
  template <class V>
  static void Visit(V& v, ContactSection& s) {
    v.Field("robot_mass_kg", s.robot_mass_kg,
            {.doc = "effective mass, half the moving mass plus load",
             .unit = "kg",
             .min = 0.1,
             .max = 1000});
    v.Field("regions", s.regions, {.doc = "regions whose contact is limited instead of avoided"});
  }
};

struct SafetySection {
  HumanSection human;
  LidarErrorSection lidar;
  TipOverLimits tip_over;
  std::vector<CapsuleSection> keep_out;
  std::vector<HalfSpaceSection> workspace;
  ContactSection contact;
  std::vector<double> interaction_torque_nm;
  double comfort_m = 0.02;
  std::vector<double> weight;
  int max_bisections = 6;

  template <class V>
  static void Visit(V& v, SafetySection& s) {
    v.Field("human", s.human, {.doc = "what people may do", .required = true});
    v.Field("lidar", s.lidar, {.doc = "errors of the planar lidar (wheelchair)"});
    v.Field("tip_over", s.tip_over, {.doc = "what the floor and the rider may do (wheelchair)"});
    v.Field("keep_out", s.keep_out, {.doc = "fixed capsules to stay clear of", .max_size = 32});
    v.Field("workspace", s.workspace,
            {.doc = "half-spaces that hold every link (arm)", .max_size = 16});
    v.Field("contact", s.contact, {.doc = "power and force limiting (arm)"});
    v.Field("interaction_torque_nm", s.interaction_torque_nm,
            {.doc = "torque on the wearer, per joint (exoskeleton)",
             .unit = "Nm",
             .min = 0.1,
             .max = 500});
    v.Field(
        "comfort_m", s.comfort_m,
        {.doc = "kept by the QP's rows on top of the proof", .unit = "m", .min = 0, .max = 0.5});
    v.Field("weight", s.weight,
            {.doc = "of each command component in the distance to the wish",
             .unit = "1/(command unit)^2",
             .min = 1e-6,
             .max = 1e6,
             .required = true});
    v.Field("max_bisections", s.max_bisections,
            {.doc = "between braking and the wish", .unit = "1", .min = 1, .max = 16});
  }
};

/// Reads the section from a robot file's text; `name` is what messages call it. The rest of the
/// file is not looked at.
StatusOr<SafetySection> ReadSafetySection(const std::string& text, const std::string& name);

/// Sets one number by its dotted path without "safety." ("human.error_m"); an error names the
/// nearest path.
Status ApplySafetyOverride(const std::string& path, double value, SafetySection* section);

}  // namespace saferl::safety
