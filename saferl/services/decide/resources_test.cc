// What is kept of decisions, their replay, and the resources of shared control over HTTP.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <set>

#include "saferl/base/file.h"
#include "saferl/base/json.h"
#include "saferl/base/text.h"
#include "saferl/control/workload.h"
#include "saferl/services/testing/api_server.h"

namespace saferl::services {
namespace {

using testing::HasSubstr;

class ResourcesTest : public testing::TestWithParam<const char*>, protected ApiServer {
 protected:
  ResourcesTest() : ApiServer(GetParam()) {}
  void SetUp() override {
    const Status started = Start();
    ASSERT_TRUE(started.ok()) << started;
  }
  /// Ticks of a robot that carries out what it is told; the last one's id.
  std::string Drive(const std::string& type, const std::string& id, int ticks, int stop_at = -1) {
    const auto safety = safety::LoadSafetyModel(type);
    EXPECT_TRUE(safety.ok());
    control::Workload workload((*safety)->robot);
    std::string last;
    for (int i = 0; i < ticks; ++i) {
      DecideRequest request;
      request.robot = id;
      request.type = type;
      request.input = workload.Next();
      const int pose = type == "wheelchair" ? 3 : (*safety)->robot->n();
      request.counts = {pose, (*safety)->robot->n(), -1, (*safety)->robot->n(), -1};
      if (type == "exoskeleton") request.counts.interaction = (*safety)->robot->n();
      request.input.human.stop = i == stop_at;
      const auto decided = app_->decide().sessions().Decide(request);
      EXPECT_TRUE(decided.ok()) << decided.status();
      if (!decided.ok()) return last;
      workload.Apply((*decided)->decision.command);
      last = (*decided)->head.id;
    }
    app_->decide().store().Flush();
    return last;
  }
};
INSTANTIATE_TEST_SUITE_P(Stores, ResourcesTest, testing::ValuesIn(kBackends), NameOfBackends);

TEST_P(ResourcesTest, EveryDecisionReplaysBitForBit) {
  for (const char* type : {"wheelchair", "arm7", "exoskeleton"}) {
    const std::string last = Drive(type, type, 600, 400);
    const auto response = Post(Cat("/api/v1/decisions/", last, "/replay"), "");
    ASSERT_EQ(response.status, 200) << response.body;
    EXPECT_THAT(response.body, HasSubstr(R"("identical":true,"ticks":88,"first_tick":513)"))
        << type;
    const std::string session = last.substr(0, last.find('-'));
    for (const int tick : {1, 256, 257, 401}) {
      const auto one = Post(Cat("/api/v1/decisions/", session, "-", tick, "/replay"), "");
      EXPECT_THAT(one.body, HasSubstr(R"("identical":true)")) << type << tick;
    }
  }
}

/// The mutant of the test above: one bit of one recorded input.
TEST_P(ResourcesTest, AChangedRecordIsFoundAndNamed) {
  const std::string last = Drive("wheelchair", "r", 20);
  const std::string session = last.substr(0, last.find('-'));
  auto kept = app_->decide().store().Get(Cat(session, "-7"));
  ASSERT_TRUE(kept.ok());
  auto database = stores_.OpenDatabase();
  ASSERT_TRUE(database.ok()) << database.status();
  const auto changed = [&](size_t at) {
    std::string record = kept->record;
    record[at] = static_cast<char>(record[at] ^ 1);
    EXPECT_TRUE((*database)
                    ->Execute("UPDATE decisions SET record = $1 WHERE id = $2",
                              {storage::Blob{record}, kept->head.id})
                    .ok());
    return Post(Cat("/api/v1/decisions/", last, "/replay"), "").body;
  };
  // now_ns stands after the three head bytes and the flags.
  EXPECT_THAT(changed(4), HasSubstr(R"("identical":false)"));
  EXPECT_THAT(changed(4), HasSubstr(R"("first_difference":7,"difference":"issued_ns")"));
  ASSERT_TRUE((*database)->Execute("DELETE FROM decisions WHERE id = $1", {kept->head.id}).ok());
  const auto gap = Post(Cat("/api/v1/decisions/", last, "/replay"), "");
  EXPECT_EQ(gap.status, 409);
  EXPECT_THAT(gap.body, HasSubstr("tick 7 of session"));
}

TEST_P(ResourcesTest, DecisionsOutliveTheProcessButTheirReplayDoesNot) {
  const std::string last = Drive("arm7", "a", 5);
  ASSERT_TRUE(Start().ok());
  const auto kept = Get("/api/v1/decisions/" + last);
  ASSERT_EQ(kept.status, 200) << kept.body;
  EXPECT_THAT(kept.body, HasSubstr(R"("request":{"robot":"a","type":"arm7")"));
  EXPECT_EQ(Post(Cat("/api/v1/decisions/", last, "/replay"), "").status, 409);
  EXPECT_EQ(Get("/api/v1/decisions/none").status, 404);
}

TEST_P(ResourcesTest, PagesHoldEveryDecisionOnceWhileNewOnesCome) {
  Drive("arm7", "a", 25);
  std::set<std::string> seen;
  std::string cursor;
  for (int page = 0; page < 10; ++page) {
    const Node body = Json(
        Get(Cat("/api/v1/decisions?robot=a&limit=7", cursor.empty() ? "" : "&cursor=", cursor)));
    for (const Node& item : body.Find("items")->items())
      EXPECT_TRUE(seen.insert(item.Find("id")->text()).second) << "twice";
    if (page == 0) Drive("wheelchair", "b", 3);
    if (body.Find("next_cursor")->is_null()) break;
    cursor = body.Find("next_cursor")->text();
  }
  EXPECT_EQ(seen.size(), 25u);
}

TEST_P(ResourcesTest, FiltersChooseAndRefuseWhatTheyDoNotKnow) {
  Drive("wheelchair", "a", 30, 20);
  Drive("wheelchair", "b", 5);
  const auto count = [&](const std::string& query) {
    return Json(Get("/api/v1/decisions" + query)).Find("items")->items().size();
  };
  EXPECT_EQ(count("?robot=a&mode=protective_stop"), 10u);
  EXPECT_EQ(count("?mode=nominal"), 25u);
  EXPECT_EQ(count("?reason=stop_requested"), 10u);
  EXPECT_EQ(count("?robot=b&to_ns=1"), 0u);
  for (const char* bad : {"?mode=sideways", "?robott=a", "?limit=0", "?limit=1001", "?cursor=zz",
                          "?cursor=00", "?from_ns=x", "?robot=a&robot=b"})
    EXPECT_EQ(Get(Cat("/api/v1/decisions", bad)).status, 400) << bad;
}

TEST_P(ResourcesTest, OfEachRobotTheLastStay) {
  ASSERT_TRUE(Start(50).ok());
  const std::string last = Drive("exoskeleton", "a", 300);
  Drive("exoskeleton", "b", 10);
  const auto kept = Json(Get("/api/v1/decisions?robot=a&limit=1000")).Find("items")->items().size();
  EXPECT_GE(kept, 50u);
  EXPECT_LE(kept, 55u + 300 / 10) << "pruned every tenth of what is kept";
  EXPECT_EQ(Get("/api/v1/decisions/" + last).status, 200);
  EXPECT_EQ(Json(Get("/api/v1/decisions?robot=b")).Find("items")->items().size(), 10u);
}

TEST_P(ResourcesTest, EntityTagsGuardReadsAndChanges) {
  const auto made = Post("/api/v1/robots", R"({"id":"chair","type":"wheelchair"})");
  ASSERT_EQ(made.status, 201) << made.body;
  EXPECT_EQ(HeaderOf(made, "Location"), "/api/v1/robots/chair");
  const auto got = Get("/api/v1/robots/chair");
  const std::string tag = HeaderOf(got, "ETag");
  EXPECT_EQ(tag, HeaderOf(made, "ETag"));
  net::Headers same, match;
  same.Set("If-None-Match", Cat("\"x\", W/", tag));
  const auto unchanged = Get("/api/v1/robots/chair", same);
  EXPECT_EQ(unchanged.status, 304);
  EXPECT_EQ(unchanged.body, "");
  match.Set("If-Match", tag);
  const char* put = R"({"type":"wheelchair","description":"ward 3"})";
  const auto changed = Call(net::Method::kPut, "/api/v1/robots/chair", put, match);
  EXPECT_EQ(changed.status, 200) << changed.body;
  EXPECT_EQ(Call(net::Method::kPut, "/api/v1/robots/chair", put, match).status, 412);
  EXPECT_EQ(Call(net::Method::kDelete, "/api/v1/robots/chair", "", match).status, 412);
  EXPECT_EQ(Get("/api/v1/robots/chair", same).status, 200);
  net::Headers now;
  now.Set("If-Match", HeaderOf(changed, "ETag"));
  EXPECT_EQ(Call(net::Method::kDelete, "/api/v1/robots/chair", "", now).status, 204);
  EXPECT_EQ(Get("/api/v1/robots/chair").status, 404);
}

TEST_P(ResourcesTest, AKeyTakesEffectOnce) {
  const char* body = R"({"id":"arm","type":"arm7"})";
  const auto first = Post("/api/v1/robots", body, "k1");
  const auto again = Post("/api/v1/robots", body, "k1");
  EXPECT_EQ(first.status, 201);
  EXPECT_EQ(again.status, 201) << "replayed, not 409";
  EXPECT_EQ(again.body, first.body);
  EXPECT_EQ(HeaderOf(again, "Idempotency-Replayed"), "true");
  EXPECT_EQ(HeaderOf(again, "ETag"), HeaderOf(first, "ETag"));
  EXPECT_EQ(Post("/api/v1/robots", body, "k2").status, 409) << "another key is another request";
  EXPECT_EQ(Post("/api/v1/robots", R"({"id":"b","type":"arm7"})", "k1").status, 422);
  EXPECT_EQ(Post("/api/v1/sessions", body, "k1").status, 422) << "another path";
  EXPECT_EQ(Post("/api/v1/robots", body, std::string(256, 'k')).status, 400);
}

TEST_P(ResourcesTest, RobotsAreListedByIdInPages) {
  for (const char* id : {"b", "a", "B", "a-2"})
    ASSERT_EQ(Post("/api/v1/robots", Cat(R"({"id":")", id, R"(","type":"arm7"})")).status, 201);
  std::vector<std::string> seen;
  std::string cursor;
  for (int page = 0; page < 5; ++page) {
    const Node body =
        Json(Get(Cat("/api/v1/robots?limit=1", cursor.empty() ? "" : "&cursor=", cursor)));
    for (const Node& item : body.Find("items")->items()) seen.push_back(item.Find("id")->text());
    if (body.Find("next_cursor")->is_null()) break;
    cursor = body.Find("next_cursor")->text();
  }
  EXPECT_THAT(seen, testing::ElementsAre("B", "a", "a-2", "b")) << "the same order on both";
  EXPECT_EQ(Get("/api/v1/robots?type=arm7").status, 400) << "no such filter";
}

TEST_P(ResourcesTest, SessionsAreMadeListedAndEnded) {
  const char* body = R"({"robot":"a","type":"arm7","limits":{"arbitration.authority_cap":0.5}})";
  const auto made = Post("/api/v1/sessions", body);
  ASSERT_EQ(made.status, 201) << made.body;
  EXPECT_EQ(Post("/api/v1/sessions", body).status, 409);
  EXPECT_EQ(Post("/api/v1/sessions", R"({"robot":"b","type":"tank"})").status, 400);
  EXPECT_EQ(Post("/api/v1/sessions",
                 R"({"robot":"b","type":"arm7","limits":{"arbitration.authority_cap":"x"}})")
                .status,
            400);
  EXPECT_EQ(Post("/api/v1/sessions", R"({"robot":"b","tipe":"arm7"})").status, 400);
  Drive("arm7", "a", 3);
  Drive("wheelchair", "b", 1);
  const Node page = Json(Get("/api/v1/sessions?limit=1"));
  EXPECT_EQ(page.Find("items")->items()[0].Find("ticks")->text(), "3");
  const Node next =
      Json(Get("/api/v1/sessions?limit=1&cursor=" + page.Find("next_cursor")->text()));
  EXPECT_EQ(next.Find("items")->items()[0].Find("robot")->text(), "b");
  EXPECT_TRUE(next.Find("next_cursor")->is_null());
  net::Headers old;
  old.Set("If-Match", HeaderOf(made, "ETag"));
  EXPECT_EQ(Call(net::Method::kDelete, "/api/v1/sessions/a", "", old).status, 412);
  EXPECT_EQ(Call(net::Method::kDelete, "/api/v1/sessions/a").status, 204);
  EXPECT_EQ(Call(net::Method::kDelete, "/api/v1/sessions/a").status, 404);
}

}  // namespace
}  // namespace saferl::services
