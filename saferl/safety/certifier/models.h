#pragma once
// What the certifier reads from a robot's data file, and the three checks made from it.
// Units: SI. RT: no. Errors: file, line and field (robot_data.cc).

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "saferl/base/status.h"
#include "saferl/safety/certifier/certifier.h"
#include "saferl/safety/certifier/shapes.h"

namespace saferl::safety::certifier {

enum class RobotKind : uint8_t { kWheelchair, kArm, kExoskeleton };

/// One revolute joint of a chain and the capsules that ride on the link behind it.
struct ChainJoint {
  math::Pose X_PJ;  ///< joint frame in its parent link's frame, at q = 0
  math::Vec3 axis;  ///< unit, in the joint's frame
  bool fixed = false;
};
struct ChainCapsule {
  int joint = -1;         ///< rides behind this joint; -1 = on the base
  math::Capsule capsule;  ///< in that link's frame
};

/// normal . p <= offset for every point of every moving link.
struct HalfSpaceData {
  math::Vec3 normal_W;
  double offset_m = 0;
};

/// One leg with its part of the device [m, kg, kg m^2].
struct LegNumbers {
  double thigh_length = 0, thigh_mass = 0, thigh_com = 0, thigh_inertia = 0;
  double shank_mass = 0, shank_com = 0, shank_inertia = 0;
};

/// The promises of one robot. Arrays: the first n entries.
struct RobotData {
  RobotKind kind = RobotKind::kWheelchair;
  std::string name;
  int n = 0;
  double period_s = 0, reaction_s = 0, state_age_s = 0;
  robot::Joints command_lower{}, command_upper{}, command_rate{}, brake{};
  robot::Joints q_error{}, qd_error{}, tracking_error{};
  robot::Joints q_lower{}, q_upper{}, qd_max{}, effort_max{}, power_max{};

  // People and things fixed.
  double body_speed_m_s = 0, reach_speed_m_s = 0, human_error_m = 0, intrusion_m = 0;
  double lidar_error_m = 0, lidar_fill_m = 0;
  std::array<double, static_cast<size_t>(robot::Region::kCount)>
      contact_speed_m_s{};  ///< 0: no contact at all
  std::vector<math::Capsule> keep_out_W;

  // Wheelchair.
  PosedRectangle footprint;  ///< pose unused
  Point2 lidar_B;
  bool has_lidar = false;
  double com_height_m = 0, tip_side_m = 0, side_shift_m = 0, slope_rad = 0;

  // Arm.
  math::Pose X_WBase;
  robot::Joints home{};
  std::vector<HalfSpaceData> workspace;
  std::vector<ChainJoint> chain;
  std::vector<ChainCapsule> capsules;

  // Exoskeleton.
  LegNumbers leg;
  double damping_1_s = 0;
  robot::Joints interaction_max_nm{};
};

/// Reads the file by itself (base/yaml.h, and a small reader of URDF for arms).
StatusOr<RobotData> ReadRobotData(const std::string& name_or_path);

StatusOr<std::shared_ptr<const CertifierModel>> MakeWheelchair(const RobotData& data);
StatusOr<std::shared_ptr<const CertifierModel>> MakeArm(const RobotData& data);
StatusOr<std::shared_ptr<const CertifierModel>> MakeExoskeleton(const RobotData& data);

/// Bounds shared by the robots whose braking keeps the path (wheelchair, arm).
/// Share of the command lost per second of rated braking; +inf for u = 0.
double BrakeShare(const RobotData& data, const robot::Joints& u);
/// How far the true rates may stray from `command` over all: per component, the integral over time
/// of the largest difference to any command that may still act (history in `record`, `chain`), plus
/// its last moment.
struct Straying {
  robot::Joints integral{};  ///< [command unit * s]
  robot::Joints rate{};      ///< [command unit]
  double lasts_s = 0;        ///< from now
};
Straying StrayBound(const RobotData& data, const TickRecord& record, const CertifierData& chain,
                    double age_s);
/// Latest moment (from the start of the path) at which the robot can still move after sigma
/// seconds' worth of path.
double LatestMoment(double sigma, double rho, double hold_s, double period_s);
/// Radius by which a part has outgrown its measured capsule `later_s` from now.
double Growth(const RobotData& data, const robot::HumanPart& part, int64_t now_ns, double later_s);
bool AllFinite(const robot::Joints& v, int n);
/// u = kappa * previous with 0 <= kappa <= what rated braking leaves after a period.
bool IsPathBraking(const RobotData& data, const robot::Joints& previous, const robot::Joints& u);
/// Nothing moves and nothing that may still act asks for motion.
bool IsPathStandstill(const RobotData& data, const TickRecord& record, const CertifierData& chain);

}  // namespace saferl::safety::certifier
