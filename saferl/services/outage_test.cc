// Real servers that stand still, are killed and come back under a whole service: what needs them
// is refused in time with 503, what does not goes on, robots notice nothing, and nothing that was
// acknowledged is lost.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <mutex>
#include <set>
#include <thread>

#include "saferl/base/clock.h"
#include "saferl/base/file.h"
#include "saferl/base/text.h"
#include "saferl/net/http_client.h"
#include "saferl/services/app.h"
#include "saferl/services/inference/small_policy.h"
#include "saferl/services/testing/backends.h"
#include "saferl/services/testing/robot_driver.h"

namespace saferl::services {
namespace {

using net::Method;
using storage::testing::PostgresServer;
using storage::testing::RedisServer;
using storage::testing::S3Server;
using ::testing::HasSubstr;

/// A call to a server that stands still: 3 s for a statement, 2 s for its connection, 2 s for
/// another one; and what a busy machine adds. Without a bound it would be 30 s or more.
constexpr double kMostWait_s = 20;
constexpr double kMostRecovery_s = 5;

struct Answer {
  int status = 0;
  std::string body, retry_after;
  double took_s = 0;
};

Answer Ask(Method method, int port, const std::string& path, const std::string& body = "") {
  net::HttpClient client;  // waits 30 s
  net::ClientRequest request;
  request.method = method;
  request.url = Cat("http://127.0.0.1:", port, path);
  request.body = body;
  const int64_t start = Nanos();
  const auto response = client.Send(request);
  Answer answer;
  answer.took_s = Seconds(Nanos() - start);
  if (!response.ok()) {
    answer.body = response.status().ToString();
    return answer;
  }
  answer.status = response->status;
  answer.body = response->body;
  const std::string* retry = response->headers.Find("Retry-After");
  if (retry != nullptr) answer.retry_after = *retry;
  return answer;
}

class OutageTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    rows_ = PostgresServer::Start({}).value().release();
    cache_ = RedisServer::Start({.user = "saferl", .password = "a-password"}).value().release();
    objects_ = &S3Server::Shared();
  }
  static void TearDownTestSuite() {
    delete rows_;
    delete cache_;
    rows_ = nullptr;
    cache_ = nullptr;
  }
  void SetUp() override {
    stores_ = std::make_unique<Backends>(Servers{rows_, objects_, cache_});
    ASSERT_TRUE(stores_->status().ok()) << stores_->status();
    const std::string models = stores_->folder() + "/models/small";
    std::filesystem::create_directories(models);
    ASSERT_TRUE(WriteFileAtomic(models + "/1.policy", Package(1)).ok());
    auto app = App::Start(stores_->config(), {"0.1.0", "abc"}, {});
    ASSERT_TRUE(app.ok()) << app.status();
    app_ = *std::move(app);
    robot_ = std::make_unique<RobotDriver>(app_->inference_port());
    ASSERT_TRUE(robot_->GoesOn());
  }
  Answer Api(Method method, const std::string& path, const std::string& body = "") {
    return Ask(method, app_->api_port(), path, body);
  }
  Answer AddRobot(const std::string& id) {
    return Api(Method::kPost, "/api/v1/robots", Cat(R"({"id":")", id, R"(","type":"arm7"})"));
  }
  /// A sleep that ends late shows how much slower than real time a busy machine is for us; that
  /// much longer is waited, half a minute at most.
  static bool Within(double seconds, const std::function<bool()>& condition) {
    constexpr double kSleep_s = 0.005;
    const int64_t start = Nanos();
    double slept_s = 0, meant_s = 0;
    while (!condition()) {
      const double slower = meant_s > 0 ? slept_s / meant_s : 1;
      if (Seconds(Nanos() - start) > std::min(seconds * slower, 30.0)) return false;
      const int64_t from = Nanos();
      std::this_thread::sleep_for(std::chrono::duration<double>(kSleep_s));
      slept_s += Seconds(Nanos() - from);
      meant_s += kSleep_s;
    }
    return true;
  }
  /// Refused in time, with a reason and a time to come again.
  static void ExpectRefused(const Answer& answer, const std::string& what) {
    EXPECT_EQ(answer.status, 503) << what << ": " << answer.body;
    EXPECT_EQ(answer.retry_after, "1") << what;
    EXPECT_LT(answer.took_s, kMostWait_s) << what;
  }
  void ExpectHealthy(const std::string& path) {
    EXPECT_TRUE(Within(kMostRecovery_s, [&] { return Api(Method::kGet, path).status == 200; }))
        << path << ": " << Api(Method::kGet, path).body;
  }
  /// What robots were answered from the start of the test.
  void ExpectTheRobotNoticedNothing() {
    EXPECT_TRUE(robot_->GoesOn());
    const RobotDriver::Result result = robot_->Stop();
    EXPECT_EQ(result.refused, "");
    app_->decide().store().Flush();
    EXPECT_EQ(app_->decide().store().dropped(), 0U);
    EXPECT_EQ(app_->decide().store().kept(), static_cast<uint64_t>(result.decided));
  }
  std::set<std::string> Robots() {
    std::set<std::string> ids;
    const auto database = stores_->OpenDatabase();
    EXPECT_TRUE(database.ok()) << database.status();
    const auto rows = (*database)->Query("SELECT id FROM robots");
    EXPECT_TRUE(rows.ok()) << rows.status();
    for (const storage::Row& row : rows->rows) ids.insert(storage::AsText(row[0]));
    return ids;
  }

