// The monitor from afar: a robot that an inference service decides for moves only while a monitor
// on another machine judges it. Its death, its suspension and a cut network are a stop at the robot
// within the lease.
#include "saferl/services/monitor/remote.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <filesystem>
#include <thread>

#include "saferl/base/clock.h"
#include "saferl/base/text.h"
#include "saferl/control/workload.h"
#include "saferl/net/http_server.h"
#include "saferl/services/decide/decide_service.h"
#include "saferl/services/monitor/monitor.h"
#include "saferl/services/monitor/testing/robot.h"
#include "saferl/storage/testing/test_database.h"

namespace saferl::services {
namespace {

using monitor_testing::WaitFor;
using safety::Mode;
using safety::Reason;
using ::testing::HasSubstr;

constexpr double kLease_s = 0.5;

/// A monitor as a process: forked before this one has threads, started by its robot's address.
class MonitorProcess {
 public:
  explicit MonitorProcess(const std::string& folder) {
    int ends[2];
    if (pipe(ends) != 0) return;
    pid_ = fork();
    if (pid_ != 0) {
      close(ends[0]);
      tell_ = ends[1];
      return;
    }
    close(ends[1]);
    char url[256] = "";
    if (read(ends[0], url, sizeof url - 1) <= 0) _exit(0);
    telemetry::Metrics metrics;
    MonitorOptions options;
    options.remote.url = url;
    options.journal.folder = folder;
    const auto monitor = Monitor::Start(options, &metrics);
    if (!monitor.ok()) _exit(1);
    for (;;) pause();
  }
  ~MonitorProcess() {
    close(tell_);
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  MonitorProcess(const MonitorProcess&) = delete;
  MonitorProcess& operator=(const MonitorProcess&) = delete;
  void Watch(const std::string& url) {
    EXPECT_EQ(write(tell_, url.data(), url.size()), static_cast<ssize_t>(url.size()));
  }
  void Send(int signal) const { kill(pid_, signal); }

 private:
  pid_t pid_ = 0;
  int tell_ = -1;
};

/// A network between two ports that can be cut: connections stay open and nothing passes.
class Network {
 public:
  explicit Network(int to) : to_(to) {
    sockaddr_in address = Loopback(0);
    socklen_t size = sizeof address;
    EXPECT_EQ(bind(listen_, reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(listen(listen_, 16), 0);
    EXPECT_EQ(getsockname(listen_, reinterpret_cast<sockaddr*>(&address), &size), 0);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { Run(); });
  }
  ~Network() {
    end_ = true;
    thread_.join();
    for (const auto& [a, b] : pairs_) {
      close(a);
      close(b);
    }
    close(listen_);
  }
  Network(const Network&) = delete;
  Network& operator=(const Network&) = delete;
  int port() const { return port_; }
  std::atomic<bool> cut{false};

 private:
  static sockaddr_in Loopback(int port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
  }
  void Run() {
    while (!end_) {
      std::vector<pollfd> fds;
      if (!cut) {
        fds.push_back({listen_, POLLIN, 0});
        for (const auto& [a, b] : pairs_) {
          fds.push_back({a, POLLIN, 0});
          fds.push_back({b, POLLIN, 0});
        }
      }
      poll(fds.data(), fds.size(), 5);
      if (cut || fds.empty()) continue;
      const auto ready = pairs_;
      for (size_t k = 0; k < ready.size(); ++k) {
        const auto [a, b] = ready[k];
        const bool alive = (fds[1 + 2 * k].revents == 0 || Pass(a, b)) &&
                           (fds[2 + 2 * k].revents == 0 || Pass(b, a));
        if (alive) continue;
        close(a);
        close(b);
        std::erase(pairs_, ready[k]);
      }
      if (fds[0].revents == 0) continue;
      const int from = accept(listen_, nullptr, nullptr);
      const int to = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
      const sockaddr_in address = Loopback(to_);
      EXPECT_EQ(connect(to, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
      pairs_.emplace_back(from, to);
    }
  }
  static bool Pass(int from, int to) {
    char bytes[16 << 10];
    const ssize_t n = recv(from, bytes, sizeof bytes, 0);
    return n > 0 && send(to, bytes, static_cast<size_t>(n), MSG_NOSIGNAL) == n;
  }
  const int to_;
  int listen_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), port_ = 0;
  std::vector<std::pair<int, int>> pairs_;
  std::atomic<bool> end_{false};
  std::thread thread_;
};

class RemoteTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = testing::TempDir() + "remote_" + std::to_string(getpid()) + "_" +
              testing::UnitTest::GetInstance()->current_test_info()->name();
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
    for (const char* name : {"a", "b"})
      processes_.push_back(std::make_unique<MonitorProcess>(Cat(folder_, "/", name)));
    auto database = database_.Open();
    ASSERT_TRUE(database.ok()) << database.status();
    rows_ = *std::move(database);
    DecideOptions options;
    options.watches = {.required = true, .lease_s = kLease_s};
    auto decide = DecideService::Open(options, &models_, rows_.get(), &metrics_);
    ASSERT_TRUE(decide.ok()) << decide.status();
    decide_ = *std::move(decide);
    decide_->AddRoutes(&router_);
    auto server = net::HttpServer::Start({}, router_);
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    network_ = std::make_unique<Network>(server_->port());
    url_ = Cat("ws://127.0.0.1:", network_->port(), "/monitor/stream?robot=r1");
  }
  void TearDown() override {
    processes_.clear();
    network_ = nullptr;
    server_ = nullptr;
    decide_ = nullptr;
    std::filesystem::remove_all(folder_);
  }

