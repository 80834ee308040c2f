// Drift through the whole program: robots ask POST /inference, Prometheus' page shows the p-value.
#include "saferl/services/monitor/drift_watch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <map>
#include <sstream>
#include <thread>

#include "saferl/base/clock.h"
#include "saferl/base/file.h"
#include "saferl/base/hash.h"
#include "saferl/base/json.h"
#include "saferl/base/random.h"
#include "saferl/base/text.h"
#include "saferl/control/workload.h"
#include "saferl/net/http_client.h"
#include "saferl/policy/package.h"
#include "saferl/policy/spec_builder.h"
#include "saferl/services/app.h"
#include "saferl/services/decide/decide_message.h"
#include "saferl/services/inference/small_policy.h"
#include "saferl/services/testing/backends.h"

namespace saferl::services {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr double kTorque_nm = 3;  // what the wearer and the sensor's noise do

/// An exoskeleton whose wearer pushes at random.
struct Legs {
  Legs(const std::shared_ptr<const robot::RobotModel>& robot, uint64_t seed)
      : workload(robot, seed), random(seed), n(robot->n()) {}
  const control::TickInput& Next(double offset_nm) {
    input = workload.Next();
    for (int i = 0; i < n; ++i) input.observation.interaction[i] = kTorque_nm * random.Normal();
    input.observation.interaction[0] += offset_nm;
    return input;
  }
  control::Workload workload;
  control::TickInput input;
  Random random;
  int n;
};

/// A policy whose normaliser has seen such legs.
StatusOr<policy::PolicySpec> Trained(const std::shared_ptr<const safety::SafetyModel>& safety) {
  SAFERL_ASSIGN_OR_RETURN(const auto bench, control::MakeBenchPolicy(safety->robot, 16));
  SAFERL_ASSIGN_OR_RETURN(const control::TickModel model, control::MakeTickModel(safety, bench));
  policy::PolicySpec spec = bench->spec();
  const auto n = static_cast<size_t>(spec.n_obs());
  std::vector<float> features(n);
  std::vector<double> sum(n), squares(n);
  constexpr int kRobots = 8, kTicks = 2000;
  for (uint64_t seed = 100; seed < 100 + kRobots; ++seed) {
    Legs legs(safety->robot, seed);
    auto data = control::Prepare(model);
    for (int t = 0; t < kTicks; ++t) {
      control::Decision decision;
      const control::TickInput& input = legs.Next(0);
      control::Tick(model, input, data.get(), &decision);
      legs.workload.Apply(decision.command);
      control::ExtractFeatures(model.features, input.observation, {}, features);
      for (size_t f = 0; f < n; ++f) {
        sum[f] += features[f];
        squares[f] += static_cast<double>(features[f]) * features[f];
      }
    }
  }
  for (size_t f = 0; f < n; ++f) {
    const double mean = sum[f] / (kRobots * kTicks);
    spec.obs_mean[f] = static_cast<float>(mean);
    spec.obs_std[f] = static_cast<float>(
        std::max(0.01, std::sqrt(squares[f] / (kRobots * kTicks) - mean * mean)));
  }
  policy::MakeGoldenVectors(&spec, 4, 1);
  return spec;
}

class DriftServingTest : public testing::Test {
 protected:
  void SetUp() override {
    auto safety = safety::LoadSafetyModel("exoskeleton");
    ASSERT_TRUE(safety.ok()) << safety.status();
    safety_ = *safety;
    const auto spec = Trained(safety_);
    ASSERT_TRUE(spec.ok()) << spec.status();
    const auto package = policy::EncodePackage(*spec);
    ASSERT_TRUE(package.ok()) << package.status();
    std::filesystem::create_directories(stores_.folder() + "/models/legs");
    ASSERT_TRUE(WriteFileAtomic(stores_.folder() + "/models/legs/1.policy", *package).ok());
    auto app = App::Start(stores_.config(), {"0.1.0", "abc"}, {});
    ASSERT_TRUE(app.ok()) << app.status();
    app_ = *std::move(app);
    for (uint64_t r = 0; r < 8; ++r)
      robots_.push_back(std::make_unique<Legs>(safety_->robot, 1 + r));
  }
  net::ClientResponse Send(net::Method method, const std::string& path, std::string body = "",
                           int port = 0) {
    net::ClientRequest request;
    request.method = method;
    request.url = Cat("http://127.0.0.1:", port == 0 ? app_->inference_port() : port, path);
    request.body = std::move(body);
    auto response = client_.Send(request);
    EXPECT_TRUE(response.ok()) << response.status();
    return response.ok() ? *std::move(response) : net::ClientResponse{};
  }
  /// So many ticks of each robot, each by POST /inference; the robots do what they are told.
  void Drive(int ticks, double offset_nm) {
    for (int t = 0; t < ticks; ++t) {
      for (size_t r = 0; r < robots_.size(); ++r) {
        Legs& legs = *robots_[r];
        const std::string body =
            EncodeDecideRequest(*safety_->robot, Cat("legs-", r), legs.Next(offset_nm), "legs");
        net::ClientResponse response = Send(net::Method::kPost, "/inference", body);
        for (int again = 0; again < 20 && response.body.contains("waited too long"); ++again)
          response = Send(net::Method::kPost, "/inference", body);  // a busy machine
        ASSERT_EQ(response.status, 200) << response.body;
        const auto json = ParseJson(response.body, "decision");
        ASSERT_TRUE(json.ok());
        const auto& u = json->Find("command")->Find("u")->items();
        safety::Command command;
        for (size_t i = 0; i < u.size(); ++i) command.u[i] = u[i].AsDouble().value_or(0);
        legs.workload.Apply(command);
      }
    }
  }
  /// The drift series of /metrics, each with its value.
  std::map<std::string, std::string> Scrape() {
    std::map<std::string, std::string> series;
    std::istringstream text(Send(net::Method::kGet, "/metrics").body);
    for (std::string line; std::getline(text, line);) {
      if (line.starts_with("saferl_drift_"))
        series[line.substr(0, line.rfind(' '))] = line.substr(line.rfind(' ') + 1);
    }
    return series;
  }
  static double Of(const std::map<std::string, std::string>& scrape, const std::string& name) {
    const auto at = scrape.find(Cat("saferl_drift_", name,
                                    "{feature_group=\"observation\",model=\"legs\",test=\"batch_"
                                    "means\",version=\"1\"}"));
    return at == scrape.end() ? NAN : std::strtod(at->second.c_str(), nullptr);
  }
  /// Waits until `done` of a scrape; gives that scrape.
  std::map<std::string, std::string> ScrapeUntil(
      const std::function<bool(const std::map<std::string, std::string>&)>& done) {
    const Deadline deadline = Deadline::After(10 * kNanosPerSecond);
    std::map<std::string, std::string> scrape = Scrape();
    while (!done(scrape) && !deadline.Passed()) {
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
      scrape = Scrape();
    }
    EXPECT_TRUE(done(scrape));
    return scrape;
  }
  /// Whether the project's rule ModelDrift fires while Prometheus sees this scrape for 8 minutes,
  /// and for the observation of this version alone.
  bool RuleFires(const std::map<std::string, std::string>& scrape) {
    std::string test = Cat("rule_files: [", SAFERL_SOURCE_DIR,
                           "/deployment/monitoring/prometheus/rules.yml]\n"
                           "tests:\n  - interval: 15s\n    input_series:\n");
    for (const auto& [series, value] : scrape)
      test += Cat("      - {series: '", series, "', values: '", value, "x40'}\n");
    test += "    alert_rule_test:\n      - {eval_time: 8m, alertname: ModelDrift, exp_alerts: [";
    const std::string quiet = test + "]}\n";
    test +=
        "{exp_labels: {severity: warning, feature_group: observation, model: legs, test: "
        "batch_means, version: '1'}, exp_annotations: {summary: 'legs 1: observation differs from "
        "its reference (batch_means)', runbook_url: docs/alerts.md#modeldrift}}]}\n";
    const auto passes = [this](const std::string& text) {
      const std::string path = stores_.folder() + "/drift_rule.yml";
      EXPECT_TRUE(WriteFileAtomic(path, text).ok());
      return std::system(Cat("promtool test rules ", path, " > /dev/null 2>&1").c_str()) == 0;
    };
    const bool fires = passes(test);
    EXPECT_NE(fires, passes(quiet));
    return fires;
  }

