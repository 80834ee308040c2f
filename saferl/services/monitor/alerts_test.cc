// Alerts: grouped, sent once, sent again after failures, resolved; to a webhook and to a real
// Alertmanager.
#include "saferl/services/monitor/alerts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <functional>

#include "saferl/base/clock.h"
#include "saferl/base/json.h"
#include "saferl/base/text.h"
#include "saferl/net/http_client.h"
#include "saferl/net/http_server.h"

namespace saferl::services {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

bool WaitFor(const std::function<bool()>& condition) {
  const Deadline deadline = Deadline::After(30 * kNanosPerSecond);
  while (!condition()) {
    if (deadline.Passed()) return false;
    usleep(2000);
  }
  return true;
}

/// Who is told. Answers `status`, keeps what was accepted.
class Receiver {
 public:
  Receiver() {
    net::Route route;
    route.method = net::Method::kPost;
    route.pattern = "/hook";
    route.operation_id = "hook";
    route.handler = [this](const net::Request& request) {
      const std::lock_guard lock(mutex_);
      ++tries_;
      if (status == 200) bodies_.push_back(request.body);
      return net::Response::Text("", status);
    };
    router_.Add(std::move(route));
    server_ = *net::HttpServer::Start({}, router_);
  }
  std::string url() const { return Cat("http://127.0.0.1:", server_->port(), "/hook"); }
  std::vector<std::string> Bodies() {
    const std::lock_guard lock(mutex_);
    return bodies_;
  }
  int tries() {
    const std::lock_guard lock(mutex_);
    return tries_;
  }
  /// "firing SafetyConstraintViolation", one for each alert of each message.
  std::vector<std::string> Told() {
    std::vector<std::string> told;
    for (const std::string& body : Bodies()) {
      const StatusOr<Node> node = ParseJson(body, "body");
      EXPECT_TRUE(node.ok()) << node.status();
      if (!node.ok()) continue;
      for (const Node& alert : node->Find("alerts")->items())
        told.push_back(Cat(alert.Find("status")->text(), " ",
                           alert.Find("labels")->Find("alertname")->text()));
    }
    return told;
  }
  std::atomic<int> status{200};