  struct Step {
    int64_t at_ns = 0;
    control::Decision decision;
  };
  /// One tick; the person presses the acknowledgement now and then.
  const Step& Tick() {
    DecideRequest request;
    request.robot = "r1";
    request.type = "wheelchair";
    request.input = workload_.Next();
    request.input.human.acknowledge = ++steps_ / 20 % 2 == 1;
    request.counts = {3, 2, -1, 2, -1};
    step_.at_ns = Nanos();
    const auto decided = decide_->sessions().Decide(request);
    EXPECT_TRUE(decided.ok()) << decided.status();
    if (decided.ok()) {
      step_.decision = (*decided)->decision;
      workload_.Apply(step_.decision.command);
    }
    usleep(2000);
    return step_;
  }
  bool Until(const std::function<bool(const Step&)>& condition) {
    return WaitFor([&] { return condition(Tick()); });
  }
  bool Drive() {
    return Until([](const Step& s) {
      return s.decision.command.mode == Mode::kNominal && std::abs(s.decision.command.u[0]) > 0.1;
    });
  }
  /// No tick that begins later than a lease after `from_ns` may move on.
  void ExpectStopWithinTheLease(int64_t from_ns, const char* after) {
    int64_t last_moving_ns = 0;
    EXPECT_TRUE(Until([&](const Step& s) {
      if (s.decision.command.mode < Mode::kControlledStop) {
        last_moving_ns = s.at_ns;
        return false;
      }
      EXPECT_EQ(s.decision.command.reason, Reason::kMonitorLost) << after;
      return true;
    })) << after;
    EXPECT_LE(last_moving_ns, from_ns + FromSeconds(kLease_s)) << after;
  }

