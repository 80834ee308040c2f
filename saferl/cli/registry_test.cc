// Every verb of `saferl registry` as a person and a program meet it: what it prints, with --json
// and without, its exit code, and what it says when it refuses.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "saferl/cli/testing/program.h"
#include "saferl/registry/testing/packages.h"

namespace saferl::cli {
namespace {

using registry::testing::SmallPackage;
using ::testing::HasSubstr;

/// Exit codes: 1 the state says no, 2 the words or the files are wrong, 3 a key is missing.
constexpr int kNo = 1, kBad = 2, kMissing = 3;

class RegistryVerbsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    for (uint64_t i = 1; i <= 3; ++i) {
      ASSERT_TRUE(WriteFileAtomic(saferl_.Path(Cat(i, ".policy")), SmallPackage(i)).ok());
      Json(Cat("push ", i, ".policy --model arm --who ann"));
    }
  }
  Node Json(const std::string& words, int code = 0) const {
    return saferl_.Json(Cat("registry ", words, kStores), code);
  }
  /// What people read.
  std::string Text(const std::string& words) const {
    const ProgramResult result = saferl_.Run(Cat("registry ", words, kStores));
    EXPECT_EQ(result.code, 0) << words << "\n" << result.err;
    return result.out;
  }
  void Refuses(const std::string& words, int code, const std::string& why) const {
    saferl_.Refuses(Cat("registry ", words, kStores), code, why);
  }
  std::string Phase() const { return Json("status arm").Find("rollout")->Find("phase")->text(); }
  void TrustAnn() const {
    const Node key = saferl_.Json("registry key ann.key");
    EXPECT_EQ(key.Find("private_key")->text(), "ann.key");
    std::filesystem::create_directories(saferl_.Path("data/keys"));
    std::filesystem::copy_file(saferl_.Path("ann.key.pem"), saferl_.Path("data/keys/ann.pem"));
  }
  static constexpr const char* kStores = " --set data_dir=data";
  const Program saferl_{"registry_verbs", SAFERL_BINARY_DIR};
};

TEST_F(RegistryVerbsTest, PushListShowHistory) {
  const Node again = Json("push 3.policy --model arm --who bob --tag site=zurich --alias next");
  EXPECT_FALSE(*again.Find("created")->AsBool());
  EXPECT_EQ(again.Find("version")->Find("version")->text(), "3");
  EXPECT_THAT(Text("push 3.policy --model arm"), HasSubstr("(was there)"));
  EXPECT_EQ(Json("list").Find("models")->items().size(), 1U);
  EXPECT_EQ(Json("list arm").Find("versions")->items().size(), 3U);
  EXPECT_EQ(Json("list arm --limit 2").Find("versions")->items().size(), 2U);
  EXPECT_THAT(Text("list"), HasSubstr("next=3"));
  EXPECT_EQ(Json("show arm next").Find("version")->Find("author")->text(), "ann");
  EXPECT_EQ(Json("show arm").Find("version")->Find("version")->text(), "3");
  EXPECT_THAT(Text("history arm 3"), HasSubstr("ann"));
  EXPECT_GE(Json("history arm").Find("events")->items().size(), 3U);
  EXPECT_EQ(Json("history arm --limit 1").Find("events")->items().size(), 1U);
  Refuses("push none.policy", kBad, "none.policy");
  ASSERT_TRUE(WriteFileAtomic(saferl_.Path("noise.policy"), "noise").ok());
  Refuses("push noise.policy", kBad, "noise.policy");
  ASSERT_TRUE(WriteFileAtomic(saferl_.Path("net.onnx"), "x").ok());
  Refuses("push net.onnx", kBad, "saferl policy import");
  Refuses("push 1.policy --model a/b", kBad, "--model");
  Refuses("push 1.policy --tag site", kBad, "--tag: 'site' is not KEY=VALUE");
  Refuses("list none", kBad, "none");
  Refuses("show arm 9", kBad, "9");
  Refuses("history none 1", kBad, "none");
}

TEST_F(RegistryVerbsTest, ValidateSaysNoWithExitCode1AndReportsEveryCheck) {
  const Node good = Json("validate arm 1 --samples 64");
  const Node* checks = good.Find("validation")->Find("checks");
  ASSERT_NE(checks, nullptr);
  EXPECT_GE(checks->items().size(), 4U);
  EXPECT_THAT(Text("validate arm"), HasSubstr("golden"));
  Json("validate arm 1 --robot arm7", kNo);
  Refuses("validate arm 9", kBad, "9");
}

