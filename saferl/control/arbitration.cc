#include "saferl/control/arbitration.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace saferl::control {

namespace {

using robot::Joints;

constexpr int kGrid = 9;  // authorities tried: 0, 1/8, ..., 1

double LimitOf(const robot::Limits& limits, int i) {
  return std::max(std::abs(limits.command_lower[i]), std::abs(limits.command_upper[i]));
}

/// u_h + s (u_p - u_h).
Joints Mix(const Joints& human, const Joints& policy, double s, int n) {
  Joints u{};
  for (int i = 0; i < n; ++i) u[i] = human[i] + s * (policy[i] - human[i]);
  return u;
}

/// Expected time to go [s] from `view`, over the belief.
double LossFrom(const BlendInput& input, const Viewpoint& view) {
  double loss = 0;
  for (int g = 0; g < input.belief->n_goals; ++g)
    loss += input.belief->belief[g] * TimeToGoal(*input.intent, view, input.goals->p_W[g]);
  return loss;
}

/// J(s) for the grid of s: expected time lost [s] over the belief.
std::array<double, kGrid> ExpectedLoss(const BlendInput& input, int n) {
  const IntentModel& intent = *input.intent;
  const double ahead = intent.lookahead_s;
  const Viewpoint now = ViewNow(intent, *input.state);
  const bool arm = intent.robot->kind() == robot::Kind::kArm;
  const Viewpoint at_human = ViewAhead(intent, *input.state, now, input.human_u, ahead);
  const Viewpoint at_policy = ViewAhead(intent, *input.state, now, input.policy_u, ahead);
  std::array<double, kGrid> loss{};
  for (int k = 0; k < kGrid; ++k) {
    const double s = static_cast<double>(k) / (kGrid - 1);
    // The arm's tool velocity is linear in the command; the wheelchair's arc is not.
    const Viewpoint view =
        arm ? Viewpoint{at_human.p_W + s * (at_policy.p_W - at_human.p_W), 0}
            : ViewAhead(intent, *input.state, now, Mix(input.human_u, input.policy_u, s, n), ahead);
    loss[k] = LossFrom(input, view);
  }
  return loss;
}

/// What the person loses against the policy with this command [s/s].
double LostNow(const BlendInput& input) {
  const IntentModel& intent = *input.intent;
  const double ahead = intent.lookahead_s;
  const Viewpoint now = ViewNow(intent, *input.state);
  const double human = LossFrom(input, ViewAhead(intent, *input.state, now, input.human_u, ahead));
  const double policy =
      LossFrom(input, ViewAhead(intent, *input.state, now, input.policy_u, ahead));
  return (human - policy) / ahead;
}

double ValueTarget(const ArbitrationModel& model, const BlendInput& input) {
  const std::array<double, kGrid> loss = ExpectedLoss(input, model.robot->n());
  const auto [best, worst] = std::minmax_element(loss.begin(), loss.end());
  if (*worst - *best < 1e-6) return 0;
  const double allowed = *best + model.value_slack * (*worst - *best);
  int k = 0;
  while (k < kGrid - 1 && loss[k] > allowed) ++k;
  return static_cast<double>(k) / (kGrid - 1);
}

double HindsightTarget(const ArbitrationModel& model, const BlendInput& input) {
  const int n = model.robot->n();
  const std::array<double, kGrid> loss = ExpectedLoss(input, n);
  Joints difference{};
  for (int i = 0; i < n; ++i) difference[i] = input.policy_u[i] - input.human_u[i];
  const double departure = CommandSize(*model.robot, difference);
  int best = 0;
  double least = loss[0];
  for (int k = 1; k < kGrid; ++k) {
    const double s = static_cast<double>(k) / (kGrid - 1);
    const double total = loss[k] + model.effort_weight_s * s * departure;
    if (total >= least) continue;
    least = total;
    best = k;
  }
  return static_cast<double>(best) / (kGrid - 1);
}

double Target(const ArbitrationModel& model, const BlendInput& input, double need) {
  const bool has_goals = model.robot->kind() != robot::Kind::kExoskeleton;
  if (has_goals && input.belief->n_goals == 0) return 0;
  double target = 0;
  switch (model.method) {
    case Arbitration::kSafety:
    case Arbitration::kCount:
      return 0;
    case Arbitration::kValue:
      if (has_goals) target = ValueTarget(model, input);
      break;
    case Arbitration::kHindsight:
      if (has_goals) target = HindsightTarget(model, input);
      break;
    case Arbitration::kConfidence:
    case Arbitration::kNeed:
      break;
  }
  const bool by_need = model.method == Arbitration::kNeed;
  if (model.method == Arbitration::kConfidence || by_need || !has_goals) {
    const double confidence =
        has_goals ? Confidence(input.belief->belief, input.belief->n_goals) : 1.0;
    target =
        std::clamp(model.confidence_gain * (confidence - model.confidence_threshold), 0.0, 1.0);
    if (by_need && has_goals) target *= std::clamp(need / model.need_full, 0.0, 1.0);
  }
  const double cosine = Agreement(*model.robot, input.human_u, input.policy_u);
  const double agreement = std::clamp(
      (cosine - model.oppose_cosine) / (model.agree_cosine - model.oppose_cosine), 0.0, 1.0);
  return std::min(model.authority_cap, target) * agreement;
}

void UpdateEngagement(const ArbitrationModel& model, double period_s, ArbitrationData* data) {
  data->dwell_left_s = std::max(0.0, data->dwell_left_s - period_s);
  if (data->engaged && data->target < 0.5 * model.hysteresis) {
    data->engaged = false;
    data->dwell_left_s = model.dwell_s;
  } else if (!data->engaged && data->target > model.hysteresis && data->dwell_left_s <= 0) {
    data->engaged = true;
  }
}

}  // namespace

