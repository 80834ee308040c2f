#pragma once
// People as the robot sees them: capsules around measured joints, with the body regions of ISO/TS
// 15066.
//
// A skeleton has 17 joints, named and ordered as in the project's recordings (columns
// <joint>_{x,y,z}_m). BodyParts makes 14 capsules of them: skull with neck, chest, abdomen, pelvis,
// and upper arm, forearm, hand, thigh and lower leg of both sides. A pedestrian is one upright
// capsule. Units: m. Frames: W, z up. RT: yes. Total: a joint that is not a number gives capsules
// that are not, which the filter treats as not certified. Source: radii from the 95th percentile
// man of ISO 7250-2 breadths and depths, halved and rounded up (chest, abdomen,
//   pelvis: half of the depth; the breadth is covered by the arms beside it); unverified against
//   the standard's text.

#include <array>
#include <span>
#include <string_view>

#include "saferl/robot/types.h"

namespace saferl::robot {

enum class BodyJoint : uint8_t {
  kPelvis,
  kAbdomen,
  kChest,
  kNeck,
  kHead,
  kRightShoulder,
  kRightElbow,
  kRightWrist,
  kLeftShoulder,
  kLeftElbow,
  kLeftWrist,
  kRightHip,
  kRightKnee,
  kRightAnkle,
  kLeftHip,
  kLeftKnee,
  kLeftAnkle,
  kCount,
};
inline constexpr int kBodyJoints = static_cast<int>(BodyJoint::kCount);
inline constexpr int kBodyParts = 14;

/// "pelvis", "r_shoulder", ...: the joint's column prefix in recordings.
std::string_view Name(BodyJoint joint);

/// Joint positions in W, indexed by BodyJoint.
using Skeleton = std::array<math::Vec3, kBodyJoints>;

/// Capsule radii and what reaches beyond the last joint [m].
struct BodyShape {
  double skull_m = 0.13, chest_m = 0.17, abdomen_m = 0.17, pelvis_m = 0.17;
  double upper_arm_m = 0.07, forearm_m = 0.06, hand_m = 0.06, thigh_m = 0.11, lower_leg_m = 0.09;
  double above_head_m = 0.10;    ///< skull's axis beyond the head joint
  double beyond_wrist_m = 0.13;  ///< hand's axis beyond the wrist, along the forearm
};

/// Writes kBodyParts parts; `track` is the part's index. Returns how many fit into `out`.
int BodyParts(const Skeleton& skeleton, const BodyShape& shape, int64_t stamp_ns, uint8_t person,
              std::span<HumanPart> out);

/// A standing or walking person: an upright capsule whose top is at height_m and whose feet are on
/// the floor.
HumanPart Pedestrian(double x, double y, int64_t stamp_ns, uint8_t person, double radius_m = 0.25,
                     double height_m = 1.7);

}  // namespace saferl::robot
