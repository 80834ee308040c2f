#include "saferl/storage/cache_memory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "saferl/base/clock.h"

namespace saferl::storage {
namespace {

using testing::Optional;

TEST(MemoryCacheTest, LivesByTheClockThatItIsGiven) {
  int64_t now = 1000;
  const auto cache = NewMemoryCache(1 << 20, [&] { return now; });
  ASSERT_TRUE(cache->Set("k", "v", 2).ok());
  ASSERT_EQ(*cache->Add("n", 1, 2), 1);
  now += FromSeconds(2) - 1;
  EXPECT_THAT(*cache->Get("k"), Optional(std::string("v")));
  EXPECT_EQ(*cache->Add("n", 1, 2), 2);
  now += 1;
  EXPECT_EQ(*cache->Get("k"), std::nullopt);
  EXPECT_EQ(*cache->Add("n", 1, 2), 1);
}

TEST(MemoryCacheTest, TheLeastRecentlyUsedGoesFirst) {
  const auto cache = NewMemoryCache(3 * (kCacheEntryBytes + 11), &Nanos);
  const std::string value(10, 'x');
  for (const char* key : {"a", "b", "c"}) ASSERT_TRUE(cache->Set(key, value, 60).ok());
  EXPECT_TRUE(cache->Get("a")->has_value());
  ASSERT_TRUE(cache->Set("d", value, 60).ok());
  EXPECT_FALSE(cache->Get("b")->has_value());
  for (const char* key : {"a", "c", "d"}) EXPECT_TRUE(cache->Get(key)->has_value()) << key;
}

TEST(MemoryCacheTest, NeverHoldsMoreBytesThanItMay) {
  const size_t limit = 64 << 10;
  const auto cache = NewMemoryCache(limit, &Nanos);
  for (int i = 0; i < 1000; ++i) {
    ASSERT_TRUE(cache->Set(std::to_string(i % 300), std::string(i * 37 % 5000, 'x'), 60).ok());
  }
  size_t held = 0;
  for (int i = 0; i < 300; ++i) {
    const std::string key = std::to_string(i);
    if (const auto value = *cache->Get(key)) held += key.size() + value->size() + kCacheEntryBytes;
  }
  EXPECT_LE(held, limit);
  EXPECT_GT(held, limit - 6000);
}

TEST(MemoryCacheTest, AValueThatCannotFitTakesTheOldOneAway) {
  const auto cache = NewMemoryCache(1000, &Nanos);
  ASSERT_TRUE(cache->Set("k", "old", 60).ok());
  ASSERT_TRUE(cache->Set("other", "kept", 60).ok());
  EXPECT_EQ(cache->Set("k", std::string(2000, 'x'), 60).code(),
            absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(*cache->Get("k"), std::nullopt);
  EXPECT_TRUE(cache->Get("other")->has_value());
}

}  // namespace
}  // namespace saferl::storage
