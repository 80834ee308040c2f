// Redis away, slow, killed, hostile or closed to us: bounded waiting, the right code, recovery.
#include "saferl/storage/cache_redis.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "saferl/base/clock.h"
#include "saferl/base/text.h"
#include "saferl/storage/testing/fake_server.h"
#include "saferl/storage/testing/redis_server.h"

namespace saferl::storage {
namespace {

using absl::StatusCode;
using storage::testing::FakeServer;
using storage::testing::RedisServer;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::Optional;

constexpr double kTimeoutS = 0.6;
constexpr double kPatienceS = 20;

std::unique_ptr<Cache> Open(CacheOptions options) {
  options.timeout_s = kTimeoutS;
  StatusOr<std::unique_ptr<Cache>> cache = OpenCache(options);
  EXPECT_TRUE(cache.ok()) << cache.status();
  return cache.ok() ? *std::move(cache) : nullptr;
}

/// Repeats until `done`, at most kPatienceS.
template <class F>
bool Eventually(const F& done) {
  const Deadline patience = Deadline::After(FromSeconds(kPatienceS));
  while (!patience.Passed()) {
    if (done()) return true;
  }
  return false;
}

double SecondsOf(const auto& work) {
  const int64_t start_ns = Nanos();
  work();
  return Seconds(Nanos() - start_ns);
}

TEST(RedisCacheTest, AServerThatIsAwayCostsBoundedTimeAndComesBackByItself) {
  const auto server = *RedisServer::Start({});
  const auto cache = Open(server->options());
  ASSERT_TRUE(cache->Set("k", "before", 60).ok());
  server->Kill();
  for (int i = 0; i < 50; ++i) {
    StatusCode code = StatusCode::kOk;
    EXPECT_LT(SecondsOf([&] { code = cache->Set("k", "v", 60).code(); }), 2 * kTimeoutS + 1);
    EXPECT_EQ(code, StatusCode::kUnavailable);
  }
  EXPECT_EQ(cache->Get("k").status().code(), StatusCode::kUnavailable);
  EXPECT_EQ(cache->Add("n", 1, 60).status().code(), StatusCode::kUnavailable);
  EXPECT_EQ(cache->Publish("c", "m").code(), StatusCode::kUnavailable);
  EXPECT_EQ(cache->Check().code(), StatusCode::kUnavailable);
  EXPECT_EQ(cache->Subscribe("c", [](std::string_view) {}).status().code(),
            StatusCode::kUnavailable);
  ASSERT_TRUE(server->Restart().ok());
  EXPECT_TRUE(Eventually([&] { return cache->Check().ok(); }));
  EXPECT_EQ(*cache->Get("k"), std::nullopt);
  EXPECT_EQ(*cache->Add("n", 1, 60), 1);
}

TEST(RedisCacheTest, ARestartBetweenTwoCallsIsNotNoticed) {
  const auto server = *RedisServer::Start({});
  const auto cache = Open(server->options());
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(cache->Set("k", Cat(i), 60).ok()) << i;
    ASSERT_TRUE(server->Restart().ok());
  }
}

TEST(RedisCacheTest, APausedServerIsGivenUpThenAnsweredForByTheBreaker) {
  const auto server = *RedisServer::Start({});
  const auto cache = Open(server->options());
  ASSERT_TRUE(cache->Set("k", "v", 60).ok());
  server->Pause();
  StatusCode code = StatusCode::kOk;
  const double first_s = SecondsOf([&] { code = cache->Get("k").status().code(); });
  EXPECT_EQ(code, StatusCode::kUnavailable);
  EXPECT_GE(first_s, kTimeoutS - 0.01);
  EXPECT_LT(first_s, 2 * kTimeoutS + 1);
  // From now on only probes wait.
  int quick = 0;
  for (int i = 0; i < 100; ++i) {
    const double call_s = SecondsOf([&] { code = cache->Get("k").status().code(); });
    EXPECT_EQ(code, StatusCode::kUnavailable);
    quick += call_s < 0.1;
  }
  EXPECT_GT(quick, 80);
  server->Resume();
  EXPECT_TRUE(Eventually([&] { return cache->Check().ok(); }));
  EXPECT_THAT(*cache->Get("k"), Optional(std::string("v")));
}

TEST(RedisCacheTest, SubscriptionsComeBackAfterARestartAndAPause) {
  const auto server = *RedisServer::Start({});
  const auto cache = Open(server->options());
  std::atomic<int> first = 0, second = 0;
  const auto one = *cache->Subscribe("one", [&](std::string_view) { ++first; });
  const auto two = *cache->Subscribe("two", [&](std::string_view) { ++second; });
  const auto both_hear = [&] {
    const int first_before = first, second_before = second;
    return Eventually([&] {
      (void)cache->Publish("one", "m");
      (void)cache->Publish("two", "m");
      return first > first_before && second > second_before;
    });
  };
  EXPECT_TRUE(both_hear());
  server->Kill();
  EXPECT_EQ(cache->Check().code(), StatusCode::kUnavailable);
  ASSERT_TRUE(server->Restart().ok());
  EXPECT_TRUE(both_hear());
  // Silence without a closed connection: the listener asks, hears nothing and connects again.
  server->Pause();
  StatusOr<std::unique_ptr<Cache::Subscription>> third = absl::UnknownError("");
  EXPECT_LT(SecondsOf([&] { third = cache->Subscribe("three", [](std::string_view) {}); }),
            2 * kTimeoutS + 1);
  EXPECT_EQ(third.status().code(), StatusCode::kUnavailable);
  server->Resume();
  EXPECT_TRUE(both_hear());
}

TEST(RedisCacheTest, SubscriptionsMadeAndEndedByManyThreadsWhileTheServerRestarts) {
  const auto server = *RedisServer::Start({});
  const auto cache = Open(server->options());
  std::atomic<bool> stop = false;
  std::atomic<int> made = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; !stop; ++i) {
        auto subscription = cache->Subscribe(Cat("c", (i + t) % 4), [](std::string_view) {});
        made += subscription.ok();
        (void)cache->Publish(Cat("c", i % 4), "m");
      }
    });
  }
  for (int i = 0; i < 3; ++i) {
    const int before = made;
    EXPECT_TRUE(Eventually([&] { return made > before + 20; })) << i;
    EXPECT_TRUE(server->Restart().ok());
  }
  const int before = made;
  EXPECT_TRUE(Eventually([&] { return made > before + 20; }));
  stop = true;
  for (std::thread& thread : threads) thread.join();
}

