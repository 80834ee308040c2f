// Evidence in a closed loop: the same people, in the same rooms, drive a wheelchair alone, with a
// gentle policy and with bad ones, and a session counts what happened.
#include <gtest/gtest.h>

#include <cstdio>
#include <utility>

#include "saferl/control/features.h"
#include "saferl/policy/spec_builder.h"
#include "saferl/services/rollouts/seat.h"
#include "saferl/sim/drive.h"

namespace saferl::services {
namespace {

constexpr int kDrives = 96;

/// Feeds one arm of a rollout with what a drive does.
class Counting final : public sim::Witness {
 public:
  explicit Counting(const control::TickModel& model) : model_(model) {}
  void OnTick(const control::TickInput&, const control::Decision& decision) override {
    seat_.Count(2, model_, decision);
    beginnings_ += decision.filter.intervened && !changed_;
    changed_ = decision.filter.intervened;
  }
  void OnInstant(const robot::RobotState&, std::span<const robot::HumanPart>) override {}
  ArmCounts Take() { return seat_.Take().canary; }
  /// Of "the filter changed the wish", whoever wished: what the counts would be made of otherwise.
  int64_t beginnings() const { return beginnings_; }

 private:
  const control::TickModel& model_;
  RolloutSeat seat_{"r", "chair", "e", {"chair-2-x", 2, 1}};
  bool changed_ = false;
  int64_t beginnings_ = 0;
};

enum class Kind : uint8_t { kNone, kGentle, kReckless, kWrongWay };

/// The yaw rate follows the goal's bearing; the gentle one drives slowly and slower the nearer
/// things ahead are, the reckless one fast whatever is there, the third turns away.
std::shared_ptr<const policy::Policy> MakePolicy(Kind kind) {
  if (kind == Kind::kNone) return nullptr;
  const auto tick =
      control::MakeTickModel(safety::LoadSafetyModel("wheelchair").value(), nullptr).value();
  constexpr float kYaw[] = {0, 1.5F, 3.0F, -3.0F};
  constexpr size_t kSine = 1, kLidar = 5;
  policy::PolicySpec spec =
      policy::MakeGaussianMlp(control::FeatureCount(tick.features), 2, std::vector<int>{3}, 1);
  spec.name = "chair";
  spec.robot = tick.safety->robot->name();
  spec.observation = control::ObservationSchema(tick.features);
  spec.action = control::ActionSchema(tick.features);
  control::ActionScaling(tick.features, &spec.action_scale, &spec.action_offset);
  policy::Layer &inner = spec.layers[0], &outer = spec.layers[1];
  const auto in = static_cast<size_t>(inner.in);
  inner.activation = policy::Activation::kRelu;
  std::ranges::fill(inner.weight, 0.0F);
  std::ranges::fill(outer.weight, 0.0F);
  inner.weight[in + kSine] = 1;  // the bearing's positive and negative part
  inner.weight[2 * in + kSine] = -1;
  outer.weight[3 + 1] = kYaw[static_cast<size_t>(kind)];
  outer.weight[3 + 2] = -kYaw[static_cast<size_t>(kind)];
  outer.bias[0] = 3.0F;
  if (kind == Kind::kGentle) {
    inner.bias[0] = -3.0F;  // never backwards
    for (const size_t k : {0, 1, 2, 22, 23}) inner.weight[kLidar + k] = 0.4F;
    outer.weight[0] = 0.1F;
    outer.bias[0] = 0;
  }
  policy::MakeGoldenVectors(&spec, 4, 1);
  return policy::Policy::Create(spec).value();
}

struct Rates {
  double hours = 0, beginnings = 0, interventions = 0, refusals = 0, violations = 0;
  int goals = 0;
};

Rates Measure(const std::shared_ptr<const policy::Policy>& policy, sim::PersonKind person) {
  const sim::DriveModel model = sim::MakeDriveModel("wheelchair", policy).value();
  Counting counting(*model.tick);
  Rates rates;
  for (uint64_t seed = 0; seed < kDrives; ++seed) {
    sim::DriveOptions options;
    options.person = person;
    options.physics = sim::Physics::kClosedForm;
    options.seed = 100 + seed;
    options.max_time_s = 60;
    options.witness = &counting;
    const sim::DriveResult result = sim::Drive(model, options).value();
    rates.hours += result.time_s / 3600;
    rates.goals += result.goal_reached;
  }
  const ArmCounts counts = counting.Take();
  const auto rate = [&](BadKind kind) {
    return static_cast<double>(counts.bad[static_cast<size_t>(kind)]) / rates.hours;
  };
  rates.beginnings = static_cast<double>(counting.beginnings()) / rates.hours;
  rates.interventions = rate(BadKind::kIntervention);
  rates.refusals = rate(BadKind::kRefusal);
  rates.violations = rate(BadKind::kViolation);
  return rates;
}

/// The rates per hour that this prints stand in docs/rollouts.md. A rate is of 15 events at least
/// (gentle interventions) and 100 at most: the bounds leave about twice its standard error.
TEST(AttributionDrive, APolicyIsToldFromThePersonWhoDrivesWithIt) {
  constexpr sim::PersonKind kPerson = sim::PersonKind::kExpert;
  const Rates alone = Measure(MakePolicy(Kind::kNone), kPerson);
  const Rates gentle = Measure(MakePolicy(Kind::kGentle), kPerson);
  const Rates reckless = Measure(MakePolicy(Kind::kReckless), kPerson);
  const Rates wrong_way = Measure(MakePolicy(Kind::kWrongWay), kPerson);
  for (const auto& [name, r] : {std::pair{"alone", alone},
                                {"gentle", gentle},
                                {"reckless", reckless},
                                {"wrong way", wrong_way}})
    std::printf("%-9s beginnings %4.0f interventions %3.0f refusals %3.0f violations %3.0f per h\n",
                name, r.beginnings, r.interventions, r.refusals, r.violations);
  // Nobody's policy drives: nothing counts, whatever the filter did.
  EXPECT_GT(alone.beginnings, 1000);
  EXPECT_EQ(alone.interventions + alone.refusals + alone.violations, 0);
  // What was counted before cannot tell a person from a reckless policy; what is counted now can.
  EXPECT_LT(reckless.beginnings, 1.5 * alone.beginnings);
  EXPECT_LT(reckless.beginnings, 1.5 * gentle.beginnings);
  EXPECT_GT(reckless.interventions, 2 * gentle.interventions);
  // One that turns away gets no share and changes nothing: that its help is lost is all there is.
  EXPECT_LE(wrong_way.interventions, gentle.interventions);
  EXPECT_GT(wrong_way.refusals, 1.3 * gentle.refusals);
}

}  // namespace
}  // namespace saferl::services
