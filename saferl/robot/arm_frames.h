#pragma once
// The frames of an arm's joints as columns, in four-wide vectors: what Place and Predict compute
// with. Internal to the arm's files.
//
// Rotation and origin of frame i in W: column k is where axis k points. The fourth lane is 0. The
// same operations in the same order whatever the vector width of the machine: the same bits.

#include "saferl/math/geometry.h"
#include "saferl/robot/types.h"

namespace saferl::robot {

using Lanes = double __attribute__((vector_size(32)));

struct ArmFrames {
  std::array<Lanes, kMaxDof> x, y, z, p;
};

inline math::Vec3 ToVec3(const Lanes& v) { return {v[0], v[1], v[2]}; }

}  // namespace saferl::robot
