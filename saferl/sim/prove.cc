#include "saferl/sim/prove.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "fmt/core.h"
#include "saferl/safety/certifier/certifier.h"
#include "saferl/safety/filter.h"
#include "saferl/safety/gate.h"
#include "saferl/sim/mutants.h"
#include "saferl/sim/prove_arena.h"

namespace saferl::sim {

using safety::ConstraintId;

Arena::Arena() { ForgetMargins(); }

void Arena::ForgetMargins() { true_margin_.fill(std::numeric_limits<double>::infinity()); }

double Share(Habit habit, Random* random) {
  switch (habit) {
    case Habit::kLeast:
      return 0.0;
    case Habit::kMost:
      return 1.0;
    case Habit::kFlip:
      return random->Chance(0.5) ? 1.0 : 0.0;
    default:
      return random->Uniform();
  }
}

bool StepAllowed(const robot::RobotModel& robot, const robot::Joints& previous,
                 const robot::Joints& next) {
  double share = 1.0;
  for (int i = 0; i < robot.n(); ++i) {
    const double lost = robot.limits().brake[i] * robot.period_s();
    if (std::abs(previous[i]) > 0) share = std::min(share, lost / std::abs(previous[i]));
  }
  for (int i = 0; i < robot.n(); ++i) {
    const double step = robot.limits().command_rate[i] * robot.period_s();
    const double braked = (1.0 - share) * previous[i];
    if (!(next[i] >= std::min(previous[i] - step, braked) - 1e-8)) return false;
    if (!(next[i] <= std::max(previous[i] + step, braked) + 1e-8)) return false;
  }
  return true;
}

namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();

/// What one slot found. Merged in any order: sums, minima, and the first by number.
struct SlotResult {
  int64_t ticks = 0, violations = 0, uncertified = 0, certified = 0, interventions = 0;
  int64_t moving = 0, fresh = 0, plan = 0;
  int64_t first_violation_tick = -1, first_uncertified_tick = -1;
  std::string first_violation, first_uncertified;
  std::array<double, safety::kNumConstraints> certified_margin{}, true_margin{};
};

/// Ticks in a slot: long enough that a fast robot gets somewhere.
int SlotTicks(double period_s) { return period_s < 0.01 ? 8 * kSlotTicks : kSlotTicks; }

/// What all workers share.
struct Setup {
  std::shared_ptr<const safety::SafetyModel> truth, tested;
  std::shared_ptr<const safety::CertifierModel> certifier;
  safety::certifier::RobotData data;
  Mutant mutant;
};

StatusOr<std::unique_ptr<Arena>> MakeArena(const Setup& setup) {
  switch (setup.truth->robot->kind()) {
    case robot::Kind::kWheelchair:
      return MakeWheelchairArena(setup.truth, setup.data);
    case robot::Kind::kArm:
      return MakeArmArena(setup.truth, setup.data);
    case robot::Kind::kExoskeleton:
      return MakeExoskeletonArena(setup.truth, setup.data);
  }
  return absl::InternalError("a robot kind without a proving ground");
}

/// One worker: an arena, the filter under test and the certifier.
class Worker {
 public:
  Worker(const Setup& setup, std::unique_ptr<Arena> arena, uint64_t seed)
      : setup_(setup), seed_(seed), arena_(std::move(arena)) {
    slot_ticks_ = SlotTicks(setup.truth->robot->period_s());
    period_ns_ = std::llround(setup.truth->robot->period_s() * 1e9);
    data_ = std::make_unique<safety::FilterData>();
    observation_ = std::make_unique<robot::Observation>();
  }

  void RunSlot(int64_t slot, bool certify, SlotResult* result);

 private:
  void ResetWorld(Random* random);
  void RunTick(int64_t tick, bool certify, Random* random, SlotResult* result);
  void Judge(int64_t tick, const safety::FilterResult& filtered, const TickTruth& truth,
             SlotResult* result) const;

