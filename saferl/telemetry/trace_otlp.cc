// OTLP: the JSON encoding of spans, and the environment variables that OpenTelemetry defines.
#include <charconv>
#include <cmath>
#include <cstdlib>

#include "saferl/base/json.h"
#include "saferl/base/text.h"
#include "saferl/telemetry/trace.h"

namespace saferl::telemetry {
namespace {

std::string_view Variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string_view() : std::string_view(value);
}

StatusOr<double> Number(const char* name, double fallback, double min, double max) {
  const std::string_view text = Variable(name);
  if (text.empty()) return fallback;
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !(value >= min && value <= max)) {
    return absl::InvalidArgumentError(Cat(std::string_view(name), ": '", text,
                                          "' is not a number in [", min, ", ", max,
                                          "]; correct it or leave it out"));
  }
  return value;
}

/// "a=1,b=2", values percent-encoded.
StatusOr<std::vector<std::pair<std::string, std::string>>> HeaderList(const char* name) {
  std::vector<std::pair<std::string, std::string>> headers;
  std::string_view rest = Variable(name);
  while (!rest.empty()) {
    const std::string_view item = rest.substr(0, rest.find(','));
    rest.remove_prefix(std::min(rest.size(), item.size() + 1));
    const size_t equals = item.find('=');
    if (equals == std::string_view::npos || equals == 0) {
      return absl::InvalidArgumentError(
          Cat(std::string_view(name), ": has an item without name=value; write name=value,..."));
    }
    std::string value;
    for (size_t i = equals + 1; i < item.size(); ++i) {
      unsigned byte = 0;
      if (item[i] == '%' && i + 2 < item.size() &&
          std::from_chars(item.data() + i + 1, item.data() + i + 3, byte, 16).ptr ==
              item.data() + i + 3) {
        value += static_cast<char>(byte);
        i += 2;
      } else {
        value += item[i];
      }
    }
    if (value.find_first_of("\r\n") != std::string::npos) {
      return absl::InvalidArgumentError(
          Cat(std::string_view(name), ": a value has a line break; remove it"));
    }
    headers.emplace_back(item.substr(0, equals), value);
  }
  return headers;
}

void WriteSpan(const SpanData& span, JsonWriter* w) {
  w->BeginObject().Field("traceId", span.context.trace_id).Field("spanId", span.context.span_id);
  if (!span.parent_span_id.empty()) w->Field("parentSpanId", span.parent_span_id);
  w->Field("name", span.name)
      .Field("kind", static_cast<int>(span.kind))
      .Field("startTimeUnixNano", Cat(span.start_wall_ns))
      .Field("endTimeUnixNano", Cat(span.start_wall_ns + span.duration_ns))
      .Key("attributes")
      .BeginArray();
  for (const auto& [key, value] : span.attributes) {
    w->BeginObject().Field("key", key).Key("value").Raw(value).EndObject();
  }
  w->EndArray().Key("status").BeginObject();
  if (span.failed) {
    w->Field("code", 2);  // STATUS_CODE_ERROR
    if (!span.error.empty()) w->Field("message", span.error);
  }
  w->EndObject().EndObject();
}

}  // namespace

StatusOr<TracerOptions> TracerOptions::FromEnvironment(std::string_view service,
                                                       std::string_view endpoint) {
  TracerOptions options;
  options.service = Variable("OTEL_SERVICE_NAME").empty() ? service : Variable("OTEL_SERVICE_NAME");
  if (Variable("OTEL_SDK_DISABLED") == "true") return options;
  options.url = Variable("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT");
  const char* named = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";
  if (std::string_view base = endpoint.empty() ? Variable("OTEL_EXPORTER_OTLP_ENDPOINT") : endpoint;
      options.url.empty() && !base.empty()) {
    named = "OTEL_EXPORTER_OTLP_ENDPOINT";
    if (base.ends_with('/')) base.remove_suffix(1);
    options.url = Cat(base, "/v1/traces");
  }
  if (!options.url.empty() && !options.url.starts_with("http://") &&
      !options.url.starts_with("https://")) {
    return absl::InvalidArgumentError(Cat(std::string_view(named), ": '", options.url,
                                          "' is no http or https address; write "
                                          "http://collector:4318"));
  }
  SAFERL_ASSIGN_OR_RETURN(options.sample_ratio, Number("OTEL_TRACES_SAMPLER_ARG", 1, 0, 1));
  SAFERL_ASSIGN_OR_RETURN(const double timeout_ms,
                          Number("OTEL_EXPORTER_OTLP_TIMEOUT", 10'000, 1, 600'000));
  options.timeout_s = timeout_ms / 1000;
  SAFERL_ASSIGN_OR_RETURN(options.headers, HeaderList("OTEL_EXPORTER_OTLP_HEADERS"));
  return options;
}

std::string OtlpJson(std::string_view service, const std::vector<SpanData>& spans) {
  JsonWriter w;
  w.BeginObject().Key("resourceSpans").BeginArray().BeginObject();
  w.Key("resource").BeginObject().Key("attributes").BeginArray().BeginObject();
  w.Field("key", "service.name").Key("value").BeginObject().Field("stringValue", service);
  w.EndObject().EndObject().EndArray().EndObject();
  w.Key("scopeSpans").BeginArray().BeginObject();
  w.Key("scope").BeginObject().Field("name", "saferl").EndObject();
  w.Key("spans").BeginArray();
  for (const SpanData& span : spans) WriteSpan(span, &w);
  w.EndArray().EndObject().EndArray().EndObject().EndArray().EndObject();
  return w.Take();
}

}  // namespace saferl::telemetry
