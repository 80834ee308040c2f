#pragma once
// RemoteTick: a simulated robot whose decisions a running inference service makes (POST
// /inference), so that drives exercise what robots do: sessions, the served version, rollouts.
//
// One object per drive. The robot's clock starts with the first decision; before it moves it stands
// for `stand_s`, asking as it will later, so that a rollout has seated it.
// Errors: kUnavailable (no service), kFailedPrecondition (it refuses; says why). RT: no.

#include <memory>
#include <string>

#include "saferl/base/clock.h"
#include "saferl/control/tick.h"
#include "saferl/net/http_client.h"

namespace saferl::cli {

class RemoteTick {
 public:
  /// `url`: of the service, as "http://127.0.0.1:8001". `model`: the policy; empty: none.
  RemoteTick(std::string url, std::string robot_id, std::string model, double stand_s,
             std::shared_ptr<const robot::RobotModel> robot);
  Status Decide(const control::TickInput& input, control::Decision* decision);
  /// Decisions by the version of the policy that made them; "" without one.
  const std::string& version() const { return version_; }

 private:
  Status Stand(const control::TickInput& input, control::Decision* decision);
  Status Ask(const control::TickInput& input, control::Decision* decision);

  const std::string url_, robot_id_, model_;
  const double stand_s_;
  const std::shared_ptr<const robot::RobotModel> robot_;
  net::HttpClient client_;
  std::string version_;
  int64_t stood_ns_ = kNanosPerSecond;  ///< how far the robot's clock is ahead of the drive's
  uint64_t stood_ = 0;                  ///< ticks
  bool begun_ = false;
};

}  // namespace saferl::cli
