// Alerts, configuration and experiments over HTTP.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "saferl/registry/testing/packages.h"
#include "saferl/services/api/configuration_route.h"
#include "saferl/services/testing/api_server.h"

namespace saferl::services {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

class ApiTest : public testing::TestWithParam<const char*>, protected ApiServer {
 protected:
  ApiTest() : ApiServer(GetParam()) {}
  void SetUp() override {
    const Status started = Start();
    ASSERT_TRUE(started.ok()) << started;
  }
  std::string Begin(const std::string& name, int seed, const std::string& key = "") {
    const auto made =
        Post("/api/v1/experiments",
             Cat(R"({"name":")", name, R"(","task":"wheelchair","algorithm":"cpo","seed":)", seed,
                 R"(,"iterations":10,"config":"task: wheelchair\n"})"),
             key);
    EXPECT_EQ(made.status, 201) << made.body;
    return Json(made).Find("id")->text();
  }
  std::vector<std::string> Names(const std::string& query) {
    std::vector<std::string> names;
    const auto page = Get("/api/v1/experiments" + query);
    EXPECT_EQ(page.status, 200) << page.body;
    const Node body = Json(page);
    for (const Node& item : body.Find("items")->items()) names.push_back(item.Find("name")->text());
    return names;
  }
  void MakeThreeOfEach() {
    registry::RolloutPlan plan;
    plan.approvals = 0;
    for (const char* name : {"a", "b", "c"}) {
      Begin(name, 1);
      const std::string robot = Cat(R"("robot":")", name, R"(","type":"wheelchair")");
      EXPECT_EQ(Post("/api/v1/sessions", Cat("{", robot, "}")).status, 201);
      EXPECT_EQ(Post("/api/v1/robots", Cat(R"({"id":")", name, R"(","type":"wheelchair"})")).status,
                201);
      app_->monitor().alerts().Raise(AlertName::kModelDrift, {{"model", name}}, "drifts");
      for (uint64_t seed = 1; seed <= 3; ++seed) {
        const std::string package = registry::testing::SmallPackage(seed);
        EXPECT_TRUE(app_->registry().Push({.model = name, .package = package, .who = "ann"}).ok());
      }
      const auto version = app_->registry().Find(name, "3");
      ASSERT_TRUE(version.ok()) << version.status();
      EXPECT_TRUE(registry::RolloutStore(&app_->registry()).Start(*version, plan, "bob").ok());
    }
  }
  /// What tells the items of a page apart, and its next_cursor, empty for null.
  std::pair<std::vector<std::string>, std::string> PageOf(const std::string& path, int limit,
                                                          const std::string& cursor) {
    const auto answer = Get(Cat(path, "?limit=", limit, cursor.empty() ? "" : "&cursor=", cursor));
    EXPECT_EQ(answer.status, 200) << path << answer.body;
    const Node body = Json(answer);
    std::vector<std::string> keys;
    for (const Node& item : body.Find("items")->items()) {
      keys.emplace_back();
      for (const char* name : {"id", "robot", "name", "version"})
        if (const Node* part = item.Find(name); part != nullptr) keys.back() += part->text() + "/";
    }
    const Node* next = body.Find("next_cursor");
    return {keys, next->is_null() ? "" : next->text()};
  }
};
INSTANTIATE_TEST_SUITE_P(Stores, ApiTest, testing::ValuesIn(kBackends), NameOfBackends);

TEST_P(ApiTest, ARunIsBegunFollowedAndEndedOnce) {
  const std::string path = "/api/v1/experiments/" + Begin("a", 7);
  const auto begun = Get(path);
  EXPECT_THAT(begun.body, HasSubstr(R"("seed":7,"config":"task: wheelchair\n","iterations":10,)"
                                    R"("status":"running","iteration":0)"));
  EXPECT_THAT(begun.body, HasSubstr(R"("finished_ns":null)"));
  const auto later =
      Post(path + "/progress", R"({"iteration":3,"steps":300,"metrics":{"return":-1.5}})");
  EXPECT_EQ(later.status, 200) << later.body;
  EXPECT_EQ(Post(path + "/progress", R"({"iteration":2})").status, 400) << "backwards";
  EXPECT_EQ(HeaderOf(Get(path), "ETag"), HeaderOf(later, "ETag"));
  net::Headers old;
  old.Set("If-Match", HeaderOf(begun, "ETag"));
  EXPECT_EQ(Call(net::Method::kPost, path + "/finish", R"({"status":"failed"})", old).status, 412);
  const std::string digest(64, 'a');
  const auto ended =
      Post(path + "/finish", Cat(R"({"status":"finished","artifact_sha256":")", digest,
                                 R"(","metrics":{"return":2.5,"cost/collision":0}})"));
  EXPECT_EQ(ended.status, 200) << ended.body;
  EXPECT_THAT(ended.body, HasSubstr(R"("status":"finished","iteration":3,"steps":300,)"
                                    R"("metrics":{"return":2.5,"cost/collision":0})"));
  EXPECT_THAT(ended.body, Not(HasSubstr(R"("finished_ns":null)")));
  EXPECT_EQ(Post(path + "/finish", R"({"status":"failed"})").status, 409);
  EXPECT_EQ(Post(path + "/progress", R"({"iteration":9})").status, 409);
  EXPECT_EQ(Get(path).body, ended.body) << "what was refused changed nothing";
  ASSERT_TRUE(Start().ok());
  EXPECT_EQ(Get(path).body, ended.body) << "after a restart";
  EXPECT_THAT(Names("?artifact_sha256=" + digest), ElementsAre("a"));
}

