#pragma once
// The WebSocket control stream GET
// /inference/stream?silence_ms=N[&robot=R&type=T&model=M&version=V].
//
// Text messages are requests of POST /inference, answered by its answer as text; binary ones are
// saferl_tick records, answered by saferl_command (stream_layout.h). What is refused is answered
// with {"error": {"status", "detail"}} and the stream goes on. Answers keep the order of requests.
// Latest wins: a client that sends faster than it is decided loses its oldest waiting ticks, each
// with an error. Silence of N ms (20 to 60000, without it 500) ends the stream with the reason.
// Ticks run on `pool`'s threads. RT: no.

#include <memory>

#include "saferl/net/router.h"
#include "saferl/net/worker_pool.h"
#include "saferl/services/decide/sessions.h"
#include "saferl/services/decide/stream_layout.h"
#include "saferl/services/decide/watchdog.h"
#include "saferl/telemetry/decide_metrics.h"

namespace saferl::services {

struct StreamParts {
  Sessions* sessions;
  Watchdog* watchdog;
  net::WorkerPool* pool;
  telemetry::StreamMetrics* metrics;
};
/// What the parts point to must outlive what `router` serves.
void AddStreamRoute(const StreamParts& parts, net::Router* router);

/// Bounds of silence_ms, and its value when it is not given.
inline constexpr int64_t kLeastSilence_ms = 20, kMostSilence_ms = 60'000, kSilence_ms = 500;

StatusOr<int64_t> ParseSilence(std::string_view text);

/// A binary message as a request (robot and the rest from the stream's address).
StatusOr<DecideRequest> FromTick(std::string_view bytes);
std::string ToCommand(const control::Decision& decision);

}  // namespace saferl::services
