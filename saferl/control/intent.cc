#include "saferl/control/intent.h"

#include <algorithm>
#include <cmath>

#include "saferl/control/features.h"

namespace saferl::control {

namespace {

using math::Vec3;
using robot::Kind;

constexpr int kReferences = 7;
constexpr double kProbe_s = 0.05;    // step of the tool velocity's finite difference
constexpr double kNearGoal_m = 0.5;  // closer than this the bearing matters less and less

/// Reference end points for Z_g: what else the person could have done.
struct References {
  std::array<Viewpoint, kReferences> view;
};

Viewpoint DriveArc(const Viewpoint& now, double v, double omega, double t) {
  const double turn = omega * t;
  const double mid = now.yaw + 0.5 * turn;
  const double half = 0.5 * turn;
  const double chord = v * t * (std::abs(half) > 1e-6 ? std::sin(half) / half : 1.0);
  return {{now.p_W.x + chord * std::cos(mid), now.p_W.y + chord * std::sin(mid), now.p_W.z},
          math::WrapAngle(now.yaw + turn)};
}

References MakeReferences(const IntentModel& model, const Viewpoint& now) {
  const double t = model.lookahead_s;
  References out;
  if (model.robot->kind() == Kind::kWheelchair) {
    const robot::Limits& limits = model.robot->limits();
    const double v = limits.command_upper[0], back = limits.command_lower[0],
                 turn = limits.command_upper[1];
    const double command[kReferences][2] = {
        {0, 0}, {v, 0}, {v, 0.5 * turn}, {v, -0.5 * turn}, {0, turn}, {0, -turn}, {back, 0}};
    for (int i = 0; i < kReferences; ++i)
      out.view[i] = DriveArc(now, command[i][0], command[i][1], t);
    return out;
  }
  const double step = model.tool_speed_m_s * t;
  const Vec3 offset[kReferences] = {{0, 0, 0},     {step, 0, 0}, {-step, 0, 0}, {0, step, 0},
                                    {0, -step, 0}, {0, 0, step}, {0, 0, -step}};
  for (int i = 0; i < kReferences; ++i) out.view[i] = {now.p_W + offset[i], 0};
  return out;
}

void ResetUniform(int n, IntentData* data) {
  data->n_goals = n;
  data->belief = {};
  for (int g = 0; g < n; ++g) data->belief[g] = 1.0 / n;
}

}  // namespace

Viewpoint ViewNow(const IntentModel& model, const robot::RobotState& state) {
  if (model.robot->kind() == Kind::kWheelchair) return {{state.q[0], state.q[1], 0}, state.q[2]};
  if (model.robot->kind() == Kind::kArm) return {ToolPosition(*model.robot, state.q), 0};
  return {};
}

Viewpoint ViewAhead(const IntentModel& model, const robot::RobotState& state, const Viewpoint& now,
                    const robot::Joints& u, double ahead_s) {
  if (model.robot->kind() == Kind::kWheelchair) return DriveArc(now, u[0], u[1], ahead_s);
  if (model.robot->kind() != Kind::kArm) return now;
  robot::Joints q = state.q;
  for (int i = 0; i < model.robot->n(); ++i) q[i] += kProbe_s * u[i];
  const Vec3 velocity = (1.0 / kProbe_s) * (ToolPosition(*model.robot, q) - now.p_W);
  return {now.p_W + ahead_s * velocity, 0};
}

double TimeToGoal(const IntentModel& model, const Viewpoint& view, const Vec3& goal_W) {
  const Vec3 d = goal_W - view.p_W;
  if (model.robot->kind() != Kind::kWheelchair) return math::Norm(d) / model.tool_speed_m_s;
  const robot::Limits& limits = model.robot->limits();
  const double distance = std::sqrt(d.x * d.x + d.y * d.y);
  const double bearing = math::WrapAngle(std::atan2(d.y, d.x) - view.yaw);
  const double near = std::min(1.0, distance / kNearGoal_m);
  return distance / limits.command_upper[0] +
         model.turn_weight * near * std::abs(bearing) / limits.command_upper[1];
}

void UpdateBelief(double weight, double forgetting, std::span<const double> cost,
                  std::span<const double> log_normaliser, std::span<double> belief) {
  const size_t n = belief.size();
  double best = -1e300;
  std::array<double, kMaxGoals> exponent{};
  for (size_t g = 0; g < n; ++g) {
    exponent[g] = -weight * cost[g] - log_normaliser[g];
    best = std::max(best, exponent[g]);
  }
  double sum = 0;
  for (size_t g = 0; g < n; ++g) {
    belief[g] *= std::exp(exponent[g] - best);
    sum += belief[g];
  }
  const double uniform = 1.0 / static_cast<double>(n);
  const bool usable = sum > 1e-300;
  for (size_t g = 0; g < n; ++g) {
    const double posterior = usable ? belief[g] / sum : uniform;
    belief[g] = (1 - forgetting) * posterior + forgetting * uniform;
  }
}

void UpdateIntent(const IntentModel& model, const robot::RobotState& state,
                  const robot::Joints& human_u, const Goals& goals, IntentData* data) {
  const int n = std::clamp(goals.n, 0, kMaxGoals);
  if (n != data->n_goals) ResetUniform(n, data);
  if (n == 0 || model.robot->kind() == Kind::kExoskeleton) return;
  const double period = model.robot->period_s();
  const double forgetting = std::min(1.0, model.forgetting_per_s * period);
  const std::span<double> belief(data->belief.data(), static_cast<size_t>(n));
  std::array<double, kMaxGoals> cost{}, log_normaliser{};
  if (CommandSize(*model.robot, human_u) < model.min_command) {
    UpdateBelief(0, forgetting, cost, log_normaliser, belief);
    return;
  }
  const double ahead = model.lookahead_s, share = period / ahead;
  const Viewpoint now = ViewNow(model, state);
  const Viewpoint next = ViewAhead(model, state, now, human_u, ahead);
  const References references = MakeReferences(model, now);
  for (int g = 0; g < n; ++g) {
    const Vec3& goal = goals.p_W[g];
    const double here = TimeToGoal(model, now, goal);
    const double spent = std::min(ahead, here) - here;
    cost[g] = spent + TimeToGoal(model, next, goal);
    double z = 0;
    for (const Viewpoint& view : references.view)
      z += std::exp(-model.rationality_per_s * (spent + TimeToGoal(model, view, goal)));
    log_normaliser[g] = share * std::log(std::max(z, 1e-300));
  }
  UpdateBelief(model.rationality_per_s * share, forgetting, cost, log_normaliser, belief);
}

double CommandSize(const robot::RobotModel& robot, const robot::Joints& u) {
  const robot::Limits& limits = robot.limits();
  double size = 0;
  for (int i = 0; i < robot.n(); ++i) {
    const double limit =
        std::max(std::abs(limits.command_lower[i]), std::abs(limits.command_upper[i]));
    if (limit > 0) size = std::max(size, std::abs(u[i]) / limit);
  }
  return size;
}

double Confidence(const Belief& belief, int n_goals) {
  if (n_goals <= 0) return 0;
  if (n_goals == 1) return 1;
  double first = 0, second = 0;
  for (int g = 0; g < n_goals; ++g) {
    if (belief[g] > first) {
      second = first;
      first = belief[g];
    } else if (belief[g] > second) {
      second = belief[g];
    }
  }
  return first - second;
}

int MostLikely(const Belief& belief, int n_goals) {
  int best = n_goals > 0 ? 0 : -1;
  for (int g = 1; g < n_goals; ++g)
    if (belief[g] > belief[best]) best = g;
  return best;
}

}  // namespace saferl::control
