#pragma once
// The files behind LoadRobot: one function per kind, from a parsed map to a model. Internal to this
// room.
//
// The map has lost its `kind` already checked and its `safety` section, which belongs to the safety
// room. RT: no. Errors: "file:line: field: problem; next step". Source: docs/formats/robot_file.md.

#include <memory>
#include <span>
#include <string>

#include "saferl/base/node.h"
#include "saferl/base/status.h"
#include "saferl/robot/robot_model.h"

namespace saferl::robot {

StatusOr<std::shared_ptr<const RobotModel>> ReadWheelchair(const Node& file,
                                                           std::span<const Override> overrides);
StatusOr<std::shared_ptr<const RobotModel>> ReadArm(const Node& file,
                                                    std::span<const Override> overrides);
StatusOr<std::shared_ptr<const RobotModel>> ReadExoskeleton(const Node& file,
                                                            std::span<const Override> overrides);

/// LoadRobot for a text that is already in memory; `name` is what messages call it, and a URDF is
/// looked up beside it.
StatusOr<std::shared_ptr<const RobotModel>> ReadRobot(std::string_view text,
                                                      const std::string& name,
                                                      std::span<const Override> overrides = {});

/// The part of the overrides that all kinds share, over a config struct with the common fields and
/// `n` joints. Keys: period_s, reaction_s, state_age_s, limits.{command_lower, command_upper,
/// command_rate, brake, q_lower, q_upper, qd_max, effort_max, power_max}, uncertainty.{q_error,
/// qd_error, tracking_error}.
template <class Config>
bool ApplyCommonOverride(const Override& change, Config* config) {
  const auto number = [&](const char* key, double* field) {
    if (change.key != key) return false;
    *field = change.value;
    return true;
  };
  const auto list = [&](const char* key, Joints* field) {
    if (change.key != key) return false;
    field->fill(change.value);
    return true;
  };
  Limits& l = config->limits;
  return number("period_s", &config->period_s) || number("reaction_s", &config->reaction_s) ||
         number("state_age_s", &config->state_age_s) ||
         list("limits.command_lower", &l.command_lower) ||
         list("limits.command_upper", &l.command_upper) ||
         list("limits.command_rate", &l.command_rate) || list("limits.brake", &l.brake) ||
         list("limits.q_lower", &l.q_lower) || list("limits.q_upper", &l.q_upper) ||
         list("limits.qd_max", &l.qd_max) || list("limits.effort_max", &l.effort_max) ||
         list("limits.power_max", &l.power_max) || list("uncertainty.q_error", &config->q_error) ||
         list("uncertainty.qd_error", &config->qd_error) ||
         list("uncertainty.tracking_error", &config->tracking_error);
}
/// The error for a key that nothing took.
Status UnknownOverride(const Override& change);

}  // namespace saferl::robot
