#pragma once
// Where decisions come from, and to whom they go on.
//
// DecisionSource: the shared memory of saferl_rt, or an inference service elsewhere (remote.h).
// DecisionHub: the server's side of that stream. Its messages: first one text, the robot as JSON
// {"robot", "n", "pose", "period_ns"}; then one binary message a decision, as in
// docs/formats/decision_log.md. A subscriber that does not read loses its connection and nobody
// waits for it.
// RT: no. Errors: kUnavailable (not there yet), kFailedPrecondition, kInvalidArgument (another
// protocol), with the path or without the address.

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "saferl/control/decision_codec.h"
#include "saferl/control/monitor_link.h"
#include "saferl/net/http_server.h"

namespace saferl::services {

/// What a stream says about its robot.
struct StreamInfo {
  std::string robot;
  control::DecisionShape shape;
  int64_t period_ns = 0;
};

class DecisionSource {
 public:
  virtual ~DecisionSource() = default;
  /// kAnother: info() changed, another run begins.
  enum class Got : uint8_t { kNothing, kDecision, kLost, kEnded, kAnother };
  /// Waits for at most `wait_ns`.
  virtual Got Next(int64_t wait_ns, control::Decision* decision) = 0;
  virtual uint64_t lost() const = 0;
  virtual StreamInfo info() const = 0;
  virtual bool has_say() const = 0;      ///< do the words below reach the robot
  virtual uint64_t waiting() const = 0;  ///< decisions that wait to be read
  /// The robot may move until then; 0: takes a stop back, and no lease holds.
  virtual void Grant(int64_t now_ns, int64_t until_ns) = 0;
  virtual void Stop(int64_t now_ns) = 0;
};

StatusOr<std::unique_ptr<DecisionSource>> OpenShm(const std::string& path);
class DecisionHub {
 public:
  /// What a new subscriber is told first; ends everybody who was told otherwise.
  void SetRobot(const StreamInfo& info);
  void Add(std::shared_ptr<net::Stream> stream);
  void Send(const control::Decision& decision);
  size_t subscribers() const;

 private:
  mutable std::mutex mutex_;
  std::string hello_;
  control::DecisionShape shape_;
  std::vector<std::shared_ptr<net::Stream>> streams_;
  std::string buffer_;
};

}  // namespace saferl::services
