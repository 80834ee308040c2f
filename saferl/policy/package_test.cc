#include "saferl/policy/package.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <limits>

#include "saferl/base/file.h"
#include "saferl/base/hash.h"
#include "saferl/base/json.h"
#include "saferl/policy/spec_builder.h"

namespace saferl::policy {
namespace {

using ::testing::HasSubstr;

PolicySpec Sample() {
  const std::vector<int> hidden = {5};
  PolicySpec spec = MakeGaussianMlp(4, 2, hidden, 3);
  spec.name = "sample";
  spec.robot = "wheelchair";
  spec.observation = {{"goal_distance", "m", 1, 0, 20}, {"goal_bearing", "rad", 3, -3, 3}};
  spec.obs_mean = {1, -2, 3, 0.5F};
  spec.obs_std = {0.5F, 2, 1, 1};
  spec.training_record = R"({"algorithm":"ppo","seed":3})";
  MakeGoldenVectors(&spec, 3, 1);
  return spec;
}

std::string TempPath(const std::string& name) { return ::testing::TempDir() + "policy_" + name; }

/// Puts the trailer right again after bytes were changed, so that the change reaches the reader.
void Reseal(std::string* bytes) {
  const Sha256Digest digest = Sha256Of(std::string_view(*bytes).substr(0, bytes->size() - 32));
  std::memcpy(bytes->data() + bytes->size() - 32, digest.data(), 32);
}

std::string MessageOf(std::string_view bytes) {
  const auto spec = DecodePackage(bytes, "p.saferl");
  EXPECT_FALSE(spec.ok());
  return spec.ok() ? "" : std::string(spec.status().message());
}

TEST(Package, KeepsEveryByteOfThePolicy) {
  const std::string bytes = *EncodePackage(Sample());
  const auto spec = DecodePackage(bytes, "p.saferl");
  ASSERT_TRUE(spec.ok()) << spec.status();
  EXPECT_EQ(*EncodePackage(*spec), bytes);
  EXPECT_EQ(spec->name, "sample");
  EXPECT_EQ(spec->robot, "wheelchair");
  EXPECT_EQ(spec->observation[1].name, "goal_bearing");
  EXPECT_EQ(spec->observation[1].unit, "rad");
  EXPECT_EQ(spec->observation[1].size, 3);
  EXPECT_EQ(spec->layers[0].weight, Sample().layers[0].weight);
  EXPECT_EQ(spec->obs_std, Sample().obs_std);
  EXPECT_EQ(spec->training_record, Sample().training_record);
  EXPECT_EQ(spec->golden_actions, Sample().golden_actions);
}

TEST(Package, IdentityIsTheHashOfTheWholeFile) {
  const std::string path = TempPath("identity.saferl");
  ASSERT_TRUE(SavePackage(Sample(), path).ok());
  const auto policy = LoadPolicy(path);
  ASSERT_TRUE(policy.ok()) << policy.status();
  EXPECT_EQ((*policy)->sha256(), Sha256Hex(*ReadFile(path)));
  EXPECT_EQ((*policy)->sha256(), (*Policy::Create(Sample()))->sha256());
}

TEST(Package, EveryFlippedBitAndEveryCutIsRefused) {
  const std::string bytes = *EncodePackage(Sample());
  for (size_t i = 0; i < bytes.size(); ++i) {
    std::string damaged = bytes;
    damaged[i] = static_cast<char>(damaged[i] ^ (1 << (i % 8)));
    ASSERT_FALSE(DecodePackage(damaged, "p").ok()) << i;
    ASSERT_FALSE(DecodePackage(std::string_view(bytes).substr(0, i), "p").ok()) << i;
  }
  EXPECT_FALSE(DecodePackage(bytes + "x", "p").ok());
}

TEST(Package, EveryFlippedBitBehindAGoodHashIsRefusedOrAValidPolicy) {
  const std::string bytes = *EncodePackage(Sample());
  int refused = 0;
  for (size_t i = 0; i + 32 < bytes.size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string damaged = bytes;
      damaged[i] = static_cast<char>(damaged[i] ^ (1 << bit));
      Reseal(&damaged);
      const auto spec = DecodePackage(damaged, "p");
      refused += spec.ok() ? 0 : 1;
      if (spec.ok()) {
        ASSERT_TRUE(spec->Validate().ok());
        ASSERT_EQ(*EncodePackage(*spec), damaged);
      }
    }
  }
  EXPECT_GT(refused, 1000);
}

TEST(Package, ErrorsNameFileOffsetFieldAndFix) {
  const std::string good = *EncodePackage(Sample());
  EXPECT_THAT(MessageOf("hello, this is a text file of more than a few bytes, but no package"),
              HasSubstr("p.saferl: offset 8: magic: is not SAFERLMP; this is not a model package"));
  std::string bytes = good;
  bytes[8] = 9;
  EXPECT_THAT(MessageOf(bytes), HasSubstr("version: is 9"));
  bytes = good;
  bytes[100] = static_cast<char>(bytes[100] ^ 1);
  EXPECT_THAT(MessageOf(bytes), HasSubstr("SHA-256: does not match"));

  bytes = good;
  const size_t norm = bytes.find("NORM") + 12;
  const float nan = std::numeric_limits<float>::quiet_NaN();
  std::memcpy(bytes.data() + norm + 8 + 4, &nan, 4);
  Reseal(&bytes);
  EXPECT_THAT(MessageOf(bytes), HasSubstr("obs_mean[1]: is not finite"));

  bytes = good;
  const uint32_t huge = 0xfffffff0U;
  std::memcpy(bytes.data() + bytes.find("GOLD") + 12, &huge, 4);
  Reseal(&bytes);
  EXPECT_THAT(MessageOf(bytes), HasSubstr("golden.count: is 4294967280; use 1 to 4096"));

  bytes = good;
  const uint64_t long_section = uint64_t{1} << 60;
  std::memcpy(bytes.data() + bytes.find("NETW") + 4, &long_section, 8);
  Reseal(&bytes);
  EXPECT_THAT(MessageOf(bytes), HasSubstr("NETW length"));

  bytes = good;
  bytes.replace(bytes.find("OBSV"), 4, "ACTN");
  Reseal(&bytes);
  EXPECT_THAT(MessageOf(bytes), HasSubstr("'OBSV' expected"));
}

TEST(Package, LoadChecksTheGoldenVectorsOfAWellFormedFile) {
  PolicySpec spec = Sample();
  spec.golden_actions[1][0] += 0.5F;
  const std::string path = TempPath("golden.saferl");
  ASSERT_TRUE(SavePackage(spec, path).ok());
  const auto policy = LoadPolicy(path);
  ASSERT_FALSE(policy.ok());
  EXPECT_EQ(policy.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(policy.status().message()), HasSubstr(path));
  EXPECT_THAT(std::string(policy.status().message()), HasSubstr("golden[1].action[0]"));
}

TEST(Package, SaveRefusesAPolicyWithoutGoldenVectorsAndWritesNothing) {
  PolicySpec spec = Sample();
  spec.golden_observations.clear();
  spec.golden_actions.clear();
  const std::string path = TempPath("none.saferl");
  EXPECT_FALSE(SavePackage(spec, path).ok());
  EXPECT_FALSE(FileExists(path));
  EXPECT_EQ(ReadPackage(path).status().code(), absl::StatusCode::kNotFound);
}

TEST(Package, VerifyReportsAndShowNamesWhatIsInside) {
  const std::string path = TempPath("report.saferl");
  ASSERT_TRUE(SavePackage(Sample(), path).ok());
  const auto report = VerifyPackage(path);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->golden_vectors, 3U);
  EXPECT_LT(report->worst_golden_error, 1e-5);
  EXPECT_EQ(report->bytes, std::filesystem::file_size(path));
  const auto policy = *LoadPolicy(path);
  const std::string text = ShowPolicy(*policy);
  EXPECT_THAT(text, HasSubstr("4 -> 5 tanh -> 2 identity -> tanh"));
  EXPECT_THAT(text, HasSubstr("goal_bearing"));
  const auto json = ParseJson(ShowPolicyJson(*policy), "show");
  ASSERT_TRUE(json.ok()) << json.status();
  EXPECT_THAT(ShowPolicyJson(*policy), HasSubstr(R"("training_record":{"algorithm":"ppo")"));
}

}  // namespace
}  // namespace saferl::policy
