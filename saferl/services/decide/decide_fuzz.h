#pragma once
// What the fuzz targets of decisions share: the three robots, and the claim that whatever input
// gets in, the Tick answers with a finite command inside the robot's limits that can be kept,
// shown and read back. For fuzz targets only. RT: no.

#include <cmath>
#include <cstdlib>
#include <memory>
#include <string>

#include "saferl/control/decision_codec.h"
#include "saferl/control/tick.h"
#include "saferl/services/decide/decide_message.h"
#include "saferl/services/decide/decide_stream.h"

namespace saferl::services::fuzz {

inline const control::TickModel& Model(const char* type) {
  return *new control::TickModel(
      control::MakeTickModel(safety::LoadSafetyModel(type).value(), nullptr).value());
}

inline void Require(bool holds) {
  if (!holds) std::abort();
}

inline void Answer(const control::TickModel& model, const DecideRequest& request) {
  const robot::RobotModel& robot = *model.safety->robot;
  if (!CheckShape(robot, request).ok()) return;
  const auto data = control::Prepare(model);
  const auto decision = std::make_unique<control::Decision>();
  control::Tick(model, request.input, data.get(), decision.get());
  for (int i = 0; i < robot.n(); ++i) {
    const auto at = static_cast<size_t>(i);
    const double u = decision->command.u[at];
    Require(std::isfinite(u) && u <= robot.limits().command_upper[at] &&
            u >= robot.limits().command_lower[at]);
  }
  Require(ToCommand(*decision).size() == sizeof(saferl_command));
  Require(!EncodeDecisionJson(robot, {}, *decision).empty());
  Require(!EncodeDecideRequest(robot, "r", decision->input).empty());
  std::string record;
  control::EncodeDecision(control::ShapeOf(robot), *decision, &record);
  const auto again = std::make_unique<control::Decision>();
  Require(control::DecodeDecision(control::ShapeOf(robot), record, again.get()).ok());
}

/// Of all three robots.
inline void AnswerAll(const DecideRequest& request) {
  static const control::TickModel* const models[] = {&Model("wheelchair"), &Model("arm7"),
                                                     &Model("exoskeleton")};
  for (const control::TickModel* model : models) Answer(*model, request);
}

}  // namespace saferl::services::fuzz
