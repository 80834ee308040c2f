#pragma once
// Lower-limb exoskeleton, wearer inside: hip and knee of both legs, commanded by joint torques.
//
// q = (right hip, right knee, left hip, left knee) [rad], flexion positive, 0 = standing straight.
// Each leg is a planar two-link chain on a fixed trunk, in the plane x forward, z up; hips at (0,
// -+half width, height) in W.
//   M(q) qdd + bias(q, qd) = u + w,  bias = Coriolis and gravity,  |w_i| <= wearer_i + model_i:
//   anything, any time.
// Braking law (gravity held, motion damped, pushed back from the ends of the range):
//   u = M a + bias,  a_i = -sat(damping qd_i, B_i), turning into -+B_i where even full braking
//   would only just stop inside the range. What is left of B against the worst w is limits().brake
//   = net_brake(): proved in exoskeleton.cc.
// "Stopped" means no joint faster than rest_speed(): the wearer may still move slowly; the ends of
// the range hold.
//
// Assumed of the real device (data/robots/exoskeleton.yaml states the numbers; a breach must be
// detected above):
//   angles and rates measured within q_error and qd_error, at most state_age_s ago; a torque acts
//   within reaction_s of its issue, as commanded; reaction_s + state_age_s <= period_s, so that
//   only `previous` is still on its way.
// RT: yes, all but Create. Cost: Predict about 1 us, Brake 0.15 us.
// Source: DESIGN section 6; Siciliano et al., Robotics (2009), section 7.3 (two-link arm), 8.5
// (computed torque).

#include <array>
#include <memory>

#include "saferl/base/status.h"
#include "saferl/robot/robot_model.h"

namespace saferl::robot {

inline constexpr int kExoLegs = 2;  ///< right, left
inline constexpr int kExoJoints = 4;

/// One leg with its part of the device; both legs are alike.
struct LegData {
  double hip_height_m = 0, hip_half_width_m = 0;
  double thigh_length_m = 0, shank_length_m = 0;
  double thigh_mass_kg = 0, shank_mass_kg = 0;
  double thigh_com_m = 0, shank_com_m = 0;                  ///< from the hip; from the knee
  double thigh_inertia_kg_m2 = 0, shank_inertia_kg_m2 = 0;  ///< about the centre of mass
  double thigh_radius_m = 0, shank_radius_m = 0;
};

/// A leg's equation of motion at one state: qdd = inverse (u + w - bias).
struct LegDynamics {
  double mass[2][2];     ///< M [kg m^2], hip and knee
  double inverse[2][2];  ///< M^-1
  double bias[2];        ///< Coriolis and gravity [Nm]
};

struct ExoskeletonConfig {
  std::string name = "exoskeleton";
  double period_s = 0, reaction_s = 0, state_age_s = 0;
  LegData leg;
  Limits limits;  ///< all (4); brake: what is asked for, B
  Joints q_error{}, qd_error{};
  Joints tracking_error{};  ///< wearer's torque and model error together, w_max [Nm]
  double damping_1_s = 0;
  double soft_rad = 0;
};

class Exoskeleton final : public RobotModel {
 public:
  /// Fails when a number cannot be, or when B does not beat the worst disturbance (the message says
  /// by how much).
  static StatusOr<std::shared_ptr<const Exoskeleton>> Create(const ExoskeletonConfig& config);
  /// Create without the checks: provers' mutants only.
  explicit Exoskeleton(const ExoskeletonConfig& config);

  const ExoskeletonConfig& config() const { return config_; }
  /// Equation of motion of the leg whose hip is joint 2 leg; at any state.
  LegDynamics Dynamics(int leg, const Joints& q, const Joints& qd) const;
  /// Accelerations of all joints under the torques u, without disturbance [rad/s^2]. Affine in u.
  Joints Acceleration(const Joints& q, const Joints& qd, const Joints& u) const;
  /// Torques that hold the legs still against gravity at q [Nm].
  Joints Gravity(const Joints& q) const { return Bias(q, {}); }
  Joints Bias(const Joints& q, const Joints& qd) const;

  Joints net_brake() const {
    return limits_.brake;
  }  ///< deceleration left against the worst case [rad/s^2]
  Joints rest_speed() const {
    return rest_speed_;
  }  ///< nothing is slower for sure after a stop [rad/s]
  Joints disturbance() const {
    return disturbance_;
  }  ///< largest |qdd - a| while braking [rad/s^2]

  void Place(const Joints& q, Placement* placement) const override;
  void Predict(const RobotState& state, const Joints& previous, const Joints& command,
               Manoeuvre* manoeuvre) const override;
  Joints Brake(const RobotState& state, const Joints& previous) const override;
  double Clearance(const Placement& placement, std::span<const math::Capsule> obstacles,
                   std::span<const double> reach_m, double enough_m) const override;
  /// The gradient is taken along joint rates (d distance / dt = gradient . qd), not torques.
  int Near(const RobotState& state, const Placement& placement,
           std::span<const math::Capsule> obstacles, double horizon_m,
           std::span<Nearness> out) const override;

 private:
  struct Spread;     // see exoskeleton_dynamics.cc
  struct HoldBound;  // these two: see exoskeleton.cc
  struct Envelope;
  Spread SpreadAt(double knee, double half_width) const;
  void ErrorTorque(const Spread& at, const double speed[2], const double dq[2], const double dqd[2],
                   const double acceleration[2], double error[2]) const;
  void ComputeNetBrake();
  HoldBound BoundHold(int leg, const RobotState& state, const Joints& previous,
                      const Joints& command) const;
  void BoundBraking(const RobotState& state, const HoldBound hold[kExoLegs],
                    Envelope* envelope) const;
  void BoundEffort(const ManoeuvreSample& sample, int leg, double effort[2]) const;
  void FinishLeg(int leg, bool held, const Joints& previous, const Joints& command,
                 ManoeuvreSample* sample) const;
  double BrakeAcceleration(int joint, double q, double qd) const;

  ExoskeletonConfig config_;
  double alpha_ = 0, beta_ = 0,
         gamma_ = 0;  ///< inertia terms [kg m^2]: M11 = alpha + beta + 2 gamma cos(knee)
  double hip_gravity_ = 0, shank_gravity_ = 0;  ///< [Nm]
  double delay_s_ = 0;  ///< state's stamp until the torque from it is replaced
  Joints disturbance_{}, rest_speed_{};
  bool brake_beats_wearer_ = false;
};

}  // namespace saferl::robot