TEST_P(ApiTest, RunsAreFilteredAndPaged) {
  const std::string first = Begin("a", 1);
  Begin("b", 2);
  Begin("c", 2);
  ASSERT_EQ(Post(Cat("/api/v1/experiments/", first, "/finish"), R"({"status":"stopped"})").status,
            200);
  EXPECT_THAT(Names(""), ElementsAre("c", "b", "a")) << "newest first";
  EXPECT_THAT(Names("?seed=2"), ElementsAre("c", "b"));
  EXPECT_THAT(Names("?status=stopped"), ElementsAre("a"));
  EXPECT_THAT(Names("?name=b&task=wheelchair&algorithm=cpo"), ElementsAre("b"));
  EXPECT_THAT(Names("?to_ns=1"), ElementsAre());
  const Node page = Json(Get("/api/v1/experiments?limit=2"));
  EXPECT_THAT(Names("?limit=2&cursor=" + page.Find("next_cursor")->text()), ElementsAre("a"));
  for (const char* bad : {"?status=done", "?seed=x", "?nam=a", "?from_ns=x", "?cursor=00"})
    EXPECT_EQ(Get(Cat("/api/v1/experiments", bad)).status, 400) << bad;
}

TEST_P(ApiTest, RunsRefuseWhatTheyDoNotUnderstand) {
  for (const char* bad : {"{}", "[]", R"({"name":"a","task":"t","algorithm":"cpo","seed":-1})",
                          R"({"name":"a","task":"t","algorithm":"cpo","seed":1,"sead":2})",
                          R"({"name":"","task":"t","algorithm":"cpo","seed":1})",
                          R"({"name":"a","task":"t","algorithm":"cpo","seed":1.5})"})
    EXPECT_EQ(Post("/api/v1/experiments", bad).status, 400) << bad;
  const std::string path = "/api/v1/experiments/" + Begin("a", 1);
  for (const char* bad :
       {R"({"metrics":{"x":"1"}})", R"({"metrics":[1]})", R"({"metrics":{"a b":1}})",
        R"({"iteration":-1})", R"({"metrics":{"x":1e999}})"})
    EXPECT_EQ(Post(path + "/progress", bad).status, 400) << bad;
  for (const char* bad :
       {R"({"status":"running"})", "{}", R"({"status":"finished","artifact_sha256":"abc"})"})
    EXPECT_EQ(Post(path + "/finish", bad).status, 400) << bad;
  EXPECT_EQ(Post("/api/v1/experiments/none/finish", R"({"status":"failed"})").status, 404);
  EXPECT_EQ(Get("/api/v1/experiments/none").status, 404);
  EXPECT_EQ(Begin("once", 3, "k"), Begin("once", 3, "k")) << "one key, one run";
}

/// Every list of the document, by the same rules: the largest page, a page that is exactly full,
/// and one item a page.
TEST_P(ApiTest, EveryListIsPagedTheSame) {
  MakeThreeOfEach();
  int lists = 0;
  for (const auto& route : app_->served()[0].second->routes()) {
    const bool paged =
        std::any_of(route->query.begin(), route->query.end(),
                    [](const net::FieldSpec& field) { return field.name == "cursor"; });
    if (!paged) continue;
    ++lists;
    std::string path = route->pattern;
    if (const size_t at = path.find("{model}"); at != std::string::npos) path.replace(at, 7, "a");
    for (const char* bad :
         {"?limit=0", "?limit=1001", "?cursor=zz", "?cursr=1", "?limit=1&limit=2"})
      EXPECT_EQ(Get(Cat(path, bad)).status, 400) << path << bad;
    const auto [all, more] = PageOf(path, 1000, "");
    EXPECT_EQ(more, "") << path;
    if (route->operation_id == "listDecisions") {
      EXPECT_TRUE(all.empty()) << "they are made in resources_test.cc";
      continue;
    }
    ASSERT_EQ(all.size(), 3U) << path;
    EXPECT_EQ(PageOf(path, 3, "").second, "") << path << ": the last page, and full";
    std::vector<std::string> one_by_one;
    std::string cursor;
    do {
      const auto [items, next] = PageOf(path, 1, cursor);
      ASSERT_EQ(items.size(), 1U) << path;
      one_by_one.push_back(items[0]);
      cursor = next;
    } while (!cursor.empty() && one_by_one.size() < 9);
    EXPECT_EQ(one_by_one, all) << path;
  }
  EXPECT_EQ(lists, 8);
}