TEST(RedisCacheTest, NoAnswerGoesToTheWrongCallerWhileTheServerComesAndGoes) {
  const auto server = *RedisServer::Start({});
  const auto cache = Open(server->options());
  std::atomic<bool> stop = false;
  std::atomic<int> wrong = 0, right = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      const std::string key = Cat("key", t),
                        value(static_cast<size_t>(t) * 1000 + 1, static_cast<char>('a' + t));
      while (!stop) {
        (void)cache->Set(key, value, 60);
        const auto got = cache->Get(key);
        if (!got.ok() || !got->has_value()) continue;
        ++(**got == value ? right : wrong);
      }
    });
  }
  for (int i = 0; i < 5; ++i) {
    const int before = right;
    EXPECT_TRUE(Eventually([&] { return right > before + 50; })) << i;
    EXPECT_TRUE(server->Restart().ok());
  }
  stop = true;
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

TEST(RedisCacheTest, AWrongPasswordIsRefusedAndNeverRepeated) {
  const auto server = *RedisServer::Start({.user = "saferl", .password = "right-password"});
  CacheOptions options = server->options();
  EXPECT_TRUE(Open(options)->Check().ok());
  options.password = "wrong-password";
  const Status wrong = Open(options)->Check();
  EXPECT_EQ(wrong.code(), StatusCode::kPermissionDenied);
  EXPECT_THAT(std::string(wrong.message()), Not(HasSubstr("wrong-password")));
  options.password.clear();
  EXPECT_EQ(Open(options)->Check().code(), StatusCode::kPermissionDenied);
}

TEST(RedisCacheTest, TheUsersRulesHoldAndWhatTheyForbidHarmsNothingElse) {
  const auto server = *RedisServer::Start({.user = "saferl", .password = "secret"});
  const auto cache = Open(server->options());
  EXPECT_TRUE(cache->Set("app:k", "v", 60).ok());
  EXPECT_EQ(*cache->Add("app:n", 2, 60), 2);
  EXPECT_TRUE(cache->Delete("app:k").ok());
  EXPECT_EQ(cache->Set("other", "v", 60).code(), StatusCode::kPermissionDenied);
  EXPECT_EQ(cache->Get("other").status().code(), StatusCode::kPermissionDenied);
  EXPECT_EQ(cache->Add("other", 1, 60).status().code(), StatusCode::kPermissionDenied);
  EXPECT_EQ(cache->Publish("other", "m").code(), StatusCode::kPermissionDenied);
  std::atomic<int> heard = 0;
  const auto good = *cache->Subscribe("app:c", [&](std::string_view) { ++heard; });
  EXPECT_EQ(cache->Subscribe("other", [](std::string_view) {}).status().code(),
            StatusCode::kPermissionDenied);
  ASSERT_TRUE(cache->Publish("app:c", "m").ok());
  EXPECT_TRUE(Eventually([&] { return heard == 1; }));
}

