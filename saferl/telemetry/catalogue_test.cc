#include "saferl/telemetry/catalogue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <charconv>
#include <cstdlib>
#include <map>
#include <set>
#include <sstream>
#include <thread>

#include "saferl/base/clock.h"
#include "saferl/base/file.h"
#include "saferl/base/text.h"
#include "saferl/telemetry/decide_metrics.h"
#include "saferl/telemetry/gpu_metrics.h"
#include "saferl/telemetry/monitor_metrics.h"
#include "saferl/telemetry/operations_metrics.h"

namespace saferl::telemetry {
namespace {

using testing::HasSubstr;
using testing::Not;

/// A process that has every area.
struct Everything {
  Metrics metrics;
  ModelMetrics model{metrics, "wheelchair", "7"};
  ControlMetrics control{metrics};
  std::vector<std::string> constraints{"distance", "speed"}, states{"shadow", "canary"},
      gates{"violations"}, reasons{"safety", "operator"};
  SafetyMetrics safety{metrics, constraints};
  RolloutMetrics rollout{metrics, "wheelchair", states, gates, reasons};
  HttpMetrics http{metrics, "api"};
  StorageMetrics rows{metrics, "rows"};
  DriftMetrics drift{metrics, "wheelchair", "7", "batch_means", "action"};
  RoutingMetrics routing{metrics, "edge"};
  SyncMetrics sync{metrics};
  BackupMetrics backup{metrics};
  BusinessMetrics business{metrics};
  DecisionMetrics decisions{metrics};
  LatchMetrics latches{metrics};
  StreamMetrics streams{metrics};
  MonitorMetrics monitor{metrics};
  NotificationMetrics notified{metrics, "webhook"};
  Everything() {
    AddProcessMetrics(metrics, "1.2.3", "abc");
    AddGpuMetrics(metrics, 0, SAFERL_BINARY_DIR "/libsaferl_fake_nvml.so");
    model.Loaded("00ff", "int8", 0.01);
    model.Requests(Arm::kCanary, Transport::kGrpc).Add(200);
    http.ForRoute("GET", "/v2/models/{model}").requests.Add(404);
    rows.ForOperation("get").ok.Add();
    routing.Decisions("latency").Add();
    rollout.SetState(1);
    safety.ExposureNanos(Arm::kStable).Add(1'500'000'000);
  }
};

std::string Value(const std::string& text, const std::string& series) {
  const size_t at = text.find("\n" + series + " ");
  if (at == std::string::npos) return "absent";
  const size_t start = at + series.size() + 2;
  return text.substr(start, text.find('\n', start) - start);
}

TEST(Catalogue, PromtoolAcceptsAScrapeOfEverything) {
  const std::string file = Cat(testing::TempDir(), "saferl_scrape_", ::getpid());
  ASSERT_TRUE(WriteFileAtomic(file, Everything().metrics.Text()).ok());
  EXPECT_EQ(std::system(Cat("promtool check metrics < ", file, " >&2").c_str()), 0);
  ::unlink(file.c_str());
}

/// What a scrape shows is what the table says, no more and no less. Trace metrics come with the
/// exporter.
TEST(Catalogue, TableAndScrapeHoldTheSameMetrics) {
  std::map<std::string, std::string> shown;
  std::istringstream text(Everything().metrics.Text());
  for (std::string line; std::getline(text, line);) {
    std::istringstream words(line);
    std::string hash, what, name, type;
    words >> hash >> what >> name >> type;
    if (what == "TYPE") shown[name] = type;
  }
  for (const MetricInfo& info : CatalogueTable()) {
    if (info.area == "traces") continue;
    EXPECT_EQ(shown[std::string(info.name)], info.type) << info.name;
    shown.erase(std::string(info.name));
  }
  EXPECT_TRUE(shown.empty()) << shown.begin()->first;
}

TEST(Catalogue, DocsPageIsMadeFromTheTable) {
  const std::string made = CatalogueMarkdown();
  const std::string copy = SAFERL_BINARY_DIR "/metrics.md";
  ASSERT_TRUE(WriteFileAtomic(copy, made).ok());
  EXPECT_EQ(ReadFile(SAFERL_SOURCE_DIR "/docs/metrics.md").value_or(""), made)
      << "copy " << copy << " over docs/metrics.md";
}

TEST(Catalogue, WhatAnAlertReadsIsThereAtZero) {
  Everything all;
  const std::string text = all.metrics.Text();
  for (const char* constraint : {"distance", "speed"}) {
    for (const char* severity : {"warning", "critical"}) {
      for (const char* arm : {"stable", "canary", "shadow"}) {
        EXPECT_EQ(Value(text, Cat("saferl_safety_violations_total{arm=\"", arm, "\",constraint=\"",
                                  constraint, "\",severity=\"", severity, "\"}")),
                  "0");
      }
    }
  }
  EXPECT_EQ(Value(text, "saferl_control_deadline_misses_total"), "0");
  EXPECT_EQ(Value(text, "saferl_auth_failures_total{reason=\"invalid\",service=\"api\"}"), "0");
  EXPECT_EQ(Value(text, "saferl_rollbacks_total{model=\"wheelchair\",reason=\"safety\"}"), "0");
  EXPECT_EQ(Value(text, "saferl_backup_last_success_timestamp_seconds{kind=\"full\"}"), "0");
  EXPECT_EQ(Value(text, "saferl_robot_exposure_seconds_total{arm=\"stable\"}"), "1.5");
}

TEST(Catalogue, EachHandleCountsItsOwnChild) {
  Metrics metrics;
  const std::vector<std::string> constraints = {"a", "b", "c"};
  SafetyMetrics safety(metrics, constraints);
  std::set<const void*> seen;
  for (size_t c = 0; c < 3; ++c) {
    for (Arm arm : {Arm::kStable, Arm::kCanary, Arm::kShadow}) {
      seen.insert(&safety.Violations(c, Severity::kWarning, arm));
      seen.insert(&safety.Violations(c, Severity::kCritical, arm));
      seen.insert(&safety.ShieldInterventions(c, arm));
    }
  }
  EXPECT_EQ(seen.size(), 27u);
  safety.Violations(1, Severity::kCritical, Arm::kCanary).Add(5);
  const std::string text = metrics.Text();
  EXPECT_EQ(
      Value(
          text,
          "saferl_safety_violations_total{arm=\"canary\",constraint=\"b\",severity=\"critical\"}"),
      "5");
}

TEST(Catalogue, CodesAreCountedFromManyThreadsAndBeyondTheirTable) {
  Metrics metrics;
  CodeCounters codes(metrics, "saferl_http_requests_total",
                     {{"service", "api"}, {"method", "GET"}, {"route", "/"}});
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&] {
        for (int i = 0; i < 30 * 100; ++i) codes.Add(400 + i % 30);
      });
    }
  }
  const std::string text = metrics.Text();
  for (int code = 400; code < 430; ++code) {
    EXPECT_EQ(Value(text, Cat("saferl_http_requests_total{code=\"", code,
                              "\",method=\"GET\",route=\"/\",service=\"api\"}")),
              "400");
  }
}

