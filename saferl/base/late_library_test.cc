#include "saferl/base/late_library.h"

#include <ctype.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <thread>
#include <type_traits>
#include <vector>

namespace saferl {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

struct Letters final : LateLibrary {
  explicit Letters(const char* file) : LateLibrary({file, "this test", "libletters9"}) {}
  SAFERL_LATE(toupper);
};

TEST(LateLibrary, CallsWhatTheLibraryHas) {
  const Letters library("libc.so.6");
  ASSERT_TRUE(library.status().ok()) << library.status();
  EXPECT_EQ(library.toupper('a'), 'A');
  static_assert(std::is_same_v<decltype(library.toupper), int (*const)(int) noexcept>);
}

TEST(LateLibrary, AMissingLibraryIsAnErrorWithTheNextStep) {
  const Letters library("libsaferl_is_not_here.so.3");
  EXPECT_TRUE(absl::IsFailedPrecondition(library.status()));
  EXPECT_THAT(std::string(library.status().message()),
              AllOf(StartsWith("libsaferl_is_not_here.so.3: "), HasSubstr("this test needs"),
                    HasSubstr("install the package libletters9")));
  EXPECT_EQ(library.toupper, nullptr);
}

/// Of another version, or another library of this name: the first function it lacks is named.
struct Incomplete final : LateLibrary {
  Incomplete() : LateLibrary({"libc.so.6", "this test", "libletters9"}) {}
  SAFERL_LATE(toupper);
  decltype(&::abort) const gone = Find<decltype(&::abort)>("saferl_first_gone");
  decltype(&::abort) const next = Find<decltype(&::abort)>("saferl_next_gone");
};

TEST(LateLibrary, AMissingFunctionIsNamed) {
  const Incomplete library;
  EXPECT_TRUE(absl::IsFailedPrecondition(library.status()));
  EXPECT_THAT(std::string(library.status().message()),
              AllOf(StartsWith("libc.so.6: it has no function saferl_first_gone; "),
                    HasSubstr("install the package libletters9")));
}

const Letters& Shared() {
  static const Letters library("libc.so.6");
  return library;
}

TEST(LateLibrary, ThreadsMayComeFirstTogether) {
  std::vector<int> large(16);
  std::vector<std::thread> threads;
  for (size_t i = 0; i < large.size(); ++i) {
    threads.emplace_back(
        [&large, i] { large[i] = Shared().status().ok() ? Shared().toupper('b') : 0; });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(large, ::testing::Each('B'));
}

}  // namespace
}  // namespace saferl
