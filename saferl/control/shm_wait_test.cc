// saferl_shm_wait and the wake in saferl_shm_put.
#include <gtest/gtest.h>
#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include "saferl/control/shm_layout.h"

namespace saferl::control {
namespace {

constexpr int64_t kMs = 1'000'000, kPatience_ns = 20'000 * kMs;

class ShmWait : public testing::Test {
 protected:
  void Put(uint64_t sequence) {
    saferl_command command{};
    command.sequence = sequence;
    SAFERL_PUT(shm_, command, &command);
  }
  int Wait(uint64_t seen, int64_t spin_ns, int64_t until_ns) {
    return SAFERL_WAIT(shm_, command, seen, spin_ns, until_ns);
  }
  /// Until another thread sleeps on the channel.
  void AwaitSleeper() const {
    const int64_t until = saferl_now_ns() + kPatience_ns;
    while (__atomic_load_n(&shm_->command.sleepers, __ATOMIC_ACQUIRE) == 0 &&
           saferl_now_ns() < until)
      std::this_thread::yield();
  }
  const std::unique_ptr<saferl_shm> owner_ = std::make_unique<saferl_shm>();
  saferl_shm* const shm_ = owner_.get();
};

TEST_F(ShmWait, WhatIsThereIsNotWaitedFor) {
  Put(1);
  EXPECT_EQ(Wait(0, 0, 0), 1);
}

TEST_F(ShmWait, NothingCameIsSaidWhenTheTimeHasPassed) {
  Put(1);
  for (const int64_t spin_ns : {int64_t{0}, 10 * kMs, kPatience_ns}) {
    const int64_t until = saferl_now_ns() + 20 * kMs;
    EXPECT_EQ(Wait(SAFERL_SEEN(shm_, command), spin_ns, until), 0);
    EXPECT_GE(saferl_now_ns(), until);
  }
  EXPECT_EQ(shm_->command.sleepers, 0U);
}

TEST_F(ShmWait, ARecordWakesEverySleeper) {
  std::atomic<int> woken{0};
  std::vector<std::thread> sleepers;
  for (int i = 0; i < 3; ++i) {
    sleepers.emplace_back([&] { woken += Wait(0, 0, saferl_now_ns() + kPatience_ns); });
  }
  const int64_t until = saferl_now_ns() + kPatience_ns;
  while (__atomic_load_n(&shm_->command.sleepers, __ATOMIC_ACQUIRE) < 3 && saferl_now_ns() < until)
    std::this_thread::yield();
  const int64_t put = saferl_now_ns();
  Put(1);
  for (std::thread& sleeper : sleepers) sleeper.join();
  EXPECT_EQ(woken, 3);
  EXPECT_LT(saferl_now_ns() - put, kPatience_ns / 2) << "by the record, not by the clock";
}

/// A record that is half written when the reader looks is waited for like one that is not there.
TEST_F(ShmWait, AWriterThatIsAtWorkIsWaitedFor) {
  __atomic_store_n(&shm_->command.lock, 1, __ATOMIC_SEQ_CST);
  int got = -1;
  std::thread sleeper([&] { got = Wait(0, 0, saferl_now_ns() + kPatience_ns); });
  AwaitSleeper();
  Put(1);
  sleeper.join();
  EXPECT_EQ(got, 1);
}

/// No record falls between a reader's look and its sleep: two sides that answer each other asleep
/// would both wait for the end of their patience.
TEST_F(ShmWait, NobodySleepsThroughARecord) {
  constexpr uint64_t kTrips = 20'000;
  int64_t longest = 0;
  std::thread answer([&] {
    uint64_t seen = 0;
    for (uint64_t i = 1; i <= kTrips; ++i) {
      if (SAFERL_WAIT(shm_, human, seen, 0, saferl_now_ns() + kPatience_ns) == 0) break;
      seen = SAFERL_SEEN(shm_, human);
      Put(i);
    }
  });
  uint64_t seen = 0;
  for (uint64_t i = 1; i <= kTrips; ++i) {
    const int64_t start = saferl_now_ns();
    saferl_human human{};
    human.sequence = i;
    SAFERL_PUT(shm_, human, &human);
    ASSERT_EQ(Wait(seen, 0, start + kPatience_ns), 1) << "trip " << i;
    seen = SAFERL_SEEN(shm_, command);
    longest = std::max(longest, saferl_now_ns() - start);
  }
  answer.join();
  EXPECT_LT(longest, kPatience_ns / 2);
}

TEST_F(ShmWait, ASignalEndsTheWait) {
  struct sigaction action{};
  action.sa_handler = [](int) {};
  sigaction(SIGUSR1, &action, nullptr);
  std::atomic<int> got{-1};
  std::thread sleeper([&] { got = Wait(0, 0, saferl_now_ns() + kPatience_ns); });
  AwaitSleeper();
  const int64_t until = saferl_now_ns() + kPatience_ns / 2;
  while (got == -1 && saferl_now_ns() < until) {  // it may have counted itself and not slept yet
    pthread_kill(sleeper.native_handle(), SIGUSR1);
    usleep(1000);
  }
  EXPECT_EQ(got, 0);
  sleeper.join();
}

/// What a reader that was killed in its sleep leaves behind.
TEST_F(ShmWait, ASleeperThatDiedCostsNothingButAWake) {
  shm_->command.sleepers = 7;
  Put(1);
  saferl_command command{};
  ASSERT_EQ(SAFERL_GET(shm_, command, &command), 1);
  EXPECT_EQ(command.sequence, 1U);
  EXPECT_EQ(Wait(0, 0, 0), 1);
}

}  // namespace
}  // namespace saferl::control
