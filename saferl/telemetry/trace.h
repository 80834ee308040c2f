#pragma once
// Traces: spans with W3C ids, sent to an OpenTelemetry collector by OTLP/HTTP JSON when
// OTEL_EXPORTER_OTLP_ENDPOINT is set. Ending a span moves it into a bounded queue and never waits:
// a full queue drops it and counts it. A thread of its own sends batches.
//
//   Tracer tracer(*TracerOptions::FromEnvironment("saferl-api"), metrics);
//   Span span = tracer.Start("registry.load", tracer.ContextOf(request));
//   span.Set("model", name);                       // ends with its scope
//
// Sampling: a caller that was sampled is; one that was not is not; a trace that begins here is by
// `sample_ratio`, decided from its id. What is not sampled costs nothing.
// Units: ns. Thread-safe; a Span belongs to one thread at a time. RT: no.
// Errors: a collector that does not answer costs spans, counted, and nothing else.
// Source: OpenTelemetry OTLP 1.x (JSON encoding), W3C Trace Context.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "saferl/base/status.h"
#include "saferl/net/http_server.h"
#include "saferl/telemetry/metrics.h"

namespace saferl::telemetry {

struct TracerOptions {
  std::string url;  ///< of the traces endpoint; empty: nothing is recorded
  std::vector<std::pair<std::string, std::string>> headers;
  std::string service;
  double sample_ratio = 1;
  double timeout_s = 10;
  double interval_s = 1;  ///< a batch leaves at least this often
  size_t max_queue = 2048, max_batch = 512;
  int retries = 3;           ///< on 429, 502, 503, 504 and no answer
  double retry_after_s = 1;  ///< doubles with each

  /// OTEL_EXPORTER_OTLP_ENDPOINT or _TRACES_ENDPOINT, _HEADERS, _TIMEOUT (ms), OTEL_SERVICE_NAME,
  /// OTEL_TRACES_SAMPLER_ARG, OTEL_SDK_DISABLED. kInvalidArgument names the variable.
  /// `endpoint`: of a configuration, in place of the first of them.
  static StatusOr<TracerOptions> FromEnvironment(std::string_view service,
                                                 std::string_view endpoint = "");
};

struct SpanContext {
  std::string trace_id, span_id;  ///< lower-case hex, 32 and 16; empty: none
  bool sampled = false;
};

enum class SpanKind : uint8_t { kInternal = 1, kServer = 2, kClient = 3 };

struct SpanData {
  SpanContext context;
  std::string parent_span_id, name;
  SpanKind kind = SpanKind::kInternal;
  int64_t start_wall_ns = 0, duration_ns = 0;
  std::vector<std::pair<std::string, std::string>> attributes;  ///< values are JSON AnyValues
  bool failed = false;
  std::string error;
};

class Tracer;

class Span {
 public:
  Span(Span&& other) noexcept;
  Span& operator=(Span&&) = delete;
  ~Span() { End(); }
  void Set(std::string_view key, std::string_view value);
  void Set(std::string_view key, const char* value) { Set(key, std::string_view(value)); }
  void Set(std::string_view key, int64_t value);
  void Set(std::string_view key, double value);
  void Fail(std::string_view error);
  void End();
  const SpanContext& context() const { return data_.context; }

 private:
  friend class Tracer;
  Span(Tracer* tracer, SpanData data, int64_t start_ns);
  Tracer* tracer_;  // nullptr: not sampled, or ended
  SpanData data_;
  int64_t start_ns_;
};

class Tracer {
 public:
  Tracer(TracerOptions options, Metrics& metrics);
  /// Sends what waits, once and within timeout_s.
  ~Tracer();

  Span Start(std::string_view name, const SpanContext& parent = {},
             SpanKind kind = SpanKind::kInternal);
  /// The span of a request that the server made for it.
  SpanContext ContextOf(const net::Request& request) const;
  /// The server's span of an answered request: for HttpServer's observer.
  void Record(const net::RequestRecord& record);
  void Record(SpanData span);
  /// Waits until what was recorded before is sent or lost.
  void Flush();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// The body of an export request. Separate for tests.
std::string OtlpJson(std::string_view service, const std::vector<SpanData>& spans);

}  // namespace saferl::telemetry
