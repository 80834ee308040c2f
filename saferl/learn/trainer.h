#pragma once
// Training from a config to a policy package: rollouts, advantages, one algorithm's update, checks
// on worlds that training does not see, checkpoints that resume bit-equal.
//
// The policy that stays is the best one checked: among those whose costs' upper 95 % bounds keep
// the limits the one with the highest return; while there is none, the one that exceeds them least.
// Use:
//   SAFERL_ASSIGN_OR_RETURN(auto trainer, Trainer::Create(config));
//   SAFERL_RETURN_IF_ERROR(trainer->Run([](const IterationReport& r) { ...; return true; }));
//   SAFERL_RETURN_IF_ERROR(policy::SavePackage(trainer->Export("wheelchair"), path));
// RT: no. Errors: kInvalidArgument (config, checkpoint of another run: which field differs), file
// errors by path.

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "saferl/learn/evaluate.h"
#include "saferl/learn/rollout.h"
#include "saferl/learn/train_config.h"
#include "saferl/policy/policy.h"

namespace saferl::learn {

/// After every iteration, for progress bars and logs.
struct IterationReport {
  int iteration = 0, iterations = 0;  ///< done, of
  int64_t steps = 0;                  ///< of the task so far
  double steps_per_s = 0;             ///< since this process started training
  double left_s = 0;                  ///< expected time until the end
  EpisodeStats episodes;              ///< exploring episodes that ended in this iteration
  UpdateInfo update;
  bool checked = false;    ///< `check` is new
  Evaluation check;        ///< last check (deterministic, validation worlds)
  bool feasible = false;   ///< the best policy so far keeps the limits
  double best_return = 0;  ///< of that policy
};
/// Return false to stop early (the best policy so far stays).
using ProgressFn = std::function<bool(const IterationReport&)>;

/// A policy that was checked. Its weights are float16 values (policy/half.h): what is checked is
/// what is exported and what a robot runs.
struct Candidate {
  bool present = false;
  double excess = 0;  ///< sum of (cost's upper bound - limit) / limit, where > 0
  int iteration = 0;
  std::vector<float> params;
  Normaliser normaliser;
  Evaluation check;
};

class Trainer {
 public:
  static StatusOr<std::unique_ptr<Trainer>> Create(const TrainConfig& config);
  ~Trainer();

  const TrainConfig& config() const { return config_; }
  const TaskSpec& spec() const { return task_->spec(); }
  const std::vector<double>& limits() const { return limits_; }
  bool done() const { return iteration_ >= config_.iterations; }
  int iteration() const { return iteration_; }

  /// One iteration: rollout, advantages, update, and a check when it is due.
  IterationReport Iterate();
  /// Iterates until done or until `progress` says stop.
  Status Run(const ProgressFn& progress);

  /// The best policy so far (the current one before the first check).
  Candidate Best() const;
  const Learner& learner() const { return *learner_; }
  const Normaliser& normaliser() const { return normaliser_; }

  /// Plays the best policy on the task's test worlds.
  StatusOr<Evaluation> Test(int episodes, uint64_t seed) const;

  /// The best policy as a package: schema, normaliser, training record, golden vectors. Not yet on
  /// disk.
  policy::PolicySpec Export(const std::string& name) const;

  /// Everything that decides the rest of the run, in one file (atomic). Bytes: see checkpoint.cc.
  Status SaveCheckpoint(const std::string& path) const;
  /// Continues a run of the same config (threads may differ): bit-equal to never having stopped.
  Status LoadCheckpoint(const std::string& path);
  /// The same without the file. What is refused changes nothing of this run; `name` begins the
  /// message.
  std::string CheckpointBytes() const;
  Status RestoreCheckpoint(std::string_view bytes, std::string_view name);

 private:
  explicit Trainer(const TrainConfig& config) : config_(config) {}
  void Check(IterationReport* report);
  std::vector<float> RoundedActor() const;
  /// Moves what training aims at, by the ratio of exploring episodes' cost to the check's upper
  /// bound, so that the latter comes to limit_share of the limit.
  void Aim(const Evaluation& check);
  std::string TrainingRecord(const Candidate& best) const;

  TrainConfig config_;
  std::vector<double> limits_;
  CostLimits aim_;         ///< of exploring episodes
  EpisodeStats explored_;  ///< since the last check: episodes and mean_cost
  std::unique_ptr<Parallel> parallel_;
  std::unique_ptr<Task> task_, validation_;
  std::unique_ptr<Learner> learner_;
  std::unique_ptr<Algorithm> algorithm_;
  std::unique_ptr<Rollout> rollout_;
  Normaliser normaliser_;
  Random random_;
  Batch batch_;
  std::vector<float> raw_;
  std::vector<float> golden_;  ///< a few raw observations for the package (rows x n_obs)
  Candidate best_;
  int iteration_ = 0;
  int64_t steps_ = 0, steps_here_ = 0;
  double seconds_here_ = 0;
};

}  // namespace saferl::learn
