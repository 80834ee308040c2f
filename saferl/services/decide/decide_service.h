#pragma once
// Decisions over the network: POST /inference and /inference/batch (docs/inference.md).
//
// Runs on the server's control threads, which nothing else can fill. What waited there for longer
// than `most_wait_s` is refused with 503 instead of being decided: its answer would come too late
// for the robot. RT: no; a robot's own control loop is saferl_rt.

#include <memory>
#include <string>

#include "saferl/net/router.h"
#include "saferl/services/decide/sessions.h"
#include "saferl/telemetry/metrics.h"

namespace saferl::services {

struct DecideOptions {
  SessionOptions sessions;
  int max_batch = 8;  ///< INFERENCE_BATCH_SIZE
  double most_wait_s = 0.25;
};

class DecideService {
 public:
  DecideService(DecideOptions options, const ModelHost* models, telemetry::Metrics* metrics);
  /// The service must outlive what `router` serves.
  void AddRoutes(net::Router* router);
  Sessions& sessions() { return sessions_; }

 private:
  net::Response Decide(const net::Request& request);
  net::Response Batch(const net::Request& request);
  bool TooLate(const net::Request& request) const;

  const DecideOptions options_;
  Sessions sessions_;
};

}  // namespace saferl::services
