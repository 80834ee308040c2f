#pragma once
// Equation of motion of one leg, the certifier's own: two point-mass links with inertia, by
// Lagrange's method from the positions of the two centres of mass; integrated by classical
// Runge-Kutta steps. The prover's plant uses it too.
//
// Per leg: hip angle h, knee angle k (flexion positive; the shank leans by h - k). Units: SI. RT:
// no allocation. Total.

#include <array>

#include "saferl/safety/certifier/models.h"

namespace saferl::safety::certifier {

/// Accelerations of the leg whose hip is joint `first`, under the torques u + disturbance.
std::array<double, 2> LegAcceleration(const RobotData& data, int first, const robot::Joints& q,
                                      const robot::Joints& qd, const robot::Joints& torque);
/// Torques that hold the leg at q at rest, or give the accelerations `qdd` at (q, qd).
robot::Joints TorqueFor(const RobotData& data, const robot::Joints& q, const robot::Joints& qd,
                        const robot::Joints& qdd);
/// One Runge-Kutta step of both legs, torque constant.
void StepLegs(const RobotData& data, const robot::Joints& torque, double h, robot::Joints* q,
              robot::Joints* qd);
/// The device's braking law as its file states it: damping cut at B, and full B away from an end of
/// the range that braking would otherwise only just keep. `delay_s`: until the torque is replaced.
robot::Joints BrakingTorque(const RobotData& data, const robot::Joints& q, const robot::Joints& qd,
                            double delay_s);

}  // namespace saferl::safety::certifier