TEST_F(RegistryVerbsTest, SignTakesOnlyWhatSomebodyTrusts) {
  saferl_.Json("registry key eve.key");
  Refuses("sign arm 1 --key eve.key", kMissing, "is not in the keyring");
  TrustAnn();
  Refuses("deploy arm", kMissing, "saferl registry sign");
  EXPECT_EQ(Json("sign arm 1 --key ann.key --out sig.txt").Find("signature")->Find("who")->text(),
            "ann");
  EXPECT_TRUE(std::filesystem::exists(saferl_.Path("sig.txt")));
  EXPECT_THAT(Text("sign arm --key ann.key"), HasSubstr("version 3: signed by ann"));
  EXPECT_THAT(Text("show arm 1"), HasSubstr("good, by ann"));
  Refuses("sign arm 1", kBad, "--key");
  Refuses("sign arm 1 --key none.key", kBad, "none.key");
  saferl_.Refuses("registry key ann.key", kBad, "ann.key");
}

TEST_F(RegistryVerbsTest, DeployApprovePromoteStatusRollback) {
  Json("push 1.policy --model arm --alias champion");
  Refuses("promote arm", kBad, "never rolled out");
  Refuses("status arm", kBad, "never rolled out");
  Refuses("deploy", kBad, "--model-name");
  Refuses("deploy arm --model-name arm", kBad, "--model-name");
  Refuses("deploy arm --deployment-strategy sideways", kBad, "canary");
  Refuses("deploy none", kBad, "none");
  const Node made = Json(
      "deploy --model-name arm --model-version 2 --deployment-strategy canary "
      "--canary-percentage 10 --no-shadow --max-hold-s 7200 --who bob");
  EXPECT_EQ(made.Find("rollout")->Find("phase")->text(), "await_approval");
  EXPECT_EQ(made.Find("rollout")->Find("from")->text(), "1");
  Refuses("deploy arm", kNo, "is being rolled out");
  Refuses("approve arm 2 --who ann", kNo, "ann");
  const Node agreed = Json("approve arm 2 --who eve --note 'drove it'");
  EXPECT_EQ(agreed.Find("approvals")->items().size(), 1U);
  EXPECT_EQ(agreed.Find("rollout")->text(), made.Find("rollout")->Find("id")->text());
  EXPECT_EQ(Phase(), "canary");
  EXPECT_EQ(Json("status").Find("rollouts")->items().size(), 1U);
  EXPECT_THAT(Text("status"), HasSubstr("canary"));
  EXPECT_THAT(Text("status arm"), HasSubstr("drove it"));
  Refuses("promote arm", kNo, "gates");
  Refuses("promote arm --force", kBad, "--reason");
  EXPECT_EQ(Json("promote arm --force --who bob --reason 'seen enough'")
                .Find("rollout")
                ->Find("phase")
                ->text(),
            "canary");
  EXPECT_THAT(Text("status arm"), HasSubstr("override of the gates: seen enough"));
  EXPECT_EQ(Json("pause arm --who bob --reason 'a fair in the hall'")
                .Find("rollout")
                ->Find("phase")
                ->text(),
            "hold");
  EXPECT_THAT(Text("status arm"), HasSubstr("a fair in the hall"));
  EXPECT_EQ(Json("promote arm --who bob").Find("rollout")->Find("phase")->text(), "canary");
  // A rollback is never refused while a rollout is active; nobody ever ran the version here.
  const Node back = Json("rollback arm --who eve --reason 'two stops'");
  EXPECT_THAT(back.Find("rollout")->Find("phase")->text(),
              ::testing::AnyOf("rolling_back", "aborted"));
  EXPECT_EQ(Json("rollback arm --quarantine").Find("rollout")->Find("active")->text(), "true");
  Refuses("pause arm", kNo, "nothing to hold");
}

TEST_F(RegistryVerbsTest, QuarantineAndRelease) {
  EXPECT_TRUE(*Json("quarantine arm 2 --reason 'drifts to the left'")
                   .Find("version")
                   ->Find("quarantined")
                   ->AsBool());
  Refuses("deploy arm --model-version 2", kNo, "quarantine");
  EXPECT_THAT(Text("list arm"), HasSubstr("quarantined"));
  EXPECT_THAT(Text("quarantine arm 2 --release --reason 'it was the sensor'"),
              HasSubstr("released"));
  Json("deploy arm --model-version 2");
  Refuses("quarantine arm 2", kBad, "--reason");
  Refuses("quarantine arm 9 --reason x", kBad, "9");
}

TEST_F(RegistryVerbsTest, GcShowsFirstAndDeletesNothingThatIsUsed) {
  const Node garbage = Json("gc --older-than-days 0");
  EXPECT_TRUE(garbage.Find("objects")->items().empty());
  EXPECT_FALSE(*garbage.Find("deleted")->AsBool());
  EXPECT_THAT(Text("gc"), HasSubstr("add --apply"));
  EXPECT_TRUE(*Json("gc --apply --older-than-days 0").Find("deleted")->AsBool());
  Json("validate arm 1 --samples 8");  // its package is still there
  Refuses("gc --older-than-days -1", kBad, "--older-than-days");
}

}  // namespace
}  // namespace saferl::cli
