// Building and checking a TickModel: service plane, before the first tick.
#include <algorithm>
#include <cmath>
#include <string>

#include "saferl/base/clock.h"
#include "saferl/base/text.h"
#include "saferl/control/tick.h"

namespace saferl::control {

namespace {

using absl::InvalidArgumentError;

Status CheckAge(const char* field, int64_t age_ns, double most_s) {
  if (age_ns > 0 && Seconds(age_ns) <= most_s) return absl::OkStatus();
  return InvalidArgumentError(
      Cat("limits.", field, ": ", age_ns, " ns is not in (0, ", FromSeconds(most_s),
          "]; an input may not count for longer than that; give an age inside the range"));
}

Status CheckRange(const char* field, double value, double low, double high) {
  if (value >= low && value <= high) return absl::OkStatus();
  return InvalidArgumentError(Cat(field, ": ", value, " is outside [", low, ", ", high,
                                  "]; give a value inside the range"));
}

/// One line a field, to compare schemas and to show the difference.
std::string Line(const policy::Field& field) {
  return Cat(field.name, " [", field.unit, "] x ", field.size);
}

Status CheckFields(const char* what, const std::vector<policy::Field>& wanted,
                   const std::vector<policy::Field>& given) {
  for (size_t i = 0; i < std::max(wanted.size(), given.size()); ++i) {
    const std::string expected = i < wanted.size() ? Line(wanted[i]) : "nothing";
    const std::string found = i < given.size() ? Line(given[i]) : "nothing";
    if (expected == found) continue;
    return InvalidArgumentError(Cat("policy: ", what, " entry ", i, " is ", found,
                                    ", this robot needs ", expected,
                                    "; use a policy that was trained for this robot"));
  }
  return absl::OkStatus();
}

Status CheckPolicyFits(const TickModel& model) {
  if (model.policy == nullptr) return absl::OkStatus();
  const policy::PolicySpec& spec = model.policy->spec();
  const std::string& robot = model.safety->robot->name();
  if (spec.robot != robot)
    return InvalidArgumentError(Cat("policy: made for robot '", spec.robot, "', this one is '",
                                    robot, "'; use a policy that was trained for this robot"));
  SAFERL_RETURN_IF_ERROR(
      CheckFields("observation", ObservationSchema(model.features), spec.observation));
  return CheckFields("action", ActionSchema(model.features), spec.action);
}

Status CheckArbitration(const ArbitrationModel& a) {
  SAFERL_RETURN_IF_ERROR(CheckRange("arbitration.authority_cap", a.authority_cap, 0, 1));
  SAFERL_RETURN_IF_ERROR(CheckRange("arbitration.confidence_gain", a.confidence_gain, 0, 100));
  SAFERL_RETURN_IF_ERROR(
      CheckRange("arbitration.confidence_threshold", a.confidence_threshold, 0, 1));
  SAFERL_RETURN_IF_ERROR(CheckRange("arbitration.need_full", a.need_full, 1e-3, 10));
  SAFERL_RETURN_IF_ERROR(CheckRange("arbitration.need_memory_s", a.need_memory_s, 0.01, 600));
  SAFERL_RETURN_IF_ERROR(CheckRange("arbitration.value_slack", a.value_slack, 0, 1));
  SAFERL_RETURN_IF_ERROR(CheckRange("arbitration.effort_weight_s", a.effort_weight_s, 0, 100));
  SAFERL_RETURN_IF_ERROR(CheckRange("arbitration.rise_per_s", a.rise_per_s, 1e-3, 1e3));
  SAFERL_RETURN_IF_ERROR(CheckRange("arbitration.fall_per_s", a.fall_per_s, 1e-3, 1e3));
  SAFERL_RETURN_IF_ERROR(CheckRange("arbitration.hysteresis", a.hysteresis, 0, 1));
  SAFERL_RETURN_IF_ERROR(CheckRange("arbitration.dwell_s", a.dwell_s, 0, 60));
  SAFERL_RETURN_IF_ERROR(CheckRange("arbitration.transfer_per_s", a.transfer_per_s, 1e-3, 1e3));
  SAFERL_RETURN_IF_ERROR(CheckRange("arbitration.min_command", a.min_command, 1e-6, 1));
  SAFERL_RETURN_IF_ERROR(CheckRange("arbitration.oppose_cosine", a.oppose_cosine, -1, 1));
  return CheckRange("arbitration.agree_cosine", a.agree_cosine, a.oppose_cosine + 1e-3, 1.001);
}

Status CheckIntent(const IntentModel& i) {
  SAFERL_RETURN_IF_ERROR(CheckRange("intent.rationality_per_s", i.rationality_per_s, 0, 1e3));
  SAFERL_RETURN_IF_ERROR(CheckRange("intent.forgetting_per_s", i.forgetting_per_s, 0, 100));
  SAFERL_RETURN_IF_ERROR(CheckRange("intent.lookahead_s", i.lookahead_s, 0.01, 10));
  SAFERL_RETURN_IF_ERROR(CheckRange("intent.turn_weight", i.turn_weight, 0, 100));
  SAFERL_RETURN_IF_ERROR(CheckRange("intent.tool_speed_m_s", i.tool_speed_m_s, 1e-3, 10));
  return CheckRange("intent.min_command", i.min_command, 1e-6, 1);
}

}  // namespace

TickLimits DefaultTickLimits(const robot::RobotModel& robot) {
  TickLimits limits;
  limits.max_state_age_ns = FromSeconds(robot.state_age_s());
  limits.max_people_age_ns = FromSeconds(0.2);  // the filter grows every part by v_h times its age
  limits.max_lidar_age_ns = FromSeconds(0.2);
  limits.max_human_age_ns = FromSeconds(0.3);
  limits.max_policy_age_ns = FromSeconds(std::max(0.1, 3 * robot.period_s()));
  limits.slip_window_ns = kNanosPerSecond;
  return limits;
}

Status Validate(const TickModel& model) {
  if (model.safety == nullptr || model.safety->robot == nullptr)
    return InvalidArgumentError("safety: missing; load a robot with LoadSafetyModel first");
  const TickLimits& limits = model.limits;
  SAFERL_RETURN_IF_ERROR(
      CheckAge("max_state_age_ns", limits.max_state_age_ns, model.safety->robot->state_age_s()));
  SAFERL_RETURN_IF_ERROR(CheckAge("max_people_age_ns", limits.max_people_age_ns, 1.0));
  SAFERL_RETURN_IF_ERROR(CheckAge("max_lidar_age_ns", limits.max_lidar_age_ns, 1.0));
  SAFERL_RETURN_IF_ERROR(CheckAge("max_human_age_ns", limits.max_human_age_ns, 1.0));
  SAFERL_RETURN_IF_ERROR(CheckAge("max_policy_age_ns", limits.max_policy_age_ns, 1.0));
  SAFERL_RETURN_IF_ERROR(CheckAge("slip_window_ns", limits.slip_window_ns, 60.0));
  SAFERL_RETURN_IF_ERROR(CheckRange("limits.degraded_speed", limits.degraded_speed, 0, 1));
  SAFERL_RETURN_IF_ERROR(CheckArbitration(model.arbitration));
  SAFERL_RETURN_IF_ERROR(CheckIntent(model.intent));
  return CheckPolicyFits(model);
}

StatusOr<TickModel> MakeTickModel(std::shared_ptr<const safety::SafetyModel> safety,
                                  std::shared_ptr<const policy::Policy> policy) {
  if (safety == nullptr)
    return InvalidArgumentError("safety: missing; load a robot with LoadSafetyModel first");
  TickModel model;
  model.features = MakeFeatureModel(safety->robot);
  model.intent.robot = safety->robot;
  model.arbitration.robot = safety->robot;
  model.limits = DefaultTickLimits(*safety->robot);
  model.safety = std::move(safety);
  model.policy = std::move(policy);
  SAFERL_RETURN_IF_ERROR(Validate(model));
  return model;
}

uint64_t PolicyId(const policy::Policy* policy) {
  if (policy == nullptr) return 0;
  uint64_t id = 0;
  for (size_t i = 0; i < 16 && i < policy->sha256().size(); ++i) {
    const char c = policy->sha256()[i];
    id = id << 4U | static_cast<uint64_t>(c <= '9' ? c - '0' : c - 'a' + 10);
  }
  return id;
}

}  // namespace saferl::control