  std::string folder_, url_;
  std::vector<std::unique_ptr<MonitorProcess>> processes_;
  storage::testing::TestDatabase database_{"sqlite"};
  telemetry::Metrics metrics_;
  ModelHost models_{&metrics_, 1 << 20};
  std::unique_ptr<storage::Database> rows_;
  std::unique_ptr<DecideService> decide_;
  net::Router router_;
  std::unique_ptr<net::HttpServer> server_;
  std::unique_ptr<Network> network_;
  control::Workload workload_{(*safety::LoadSafetyModel("wheelchair"))->robot};
  Step step_;
  int steps_ = 0;
};

TEST_F(RemoteTest, SuspensionDeathAndACutNetworkAreAStopWithinTheLease) {
  for (int k = 0; k < 50; ++k) {
    EXPECT_EQ(Tick().decision.command.reason, Reason::kMonitorLost) << "nobody watches";
  }
  processes_[0]->Watch(url_);
  ASSERT_TRUE(Drive()) << "watched";
  processes_[0]->Send(SIGSTOP);
  ExpectStopWithinTheLease(Nanos(), "suspended");
  processes_[0]->Send(SIGCONT);
  ASSERT_TRUE(Drive()) << "goes on";
  network_->cut = true;
  ExpectStopWithinTheLease(Nanos(), "cut");
  network_->cut = false;
  ASSERT_TRUE(Drive()) << "the network is back";
  processes_[0]->Send(SIGKILL);
  ExpectStopWithinTheLease(Nanos(), "killed");
  processes_[1]->Watch(url_);
  ASSERT_TRUE(Drive()) << "another monitor takes over";
}

TEST_F(RemoteTest, AFindingStopsTheRobotOverTheSameConnectionUntilItIsCleared) {
  std::atomic<bool> wrong{false};
  decide_->sessions().on_decision = [&](const Decided& decided) {
    Decided told = decided;
    if (wrong.exchange(false)) told.decision.command.u[0] = 9;
    decide_->watches().Tell(told);
  };
  MonitorOptions options;
  options.remote.url = url_;
  options.journal.folder = folder_ + "/journal";
  telemetry::Metrics metrics;
  auto monitor = Monitor::Start(options, &metrics);
  ASSERT_TRUE(monitor.ok()) << monitor.status();
  ASSERT_TRUE(Drive());
  EXPECT_EQ((*monitor)->state().robot, "wheelchair");
  wrong = true;
  ASSERT_TRUE(Until([](const Step& s) {
    return s.decision.command.reason == Reason::kStopRequested && s.decision.command.u[0] == 0;
  }));
  EXPECT_THAT((*monitor)->state().why, HasSubstr(R"("check":"limit")"));
  for (int k = 0; k < 100; ++k) {
    EXPECT_EQ(Tick().decision.command.mode, Mode::kProtectiveStop)
        << "the button does not clear it";
  }
  monitor->reset();  // a latch outlives the monitor; the stop outlives the connection
  for (int k = 0; k < 100; ++k) {
    EXPECT_EQ(Tick().decision.command.mode, Mode::kProtectiveStop);
  }
  auto again = Monitor::Start(options, &metrics);
  ASSERT_TRUE(again.ok()) << again.status();
  ASSERT_TRUE(Until([&](const Step&) { return (*again)->state().attached; }));
  ASSERT_TRUE((*again)->Clear("A. Operator", "looked at it").ok());
  EXPECT_TRUE(Drive());
}

/// A service that says what the test tells it to.
class Service {
 public:
  Service() {
    net::Route route;
    route.pattern = "/monitor/stream";
    route.operation_id = "s";
    route.websocket = [this](const std::shared_ptr<net::Stream>& stream, const net::Request&) {
      stream->on_message = [this](std::string_view text, bool) {
        const std::lock_guard lock(mutex_);
        heard_ += Cat(text, ";");
      };
      stream->Send("", hello);
      for (const std::string& message : messages) stream->SendBinary(message);
    };
    router_.Add(std::move(route));
    server_ = *net::HttpServer::Start({}, router_);
  }
  net::WsClientOptions options() const {
    return {.url = Cat("ws://127.0.0.1:", server_->port(), "/monitor/stream")};
  }
  std::string heard() {
    const std::lock_guard lock(mutex_);
    return heard_;
  }
  std::string hello =
      R"({"robot":"arm","session":"s","epoch":"e","serial":7,"n":2,"pose":3,"period_ns":20000000})";
  std::vector<std::string> messages;

