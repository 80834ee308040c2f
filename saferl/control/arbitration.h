#pragma once
// Arbitration: how much of the policy's proposal goes into the Blend. The person is in charge.
//
//   u = u_h + d,   d -> authority * (u_p - u_h),   authority in [0, authority_cap]
// Five ways to choose the authority that is aimed at:
//   kConfidence  k (conf - c0), conf = belief of the first goal minus the second
//   kNeed        kConfidence's, times the person's need: how much time they have been losing lately
//                against the policy (a mean of J(0) - J(1) over need_memory_s), as a share of
//                need_full. Whoever drives as well as the policy is left alone.
//   kSafety      0: the person's command passes, the Filter alone intervenes
//   kValue       the least authority whose expected loss J is within `value_slack` of the best
//   kHindsight   argmin of J + effort_weight * departure: helps before the goal is certain
// with J(s) = sum_g b(g) V_g(x'(u_h + s (u_p - u_h))) on a grid of s.
// Then, in this order: disagreement (the angle between u_h and u_p) scales it down; the cap;
// hysteresis and dwell decide whether assistance is engaged; rises and falls are rate limited; d is
// rate limited (bumpless transfer).
// At once and without any limit: no command from the person, no usable policy, or a mode above
// Nominal -> authority 0 and d 0.
// A robot without goals (exoskeleton) has confidence 1; a goal-driven one without goals gets 0.
// Units: commands in the robot's unit, compared relative to their limits.
// RT: yes. Errors: none; total. Cost: 0.1 us (kConfidence), 0.7 us (kNeed) to 3 us (kValue,
// kHindsight, 8 goals). Source: Dragan & Srinivasa (IJRR 2013) for kConfidence; Reddy et al. (RSS
// 2018) for kValue;
//   Javdani et al. (RSS 2015) for kHindsight; DESIGN section 6 for kSafety.

#include <cstdint>
#include <memory>
#include <string_view>

#include "saferl/control/intent.h"
#include "saferl/robot/robot_model.h"

namespace saferl::control {

enum class Arbitration : uint8_t { kConfidence, kSafety, kValue, kHindsight, kNeed, kCount };
std::string_view Name(Arbitration method);

struct ArbitrationModel {
  std::shared_ptr<const robot::RobotModel> robot;
  Arbitration method = Arbitration::kNeed;
  double authority_cap = 0.8;         ///< the policy never gets more
  double confidence_gain = 1.5;       ///< k
  double confidence_threshold = 0.2;  ///< c0
  double need_full = 0.2;             ///< seconds lost per second that earn full authority (kNeed)
  double need_memory_s = 4.0;         ///< how long losses count (kNeed)
  double value_slack = 0.2;           ///< alpha in [0, 1]: 1 never intervenes
  double effort_weight_s = 0.05;  ///< time that a full departure from the person costs (kHindsight)
  double rise_per_s = 1.0;        ///< authority rate limits
  double fall_per_s = 4.0;
  double hysteresis = 0.05;     ///< engages above this target, disengages below half of it
  double dwell_s = 0.3;         ///< least time between disengaging and engaging again
  double agree_cosine = 0.3;    ///< full authority when u_h and u_p agree at least this much
  double oppose_cosine = -0.5;  ///< none when they disagree this much
  double transfer_per_s = 2.0;  ///< rate limit of d, in shares of the command limits
  double min_command = 0.05;    ///< below this share of the limits the person gives no command
};

/// State between ticks. Zero = not assisting.
struct ArbitrationData {
  double authority = 0;  ///< in force
  double target = 0;     ///< aimed at, before engagement and rate limits
  double need = 0;  ///< seconds lost per second lately; negative: drives better than the policy
  double dwell_left_s = 0;
  bool engaged = false;
  robot::Joints assist{};  ///< d of the last tick [command unit] (n)
};

/// What Blend reads, besides its model.
struct BlendInput {
  const IntentModel* intent = nullptr;
  const IntentData* belief = nullptr;
  const Goals* goals = nullptr;
  const robot::RobotState* state = nullptr;
  robot::Joints human_u{};
  robot::Joints policy_u{};
  bool policy_usable = false;  ///< false: no fresh, finite proposal, or the mode is above Nominal
};

/// One tick: returns the blended command inside the command limits; data->authority is what was in
/// force.
robot::Joints Blend(const ArbitrationModel& model, const BlendInput& input, ArbitrationData* data);

/// Forgets all assistance: the next blend starts from the person alone.
void Release(const ArbitrationModel& model, ArbitrationData* data);

/// Cosine of the angle between two commands, each component relative to its limit; 1 when either is
/// zero.
double Agreement(const robot::RobotModel& robot, const robot::Joints& a, const robot::Joints& b);

}  // namespace saferl::control