std::string_view Name(Arbitration method) {
  switch (method) {
    case Arbitration::kConfidence:
      return "confidence";
    case Arbitration::kSafety:
      return "safety";
    case Arbitration::kValue:
      return "value";
    case Arbitration::kHindsight:
      return "hindsight";
    case Arbitration::kNeed:
      return "need";
    case Arbitration::kCount:
      break;
  }
  return "unknown";
}

double Agreement(const robot::RobotModel& robot, const Joints& a, const Joints& b) {
  double ab = 0, aa = 0, bb = 0;
  for (int i = 0; i < robot.n(); ++i) {
    const double limit = LimitOf(robot.limits(), i);
    if (!(limit > 0)) continue;
    const double x = a[i] / limit, y = b[i] / limit;
    ab += x * y;
    aa += x * x;
    bb += y * y;
  }
  return aa > 1e-12 && bb > 1e-12 ? ab / std::sqrt(aa * bb) : 1.0;
}

void Release(const ArbitrationModel& model, ArbitrationData* data) {
  if (data->engaged) data->dwell_left_s = model.dwell_s;
  data->engaged = false;
  data->authority = 0;
  data->target = 0;
  data->assist = {};
}

Joints Blend(const ArbitrationModel& model, const BlendInput& input, ArbitrationData* data) {
  const robot::Limits& limits = model.robot->limits();
  const int n = model.robot->n();
  const double period = model.robot->period_s();
  const bool commanded = CommandSize(*model.robot, input.human_u) >= model.min_command;
  if (!input.policy_usable || !commanded) {
    data->dwell_left_s = std::max(0.0, data->dwell_left_s - period);
    Release(model, data);
  } else {
    if (model.method == Arbitration::kNeed && input.belief->n_goals > 0) {
      const double share = std::min(1.0, period / model.need_memory_s);
      data->need += share * (LostNow(input) - data->need);
    }
    data->target = Target(model, input, data->need);
    UpdateEngagement(model, period, data);
    const double aim = data->engaged ? data->target : 0.0;
    data->authority = std::clamp(aim, data->authority - model.fall_per_s * period,
                                 data->authority + model.rise_per_s * period);
  }
  Joints u{};
  for (int i = 0; i < n; ++i) {
    const double step = model.transfer_per_s * period * LimitOf(limits, i);
    if (data->authority > 0 || data->assist[i] != 0) {
      const double wanted = data->authority * (input.policy_u[i] - input.human_u[i]);
      data->assist[i] = std::clamp(wanted, data->assist[i] - step, data->assist[i] + step);
    }
    u[i] = std::clamp(input.human_u[i] + data->assist[i], limits.command_lower[i],
                      limits.command_upper[i]);
  }
  return u;
}

}  // namespace saferl::control
