#pragma once
// Everything that decides a training run, as one typed record (base/config.h): parse, check, print
// and docs come from the Visit functions. The same record and seed give the same policy, bit for
// bit, at any `threads`.
//
// Units: in names; costs in the task's own cost unit per episode. RT: no.

#include <string>
#include <vector>

#include "saferl/base/config.h"
#include "saferl/learn/advantages.h"
#include "saferl/learn/cpo.h"
#include "saferl/learn/ppo.h"
#include "saferl/learn/ppo_lagrangian.h"
#include "saferl/learn/tasks/tasks.h"

namespace saferl::learn {

struct TrainConfig {
  std::string task = "wheelchair";
  AlgorithmId algorithm = AlgorithmId::kPpoPid;
  uint64_t seed = 1;
  int threads = 2;
  int n_envs = 64;          ///< copies of the task
  int rollout_steps = 128;  ///< of every copy per iteration
  int iterations = 120;
  std::vector<int> hidden = {64, 64};
  double start_log_std = -0.5;
  AdvantageConfig advantage;
  std::vector<double> cost_limits =
      {};                     ///< per episode, one per cost of the task; empty = the task's own
  double limit_share = 0.95;  ///< the costs' upper bounds are brought to this share of the limits
  double aim_gain = 0.5;      ///< how far a check moves what training aims at
  std::vector<double> penalty = {};  ///< plain PPO: fixed price per cost
  PpoConfig ppo;
  PidConfig pid;
  CpoConfig cpo;
  int evaluation_episodes = 480;  ///< of each check while training and of the last one
  int evaluation_every =
      10;  ///< iterations between checks; the best policy that keeps the limits stays

  /// Rules between fields; messages say what to change.
  Status Check() const;

  template <class V>
  static void Visit(V& v, TrainConfig& s) {
    v.Field("task", s.task, {.doc = "what is learnt", .names = TaskNames()});
    v.Field("algorithm", s.algorithm, {.doc = "how", .names = {"ppo", "ppo_pid", "cpo"}});
    v.Field("seed", s.seed, {.doc = "same seed, same policy"});
    v.Field("threads", s.threads, {.doc = "does not change the result", .min = 1, .max = 256});
    v.Field("n_envs", s.n_envs, {.doc = "copies of the task", .min = 1, .max = 65536});
    v.Field("rollout_steps", s.rollout_steps,
            {.doc = "of every copy per iteration", .min = 1, .max = 1e6});
    v.Field("iterations", s.iterations, {.doc = "updates", .min = 1, .max = 1e7});
    v.Field(
        "hidden", s.hidden,
        {.doc = "widths of the hidden layers", .min = 1, .max = 256, .min_size = 1, .max_size = 8});
    v.Field("start_log_std", s.start_log_std,
            {.doc = "log of the first actions' deviation", .min = -3, .max = 0.5});
    v.Field("advantage", s.advantage, {.doc = "advantage estimation"});
    v.Field("cost_limits", s.cost_limits,
            {.doc = "mean cost allowed per episode; [] = the task's own",
             .min = 0,
             .max_size = kMaxCosts});
    v.Field("limit_share", s.limit_share,
            {.doc = "the upper bounds of the checks' costs are brought to this share of the limits",
             .min = 0,
             .max = 1});
    v.Field("aim_gain", s.aim_gain,
            {.doc = "share by which a check moves training's own aim", .min = 0, .max = 1});
    v.Field("penalty", s.penalty,
            {.doc = "plain PPO: fixed price per cost", .min = 0, .max_size = kMaxCosts});
    v.Field("ppo", s.ppo, {.doc = "PPO and PPO-PID"});
    v.Field("pid", s.pid, {.doc = "PPO-PID's price control"});
    v.Field("cpo", s.cpo, {.doc = "CPO"});
    v.Field("evaluation_episodes", s.evaluation_episodes,
            {.doc = "of each check", .min = 1, .max = 1e6});
    v.Field("evaluation_every", s.evaluation_every,
            {.doc = "iterations between checks", .min = 1, .max = 1e7});
  }
};

/// Reads a YAML text ("" = defaults). Errors name line, field and the fix.
StatusOr<TrainConfig> ReadTrainConfig(const std::string& text, const std::string& file);
/// The record as YAML: what the package's training record and the checkpoint keep.
std::string PrintTrainConfig(const TrainConfig& config);

}  // namespace saferl::learn
