// The whole path on a running App with SQLite and a directory: push, sign, shadow, approve, canary,
// a worse version that its gate takes back, a good one that is promoted. Sixteen robots take leases
// and report over HTTP all the time.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "saferl/base/clock.h"
#include "saferl/base/file.h"
#include "saferl/base/json.h"
#include "saferl/base/text.h"
#include "saferl/net/http_client.h"
#include "saferl/registry/signing.h"
#include "saferl/registry/testing/packages.h"
#include "saferl/services/app.h"

namespace saferl::services {
namespace {

using ::testing::HasSubstr;

constexpr int kRobots = 16;
constexpr int64_t kWorse = 2, kGood = 3;
constexpr int64_t kLongest_ns = 60 * kNanosPerSecond;  // a phase of a busy machine

struct SimulatedRobot {
  std::string name;
  RolloutLease lease{1};
  int64_t runs = 1;
  int reports = 0;
};

class WholePathTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::remove_all(folder_);
    ServiceConfig config;
    config.data_dir = folder_;
    config.api.port = config.inference_server.port = config.monitor_server.port = 0;
    config.rollouts.steer_s = 0.1;
    config.rollouts.acceptable_rate_per_h = 1e5;  // steps of a second
    auto started = App::Start(config, {"0.1.0", "abc"}, {});
    ASSERT_TRUE(started.ok()) << started.status();
    app_ = *std::move(started);
    for (int i = 0; i < kRobots; ++i) robots_.push_back({.name = Cat("robot-", i)});
    for (SimulatedRobot& robot : robots_) robot.lease.BeginEpisode("e1");
  }
  ~WholePathTest() override {
    app_ = nullptr;
    std::filesystem::remove_all(folder_);
  }
  net::ClientResponse Send(net::Method method, const std::string& path, const std::string& body) {
    net::ClientRequest request;
    request.method = method;
    request.url = Cat("http://127.0.0.1:", app_->api_port(), path);
    request.body = body;
    auto response = client_.Send(request);
    return response.ok() ? *std::move(response) : net::ClientResponse{};
  }
  net::ClientResponse Post(const std::string& path, const std::string& body) {
    return Send(net::Method::kPost, path, body);
  }
  void Sign(int64_t number, const std::string& key) {
    const auto version = app_->registry().Find("arm", Cat(number));
    ASSERT_TRUE(version.ok());
    const auto pem = ReadFile(key, 1 << 20);
    ASSERT_TRUE(pem.ok());
    const auto signature = registry::SignDigest(version->digest, "arm.policy", *pem);
    ASSERT_TRUE(signature.ok());
    ASSERT_TRUE(app_->registry().AddSignature(version->digest, *signature).ok());
  }
  void Report(SimulatedRobot* robot, const std::string& rollout, int64_t version) {
    const int bad = version == kWorse ? 3 : 0;
    const std::string body =
        Cat(R"({"report":")", ++robot->reports, R"(","robot":")", robot->name, R"(","version":)",
            version, R"(,"seconds":0.5,"violations":)", bad, "}");
    const std::string path = Cat("/api/v1/rollouts/", rollout, "/reports");
    const int status = Post(path, body).status;
    EXPECT_TRUE(status == 200 || status == 409) << status;  // 409: it has just ended
    EXPECT_THAT(Post(path, body).body, ::testing::Not(HasSubstr("true"))) << "sent twice";
  }
  /// One round of everybody: they stand, ask, move, report.
  void Round() {
    for (SimulatedRobot& robot : robots_) {
      robot.lease.Rest();
      const LeaseQuestion question = robot.lease.Ask(Nanos());
      const auto response = Post(
          "/api/v1/leases", Cat(R"({"model":"arm","robot":")", robot.name, R"(","episode":"e1"})"));
      ASSERT_EQ(response.status, 200) << response.body;
      const auto body = ParseJson(response.body, "body");
      const auto number = [&body](const char* field) {
        const Node* node = body->Find(field);
        return node->is_null() ? 0 : std::stoll(node->text());
      };
      LeaseAnswer answer{.version = number("version"), .stable = number("stable")};
      if (!body->Find("lease_s")->is_null())
        answer.lease_s = std::stod(body->Find("lease_s")->text());
      robot.lease.Hear(question, answer);
      robot.lease.StartMoving();
      robot.runs = robot.lease.Version(Nanos());
      if (body->Find("rollout")->is_null()) continue;
      const std::string& rollout = body->Find("rollout")->text();
      Report(&robot, rollout, robot.runs);
      if (const int64_t shadow = number("shadow"); shadow != 0) Report(&robot, rollout, shadow);
    }
  }
  registry::Rollout Now() { return registry::RolloutStore(&app_->registry()).Find(id_).value(); }
  /// Rounds until the rollout is in `phase`; what it was in at the end.
  registry::Phase RoundsUntil(registry::Phase phase) {
    const Deadline end = Deadline::After(kLongest_ns);
    while (Now().state.phase != phase && Now().active && !end.Passed()) Round();
    return Now().state.phase;
  }
  void Deploy(int64_t version) {
    const auto made = Post(
        "/api/v1/rollouts",
        Cat(R"({"model":"arm","version":")", version,
            R"(","who":"bob","canary_percentage":50,"min_dwell_s":0.3,"min_exposure_h":0.0003,)",
            R"("bake_s":0.5,"max_hold_s":30,"lease_s":1})"));
    ASSERT_EQ(made.status, 201) << made.body;
    id_ = ParseJson(made.body, "body")->Find("id")->text();
  }
  int Running(int64_t version) {
    return static_cast<int>(
        std::ranges::count_if(robots_, [&](const auto& r) { return r.runs == version; }));
  }

  const std::string folder_ =
      (std::filesystem::temp_directory_path() / Cat("saferl_path_", ::getpid())).string();
  std::unique_ptr<App> app_;
  net::HttpClient client_;
  std::vector<SimulatedRobot> robots_;
  std::string id_;
};