  const Backends stores_{"local"};
  std::shared_ptr<const safety::SafetyModel> safety_;
  std::unique_ptr<App> app_;
  std::vector<std::unique_ptr<Legs>> robots_;
  net::HttpClient client_;
};

TEST_F(DriftServingTest, CleanTicksFireNothingAndASensorsOffsetFiresTheAlert) {
  Drive(1024, 0);
  const auto clean =
      ScrapeUntil([](const auto& scrape) { return Of(scrape, "window_samples") >= 8192; });
  EXPECT_GT(Of(clean, "pvalue"), 0.5);
  EXPECT_LT(Of(clean, "statistic"), 0.5);
  EXPECT_FALSE(RuleFires(clean));
  EXPECT_THAT(Send(net::Method::kGet, "/alerts", "", app_->monitor_port()).body,
              Not(HasSubstr("ModelDrift")));

  Drive(1024, 2 * kTorque_nm);
  const auto shifted = ScrapeUntil([](const auto& scrape) { return Of(scrape, "pvalue") < 1e-3; });
  EXPECT_NEAR(Of(shifted, "statistic"), 2, 0.2);
  EXPECT_TRUE(RuleFires(shifted));
  const std::string health = Send(net::Method::kGet, "/health/models").body;
  EXPECT_THAT(health, HasSubstr(R"("feature_group":"observation","state":"drifting")"));
  EXPECT_THAT(health, HasSubstr(R"("features":[{"name":"interaction[0]")"));
  const std::string raised = Send(net::Method::kGet, "/alerts", "", app_->monitor_port()).body;
  EXPECT_THAT(raised, HasSubstr("ModelDrift"));
  EXPECT_THAT(raised, HasSubstr("interaction[0]: mean off by "));
}

/// Ticks that ask the served policy count, while it takes part.
TEST(DriftOfSessions, TicksInHoldAndPoliciesElsewhereAreNotRecorded) {
  const auto safety = safety::LoadSafetyModel("exoskeleton");
  ASSERT_TRUE(safety.ok()) << safety.status();
  const auto policy = control::MakeBenchPolicy((*safety)->robot, 16);
  ASSERT_TRUE(policy.ok()) << policy.status();
  telemetry::Metrics metrics;
  ModelHost host(&metrics, 1 << 20);
  policy::DriftOptions every;  // a window is a sample
  every.block = every.blocks = every.least_blocks = 1;
  host.SetDrift(every);
  ASSERT_TRUE(host.Load("legs", "1", *policy::EncodePackage((*policy)->spec())).ok());
  Sessions sessions({}, &host);
  const auto recorded = [&](const std::string& robot, bool enabled, bool elsewhere) {
    const uint64_t before = host.Find("legs", "1")->drift->windows();
    control::Workload workload((*safety)->robot);
    for (int t = 0; t < 10; ++t) {
      DecideRequest request;
      request.robot = robot;
      request.type = "exoskeleton";
      request.model = "legs";
      request.input = workload.Next();
      request.fixed_shape = true;
      request.input.human.enabled = enabled;
      request.input.policy.present = elsewhere;
      request.input.policy.stamp_ns = request.input.now_ns;
      const auto decided = sessions.Decide(request);
      EXPECT_TRUE(decided.ok()) << decided.status();
      if (decided.ok()) workload.Apply((*decided)->decision.command);
    }
    host.Find("legs", "1")->drift->Collect();
    return host.Find("legs", "1")->drift->windows() - before;
  };
  EXPECT_EQ(recorded("asks", true, false), 10u);
  EXPECT_EQ(recorded("holds", false, false), 0u);
  EXPECT_EQ(recorded("asks elsewhere", true, true), 0u);
}

/// "small" with a normaliser that tells what it has seen.
std::string Normalised() {
  policy::PolicySpec spec = SmallSpec(1);
  spec.obs_mean = {0.125F, 0, 0};
  policy::MakeGoldenVectors(&spec, 4, 1);
  return policy::EncodePackage(spec).value();
}

/// What a service that serves "small" knows of drift, with small windows, until it ends.
struct Watched {
  explicit Watched(const std::string& directory)
      : watch(&host, &metrics, &alerts, directory, 3600) {
    policy::DriftOptions options;
    options.block = 4;
    host.SetDrift(options);
    EXPECT_TRUE(host.Load("small", "1", Package(1)).ok());
    watch.Turn();
  }
  /// So many windows of rows about `mean`.
  void Windows(uint64_t n, double mean) {
    for (const uint64_t until = detector().windows() + n; detector().windows() < until;) {
      InferRequest request;
      Tensor& input = request.inputs.emplace_back();
      input.name = "observation";
      input.shape = {16, 3};
      std::vector<float> rows(3 * 16);
      for (float& x : rows) x = static_cast<float>(mean + 0.1 * random.Normal());
      input.bytes.assign(reinterpret_cast<const char*>(rows.data()), rows.size() * sizeof(float));
      ASSERT_TRUE(
          Infer(*host.Find("small", "1"), std::move(request), telemetry::Transport::kHttp).ok());
      watch.Turn();
    }
  }
  policy::DriftDetector& detector() { return *host.Find("small", "1")->drift; }
  policy::DriftReport observation() { return detector().Reports()[0]; }

