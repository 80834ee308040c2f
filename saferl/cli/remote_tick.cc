#include "saferl/cli/remote_tick.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <thread>

#include "saferl/base/clock.h"
#include "saferl/base/json.h"
#include "saferl/base/text.h"
#include "saferl/services/decide/decide_message.h"

namespace saferl::cli {
namespace {

/// All stamps that there are, later by `by_ns`: 0 on the wire is a sensor that is not there.
void Shift(int64_t by_ns, uint64_t sequence, control::TickInput* in) {
  in->now_ns += by_ns;
  in->sequence += sequence;
  robot::Observation& o = in->observation;
  o.sequence += sequence;
  o.stamp_ns += by_ns;
  o.robot.stamp_ns += by_ns;
  in->human.stamp_ns += by_ns;
  if (o.n_parts > 0 || o.people_stamp_ns != 0) o.people_stamp_ns += by_ns;
  if (o.n_lidar > 0) o.lidar_stamp_ns += by_ns;
  if (in->policy.present) in->policy.stamp_ns += by_ns;
  for (int i = 0; i < std::clamp(o.n_parts, 0, robot::kMaxParts); ++i)
    o.parts[static_cast<size_t>(i)].stamp_ns += by_ns;
}

}  // namespace

RemoteTick::RemoteTick(std::string url, std::string robot_id, std::string model, double stand_s,
                       std::shared_ptr<const robot::RobotModel> robot)
    : url_(std::move(url)),
      robot_id_(std::move(robot_id)),
      model_(std::move(model)),
      stand_s_(stand_s),
      robot_(std::move(robot)) {}

Status RemoteTick::Ask(const control::TickInput& input, control::Decision* decision) {
  net::ClientRequest request;
  request.method = net::Method::kPost;
  request.url = url_ + "/inference";
  request.body = services::EncodeDecideRequest(*robot_, robot_id_, input, model_);
  SAFERL_ASSIGN_OR_RETURN(const net::ClientResponse answer, client_.Send(request));
  if (answer.status == 200) {
    SAFERL_ASSIGN_OR_RETURN(version_, services::DecodeDecisionJson(answer.body, *robot_, decision));
    return absl::OkStatus();
  }
  const StatusOr<Node> body = ParseJson(answer.body, request.url);
  const Node* detail = body.ok() ? body->Find("detail") : nullptr;
  return absl::FailedPreconditionError(
      Cat(request.url, ": answered ", answer.status, ": ",
          detail == nullptr ? "is it saferl's inference service?" : detail->text()));
}

/// In real time: leases are fetched in it.
Status RemoteTick::Stand(const control::TickInput& input, control::Decision* decision) {
  const auto period = std::chrono::duration<double>(robot_->period_s());
  const int ticks = static_cast<int>(std::ceil(stand_s_ / robot_->period_s()));
  for (int k = 0; k < ticks; ++k) {
    control::TickInput standing = input;
    standing.human.u = {};
    standing.human.sequence += static_cast<uint64_t>(k);
    Shift(stood_ns_, stood_, &standing);
    SAFERL_RETURN_IF_ERROR(Ask(standing, decision));
    stood_ns_ += FromSeconds(robot_->period_s());
    ++stood_;
    std::this_thread::sleep_for(period);
  }
  return absl::OkStatus();
}

Status RemoteTick::Decide(const control::TickInput& input, control::Decision* decision) {
  decision->input = input;
  if (!begun_) SAFERL_RETURN_IF_ERROR(Stand(input, decision));
  begun_ = true;
  control::TickInput later = input;
  later.human.sequence += stood_;
  Shift(stood_ns_, stood_, &later);
  SAFERL_RETURN_IF_ERROR(Ask(later, decision));
  decision->command.issued_ns -= stood_ns_;  // back on the drive's clock
  return absl::OkStatus();
}

}  // namespace saferl::cli
