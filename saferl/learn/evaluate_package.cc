#include "saferl/learn/evaluate_package.h"

#include <algorithm>
#include <cmath>

#include "saferl/base/json.h"
#include "saferl/base/text.h"
#include "saferl/learn/rollout.h"
#include "saferl/learn/tasks/tasks.h"

namespace saferl::learn {
namespace {

Status Bad(const policy::PolicySpec& spec, std::string_view problem) {
  return absl::InvalidArgumentError(
      Cat("policy '", spec.name, "': ", problem, "; evaluate it on the task it was made for"));
}

/// What training's forward pass computes.
Status IsTanhChain(const policy::PolicySpec& spec) {
  for (size_t l = 0; l < spec.layers.size(); ++l) {
    const bool last = l + 1 == spec.layers.size();
    if (spec.layers[l].activation !=
        (last ? policy::Activation::kIdentity : policy::Activation::kTanh)) {
      return Bad(spec, Cat("layer ", l + 1, " is not a tanh layer"));
    }
    if (spec.layers[l].int8()) {
      return absl::InvalidArgumentError(
          Cat("policy '", spec.name, "': layer ", l + 1, " is int8, which the forward pass of ",
              "training does not compute; play it with saferl drive --policy FILE"));
    }
  }
  if (spec.obs_clip != kObsClip) return Bad(spec, "is not clipped as the task's policies are");
  return absl::OkStatus();
}

}  // namespace

Status FitsTask(const policy::PolicySpec& spec, const TaskSpec& task) {
  if (spec.n_obs() != task.n_obs || spec.n_act() != task.n_act) {
    return Bad(spec, Cat("takes ", spec.n_obs(), " observations and gives ", spec.n_act(),
                         " actions, task ", task.name, " has ", task.n_obs, " and ", task.n_act));
  }
  for (size_t i = 0; i < task.action_scale.size(); ++i) {
    if (std::abs(spec.action_scale[i] - task.action_scale[i]) >
            1e-6F * std::abs(task.action_scale[i]) ||
        std::abs(spec.action_offset[i] - task.action_offset[i]) > 1e-6F) {
      return Bad(spec, Cat("scales action ", i, " otherwise than task ", task.name));
    }
  }
  if (!spec.squash) return Bad(spec, "is not squashed as the task's policies are");
  return absl::OkStatus();
}

StatusOr<std::string> TaskOfPackage(const policy::PolicySpec& spec) {
  const StatusOr<Node> record = ParseJson(spec.training_record, "training record");
  const Node* task = record.ok() ? record->Find("task") : nullptr;
  if (task == nullptr || !task->is_scalar()) {
    return absl::InvalidArgumentError(Cat("policy '", spec.name,
                                          "': its training record names no task; give one of ",
                                          Join(TaskNames(), ", ")));
  }
  return task->text();
}

StatusOr<Evaluation> EvaluatePackage(const policy::PolicySpec& spec, const std::string& task,
                                     TaskUse use, int episodes, uint64_t seed, int threads,
                                     TaskSpec* task_spec) {
  SAFERL_ASSIGN_OR_RETURN(const std::unique_ptr<Task> played,
                          MakeTask(task, threads * Rollout::kGroup, use));
  *task_spec = played->spec();
  SAFERL_RETURN_IF_ERROR(FitsTask(spec, *task_spec));
  SAFERL_RETURN_IF_ERROR(IsTanhChain(spec));
  std::vector<int> sizes = {spec.n_obs()};
  for (const policy::Layer& layer : spec.layers) sizes.push_back(layer.out);
  const GaussianPolicy policy(sizes);
  std::vector<float> params(static_cast<size_t>(policy.n_params()));
  for (size_t l = 0; l < spec.layers.size(); ++l) {
    const policy::Layer& layer = spec.layers[l];
    float* w = params.data() + policy.mlp().weight_offset(static_cast<int>(l));
    std::copy(layer.weight.begin(), layer.weight.end(), w);
    std::copy(layer.bias.begin(), layer.bias.end(), w + layer.weight.size());
  }
  Normaliser normaliser(spec.n_obs());
  normaliser.shift = spec.obs_mean;
  for (size_t i = 0; i < spec.obs_std.size(); ++i)
    normaliser.inverse_std[i] = 1.0F / spec.obs_std[i];
  Parallel parallel(threads);
  return Evaluate(policy, params, normaliser, episodes, seed, &parallel, played.get());
}

}  // namespace saferl::learn