  telemetry::Metrics metrics;
  ModelHost host{&metrics, 1 << 20};
  Alerts alerts{{}, &metrics};
  Random random{1};
  DriftWatch watch;
};

TEST(DriftWatch, WhatWasLearnedOutlivesTheProcessAndADamagedFileIsLearnedAnew) {
  const storage::testing::TemporaryDirectory folder("drift");
  const std::string kept = Cat(folder.path(), "/", Sha256Hex(Package(1)), ".drift");
  {
    Watched first(folder.path());
    EXPECT_TRUE(first.observation().learning);
    EXPECT_FALSE(std::filesystem::exists(kept));
    first.Windows(1, 0.5);
    EXPECT_FALSE(first.observation().learning);
  }
  ASSERT_TRUE(std::filesystem::exists(kept));
  const std::string written = *ReadFile(kept);
  {
    Watched second(folder.path());  // the sensor was changed while it was down
    EXPECT_FALSE(second.observation().learning);
    second.Windows(1, 1.0);
    EXPECT_TRUE(second.observation().drifting);
    EXPECT_EQ(second.alerts.active(), 2u);  // of the action too
    ASSERT_TRUE(second.host.Unload("small", "1").ok());
    second.watch.Turn();
    ASSERT_TRUE(second.host.Load("small", "1", Package(1)).ok());
    second.watch.Turn();
    EXPECT_FALSE(second.observation().learning);  // loaded again: the same
  }
  EXPECT_EQ(*ReadFile(kept), written);  // once
  ASSERT_TRUE(WriteFileAtomic(kept, written.substr(1)).ok());
  testing::internal::CaptureStderr();
  Watched third(folder.path());
  EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr("drift reference not read"));
  EXPECT_TRUE(third.observation().learning);
  third.Windows(1, 0.5);
  EXPECT_FALSE(third.observation().learning);
  EXPECT_TRUE(policy::DecodeDriftReference(*ReadFile(kept), kept).ok());
}

