// What the configuration's telemetry settings do to running services: spans at a collector, the
// access log, profiles.
#include "saferl/services/observer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <mutex>
#include <thread>

#include "saferl/base/clock.h"
#include "saferl/base/file.h"
#include "saferl/base/json.h"
#include "saferl/base/log.h"
#include "saferl/base/testing/shell.h"
#include "saferl/base/text.h"
#include "saferl/net/http_client.h"
#include "saferl/services/app.h"
#include "saferl/services/inference/small_policy.h"

namespace saferl::services {
namespace {

using testing::HasSubstr;

constexpr const char* kTrace = "0af7651916cd43dd8448eb211c80319c";
constexpr const char* kCaller = "b7ad6b7169203331";

class TelemetrySettings : public testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::create_directories(folder_ + "/models/small");
    ASSERT_TRUE(WriteFileAtomic(folder_ + "/models/small/1.policy", Package(1)).ok());
    config_.data_dir = folder_;
    config_.api.port = config_.inference_server.port = config_.monitor_server.port = 0;
  }
  void TearDown() override {
    app_.reset();
    ASSERT_TRUE(ConfigureLog(LogLevel::kInfo, "").ok());
    std::filesystem::remove_all(folder_);
  }
  void Start() {
    auto app = App::Start(config_, {"0.1.0", "abc"}, {});
    ASSERT_TRUE(app.ok()) << app.status();
    app_ = *std::move(app);
  }
  int Send(net::Method method, int port, const std::string& path, const std::string& body = "",
           const std::string& traceparent = "") {
    net::ClientRequest request;
    request.method = method;
    request.url = Cat("http://127.0.0.1:", port, path);
    request.body = body;
    if (!traceparent.empty()) request.headers.Set("traceparent", traceparent);
    const auto response = client_.Send(request);
    EXPECT_TRUE(response.ok()) << response.status();
    return response.ok() ? response->status : 0;
  }
  std::vector<Node> LogLines(const std::string& file) const {
    std::vector<Node> lines;
    std::istringstream text(ReadFile(file).value_or(""));
    for (std::string line; std::getline(text, line);) {
      auto node = ParseJson(line, "log");
      EXPECT_TRUE(node.ok()) << line;
      if (node.ok()) lines.push_back(*std::move(node));
    }
    return lines;
  }

  const std::string folder_ =
      (std::filesystem::temp_directory_path() / Cat("saferl_observer_", ::getpid())).string();
  ServiceConfig config_;
  std::unique_ptr<App> app_;
  net::HttpClient client_;
};

