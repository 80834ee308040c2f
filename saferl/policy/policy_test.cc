#include "saferl/policy/policy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "saferl/base/random.h"
#include "saferl/policy/kernel.h"
#include "saferl/policy/spec_builder.h"
#include "saferl/policy/testing/fill_stack.h"

namespace saferl::policy {
namespace {

using ::testing::HasSubstr;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInf = std::numeric_limits<float>::infinity();

/// Sizes, depths, activations, normaliser and scale all drawn from the seed.
PolicySpec RandomSpec(uint64_t seed) {
  Random random(seed);
  std::vector<int> hidden(static_cast<size_t>(random.Index(4)));
  for (int& width : hidden) width = 1 + random.Index(130);
  PolicySpec spec = MakeGaussianMlp(1 + random.Index(100), 1 + random.Index(20), hidden, seed);
  for (Layer& layer : spec.layers) {
    layer.activation = static_cast<Activation>(random.Index(4));
    for (float& b : layer.bias) b = static_cast<float>(0.3 * random.Normal());
  }
  for (float& w : spec.layers.back().weight) w *= 30.0F;
  for (float& m : spec.obs_mean) m = static_cast<float>(random.Normal());
  for (float& s : spec.obs_std) s = static_cast<float>(random.Uniform(0.2, 3.0));
  for (float& s : spec.action_scale) s = static_cast<float>(random.Uniform(0.2, 1.0));
  for (float& o : spec.action_offset) o = static_cast<float>(random.Uniform(-0.5, 0.5));
  spec.obs_clip = static_cast<float>(random.Uniform(1.0, 5.0));
  spec.squash = random.Chance(0.7);
  return spec;
}

std::vector<float> RandomObservation(const PolicySpec& spec, Random* random) {
  std::vector<float> observation(static_cast<size_t>(spec.n_obs()));
  for (float& x : observation) x = static_cast<float>(4.0 * random->Normal());
  return observation;
}

class EachKernel : public ::testing::TestWithParam<Kernel> {
 protected:
  /// On a machine without the kernel: it must say so instead of running.
  bool Available() {
    if (CanRun(GetParam())) return true;
    EXPECT_FALSE(PolicyAccess::CreateWithKernel(RandomSpec(1), GetParam()).ok());
    return false;
  }
};

TEST_P(EachKernel, AgreesWithTheDoubleReferenceForAnyShape) {
  if (!Available()) return;
  for (uint64_t seed = 0; seed < 200; ++seed) {
    PolicySpec spec = RandomSpec(seed);
    if (seed % 2 == 1) RoundWeights(&spec);  // half layers
    const auto policy = PolicyAccess::CreateWithKernel(spec, GetParam());
    ASSERT_TRUE(policy.ok()) << policy.status();
    Random random(seed, 7);
    std::vector<float> action(static_cast<size_t>(spec.n_act()));
    for (int i = 0; i < 10; ++i) {
      const std::vector<float> observation = RandomObservation(spec, &random);
      const std::vector<double> want = ReferenceForward(spec, observation);
      ASSERT_TRUE((*policy)->Forward(observation, action));
      for (size_t k = 0; k < action.size(); ++k) {
        ASSERT_NEAR(action[k], want[k], 1e-5 * std::max(1.0, std::abs(want[k]))) << "seed " << seed;
      }
    }
  }
}

TEST_P(EachKernel, GivesTheSameBitsOnEveryCallAndFromAnyAddress) {
  if (!Available()) return;
  const PolicySpec spec = RandomSpec(11);
  const auto policy = *PolicyAccess::CreateWithKernel(spec, GetParam());
  const auto twin = *PolicyAccess::CreateWithKernel(spec, GetParam());
  Random random(5);
  const std::vector<float> observation = RandomObservation(spec, &random);
  std::vector<float> first(static_cast<size_t>(spec.n_act())), action(first.size());
  ASSERT_TRUE(policy->Forward(observation, first));
  std::vector<float> moved(observation.size() + 16);
  for (size_t shift = 0; shift < 16; ++shift) {
    std::copy(observation.begin(), observation.end(),
              moved.begin() + static_cast<ptrdiff_t>(shift));
    FillStack(0xff);  // what an earlier call left must not matter
    ASSERT_TRUE(twin->Forward(std::span(moved).subspan(shift, observation.size()), action));
    EXPECT_EQ(0, std::memcmp(first.data(), action.data(), first.size() * sizeof(float)));
  }
}

TEST_P(EachKernel, RefusesInputThatIsNotFiniteAndLeavesTheActionAlone) {
  if (!Available()) return;
  const PolicySpec spec = RandomSpec(3);
  const auto policy = *PolicyAccess::CreateWithKernel(spec, GetParam());
  std::vector<float> observation(static_cast<size_t>(spec.n_obs()));
  std::vector<float> action(static_cast<size_t>(spec.n_act()), 42.0F);
  const std::vector<float> before = action;
  for (size_t i = 0; i < observation.size(); ++i) {
    for (const float bad : {kNan, kInf, -kInf}) {
      std::fill(observation.begin(), observation.end(), 0.1F);
      observation[i] = bad;
      EXPECT_FALSE(policy->Forward(observation, action)) << i;
      EXPECT_EQ(action, before);
    }
  }
  observation.pop_back();
  EXPECT_FALSE(policy->Forward(observation, action));
}

TEST_P(EachKernel, RefusesAnOutputThatIsNotFinite) {
  if (!Available()) return;
  const std::vector<int> hidden = {8};
  PolicySpec spec = MakeGaussianMlp(8, 2, hidden, 1);
  spec.layers[0].activation = Activation::kRelu;
  for (float& w : spec.layers[0].weight) w = 3e38F;
  for (size_t i = 0; i < 8; ++i) {  // one action +inf - inf, the other +inf
    spec.layers[1].weight[i] = i % 2 == 0 ? 1.0F : -1.0F;
    spec.layers[1].weight[8 + i] = 1.0F;
  }
  for (const bool squash : {false, true}) {
    spec.squash = squash;
    const auto policy = *PolicyAccess::CreateWithKernel(spec, GetParam());
    const std::vector<float> observation(8, 5.0F);
    std::vector<float> action(2, 42.0F);
    EXPECT_FALSE(policy->Forward(observation, action));
    EXPECT_EQ(action[0], 42.0F);
  }
}

TEST_P(EachKernel, RunsTheWidestAndDeepestNetworkThatValidateAllows) {
  if (!Available()) return;
  const std::vector<int> hidden(kMaxLayers - 1, kMaxWidth);
  PolicySpec spec = MakeGaussianMlp(kMaxWidth, kMaxWidth, hidden, 2);
  for (const bool rounded : {false, true}) {
    if (rounded) RoundWeights(&spec);
    const auto policy = *PolicyAccess::CreateWithKernel(spec, GetParam());
    Random random(1);
    const std::vector<float> observation = RandomObservation(spec, &random);
    std::vector<float> action(kMaxWidth);
    ASSERT_TRUE(policy->Forward(observation, action));
    const std::vector<double> want = ReferenceForward(spec, observation);
    for (size_t k = 0; k < action.size(); ++k) EXPECT_NEAR(action[k], want[k], 1e-5);
  }
}

INSTANTIATE_TEST_SUITE_P(Policy, EachKernel, ::testing::Values(Kernel::kPortable, Kernel::kAvx2),
                         [](const auto& test) { return Name(test.param); });

TEST(Policy, PortableAndBestKernelAgreeWithin1e5) {
  for (uint64_t seed = 300; seed < 350; ++seed) {
    PolicySpec spec = RandomSpec(seed);
    spec.squash = true;
    const auto portable = *PolicyAccess::CreateWithKernel(spec, Kernel::kPortable);
    const auto best = *Policy::Create(spec);
    Random random(seed);
    std::vector<float> a(static_cast<size_t>(spec.n_act())), b(a.size());
    const std::vector<float> observation = RandomObservation(spec, &random);
    ASSERT_TRUE(portable->Forward(observation, a));
    ASSERT_TRUE(best->Forward(observation, b));
    for (size_t k = 0; k < a.size(); ++k) EXPECT_NEAR(a[k], b[k], 1e-5);
  }
}

TEST(Policy, ChecksItsGoldenVectors) {
  PolicySpec spec = RandomSpec(4);
  MakeGoldenVectors(&spec, 5, 1);
  ASSERT_TRUE(Policy::Create(spec).ok());
  spec.golden_actions[3][0] += 0.01F;
  const auto policy = Policy::Create(spec);
  ASSERT_FALSE(policy.ok());
  EXPECT_THAT(std::string(policy.status().message()), HasSubstr("golden[3].action[0]"));
}

struct Damage {
  const char* field;
  void (*apply)(PolicySpec*);
};

class BadSpec : public ::testing::TestWithParam<Damage> {};

TEST_P(BadSpec, IsRefusedWithItsField) {
  const std::vector<int> hidden = {16, 16};
  PolicySpec spec = MakeGaussianMlp(6, 2, hidden, 1);
  MakeGoldenVectors(&spec, 2, 1);
  ASSERT_TRUE(spec.Validate().ok());
  GetParam().apply(&spec);
  const Status status = Policy::Create(spec).status();
  ASSERT_FALSE(status.ok());
  EXPECT_THAT(std::string(status.message()), HasSubstr(GetParam().field));
}

INSTANTIATE_TEST_SUITE_P(
    Policy, BadSpec,
    ::testing::Values(
        Damage{"name", [](PolicySpec* s) { s->name = ""; }},
        Damage{"name", [](PolicySpec* s) { s->name = "a\nb"; }},
        Damage{"name", [](PolicySpec* s) { s->name = "\xc0\xaf"; }},      // overlong
        Damage{"name", [](PolicySpec* s) { s->name = "\xed\xa0\x80"; }},  // surrogate
        Damage{"name", [](PolicySpec* s) { s->name = "cut \xe2\x82"; }},  // cut off
        Damage{"name",
               [](PolicySpec* s) {
                 s->name =
                     "\xc2\x9b"
                     "31m";
               }},                                                            // C1 control
        Damage{"name", [](PolicySpec* s) { s->name = "\xf5\x80\x80\x80"; }},  // beyond Unicode
        Damage{"training_record", [](PolicySpec* s) { s->training_record = "\x1b[2J"; }},
        Damage{"robot", [](PolicySpec* s) { s->robot.assign(300, 'x'); }},
        Damage{"observation", [](PolicySpec* s) { s->observation.clear(); }},
        Damage{"observation[0].size", [](PolicySpec* s) { s->observation[0].size = 0; }},
        Damage{"observation[0].unit", [](PolicySpec* s) { s->observation[0].unit = ""; }},
        Damage{"observation[1].name",
               [](PolicySpec* s) { s->observation.push_back(s->observation[0]); }},
        Damage{"observation[0]", [](PolicySpec* s) { s->observation[0].low = 2; }},
        Damage{"obs_mean", [](PolicySpec* s) { s->obs_mean.pop_back(); }},
        Damage{"obs_std[2]", [](PolicySpec* s) { s->obs_std[2] = 0; }},
        Damage{"obs_std[2]", [](PolicySpec* s) { s->obs_std[2] = 1e-42F; }},
        Damage{"obs_clip", [](PolicySpec* s) { s->obs_clip = -1; }},
        Damage{"layers", [](PolicySpec* s) { s->layers.clear(); }},
        Damage{"layers[1].in", [](PolicySpec* s) { s->layers[1].in = 15; }},
        Damage{"layers[1].out", [](PolicySpec* s) { s->layers[1].out = 100000; }},
        Damage{"layers[1].weight", [](PolicySpec* s) { s->layers[1].weight.pop_back(); }},
        Damage{"layers[1].weight[7]", [](PolicySpec* s) { s->layers[1].weight[7] = kNan; }},
        Damage{"layers[0].bias[1]", [](PolicySpec* s) { s->layers[0].bias[1] = kInf; }},
        Damage{"layers", [](PolicySpec* s) { s->layers.pop_back(); }},
        Damage{"log_std", [](PolicySpec* s) { s->log_std.clear(); }},
        Damage{"action_scale[1]", [](PolicySpec* s) { s->action_scale[1] = kNan; }},
        Damage{"action_offset", [](PolicySpec* s) { s->action_offset.push_back(0); }},
        Damage{"golden", [](PolicySpec* s) { s->golden_actions.pop_back(); }},
        Damage{"golden[1].observation", [](PolicySpec* s) { s->golden_observations[1].clear(); }}));

TEST(Policy, TakesNamesInAnyScript) {
  PolicySpec spec = MakeGaussianMlp(2, 1, {}, 1);
  spec.name = "f\xc3\xa9lin \xe2\x82\xac \xf0\x9f\xa6\xbd";
  spec.training_record = "{\n\t\"seed\": 1\n}";
  EXPECT_TRUE(spec.Validate().ok()) << spec.Validate();
}

TEST(SpecBuilder, MakesOrthonormalRowsTimesTheGain) {
  const std::vector<int> hidden = {32, 24};
  const PolicySpec spec = MakeGaussianMlp(10, 3, hidden, 9);
  for (size_t l = 0; l < 3; ++l) {
    const Layer& layer = spec.layers[l];
    const double gain = l == 2 ? 0.01 : std::sqrt(2.0);
    const bool rows = layer.out <= layer.in;
    const int n = rows ? layer.out : layer.in;
    const int m = rows ? layer.in : layer.out;
    const auto at = [&](int i, int k) {
      return static_cast<double>(layer.weight[static_cast<size_t>(rows ? i * m + k : k * n + i)]);
    };
    for (int i = 0; i < n; ++i) {
      for (int j = 0; j <= i; ++j) {
        double dot = 0;
        for (int k = 0; k < m; ++k) dot += at(i, k) * at(j, k);
        EXPECT_NEAR(dot, i == j ? gain * gain : 0.0, 1e-5 * gain * gain);
      }
    }
  }
  EXPECT_EQ(MakeGaussianMlp(10, 3, hidden, 9).layers[1].weight, spec.layers[1].weight);
  EXPECT_NE(MakeGaussianMlp(10, 3, hidden, 10).layers[1].weight, spec.layers[1].weight);
}

}  // namespace
}  // namespace saferl::policy
