#pragma once
// What the robot and its sensors say at one instant: plain data, fixed size, shared by every stage
// above.
//
// Units: SI. Frames: W = world (z up). Unused tail entries of every array are zero.
// RT: yes: trivially copyable, no pointers, so that a record can be logged and replayed bit for
// bit.

#include <array>
#include <cstdint>
#include <span>
#include <type_traits>

#include "saferl/math/geometry.h"

namespace saferl::robot {

inline constexpr int kMaxDof = 8;      ///< joints, or components of a base's twist
inline constexpr int kMaxLinks = 12;   ///< collision capsules of a robot
inline constexpr int kMaxParts = 32;   ///< tracked human body parts (all people together)
inline constexpr int kMaxLidar = 360;  ///< beams of a planar lidar

/// One number per degree of freedom. Wheelchair: q = (x, y, yaw) [m, m, rad], qd and commands = (v,
/// omega) [m/s, rad/s]. Arm: joint angles [rad], commands = joint velocities [rad/s]. Exoskeleton:
/// (right hip, right knee, left hip, left knee) [rad], commands = joint torques [Nm].
using Joints = std::array<double, kMaxDof>;

/// Body regions of ISO/TS 15066 Annex A, plus the whole-body column used for a pedestrian.
enum class Region : uint8_t {
  kPedestrian,
  kSkull,
  kFace,
  kNeck,
  kBack,
  kChest,
  kAbdomen,
  kPelvis,
  kUpperArm,
  kForearm,
  kHand,
  kThigh,
  kLowerLeg,
  kCount,
};
/// True for parts that a reaching arm moves (2.0 m/s by default instead of 1.6, ISO 13855).
constexpr bool IsReaching(Region region) {
  return region == Region::kUpperArm || region == Region::kForearm || region == Region::kHand;
}

/// One measured body part: a capsule in W, true within the configured error of where it was at
/// `stamp_ns`.
struct HumanPart {
  math::Capsule capsule_W;  ///< [m]
  int64_t stamp_ns = 0;     ///< when it was measured, on the tick's clock
  Region region = Region::kPedestrian;
  uint8_t person = 0;  ///< which tracked person, for identity over time
  uint16_t track = 0;  ///< which body part of that person, unique within the person
};

/// Measured joint state.
struct RobotState {
  int64_t stamp_ns = 0;
  Joints q{};   ///< see Joints
  Joints qd{};  ///< measured rates, same order as the command where that is a velocity
};

/// Everything that was measured, as one value. Written by the sensors' adapter, read-only
/// afterwards.
struct Observation {
  int64_t stamp_ns = 0;   ///< when this record was assembled
  uint64_t sequence = 0;  ///< grows by one with every new record
  RobotState robot;
  Joints interaction{};         ///< exoskeleton: measured torque between wearer and robot [Nm] (n)
  int64_t people_stamp_ns = 0;  ///< last word from the people tracker, also when it sees nobody
  int64_t lidar_stamp_ns = 0;   ///< last lidar sweep; 0 = this robot has none
  int32_t n_parts = 0;
  int32_t n_lidar = 0;  ///< beams; beam i points at -pi + 2 pi i / n_lidar in the body frame
  std::array<HumanPart, kMaxParts> parts{};
  std::array<float, kMaxLidar>
      lidar_m{};  ///< range from the lidar's origin [m]; +inf = nothing in range

  std::span<const HumanPart> people() const { return {parts.data(), static_cast<size_t>(n_parts)}; }
  std::span<const float> lidar() const { return {lidar_m.data(), static_cast<size_t>(n_lidar)}; }
};
static_assert(std::is_trivially_copyable_v<Observation>);

}  // namespace saferl::robot
