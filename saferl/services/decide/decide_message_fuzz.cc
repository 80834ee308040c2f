// Any bytes as a decision request: refused with a message, or an input that a Tick answers with a
// finite command inside the robot's limits.
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string_view>

#include "saferl/control/tick.h"
#include "saferl/services/decide/decide_message.h"

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
  if (services::EncodeDecisionJson(robot, {}, *decision).empty()) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const control::TickModel& chair = Model("wheelchair");
  static const control::TickModel& arm = Model("arm7");
  static const control::TickModel& legs = Model("exoskeleton");
  const std::string_view body(reinterpret_cast<const char*>(data), size);
  const auto batch = services::DecodeDecideBatch(body, 4);
  if (!batch.ok() && batch.status().message().empty()) std::abort();
  const auto request = services::DecodeDecideRequest(body);
  if (!request.ok()) {
    if (request.status().message().empty()) std::abort();
    return 0;
  }
  for (const control::TickModel* model : {&chair, &arm, &legs}) Answer(*model, *request);
  return 0;
}
