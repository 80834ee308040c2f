#include "saferl/net/worker_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <latch>

namespace saferl::net {
namespace {

TEST(WorkerPool, RunsEverythingItTook) {
  std::atomic<int> ran{0}, taken{0};
  {
    WorkerPool pool(3, 1000);
    for (int i = 0; i < 500; ++i) taken += pool.TrySubmit([&] { ++ran; }) ? 1 : 0;
  }
  EXPECT_EQ(taken, 500);
  EXPECT_EQ(ran, 500);
}

TEST(WorkerPool, AFullQueueIsAnAnswer) {
  std::latch started(2), release(1);
  WorkerPool pool(2, 3);
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(pool.TrySubmit([&] {
      started.count_down();
      release.wait();
    }));
  }
  started.wait();
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(pool.TrySubmit([] {})) << i;
  EXPECT_FALSE(pool.TrySubmit([] {}));
  release.count_down();
  pool.Stop();
  EXPECT_FALSE(pool.TrySubmit([] {})) << "stopped";
}

}  // namespace
}  // namespace saferl::net
