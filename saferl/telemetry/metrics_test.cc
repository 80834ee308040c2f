#include "saferl/telemetry/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <barrier>
#include <cmath>
#include <limits>
#include <thread>

#include "saferl/base/text.h"

namespace saferl::telemetry {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(Metrics, TextOfEachKind) {
  Metrics metrics;
  metrics.NewCounter("a_total", "A \\ count\nof \"things\"", {{"z", "1"}, {"b", "q\"\\\n"}}).Add(3);
  metrics.NewCounter("b_seconds_total", "Time", {}, 1e9).Add(123);
  metrics.NewGauge("c_ratio", "Share").Set(-0.25);
  const double bounds[] = {1, 2.5};
  Histogram& h = metrics.NewHistogram("d_seconds", "Durations", bounds, {{"k", "v"}});
  for (double x : {0.5, 1.0, 2.0, 3.0}) h.Observe(x);
  EXPECT_EQ(
      metrics.Text(),
      "# HELP a_total A \\\\ count\\nof \"things\"\n# TYPE a_total counter\n"
      "a_total{b=\"q\\\"\\\\\\n\",z=\"1\"} 3\n"
      "# HELP b_seconds_total Time\n# TYPE b_seconds_total counter\nb_seconds_total 1.23e-07\n"
      "# HELP c_ratio Share\n# TYPE c_ratio gauge\nc_ratio -0.25\n"
      "# HELP d_seconds Durations\n# TYPE d_seconds histogram\n"
      "d_seconds_bucket{k=\"v\",le=\"1.0\"} 2\nd_seconds_bucket{k=\"v\",le=\"2.5\"} 3\n"
      "d_seconds_bucket{k=\"v\",le=\"+Inf\"} 4\nd_seconds_sum{k=\"v\"} 6.5\n"
      "d_seconds_count{k=\"v\"} 4\n"
      "# HELP saferl_metrics_overflow_total Registrations that share a series for want of "
      "room\n# TYPE saferl_metrics_overflow_total counter\nsaferl_metrics_overflow_total 0\n");
}

TEST(Metrics, OpenMetricsNamesCountersWithoutSuffixAndEnds) {
  Metrics metrics;
  metrics.NewCounter("a_total", "say \"a\"").Add();
  const std::string text = metrics.Text(TextFormat::kOpenMetrics);
  EXPECT_THAT(text, HasSubstr("# HELP a say \\\"a\\\"\n# TYPE a counter\na_total 1\n"));
  EXPECT_TRUE(text.ends_with("# EOF\n"));
  EXPECT_EQ(NegotiateFormat("application/openmetrics-text;version=1.0.0,text/plain;q=0.5"),
            TextFormat::kOpenMetrics);
  EXPECT_EQ(NegotiateFormat("text/plain;version=0.0.4"), TextFormat::kPrometheus);
  EXPECT_EQ(NegotiateFormat(""), TextFormat::kPrometheus);
}

TEST(Metrics, SameNameAndLabelsInAnyOrderAreOneSeries) {
  Metrics metrics;
  Counter& a = metrics.NewCounter("x_total", "x", {{"a", "1"}, {"b", "2"}});
  EXPECT_EQ(&a, &metrics.NewCounter("x_total", "x", {{"b", "2"}, {"a", "1"}}));
  EXPECT_NE(&a, &metrics.NewCounter("x_total", "x", {{"b", "2"}, {"a", "2"}}));
}

TEST(Metrics, EveryValueFallsIntoTheFirstBucketThatHoldsIt) {
  for (size_t n = 1; n <= 40; ++n) {
    Metrics metrics;
    std::vector<double> bounds;
    for (size_t i = 0; i < n; ++i) bounds.push_back(static_cast<double>(i + 1));
    Histogram& h = metrics.NewHistogram("h", "h", bounds);
    std::vector<uint64_t> expected(n + 1, 0);
    for (double x = -0.5; x <= static_cast<double>(n) + 1; x += 0.25) {
      h.Observe(x);
      for (size_t i = 0; i < n; ++i) expected[i] += x <= bounds[i];
      ++expected[n];
    }
    const std::string text = metrics.Text();
    for (size_t i = 0; i < n; ++i) {
      EXPECT_THAT(text, HasSubstr(Cat("h_bucket{le=\"", i + 1, ".0\"} ", expected[i], "\n")));
    }
    EXPECT_EQ(h.Count(), expected[n]);
  }
}

TEST(Metrics, WhatIsNotFiniteIsCountedButNotSummed) {
  Metrics metrics;
  const double bounds[] = {1, 2, 3};
  Histogram& h = metrics.NewHistogram("h", "h", bounds);
  h.Observe(std::numeric_limits<double>::quiet_NaN());
  h.Observe(std::numeric_limits<double>::infinity());
  h.Observe(-std::numeric_limits<double>::infinity());
  h.Observe(2);
  const std::string text = metrics.Text();
  EXPECT_THAT(text, HasSubstr("h_bucket{le=\"1.0\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("h_bucket{le=\"3.0\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("h_bucket{le=\"+Inf\"} 4\n"));
  EXPECT_EQ(h.Sum(), 2);
}

TEST(Metrics, LabelsThatAreNotUtf8DoNotSpoilTheScrape) {
  Metrics metrics;
  metrics.NewGauge("g", "g", {{"m", "a\xff\xc3\xa9"}});
  EXPECT_THAT(metrics.Text(), HasSubstr("g{m=\"a\xef\xbf\xbd\xc3\xa9\"} 0\n"));
}

TEST(Metrics, PastTheCapSeriesShareOne) {
  Metrics metrics(3);
  for (int i = 0; i < 10; ++i) metrics.NewCounter("x_total", "x", {{"id", Cat(i)}}).Add();
  const std::string text = metrics.Text();
  EXPECT_THAT(text, HasSubstr("x_total{id=\"2\"} 1\n"));
  EXPECT_THAT(text, Not(HasSubstr("id=\"3\"")));
  EXPECT_THAT(text, HasSubstr("x_total{id=\"_other\"} 7\n"));
  EXPECT_THAT(text, HasSubstr("saferl_metrics_overflow_total 7\n"));
}

TEST(Metrics, ARemovedGaugeIsGone) {
  Metrics metrics;
  metrics.NewGauge("g_info", "g", {{"m", "1"}}).Set(1);
  metrics.NewGauge("g_info", "g", {{"m", "2"}}).Set(1);
  metrics.Remove("g_info", {{"m", "1"}});
  EXPECT_THAT(metrics.Text(), Not(HasSubstr("g_info{m=\"1\"}")));
  EXPECT_THAT(metrics.Text(), HasSubstr("g_info{m=\"2\"} 1\n"));
}

TEST(Metrics, HooksRunBeforeEachScrapeAndMayRegister) {
  Metrics metrics;
  double n = 0;
  metrics.OnScrape([&] { metrics.NewGauge("seen", "Scrapes").Set(++n); });
  EXPECT_THAT(metrics.Text(), HasSubstr("seen 1\n"));
  EXPECT_THAT(metrics.Text(), HasSubstr("seen 2\n"));
}

TEST(MetricsDeathTest, ProgrammersErrorsAbort) {
  const double bounds[] = {1, 2}, falling[] = {2, 1};
  Metrics m;
  m.NewCounter("x_total", "x", {{"a", "1"}});
  m.NewHistogram("h", "h", bounds);
  EXPECT_DEATH(m.NewCounter("1_total", "x"), "is no metric name");
  EXPECT_DEATH(m.NewCounter("x", "x"), "counters end in _total");
  EXPECT_DEATH(m.NewGauge("y_total", "x"), "counters end in _total");
  EXPECT_DEATH(m.NewGauge("y_count", "x"), "rename it");
  EXPECT_DEATH(m.NewGauge("y", ""), "help");
  EXPECT_DEATH(m.NewGauge("y", "y", {{"a-b", "1"}}), "no label name");
  EXPECT_DEATH(m.NewGauge("y", "y", {{"a", "1"}, {"a", "2"}}), "twice");
  EXPECT_DEATH(m.NewCounter("x_total", "x", {{"b", "1"}}), "other label names");
  EXPECT_DEATH(m.NewCounter("x_total", "x", {{"a", "1"}}, 1e9), "another unit");
  EXPECT_DEATH(m.NewHistogram("h", "h", LatencyBuckets()), "other buckets");
  EXPECT_DEATH(m.NewHistogram("i", "h", falling), "rise");
  EXPECT_DEATH(m.NewHistogram("i", "h", bounds, {{"le", "1"}}), "le belongs");
  EXPECT_DEATH(m.NewGauge("h", "h"), "another type");
}

/// More threads than shards, twice in a row: nothing is lost, neither by sharing nor by ending.
TEST(Metrics, NothingIsLostWithManyThreadsThatComeAndGo) {
  Metrics metrics;
  Counter& counter = metrics.NewCounter("x_total", "x");
  Histogram& histogram = metrics.NewHistogram("h", "h", LatencyBuckets());
  Gauge& gauge = metrics.NewGauge("g", "g");
  constexpr int kThreads = 40, kEach = 5000;
  for (int round = 0; round < 2; ++round) {
    std::barrier together(kThreads);
    std::vector<std::jthread> threads;
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&] {
        Metrics::PrepareThread();
        together.arrive_and_wait();  // all alive at once: some must share a shard
        for (int i = 0; i < kEach; ++i) {
          counter.Add();
          histogram.Observe(0.5);
          gauge.Add(1);
        }
      });
    }
  }
  EXPECT_EQ(counter.Value(), 2u * kThreads * kEach);
  EXPECT_EQ(histogram.Count(), 2u * kThreads * kEach);
  EXPECT_EQ(histogram.Sum(), kThreads * kEach);
  EXPECT_EQ(gauge.Value(), 2 * kThreads * kEach);
}

/// A scrape beside recording threads: counts never fall, and buckets agree with the count.
TEST(Metrics, ScrapesBesideRecordingNeverFall) {
  Metrics metrics;
  Counter& counter = metrics.NewCounter("x_total", "x");
  std::atomic<bool> stop = false;
  std::jthread writer([&] {
    while (!stop.load(std::memory_order_relaxed)) counter.Add();
  });
  uint64_t before = 0;
  for (int i = 0; i < 2000; ++i) {
    const uint64_t now = counter.Value();
    ASSERT_GE(now, before);
    before = now;
  }
  stop = true;
}

TEST(Metrics, LatencyBucketsHoldTheSpecificationsTwoSeconds) {
  const auto buckets = LatencyBuckets();
  EXPECT_EQ(buckets.front(), 250e-9);
  EXPECT_EQ(buckets.back(), 10);
  EXPECT_NE(std::ranges::find(buckets, 2.0), buckets.end());
}

}  // namespace
}  // namespace saferl::telemetry