TEST_P(ApiTest, AlertsAreListedFilteredAndPaged) {
  Alerts& alerts = app_->monitor().alerts();
  for (const char* robot : {"a", "b", "c"})
    alerts.Raise(AlertName::kSafetyViolation, {{"robot", robot}}, "closer than proved");
  alerts.Raise(AlertName::kModelDrift, {{"model", "m"}}, "drifts");
  alerts.Resolve(AlertName::kSafetyViolation, {{"robot", "b"}});
  const auto all = Get("/api/v1/alerts");
  EXPECT_THAT(all.body, HasSubstr(R"("monitor":{"running":true})"));
  const auto count = [&](const std::string& query) {
    return Json(Get("/api/v1/alerts" + query)).Find("items")->items().size();
  };
  EXPECT_EQ(count(""), 4u);
  EXPECT_EQ(count("?status=firing"), 3u);
  EXPECT_EQ(count("?severity=critical&status=resolved"), 1u);
  EXPECT_EQ(count("?name=ModelDrift"), 1u);
  for (const char* bad : {"?status=on", "?severity=high", "?name=Nothing", "?state=firing"})
    EXPECT_EQ(Get(Cat("/api/v1/alerts", bad)).status, 400) << bad;
  std::set<std::string> seen;
  std::string cursor;
  for (int page = 0; page < 6; ++page) {
    const Node body =
        Json(Get(Cat("/api/v1/alerts?limit=1", cursor.empty() ? "" : "&cursor=", cursor)));
    for (const Node& item : body.Find("items")->items())
      EXPECT_TRUE(seen.insert(item.Find("id")->text()).second);
    if (body.Find("next_cursor")->is_null()) break;
    cursor = body.Find("next_cursor")->text();
  }
  ASSERT_EQ(seen.size(), 4u);
  EXPECT_EQ(Get("/api/v1/alerts/" + *seen.begin()).status, 200);
  EXPECT_EQ(Get("/api/v1/alerts/0").status, 404);
}

TEST_P(ApiTest, WithoutAMonitorTheListOfAlertsIsEmptyAndSaysWhy) {
  ASSERT_TRUE(Start(2000, {Service::kApi}).ok());
  const auto none = Get("/api/v1/alerts");
  EXPECT_EQ(none.status, 200);
  EXPECT_THAT(none.body, HasSubstr(R"({"items":[],"next_cursor":null,"monitor":{"running":false,)"
                                   R"("reason":"this process runs no safety monitor)"));
}

TEST_P(ApiTest, TheConfigurationIsShownWithoutItsSecrets) {
  const auto shown = Get("/api/v1/configuration");
  ASSERT_EQ(shown.status, 200);
  if (stores_.on_servers()) {
    EXPECT_THAT(shown.body, HasSubstr(R"("field":"database.password","value":"\"***\"")"));
    EXPECT_THAT(shown.body, Not(HasSubstr(storage::testing::PostgresServer::kPassword)));
  }
  const Node one = Json(Get("/api/v1/configuration?field=inference.max_queue"));
  ASSERT_EQ(one.Find("fields")->items().size(), 1u);
  EXPECT_EQ(one.Find("fields")->items()[0].Find("from")->text(), "default");
  EXPECT_EQ(Get("/api/v1/configuration?fields=x").status, 400);
  net::Headers same;
  same.Set("If-None-Match", HeaderOf(shown, "ETag"));
  EXPECT_EQ(Get("/api/v1/configuration", same).status, 304);
}

TEST_P(ApiTest, TheDocumentNamesEveryResource) {
  const Node document = Json(Get("/openapi.json"));
  for (const char* path :
       {"/api/v1/robots", "/api/v1/robots/{robot}", "/api/v1/sessions", "/api/v1/sessions/{robot}",
        "/api/v1/decisions", "/api/v1/decisions/{id}", "/api/v1/decisions/{id}/replay",
        "/api/v1/alerts", "/api/v1/alerts/{id}", "/api/v1/experiments", "/api/v1/experiments/{id}",
        "/api/v1/experiments/{id}/progress", "/api/v1/experiments/{id}/finish",
        "/api/v1/configuration"})
    EXPECT_NE(document.Find("paths")->Find(path), nullptr) << path;
}

TEST(Configuration, WhatAUrlCarriesOfSecretsIsHidden) {
  EXPECT_EQ(HideUrlSecrets(R"("http://u:p@h:1/a@b?token=t")"), R"("http://***@h:1/a@b?***")");
  EXPECT_EQ(HideUrlSecrets("http://h/a"), "http://h/a");
  EXPECT_EQ(HideUrlSecrets("plain?x@y"), "plain?x@y");
}

}  // namespace
}  // namespace saferl::services
