// Models and rollouts over HTTP: a package goes in, is agreed to, rolled out, judged, taken back.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "saferl/registry/testing/packages.h"
#include "saferl/services/testing/api_server.h"

namespace saferl::services {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class RolloutRoutesTest : public ::testing::TestWithParam<const char*>, protected ApiServer {
 protected:
  RolloutRoutesTest() : ApiServer(GetParam()) {}
  void SetUp() override {
    const Status started = Start(2000, {Service::kApi});
    ASSERT_TRUE(started.ok()) << started;
    for (uint64_t i = 1; i <= 2; ++i) {
      const auto made = Push(i);
      ASSERT_EQ(made.status, 201) << made.body;
    }
    const auto named = Call(net::Method::kPut, "/api/v1/models/arm/aliases/champion",
                            R"({"version":1,"who":"ann"})");
    ASSERT_EQ(named.status, 200) << named.body;
  }
  net::ClientResponse Push(uint64_t seed, const std::string& key = "") {
    return Post("/api/v1/models/arm/versions?who=ann", registry::testing::SmallPackage(seed), key);
  }
  std::string Deploy(const std::string& more = R"(,"shadow":false,"approvals":0)") {
    const auto made = Post("/api/v1/rollouts", Cat(R"({"model":"arm","who":"bob")", more, "}"));
    EXPECT_EQ(made.status, 201) << made.body;
    return HeaderOf(made, "Location");
  }
};
INSTANTIATE_TEST_SUITE_P(Stores, RolloutRoutesTest, ::testing::ValuesIn(kBackends), NameOfBackends);

TEST_P(RolloutRoutesTest, APackageIsPushedOnceListedShownAndComesBackAsItWas) {
  EXPECT_EQ(Push(2).status, 200) << "the same bytes are the same version";
  EXPECT_EQ(HeaderOf(Push(3, "k"), "Location"), "/api/v1/models/arm/versions/3");
  EXPECT_EQ(HeaderOf(Push(3, "k"), "Idempotency-Replayed"), "true");
  EXPECT_EQ(
      Post("/api/v1/models/arm/versions?who=bob", registry::testing::SmallPackage(3), "k").status,
      422)
      << "another query is another request";
  const Node page = Json(Get("/api/v1/models/arm/versions?limit=2"));
  ASSERT_EQ(page.Find("items")->items().size(), 2U);
  EXPECT_EQ(page.Find("items")->items()[0].Find("version")->text(), "3");
  const Node rest = Json(
      Get(Cat("/api/v1/models/arm/versions?limit=2&cursor=", page.Find("next_cursor")->text())));
  ASSERT_EQ(rest.Find("items")->items().size(), 1U);
  EXPECT_EQ(rest.Find("items")->items()[0].Find("version")->text(), "1");
  EXPECT_TRUE(rest.Find("next_cursor")->is_null());
  EXPECT_EQ(Json(Get("/api/v1/models")).Find("items")->items().size(), 1U);
  const auto package = Get("/api/v1/models/arm/versions/champion/package");
  EXPECT_EQ(package.body, registry::testing::SmallPackage(1));
  const auto shown = Get("/api/v1/models/arm/versions/2");
  EXPECT_THAT(shown.body, HasSubstr(R"("signatures":[],"approvals":[])"));
  net::Headers seen;
  seen.Set("If-None-Match", HeaderOf(shown, "ETag"));
  EXPECT_EQ(Get("/api/v1/models/arm/versions/2", seen).status, 304);
  EXPECT_EQ(Post("/api/v1/models/arm/versions?who=ann", "no package").status, 400);
  EXPECT_EQ(Post("/api/v1/models/arm/versions", "x").status, 400);
  EXPECT_EQ(Get("/api/v1/models/none").status, 404);
}

TEST_P(RolloutRoutesTest, AnAliasMovesOnlyForWhoeverSawWhereItWas) {
  const std::string path = "/api/v1/models/arm/aliases/champion";
  net::Headers old;
  old.Set("If-Match", HeaderOf(Get("/api/v1/models/arm"), "ETag"));
  ASSERT_EQ(Call(net::Method::kPut, path, R"({"version":2,"who":"ann"})", old).status, 200);
  EXPECT_EQ(Call(net::Method::kPut, path, R"({"version":1,"who":"ann"})", old).status, 412);
  EXPECT_EQ(Call(net::Method::kPut, path, R"({"version":9,"who":"ann"})").status, 404);
}

TEST_P(RolloutRoutesTest, ARolloutWaitsForAnotherPersonsApproval) {
  const std::string path = Deploy(R"(,"shadow":false)");
  EXPECT_THAT(Get(path).body, HasSubstr(R"("phase":"await_approval")"));
  const std::string approvals = "/api/v1/models/arm/versions/2/approvals";
  EXPECT_EQ(Post(approvals, R"({"who":"ann"})").status, 409) << "she pushed it";
  const auto agreed = Post(approvals, R"({"who":"eve","note":"drove it"})");
  EXPECT_EQ(agreed.status, 200) << agreed.body;
  EXPECT_THAT(agreed.body, HasSubstr(R"("rollout":"arm-2-)"));
  EXPECT_THAT(Get(path).body, HasSubstr(R"("phase":"canary")"));
  const auto held = Post(path + "/pause", R"({"who":"eve","reason":"a fair in the hall"})");
  EXPECT_EQ(held.status, 200) << held.body;
  EXPECT_THAT(held.body, AllOf(HasSubstr(R"("phase":"hold")"), HasSubstr("a fair in the hall")));
  const auto on = Post(path + "/promote", R"({"who":"eve"})");
  EXPECT_THAT(on.body, HasSubstr(R"("phase":"canary")"));
}

TEST_P(RolloutRoutesTest, TakenBackWhileItWaitsForApprovalIsADenial) {
  const std::string path = Deploy(R"(,"shadow":false)");
  const auto denied = Post(path + "/rollback", R"({"who":"eve","reason":"not before the fair"})");
  EXPECT_EQ(denied.status, 200) << denied.body;
  EXPECT_THAT(denied.body, HasSubstr(R"("event":"deny")"));
  EXPECT_EQ(Post(path + "/pause", R"({"who":"eve"})").status, 409) << "there is nothing to hold";
}

TEST_P(RolloutRoutesTest, IsJudgedAndTakenBack) {
  const std::string path = Deploy();
  const std::string again = R"({"model":"arm","who":"bob"})";
  EXPECT_EQ(Post("/api/v1/rollouts", again).status, 409) << "one at a time";
  EXPECT_EQ(Post(path + "/promote", R"({"who":"bob"})").status, 409) << "its gates decide";
  EXPECT_EQ(Post(path + "/promote", R"({"who":"bob","force":true})").status, 400) << "no reason";
  ASSERT_EQ(Post(path + "/reports",
                 R"({"report":"1","robot":"a","version":1,"seconds":36,"interventions":2})")
                .status,
            200);
  const auto judged = Get(path + "/judgement");
  EXPECT_THAT(judged.body, HasSubstr(R"("stable_h":0.01)"));
  EXPECT_THAT(judged.body, HasSubstr(R"("kind":"interventions","canary":0,"stable":2)"));
  EXPECT_THAT(judged.body, HasSubstr(R"("canary_at_most_per_h":null)")) << "nobody ran it yet";
  EXPECT_EQ(Json(Get("/api/v1/rollouts?model=arm&active=true")).Find("items")->items().size(), 1U);
  EXPECT_EQ(Json(Get("/api/v1/rollouts?phase=promoted")).Find("items")->items().size(), 0U);
  EXPECT_EQ(Get("/api/v1/rollouts?phase=x").status, 400);
  net::Headers wrong;
  wrong.Set("If-Match", "\"other\"");
  EXPECT_EQ(Call(net::Method::kPost, path + "/rollback", R"({"who":"eve"})", wrong).status, 412);
  const auto back = Post(path + "/quarantine", R"({"who":"eve","reason":"drifts"})");
  EXPECT_EQ(back.status, 200) << back.body;
  EXPECT_THAT(back.body, HasSubstr(R"("quarantined":true)"));
  EXPECT_THAT(Get("/api/v1/models/arm/versions/2").body, HasSubstr(R"("quarantined":true)"));
}

}  // namespace
}  // namespace saferl::services
