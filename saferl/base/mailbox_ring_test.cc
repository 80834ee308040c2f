#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <thread>

#include "saferl/base/mailbox.h"
#include "saferl/base/ring.h"

namespace saferl {
namespace {

struct Wide {
  std::array<uint64_t, 40> word{};
};

Wide Filled(uint64_t value) {
  Wide wide;
  wide.word.fill(value);
  return wide;
}

TEST(Mailbox, HoldsTheInitialValueUntilTheFirstWrite) {
  Mailbox<int> box(7);
  int value = 0;
  EXPECT_FALSE(box.Read(&value));
  EXPECT_EQ(value, 7);
}

TEST(Mailbox, LatestValueWinsAndIsFreshOnce) {
  Mailbox<int> box;
  for (int i = 1; i <= 5; ++i) box.Write(i);
  int value = 0;
  EXPECT_TRUE(box.Read(&value));
  EXPECT_EQ(value, 5);
  EXPECT_FALSE(box.Read(&value));
  EXPECT_EQ(value, 5);
  bool fresh = true;
  EXPECT_EQ(box.Latest(&fresh), 5);
  EXPECT_FALSE(fresh);
}

TEST(Mailbox, ReaderNeverSeesHalfAValueNorAnOlderOne) {
  auto box = std::make_unique<Mailbox<Wide>>();
  constexpr uint64_t kWrites = 200'000;
  std::thread writer([&] {
    for (uint64_t i = 1; i <= kWrites; ++i) box->Write(Filled(i));
  });
  uint64_t last = 0;
  while (last < kWrites) {
    Wide got;
    box->Read(&got);
    for (uint64_t word : got.word) ASSERT_EQ(word, got.word[0]);
    ASSERT_GE(got.word[0], last);
    last = got.word[0];
  }
  writer.join();
}

TEST(Ring, IsFirstInFirstOutAndCountsWhatItRefuses) {
  Ring<int, 4> ring;
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(ring.Push(i));
  EXPECT_FALSE(ring.Push(4));
  EXPECT_EQ(ring.dropped(), 1u);
  EXPECT_EQ(ring.size(), 4u);
  int value = -1;
  for (int i = 0; i < 4; ++i) {
    ASSERT_TRUE(ring.Pop(&value));
    EXPECT_EQ(value, i);
  }
  EXPECT_FALSE(ring.Pop(&value));
}

TEST(Ring, NothingIsLostOrReorderedBetweenThreads) {
  auto ring = std::make_unique<Ring<uint64_t, 64>>();
  constexpr uint64_t kCount = 200'000;
  std::thread producer([&] {
    for (uint64_t i = 0; i < kCount;) {
      if (ring->Push(i)) {
        ++i;
      } else {
        std::this_thread::yield();
      }
    }
  });
  for (uint64_t expected = 0; expected < kCount;) {
    uint64_t value = 0;
    if (ring->Pop(&value)) {
      ASSERT_EQ(value, expected);
      ++expected;
    } else {
      std::this_thread::yield();
    }
  }
  producer.join();
}

}  // namespace
}  // namespace saferl
