#pragma once
// Intent: where the person is heading, as a belief over at most kMaxGoals goals.
//
// Maximum-entropy Bayes. For every goal g, with x' the state `lookahead_s` from now if the person's
// command u_h held,
//   A_g(u_h) = c_g + V_g(x') - V_g(x)     [s] time that u_h loses against driving straight to g
//   b(g) <- b(g) * (exp(-beta A_g(u_h)) / Z_g)^(T / lookahead),  then  b <- (1 - e) b + e / |G|
// Z_g sums exp(-beta A_g(u)) over a fixed set of reference commands. The exponent T / lookahead
// makes the belief independent of the tick rate; forgetting (e per tick) keeps every goal alive, so
// that a change of mind is followed.
// V: wheelchair: distance / top speed + bearing error / top turn rate;
//    arm: tool distance / tool speed.
// Units: SI, times in s. Frames: W.
// Precondition: finite observation and command (the Tick checks before). A command below
// `min_command` of its limits says nothing: only forgetting acts.
// Errors: none. Without goals the belief is empty and Confidence() is 0.
// RT: yes. Cost: 2 us with 8 goals (wheelchair).
// Source: Javdani, Srinivasa, Bagnell, "Shared Autonomy via Hindsight Optimization" (RSS 2015);
//   Ziebart et al. (AAAI 2008) for the likelihood.

#include <array>
#include <cstdint>
#include <memory>
#include <span>

#include "saferl/math/geometry.h"
#include "saferl/robot/robot_model.h"

namespace saferl::control {

/// Where the person may be going. Logged with the tick.
inline constexpr int kMaxGoals = 8;
struct Goals {
  int32_t n = 0;
  std::array<math::Vec3, kMaxGoals>
      p_W{};  ///< wheelchair: x, y; arm: tool position; exoskeleton: unused
};

using Belief = std::array<double, kMaxGoals>;

struct IntentModel {
  std::shared_ptr<const robot::RobotModel> robot;
  double rationality_per_s = 4.0;  ///< beta: how sharply a person prefers the quicker command
  double forgetting_per_s = 0.10;  ///< share of the belief that returns to uniform each second
  double lookahead_s = 0.6;        ///< how far ahead a command is judged
  double turn_weight = 1.0;        ///< weight of the time to turn toward the goal
  double tool_speed_m_s = 0.5;     ///< arm: reference speed that turns tool distance into time
  double min_command = 0.05;  ///< share of the command limits below which the person says nothing
};

/// State between ticks. Zero = nothing known yet.
struct IntentData {
  int32_t n_goals = 0;
  Belief belief{};
};

/// What V looks at: the wheelchair's pose or the arm's tool.
struct Viewpoint {
  math::Vec3 p_W;
  double yaw = 0;
};

/// Viewpoint now, and after command u held for `ahead_s`. The arm's tool moves along its present
/// velocity.
Viewpoint ViewNow(const IntentModel& model, const robot::RobotState& state);
Viewpoint ViewAhead(const IntentModel& model, const robot::RobotState& state, const Viewpoint& now,
                    const robot::Joints& u, double ahead_s);

/// V_g: time to reach `goal_W` [s], >= 0.
double TimeToGoal(const IntentModel& model, const Viewpoint& view, const math::Vec3& goal_W);

/// Bayes step on any costs: b(g) <- b(g) exp(-(weight * cost[g]) - log_normaliser[g]), normalised,
/// then forgetting.
void UpdateBelief(double weight, double forgetting, std::span<const double> cost,
                  std::span<const double> log_normaliser, std::span<double> belief);

/// One tick. A changed number of goals starts again from the uniform belief.
void UpdateIntent(const IntentModel& model, const robot::RobotState& state,
                  const robot::Joints& human_u, const Goals& goals, IntentData* data);

/// Size of a command relative to its limits: max_i |u_i| / limit_i.
double CommandSize(const robot::RobotModel& robot, const robot::Joints& u);

/// Belief of the first goal minus the second; 1 for a single goal, 0 for none.
double Confidence(const Belief& belief, int n_goals);
/// Index of the most likely goal (the lowest of equals); -1 when there is none.
int MostLikely(const Belief& belief, int n_goals);

}  // namespace saferl::control
