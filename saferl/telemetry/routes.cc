#include "saferl/telemetry/routes.h"

#include <charconv>

#include "saferl/base/text.h"
#include "saferl/telemetry/cpu_profile.h"

namespace saferl::telemetry {
namespace {

bool IsLoopback(std::string_view peer) {
  return peer.starts_with("127.") || peer.starts_with("[::1]") || peer.starts_with("::1") ||
         peer.starts_with("[::ffff:127.");
}

/// Leaves `*number` as it is when the query has no such name.
template <class Number>
bool QueryNumber(const net::Request& request, const char* name, Number* number) {
  const std::string* text = request.Query(name);
  if (text == nullptr) return true;
  const char* end = text->data() + text->size();
  const auto result = std::from_chars(text->data(), end, *number);
  return result.ec == std::errc() && result.ptr == end;
}

net::Response ServeProfile(const net::Request& request, bool profiling) {
  if (!profiling) {
    return net::Problem(request, 403, "Profiling is off",
                        "Start the service with PROFILING_ENABLED=true (telemetry.profiling).");
  }
  if (!IsLoopback(request.peer)) {
    return net::Problem(request, 403, "Not from this machine",
                        "A profile shows the program's inside; ask from the machine it runs on.");
  }
  double seconds = 5;
  int rate_hz = 199;
  if (!QueryNumber(request, "seconds", &seconds) || !QueryNumber(request, "rate_hz", &rate_hz)) {
    return net::Problem(request, 400, "Not a number", "Give seconds and rate_hz as numbers.");
  }
  const StatusOr<CpuProfile> profile = ProfileCpu(seconds, rate_hz);
  if (!profile.ok()) return net::Problem(request, profile.status());
  return net::Response::Json(ProfileJson(*profile));
}

}  // namespace

void AddTelemetryRoutes(net::Router* router, const Metrics& metrics,
                        const TelemetryRoutes& routes) {
  net::Route scrape;
  scrape.pattern = "/metrics";
  scrape.operation_id = "metrics";
  scrape.summary = "Metrics in Prometheus' text format, or OpenMetrics where asked for";
  scrape.tag = "telemetry";
  scrape.run = net::Run::kPool;  // reads /proc
  scrape.response_type = "text/plain";
  scrape.handler = [&metrics](const net::Request& request) {
    const std::string* accept = request.headers.Find("Accept");
    const TextFormat format = NegotiateFormat(accept == nullptr ? "" : *accept);
    net::Response response;
    response.content_type = ContentType(format);
    response.body = metrics.Text(format);
    return response;
  };
  if (routes.metrics) router->Add(std::move(scrape));

  net::Route profile;
  profile.pattern = "/debug/profile";
  profile.operation_id = "cpuProfile";
  profile.summary = "Stacks of the processor time of the next seconds; this machine only";
  profile.tag = "telemetry";
  profile.run = net::Run::kPool;
  profile.query = {{.name = "seconds", .type = "number", .doc = "duration, at most 300"},
                   {.name = "rate_hz", .type = "integer", .doc = "samples a CPU second"}};
  profile.errors = {403, 412};
  profile.handler = [profiling = routes.profiling](const net::Request& request) {
    return ServeProfile(request, profiling);
  };
  router->Add(std::move(profile));
}

}  // namespace saferl::telemetry
