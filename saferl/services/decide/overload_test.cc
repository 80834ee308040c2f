// Ten times the load beside the control path: what robots are answered stays as it was, what is too
// much is refused, and all is well again when it ends.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <atomic>
#include <filesystem>
#include <thread>

#include "saferl/base/clock.h"
#include "saferl/base/text.h"
#include "saferl/control/workload.h"
#include "saferl/net/http_client.h"
#include "saferl/net/raw_socket.h"
#include "saferl/services/app.h"
#include "saferl/services/testing/backends.h"

namespace saferl::services {
namespace {

/// Of what robots ask, at least this much is decided in time.
constexpr double kGoodput = 0.9;

class OverloadTest : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    ASSERT_TRUE(stores_.status().ok()) << stores_.status();
    auto app = App::Start(stores_.config(), {"0.1.0", "abc"}, {Service::kApi, Service::kInference});
    ASSERT_TRUE(app.ok()) << app.status();
    app_ = *std::move(app);
    const auto safety = safety::LoadSafetyModel("exoskeleton");
    ASSERT_TRUE(safety.ok());
    robot_ = (*safety)->robot;
  }

  struct Goodput {
    int asked = 0, decided = 0, stopped = 0;
    double worst_s = 0;
  };
  /// Two robots at 20 Hz each, for a while; each keeps its connection. With its last request the
  /// person presses stop: `stopped` counts the decisions that obeyed.
  Goodput Drive(const std::string& prefix, int ticks) {
    Goodput sum;
    std::mutex mutex;
    std::vector<std::thread> robots;
    for (int r = 0; r < 2; ++r) {
      robots.emplace_back([&, id = Cat(prefix, r)] {
        net::HttpClient client;
        control::Workload workload(robot_);
        for (int i = 0; i < ticks; ++i) {
          const int64_t start = Nanos();
          net::ClientRequest request;
          request.method = net::Method::kPost;
          request.url = Cat("http://127.0.0.1:", app_->inference_port(), "/inference");
          control::TickInput input = workload.Next();
          input.human.stop = i + 1 == ticks;
          request.body = EncodeDecideRequest(*robot_, id, input);
          const auto answer = client.Send(request);
          const double took = 1e-9 * static_cast<double>(Nanos() - start);
          const std::lock_guard lock(mutex);
          ++sum.asked;
          const bool decided = answer.ok() && answer->status == 200;
          sum.decided += decided ? 1 : 0;
          sum.stopped +=
              decided && input.human.stop &&
                      answer->body.find(R"("reason":"stop_requested")") != std::string::npos
                  ? 1
                  : 0;
          sum.worst_s = std::max(sum.worst_s, took);
          std::this_thread::sleep_for(std::chrono::milliseconds(50));
        }
      });
    }
    for (std::thread& robot : robots) robot.join();
    return sum;
  }
  int StatusOf(const std::string& path) {
    net::HttpClient client;
    const auto answer =
        client.Send({.url = Cat("http://127.0.0.1:", app_->inference_port(), path)});
    return answer.ok() ? answer->status : 0;
  }

  const Backends stores_{GetParam()};
  std::unique_ptr<App> app_;
  std::shared_ptr<const robot::RobotModel> robot_;
};
INSTANTIATE_TEST_SUITE_P(Stores, OverloadTest, testing::ValuesIn(kBackends), NameOfBackends);