 private:
  std::mutex mutex_;
  std::string heard_;
  net::Router router_;
  std::unique_ptr<net::HttpServer> server_;
};

std::string Message(uint64_t serial) {
  std::string bytes;
  for (int shift = 0; shift < 64; shift += 8) bytes.push_back(static_cast<char>(serial >> shift));
  control::Decision decision;
  decision.input.sequence = decision.command.sequence = 3 * serial;
  control::EncodeDecision({2, 3}, decision, &bytes);
  return bytes;
}

TEST(RemoteSourceTest, GapsAreCountedWithinAndBetweenConnectionsAndGrantsNameWhatWasJudged) {
  using Got = DecisionSource::Got;
  Service service;
  service.messages = {Message(7), Message(8), Message(12)};
  RemoteMemory memory;
  control::Decision decision;
  {
    auto source = OpenRemote(service.options(), &memory);
    ASSERT_TRUE(source.ok()) << source.status();
    const auto next = [&] {
      Got got = Got::kNothing;
      EXPECT_TRUE(
          WaitFor([&] { return (got = (*source)->Next(1'000'000, &decision)) != Got::kNothing; }));
      return got;
    };
    EXPECT_EQ(next(), Got::kDecision);
    EXPECT_EQ(decision.input.sequence, 7u);
    EXPECT_EQ(decision.command.sequence, 7u) << "renumbered with its tick";
    EXPECT_EQ(next(), Got::kDecision);
    EXPECT_EQ((*source)->lost(), 0u);
    EXPECT_EQ(next(), Got::kLost);
    EXPECT_EQ((*source)->lost(), 3u);
    EXPECT_EQ(next(), Got::kDecision);
    EXPECT_EQ(decision.input.sequence, 12u);
    (*source)->Grant(0, 1);
    (*source)->Grant(0, 1);
    (*source)->Stop(0);
    (*source)->Grant(0, 0);
    EXPECT_TRUE(WaitFor([&] { return service.heard().contains("clear"); }));
    EXPECT_EQ(service.heard(), R"({"grant":12};{"stop":true};{"clear":true};)");
  }
  service.hello.replace(service.hello.find(":7,"), 3, ":20,");
  service.messages = {};
  auto source = OpenRemote(service.options(), &memory);
  ASSERT_TRUE(source.ok()) << source.status();
  EXPECT_EQ((*source)->lost(), 7u) << "13 to 19";
  service.hello.replace(service.hello.find("\"e\""), 3, "\"f\"");  // the service started again
  source = OpenRemote(service.options(), &memory);
  ASSERT_TRUE(source.ok()) << source.status();
  EXPECT_EQ((*source)->lost(), 0u);
}

TEST(RemoteSourceTest, WhatIsNotTheProtocolIsRefusedAndSaysWhy) {
  RemoteMemory memory;
  Service service;
  const std::string good = service.hello;
  for (const auto& [hello, says] : std::vector<std::pair<std::string, std::string>>{
           {"", "not our protocol"},
           {"[]", "not our protocol"},
           {R"({"error":"another monitor watches"})", "another monitor watches"},
           {R"({"robot":"arm"})", "first message"},
           {std::string(good).replace(good.find(":2,"), 3, ":200,"), "first message"},
           {std::string(good).replace(good.find(":7,"), 3, ":-1,"), "first message"}}) {
    service.hello = hello;
    EXPECT_THAT(OpenRemote(service.options(), &memory).status().message(), HasSubstr(says))
        << hello;
  }
  service.hello = good;
  for (const std::string& message : {std::string("abc"), Message(7).substr(0, 20)}) {
    service.messages = {message};
    auto source = OpenRemote(service.options(), &memory);
    ASSERT_TRUE(source.ok()) << source.status();
    control::Decision decision;
    EXPECT_TRUE(WaitFor(
        [&] { return (*source)->Next(1'000'000, &decision) == DecisionSource::Got::kEnded; }));
  }
  net::WsClientOptions options = service.options();
  options.url = "http://127.0.0.1/";
  EXPECT_EQ(OpenRemote(options, &memory).status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace saferl::services
