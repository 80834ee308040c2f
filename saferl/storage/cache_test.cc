// What every cache does, whichever adapter it is.
#include "saferl/storage/cache.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "saferl/base/clock.h"
#include "saferl/storage/testing/redis_server.h"

namespace saferl::storage {
namespace {

using absl::StatusCode;
using storage::testing::RedisServer;
using ::testing::ElementsAre;
using ::testing::Optional;

class MemoryStore {
 public:
  static void Start() {}
  static void Stop() {}
  CacheOptions options() const { return {}; }
};

/// A real server for the suite; each test has a database of its own in it.
template <bool kTls>
class RedisStore {
 public:
  static void Start() { server_ = *RedisServer::Start({.tls = kTls}); }
  static void Stop() { server_.reset(); }
  CacheOptions options() const {
    CacheOptions options = server_->options();
    options.url.resize(options.url.rfind('/') + 1);
    options.url += std::to_string(database_);
    return options;
  }

 private:
  static inline std::unique_ptr<RedisServer> server_;
  static inline int next_ = 0;
  const int database_ = next_++ % 16;
};

template <class Store>
class CacheTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { Store::Start(); }
  static void TearDownTestSuite() { Store::Stop(); }
  void SetUp() override {
    StatusOr<std::unique_ptr<Cache>> cache = OpenCache(store_.options());
    ASSERT_TRUE(cache.ok()) << cache.status();
    cache_ = *std::move(cache);
  }
  Store store_;
  std::unique_ptr<Cache> cache_;
};

using Stores = ::testing::Types<MemoryStore, RedisStore<false>, RedisStore<true>>;
TYPED_TEST_SUITE(CacheTest, Stores);

/// What a subscription received, and the wait for it.
class Inbox {
 public:
  auto Receiver() {
    return [this](std::string_view message) {
      const std::lock_guard<std::mutex> lock(mutex_);
      messages_.emplace_back(message);
      came_.notify_all();
    };
  }
  /// The messages once there are `count`, or what there is after 10 s.
  std::vector<std::string> Wait(size_t count) {
    std::unique_lock<std::mutex> lock(mutex_);
    came_.wait_for(lock, std::chrono::seconds(10), [&] { return messages_.size() >= count; });
    return messages_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable came_;
  std::vector<std::string> messages_;
};

TYPED_TEST(CacheTest, KeepsAnyBytes) {
  const std::string odd("\0\r\n$-1\r\n\xff key", 13), value("\r\n*1\0\xfe", 6);
  ASSERT_TRUE(this->cache_->Set(odd, value, 60).ok());
  ASSERT_TRUE(this->cache_->Set("empty", "", 60).ok());
  ASSERT_TRUE(this->cache_->Set("large", std::string(3 << 20, 'x'), 60).ok());
  EXPECT_THAT(*this->cache_->Get(odd), Optional(value));
  EXPECT_THAT(*this->cache_->Get("empty"), Optional(std::string()));
  EXPECT_EQ((*this->cache_->Get("large"))->size(), 3U << 20);
  EXPECT_EQ(*this->cache_->Get("odd"), std::nullopt);
}

TYPED_TEST(CacheTest, TheLastValueCounts) {
  ASSERT_TRUE(this->cache_->Set("k", "one", 60).ok());
  ASSERT_TRUE(this->cache_->Set("k", "two", 60).ok());
  EXPECT_THAT(*this->cache_->Get("k"), Optional(std::string("two")));
  ASSERT_TRUE(this->cache_->Delete("k").ok());
  ASSERT_TRUE(this->cache_->Delete("k").ok());
  EXPECT_EQ(*this->cache_->Get("k"), std::nullopt);
}

TYPED_TEST(CacheTest, AValueIsGoneAfterItsTimeToLive) {
  ASSERT_TRUE(this->cache_->Set("short", "v", 0.05).ok());
  ASSERT_TRUE(this->cache_->Set("long", "v", 60).ok());
  const Deadline patience = Deadline::After(10 * kNanosPerSecond);
  const int64_t start = Nanos();
  while (this->cache_->Get("short")->has_value() && !patience.Passed()) std::this_thread::yield();
  EXPECT_GE(Nanos() - start, FromSeconds(0.04));
  EXPECT_LT(Nanos() - start, FromSeconds(5));
  EXPECT_TRUE(this->cache_->Get("long")->has_value());
}

TYPED_TEST(CacheTest, ATimeToLiveOutsideItsRangeIsRefused) {
  for (const double ttl_s : {0.0, -1.0, 0.0001, 1e10, HUGE_VAL, std::nan("")}) {
    EXPECT_EQ(this->cache_->Set("k", "v", ttl_s).code(), StatusCode::kInvalidArgument) << ttl_s;
    EXPECT_EQ(this->cache_->Add("n", 1, ttl_s).status().code(), StatusCode::kInvalidArgument);
  }
  EXPECT_EQ(*this->cache_->Get("k"), std::nullopt);
  EXPECT_EQ(*this->cache_->Get("n"), std::nullopt);
}

TYPED_TEST(CacheTest, CountsFromZeroAndDiesAtTheAgeOfItsBirth) {
  EXPECT_EQ(*this->cache_->Add("n", 5, 0.2), 5);
  EXPECT_EQ(*this->cache_->Add("n", -7, 60), -2);  // the later ttl does not prolong
  EXPECT_THAT(*this->cache_->Get("n"), Optional(std::string("-2")));
  const Deadline patience = Deadline::After(10 * kNanosPerSecond);
  while (this->cache_->Get("n")->has_value() && !patience.Passed()) std::this_thread::yield();
  EXPECT_FALSE(patience.Passed());
  EXPECT_EQ(*this->cache_->Add("n", 1, 60), 1);
}

TYPED_TEST(CacheTest, ACounterThatCannotCountSaysSo) {
  ASSERT_TRUE(this->cache_->Set("word", "seven", 60).ok());
  EXPECT_EQ(this->cache_->Add("word", 1, 60).status().code(), StatusCode::kFailedPrecondition);
  EXPECT_THAT(*this->cache_->Get("word"), Optional(std::string("seven")));
  EXPECT_EQ(*this->cache_->Add("top", INT64_MAX, 60), INT64_MAX);
  EXPECT_EQ(this->cache_->Add("top", 1, 60).status().code(), StatusCode::kOutOfRange);
  EXPECT_EQ(*this->cache_->Add("top", -1, 60), INT64_MAX - 1);
}

TYPED_TEST(CacheTest, ManyThreadsCountEveryOne) {
  std::vector<std::thread> threads;
  std::atomic<int> failed = 0;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 250; ++i) failed += !this->cache_->Add("shared", 1, 60).ok();
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(failed, 0);
  EXPECT_EQ(*this->cache_->Add("shared", 0, 60), 1000);
}

TYPED_TEST(CacheTest, MessagesReachEverySubscriberOfTheirChannelInOrder) {
  const std::string channel("odd\r\n\0channel", 13), odd("\0\r\n+", 4);
  Inbox a, b, other;
  const auto first = *this->cache_->Subscribe(channel, a.Receiver());
  const auto second = *this->cache_->Subscribe(channel, b.Receiver());
  const auto third = *this->cache_->Subscribe("other", other.Receiver());
  for (const std::string& message : {std::string("1"), odd, std::string("3")}) {
    ASSERT_TRUE(this->cache_->Publish(channel, message).ok());
  }
  ASSERT_TRUE(this->cache_->Publish("other", "x").ok());
  EXPECT_THAT(a.Wait(3), ElementsAre("1", odd, "3"));
  EXPECT_THAT(b.Wait(3), ElementsAre("1", odd, "3"));
  EXPECT_THAT(other.Wait(1), ElementsAre("x"));
}

TYPED_TEST(CacheTest, ASubscriptionBeginsAndEndsWithItsObject) {
  Inbox early, late;
  const auto other = *this->cache_->Subscribe("c", early.Receiver());
  ASSERT_TRUE(this->cache_->Publish("c", "before").ok());
  auto subscription = *this->cache_->Subscribe("c", late.Receiver());
  ASSERT_TRUE(this->cache_->Publish("c", "during").ok());
  EXPECT_THAT(late.Wait(1), ElementsAre("during"));
  subscription.reset();
  ASSERT_TRUE(this->cache_->Publish("c", "after").ok());
  EXPECT_THAT(early.Wait(3), ElementsAre("before", "during", "after"));
  EXPECT_THAT(late.Wait(1), ElementsAre("during"));
}

TYPED_TEST(CacheTest, AReceiverMayEndItsOwnSubscription) {
  Inbox inbox;
  std::unique_ptr<Cache::Subscription> subscription;
  subscription = *this->cache_->Subscribe("c", [&](std::string_view message) {
    subscription.reset();
    inbox.Receiver()(message);
  });
  const auto witness = *this->cache_->Subscribe("c", inbox.Receiver());
  ASSERT_TRUE(this->cache_->Publish("c", "1").ok());
  ASSERT_TRUE(this->cache_->Publish("c", "2").ok());
  EXPECT_THAT(inbox.Wait(3), ElementsAre("1", "1", "2"));
}

TYPED_TEST(CacheTest, ChecksItself) { EXPECT_TRUE(this->cache_->Check().ok()); }

TEST(OpenCacheTest, AnUnknownCacheIsRefused) {
  for (const char* url : {"", "memory", "http://x", "redis:", "redis://", "redis://h:0/0",
                          "redis://h:70000/0", "redis://h:1/x", "redis://user:secret@h:1/0"}) {
    const Status status = OpenCache({.url = url}).status();
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument) << url;
    EXPECT_THAT(std::string(status.message()), ::testing::HasSubstr("cache url"));
    EXPECT_THAT(std::string(status.message()), ::testing::Not(::testing::HasSubstr("secret")));
  }
}

}  // namespace
}  // namespace saferl::storage
