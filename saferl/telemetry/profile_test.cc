#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cmath>
#include <cstring>
#include <thread>

#include "saferl/base/file.h"
#include "saferl/base/json.h"
#include "saferl/base/text.h"
#include "saferl/telemetry/cpu_profile.h"
#include "saferl/telemetry/memory_profile.h"

namespace saferl::telemetry {

// Work with names that a profile must show; three parts to one.
std::atomic<uint64_t> sink;
__attribute__((noinline)) void SpinForProfileTest(int rounds) {
  uint64_t x = 1;
  for (int i = 0; i < rounds; ++i) x = x * 6364136223846793005u + 1;
  sink += x;
}
__attribute__((noinline)) void ThreePartsOfProfileTest() {
  for (int i = 0; i < 3; ++i) SpinForProfileTest(20'000);
  sink += 1;
}
__attribute__((noinline)) void OnePartOfProfileTest() {
  SpinForProfileTest(20'000);
  sink += 1;
}

namespace {

using testing::HasSubstr;

uint64_t With(const CpuProfile& profile, std::string_view function) {
  uint64_t count = 0;
  for (const auto& [stack, n] : profile.stacks) {
    for (const std::string& frame : stack) {
      if (frame.find(function) != std::string::npos) {
        count += n;
        break;
      }
    }
  }
  return count;
}

TEST(CpuProfile, SharesOfTwoFunctionsAreThoseOfTheirWork) {
#ifdef __SANITIZE_THREAD__
  // 2026-11-25: ThreadSanitizer keeps signals back until a thread blocks; these never do.
  GTEST_SKIP() << "no samples of running threads under ThreadSanitizer";
#endif
  std::atomic<bool> stop = false;
  std::thread worker([&] {
    while (!stop) {
      ThreePartsOfProfileTest();
      OnePartOfProfileTest();
    }
  });
  std::thread idle([&] { stop.wait(false); });
  // As long as it takes to have enough samples, where many share the machine.
  double three = 0, one = 0, all = 0;
  for (int round = 0; round < 100 && three + one < 200; ++round) {
    const StatusOr<CpuProfile> profile = ProfileCpu(0.5, 499);
    ASSERT_TRUE(profile.ok()) << profile.status();
    three += static_cast<double>(With(*profile, "ThreePartsOfProfileTest"));
    one += static_cast<double>(With(*profile, "OnePartOfProfileTest"));
    all += static_cast<double>(profile->samples);
    EXPECT_EQ(profile->dropped, 0u);
  }
  stop = true;
  stop.notify_all();
  worker.join();
  idle.join();
  ASSERT_GE(three + one, 200);
  const double share = three / (three + one);
  EXPECT_NEAR(share, 0.75, 5 * std::sqrt(0.75 * 0.25 / (three + one)) + 0.02);
  // Who waits costs nothing: nearly all samples are the worker's.
  EXPECT_GT((three + one) / all, 0.9);
}

TEST(CpuProfile, WaitingThreadsCostNothing) {
  const StatusOr<CpuProfile> profile = ProfileCpu(0.3, 199);
  ASSERT_TRUE(profile.ok()) << profile.status();
  EXPECT_LE(profile->samples, 5u);
}

TEST(CpuProfile, OneAtATimeAndWithinBounds) {
  std::atomic<int> refused = 0, done = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      const StatusOr<CpuProfile> profile = ProfileCpu(0.5);
      (profile.ok() ? done : refused) += 1;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_GE(done, 1);
  EXPECT_EQ(done + refused, 4);
  EXPECT_GE(refused, 1);
  EXPECT_EQ(ProfileCpu(0).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ProfileCpu(1, 0).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ProfileCpu(301).status().code(), absl::StatusCode::kInvalidArgument);
}

CpuProfile Small() {
  return {.seconds = 1,
          .rate_hz = 100,
          .samples = 7,
          .dropped = 1,
          .stacks = {{{"api", "main", "a;b</script>"}, 4}, {{"api", "main"}, 3}}};
}

TEST(CpuProfile, FoldedJsonAndPage) {
  const CpuProfile profile = Small();
  EXPECT_EQ(FoldedStacks(profile), "api;main 3\napi;main;a:b</script> 4\n");
  const StatusOr<CpuProfile> again = ParseProfileJson(*ParseJson(ProfileJson(profile), "p"));
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->stacks, profile.stacks);
  EXPECT_EQ(again->samples, 7u);
  const std::string page = ProfileHtml(profile, "a <title>");
  EXPECT_THAT(page, HasSubstr("a &lt;title>"));
  EXPECT_THAT(page, HasSubstr("a;b\\u003c/script>"));  // names cannot end the script
  EXPECT_FALSE(ParseProfileJson(*ParseJson(R"({"seconds":1})", "p")).ok());
}

/// A child that maps and touches 8 MiB more each time that it is told to.
TEST(MemoryProfile, SeesWhatAnotherProcessTakes) {
  int go[2], done[2];
  ASSERT_EQ(::pipe(go) + ::pipe(done), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    ::close(go[1]);
    char byte;
    while (::read(go[0], &byte, 1) == 1) {
      constexpr size_t kBytes = 8 << 20;
      void* p = ::mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
      std::memset(p, 1, kBytes);
      if (::write(done[1], "x", 1) != 1) break;
    }
    ::_exit(0);
  }
  ::close(go[0]);
  const auto grow = [&] {
    char byte;
    ASSERT_EQ(::write(go[1], "x", 1), 1);
    ASSERT_EQ(::read(done[0], &byte, 1), 1);
  };
  int samples = 0;
  const StatusOr<MemoryProfile> profile = ProfileMemory(child, 0.5, 0.05, [&](const MemorySample&) {
    if (++samples <= 3) grow();
  });
  ::close(go[1]);
  ::waitpid(child, nullptr, 0);
  ASSERT_TRUE(profile.ok()) << profile.status();
  const MemorySample &first = profile->samples.front(), &last = profile->samples.back();
  EXPECT_GE(last.rss - first.rss, 24u << 20);
#ifndef __SANITIZE_THREAD__  // 2026-11-25: its shadow memory and its own thread are the child's too
  EXPECT_LT(last.rss - first.rss, 26u << 20);
  EXPECT_EQ(last.threads, 1);
#endif
  EXPECT_GE(last.anonymous - first.anonymous, 24u << 20);
  EXPECT_GT(GrowthPerSecond(*profile), 0);
  EXPECT_EQ(profile->mappings[0].name, "[anonymous]");
  EXPECT_GE(profile->mappings[0].last - profile->mappings[0].first, 24u << 20);
  const StatusOr<Node> json = ParseJson(MemoryJson(*profile), "m");
  ASSERT_TRUE(json.ok());
  EXPECT_EQ(json->Find("samples")->items().size(), profile->samples.size());
  EXPECT_THAT(MemoryHtml(*profile, "t"), HasSubstr("window.profile = {"));
}

TEST(MemoryProfile, SlopeIsTheLeastSquaresLine) {
  MemoryProfile profile;
  for (int i = 0; i < 10; ++i) {
    profile.samples.push_back({.t_s = 0.5 * i, .rss = static_cast<uint64_t>(1000 + 100 * i)});
  }
  EXPECT_NEAR(GrowthPerSecond(profile), 200, 1e-9);
}

TEST(MemoryProfile, OwnHeapIsMeasuredAndBadInputRefused) {
  const StatusOr<MemoryProfile> own = ProfileMemory(::getpid(), 0.05, 0.05);
  ASSERT_TRUE(own.ok()) << own.status();
#ifndef SAFERL_SANITIZED  // whose allocator keeps no figures for mallinfo2
  EXPECT_GT(own->samples[0].heap, 0u);
#endif
  EXPECT_FALSE(ProfileMemory(-1, 0.1).ok());
  EXPECT_EQ(ProfileMemory(::getpid(), 0).status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace saferl::telemetry
