#include "saferl/base/status.h"

#include <gtest/gtest.h>

#include <string>

namespace saferl {
namespace {

TEST(Status, ExitCodesSeparateTheAnswerNoFromBadInputAndFromTheEnvironment) {
  EXPECT_EQ(ToExitCode(absl::OkStatus()), ExitCode::kOk);
  EXPECT_EQ(ToExitCode(absl::FailedPreconditionError("")), ExitCode::kNo);
  EXPECT_EQ(ToExitCode(absl::InvalidArgumentError("")), ExitCode::kBadInput);
  EXPECT_EQ(ToExitCode(absl::NotFoundError("")), ExitCode::kBadInput);
  EXPECT_EQ(ToExitCode(absl::DataLossError("")), ExitCode::kBadInput);
  EXPECT_EQ(ToExitCode(absl::UnavailableError("")), ExitCode::kEnvironment);
  EXPECT_EQ(ToExitCode(absl::ResourceExhaustedError("")), ExitCode::kEnvironment);
  EXPECT_EQ(ToExitCode(absl::InternalError("")), ExitCode::kInternal);
}

StatusOr<int> Half(int x) {
  if (x % 2 != 0) return absl::InvalidArgumentError("odd");
  return x / 2;
}

StatusOr<int> Quarter(int x) {
  SAFERL_ASSIGN_OR_RETURN(const int half, Half(x));
  SAFERL_ASSIGN_OR_RETURN(const int quarter, Half(half));
  return quarter;
}

Status CheckSmall(int x) {
  SAFERL_RETURN_IF_ERROR(x < 10 ? absl::OkStatus() : absl::OutOfRangeError("big"));
  return absl::OkStatus();
}

TEST(Status, MacrosPassValuesAndErrorsOn) {
  EXPECT_EQ(*Quarter(12), 3);
  EXPECT_EQ(Quarter(6).status().message(), "odd");
  EXPECT_TRUE(CheckSmall(9).ok());
  EXPECT_EQ(CheckSmall(10).code(), absl::StatusCode::kOutOfRange);
}

}  // namespace
}  // namespace saferl
