// What robots ask and tell over HTTP.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "saferl/registry/testing/packages.h"
#include "saferl/services/rollouts/lease_routes.h"
#include "saferl/services/testing/api_server.h"

namespace saferl::services {
namespace {

using registry::RolloutEvent;
using ::testing::HasSubstr;

class LeaseRoutesTest : public ::testing::TestWithParam<const char*>, protected ApiServer {
 protected:
  LeaseRoutesTest() : ApiServer(GetParam()) {}
  void SetUp() override {
    const Status started = Start(2000, {Service::kApi});
    ASSERT_TRUE(started.ok()) << started;
    for (uint64_t i = 1; i <= 2; ++i) {
      const std::string package = registry::testing::SmallPackage(i);
      version_ = store().Push({.model = "arm", .package = package, .who = "ann"}).value().version;
    }
    ASSERT_TRUE(store().SetAlias("arm", "champion", 1, "ann").ok());
  }
  registry::Store& store() { return app_->registry(); }
  void Roll(bool shadow) {
    registry::RolloutPlan plan;
    plan.steps = {0.5, 1};
    plan.shadow_first = shadow;
    plan.approvals = 0;
    id_ = registry::RolloutStore(&store()).Start(version_, plan, "bob").value().id;
  }
  net::ClientResponse Ask(const std::string& robot, const std::string& model = "arm") {
    return Post("/api/v1/leases",
                Cat(R"({"model":")", model, R"(","robot":")", robot, R"(","episode":"e1"})"));
  }
  net::ClientResponse Report(const std::string& body) {
    return Post(Cat("/api/v1/rollouts/", id_, "/reports"), body);
  }
  registry::Version version_;
  std::string id_;
};
INSTANTIATE_TEST_SUITE_P(Stores, LeaseRoutesTest, ::testing::ValuesIn(kBackends), NameOfBackends);

TEST_P(LeaseRoutesTest, WithoutARolloutEveryRobotRunsTheChampion) {
  EXPECT_EQ(Ask("a").body,
            R"({"model":"arm","robot":"a","episode":"e1","rollout":null,"version":1,"stable":1,)"
            R"("shadow":null,"lease_s":null,"renew_s":5})");
  const auto none = Ask("a", "other");
  EXPECT_EQ(none.status, 404);
  EXPECT_THAT(none.body, HasSubstr("other"));
}

TEST_P(LeaseRoutesTest, TheCohortGetsTheNewVersionOnALeaseAndOthersTheStableOne) {
  Roll(false);
  int on_new = 0;
  for (int i = 0; i < 20; ++i) {
    const Node answer = Json(Ask(Cat("r", i)));
    const bool canary = registry::OnCanary(id_, Cat("r", i), "e1", 0.5);
    on_new += canary ? 1 : 0;
    EXPECT_EQ(answer.Find("rollout")->text(), id_);
    EXPECT_EQ(answer.Find("version")->text(), canary ? "2" : "1");
    EXPECT_EQ(answer.Find("stable")->text(), "1");
    EXPECT_EQ(answer.Find("lease_s")->is_null(), !canary);
    EXPECT_EQ(answer.Find("renew_s")->text(), "1.25");
  }
  EXPECT_GT(on_new, 0);
  EXPECT_LT(on_new, 20);
  EXPECT_EQ(registry::RolloutStore(&store()).Leases(id_).value().size(), 20U);
}

TEST_P(LeaseRoutesTest, InTheShadowTheNewVersionMovesNobody) {
  Roll(true);
  const Node answer = Json(Ask("a"));
  EXPECT_EQ(answer.Find("version")->text(), "1");
  EXPECT_EQ(answer.Find("shadow")->text(), "2");
  EXPECT_TRUE(answer.Find("lease_s")->is_null());
}

TEST_P(LeaseRoutesTest, AReportCountsOnceHoweverOftenItIsSent) {
  Roll(false);
  const std::string body =
      R"({"report":"a-1","robot":"a","version":2,"seconds":1.5,"interventions":3})";
  EXPECT_EQ(Report(body).body, R"({"counted":true})");
  EXPECT_EQ(Report(body).body, R"({"counted":false})");
  EXPECT_EQ(Report(R"({"report":"a-2","robot":"a","version":1,"seconds":2,"hard":1})").status, 200);
  const auto rollout = registry::RolloutStore(&store()).Find(id_).value();
  const ArmEvidence all = EvidenceStore::Open(&store()).value()->Read(rollout, 0).value();
  EXPECT_DOUBLE_EQ(all.canary_h, 1.5 / 3600);
  EXPECT_DOUBLE_EQ(all.stable_h, 2.0 / 3600);
  ASSERT_EQ(all.slices.size(), 1U);
  EXPECT_EQ(all.slices[0].canary, (BadCounts{0, 0, 3, 0}));
  EXPECT_EQ(all.slices[0].stable, (BadCounts{1, 0, 0, 0}));
}

TEST_P(LeaseRoutesTest, RefusesNamingTheField) {
  Roll(false);
  const auto is = [](const net::ClientResponse& response, int status, const char* field) {
    EXPECT_EQ(response.status, status) << response.body;
    EXPECT_THAT(response.body, HasSubstr(field));
    EXPECT_THAT(HeaderOf(response, "Content-Type"), HasSubstr("application/problem+json"));
  };
  is(Post("/api/v1/leases", "{"), 400, "body");
  is(Post("/api/v1/leases", R"({"model":"arm","robot":"a"})"), 400, "episode");
  is(Post("/api/v1/leases", R"({"model":"arm","robot":"a b","episode":"e"})"), 400, "robot");
  is(Post("/api/v1/leases", R"({"model":"arm","robot":"a","episode":""})"), 400, "episode");
  is(Post("/api/v1/leases", R"({"model":"arm","robot":"a","episode":"e","x":1})"), 400, "x");
  is(Report(R"({"robot":"a","version":2,"seconds":1})"), 400, "report");
  is(Report(R"({"report":"1","robot":"a","version":2,"seconds":0})"), 400, "seconds");
  is(Report(R"({"report":"1","robot":"a","version":2,"seconds":1,"hard":-1})"), 400, "hard");
  is(Report(R"({"report":"1","robot":"a","version":2,"seconds":1,"hard":0.5})"), 400, "hard");
  is(Report(R"({"report":"1","robot":"a","version":7,"seconds":1})"), 400, "version");
  is(Post("/api/v1/rollouts/none/reports", R"({"report":"1","robot":"a","version":2,"seconds":1})"),
     404, "none");
  ASSERT_TRUE(registry::RolloutStore(&store()).Apply(id_, RolloutEvent::kAbort, "eve", "").ok());
  ASSERT_TRUE(
      registry::RolloutStore(&store()).Apply(id_, RolloutEvent::kAllStable, "eve", "").ok());
  is(Report(R"({"report":"1","robot":"a","version":2,"seconds":1})"), 409, "rolled_back");
}

TEST_P(LeaseRoutesTest, BothRoutesStandInTheDocument) {
  const std::string document = Get("/openapi.json").body;
  EXPECT_THAT(document, HasSubstr("/api/v1/leases"));
  EXPECT_THAT(document, HasSubstr("/api/v1/rollouts/{rollout}/reports"));
  EXPECT_THAT(document, HasSubstr("by its own clock"));
}

}  // namespace
}  // namespace saferl::services