  static PostgresServer* rows_;
  static RedisServer* cache_;
  static S3Server* objects_;
  std::unique_ptr<Backends> stores_;
  std::unique_ptr<App> app_;
  std::unique_ptr<RobotDriver> robot_;
};
PostgresServer* OutageTest::rows_ = nullptr;
RedisServer* OutageTest::cache_ = nullptr;
S3Server* OutageTest::objects_ = nullptr;

TEST_F(OutageTest, ADatabaseThatStandsStillIsWaitedForBrieflyAndGoesOn) {
  ASSERT_EQ(AddRobot("before").status, 201);
  rows_->Pause();
  // More at once than there are threads and connections.
  std::vector<Answer> answers(8);
  std::vector<std::thread> callers;
  for (size_t i = 0; i < answers.size(); ++i) {
    callers.emplace_back([&, i] {
      answers[i] = i % 2 == 0 ? AddRobot(Cat("during-", i)) : Api(Method::kGet, "/api/v1/robots");
    });
  }
  const Answer health = Ask(Method::kGet, app_->inference_port(), "/health/database");
  ExpectRefused(health, "health");
  EXPECT_THAT(health.body, HasSubstr("postgresql"));
  EXPECT_EQ(Api(Method::kGet, "/health").status, 200) << "the service itself lives";
  for (std::thread& caller : callers) caller.join();
  for (size_t i = 0; i < answers.size(); ++i) ExpectRefused(answers[i], Cat("call ", i));
  // Now that it is known to be away, nobody waits for it.
  ExpectRefused(Api(Method::kGet, "/api/v1/decisions"), "later");
  EXPECT_EQ(Ask(Method::kPost, app_->inference_port(), "/v2/models/small/infer",
                R"({"inputs":[{"name":"observation","shape":[1,3],"datatype":"FP32",)"
                R"("data":[0.5,0,0]}]})")
                .status,
            200)
      << "inference needs no database";
  EXPECT_TRUE(robot_->GoesOn());
  rows_->Resume();
  ExpectHealthy("/health/database");
  ExpectHealthy("/api/v1/robots");
  EXPECT_EQ(AddRobot("after").status, 201);
  EXPECT_TRUE(Robots().contains("before"));
  ExpectTheRobotNoticedNothing();
}

TEST_F(OutageTest, ADatabaseThatIsKilledLosesNothingThatWasAcknowledged) {
  std::set<std::string> acknowledged, unsure;
  std::mutex mutex;
  std::atomic<bool> stop = false;
  std::atomic<int> written = 0, next = 0;
  std::vector<std::thread> writers;
  for (int t = 0; t < 3; ++t) {
    writers.emplace_back([&] {
      while (!stop) {
        const std::string id = Cat("r-", next++);
        const Answer answer = AddRobot(id);
        const std::lock_guard lock(mutex);
        if (answer.status == 201) {
          acknowledged.insert(id);
          ++written;
        } else {
          unsure.insert(id);
          ExpectRefused(answer, id);
          std::this_thread::sleep_for(std::chrono::milliseconds(2));
        }
      }
    });
  }
  for (int kill = 0; kill < 2; ++kill) {
    const int before = written;
    EXPECT_TRUE(Within(30, [&] { return written > before + 10; }));
    rows_->Kill();
    ExpectRefused(Api(Method::kGet, "/health/database"), "health");
    EXPECT_TRUE(robot_->GoesOn());
    ASSERT_EQ(rows_->Launch(), absl::OkStatus());
    ExpectHealthy("/health/database");
  }
  stop = true;
  for (std::thread& writer : writers) writer.join();
  EXPECT_FALSE(unsure.empty()) << "no outage was noticed";
  const std::set<std::string> kept = Robots();
  for (const std::string& id : acknowledged) EXPECT_TRUE(kept.contains(id)) << id;
  for (const std::string& id : kept)
    EXPECT_TRUE(acknowledged.contains(id) || unsure.contains(id)) << id;
  ExpectTheRobotNoticedNothing();
}