/// Takes what a tracer sends.
class Collector {
 public:
  Collector() {
    net::Route route;
    route.method = net::Method::kPost;
    route.pattern = "/v1/traces";
    route.operation_id = "traces";
    route.summary = "a test's collector";
    route.handler = [this](const net::Request& request) {
      const std::lock_guard lock(mutex_);
      auto node = ParseJson(request.body, "spans");
      EXPECT_TRUE(node.ok()) << node.status();
      const Node& resource = node->Find("resourceSpans")->items()[0];
      for (const Node& span : resource.Find("scopeSpans")->items()[0].Find("spans")->items())
        spans_.push_back(span);
      return net::Response::Json("{}");
    };
    router_.Add(std::move(route));
    server_ = *net::HttpServer::Start({}, router_);
  }
  std::string url() const { return Cat("http://127.0.0.1:", server_->port()); }
  /// The first span of that name; waits for it.
  StatusOr<Node> Await(const std::string& name) {
    const Deadline deadline = Deadline::After(20 * kNanosPerSecond);
    while (!deadline.Passed()) {
      {
        const std::lock_guard lock(mutex_);
        for (const Node& span : spans_) {
          if (span.Find("name")->text() == name) return span;
        }
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return absl::DeadlineExceededError(Cat("no span ", name));
  }

 private:
  std::mutex mutex_;
  std::vector<Node> spans_;
  net::Router router_;
  std::unique_ptr<net::HttpServer> server_;
};

TEST_F(TelemetrySettings, AnEndpointGetsASpanOfTheRequestAndOneOfItsInference) {
  Collector collector;
  config_.telemetry.otlp_endpoint = collector.url();
  Start();
  const std::string path = "/v2/models/small/infer";
  const std::string body =
      R"({"inputs":[{"name":"observation","shape":[1,3],"datatype":"FP32","data":[1,2,3]}]})";
  ASSERT_EQ(Send(net::Method::kPost, app_->inference_port(), path, body,
                 Cat("00-", kTrace, "-", kCaller, "-01")),
            200);
  const auto server = collector.Await("POST /v2/models/{model}/infer");
  ASSERT_TRUE(server.ok()) << server.status();
  EXPECT_EQ(server->Find("traceId")->text(), kTrace);
  EXPECT_EQ(server->Find("parentSpanId")->text(), kCaller);
  const auto infer = collector.Await("infer");
  ASSERT_TRUE(infer.ok()) << infer.status();
  EXPECT_EQ(infer->Find("traceId")->text(), kTrace);
  EXPECT_EQ(infer->Find("parentSpanId")->text(), server->Find("spanId")->text());
  ASSERT_NE(app_->monitor_port(), 0);
  Send(net::Method::kGet, app_->monitor_port(), "/health");
  EXPECT_TRUE(collector.Await("GET /health").ok());
}

TEST_F(TelemetrySettings, TritonsGrpcClientCarriesItsTraceOn) {
  Collector collector;
  config_.telemetry.otlp_endpoint = collector.url();
  Start();
  const auto run = [](const std::string& command) {
    auto [code, output] = Shell(command);
    EXPECT_EQ(code, 0) << output;
    while (!output.empty() && output.back() == '\n') output.pop_back();
    return output;
  };
  const std::string root = SAFERL_SOURCE_DIR;
  const std::string python =
      run(Cat(root, "/tools/python_env -r ", root, "/tools/oip_clients.txt"));
  run(Cat(python, " -c 'import numpy, tritonclient.grpc as t\n",
          "i = t.InferInput(\"observation\", [1, 3], \"FP32\")\n",
          "i.set_data_from_numpy(numpy.zeros((1, 3), numpy.float32))\n",
          "t.InferenceServerClient(\"127.0.0.1:", app_->inference_port(),
          "\").infer(\"small\", [i], headers={\"traceparent\": \"00-", kTrace, "-", kCaller,
          "-01\"})' 2>&1"));
  const auto infer = collector.Await("infer");
  ASSERT_TRUE(infer.ok()) << infer.status();
  EXPECT_EQ(infer->Find("traceId")->text(), kTrace);
  EXPECT_EQ(infer->Find("parentSpanId")->text(), kCaller);
}

TEST_F(TelemetrySettings, AnEndpointThatIsNoAddressIsRefusedByName) {
  config_.telemetry.otlp_endpoint = "collector:4318";
  const auto app = App::Start(config_, {"0.1.0", "abc"}, {});
  EXPECT_TRUE(absl::IsInvalidArgument(app.status()));
  EXPECT_THAT(std::string(app.status().message()), HasSubstr("OTEL_EXPORTER_OTLP_ENDPOINT"));
}

TEST_F(TelemetrySettings, TheAccessLogHasALineForEachRequestWhereItIsAsked) {
  const std::string log = folder_ + "/log";
  for (const AccessLog kind : {AccessLog::kAll, AccessLog::kErrors}) {
    config_.telemetry.access_log = kind;
    std::filesystem::remove(log);
    ASSERT_TRUE(ConfigureLog(LogLevel::kInfo, log).ok());
    Start();
    EXPECT_EQ(Send(net::Method::kGet, app_->api_port(), "/version?secret=hush"), 200);
    EXPECT_EQ(Send(net::Method::kGet, app_->inference_port(), "/nothing"), 404);
    app_.reset();
    int requests = 0;
    for (const Node& line : LogLines(log)) {
      if (line.Find("message")->text() != "request") continue;
      ++requests;
      EXPECT_NE(line.Find("trace"), nullptr);
      if (line.Find("status")->text() != "200") continue;
      EXPECT_EQ(line.Find("service")->text(), "api");
      EXPECT_EQ(line.Find("path")->text(), "/version");
      EXPECT_EQ(line.Find("route")->text(), "/version");
    }
    EXPECT_EQ(requests, kind == AccessLog::kAll ? 2 : 0);
    EXPECT_EQ(ReadFile(log)->find("hush"), std::string::npos);
  }
}

TEST_F(TelemetrySettings, AFloodOfFailuresIsCountedNotWritten) {
  const std::string log = folder_ + "/log";
  ASSERT_TRUE(ConfigureLog(LogLevel::kInfo, log).ok());
  telemetry::Metrics metrics;
  telemetry::HttpMetrics http(metrics, "api");
  const net::Router router;
  const auto observe = MakeObserver({.service = "api", .metrics = &http}, router);
  net::Request request;
  request.path = "/x";
  constexpr int kRequests = 2000;
  const auto fail = [&](int times) {
    for (int i = 0; i < times; ++i) observe({.request = &request, .status = 503});
  };
  fail(kRequests);
  std::this_thread::sleep_for(std::chrono::milliseconds(1100));
  fail(1);
  int64_t lines = 0, held = 0;
  for (const Node& line : LogLines(log)) {
    if (line.Find("message")->text() == "request") ++lines;
    if (const Node* more = line.Find("not_logged")) held += *more->AsInt64();
  }
  EXPECT_LE(lines, 3 * 20 + 1);  // the flood may have touched a second more
  EXPECT_GE(lines, 21);
  EXPECT_EQ(lines + held, kRequests + 1);
}

TEST_F(TelemetrySettings, EveryServiceGivesItsProfileWhereItIsOn) {
  for (const bool on : {false, true}) {
    config_.telemetry.profiling = on;
    Start();
    for (const int port : {app_->api_port(), app_->inference_port(), app_->monitor_port()})
      EXPECT_EQ(Send(net::Method::kGet, port, "/debug/profile?seconds=0.05"), on ? 200 : 403);
    app_.reset();
  }
}

TEST_F(TelemetrySettings, AScrapeShowsConnectionsAndStores) {
  Start();
  for (const auto& [port, service] : {std::pair{app_->api_port(), "api"},
                                      {app_->inference_port(), "inference"},
                                      {app_->monitor_port(), "monitor"}}) {
    net::ClientRequest request;
    request.url = Cat("http://127.0.0.1:", port, "/metrics");
    const auto response = client_.Send(request);
    ASSERT_TRUE(response.ok());
    const std::string& text = response->body;
    const std::string connections = Cat("saferl_http_connections{service=\"", service, "\"} ");
    const size_t at = text.find(connections);
    ASSERT_NE(at, std::string::npos) << text;
    EXPECT_NE(text[at + connections.size()], '0') << "this one is open";
    if (port == app_->monitor_port()) continue;  // it needs no store
    EXPECT_NE(text.find("saferl_storage_operations_total{operation=\"write\",outcome=\"ok\","),
              std::string::npos);
  }
}

TEST(ServiceLog, GoesWhereTheConfigurationSays) {
  const std::string folder =
      (std::filesystem::temp_directory_path() / Cat("saferl_log_", ::getpid())).string();
  ServiceConfig config;
  config.telemetry.log_dir = folder;
  config.telemetry.log_level = LogLevel::kWarning;
  ASSERT_TRUE(OpenLogOf(config, "saferl").ok());
  Log(LogLevel::kInfo, "not this");
  Log(LogLevel::kWarning, "but this");
  ASSERT_TRUE(ConfigureLog(LogLevel::kInfo, "").ok());
  const std::string text = ReadFile(folder + "/saferl.log").value_or("");
  EXPECT_THAT(text, HasSubstr("but this"));
  EXPECT_EQ(text.find("not this"), std::string::npos);
  config.telemetry.log_dir = "/proc/nowhere";
  EXPECT_FALSE(OpenLogOf(config, "saferl").ok());
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace saferl::services
