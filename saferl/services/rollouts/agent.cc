#include "saferl/services/rollouts/agent.h"

#include <algorithm>
#include <chrono>

#include "saferl/base/clock.h"
#include "saferl/base/log.h"
#include "saferl/base/text.h"
#include "saferl/net/trace_context.h"

namespace saferl::services {
namespace {

using registry::Rollout;

constexpr int kMostRollouts = 1000;
constexpr size_t kMostPolicies = 16;  ///< at one robot, between two reports
constexpr double kLongestReport_s = 3600, kShortestReport_s = 1e-9;
constexpr int64_t kMostBadInAReport = 100'000;

uint64_t IdOf(const std::string& digest) {
  return digest.size() < 16 ? 0 : std::stoull(digest.substr(0, 16), nullptr, 16);
}

}  // namespace

RolloutAgent::RolloutAgent(registry::Store* store, EvidenceStore* evidence, const ModelHost* models,
                           const RolloutAgentOptions& options)
    : store_(store),
      rollouts_(store),
      evidence_(evidence),
      models_(models),
      options_(options),
      epoch_(net::RandomHex(8)) {}

RolloutAgent::~RolloutAgent() { Stop(); }

void RolloutAgent::Start() {
  if (const Status read = ReadRollouts(); !read.ok())
    Log(LogLevel::kError, "rollouts not read", {{"why", Cat(read.message())}});
  thread_ = std::thread([this] { Run(); });
}

void RolloutAgent::Stop() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

void RolloutAgent::Run() {
  bool told = false;
  int64_t due_ns = 0;
  std::unique_lock lock(mutex_);
  while (true) {
    const int64_t wait_ns = std::max<int64_t>(0, due_ns - Nanos());
    wake_.wait_for(lock, std::chrono::nanoseconds(wait_ns), [this] { return woken_ || stopping_; });
    woken_ = false;
    const bool last = stopping_;
    lock.unlock();
    Shadows();
    if (last) reported_ns_ = 0;
    if (const int64_t now = Nanos(); now >= due_ns || last) {
      const Status status = Turn(now);
      if (!status.ok() && !told)
        Log(LogLevel::kError, "rollouts not served here", {{"why", Cat(status.message())}});
      told = !status.ok();
      due_ns = Nanos() + FromSeconds(options_.period_s);
    }
    lock.lock();
    if (last) return;
    if (!new_seats_.empty()) due_ns = 0;
  }
}

Status RolloutAgent::Turn(int64_t now_ns) {
  Status first = ReadRollouts();
  {
    const std::lock_guard lock(mutex_);
    for (Seated& seated : new_seats_) seats_.push_back(std::move(seated));
    new_seats_.clear();
  }
  // Nobody else holds it: its session has ended, and its last counts are taken.
  for (Seated& seated : seats_) seated.ended = seated.seat.use_count() == 1;
  Collect();
  std::erase_if(seats_, [](const Seated& seated) { return seated.ended; });
  for (Seated& seated : seats_) {
    const Status renewed = Renew(&seated, now_ns);
    if (first.ok()) first = renewed;
    if (absl::IsUnavailable(renewed)) break;  // so are the others
  }
  if (now_ns - reported_ns_ >= FromSeconds(options_.report_s)) {
    reported_ns_ = now_ns;
    if (const Status reported = Report(); first.ok()) first = reported;
  }
  return first;
}

Status RolloutAgent::ReadRollouts() {
  SAFERL_ASSIGN_OR_RETURN(const std::vector<Rollout> all, rollouts_.List("", true, kMostRollouts));
  std::map<std::string, Active> active;
  for (const Rollout& rollout : all) {
    Active& one = active[rollout.model];
    {
      const std::lock_guard lock(mutex_);
      const auto known = active_.find(rollout.model);
      if (known != active_.end() && known->second.rollout.id == rollout.id) one = known->second;
    }
    if (one.to_digest.empty()) {
      SAFERL_ASSIGN_OR_RETURN(const registry::Version to,
                              store_->Find(rollout.model, Cat(rollout.to)));
      one.to_digest = to.digest;
      if (rollout.from != 0) {
        SAFERL_ASSIGN_OR_RETURN(const registry::Version from,
                                store_->Find(rollout.model, Cat(rollout.from)));
        one.from_digest = from.digest;
      }
    }
    one.rollout = rollout;
  }
  const std::lock_guard lock(mutex_);
  active_ = std::move(active);
  return absl::OkStatus();
}

/// With the lock.
SeatRollout RolloutAgent::RolloutOf(const std::string& model) const {
  const auto found = active_.find(model);
  if (found == active_.end()) return {};
  const Rollout& rollout = found->second.rollout;
  return {rollout.id, rollout.to, rollout.from};
}

Status RolloutAgent::Renew(Seated* seated, int64_t now_ns) {
  RolloutSeat& seat = *seated->seat;
  SeatRollout rollout;
  int64_t changed_ns = 0;
  {
    const std::lock_guard lock(mutex_);
    rollout = RolloutOf(seat.model());
    if (!rollout.id.empty()) changed_ns = active_.at(seat.model()).rollout.updated_ns;
  }
  seat.Set(rollout);
  if (rollout.id.empty() || (changed_ns == seated->seen_ns && now_ns < seated->due_ns))
    return absl::OkStatus();
  const LeaseQuestion question = seat.Ask(Nanos());
  SAFERL_ASSIGN_OR_RETURN(const LeaseAnswer answer,
                          GrantLease(store_, seat.model(), seat.robot(), seat.episode()));
  seat.Hear(question, answer);
  seated->seen_ns = changed_ns;
  seated->due_ns = now_ns + FromSeconds(answer.renew_s);
  return absl::OkStatus();
}

void RolloutAgent::Shadows() {
  for (Seated& seated : seats_) {
    const SeatRollout rollout = seated.seat->rollout();
    if (rollout.id.empty()) continue;
    const auto served = models_->Find(seated.seat->model(), Cat(rollout.to));
    seated.seat->RunShadow(
        served == nullptr ? nullptr : served->policy, [&](const control::Decision& decision) {
          if (safety_counts != nullptr)
            safety_counts->Count(decision, telemetry::Arm::kShadow, &seated.shadow);
        });
  }
}

void RolloutAgent::Add(const std::string& rollout, int64_t version, const ArmCounts& counts) {
  const bool bad = std::ranges::any_of(counts.bad, [](int64_t n) { return n > 0; });
  if (counts.seconds > 0 || bad) sums_[{rollout, version}].Add(counts);
}

void RolloutAgent::Collect() {
  for (const Seated& seated : seats_) {
    const SeatRollout rollout = seated.seat->rollout();
    const RolloutSeat::Counts counts = seated.seat->Take();
    if (rollout.id.empty()) continue;
    Add(rollout.id, rollout.to, counts.canary);
    Add(rollout.id, rollout.from, counts.stable);
  }
  const std::lock_guard lock(mutex_);
  for (auto& [id, counter] : judged_) {
    const ArmCounts counts = counter.Take();
    for (const auto& [model, active] : active_) {
      const Rollout& r = active.rollout;
      if (IdOf(active.to_digest) == id) Add(r.id, r.to, counts);
      if (IdOf(active.from_digest) == id) Add(r.id, r.from, counts);
    }
  }
  if (judged_.size() > kMostPolicies) judged_.clear();
}

/// In as many reports as the limits of one ask for.
void RolloutAgent::MakeReports() {
  for (const auto& [key, counts] : sums_) {
    const int64_t most = *std::ranges::max_element(counts.bad);
    const int64_t n = std::max<int64_t>(1 + static_cast<int64_t>(counts.seconds / kLongestReport_s),
                                        1 + most / kMostBadInAReport);
    for (int64_t i = 0; i < n; ++i) {
      RobotReport report{.rollout = key.first,
                         .robot = options_.node,
                         .id = Cat(epoch_, "-", ++reports_),
                         .version = key.second};
      report.seconds = std::max(kShortestReport_s, counts.seconds / static_cast<double>(n));
      for (size_t k = 0; k < kBadKinds; ++k)
        report.bad[k] = counts.bad[k] / n + (i < counts.bad[k] % n ? 1 : 0);
      unsent_.push_back(std::move(report));
    }
  }
  sums_.clear();
}

Status RolloutAgent::Send() {
  while (!unsent_.empty()) {
    const Status sent = evidence_->Report(unsent_.back()).status();
    // Nobody asks any more what happened in a rollout that has ended.
    const bool over = absl::IsFailedPrecondition(sent) || absl::IsNotFound(sent);
    if (!sent.ok() && !over) return sent;
    unsent_.pop_back();
  }
  return absl::OkStatus();
}

Status RolloutAgent::Report() {
  SAFERL_RETURN_IF_ERROR(Send());  // what could not be sent before; the sums go on growing
  MakeReports();
  return Send();
}

std::shared_ptr<RolloutSeat> RolloutAgent::Sit(const std::string& robot, const std::string& model,
                                               const std::string& episode) {
  const std::lock_guard lock(mutex_);
  auto seat = std::make_shared<RolloutSeat>(robot, model, episode, RolloutOf(model));
  new_seats_.push_back({seat});
  woken_ = true;
  wake_.notify_one();
  return seat;
}

void RolloutAgent::Wake() {
  {
    const std::lock_guard lock(mutex_);
    woken_ = true;
  }
  wake_.notify_one();
}

void RolloutAgent::Judged(const control::Decision& decision, bool violation) {
  const std::lock_guard lock(mutex_);
  std::array<bool, kBadKinds> bad = BadOf(decision, judged_doing_.Look(nullptr, decision));
  bad[static_cast<size_t>(BadKind::kHard)] = bad[static_cast<size_t>(BadKind::kHard)] || violation;
  const int64_t passed = judged_ns_ == 0 ? 0 : Elapsed(judged_ns_, decision.input.now_ns);
  judged_ns_ = decision.input.now_ns;
  const bool counts = passed > 0 && passed < kNanosPerSecond;
  judged_[decision.policy_id].Count(bad, judged_ns_, counts ? Seconds(passed) : 0);
}

}  // namespace saferl::services
