// Any bytes as a binary tick of the control stream: refused with a message, or an input that the
// Tick answers with a finite command inside the robot's limits and that can be kept, shown and read
// back.
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string_view>

#include "saferl/control/decision_codec.h"
#include "saferl/control/tick.h"
#include "saferl/services/decide/decide_message.h"
#include "saferl/services/decide/decide_stream.h"

namespace {

using namespace saferl;  // NOLINT(google-build-using-namespace): one function

const control::TickModel& Model(const char* type) {
  return *new control::TickModel(
      control::MakeTickModel(safety::LoadSafetyModel(type).value(), nullptr).value());
}

void Answer(const control::TickModel& model, const services::DecideRequest& request) {
  const robot::RobotModel& robot = *model.safety->robot;
  if (!services::CheckShape(robot, request).ok()) return;
  const auto data = control::Prepare(model);
  const auto decision = std::make_unique<control::Decision>();
  control::Tick(model, request.input, data.get(), decision.get());
  for (int i = 0; i < robot.n(); ++i) {
    const double u = decision->command.u[static_cast<size_t>(i)];
    if (!std::isfinite(u) || u > robot.limits().command_upper[static_cast<size_t>(i)] ||
        u < robot.limits().command_lower[static_cast<size_t>(i)])
      std::abort();
  }
  if (services::ToCommand(*decision).size() != sizeof(saferl_command)) std::abort();
  if (services::EncodeDecisionJson(robot, {}, *decision).empty()) std::abort();
  if (services::EncodeDecideRequest(robot, "r", decision->input).empty()) std::abort();
  std::string record;
  control::EncodeDecision(control::ShapeOf(robot), *decision, &record);
  const auto again = std::make_unique<control::Decision>();
  if (!control::DecodeDecision(control::ShapeOf(robot), record, again.get()).ok()) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const control::TickModel& chair = Model("wheelchair");
  static const control::TickModel& arm = Model("arm7");
  static const control::TickModel& legs = Model("exoskeleton");
  std::string bytes(reinterpret_cast<const char*>(data), size);
  const auto raw = services::FromTick(bytes);
  if (!raw.ok() && raw.status().message().empty()) std::abort();
  // The same bytes under a head that is right: what comes after it is what matters.
  bytes.resize(sizeof(saferl_tick));
  const uint32_t head[2] = {1, sizeof(saferl_tick)};
  std::memcpy(bytes.data(), head, sizeof head);
  const auto request = services::FromTick(bytes);
  if (!request.ok()) std::abort();
  for (const control::TickModel* model : {&chair, &arm, &legs}) Answer(*model, *request);
  return 0;
}
