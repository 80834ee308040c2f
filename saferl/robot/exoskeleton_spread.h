#pragma once
// Bounds of a leg's inertia terms while the knee is anywhere in an interval. Internal to the
// exoskeleton's files.

#include "saferl/robot/exoskeleton.h"

namespace saferl::robot {

struct Exoskeleton::Spread {
  double inverse[2][2];  ///< |M^-1| entrywise
  double cosine;         ///< |cos(knee)|
  double sine;           ///< |sin(knee)|
};

}  // namespace saferl::robot