TEST(RedisCacheTest, TlsVerifiesBothEnds) {
  const auto server = *RedisServer::Start({.tls = true});
  const CacheOptions good = server->options();
  EXPECT_TRUE(Open(good)->Check().ok());

  CacheOptions wrong_ca = good;
  wrong_ca.ca_file = server->certificates().other_ca;
  EXPECT_THAT(Open(wrong_ca)->Check().ToString(),
              ::testing::AllOf(HasSubstr("UNAVAILABLE"), HasSubstr("certificate")));
  CacheOptions wrong_name = good;  // the server listens there too, its certificate does not say so
  wrong_name.url = Cat("rediss://127.0.0.2:", server->port(), "/0");
  EXPECT_THAT(Open(wrong_name)->Check().ToString(),
              ::testing::AllOf(HasSubstr("UNAVAILABLE"), HasSubstr("mismatch")));
  CacheOptions by_name = good;
  by_name.url = Cat("rediss://localhost:", server->port(), "/0");
  EXPECT_TRUE(Open(by_name)->Check().ok());
  CacheOptions anonymous = good;
  anonymous.cert_file = anonymous.key_file = "";
  EXPECT_THAT(Open(anonymous)->Check().ToString(),
              ::testing::AllOf(HasSubstr("UNAVAILABLE"), HasSubstr("certificate")));
  CacheOptions plain = good;
  plain.url = Cat("redis://127.0.0.1:", server->port(), "/0");
  EXPECT_EQ(Open(plain)->Check().code(), StatusCode::kUnavailable);

  CacheOptions no_file = good;
  no_file.ca_file = "/missing/ca.pem";
  EXPECT_EQ(OpenCache(no_file).status().code(), StatusCode::kInvalidArgument);
  no_file = good;
  no_file.cert_file = good.key_file;
  EXPECT_EQ(OpenCache(no_file).status().code(), StatusCode::kInvalidArgument);
}

TEST(RedisCacheTest, ATlsClientOfAPlainServerIsRefusedInTime) {
  const auto server = *RedisServer::Start({});
  CacheOptions options = server->options();
  options.url.replace(0, 5, "rediss");
  StatusCode code = StatusCode::kOk;
  EXPECT_LT(SecondsOf([&] { code = Open(options)->Check().code(); }), kTimeoutS + 1);
  EXPECT_EQ(code, StatusCode::kUnavailable);
}

TEST(RedisCacheTest, AnswersThatAreCutShortLateOrNonsenseAreUnavailable) {
  const std::string hello = "+OK\r\n";
  for (const std::string& answer :
       {std::string(), std::string("$5\r\nhel"), std::string("HTTP/1.1 400 Bad Request\r\n\r\n"),
        std::string("*2000000\r\n"), std::string("\0\0\0\0", 4)}) {
    for (const bool hang : {false, true}) {
      const FakeServer server([&](const FakeServer::Peer& peer) {
        peer.Receive();
        peer.Send(hello);
        peer.Receive();
        peer.Send(answer);
        if (hang) peer.Hang();
      });
      const auto cache = Open({.url = Cat("redis://127.0.0.1:", server.port(), "/0")});
      Status status;
      EXPECT_LT(SecondsOf([&] { status = cache->Get("k").status(); }), 2 * kTimeoutS + 1);
      EXPECT_EQ(status.code(), StatusCode::kUnavailable) << status << " after " << answer;
    }
  }
}

TEST(RedisCacheTest, AServerThatDribblesDoesNotHoldTheCallerBeyondItsTime) {
  const FakeServer server([](const FakeServer::Peer& peer) {
    peer.Receive();
    peer.Send("+OK\r\n");
    std::string question = peer.Receive();
    peer.Send("$1000000\r\n");
    // As fast as the client lets it: bytes keep coming, the answer never ends.
    for (int i = 0; i < 900'000 && peer.Send("x"); ++i) std::this_thread::yield();
  });
  const auto cache = Open({.url = Cat("redis://127.0.0.1:", server.port(), "/0")});
  Status status;
  EXPECT_LT(SecondsOf([&] { status = cache->Get("k").status(); }), 2 * kTimeoutS + 1);
  EXPECT_EQ(status.code(), StatusCode::kUnavailable);
}

TEST(RedisCacheTest, AnAnswerThatWasNotAskedForIsDroppedWithItsConnection) {
  std::atomic<bool> first = true;
  const FakeServer server([&](const FakeServer::Peer& peer) {
    peer.Receive();
    peer.Send("+OK\r\n");
    peer.Receive();
    peer.Send(first.exchange(false) ? "+PONG\r\n$6\r\nforged\r\n" : "$4\r\ntrue\r\n");
    peer.Hang();
  });
  const auto cache = Open({.url = Cat("redis://127.0.0.1:", server.port(), "/0")});
  ASSERT_TRUE(cache->Check().ok());
  EXPECT_THAT(*cache->Get("k"), Optional(std::string("true")));
  EXPECT_EQ(server.connections(), 2);
}

TEST(RedisCacheTest, TheTimeoutHasARange) {
  for (const double timeout_s : {0.0, -1.0, 1e9}) {
    CacheOptions options{.url = "redis://127.0.0.1:1/0"};
    options.timeout_s = timeout_s;
    EXPECT_EQ(OpenCache(options).status().code(), StatusCode::kInvalidArgument);
  }
}

}  // namespace
}  // namespace saferl::storage
