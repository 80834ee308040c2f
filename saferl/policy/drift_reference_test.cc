#include "saferl/policy/drift_reference.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "saferl/base/hash.h"
#include "saferl/base/text.h"

namespace saferl::policy {
namespace {

using testing::HasSubstr;

DriftReference Small() {
  DriftReference reference;
  reference.policy = "ab12";
  reference.groups = {{"action", {{"u", -0.25, 1e-9, 12.5, 0.1}, {"w", 1.0 / 3, 0, 1e9, 7}}}};
  return reference;
}

TEST(DriftReference, ReadsBackEveryBit) {
  const std::string bytes = EncodeDriftReference(Small());
  const auto back = DecodeDriftReference(bytes, "x.drift");
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(back->policy, "ab12");
  ASSERT_EQ(back->groups.size(), 1u);
  EXPECT_EQ(back->groups[0].features[1].mean, 1.0 / 3);
  EXPECT_EQ(EncodeDriftReference(*back), bytes);
}

/// Mutant: a reader that does not look at the checksum takes most of these.
TEST(DriftReference, EveryDamagedByteAndEveryTruncationIsSeen) {
  const std::string bytes = EncodeDriftReference(Small());
  for (size_t i = 0; i < bytes.size(); ++i) {
    std::string bad = bytes;
    bad[i] = static_cast<char>(bad[i] ^ 1);
    EXPECT_EQ(DecodeDriftReference(bad, "x.drift").status().code(), absl::StatusCode::kDataLoss)
        << i;
    EXPECT_FALSE(DecodeDriftReference(bytes.substr(0, i), "x.drift").ok()) << i;
  }
}

TEST(DriftReference, ContentThatNoDetectorWritesIsRefusedByName) {
  for (const auto& [from, to] : {std::pair{"\"deviation\":7", "\"deviation\":0"},
                                 {"\"variance\":0", "\"variance\":-1"},
                                 {"\"drift_reference\":1", "\"drift_reference\":2"},
                                 {"\"mean\"", "\"men\""},
                                 {"\"groups\":[", "\"groups\":7,\"x\":["}}) {
    std::string json = EncodeDriftReference(Small());
    json.resize(json.find('\n'));
    const size_t at = json.find(from);
    ASSERT_NE(at, std::string::npos) << from;
    json.replace(at, std::string(from).size(), to);
    const Status status =
        DecodeDriftReference(Cat(json, "\n", Sha256Hex(json), "\n"), "x.drift").status();
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << to;
    EXPECT_THAT(std::string(status.message()), HasSubstr("x.drift")) << to;
    EXPECT_THAT(std::string(status.message()), HasSubstr("learned again")) << to;
  }
}

}  // namespace
}  // namespace saferl::policy
