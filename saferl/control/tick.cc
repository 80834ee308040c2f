#include "saferl/control/tick.h"

#include <algorithm>
#include <cmath>

#include "saferl/base/clock.h"
#include "saferl/control/tick_data.h"
#include "saferl/robot/exoskeleton.h"

namespace saferl::control {

namespace {

using robot::Joints;
using safety::Mode;
using safety::Reason;
using safety::ReasonSet;

constexpr double kRestMargin = 1e-3;  // [m/s, rad/s] beyond the rate error
constexpr double kHindsightBelief =
    0.1;  // goals less likely than this are not worth a forward pass

/// Stamps the stages, or does nothing.
class StageClock {
 public:
  StageClock(bool on, Decision* decision) : on_(on), decision_(decision), last_(on ? Nanos() : 0) {}
  void Done(Stage stage) {
    if (!on_) return;
    const int64_t now = Nanos();
    decision_->stage_ns[static_cast<size_t>(stage)] = static_cast<uint32_t>(now - last_);
    last_ = now;
  }

 private:
  bool on_;
  Decision* decision_;
  int64_t last_;
};

/// Copies what means something; the tails of the arrays are never read.
void CopyUsed(const robot::Observation& from, robot::Observation* to) {
  to->stamp_ns = from.stamp_ns;
  to->sequence = from.sequence;
  to->robot = from.robot;
  to->interaction = from.interaction;
  to->people_stamp_ns = from.people_stamp_ns;
  to->lidar_stamp_ns = from.lidar_stamp_ns;
  to->n_parts = from.n_parts;
  to->n_lidar = from.n_lidar;
  std::copy_n(from.parts.begin(), from.n_parts, to->parts.begin());
  std::copy_n(from.lidar_m.begin(), from.n_lidar, to->lidar_m.begin());
}

bool FiniteGoals(const Goals& goals) {
  if (goals.n < 0 || goals.n > kMaxGoals) return false;
  for (int g = 0; g < goals.n; ++g) {
    const math::Vec3& p = goals.p_W[g];
    if (!std::isfinite(p.x) || !std::isfinite(p.y) || !std::isfinite(p.z)) return false;
  }
  return true;
}

/// The policy's answer for one goal, in the robot's command unit.
bool AskPolicy(const TickModel& model, TickData* data, Joints* u) {
  const size_t n_obs = static_cast<size_t>(FeatureCount(model.features));
  const size_t n = static_cast<size_t>(model.safety->robot->n());
  if (!model.policy->Forward(std::span<const float>(data->features.data(), n_obs),
                             std::span<float>(data->action.data(), n)))
    return false;
  for (size_t i = 0; i < n; ++i) (*u)[i] = static_cast<double>(data->action[i]);
  return PossibleCommand(*model.safety->robot, *u);
}

/// Proposal for the likely goals: the most likely one, or their mean by belief (hindsight).
bool AskPolicyForGoals(const TickModel& model, const Goals& goals, TickData* data,
                       Joints* proposal) {
  const robot::RobotModel& robot = *model.safety->robot;
  const robot::Observation& observation = data->trusted;
  const int n = robot.n();
  if (robot.kind() == robot::Kind::kExoskeleton) {
    ExtractFeatures(model.features, observation, {}, data->features);
    return AskPolicy(model, data, proposal);
  }
  const bool known = data->intent.n_goals == goals.n;
  const int likely = known ? MostLikely(data->intent.belief, goals.n) : 0;
  ExtractFeatures(model.features, observation, goals.p_W[likely], data->features);
  if (!AskPolicy(model, data, proposal)) return false;
  if (model.arbitration.method != Arbitration::kHindsight || !known) return true;
  double weight = data->intent.belief[likely];
  Joints sum{};
  for (int i = 0; i < n; ++i) sum[i] = weight * (*proposal)[i];
  for (int g = 0; g < goals.n; ++g) {
    const double belief = data->intent.belief[g];
    if (g == likely || belief < kHindsightBelief) continue;
    RetargetFeatures(model.features, observation, goals.p_W[g], data->features);
    Joints u{};
    if (!AskPolicy(model, data, &u)) return false;
    for (int i = 0; i < n; ++i) sum[i] += belief * u[i];
    weight += belief;
  }
  for (int i = 0; i < n; ++i) (*proposal)[i] = sum[i] / weight;
  return true;
}

/// Fills decision->policy_u. True when there is a proposal to blend; otherwise `reasons` says why,
/// if something is wrong.
bool Propose(const TickModel& model, const TickInput& input, bool external_usable, TickData* data,
             Decision* decision, ReasonSet* reasons) {
  if (!FiniteGoals(input.goals)) {
    reasons->Add(Reason::kPolicyInvalid);
    return false;
  }
  if (input.policy.present || data->check.external_policy_seen) {
    if (external_usable) decision->policy_u = input.policy.u;
    return external_usable;
  }
  if (model.policy == nullptr || !data->has_trusted) return false;
  if (input.goals.n == 0 && model.safety->robot->kind() != robot::Kind::kExoskeleton) return false;
  Joints proposal{};
  if (!AskPolicyForGoals(model, input.goals, data, &proposal)) {
    reasons->Add(Reason::kPolicyInvalid);
    return false;
  }
  decision->policy_u = proposal;
  return true;
}

/// Scales u as a whole so that no component exceeds `share` of its limit: direction is the
/// person's.
Joints Slowed(const robot::RobotModel& robot, const Joints& u, double share) {
  const double size = CommandSize(robot, u);
  const double scale = size > share ? share / size : 1.0;
  Joints slowed{};
  for (int i = 0; i < robot.n(); ++i) slowed[i] = scale * u[i];
  return slowed;
}

Mode DecideMode(const TickModel& model, const TickInput& input, const ReasonSet& reasons,
                TickData* data) {
  safety::LatchInput latch;
  latch.now_ns = input.now_ns;
  latch.reasons = reasons;
  latch.at_rest =
      data->has_trusted && AtRest(*model.safety->robot, data->trusted, data->filter.previous);
  latch.acknowledge = input.human.acknowledge;
  return safety::UpdateLatch(model.latch, latch, &data->latch);
}

/// Blend stage: what the filter is asked for in this mode.
Joints Wanted(const TickModel& model, const TickInput& input, const InputCheckResult& check,
              const Joints& policy_u, bool policy_usable, TickData* data) {
  const robot::RobotModel& robot = *model.safety->robot;
  const Mode mode = data->latch.mode;
  if (mode == Mode::kNominal && check.human_usable) {
    BlendInput blend;
    blend.intent = &model.intent;
    blend.belief = &data->intent;
    blend.goals = &input.goals;
    blend.state = &data->trusted.robot;
    blend.human_u = input.human.u;
    blend.policy_u = policy_u;
    blend.policy_usable = policy_usable;
    return Blend(model.arbitration, blend, &data->arbitration);
  }
  Release(model.arbitration, &data->arbitration);
  if (mode == Mode::kDegraded && check.human_usable)
    return Slowed(robot, input.human.u, model.limits.degraded_speed);
  return {};
}

/// Filter and gate: from the wish to what leaves. Findings that concern the next tick go to
/// data->pending.
void FilterAndGate(const TickModel& model, const TickInput& input, TickData* data,
                   Decision* decision, StageClock* clock) {
  const robot::RobotModel& robot = *model.safety->robot;
  data->pending = {};
  decision->filter = safety::Filter(*model.safety, data->trusted, input.now_ns, decision->blended,
                                    data->latch.mode, &data->filter);
  clock->Done(Stage::kFilter);
  const Reason found = decision->filter.reason;
  const Mode mode = std::max(data->latch.mode, safety::DemandedMode(found));
  if (safety::DemandedMode(found) > Mode::kNominal) data->pending.Add(found);
  const bool filter_leads = data->latch.reason == Reason::kNone || mode > data->latch.mode;
  const safety::GateResult gate =
      safety::Gate(robot, data->trusted.robot, data->filter.previous, decision->filter.command,
                   mode, filter_leads ? found : data->latch.reason, input.now_ns, input.sequence);
  decision->command = gate.command;
  decision->gate_passed = gate.passed;
  if (!gate.passed) data->pending.Add(Reason::kGateRejected);
  safety::Commit(gate.command.u, &data->filter);
  clock->Done(Stage::kGate);
}

}  // namespace

bool AtRest(const robot::RobotModel& robot, const robot::Observation& observation,
            const Joints& previous) {
  const bool exoskeleton = robot.kind() == robot::Kind::kExoskeleton;
  const Joints error = robot.state_error_qd();
  const Joints slow =
      exoskeleton ? static_cast<const robot::Exoskeleton&>(robot).rest_speed() : Joints{};
  for (int i = 0; i < robot.n(); ++i) {
    const double bound = slow[i] + 2 * error[i] + kRestMargin;
    if (!(std::abs(observation.robot.qd[i]) <= bound)) return false;
    if (!exoskeleton && std::abs(previous[i]) > kRestMargin) return false;
  }
  return true;
}

void Tick(const TickModel& model, const TickInput& input, TickData* data, Decision* decision) {
  StageClock clock(model.time_stages, decision);
  const robot::RobotModel& robot = *model.safety->robot;
  const InputCheckResult check = CheckInputs(robot, model.limits, input.now_ns, input.observation,
                                             input.human, input.policy, &data->check);
  ReasonSet reasons = check.reasons;
  reasons.Add(data->pending);
  if (input.stop_requested) reasons.Add(Reason::kStopRequested);
  if (!input.lease_ok) reasons.Add(Reason::kMonitorLost);
  if (check.observation_usable) {
    CopyUsed(input.observation, &data->trusted);
    data->has_trusted = true;
    reasons.Add(safety::CheckAssumptions(*model.safety, model.assumptions, data->trusted,
                                         input.now_ns, data->filter.previous, &data->assumptions));
  }
  clock.Done(Stage::kCheck);

  decision->policy_u = {};
  decision->policy_used = Propose(model, input, check.policy_usable, data, decision, &reasons);
  clock.Done(Stage::kPolicy);

  if (check.human_usable && data->has_trusted && FiniteGoals(input.goals))
    UpdateIntent(model.intent, data->trusted.robot, input.human.u, input.goals, &data->intent);
  decision->belief = data->intent.belief;
  clock.Done(Stage::kIntent);

  DecideMode(model, input, reasons, data);
  decision->blended = Wanted(model, input, check, decision->policy_u, decision->policy_used, data);
  decision->authority = data->arbitration.authority;
  clock.Done(Stage::kBlend);

  FilterAndGate(model, input, data, decision, &clock);

  decision->input = input;
  decision->policy_id = data->policy_id;
  clock.Done(Stage::kRecord);
}

std::unique_ptr<TickData, void (*)(TickData*)> Prepare(const TickModel& model) {
  std::unique_ptr<TickData, void (*)(TickData*)> data(new TickData(),
                                                      [](TickData* p) { delete p; });
  data->policy_id = PolicyId(model.policy.get());
  return data;
}

}  // namespace saferl::control