TEST(Catalogue, AnUnloadedModelHasNoInfoAndNoDrift) {
  Everything all;
  EXPECT_THAT(all.metrics.Text(), HasSubstr("saferl_model_info{model=\"wheelchair\",quant=\"int8\","
                                            "sha256=\"00ff\",version=\"7\"} 1\n"));
  EXPECT_THAT(all.metrics.Text(),
              HasSubstr("saferl_drift_pvalue{feature_group=\"action\",model=\"wheelchair\",test="
                        "\"batch_means\",version=\"7\"} 1\n"));
  all.model.Unloaded();
  all.drift.Remove();
  EXPECT_THAT(all.metrics.Text(), Not(HasSubstr("saferl_model_info{")));
  EXPECT_THAT(all.metrics.Text(), Not(HasSubstr("saferl_drift_pvalue{")));
}

TEST(Catalogue, RolloutIsInOneState) {
  Everything all;
  const auto state = [&](const char* name) {
    return Value(all.metrics.Text(),
                 Cat("saferl_rollout_state{model=\"wheelchair\",state=\"", name, "\"}"));
  };
  EXPECT_EQ(state("shadow") + state("canary"), "01");
  all.rollout.SetState(0);
  EXPECT_EQ(state("shadow") + state("canary"), "10");
}

TEST(Catalogue, ProcessMetricsTellThisProcess) {
  Everything all;
  const auto number = [&](const std::string& text, const char* series) {
    return std::strtod(Value(text, series).c_str(), nullptr);
  };
  const std::string before = all.metrics.Text();
  const double now = Seconds(WallNanos());
  EXPECT_NEAR(number(before, "process_start_time_seconds"), now, 600);  // this program just started
  EXPECT_LE(number(before, "process_start_time_seconds"), now);
  EXPECT_GT(number(before, "process_resident_memory_bytes"), 1 << 20);
  EXPECT_GT(number(before, "process_virtual_memory_bytes"),
            number(before, "process_resident_memory_bytes"));
  EXPECT_GT(number(before, "process_max_fds"), number(before, "process_open_fds"));
  EXPECT_GE(number(before, "process_threads"), 1);
  const int extra = ::dup(0);
  const int64_t stop = Nanos() + 50'000'000;
  while (Nanos() < stop) {
  }
  const std::string after = all.metrics.Text();
  ::close(extra);
  EXPECT_EQ(number(after, "process_open_fds"), number(before, "process_open_fds") + 1);
  EXPECT_GT(number(after, "process_cpu_seconds_total"),
            number(before, "process_cpu_seconds_total"));
}

TEST(CatalogueDeathTest, NamesOutsideTheTableAbort) {
  Metrics metrics;
  CodeCounters codes(metrics, "saferl_unknown_total", {});
  EXPECT_DEATH(codes.Add(200), "not in the table");
}

}  // namespace
}  // namespace saferl::telemetry
