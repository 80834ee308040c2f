#pragma once
// A Task: several independent copies of one constrained decision problem, stepped in parallel.
//
//   maximise E[sum_t r_t]   subject to   E[sum_t c_k,t] <= d_k  for every cost k (undiscounted, per
//   episode)
//
// Rollouts, evaluation and checkpoints ask two things of a Task beyond the usual: copies are
// independent (different `env` may run on different threads at once), and an episode is a pure
// function of its seed and its actions, so that a checkpoint can rebuild a half-finished episode by
// replaying it. Shapes: observation float32 (n_obs), action float32 (n_act). Actions are the
// policy's raw output; the Task applies
//   tanh and its own scale, as policy::PolicySpec does with squash = true.
// RT: no. Errors: none; a Task clips what it is given.

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "saferl/policy/policy.h"

namespace saferl::learn {

inline constexpr int kMaxCosts = 4;

struct TaskSpec {
  std::string name;
  std::string robot;  ///< written into the exported package
  int n_obs = 0, n_act = 0, n_costs = 0;
  int horizon = 0;                         ///< steps after which an episode is cut off (truncated)
  std::vector<std::string> cost_names;     ///< (n_costs)
  std::vector<double> cost_limits;         ///< (n_costs) used when a training run gives none
  std::vector<policy::Field> observation;  ///< schema; sizes add up to n_obs
  std::vector<policy::Field> action;       ///< schema; sizes add up to n_act
  std::vector<float> action_scale, action_offset;  ///< (n_act) command = scale * tanh(raw) + offset
};

struct StepResult {
  double reward = 0;
  std::array<double, kMaxCosts> cost{};  ///< >= 0
  bool terminated = false;               ///< the episode really ended: nothing comes after
  bool truncated = false;                ///< the horizon cut it off: its value goes on
  bool success = false;                  ///< with terminated or truncated: the goal was reached
};

class Task {
 public:
  virtual ~Task() = default;
  virtual const TaskSpec& spec() const = 0;
  virtual int n_envs() const = 0;
  /// Starts a new episode of copy `env` and writes its first observation.
  virtual void Reset(int env, uint64_t seed, std::span<float> observation) = 0;
  /// One step; writes the next observation (also after the last step: the final one).
  virtual StepResult Step(int env, std::span<const float> action, std::span<float> observation) = 0;
};

/// What the copies are for: training draws from the training worlds with everything randomised,
/// evaluation from worlds that training never sees, checks during training from a third set.
enum class TaskUse : uint8_t { kTrain, kValidate, kTest };

}  // namespace saferl::learn