TEST_F(WholePathTest, AWorseVersionIsTakenBackByItsGateAndAGoodOnePromoted) {
  using registry::Phase;
  for (uint64_t i = 1; i <= 3; ++i) {
    const auto pushed =
        Post("/api/v1/models/arm/versions?who=ann", registry::testing::SmallPackage(i));
    ASSERT_EQ(pushed.status, 201) << pushed.body;
  }
  ASSERT_EQ(
      Send(net::Method::kPut, "/api/v1/models/arm/aliases/champion", R"({"version":1,"who":"ann"})")
          .status,
      200);
  const std::string key = folder_ + "/ann.key";
  ASSERT_TRUE(registry::MakeKeyFiles(key, false).ok());
  std::filesystem::create_directories(folder_ + "/keys");
  std::filesystem::copy_file(key + ".pem", folder_ + "/keys/ann.pem");
  EXPECT_GE(Post("/api/v1/rollouts", R"({"model":"arm","version":"2","who":"bob"})").status, 400)
      << "nobody signed it";
  Sign(kWorse, key);
  Sign(kGood, key);

  // The shadow moves nobody.
  Deploy(kGood);
  EXPECT_EQ(RoundsUntil(Phase::kAwaitApproval), Phase::kAwaitApproval);
  EXPECT_EQ(Running(kGood), 0);
  EXPECT_EQ(Post("/api/v1/models/arm/versions/3/approvals", R"({"who":"ann"})").status, 409)
      << "she pushed it";
  // Before anybody ran it an operator changes her mind; the worse one is tried first.
  ASSERT_EQ(Post(Cat("/api/v1/rollouts/", id_, "/rollback"), R"({"who":"eve"})").status, 200);
  EXPECT_EQ(Now().state.phase, Phase::kAborted);

  // Straight to robots, to be taken back from them by its own gate.
  const auto made =
      Post("/api/v1/rollouts", R"({"model":"arm","version":"2","who":"bob","canary_percentage":50,)"
                               R"("shadow":false,"min_dwell_s":60,"lease_s":1})");
  ASSERT_EQ(made.status, 201) << made.body;
  id_ = ParseJson(made.body, "body")->Find("id")->text();
  ASSERT_EQ(Post("/api/v1/models/arm/versions/2/approvals", R"({"who":"eve"})").status, 200);
  EXPECT_EQ(Now().state.phase, Phase::kCanary);
  Round();
  EXPECT_GT(Running(kWorse), 0);
  EXPECT_LT(Running(kWorse), kRobots);
  EXPECT_EQ(RoundsUntil(Phase::kRolledBack), Phase::kRolledBack);
  Round();
  EXPECT_EQ(Running(1), kRobots);
  const auto shown = Send(net::Method::kGet, Cat("/api/v1/rollouts/", id_), "");
  EXPECT_THAT(shown.body, HasSubstr("the gate rejects"));
  EXPECT_TRUE(app_->registry().Find("arm", "2")->quarantined);
  EXPECT_EQ(app_->registry().Find("arm", "champion")->number, 1);
  EXPECT_EQ(Post("/api/v1/rollouts", R"({"model":"arm","version":"2","who":"bob"})").status, 409)
      << "not again";

  Deploy(kGood);
  EXPECT_EQ(RoundsUntil(Phase::kAwaitApproval), Phase::kAwaitApproval);
  ASSERT_EQ(Post("/api/v1/models/arm/versions/3/approvals", R"({"who":"eve"})").status, 200);
  EXPECT_EQ(RoundsUntil(Phase::kPromoted), Phase::kPromoted)
      << Send(net::Method::kGet, Cat("/api/v1/rollouts/", id_, "/judgement"), "").body;
  Round();
  EXPECT_EQ(Running(kGood), kRobots);
  EXPECT_EQ(app_->registry().Find("arm", "champion")->number, kGood);
}

}  // namespace
}  // namespace saferl::services
