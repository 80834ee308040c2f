#include "saferl/robot/human.h"

#include <algorithm>

namespace saferl::robot {
namespace {

constexpr std::array<std::string_view, kBodyJoints> kNames = {
    "pelvis",  "abdomen", "chest",      "neck",    "head",    "r_shoulder",
    "r_elbow", "r_wrist", "l_shoulder", "l_elbow", "l_wrist", "r_hip",
    "r_knee",  "r_ankle", "l_hip",      "l_knee",  "l_ankle"};

/// The point `more_m` beyond b, seen from a.
math::Vec3 Beyond(math::Vec3 a, math::Vec3 b, double more_m) {
  return b + more_m * math::Normalized(b - a);
}

}  // namespace

std::string_view Name(BodyJoint joint) {
  const auto index = static_cast<size_t>(joint);
  return index < kNames.size() ? kNames[index] : "unknown";
}

int BodyParts(const Skeleton& skeleton, const BodyShape& shape, int64_t stamp_ns, uint8_t person,
              std::span<HumanPart> out) {
  using enum BodyJoint;
  const auto at = [&](BodyJoint joint) { return skeleton[static_cast<size_t>(joint)]; };
  int n = 0;
  const auto add = [&](Region region, math::Vec3 a, math::Vec3 b, double radius) {
    if (static_cast<size_t>(n) >= out.size()) return;
    out[n] = {.capsule_W = {a, b, radius},
              .stamp_ns = stamp_ns,
              .region = region,
              .person = person,
              .track = static_cast<uint16_t>(n)};
    ++n;
  };
  // The neck is held to the skull's stricter limits.
  add(Region::kSkull, at(kNeck), Beyond(at(kNeck), at(kHead), shape.above_head_m), shape.skull_m);
  add(Region::kChest, at(kChest), at(kNeck), shape.chest_m);
  add(Region::kAbdomen, at(kAbdomen), at(kChest), shape.abdomen_m);
  add(Region::kPelvis, at(kRightHip), at(kLeftHip), shape.pelvis_m);
  struct Side {
    BodyJoint shoulder, elbow, wrist, hip, knee, ankle;
  };
  for (const Side& s :
       {Side{kRightShoulder, kRightElbow, kRightWrist, kRightHip, kRightKnee, kRightAnkle},
        Side{kLeftShoulder, kLeftElbow, kLeftWrist, kLeftHip, kLeftKnee, kLeftAnkle}}) {
    add(Region::kUpperArm, at(s.shoulder), at(s.elbow), shape.upper_arm_m);
    add(Region::kForearm, at(s.elbow), at(s.wrist), shape.forearm_m);
    add(Region::kHand, at(s.wrist), Beyond(at(s.elbow), at(s.wrist), shape.beyond_wrist_m),
        shape.hand_m);
    add(Region::kThigh, at(s.hip), at(s.knee), shape.thigh_m);
    add(Region::kLowerLeg, at(s.knee), at(s.ankle), shape.lower_leg_m);
  }
  return n;
}

HumanPart Pedestrian(double x, double y, int64_t stamp_ns, uint8_t person, double radius_m,
                     double height_m) {
  const double top = std::max(radius_m, height_m - radius_m);
  return {.capsule_W = {{x, y, std::min(radius_m, top)}, {x, y, top}, radius_m},
          .stamp_ns = stamp_ns,
          .region = Region::kPedestrian,
          .person = person,
          .track = 0};
}

}  // namespace saferl::robot
