#include "saferl/base/rt_guard/rt_guard.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "saferl/base/clock.h"
#include "saferl/base/histogram.h"
#include "saferl/base/mailbox.h"
#include "saferl/base/ring.h"

namespace saferl {
namespace {

/// What the counters must show: n where they count, 0 in a sanitizer build.
int64_t Counted(int64_t n) { return kRtCounting ? n : 0; }

int* volatile sink = nullptr;
void* volatile memory_sink = nullptr;  // keeps the compiler from removing pairs of malloc and free

TEST(RtGuard, CountsEveryFormOfAllocation) {
  RtCounts counts;
  {
    RtScope scope(&counts);
    sink = new int(1);
    delete sink;
    memory_sink = std::malloc(10);
    memory_sink = std::realloc(memory_sink, 1000);
    std::free(memory_sink);
    memory_sink = std::calloc(3, 5);
    std::free(memory_sink);
    memory_sink = std::aligned_alloc(64, 128);
    std::free(memory_sink);
  }
  EXPECT_EQ(counts.allocations, Counted(5));
  EXPECT_EQ(counts.frees, Counted(4));
}

TEST(RtGuard, CountsLocks) {
  std::mutex mutex;
  RtCounts counts;
  {
    RtScope scope(&counts);
    const std::lock_guard lock(mutex);
  }
  EXPECT_EQ(counts.locks, Counted(1));
}

TEST(RtGuard, CountsOnlyInsideTheScopeAndOnlyThisThread) {
  RtCounts counts;
  std::atomic<bool> go{false}, done{false};
  std::thread other([&] {
    while (!go.load()) {
    }
    sink = new int(2);
    delete sink;
    done.store(true);
  });
  sink = new int(3);
  delete sink;
  {
    RtScope scope(&counts);
    go.store(true);
    while (!done.load()) {
    }
  }
  other.join();
  EXPECT_EQ(counts.allocations, 0);
}

TEST(RtGuard, CountsPageFaults) {
  const size_t size = size_t{64} << 12;
  void* memory = mmap(nullptr, size, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  ASSERT_NE(memory, MAP_FAILED);
  madvise(memory, size, MADV_NOHUGEPAGE);
  RtCounts counts;
  {
    RtScope scope(&counts);
    for (size_t i = 0; i < 64; ++i) static_cast<volatile char*>(memory)[i << 12] = 1;
  }
  EXPECT_GE(counts.page_faults, kRtCounting ? 64 : 0);
  munmap(memory, size);
}

TEST(RtGuard, CountsSystemCallsAndNamesTheFirst) {
  const StatusOr<SyscallCount> count = CountSyscalls([] {
    for (int i = 0; i < 3; ++i) syscall(SYS_getppid);
    syscall(SYS_getuid);
  });
  ASSERT_TRUE(count.ok()) << count.status();
  EXPECT_EQ(count->calls, Counted(4));
  EXPECT_EQ(count->first, kRtCounting ? SYS_getppid : -1);
}

TEST(RtGuard, ClockAndArithmeticMakeNoSystemCall) {
  const StatusOr<SyscallCount> count = CountSyscalls([] {
    volatile double x = 0;
    for (int i = 0; i < 1000; ++i) x = x + static_cast<double>(Nanos() % 7);
  });
  ASSERT_TRUE(count.ok()) << count.status();
  EXPECT_EQ(count->calls, 0);
}

TEST(RtGuard, AFunctionThatDiesIsAnError) {
  if (kRtCounting) {
    EXPECT_FALSE(CountSyscalls([] { *static_cast<volatile int*>(nullptr) = 1; }).ok());
  }
}

TEST(RtGuard, BasePiecesOfTheRealTimePlaneKeepTheRules) {
  auto box = std::make_unique<Mailbox<std::array<double, 32>>>();
  auto ring = std::make_unique<Ring<std::array<double, 8>, 1024>>();
  auto histogram = std::make_unique<Histogram>();
  const auto work = [&] {
    std::array<double, 32> value{};
    for (int i = 0; i < 100; ++i) {
      value[0] = i;
      box->Write(value);
      box->Read(&value);
      std::array<double, 8> record{};
      ring->Push(record);
      ring->Pop(&record);
      histogram->Record(Nanos());
    }
  };
  work();
  RtCounts counts;
  {
    RtScope scope(&counts);
    work();
  }
  EXPECT_EQ(counts.allocations + counts.frees + counts.locks, 0);
  const StatusOr<SyscallCount> calls = CountSyscalls(work);
  ASSERT_TRUE(calls.ok()) << calls.status();
  EXPECT_EQ(calls->calls, 0);
}

}  // namespace
}  // namespace saferl
