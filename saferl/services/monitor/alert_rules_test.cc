// The deployment guide's thresholds: what stays above raises, what stays well below resolves, and
// what flickers or lies between changes nothing. Time is simulated.
#include "saferl/services/monitor/alert_rules.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <unistd.h>

#include "saferl/base/clock.h"
#include "saferl/base/text.h"

namespace saferl::services {
namespace {

using ::testing::HasSubstr;

class AlertRulesTest : public testing::Test {
 protected:
  /// Seconds of 10 requests each, of which so many fail or are slow; machine as given.
  void Pass(int seconds, double errors, double slow = 0, double used = 0.1) {
    for (int k = 0; k < seconds; ++k) {
      now_ns_ += kNanosPerSecond;
      requests_ += 10;
      errors_ += errors;
      slow_ += slow;
      ServiceSample sample;
      sample.requests = requests_;
      sample.errors = static_cast<uint64_t>(errors_);
      sample.slow = static_cast<uint64_t>(slow_);
      sample.cpu = sample.memory = 0.1;
      sample.disk = used;
      rules_.Look(now_ns_, sample);
    }
  }
  /// "HighErrorRate" of those that are on.
  std::string On() const {
    std::string names;
    for (const Alert& alert : alerts_.List())
      if (alert.ends_wall_ns == 0) names += Cat(Name(alert.name), ";");
    return names;
  }
  telemetry::Metrics metrics_;
  Alerts alerts_{{}, &metrics_};
  AlertRules rules_{{}, &alerts_};
  int64_t now_ns_ = 0;
  uint64_t requests_ = 0;
  double errors_ = 0, slow_ = 0;
};

TEST_F(AlertRulesTest, AHighErrorRateIsRaisedAfterItsTimeAndResolvedAfterItsOwn) {
  Pass(300, 0.4);  // 4 %: below
  EXPECT_EQ(On(), "");
  Pass(70, 0.7);  // 7 %; the window takes about 20 s to show more than 5 %
  EXPECT_EQ(On(), "HighErrorRate;");
  EXPECT_THAT(alerts_.List()[0].summary, HasSubstr("of the requests failed"));
  Pass(300, 0.45);  // between 4 and 5 %: neither
  EXPECT_EQ(On(), "HighErrorRate;");
  Pass(65, 0.3);  // at most 4 % after about 20 s
  EXPECT_EQ(On(), "HighErrorRate;");
  Pass(30, 0.3);
  EXPECT_EQ(On(), "");
  EXPECT_EQ(alerts_.List().size(), 1u) << "one alert, raised once";
}

TEST_F(AlertRulesTest, OneBadBurstIsNoAlert) {
  Pass(100, 0);
  Pass(4, 5);  // 3.3 % of the window
  Pass(100, 0);
  EXPECT_EQ(alerts_.List().size(), 0u);
}

TEST_F(AlertRulesTest, FewRequestsSayNothing) {
  for (int k = 1; k <= 19; ++k) {
    now_ns_ += 5 * kNanosPerSecond;
    ServiceSample sample;
    sample.requests = sample.errors = static_cast<uint64_t>(k);  // all fail, one in 5 s
    rules_.Look(now_ns_, sample);
  }
  EXPECT_EQ(alerts_.List().size(), 0u);
}

TEST_F(AlertRulesTest, SlowRequestsAreHighLatency) {
  ServiceCounts counts;
  counts.Count(200, 2'000'000'000, 2);
  counts.Count(503, 2'000'000'001, 2);
  counts.Count(404, 1, 2);
  EXPECT_EQ(counts.requests, 3u);
  EXPECT_EQ(counts.errors, 1u);
  EXPECT_EQ(counts.slow, 1u);
  Pass(200, 0, 0.09);
  EXPECT_EQ(On(), "");
  Pass(200, 0, 0.2);
  EXPECT_EQ(On(), "HighLatency;");
  Pass(150, 0, 0);
  EXPECT_EQ(On(), "");
}

TEST_F(AlertRulesTest, AFullDiskIsAWarningWithItsResource) {
  Pass(60, 0, 0, 0.8);
  EXPECT_EQ(On(), "") << "80 % is not above 80 %";
  Pass(29, 0, 0, 0.81);
  Pass(1, 0, 0, 0.79);
  Pass(29, 0, 0, 0.81);
  EXPECT_EQ(On(), "") << "it has to stay above";
  Pass(3, 0, 0, 0.81);
  EXPECT_EQ(On(), "HighResourceUtilisation;");
  EXPECT_EQ(alerts_.List()[0].labels.at("resource"), "disk");
  EXPECT_EQ(SeverityOf(alerts_.List()[0].name), telemetry::Severity::kWarning);
  Pass(62, 0, 0, 0.6);
  EXPECT_EQ(On(), "");
}

TEST(UtilisationReaderTest, ReadsTheMachine) {
  UtilisationReader reader("/tmp");
  ServiceSample first, second;
  reader.Read(&first);
  EXPECT_FALSE(first.cpu.has_value());
  const Deadline deadline = Deadline::After(100'000'000);
  while (!deadline.Passed()) {
  }
  reader.Read(&second);
  for (const auto& share : {second.cpu, second.memory, second.disk}) {
    ASSERT_TRUE(share.has_value());
    EXPECT_GE(*share, 0);
    EXPECT_LE(*share, 1);
  }
  EXPECT_GT(*second.cpu, 0) << "this test was busy meanwhile";
  ServiceSample none;
  UtilisationReader("/no/such/folder").Read(&none);
  EXPECT_FALSE(none.disk.has_value());
}

TEST(AlertWatchTest, CountsBecomeAnAlertByThemselves) {
  telemetry::Metrics metrics;
  Alerts alerts({}, &metrics);
  ServiceCounts counts;
  AlertRuleOptions options;
  options.every_s = 0.002;
  options.for_s = 0;
  options.window_s = 3600;
  AlertWatch watch(options, &counts, &alerts, "/tmp");
  const Deadline deadline = Deadline::After(30 * kNanosPerSecond);
  const auto raised = [&] {
    for (const Alert& alert : alerts.List())
      if (alert.name == AlertName::kHighErrorRate) return true;
    return false;
  };
  while (!raised() && !deadline.Passed()) {
    counts.Count(500, 1, 2);
    usleep(500);
  }
  EXPECT_TRUE(raised());
}

}  // namespace
}  // namespace saferl::services