  const Setup& setup_;
  uint64_t seed_;
  std::unique_ptr<Arena> arena_;
  int slot_ticks_ = kSlotTicks;
  int64_t period_ns_ = 0, now_ns_ = 0;
  uint64_t sequence_ = 0;
  bool new_world_ = false;
  std::unique_ptr<safety::FilterData> data_;
  std::unique_ptr<robot::Observation> observation_;
  safety::CertifierData chain_;
};

void Worker::ResetWorld(Random* random) {
  now_ns_ += 1'000'000'000;
  arena_->Reset(now_ns_, random);
  *data_ = safety::FilterData{};
  safety::Commit(arena_->StartCommand(), data_.get());
  chain_ = safety::CertifierData{};
  new_world_ = false;
}

void Worker::RunSlot(int64_t slot, bool certify, SlotResult* result) {
  Random random(seed_, static_cast<uint64_t>(slot));
  now_ns_ = 0;
  sequence_ = 0;
  result->certified_margin.fill(kInf);
  arena_->ForgetMargins();
  new_world_ = true;
  for (int k = 0; k < slot_ticks_; ++k) {
    if (new_world_) ResetWorld(&random);
    RunTick(slot * slot_ticks_ + k, certify, &random, result);
  }
  result->true_margin = arena_->true_margin();
}

void Worker::RunTick(int64_t tick, bool certify, Random* random, SlotResult* result) {
  arena_->Observe(now_ns_, ++sequence_, random, observation_.get());
  const robot::Joints wanted = arena_->Wish(random);
  const robot::Joints previous = data_->previous;
  const safety::FilterResult filtered = safety::Filter(*setup_.tested, *observation_, now_ns_,
                                                       wanted, safety::Mode::kNominal, data_.get());
  // The gate is not under test: mutants of the filter meet the real one, but for those that jump.
  safety::GateResult gated =
      safety::Gate(*setup_.truth->robot, observation_->robot, previous, filtered.command,
                   safety::Mode::kNominal, filtered.reason, now_ns_, sequence_);
  if (setup_.mutant.no_gate) gated.command.u = filtered.command;
  safety::Commit(gated.command.u, data_.get());
  if (certify) {
    const safety::TickRecord record{now_ns_, observation_.get(), previous, gated.command.u};
    const safety::Certificate certificate = safety::CertifyTick(*setup_.certifier, record, &chain_);
    ++result->certified;
    if (!certificate.valid) {
      ++result->uncertified;
      if (result->first_uncertified_tick < 0) {
        result->first_uncertified_tick = tick;
        result->first_uncertified =
            fmt::format("{} (margin {:.6g})", certificate.why, certificate.margin);
      }
    }
  }
  arena_->Act(gated.command, random);
  const TickTruth truth = arena_->Advance(random);
  now_ns_ += period_ns_;
  Judge(tick, filtered, truth, result);
  if (truth.violation != nullptr) new_world_ = true;
}

void Worker::Judge(int64_t tick, const safety::FilterResult& filtered, const TickTruth& truth,
                   SlotResult* result) const {
  ++result->ticks;
  result->moving += truth.moved;
  result->interventions += filtered.intervened;
  result->fresh += filtered.proof == safety::Proof::kFresh;
  result->plan += filtered.proof == safety::Proof::kStoredPlan;
  if (filtered.proof == safety::Proof::kFresh && truth.moved) {
    for (size_t i = 0; i < filtered.margin.size(); ++i) {
      result->certified_margin[i] = std::min(result->certified_margin[i], filtered.margin[i]);
    }
  }
  if (filtered.proof == safety::Proof::kNone && truth.moved) {
    ++result->uncertified;
    if (result->first_uncertified_tick < 0) {
      result->first_uncertified_tick = tick;
      const auto least = std::min_element(filtered.margin.begin(), filtered.margin.end());
      result->first_uncertified = fmt::format(
          "a tick in motion carries no proof: {} has margin {:.6g}",
          safety::Name(static_cast<ConstraintId>(least - filtered.margin.begin())), *least);
    }
  }
  if (truth.violation != nullptr) {
    ++result->violations;
    if (result->first_violation_tick < 0) {
      result->first_violation_tick = tick;
      result->first_violation = fmt::format("{}, by {:.6g}", truth.violation, truth.depth);
    }
  }
}

void Merge(const SlotResult& slot, ProveReport* report, int64_t* first_uncertified) {
  report->ticks += slot.ticks;
  ++report->slots;
  report->violations += slot.violations;
  report->uncertified += slot.uncertified;
  report->certified += slot.certified;
  report->interventions += slot.interventions;
  report->moving_ticks += slot.moving;
  report->fresh_ticks += slot.fresh;
  report->plan_ticks += slot.plan;
  for (size_t i = 0; i < slot.certified_margin.size(); ++i) {
    report->certified_margin[i] = std::min(report->certified_margin[i], slot.certified_margin[i]);
    report->true_margin[i] = std::min(report->true_margin[i], slot.true_margin[i]);
  }
  const auto earlier = [](int64_t a, int64_t b) { return a >= 0 && (b < 0 || a < b); };
  if (earlier(slot.first_violation_tick, report->first_violation_tick)) {
    report->first_violation_tick = slot.first_violation_tick;
    report->first_violation = slot.first_violation;
  }
  if (earlier(slot.first_uncertified_tick, *first_uncertified)) {
    *first_uncertified = slot.first_uncertified_tick;
    report->first_uncertified = slot.first_uncertified;
  }
}

/// Hands out slots, merges results. Slots are taken in order, so that stopping early keeps the
/// lowest numbers.
struct Pool {
  std::mutex mutex;
  std::atomic<int64_t> next{0};
  std::atomic<int64_t> stop_before{std::numeric_limits<int64_t>::max()};
  std::atomic<int64_t> done{0};
  int64_t slots = 0;
  int64_t first_uncertified = -1;
  std::map<int64_t, SlotResult> kept;  ///< only when the run stops at a violation
  ProveReport report;
};

void Work(const ProveOptions& options, Pool* pool, Worker* worker) {
  while (true) {
    const int64_t slot = pool->next.fetch_add(1);
    if (slot >= pool->slots || slot >= pool->stop_before.load()) break;
    SlotResult result;
    worker->RunSlot(slot, options.certify_every > 0 && slot % options.certify_every == 0, &result);
    const std::lock_guard<std::mutex> lock(pool->mutex);
    pool->done += result.ticks;
    if (!options.stop_at_violation) {
      Merge(result, &pool->report, &pool->first_uncertified);
      continue;
    }
    // Slots beyond the first with a violation may be done already: what counts is decided at the
    // end.
    if (result.violations > 0 && slot + 1 < pool->stop_before.load()) pool->stop_before = slot + 1;
    pool->kept[slot] = std::move(result);
  }
}

}  // namespace

