#include "saferl/learn/closed_loop_gate.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <mutex>

#include "saferl/base/text.h"
#include "saferl/learn/evaluate_package.h"
#include "saferl/learn/parallel.h"
#include "saferl/learn/tasks/tasks.h"
#include "saferl/sim/drive.h"

namespace saferl::learn {
namespace {

using policy::Policy;

struct Played {
  double episode_return = 0, success = 0;
  std::array<double, kMaxCosts> cost{};
};

/// Counts steps from any thread.
class Steps {
 public:
  explicit Steps(const std::function<void(int)>& progress) : progress_(progress) {}
  void Done() {
    const std::lock_guard lock(mutex_);
    ++done_;
    if (progress_) progress_(done_);
  }

 private:
  const std::function<void(int)>& progress_;
  std::mutex mutex_;
  int done_ = 0;
};

/// The policy's command as the raw action that a task takes: it applies tanh and scale itself.
void ToRaw(const policy::PolicySpec& spec, std::span<float> action) {
  constexpr float kMost = 0.999999F;
  for (size_t i = 0; i < action.size(); ++i) {
    const float unit = (action[i] - spec.action_offset[i]) / spec.action_scale[i];
    action[i] = std::atanh(std::clamp(unit, -kMost, kMost));
  }
}

/// One episode. Where the policy has no answer, the middle of the command's range.
Played Play(const Policy& policy, uint64_t seed, int env, Task* task) {
  const auto n_obs = static_cast<size_t>(task->spec().n_obs);
  const auto n_act = static_cast<size_t>(task->spec().n_act);
  std::vector<float> observation(n_obs), action(n_act);
  Played played;
  task->Reset(env, seed, observation);
  for (int t = 0; t < task->spec().horizon; ++t) {
    if (policy.Forward(observation, action)) {
      ToRaw(policy.spec(), action);
    } else {
      std::ranges::fill(action, 0.0F);
    }
    const StepResult step = task->Step(env, action, observation);
    played.episode_return += step.reward;
    for (int k = 0; k < kMaxCosts; ++k) played.cost[k] += step.cost[k];
    if (!step.terminated && !step.truncated) continue;
    played.success = step.success ? 1 : 0;
    break;
  }
  return played;
}

void Summarise(const std::vector<Played>& played, uint64_t seed, ClosedLoopSide* side) {
  std::vector<double> values(played.size());
  const auto of = [&](const auto& value) {
    std::ranges::transform(played, values.begin(), value);
    return Bootstrap(values, seed);
  };
  side->episode_return = of([](const Played& p) { return p.episode_return; });
  side->success = of([](const Played& p) { return p.success; });
  for (size_t k = 0; k < side->cost.size(); ++k)
    side->cost[k] = of([k](const Played& p) { return p.cost[k]; });
}

Status CompareReturns(const Policy& original, const Policy& candidate,
                      const ClosedLoopOptions& options, Steps* steps, ClosedLoopReport* report) {
  report->task = options.task;
  if (report->task.empty()) {
    SAFERL_ASSIGN_OR_RETURN(report->task, TaskOfPackage(original.spec()));
  }
  Parallel parallel(std::max(1, options.threads));
  SAFERL_ASSIGN_OR_RETURN(const std::unique_ptr<Task> task,
                          MakeTask(report->task, parallel.threads(), TaskUse::kTest));
  SAFERL_RETURN_IF_ERROR(FitsTask(original.spec(), task->spec()));
  SAFERL_RETURN_IF_ERROR(FitsTask(candidate.spec(), task->spec()));
  const auto n = static_cast<size_t>(options.episodes);
  std::vector<Played> of_original(n), of_candidate(n);
  parallel.For(2 * options.episodes, [&](int i, int thread) {
    const int episode = i / 2;
    const uint64_t seed = EpisodeSeed(options.seed, episode);
    const bool first = i % 2 == 0;
    (first ? of_original : of_candidate)[static_cast<size_t>(episode)] =
        Play(first ? original : candidate, seed, thread, task.get());
    steps->Done();
  });
  Summarise(of_original, options.seed, &report->original);
  Summarise(of_candidate, options.seed, &report->candidate);
  std::vector<double> differences(n);
  for (size_t i = 0; i < n; ++i)
    differences[i] = of_candidate[i].episode_return - of_original[i].episode_return;
  const Estimate difference = Bootstrap(differences, options.seed);
  const double unit = std::abs(report->original.episode_return.mean);
  report->return_holds = difference.low >= -options.most_loss * unit;
  if (unit > 0)
    report->difference = {difference.mean / unit, difference.low / unit, difference.high / unit};
  return absl::OkStatus();
}

Status DriveSide(const std::shared_ptr<const Policy>& policy, const ClosedLoopOptions& options,
                 Steps* steps, ClosedLoopSide* side) {
  SAFERL_ASSIGN_OR_RETURN(const sim::DriveModel model,
                          sim::MakeDriveModel(policy->spec().robot, policy));
  std::vector<sim::DriveOptions> drives(static_cast<size_t>(options.drives));
  for (size_t i = 0; i < drives.size(); ++i) {
    drives[i].person = static_cast<sim::PersonKind>(i % size_t{sim::kNumPersonKinds});
    drives[i].physics = sim::Physics::kClosedForm;
    drives[i].seed = options.seed + i;
    drives[i].max_time_s = options.drive_s;
  }
  SAFERL_ASSIGN_OR_RETURN(
      const std::vector<sim::DriveResult> results,
      sim::DriveAll(model, drives, std::max(1, options.threads), [&](int) { steps->Done(); }));
  for (const sim::DriveResult& r : results) {
    side->ticks += r.ticks;
    side->collisions += r.collision != sim::Hit::kNothing;
    side->unproved_ticks += r.unproved_moving_ticks;
    side->interventions += r.interventions;
  }
  return absl::OkStatus();
}

}  // namespace

int ClosedLoopSteps(const ClosedLoopOptions& options) {
  return 2 * (options.episodes + options.drives);
}

std::string ClosedLoopReport::Text(double most_loss) const {
  return fmt::format(
      "{}: return {:.4g} -> {:.4g}, difference {:+.2f} % [{:+.2f}, {:+.2f}] of it, {} -{:.3g} %; "
      "violations with the filter {} -> {}, {}; interventions {} -> {} in {} -> {} ticks",
      task, original.episode_return.mean, candidate.episode_return.mean, 100 * difference.mean,
      100 * difference.low, 100 * difference.high, return_holds ? "within" : "NOT within",
      100 * most_loss, original.violations(), candidate.violations(), safe ? "good" : "NOT none",
      original.interventions, candidate.interventions, original.ticks, candidate.ticks);
}

StatusOr<ClosedLoopReport> CompareClosedLoop(const std::shared_ptr<const Policy>& original,
                                             const std::shared_ptr<const Policy>& candidate,
                                             const ClosedLoopOptions& options) {
  if (options.episodes < 2)
    return absl::InvalidArgumentError(
        Cat("episodes: ", options.episodes, " give no interval; play 2 or more"));
  ClosedLoopReport report;
  Steps steps(options.progress);
  SAFERL_RETURN_IF_ERROR(CompareReturns(*original, *candidate, options, &steps, &report));
  if (options.drives > 0) {
    SAFERL_RETURN_IF_ERROR(DriveSide(original, options, &steps, &report.original));
    SAFERL_RETURN_IF_ERROR(DriveSide(candidate, options, &steps, &report.candidate));
  }
  report.safe = report.candidate.violations() == 0;
  return report;
}

}  // namespace saferl::learn
