#include "saferl/services/monitor/monitor.h"

#include <time.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "saferl/base/clock.h"
#include "saferl/base/json.h"
#include "saferl/base/log.h"
#include "saferl/base/text.h"

namespace saferl::services {
namespace {

constexpr int64_t kAttachEvery_ns = 200'000'000, kLongestPause_ns = 2 * kNanosPerSecond;
constexpr int kMostOfATurn = 64;  // decisions between two looks at the lease
constexpr double kInf = std::numeric_limits<double>::infinity();

std::vector<std::string> CheckNames() {
  std::vector<std::string> names;
  for (size_t i = 0; i < kChecks; ++i) names.emplace_back(Name(static_cast<Check>(i)));
  return names;
}

void Pause(int64_t ns) {
  const timespec pause{0, static_cast<long>(ns)};
  nanosleep(&pause, nullptr);
}

}  // namespace

Monitor::Monitor(const MonitorOptions& options, telemetry::Metrics* metrics)
    : options_(options),
      metrics_(*metrics),
      findings_metrics_(*metrics, CheckNames()),
      counts_(metrics),
      control_(*metrics) {
  state_.worst_margin = kInf;
  alerts_ = std::make_unique<Alerts>(options.alerts, metrics);
}

StatusOr<std::unique_ptr<Monitor>> Monitor::Start(const MonitorOptions& options,
                                                  telemetry::Metrics* metrics) {
  if (!options.shm.empty() && !options.remote.url.empty())
    return absl::InvalidArgumentError(
        "monitor.shm and monitor.url: a monitor watches one robot; set one of them off");
  SAFERL_RETURN_IF_ERROR(Alerts::Check(options.alerts));
  std::unique_ptr<Monitor> monitor(new Monitor(options, metrics));
  if (!options.robot.empty()) {  // a wrong file shows now, not when the robot comes
    SAFERL_ASSIGN_OR_RETURN(monitor->judge_, Judge::Create(options.robot, options.judge));
  }
  SAFERL_ASSIGN_OR_RETURN(
      monitor->journal_,
      Journal::Open(options.journal, [&](const JournalEntry& e) { monitor->Replay(e); }));
  monitor->metrics_.latched.Set(monitor->state_.latched ? 1 : 0);
  if (monitor->state_.latched)
    monitor->alerts_->Raise(AlertName::kSafetyViolation, {}, monitor->state_.why);
  SAFERL_RETURN_IF_ERROR(monitor->journal_->Append("start", "{}"));
  monitor->thread_ = std::thread([self = monitor.get()] { self->Run(); });
  return monitor;
}

Monitor::~Monitor() {
  end_ = true;
  if (thread_.joinable()) thread_.join();
  if (journal_ != nullptr) (void)journal_->Append("end", "{}", 1);
}

/// A latch outlives the process: what was not cleared still holds.
void Monitor::Replay(const JournalEntry& entry) {
  if (entry.kind == "latch") {
    state_.latched = true;
    state_.why = entry.json;
    state_.latched_wall_ns = entry.wall_ns;
  } else if (entry.kind == "clear") {
    state_.latched = false;
    state_.why.clear();
  }
}

AlertLabels Monitor::RobotLabels(std::string_view key, std::string_view value) const {
  return {{std::string(key), std::string(value)}};
}

void Monitor::Post(std::string_view kind, const std::string& json) {
  (journal_->Post(kind, json) ? metrics_.journal_queued : metrics_.journal_dropped).Add();
}

StatusOr<std::unique_ptr<DecisionSource>> Monitor::Open() {
  if (!options_.shm.empty()) return OpenShm(options_.shm);
  if (!options_.remote.url.empty()) return OpenRemote(options_.remote, &memory_);
  return absl::FailedPreconditionError("no robot is named");
}

bool Monitor::Attach() {
  StatusOr<std::unique_ptr<DecisionSource>> source = Open();
  turn_ns_ = Nanos();  // connecting takes its time and is no stall
  if (!source.ok()) {
    const bool far = !options_.remote.url.empty();
    attach_pause_ns_ = far ? std::min(2 * attach_pause_ns_, kLongestPause_ns) : kAttachEvery_ns;
    if (far)
      alerts_->Raise(AlertName::kSystemFailure, RobotLabels("component", "connection"),
                     Cat(source.status().message()));
    const std::lock_guard lock(mutex_);
    state_.robot = "";
    return false;
  }
  attach_pause_ns_ = kAttachEvery_ns;
  source_ = *std::move(source);
  alerts_->Resolve(AlertName::kSystemFailure, RobotLabels("component", "connection"));
  if (const uint64_t missed = source_->lost(); missed > 0) {  // while there was no connection
    metrics_.lost.Add(missed);
    Post("missed", JsonWriter().BeginObject().Field("decisions", missed).EndObject().Take());
    const std::lock_guard lock(mutex_);
    state_.lost += missed;
  }
  return TakeRobot();
}

/// A run begins: what the source says of its robot, and a judge that has seen nothing.
bool Monitor::TakeRobot() {
  const StreamInfo info = source_->info();
  StatusOr<std::unique_ptr<Judge>> judge =
      Judge::Create(options_.robot.empty() ? info.robot : options_.robot, options_.judge);
  if (!judge.ok()) {
    source_ = nullptr;
    alerts_->Raise(AlertName::kSystemFailure, RobotLabels("component", "robot_file"),
                   Cat(judge.status().message()));
    const std::lock_guard lock(mutex_);
    state_.attached = state_.settled = state_.granting = false;
    return false;
  }
  alerts_->Resolve(AlertName::kSystemFailure, RobotLabels("component", "robot_file"));
  judge_ = *std::move(judge);
  hub_.SetRobot(info);
  counted_ = {};
  Post("attach", JsonWriter().BeginObject().Field("robot", info.robot).EndObject().Take());
  const std::lock_guard lock(mutex_);
  state_.robot = info.robot;
  state_.attached = true;
  state_.settled = false;
  state_.worst_margin = kInf;
  return true;
}

void Monitor::Detach(std::string_view why) {
  source_ = nullptr;
  Post("detach", JsonWriter().BeginObject().Field("why", why).EndObject().Take());
  const std::lock_guard lock(mutex_);
  state_.attached = state_.settled = state_.granting = false;
  metrics_.granting.Set(0);
}

/// The stop is at the robot before anybody is told.
void Monitor::Latch(std::string_view check, std::string_view detail, uint64_t sequence) {
  if (source_ != nullptr && source_->has_say()) source_->Stop(Nanos());
  const std::string json = JsonWriter()
                               .BeginObject()
                               .Field("check", check)
                               .Field("detail", detail)
                               .Field("tick", sequence)
                               .EndObject()
                               .Take();
  {
    const std::lock_guard lock(mutex_);
    ++findings_;
    if (state_.latched) return;
    state_.latched = true;
    state_.granting = false;
    state_.why = json;
    state_.latched_wall_ns = WallNanos();
  }
  metrics_.latched.Set(1);
  metrics_.granting.Set(0);
  Post("latch", json);
  alerts_->Raise(AlertName::kSafetyViolation, {}, Cat(check, ": ", detail));
}

void Monitor::Judged(const control::Decision& decision, const Verdict& verdict) {
  for (const Finding& finding : verdict.findings) {
    findings_metrics_
        .Violations(static_cast<size_t>(finding.check), telemetry::Severity::kCritical,
                    telemetry::Arm::kStable)
        .Add();
    Latch(Name(finding.check), finding.detail, decision.input.sequence);
  }
  metrics_.decisions.Add();
  control_.cycles.Add();
  if (verdict.late) control_.deadline_misses.Add();
  if (verdict.jitter_ns >= 0) control_.jitter.Observe(Seconds(verdict.jitter_ns));
  counts_.Count(decision, telemetry::Arm::kStable, &counted_);
  const std::lock_guard lock(mutex_);
  ++state_.judged;
  state_.settled = verdict.settled;
  const safety::Certificate& proof = verdict.certificate;
  if (verdict.settled && proof.rule == safety::CertificateRule::kFresh) {
    metrics_.margin.Set(proof.margin);
    state_.worst_margin = std::min(state_.worst_margin, proof.margin);
  }
}

void Monitor::Drain(int64_t now_ns) {
  const int64_t wait = FromSeconds(options_.lease_s / 8);
  for (int k = 0; k < kMostOfATurn; ++k) {
    const uint64_t lost = source_->lost();
    const DecisionSource::Got got = source_->Next(k == 0 ? wait : 0, decision_.get());
    if (got == DecisionSource::Got::kNothing) return;
    if (got == DecisionSource::Got::kEnded)
      return Detach("the robot's program ended or the connection is lost");
    if (got == DecisionSource::Got::kAnother) {
      if (!TakeRobot()) return;
      continue;
    }
    if (got == DecisionSource::Got::kLost) {
      const uint64_t n = source_->lost() - lost;
      metrics_.lost.Add(n);
      judge_->Missed(n);
      const std::lock_guard lock(mutex_);
      state_.lost += n;
      continue;
    }
    const int64_t start = Nanos();
    const Verdict verdict = judge_->Look(*decision_);
    metrics_.judge_duration.ObserveNanos(Nanos() - start);
    Judged(*decision_, verdict);
    if (options_.on_judged) options_.on_judged(*decision_, verdict);
    hub_.Send(*decision_);
    heard_ns_ = std::max(now_ns, start);
  }
}

void Monitor::Silence(bool silent) {
  {
    const std::lock_guard lock(mutex_);
    if (state_.silent == silent) return;
    state_.silent = silent;
    if (silent) state_.granting = false;  // nobody is told that a silent robot may move
  }
  const AlertLabels labels = RobotLabels("component", "robot");
  if (silent) {
    Post("silent", "{}");
    alerts_->Raise(AlertName::kSystemFailure, labels, "no decision comes from the robot");
  } else {
    Post("heard", "{}");
    alerts_->Resolve(AlertName::kSystemFailure, labels);
  }
}

/// With the lock. What was done must be provable afterwards: no journal, no motion.
std::string Monitor::Withheld(bool behind) const {
  if (!journal_problem_.empty()) return Cat("the journal cannot be written: ", journal_problem_);
  if (state_.silent) return "no decision comes from the robot";
  if (behind) return "the judge is behind";
  if (!state_.settled) return "the judge has not seen and proved enough of this run yet";
  return "";
}

/// The lease, four times in its length; or the stop word, as often.
void Monitor::Grant(int64_t now_ns) {
  if (source_ == nullptr || !source_->has_say()) return;
  const int64_t lease_ns = FromSeconds(options_.lease_s);
  const auto backlog = static_cast<double>(source_->waiting());
  const bool behind = backlog * Seconds(source_->info().period_ns) > options_.heartbeat_s;
  // The word goes out under the lock: a latch that a person orders meanwhile is not overtaken.
  const std::lock_guard lock(mutex_);
  if (stop_asked_ || state_.latched) {
    if (stop_asked_ || now_ns - granted_ns_ >= lease_ns / 4) {
      source_->Stop(now_ns);
      granted_ns_ = now_ns;
      stop_asked_ = false;
    }
    state_.granting = false;
  } else {
    if (clear_asked_) source_->Grant(now_ns, 0);  // takes the stop word back
    clear_asked_ = false;
    state_.withheld = Withheld(behind);
    state_.granting = state_.withheld.empty();
    if (state_.granting && now_ns - granted_ns_ >= lease_ns / 4) {
      source_->Grant(now_ns, now_ns + lease_ns);
      granted_ns_ = now_ns;
    }
  }
  metrics_.granting.Set(state_.granting ? 1 : 0);
}

void Monitor::WatchJournal() {
  const Journal::State journal = journal_->state();
  const bool failed = !journal.status.ok();
  if (failed == !journal_problem_.empty()) return;
  journal_problem_ = failed ? Cat(journal.status.message()) : "";
  const AlertLabels labels = RobotLabels("component", "journal");
  if (failed) {
    alerts_->Raise(AlertName::kSystemFailure, labels, Cat(journal.status.message()));
  } else {
    alerts_->Resolve(AlertName::kSystemFailure, labels);
  }
}

void Monitor::Run() {
  checkpoint_ns_ = turn_ns_ = heard_ns_ = Nanos();
  attach_pause_ns_ = kAttachEvery_ns;
  while (!end_) {
    const int64_t now = Nanos();
    // Suspended or starved: the robot has stopped by itself; what passed unseen shows as lost.
    if (now - turn_ns_ > FromSeconds(options_.heartbeat_s)) {
      Post("stalled",
           JsonWriter().BeginObject().Field("seconds", Seconds(now - turn_ns_)).EndObject().Take());
      heard_ns_ = now;
    }
    turn_ns_ = now;
    if (source_ == nullptr && now >= attach_ns_) {
      Attach();
      attach_ns_ = Nanos() + attach_pause_ns_;
    }
    if (source_ != nullptr) {
      Drain(now);
    } else {
      Pause(5'000'000);
    }
    WatchJournal();
    const int64_t then = Nanos();
    if (!options_.shm.empty() || !options_.remote.url.empty())
      Silence(then - heard_ns_ > FromSeconds(options_.heartbeat_s));
    Grant(then);
    if (then - checkpoint_ns_ >= FromSeconds(options_.checkpoint_s)) {
      checkpoint_ns_ = then;
      const MonitorState seen = state();
      if (seen.judged != checkpoint_judged_) {
        checkpoint_judged_ = seen.judged;
        Post("judged", JsonWriter()
                           .BeginObject()
                           .Field("decisions", seen.judged)
                           .Field("lost", seen.lost)
                           .Field("worst_margin", seen.worst_margin)
                           .EndObject()
                           .Take());
      }
    }
  }
}

Status Monitor::OrderStop(std::string_view operator_name, std::string_view reason) {
  if (operator_name.empty() || reason.empty())
    return absl::InvalidArgumentError("operator and reason: both are needed; say who and why");
  const std::string json = JsonWriter()
                               .BeginObject()
                               .Field("check", "operator")
                               .Field("operator", operator_name)
                               .Field("detail", reason)
                               .EndObject()
                               .Take();
  {
    const std::lock_guard lock(mutex_);
    ++findings_;
    stop_asked_ = true;
    state_.granting = false;
    if (!state_.latched) {
      state_.latched = true;
      state_.why = json;
      state_.latched_wall_ns = WallNanos();
    }
  }
  metrics_.latched.Set(1);
  alerts_->Raise(AlertName::kSafetyViolation, {}, Cat("stopped by ", operator_name, ": ", reason));
  return journal_->Append("latch", json);
}

Status Monitor::Clear(std::string_view operator_name, std::string_view reason) {
  if (operator_name.empty() || reason.empty())
    return absl::InvalidArgumentError("operator and reason: both are needed; say who and why");
  uint64_t findings = 0;
  {
    const std::lock_guard lock(mutex_);
    if (!state_.latched)
      return absl::FailedPreconditionError("nothing is latched; the robot is not stopped by us");
    findings = findings_;
  }
  SAFERL_RETURN_IF_ERROR(journal_->Append("clear", JsonWriter()
                                                       .BeginObject()
                                                       .Field("operator", operator_name)
                                                       .Field("reason", reason)
                                                       .EndObject()
                                                       .Take()));
  {
    const std::lock_guard lock(mutex_);
    if (findings_ != findings) {  // what was cleared is not all that is wrong
      Post("latch", state_.why);
      return absl::AbortedError("something else was found meanwhile; look at it, then clear again");
    }
    state_.latched = false;
    state_.why.clear();
    clear_asked_ = true;
  }
  metrics_.latched.Set(0);
  alerts_->Resolve(AlertName::kSafetyViolation, {});
  return absl::OkStatus();
}

MonitorState Monitor::state() const {
  const std::lock_guard lock(mutex_);
  return state_;
}

}  // namespace saferl::services
