// Two services on the same stores, as two containers of one deployment are: they start at once on
// an empty database, and what one acknowledges the other knows.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <map>
#include <mutex>
#include <set>
#include <thread>

#include "saferl/base/clock.h"
#include "saferl/base/json.h"
#include "saferl/base/text.h"
#include "saferl/net/http_client.h"
#include "saferl/services/app.h"
#include "saferl/services/inference/small_policy.h"
#include "saferl/services/stores.h"
#include "saferl/services/testing/backends.h"
#include "saferl/services/testing/robot_driver.h"

namespace saferl::services {
namespace {

using net::Method;

class SideBySideTest : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    ASSERT_TRUE(stores_.status().ok()) << stores_.status();
    std::vector<std::thread> starting;
    for (std::unique_ptr<App>& app : apps_) {
      starting.emplace_back([&] {
        auto started =
            App::Start(stores_.config(), {"0.1.0", "abc"}, {Service::kApi, Service::kInference});
        EXPECT_TRUE(started.ok()) << started.status();
        if (started.ok()) app = *std::move(started);
      });
    }
    for (std::thread& thread : starting) thread.join();
    ASSERT_TRUE(apps_[0] != nullptr && apps_[1] != nullptr);
  }
  net::ClientResponse Ask(size_t app, Method method, const std::string& path,
                          const std::string& body = "", const net::Headers& headers = {}) {
    net::HttpClient client;
    net::ClientRequest request;
    request.method = method;
    request.url = Cat("http://127.0.0.1:", apps_[app]->api_port(), path);
    request.body = body;
    request.headers = headers;
    return client.Send(request).value_or(net::ClientResponse{});
  }
  static net::Headers With(const char* name, const std::string& value) {
    net::Headers headers;
    headers.Set(name, value);
    return headers;
  }
  static std::string Robot(const std::string& id) {
    return Cat(R"({"id":")", id, R"(","type":"arm7"})");
  }

  const Backends stores_{GetParam()};
  std::array<std::unique_ptr<App>, 2> apps_;
};
INSTANTIATE_TEST_SUITE_P(Stores, SideBySideTest, ::testing::ValuesIn(kBackends), NameOfBackends);

TEST_P(SideBySideTest, WhatOneAcknowledgesTheOtherKnows) {
  const auto key = With("Idempotency-Key", "k1");
  const auto made = Ask(0, Method::kPost, "/api/v1/robots", Robot("a"), key);
  ASSERT_EQ(made.status, 201) << made.body;
  const auto again = Ask(1, Method::kPost, "/api/v1/robots", Robot("a"), key);
  EXPECT_EQ(again.status, 201) << "the first answer, from the other service";
  EXPECT_EQ(again.body, made.body);
  const auto seen = Ask(1, Method::kGet, "/api/v1/robots/a");
  ASSERT_EQ(seen.status, 200) << seen.body;
  const std::string* tag = seen.headers.Find("ETag");
  ASSERT_NE(tag, nullptr);
  const char* change = R"({"type":"arm7","description":"ward 3"})";
  EXPECT_EQ(Ask(1, Method::kPut, "/api/v1/robots/a", change, With("If-Match", *tag)).status, 200);
  EXPECT_EQ(Ask(0, Method::kPut, "/api/v1/robots/a", change, With("If-Match", *tag)).status, 412)
      << "it has changed at the other service";
}

TEST_P(SideBySideTest, OfManyWhoMakeTheSameAtOnceOneDoes) {
  constexpr int kIds = 25;
  std::mutex mutex;
  std::map<std::string, std::map<int, int>> answers;  // id, status: times
  std::vector<std::thread> threads;
  for (size_t t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kIds; ++i) {
        const std::string id = Cat("r", i);
        const int status = Ask(t % 2, Method::kPost, "/api/v1/robots", Robot(id)).status;
        const std::lock_guard lock(mutex);
        ++answers[id][status];
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const auto& [id, of] : answers)
    EXPECT_EQ(of, (std::map<int, int>{{201, 1}, {409, 3}})) << id;
  EXPECT_EQ(answers.size(), size_t{kIds});
}

TEST_P(SideBySideTest, AKeyTakesEffectOnceWhoeverIsAsked) {
  constexpr int kRuns = 10;
  std::vector<std::thread> threads;
  for (size_t t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kRuns; ++i) {
        const std::string body =
            Cat(R"({"name":"n)", i, R"(","task":"t","algorithm":"ppo","seed":1})");
        const int status = Ask(t % 2, Method::kPost, "/api/v1/experiments", body,
                               With("Idempotency-Key", Cat("run-", i)))
                               .status;
        EXPECT_TRUE(status == 201 || status == 409) << status;  // done, or under way
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  const auto page = Ask(0, Method::kGet, "/api/v1/experiments?limit=1000");
  const auto json = ParseJson(page.body, "experiments");
  ASSERT_TRUE(json.ok()) << page.body;
  std::multiset<std::string> names, expected;
  for (const Node& item : json->Find("items")->items()) names.insert(item.Find("name")->text());
  for (int i = 0; i < kRuns; ++i) expected.insert(Cat("n", i));
  EXPECT_EQ(names, expected);
}

TEST_P(SideBySideTest, AModelIsServedByBothAndOneGoesOnWhenTheOtherEnds) {
  const auto registry = OpenRegistry(stores_.config());
  ASSERT_TRUE(registry.ok()) << registry.status();
  ASSERT_TRUE(registry->store->Push({.model = "small", .package = Package(1), .who = "ann"}).ok());
  const auto within = [](const std::function<bool()>& condition) {
    const Deadline deadline = Deadline::After(FromSeconds(30));
    while (!condition() && !deadline.Passed())
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    return condition();
  };
  for (const auto& app : apps_)
    EXPECT_TRUE(within([&] { return app->models().Find("small", "1") != nullptr; }));
  RobotDriver first(apps_[0]->inference_port(), "a"), second(apps_[1]->inference_port(), "b");
  EXPECT_TRUE(first.GoesOn() && second.GoesOn());
  const int decided = first.Stop().decided;
  apps_[0] = nullptr;
  EXPECT_TRUE(second.GoesOn());
  EXPECT_EQ(second.Stop().refused, "");
  const auto kept = Ask(1, Method::kGet, "/api/v1/decisions?robot=a&limit=1000");
  const auto json = ParseJson(kept.body, "decisions");
  ASSERT_TRUE(json.ok()) << kept.body;
  EXPECT_EQ(json->Find("items")->items().size(), static_cast<size_t>(decided))
      << "what the ended service decided is kept";
}

}  // namespace
}  // namespace saferl::services