TEST_P(OverloadTest, RobotsAreAnsweredWhileACrowdAsksForAllElse) {
  const Goodput alone = Drive("alone", 20);
  ASSERT_GE(alone.decided, kGoodput * alone.asked);
  // More at once than the pool has threads and places: on one queue robots would be refused too.
  std::atomic<bool> end{false};
  std::atomic<int> answered{0}, refused{0};
  std::vector<std::thread> flood;
  for (int i = 0; i < 2; ++i) {
    flood.emplace_back([&] {
      std::vector<net::RawSocket> crowd;
      for (int c = 0; c < 200; ++c) crowd.emplace_back(app_->inference_port());
      while (!end) {
        for (net::RawSocket& client : crowd)
          client.Send("GET /api/v1/decisions?limit=1000 HTTP/1.1\r\nHost: x\r\n\r\n");
        for (net::RawSocket& client : crowd)
          (client.ReadResponse().starts_with("HTTP/1.1 200") ? answered : refused)++;
      }
    });
  }
  const Goodput beside = Drive("beside", 20);
  end = true;
  for (std::thread& thread : flood) thread.join();
  EXPECT_GE(beside.decided, kGoodput * beside.asked) << "worst " << beside.worst_s << " s";
  EXPECT_EQ(beside.stopped, 2);
  EXPECT_GT(answered + refused, 10 * beside.asked) << "that was no load";
  EXPECT_GT(refused, 0) << "what is too much is refused, not kept";
  EXPECT_EQ(StatusOf("/api/v1/decisions?limit=1"), 200) << "all is well again";
}

TEST_P(OverloadTest, SlowClientsHoldNothingThatRobotsNeed) {
  std::vector<net::RawSocket> slow;
  for (int i = 0; i < 200; ++i) {
    slow.emplace_back(app_->inference_port());
    ASSERT_TRUE(slow.back().Send(
        "POST /inference HTTP/1.1\r\nHost: x\r\nContent-Length: 5000\r\n\r\n{\"robot\""));
  }
  const Goodput beside = Drive("slow", 10);
  EXPECT_GE(beside.decided, kGoodput * beside.asked);
  EXPECT_EQ(beside.stopped, 2);
}

TEST_P(OverloadTest, ReadersThatNeverReadHoldNothingThatRobotsNeed) {
  // What they ask for fills their sockets; the rest waits in the server until it gives them up.
  std::string many;
  for (int i = 0; i < 100; ++i) many += "GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n";
  std::vector<net::RawSocket> deaf;
  for (int i = 0; i < 50; ++i) {
    deaf.emplace_back(app_->inference_port());
    ASSERT_TRUE(deaf.back().Send(many));
  }
  const Goodput beside = Drive("deaf", 10);
  EXPECT_GE(beside.decided, kGoodput * beside.asked);
  EXPECT_EQ(beside.stopped, 2);
  EXPECT_EQ(StatusOf("/health"), 200);
}

TEST_P(OverloadTest, WithoutFileDescriptorsOpenRobotsGoOnAndNewOnesComeBackAfterwards) {
  net::HttpClient robot;
  control::Workload workload(robot_);
  std::string said;
  const auto tick = [&](bool stop = false) {
    net::ClientRequest request;
    request.method = net::Method::kPost;
    request.url = Cat("http://127.0.0.1:", app_->inference_port(), "/inference");
    control::TickInput input = workload.Next();
    input.human.stop = stop;
    request.body = EncodeDecideRequest(*robot_, "fd", input);
    const auto answer = robot.Send(request);
    if (answer.ok()) said = answer->body;
    return answer.ok() ? answer->status : 0;
  };
  ASSERT_EQ(tick(), 200);
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  std::vector<net::RawSocket> crowd;
  for (int i = 0; i < 40; ++i) crowd.emplace_back(app_->inference_port());
  const auto open = std::distance(std::filesystem::directory_iterator("/proc/self/fd"),
                                  std::filesystem::directory_iterator());
  const rlimit few{.rlim_cur = static_cast<rlim_t>(open), .rlim_max = before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &few), 0);
  for (int i = 0; i < 10; ++i) EXPECT_EQ(tick(), 200) << "its connection is open";
  EXPECT_EQ(tick(true), 200);
  EXPECT_THAT(said, testing::HasSubstr(R"("reason":"stop_requested")"));
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
  crowd.clear();
  EXPECT_EQ(StatusOf("/health"), 200) << "a new connection";
  EXPECT_EQ(tick(), 200);
}

}  // namespace
}  // namespace saferl::services