StatusOr<ProveReport> Prove(const ProveOptions& options) {
  if (options.ticks < 1)
    return absl::InvalidArgumentError("ticks: must be at least 1; try 1000000");
  if (options.threads < 1 || options.threads > 256)
    return absl::InvalidArgumentError("threads: must be in [1, 256]; try the number of cores");
  Setup setup;
  SAFERL_ASSIGN_OR_RETURN(setup.truth, safety::LoadSafetyModel(options.robot));
  SAFERL_ASSIGN_OR_RETURN(setup.certifier, safety::LoadCertifier(options.robot));
  SAFERL_ASSIGN_OR_RETURN(setup.data, safety::certifier::ReadRobotData(options.robot));
  setup.tested = setup.truth;
  if (!options.mutant.empty()) {
    SAFERL_ASSIGN_OR_RETURN(setup.mutant, FindMutant(setup.truth->robot->kind(), options.mutant));
    if (!setup.mutant.both.empty()) {
      SAFERL_ASSIGN_OR_RETURN(setup.truth,
                              safety::LoadSafetyModel(options.robot, setup.mutant.both));
    }
    SAFERL_ASSIGN_OR_RETURN(setup.tested, LoadMutated(options.robot, setup.mutant));
  }

  Pool pool;
  const int slot_ticks = SlotTicks(setup.truth->robot->period_s());
  pool.slots = (options.ticks + slot_ticks - 1) / slot_ticks;
  pool.report.robot = options.robot;
  pool.report.mutant = options.mutant;
  pool.report.true_margin.fill(kInf);
  pool.report.certified_margin.fill(kInf);
  const auto start = std::chrono::steady_clock::now();
  std::vector<std::unique_ptr<Worker>> workers;
  std::vector<std::thread> threads;
  std::atomic<int> running{options.threads};
  for (int i = 0; i < options.threads; ++i) {
    SAFERL_ASSIGN_OR_RETURN(auto arena, MakeArena(setup));
    workers.push_back(std::make_unique<Worker>(setup, std::move(arena), options.seed));
  }
  for (int i = 0; i < options.threads; ++i) {
    threads.emplace_back([&, worker = workers[static_cast<size_t>(i)].get()] {
      Work(options, &pool, worker);
      running.fetch_sub(1);
      running.notify_all();
    });
  }
  while (options.progress && running.load() > 0) {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    options.progress(pool.done.load(), pool.slots * slot_ticks);
  }
  for (std::thread& thread : threads) thread.join();
  ProveReport& report = pool.report;
  for (const auto& [slot, result] : pool.kept) {
    if (slot < pool.stop_before.load()) Merge(result, &report, &pool.first_uncertified);
  }
  report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  report.ticks_per_s =
      report.seconds > 0 ? static_cast<double>(report.ticks) / report.seconds : 0.0;
  // Promises about the command itself are met with equality all the time: they do not count as near
  // misses.
  report.worst_margin = kInf;
  for (size_t i = 0; i < report.true_margin.size(); ++i) {
    const auto id = static_cast<ConstraintId>(i);
    if (id == ConstraintId::kAcceleration || id == ConstraintId::kInteractionForce) continue;
    report.worst_margin = std::min(report.worst_margin, report.true_margin[i]);
  }
  return report;
}

}  // namespace saferl::sim
