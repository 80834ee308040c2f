#pragma once
// Serial arm of up to eight turning joints, commanded by joint velocities, with a capsule around
// every link.
//
// q, qd, commands: one per joint, base to tool [rad, rad/s]. Frames: W world; J_i the frame of
// joint i, its z axis the joint's axis, moving with the link behind it; X_WJ(i) = X_WJ(i-1) *
// X_PJ(i) * Rz(q_i). Braking law: all joints shrink in proportion, so that the joint path stays a
// straight line:
//   lambda' = -rho = -min_j brake_j / |u_j|     [1/s]
// Predict: q + u sigma, sigma in [0, length], 1 to 6 samples by how far the links move; tube
// derived in arm.cc.
//
// Assumed of the real arm (data/robots/<name>.yaml states the numbers; a breach must be detected
// above):
//   joint angles and rates measured within q_error and qd_error, at most state_age_s ago; commands
//   act within reaction_s in the order of issue and differ by at most max(rate, brake) * period
//   from one to the next; while the acting command is not zero, |true rate - acting command| <=
//   tracking_error; braking is at least rated.
// RT: yes, all but Create. Cost: Place 0.3 us, Predict 0.5 to 2.5 us, Clearance 0.1 to 0.5 us for
// 16 capsules. Source: DESIGN section 6; geometric Jacobian: Siciliano et al., Robotics (2009),
// section 3.1.

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "saferl/base/status.h"
#include "saferl/robot/brake_path.h"
#include "saferl/robot/robot_model.h"

namespace saferl::robot {

/// A joint as it enters the model: placed on the link before it, axis along its own z.
struct ArmJoint {
  std::string name;
  math::Pose x_PJ;  ///< in the frame before (base frame for the first), at q = 0
};

/// A capsule that moves with joint `joint` (-1: fixed to the base), in that joint's frame.
struct ArmLink {
  std::string name;
  int joint = -1;
  math::Capsule capsule;  ///< [m]
};

/// Points on a link's skin as the URDF draws it, in the frame of its joint: what the capsules have
/// to cover.
struct ArmSkin {
  std::string link;
  int joint = -1;
  std::vector<math::Vec3> points_m;
  int n_meshes = 0;  ///< shapes that were not looked into
};

/// Everything that the files say about an arm.
struct ArmConfig {
  std::string name = "arm";
  std::string urdf_path;  ///< where the kinematics came from; empty when built in code
  double period_s = 0, reaction_s = 0, state_age_s = 0;
  Limits limits;
  Joints q_error{}, qd_error{}, tracking_error{};
  Joints home{};                 ///< a comfortable posture [rad]
  math::Pose x_WBase;            ///< where the arm is mounted
  std::vector<ArmJoint> joints;  ///< 1 to kMaxDof
  std::vector<ArmLink> links;    ///< 1 to kMaxLinks
  std::vector<ArmSkin> skins;    ///< for CheckRobot only
  math::Pose x_LastTool;         ///< tool in the last joint's frame
};

/// Where every joint is at one q. Written by ForwardKinematics.
struct ArmPose {
  std::array<math::Pose, kMaxDof> x_WJ;  ///< (n)
};

struct ArmFrames;  // arm_frames.h

class Arm final : public RobotModel {
 public:
  /// Fails with a message that names the field when a number cannot belong to an arm.
  static StatusOr<std::shared_ptr<const Arm>> Create(const ArmConfig& config);
  /// Create without the checks: provers' mutants only. The counts must be in range all the same.
  explicit Arm(const ArmConfig& config);

  const ArmConfig& config() const { return config_; }
  const Joints& home() const { return config_.home; }

  void ForwardKinematics(const Joints& q, ArmPose* pose) const;
  /// Origin and orientation of the tool in W.
  math::Pose Tool(const ArmPose& pose) const { return pose.x_WJ[n_ - 1] * config_.x_LastTool; }
  /// Columns of the geometric Jacobian of a point p_W that moves with joint `joint`:
  /// v_W = sum_j columns[j] qd_j [m/rad]; zero past `joint`.
  void Jacobian(const ArmPose& pose, int joint, math::Vec3 p_W,
                std::span<math::Vec3> columns) const;
  /// Capsules of all links.
  void PlaceLinks(const ArmPose& pose, Placement* placement) const;
  /// Largest distance, over all q, of any point of link i from the axis of joint j [m]; 0 where j
  /// does not move i.
  double Lever(int link, int joint) const { return lever_[link][joint]; }
  /// Share of the command that rated braking takes away each second; +inf for u = 0.
  double BrakeShare(const Joints& u) const;

  void Place(const Joints& q, Placement* placement) const override;
  void Predict(const RobotState& state, const Joints& previous, const Joints& command,
               Manoeuvre* manoeuvre) const override;
  Joints Brake(const RobotState& state, const Joints& previous) const override;
  double Clearance(const Placement& placement, std::span<const math::Capsule> obstacles,
                   std::span<const double> reach_m, double enough_m) const override;
  double SweepClearance(const Manoeuvre& manoeuvre, std::span<const math::Capsule> obstacles,
                        std::span<const double> grown_m, double enough_m) const override;
  int Near(const RobotState& state, const Placement& placement,
           std::span<const math::Capsule> obstacles, double horizon_m,
           std::span<Nearness> out) const override;

 private:
  /// Bounds on how the links move when the joints run at the rates u.
  struct LinkMotion {
    std::array<double, kMaxLinks> speed{};  ///< of the fastest point at this pose [m/s]
    std::array<double, kMaxLinks>
        acceleration{};  ///< of any point at any pose, rates constant [m/s^2]
  };
  /// ForwardKinematics with the sines and cosines of q at hand.
  void Chain(const Joints& sine, const Joints& cosine, ArmFrames* frames) const;
  void PlaceLinks(const ArmFrames& frames, Placement* placement) const;
  void BoundSpeed(const ArmFrames& frames, const Placement& placement, const Joints& u,
                  LinkMotion* motion) const;
  void BoundAcceleration(const Joints& u, LinkMotion* motion) const;

  /// How far the true arm can stray, per link: off its path [m], in speed [m/s], and in speed by
  /// being off the path [m/s per share]; `_rate`: what each second adds.
  struct Strays {
    std::array<double, kMaxLinks> off{}, off_rate{}, drift{}, bend{}, bend_rate{};
  };
  Strays BoundStrays(const Joints& u, const std::array<Deviation, kMaxDof>& deviation) const;

  ArmConfig config_;
  std::array<math::Pose, kMaxDof> x_PJ_;  ///< with the base pose multiplied into the first
  std::array<int, kMaxLinks> link_joint_{};
  std::array<math::Capsule, kMaxLinks> capsule_{};  ///< in the joint's frame (W for joint -1)
  std::array<std::array<double, kMaxDof>, kMaxLinks> lever_{};
};

}  // namespace saferl::robot