/// Rows of the Open Inference Protocol count as well; a version that goes takes its figures along.
TEST(DriftWatch, RequestsAreWatchedAndAnUnloadedVersionIsForgotten) {
  telemetry::Metrics metrics;
  ModelHost host(&metrics, 1 << 20);
  Alerts alerts({}, &metrics);
  ASSERT_TRUE(host.Load("small", "1", Normalised()).ok());
  ASSERT_TRUE(host.Load("small", "2", Normalised()).ok());
  DriftWatch watch(&host, &metrics, &alerts, "", 3600);
  Random random(1);
  for (int call = 0; call < 64; ++call) {
    std::vector<float> rows(3 * 256);
    for (float& x : rows) x = static_cast<float>(2 + random.Normal());
    InferRequest request;
    Tensor& input = request.inputs.emplace_back();
    input.name = "observation";
    input.shape = {256, 3};
    input.bytes.assign(reinterpret_cast<const char*>(rows.data()), rows.size() * sizeof(float));
    const auto model = host.Find("small", "2");
    ASSERT_TRUE(Infer(*model, std::move(request), telemetry::Transport::kHttp).ok());
    watch.Turn();
  }
  const auto drifting = [&](const char* version) {
    return host.Find("small", version)->drift->Reports()[0].drifting;
  };
  EXPECT_TRUE(drifting("2"));
  EXPECT_FALSE(drifting("1"));
  EXPECT_EQ(alerts.active(), 1u);
  EXPECT_THAT(metrics.Text(), HasSubstr("version=\"2\"} 16384\n"));
  ASSERT_TRUE(host.Unload("small", "2").ok());
  watch.Turn();
  EXPECT_EQ(alerts.active(), 0u);
  EXPECT_THAT(metrics.Text(), Not(HasSubstr("test=\"batch_means\",version=\"2\"")));
  EXPECT_THAT(metrics.Text(), HasSubstr("test=\"batch_means\",version=\"1\"} 1\n"));
}

}  // namespace
}  // namespace saferl::services
