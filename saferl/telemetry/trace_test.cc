#include "saferl/telemetry/trace.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "saferl/base/json.h"
#include "saferl/base/text.h"

namespace saferl::telemetry {
namespace {

using testing::HasSubstr;

/// tools/test_otlp.py as a child process.
class Collector {
 public:
  explicit Collector(const std::vector<std::string>& statuses = {}) {
    int in[2], out[2];
    EXPECT_EQ(::pipe(in) + ::pipe(out), 0);
    child_ = ::fork();
    if (child_ == 0) {
      ::dup2(in[0], 0);
      ::dup2(out[1], 1);
      for (int fd : {in[0], in[1], out[0], out[1]}) ::close(fd);
      std::vector<const char*> words = {"python3", SAFERL_SOURCE_DIR "/tools/test_otlp.py"};
      for (const std::string& status : statuses) words.push_back(status.c_str());
      words.push_back(nullptr);
      ::execvp("python3", const_cast<char* const*>(words.data()));
      ::_exit(127);
    }
    ::close(in[0]);
    ::close(out[1]);
    to_ = in[1];
    from_ = ::fdopen(out[0], "r");
    port_ = Line();
  }
  ~Collector() {
    ::close(to_);
    std::fclose(from_);
    ::waitpid(child_, nullptr, 0);
  }
  /// The next request that it saw; every one is well-formed OTLP.
  Node Request() {
    Node request = *ParseJson(Line(), "collector");
    EXPECT_TRUE(request.Find("errors")->items().empty())
        << request.Find("errors")->items()[0].text();
    return request;
  }
  TracerOptions Options() const {
    TracerOptions options;
    options.url = Cat("http://127.0.0.1:", port_, "/v1/traces");
    options.service = "test";
    options.retry_after_s = 0.001;
    options.interval_s = 60;  // a batch leaves when asked
    return options;
  }

