#pragma once
// Vectorised rollouts: all copies of a Task stepped under the current policy into one Batch.
//
// Copies are stepped in fixed groups of kGroup (one tile), groups are spread over threads; each
// copy draws its noise and its episodes' seeds from a stream of its own. The result is bit-equal
// for a seed at any thread count. A truncated episode keeps its last observation, so that its value
// can go on (batch.h: end, final_obs). RT: no. Errors: none.

#include <vector>

#include "saferl/base/random.h"
#include "saferl/learn/batch.h"
#include "saferl/learn/learner.h"
#include "saferl/learn/normaliser.h"

namespace saferl::learn {

/// One copy's state between rollouts. A checkpoint keeps all of it: the actions rebuild the Task's
/// own state.
struct CopyState {
  Random random;
  uint64_t episode_seed = 0;
  std::vector<float> actions;  ///< (t x n_act) since the episode began
  double episode_return = 0;
  std::array<double, kMaxCosts> episode_cost{};
  int t = 0;
};

class Rollout {
 public:
  static constexpr int kGroup = 16;

  /// `task` outlives this object. Starts an episode in every copy.
  Rollout(Task* task, uint64_t seed);

  /// Fills `batch` with `steps` steps of every copy; `raw` (may be null) gets the observations
  /// before normalisation (n x n_obs), for the normaliser.
  void Collect(Learner* learner, const Normaliser& normaliser, int steps, Batch* batch,
               std::vector<float>* raw);

  const std::vector<CopyState>& copies() const { return copies_; }
  /// Puts every copy where a checkpoint left it, replaying its unfinished episode.
  void Restore(std::vector<CopyState> copies);

 private:
  struct Finished {
    double episode_return = 0;
    std::array<double, kMaxCosts> cost{};
    int length = 0;
    bool success = false;
  };
  struct GroupResult {
    std::vector<Finished> finished;
    std::vector<float> final_obs;
    std::vector<std::pair<int, int>> final_row;  ///< (sample, row in final_obs)
  };
  void StartEpisode(int env);
  void StepGroup(int group, MlpTile* tile, const Learner& learner, const Normaliser& normaliser,
                 int steps, Batch* batch, std::vector<float>* raw);
  bool StepCopy(int env, int sample, Batch* batch, GroupResult* result);

  Task* task_;
  std::vector<CopyState> copies_;
  std::vector<float> obs_;  ///< (n_envs x n_obs) raw, current
  std::vector<GroupResult> groups_;
};

}  // namespace saferl::learn