TEST_F(OutageTest, WithoutTheObjectStoreLoadedModelsServeAndNewOnesWait) {
  const char* load = "/v2/repository/models/small/load";
  ASSERT_EQ(Ask(Method::kPost, app_->inference_port(), load, "{}").status, 200);
  for (const bool killed : {false, true}) {
    SCOPED_TRACE(killed ? "killed" : "standing still");
    killed ? objects_->Kill() : objects_->Pause();
    const Answer health = Api(Method::kGet, "/health/models");
    ExpectRefused(health, "health");
    EXPECT_THAT(health.body, HasSubstr("s3"));
    ExpectRefused(Ask(Method::kPost, app_->inference_port(), load, "{}"), "load");
    EXPECT_EQ(Ask(Method::kGet, app_->inference_port(), "/v2/models/small/ready").status, 200);
    EXPECT_EQ(AddRobot(killed ? "a" : "b").status, 201) << "rows need no objects";
    EXPECT_TRUE(robot_->GoesOn());
    if (killed) {
      ASSERT_EQ(objects_->Restart(), absl::OkStatus());
    } else {
      objects_->Resume();
    }
    ExpectHealthy("/health/models");
    EXPECT_EQ(Ask(Method::kPost, app_->inference_port(), load, "{}").status, 200);
  }
  ExpectTheRobotNoticedNothing();
}

TEST_F(OutageTest, AServiceThatStartsWithoutTheObjectStoreLoadsItsModelsWhenItIsBack) {
  robot_ = nullptr;
  app_ = nullptr;
  ASSERT_TRUE(WriteFileAtomic(stores_->folder() + "/models/small/2.policy", Package(-1)).ok());
  objects_->Pause();
  const int64_t start = Nanos();
  auto app = App::Start(stores_->config(), {"0.1.0", "abc"}, {});
  ASSERT_TRUE(app.ok()) << app.status();
  EXPECT_LT(Seconds(Nanos() - start), 2 * kMostWait_s);
  app_ = *std::move(app);
  robot_ = std::make_unique<RobotDriver>(app_->inference_port());
  EXPECT_TRUE(robot_->GoesOn()) << "robots need no model";
  EXPECT_NE(Ask(Method::kGet, app_->inference_port(), "/v2/models/small/ready").status, 200);
  objects_->Resume();
  for (const char* version : {"1", "2"}) {
    const std::string path = Cat("/v2/models/small/versions/", version, "/ready");
    EXPECT_TRUE(Within(kMostRecovery_s, [&] {
      return Ask(Method::kGet, app_->inference_port(), path).status == 200;
    })) << version;
  }
  ExpectTheRobotNoticedNothing();
}

TEST_F(OutageTest, WithoutItsDatabaseAServiceDoesNotStartAndSaysWhy) {
  robot_ = nullptr;
  app_ = nullptr;
  rows_->Kill();
  const int64_t start = Nanos();
  const Status refused = App::Start(stores_->config(), {"0.1.0", "abc"}, {}).status();
  EXPECT_LT(Seconds(Nanos() - start), kMostWait_s);
  EXPECT_EQ(refused.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(refused.ToString(), HasSubstr("postgresql"));
  EXPECT_EQ(rows_->Launch(), absl::OkStatus());
}

TEST_F(OutageTest, WithoutTheCacheAllGoesOn) {
  ExpectHealthy("/health/cache");
  for (const bool killed : {false, true}) {
    SCOPED_TRACE(killed ? "killed" : "standing still");
    killed ? cache_->Kill() : cache_->Pause();
    const Answer health = Api(Method::kGet, "/health/cache");
    ExpectRefused(health, "health");
    EXPECT_THAT(health.body, HasSubstr("redis"));
    EXPECT_EQ(AddRobot(killed ? "a" : "b").status, 201);
    EXPECT_TRUE(robot_->GoesOn());
    EXPECT_EQ(Api(Method::kGet, "/health/database").status, 200);
    if (killed) {
      ASSERT_EQ(cache_->Restart(), absl::OkStatus());
    } else {
      cache_->Resume();
    }
    ExpectHealthy("/health/cache");
  }
  ExpectTheRobotNoticedNothing();
}

TEST_F(OutageTest, WithEveryServerGoneRobotsAreDecidedForAndTheServiceEndsInTime) {
  rows_->Kill();
  objects_->Pause();
  cache_->Kill();
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(robot_->GoesOn());
  EXPECT_EQ(robot_->Stop().refused, "");
  const int64_t start = Nanos();
  app_ = nullptr;
  EXPECT_LT(Seconds(Nanos() - start), 2 * kMostWait_s);
  objects_->Resume();
  EXPECT_EQ(rows_->Launch(), absl::OkStatus());
  EXPECT_EQ(cache_->Restart(), absl::OkStatus());
}

}  // namespace
}  // namespace saferl::services