 private:
  std::string Line() {
    std::string line;
    for (int c; (c = std::fgetc(from_)) != EOF && c != '\n';) line += static_cast<char>(c);
    return line;
  }
  pid_t child_ = -1;
  int to_ = -1;
  std::FILE* from_ = nullptr;
  std::string port_;
};

TEST(Trace, SpansArriveWithParentsAttributesAndErrors) {
  Collector collector;
  Metrics metrics;
  TracerOptions options = collector.Options();
  options.headers = {{"X-Token", "secret"}};
  Tracer tracer(options, metrics);
  std::string outer_id, trace_id;
  {
    Span outer = tracer.Start("outer", {}, SpanKind::kServer);
    outer_id = outer.context().span_id;
    trace_id = outer.context().trace_id;
    Span inner = tracer.Start("inner \"quoted\"", outer.context());
    inner.Set("text", "a\nb");
    inner.Set("whole", int64_t{-5});
    inner.Set("real", 0.5);
    inner.Fail("disk full");
  }
  tracer.Flush();
  const Node request = collector.Request();
  EXPECT_EQ(request.Find("token")->text(), "secret");
  const std::vector<Node>& spans = request.Find("spans")->items();
  ASSERT_EQ(spans.size(), 2u);  // the inner one ends first
  EXPECT_EQ(spans[0].Find("name")->text(), "inner \"quoted\"");
  EXPECT_EQ(spans[0].Find("parentSpanId")->text(), outer_id);
  EXPECT_EQ(spans[0].Find("traceId")->text(), trace_id);
  EXPECT_EQ(spans[0].Find("attributes")->items()[1].Find("value")->Find("intValue")->text(), "-5");
  EXPECT_EQ(spans[0].Find("status")->Find("message")->text(), "disk full");
  EXPECT_EQ(spans[1].Find("parentSpanId"), nullptr);
  EXPECT_EQ(*spans[1].Find("kind")->AsInt64(), 2);
  EXPECT_THAT(metrics.Text(), HasSubstr("saferl_trace_spans_exported_total 2\n"));
}

TEST(Trace, ARequestsSpanIsTheServersOwn) {
  Collector collector;
  Metrics metrics;
  Tracer tracer(collector.Options(), metrics);
  net::Request request;
  request.path = "/v2/models/chair";
  request.request_id = "r-1";
  request.trace_id = "0af7651916cd43dd8448eb211c80319c";
  request.span_id = "00f067aa0ba902b7";
  request.parent_span_id = "b7ad6b7169203331";
  request.trace_sampled = true;
  net::Route route;
  route.pattern = "/v2/models/{model}";
  tracer.Record({.request = &request, .route = &route, .status = 503, .duration_ns = 1000});
  request.trace_sampled = false;  // the caller decided against it
  tracer.Record({.request = &request, .route = &route, .status = 200, .duration_ns = 1000});
  EXPECT_FALSE(tracer.Start("child", tracer.ContextOf(request)).context().sampled);
  tracer.Flush();
  const Node seen = collector.Request();
  ASSERT_EQ(seen.Find("spans")->items().size(), 1u);
  const Node& span = seen.Find("spans")->items()[0];
  EXPECT_EQ(span.Find("name")->text(), "GET /v2/models/{model}");
  EXPECT_EQ(span.Find("spanId")->text(), request.span_id);
  EXPECT_EQ(span.Find("parentSpanId")->text(), request.parent_span_id);
  EXPECT_EQ(*span.Find("status")->Find("code")->AsInt64(), 2);
}

TEST(Trace, ABusyCollectorIsAskedAgain) {
  Collector collector({"503", "429"});
  Metrics metrics;
  Tracer tracer(collector.Options(), metrics);
  tracer.Start("a").End();
  tracer.Flush();
  EXPECT_EQ(*collector.Request().Find("status")->AsInt64(), 503);
  EXPECT_EQ(*collector.Request().Find("status")->AsInt64(), 429);
  EXPECT_EQ(*collector.Request().Find("status")->AsInt64(), 200);
  EXPECT_THAT(metrics.Text(), HasSubstr("saferl_trace_spans_exported_total 1\n"));
}

TEST(Trace, WhatTheCollectorRefusesIsCounted) {
  Collector collector({"400", "206"});
  Metrics metrics;
  Tracer tracer(collector.Options(), metrics);
  tracer.Start("refused").End();
  tracer.Flush();
  tracer.Start("a").End();
  tracer.Start("b").End();
  tracer.Flush();  // one of the two is rejected by "partialSuccess"
  EXPECT_THAT(metrics.Text(), HasSubstr("saferl_trace_spans_dropped_total{reason=\"export\"} 2\n"));
  EXPECT_THAT(metrics.Text(), HasSubstr("saferl_trace_spans_exported_total 1\n"));
}

TEST(Trace, AFullQueueDropsAndCounts) {
  Metrics metrics;
  TracerOptions options;
  options.url = "http://127.0.0.1:1/v1/traces";  // nobody listens
  options.max_queue = 5;
  options.max_batch = 100;
  options.interval_s = 3600;
  options.retries = 0;
  {
    Tracer tracer(options, metrics);
    for (int i = 0; i < 12; ++i) tracer.Start("x").End();
  }
  EXPECT_THAT(metrics.Text(), HasSubstr("saferl_trace_spans_dropped_total{reason=\"queue\"} 7\n"));
  EXPECT_THAT(metrics.Text(), HasSubstr("saferl_trace_spans_dropped_total{reason=\"export\"} 5\n"));
}

TEST(Trace, WithoutAnEndpointNothingIsRecorded) {
  Metrics metrics;
  Tracer tracer({}, metrics);
  Span span = tracer.Start("x");
  EXPECT_FALSE(span.context().sampled);
  span.End();
  tracer.Flush();
  EXPECT_THAT(metrics.Text(), HasSubstr("saferl_trace_spans_dropped_total{reason=\"queue\"} 0\n"));
}

TEST(Trace, TheRatioOfSampledTracesIsTheOneAskedFor) {
  Collector collector;
  Metrics metrics;
  TracerOptions options = collector.Options();
  options.sample_ratio = 0.25;
  options.max_queue = 1;
  Tracer tracer(options, metrics);
  int sampled = 0;
  constexpr int kTraces = 4000;
  for (int i = 0; i < kTraces; ++i) sampled += tracer.Start("x").context().sampled;
  EXPECT_NEAR(sampled, kTraces * 0.25, 5 * std::sqrt(kTraces * 0.25 * 0.75));  // 5 sigma
}

TEST(Trace, OptionsComeFromTheEnvironment) {
  const auto with = [](std::initializer_list<std::pair<const char*, const char*>> variables) {
    for (const auto& [name, value] : variables) ::setenv(name, value, 1);
    const StatusOr<TracerOptions> options = TracerOptions::FromEnvironment("saferl-api");
    for (const auto& variable : variables) ::unsetenv(variable.first);
    return options;
  };
  EXPECT_EQ(with({})->url, "");
  const auto full = with({{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4318/"},
                          {"OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20x,b=2"},
                          {"OTEL_EXPORTER_OTLP_TIMEOUT", "2500"},
                          {"OTEL_TRACES_SAMPLER_ARG", "0.1"}});
  ASSERT_TRUE(full.ok()) << full.status();
  EXPECT_EQ(full->url, "http://c:4318/v1/traces");
  EXPECT_EQ(full->service, "saferl-api");
  EXPECT_EQ(full->timeout_s, 2.5);
  EXPECT_EQ(full->sample_ratio, 0.1);
  EXPECT_EQ(full->headers[0].second, "Bearer x");
  EXPECT_EQ(with({{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "https://c/t"}})->url, "https://c/t");
  EXPECT_EQ(with({{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://c"}, {"OTEL_SDK_DISABLED", "true"}})->url,
            "");
  for (const auto& [name, value] : std::initializer_list<std::pair<const char*, const char*>>{
           {"OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318"},
           {"OTEL_TRACES_SAMPLER_ARG", "2"},
           {"OTEL_EXPORTER_OTLP_TIMEOUT", "soon"},
           {"OTEL_EXPORTER_OTLP_HEADERS", "no-value"},
           {"OTEL_EXPORTER_OTLP_HEADERS", "a=b%0d%0ac"}}) {
    const auto bad = with({{name, value}});
    EXPECT_EQ(bad.status().code(), absl::StatusCode::kInvalidArgument) << name;
    EXPECT_THAT(std::string(bad.status().message()), HasSubstr(name));
  }
}

}  // namespace
}  // namespace saferl::telemetry