 private:
  std::mutex mutex_;
  std::vector<std::string> bodies_;
  int tries_ = 0;
  net::Router router_;
  std::unique_ptr<net::HttpServer> server_;
};

AlertOptions Fast() {
  AlertOptions options;
  options.group_wait_s = 0.05;
  options.first_pause_s = 0.02;
  options.longest_pause_s = 0.1;
  options.timeout_s = 2;
  return options;
}

TEST(Alerts, RaisedOnceToldOnceAndResolvedOnce) {
  Receiver receiver;
  telemetry::Metrics metrics;
  AlertOptions options = Fast();
  options.webhook_url = receiver.url();
  Alerts alerts(options, &metrics);
  for (int i = 0; i < 50; ++i)
    alerts.Raise(AlertName::kSafetyViolation, {{"check", "margin"}}, "margin: -0.1");
  ASSERT_TRUE(WaitFor([&] { return receiver.Bodies().size() == 1; }));
  EXPECT_EQ(alerts.List()[0].count, 50U);
  const Node body = *ParseJson(receiver.Bodies()[0], "body");
  EXPECT_EQ(body.Find("version")->text(), "4");
  EXPECT_EQ(body.Find("status")->text(), "firing");
  const Node& alert = body.Find("alerts")->items()[0];
  EXPECT_EQ(alert.Find("labels")->Find("severity")->text(), "critical");
  EXPECT_EQ(alert.Find("labels")->Find("check")->text(), "margin");
  EXPECT_EQ(alert.Find("annotations")->Find("summary")->text(), "margin: -0.1");
  alerts.Resolve(AlertName::kSafetyViolation, {{"check", "margin"}});
  alerts.Resolve(AlertName::kSafetyViolation, {{"check", "margin"}});
  ASSERT_TRUE(WaitFor([&] { return receiver.Bodies().size() == 2; }));
  usleep(200'000);
  EXPECT_THAT(receiver.Told(), ElementsAre("firing SafetyConstraintViolation",
                                           "resolved SafetyConstraintViolation"));
  EXPECT_EQ(alerts.active(), 0U);
}

TEST(Alerts, WhatComesTogetherGoesOutTogether) {
  Receiver receiver;
  telemetry::Metrics metrics;
  AlertOptions options = Fast();
  options.group_wait_s = 0.3;
  options.webhook_url = receiver.url();
  Alerts alerts(options, &metrics);
  for (size_t i = 0; i < static_cast<size_t>(AlertName::kCount); ++i)
    alerts.Raise(static_cast<AlertName>(i), {}, "x");
  ASSERT_TRUE(WaitFor([&] { return !receiver.Bodies().empty(); }));
  EXPECT_EQ(receiver.Told().size(), static_cast<size_t>(AlertName::kCount));
  EXPECT_EQ(receiver.Bodies().size(), 1U);
}

TEST(Alerts, AReceiverThatFailsIsTriedAgainUntilItAnswers) {
  Receiver receiver;
  receiver.status = 503;
  telemetry::Metrics metrics;
  AlertOptions options = Fast();
  options.webhook_url = receiver.url();
  Alerts alerts(options, &metrics);
  alerts.Raise(AlertName::kSystemFailure, {}, "x");
  ASSERT_TRUE(WaitFor([&] { return receiver.tries() >= 3; }));
  receiver.status = 200;
  EXPECT_TRUE(WaitFor([&] {  // the receiver has it before the sender knows that
    return metrics.Text().find(
               R"(saferl_alert_notifications_total{channel="webhook",outcome="sent"} 1)") !=
           std::string::npos;
  }));
  EXPECT_EQ(receiver.Bodies().size(), 1U);
}

/// A mutant without the bound would keep them all.
TEST(Alerts, ADeadReceiverCostsTheOldestMessagesAndNobodyWaits) {
  telemetry::Metrics metrics;
  AlertOptions options = Fast();
  options.group_wait_s = 0;
  options.max_queue = 4;
  options.webhook_url = "http://127.0.0.1:1/hook";
  Alerts alerts(options, &metrics);
  const int64_t start = Nanos();
  for (int i = 0; i < 30; ++i) {
    alerts.Raise(AlertName::kSystemFailure, {{"i", Cat(i)}}, "x");
    usleep(10'000);
  }
  EXPECT_LT(Nanos() - start, 10 * kNanosPerSecond);
  ASSERT_TRUE(WaitFor([&] {
    const std::string text = metrics.Text();
    const std::string series =
        R"(saferl_alert_notifications_total{channel="webhook",outcome="dropped"} )";
    const size_t at = text.find(series);
    return at != std::string::npos && text[at + series.size()] != '0';
  }));
}

TEST(Alerts, WhatStaysIsSaidAgain) {
  Receiver receiver;
  telemetry::Metrics metrics;
  AlertOptions options = Fast();
  options.repeat_s = 0.2;
  options.webhook_url = receiver.url();
  Alerts alerts(options, &metrics);
  alerts.Raise(AlertName::kModelDrift, {}, "x");
  EXPECT_TRUE(WaitFor([&] { return receiver.Bodies().size() >= 3; }));
}

TEST(Alerts, TimesAreRfc3339) {
  EXPECT_EQ(TimeText(0), "1970-01-01T00:00:00.000Z");
  EXPECT_EQ(TimeText(1'767'323'045'007'900'000), "2026-01-02T03:04:05.007Z");
}

/// Debian's Alertmanager, whose own receiver is ours.
class AlertmanagerTest : public testing::Test {
 protected:
  void SetUp() override {
    if (access(kProgram, X_OK) != 0)
      FAIL() << kProgram << " is missing; run tools/install_deps test";
    folder_ = testing::TempDir() + "alertmanager_" + std::to_string(getpid());
    std::filesystem::create_directories(folder_);
    std::ofstream(folder_ + "/config.yml")
        << "route: {receiver: ours, group_by: [alertname], group_wait: 100ms, group_interval: "
           "200ms, repeat_interval: 1h}\nreceivers:\n  - name: ours\n    webhook_configs: [{url: '"
        << receiver_.url() << "', send_resolved: true}]\n";
    {
      net::Router none;
      port_ = (*net::HttpServer::Start({}, none))->port();  // free a moment ago
    }
    pid_ = fork();
    if (pid_ == 0) {
      (void)!freopen((folder_ + "/log").c_str(), "w", stderr);
      const std::string config = Cat("--config.file=", folder_, "/config.yml"),
                        data = Cat("--storage.path=", folder_, "/data"),
                        listen = Cat("--web.listen-address=127.0.0.1:", port_);
      execl(kProgram, kProgram, config.c_str(), data.c_str(), listen.c_str(),
            "--cluster.listen-address=", static_cast<char*>(nullptr));
      _exit(127);
    }
    ASSERT_TRUE(WaitFor([&] { return Get("/-/ready").status == 200; }));
  }
  void TearDown() override {
    if (pid_ > 0) {
      kill(pid_, SIGKILL);
      waitpid(pid_, nullptr, 0);
    }
    std::filesystem::remove_all(folder_);
  }
  net::ClientResponse Get(const std::string& path) {
    net::ClientRequest request;
    request.url = Cat("http://127.0.0.1:", port_, path);
    return client_.Send(request).value_or(net::ClientResponse{});
  }

  static constexpr const char* kProgram = "/usr/bin/prometheus-alertmanager";
  Receiver receiver_;
  net::HttpClient client_;
  std::string folder_;
  int port_ = 0;
  pid_t pid_ = 0;
};

TEST_F(AlertmanagerTest, TakesAlertsAndTellsTheirEnd) {
  telemetry::Metrics metrics;
  AlertOptions options = Fast();
  options.alertmanager_url = Cat("http://127.0.0.1:", port_);
  Alerts alerts(options, &metrics);
  alerts.Raise(AlertName::kSafetyViolation, {{"check", "margin"}}, "margin: -0.1");
  ASSERT_TRUE(WaitFor([&] { return Get("/api/v2/alerts").body.contains("margin: -0.1"); }));
  const StatusOr<Node> listed = ParseJson(Get("/api/v2/alerts").body, "alertmanager");
  ASSERT_TRUE(listed.ok()) << listed.status();
  ASSERT_EQ(listed->items().size(), 1U);
  const Node& alert = listed->items()[0];
  EXPECT_EQ(alert.Find("labels")->Find("alertname")->text(), "SafetyConstraintViolation");
  EXPECT_EQ(alert.Find("labels")->Find("severity")->text(), "critical");
  EXPECT_EQ(alert.Find("labels")->Find("source")->text(), "saferl-monitor");
  EXPECT_TRUE(WaitFor([&] { return receiver_.Told().size() == 1; }));
  alerts.Resolve(AlertName::kSafetyViolation, {{"check", "margin"}});
  EXPECT_TRUE(WaitFor([&] { return receiver_.Told().size() == 2; }));
  EXPECT_THAT(receiver_.Told(), ElementsAre("firing SafetyConstraintViolation",
                                            "resolved SafetyConstraintViolation"));
  EXPECT_TRUE(WaitFor([&] { return Get("/api/v2/alerts").body == "[]\n"; }));
}

}  // namespace
}  // namespace saferl::services
