#pragma once
// Decisions over the network: POST /inference and /inference/batch, the control stream
// /inference/stream, and what the API shows of them (docs/inference.md).
//
// Runs on the server's control threads, which nothing else can fill. What waited there for longer
// than `most_wait_s` is refused with 503 instead of being decided: its answer would come too late
// for the robot. RT: no; a robot's own control loop is saferl_rt.

#include <memory>
#include <string>

#include "saferl/net/router.h"
#include "saferl/services/api/idempotency.h"
#include "saferl/services/decide/control_grpc.h"
#include "saferl/services/decide/decide_stream.h"
#include "saferl/services/decide/decision_store.h"
#include "saferl/services/decide/latch_store.h"
#include "saferl/services/decide/sessions.h"
#include "saferl/services/decide/watches.h"
#include "saferl/telemetry/metrics.h"

namespace saferl::services {

struct DecideOptions {
  SessionOptions sessions;
  int max_batch = 8;  ///< INFERENCE_BATCH_SIZE
  int stream_threads = 2, stream_queue = 256;
  double most_wait_s = 0.25;
  DecisionStoreOptions store;
  WatchOptions watches;
};

class DecideService {
 public:
  /// Makes its tables. What is given must outlive it.
  static StatusOr<std::unique_ptr<DecideService>> Open(DecideOptions options,
                                                       const ModelHost* models,
                                                       storage::Database* database,
                                                       telemetry::Metrics* metrics);
  /// /inference and its like. The service must outlive what `router` serves.
  void AddRoutes(net::Router* router);
  /// /api/v1/robots, sessions, decisions.
  Status AddApiRoutes(net::Router* router);
  /// saferl.v1.Control, for the port that /inference is on.
  std::unique_ptr<ControlGrpc> Grpc() { return MakeControlGrpc(parts()); }
  Sessions& sessions() { return sessions_; }
  DecisionStore& store() { return *store_; }
  LatchStore& latches() { return *latches_; }
  Watches& watches() { return watches_; }
  Idempotency& idempotency() { return *idempotency_; }

 private:
  DecideService(DecideOptions options, const ModelHost* models, telemetry::Metrics* metrics);
  net::Response Decide(const net::Request& request);
  net::Response Batch(const net::Request& request);
  StreamParts parts() { return {&sessions_, &watchdog_, &stream_pool_, &stream_metrics_}; }
  bool TooLate(const net::Request& request) const;

  const DecideOptions options_;
  storage::Database* database_ = nullptr;
  std::unique_ptr<DecisionStore> store_;
  std::unique_ptr<LatchStore> latches_;
  Watches watches_;
  std::unique_ptr<Idempotency> idempotency_;
  Sessions sessions_;
  telemetry::StreamMetrics stream_metrics_;
  Watchdog watchdog_;
  net::WorkerPool stream_pool_;  ///< last: its jobs use all of the above
};

}  // namespace saferl::services
