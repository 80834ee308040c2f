#include "saferl/safety/constraint.h"

namespace saferl::safety {

std::string_view Name(ConstraintId id) {
  switch (id) {
    case ConstraintId::kJointPosition:
      return "joint_position";
    case ConstraintId::kJointVelocity:
      return "joint_velocity";
    case ConstraintId::kAcceleration:
      return "acceleration";
    case ConstraintId::kTorque:
      return "torque";
    case ConstraintId::kPower:
      return "power";
    case ConstraintId::kWorkspace:
      return "workspace";
    case ConstraintId::kKeepOut:
      return "keep_out";
    case ConstraintId::kSeparation:
      return "separation";
    case ConstraintId::kContact:
      return "contact";
    case ConstraintId::kTipOver:
      return "tip_over";
    case ConstraintId::kInteractionForce:
      return "interaction_force";
    case ConstraintId::kCount:
      break;
  }
  return "unknown";
}

}  // namespace saferl::safety
