#include "saferl/learn/trainer.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "saferl/base/text.h"
#include "saferl/policy/half.h"

namespace saferl::learn {
namespace {

constexpr uint64_t kValidationSeed = 0x5eed0001;
constexpr int kGoldenRows = 8;

StatusOr<std::vector<double>> Limits(const TrainConfig& config, const TaskSpec& spec) {
  if (config.cost_limits.empty()) return spec.cost_limits;
  if (static_cast<int>(config.cost_limits.size()) != spec.n_costs) {
    return absl::InvalidArgumentError(Cat("cost_limits: has ", config.cost_limits.size(),
                                          " entries, but task '", spec.name, "' has ", spec.n_costs,
                                          " costs; give one limit each"));
  }
  return config.cost_limits;
}

std::unique_ptr<Algorithm> MakeAlgorithm(const TrainConfig& config, const CostLimits& aim) {
  std::array<double, kMaxCosts> penalty{};
  std::ranges::copy(config.penalty, penalty.begin());
  switch (config.algorithm) {
    case AlgorithmId::kPpo:
      return std::make_unique<Ppo>(config.ppo, penalty);
    case AlgorithmId::kPpoPid:
      return std::make_unique<PpoLagrangian>(config.ppo, config.pid, aim);
    case AlgorithmId::kCpo:
      return std::make_unique<Cpo>(config.cpo, aim);
  }
  return nullptr;
}

}  // namespace

Trainer::~Trainer() = default;

StatusOr<std::unique_ptr<Trainer>> Trainer::Create(const TrainConfig& config) {
  SAFERL_RETURN_IF_ERROR(config.Check());
  std::unique_ptr<Trainer> t(new Trainer(config));
  t->parallel_ = std::make_unique<Parallel>(config.threads);
  SAFERL_ASSIGN_OR_RETURN(t->task_, MakeTask(config.task, config.n_envs, TaskUse::kTrain));
  SAFERL_ASSIGN_OR_RETURN(
      t->validation_, MakeTask(config.task, config.threads * Rollout::kGroup, TaskUse::kValidate));
  const TaskSpec& spec = t->task_->spec();
  SAFERL_ASSIGN_OR_RETURN(t->limits_, Limits(config, spec));
  if (config.penalty.size() > static_cast<size_t>(spec.n_costs))
    return absl::InvalidArgumentError(Cat("penalty: has ", config.penalty.size(),
                                          " entries, but task '", spec.name, "' has ", spec.n_costs,
                                          " costs; give at most one price each"));
  t->aim_.n = spec.n_costs;
  for (int k = 0; k < spec.n_costs; ++k) t->aim_.limit[k] = config.limit_share * t->limits_[k];
  t->algorithm_ = MakeAlgorithm(config, t->aim_);
  t->learner_ = std::make_unique<Learner>(spec.n_obs, spec.n_act, 1 + spec.n_costs, config.hidden,
                                          config.start_log_std, config.seed, t->parallel_.get());
  t->rollout_ = std::make_unique<Rollout>(t->task_.get(), config.seed);
  t->normaliser_ = Normaliser(spec.n_obs);
  t->random_ = Random(config.seed, 0x5487ff1e);
  return t;
}

IterationReport Trainer::Iterate() {
  const auto start = std::chrono::steady_clock::now();
  if (normaliser_.count ==
      0) {  // what the observations look like, before anything is learnt from them
    rollout_->Collect(learner_.get(), normaliser_, config_.rollout_steps, &batch_, &raw_);
    normaliser_.Absorb(raw_);
    const size_t rows = std::min<size_t>(kGoldenRows, batch_.n()), stride = batch_.n() / rows;
    for (size_t r = 0; r < rows; ++r)
      golden_.insert(golden_.end(),
                     raw_.begin() + static_cast<ptrdiff_t>(r * stride * batch_.n_obs),
                     raw_.begin() + static_cast<ptrdiff_t>((r * stride + 1) * batch_.n_obs));
  }
  rollout_->Collect(learner_.get(), normaliser_, config_.rollout_steps, &batch_, &raw_);
  ComputeAdvantages(config_.advantage, learner_.get(), &batch_);
  learner_->RescaleValues(batch_);

  IterationReport report;
  const double progress = static_cast<double>(iteration_) / config_.iterations;
  report.update = algorithm_->Update(batch_, progress, learner_.get(), &random_);
  normaliser_.Absorb(raw_);
  ++iteration_;
  steps_ += batch_.n();
  steps_here_ += batch_.n();
  report.episodes = batch_.episodes;
  for (int k = 0; k < aim_.n; ++k) {  // the mean over all episodes since the last check
    const double all = explored_.episodes + batch_.episodes.episodes;
    if (all > 0)
      explored_.mean_cost[k] +=
          (batch_.episodes.mean_cost[k] - explored_.mean_cost[k]) * batch_.episodes.episodes / all;
  }
  explored_.episodes += batch_.episodes.episodes;
  if (iteration_ % config_.evaluation_every == 0 || done()) Check(&report);

  seconds_here_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  report.iteration = iteration_;
  report.iterations = config_.iterations;
  report.steps = steps_;
  report.steps_per_s = static_cast<double>(steps_here_) / std::max(1e-9, seconds_here_);
  report.left_s =
      (config_.iterations - iteration_) * static_cast<double>(batch_.n()) / report.steps_per_s;
  report.feasible = best_.present && best_.excess <= 0;
  report.best_return = best_.check.episode_return.mean;
  return report;
}

std::vector<float> Trainer::RoundedActor() const {
  std::vector<float> params = learner_->actor_params;
  const Mlp& mlp = learner_->policy().mlp();
  for (int l = 0; l < mlp.n_layers(); ++l) {
    float* w = params.data() + mlp.weight_offset(l);
    std::transform(w, w + mlp.sizes()[l] * mlp.sizes()[l + 1], w, policy::NearestHalf);
  }
  return params;
}

void Trainer::Check(IterationReport* report) {
  report->checked = true;
  std::vector<float> params = RoundedActor();
  report->check = Evaluate(learner_->policy(), params, normaliser_, config_.evaluation_episodes,
                           kValidationSeed, parallel_.get(), validation_.get());
  double excess = 0;
  for (size_t k = 0; k < limits_.size(); ++k)
    excess += std::max(0.0, report->check.cost[k].high - limits_[k]) / std::max(limits_[k], 0.01);
  Aim(report->check);
  const bool better = !best_.present || excess < best_.excess ||
                      (excess <= best_.excess &&
                       report->check.episode_return.mean > best_.check.episode_return.mean);
  if (better) best_ = {true, excess, iteration_, std::move(params), normaliser_, report->check};
}

void Trainer::Aim(const Evaluation& check) {
  constexpr double kLeast = 0.5, kMost = 1.5;
  if (explored_.episodes == 0) return;
  for (int k = 0; k < aim_.n; ++k) {
    const double ratio =
        explored_.mean_cost[k] / std::max(check.cost[k].high, 1e-6 + 1e-3 * limits_[k]);
    const double aim = config_.limit_share * limits_[k] * std::clamp(ratio, kLeast, kMost);
    aim_.limit[k] += config_.aim_gain * (aim - aim_.limit[k]);
  }
  explored_ = {};
  algorithm_->SetLimits(aim_);
}

Status Trainer::Run(const ProgressFn& progress) {
  while (!done()) {
    const IterationReport report = Iterate();
    if (!std::ranges::all_of(learner_->actor_params, [](float p) { return std::isfinite(p); }))
      return absl::InternalError(Cat("training diverged in iteration ", report.iteration,
                                     ": a policy parameter is not finite; lower ppo.actor_rate"));
    if (progress && !progress(report)) break;
  }
  return absl::OkStatus();
}

Candidate Trainer::Best() const {
  if (best_.present) return best_;
  Candidate now;
  now.iteration = iteration_;
  now.params = RoundedActor();
  now.normaliser = normaliser_;
  return now;
}

StatusOr<Evaluation> Trainer::Test(int episodes, uint64_t seed) const {
  SAFERL_ASSIGN_OR_RETURN(
      const std::unique_ptr<Task> task,
      MakeTask(config_.task, config_.threads * Rollout::kGroup, TaskUse::kTest));
  const Candidate best = Best();
  return Evaluate(learner_->policy(), best.params, best.normaliser, episodes, seed, parallel_.get(),
                  task.get());
}

}  // namespace saferl::learn
