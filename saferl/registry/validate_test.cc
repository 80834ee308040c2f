// Each check of Validate has a package that only it refuses.
#include "saferl/registry/validate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "saferl/base/hash.h"
#include "saferl/base/json.h"
#include "saferl/base/text.h"
#include "saferl/registry/testing/packages.h"

namespace saferl::registry {
namespace {

using registry::testing::SmallPackage;
using registry::testing::SmallSpec;
using ::testing::ElementsAre;

std::vector<std::string> Failed(const std::string& package, const ValidationOptions& options = {}) {
  std::vector<std::string> failed;
  for (const Check& check : Validate(package, options).checks) {
    if (!check.good) failed.push_back(check.name);
  }
  return failed;
}

TEST(Validate, AGoodPackagePassesEveryCheckAndTheReportNamesThem) {
  const std::string package = SmallPackage(1);
  ValidationOptions options{
      .digest = Sha256Hex(package), .robot = "wheelchair", .n_obs = 3, .n_act = 2};
  options.safety_gate = [](const policy::PolicySpec&) { return Check{"safety", true, "drove"}; };
  const Validation v = Validate(package, options);
  EXPECT_TRUE(v.good()) << ToJson(v);
  const StatusOr<Node> json = ParseJson(ToJson(v), "report");
  ASSERT_TRUE(json.ok());
  std::vector<std::string> names;
  for (const Node& check : json->Find("checks")->items())
    names.push_back(check.Find("name")->text());
  EXPECT_THAT(names, ElementsAre("package", "shape", "golden", "repeat", "finite", "safety"));
}

TEST(Validate, WhatIsWrongIsNamed) {
  const std::string package = SmallPackage(1);
  EXPECT_THAT(Failed(package, {.digest = Sha256Hex("else")}), ElementsAre("package"));
  EXPECT_THAT(Failed("garbage"), ElementsAre("package"));
  EXPECT_THAT(Failed(package, {.robot = "arm"}), ElementsAre("shape"));
  EXPECT_THAT(Failed(package, {.n_obs = 4}), ElementsAre("shape"));
  EXPECT_THAT(Failed(package, {.n_act = 1}), ElementsAre("shape"));
  ValidationOptions bad_drive;
  bad_drive.safety_gate = [](const policy::PolicySpec&) { return Check{"safety", false, "hit"}; };
  EXPECT_THAT(Failed(package, bad_drive), ElementsAre("safety"));
}

TEST(Validate, GoldenVectorsThatOtherWeightsMadeAreRefused) {
  policy::PolicySpec spec = SmallSpec(1);
  spec.golden_actions[2][0] += 0.01F;
  EXPECT_THAT(Failed(policy::EncodePackage(spec).value()), ElementsAre("golden"));
  spec = SmallSpec(1);
  spec.golden_observations.clear();
  spec.golden_actions.clear();
  EXPECT_THAT(Failed(policy::EncodePackage(spec).value()), ElementsAre("package"));
}

/// Finite weights whose product is not: only inputs away from the golden ones show it.
TEST(Validate, OutputsThatOverflowInTheInputBoxAreFound) {
  policy::PolicySpec spec = SmallSpec(1);
  spec.squash = false;
  spec.layers[0].activation = policy::Activation::kRelu;
  for (policy::Layer& layer : spec.layers) {
    for (float& w : layer.weight) w = 3e19F;
    for (float& b : layer.bias) b = 0;
  }
  spec.golden_observations = {std::vector<float>(3, 0.0F)};
  spec.golden_actions = {std::vector<float>(2, 0.0F)};
  const StatusOr<std::string> package = policy::EncodePackage(spec);
  ASSERT_TRUE(package.ok()) << package.status();
  EXPECT_THAT(Failed(*package), ElementsAre("finite"));
}

}  // namespace
}  // namespace saferl::registry
