#include "saferl/storage/postgres_values.h"

#include <gtest/gtest.h>

namespace saferl::storage {
namespace {

constexpr uint32_t kNumeric = 1700;

std::string Words(std::initializer_list<int> words) {
  std::string out;
  for (const int word : words) {
    out.push_back(static_cast<char>(word >> 8));
    out.push_back(static_cast<char>(word));
  }
  return out;
}

TEST(PostgresValue, ReadsNumeric) {
  // count, weight, sign, scale, digits to base 10000
  const struct {
    std::string bytes;
    Value value;
  } cases[] = {
      {Words({0, 0, 0, 0}), int64_t{0}},
      {Words({1, 0, 0, 0, 42}), int64_t{42}},
      {Words({1, 0, 0x4000, 0, 42}), int64_t{-42}},
      {Words({1, 1, 0, 0, 3}), int64_t{30000}},
      {Words({3, 2, 0, 0, 1, 2, 3}), int64_t{100020003}},
      {Words({2, 0, 0, 1, 1, 5000}), 1.5},
      {Words({1, -1, 0x4000, 1, 5000}), -0.5},
      {Words({1, -2, 0, 8, 1}), 1e-8},
      {Words({1, 5, 0, 0, 1}), 1e20},
  };
  for (const auto& c : cases) {
    const StatusOr<Value> value = PostgresValue(kNumeric, c.bytes);
    ASSERT_TRUE(value.ok()) << value.status();
    EXPECT_EQ(*value, c.value);
  }
  EXPECT_FALSE(PostgresValue(kNumeric, Words({0, 0, 0xC000, 0})).ok());  // NaN
  EXPECT_FALSE(PostgresValue(kNumeric, Words({2, 0, 0, 0, 1})).ok());
  EXPECT_FALSE(PostgresValue(kNumeric, "").ok());
}

TEST(PostgresValue, NamesATypeThatItDoesNotKnow) {
  EXPECT_TRUE(absl::IsInvalidArgument(PostgresValue(1184, "12345678").status()));  // timestamptz
}

TEST(PostgresCode, TheLongerPrefixCounts) {
  EXPECT_EQ(PostgresCode("23505"), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(PostgresCode("23503"), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(PostgresCode("40001"), absl::StatusCode::kAborted);
  EXPECT_EQ(PostgresCode("53100"), absl::StatusCode::kUnavailable);
  EXPECT_EQ(PostgresCode("57014"), absl::StatusCode::kUnavailable);
  EXPECT_EQ(PostgresCode("57P01"), absl::StatusCode::kUnavailable);
  EXPECT_EQ(PostgresCode("25P03"), absl::StatusCode::kUnavailable);
  EXPECT_EQ(PostgresCode("25006"), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(PostgresCode("ZZ000"), absl::StatusCode::kInternal);
}

}  // namespace
}  // namespace saferl::storage
