#include "saferl/services/monitor/judge.h"

#include <algorithm>
#include <cmath>

#include "saferl/base/clock.h"
#include "saferl/base/text.h"

namespace saferl::services {
namespace {

using control::Decision;
using safety::Mode;
using safety::Reason;
using safety::certifier::RobotData;
using safety::certifier::RobotKind;

constexpr double kRounding = 1e-9;
constexpr int64_t kMicro_ns = 1000;
constexpr int64_t kPeopleEvery_ns = 5'000'000;
/// Decisions after which the certifier knows every command that may still act.
constexpr int kHistory = safety::CertifierData::kRemembered + 1;

struct Words {
  const char *name, *line;
};
constexpr std::array<Words, kChecks> kWords = {{
    {"margin", "no proof can be found that braking from this command keeps every promise"},
    {"finite", "a number of the decision is none"},
    {"limit", "the command is beyond what the robot may be told"},
    {"rate", "the command changes faster than the robot may be told, and not toward rest"},
    {"stamp", "a time runs backward, lies in the future, or lets a command live too long"},
    {"stale", "the robot moves on a sensor's word that is too old"},
    {"sequence", "decisions are missing or come twice"},
    {"late_tick", "a tick came late and did not stop the robot"},
    {"mode", "mode and reason contradict each other, or the mode and what the command does"},
    {"unheeded", "a stop, a released enabling device or a lost lease without its mode"},
    {"person_fast", "people moved faster than assumed and the robot did not stop"},
}};

/// The least mode that each reason allows, as docs/safety.md states it. Written down a second time
/// on purpose: a change of the Tick's own table shows here.
Mode LeastMode(Reason reason) {
  switch (reason) {
    case Reason::kNone:
    case Reason::kFilterInfeasible:
      return Mode::kNominal;
    case Reason::kPolicyLate:
    case Reason::kPolicyInvalid:
      return Mode::kDegraded;
    case Reason::kHumanStale:
    case Reason::kHumanInvalid:
    case Reason::kEnableReleased:
      return Mode::kHold;
    case Reason::kStateStale:
    case Reason::kStateInvalid:
    case Reason::kPeopleStale:
    case Reason::kPeopleInvalid:
    case Reason::kLidarStale:
    case Reason::kLidarInvalid:
    case Reason::kClockBackward:
    case Reason::kClockFuture:
    case Reason::kSensorFrozen:
    case Reason::kTickLate:
    case Reason::kTickSlips:
    case Reason::kFilterRepeated:
    case Reason::kGateRejected:
    case Reason::kMonitorLost:
      return Mode::kControlledStop;
    case Reason::kPersonTooFast:
    case Reason::kPersonJumped:
    case Reason::kTrackingError:
    case Reason::kBrakeFade:
    case Reason::kConstraintViolated:
    case Reason::kStopRequested:
    case Reason::kCount:
      break;
  }
  return Mode::kProtectiveStop;
}

double Millis(int64_t ns) { return 1e-6 * static_cast<double>(ns); }

void Find(Check check, std::string detail, Verdict* verdict) {
  verdict->findings.push_back({check, std::move(detail)});
}

}  // namespace

std::string_view Name(Check check) {
  return check < Check::kCount ? kWords[static_cast<size_t>(check)].name : "unknown";
}
std::string_view Describe(Check check) {
  return check < Check::kCount ? kWords[static_cast<size_t>(check)].line : "unknown";
}

StatusOr<std::unique_ptr<Judge>> Judge::Create(const std::string& robot,
                                               const JudgeOptions& options) {
  SAFERL_ASSIGN_OR_RETURN(const RobotData data, safety::certifier::ReadRobotData(robot));
  SAFERL_ASSIGN_OR_RETURN(auto certifier, safety::LoadCertifier(robot));
  return std::unique_ptr<Judge>(new Judge(data, std::move(certifier), options));
}

Judge::Judge(const RobotData& data, std::shared_ptr<const safety::CertifierModel> certifier,
             const JudgeOptions& options)
    : data_(data),
      certifier_(std::move(certifier)),
      options_(options),
      period_ns_(FromSeconds(data.period_s)),
      hold_ns_(FromSeconds(data.period_s + data.reaction_s)) {
  Reset();
}

void Judge::Reset() {
  seen_ = 0;
  settled_ = false;
  missed_ = sequence_ = 0;
  now_ns_ = observation_ns_ = 0;
  previous_ = {};
  trusted_ = {};
  chain_ = {};
  people_ = std::make_unique<sim::BreachJudge>(
      sim::BreachBounds{data_.body_speed_m_s, data_.reach_speed_m_s, data_.human_error_m});
  people_delay_ = 1;
  people_due_ns_ = 0;
}

bool Judge::CheckFinite(const Decision& d, Verdict* verdict) const {
  bool finite = d.authority >= 0 && d.authority <= 1;
  for (int i = 0; i < data_.n; ++i) finite = finite && std::isfinite(d.command.u[i]);
  if (!finite) Find(Check::kFinite, Cat("authority ", d.authority), verdict);
  return finite;
}

bool Judge::Usable(const robot::Observation& o) const {
  if (o.n_parts < 0 || o.n_parts > robot::kMaxParts) return false;
  if (o.n_lidar < 0 || o.n_lidar > robot::kMaxLidar) return false;
  const int pose = data_.kind == RobotKind::kWheelchair ? 3 : data_.n;
  return safety::certifier::AllFinite(o.robot.q, pose) &&
         safety::certifier::AllFinite(o.robot.qd, data_.n);
}

void Judge::CheckCommand(const Decision& d, const safety::TickRecord& record,
                         Verdict* verdict) const {
  const bool torques = data_.kind == RobotKind::kExoskeleton;
  for (int i = 0; i < data_.n; ++i) {
    const double u = d.command.u[i];
    const bool wheels = data_.kind == RobotKind::kWheelchair;
    const double joint = torques ? data_.effort_max[i] : data_.qd_max[i];
    const double lower = wheels ? data_.command_lower[i] : -joint;
    const double upper = wheels ? data_.command_upper[i] : joint;
    if (!(u >= lower - kRounding && u <= upper + kRounding))
      Find(Check::kLimit, Cat("u", i, " = ", u, ", limits ", lower, " to ", upper), verdict);
    // A torque's rate may be exceeded toward braking, which only the certifier can tell: its margin
    // holds the rate too.
    if (torques || seen_ == 0) continue;
    const double previous = record.previous[i], step = data_.command_rate[i] * data_.period_s;
    const double low = std::min(previous - step, std::min(0.0, previous));
    const double high = std::max(previous + step, std::max(0.0, previous));
    if (!(u >= low - kRounding && u <= high + kRounding))
      Find(Check::kRate, Cat("u", i, " from ", previous, " to ", u, ", at most ", step, " a tick"),
           verdict);
  }
}

void Judge::CheckStamps(const Decision& d, Verdict* verdict) const {
  const int64_t now = d.input.now_ns;
  const safety::Command& c = d.command;
  if (c.issued_ns != now)
    Find(Check::kStamp, Cat("issued ", Millis(Elapsed(now, c.issued_ns)), " ms off its tick"),
         verdict);
  if (c.valid_for_ns < 0 || c.valid_for_ns > hold_ns_ + kMicro_ns)
    Find(Check::kStamp,
         Cat("valid for ", Millis(c.valid_for_ns), " ms, at most ", Millis(hold_ns_)), verdict);
  if (seen_ > 0 && now <= now_ns_)
    Find(Check::kStamp, Cat("time went from ", now_ns_, " to ", now, " ns"), verdict);
  if (c.mode >= Mode::kControlledStop) return;  // stopped for it
  const robot::Observation& o = d.input.observation;
  const int64_t latest =
      std::max({o.stamp_ns, o.robot.stamp_ns, o.people_stamp_ns, o.lidar_stamp_ns});
  if (latest > now)
    Find(Check::kStamp, Cat("an observation of ", Millis(latest - now), " ms in the future"),
         verdict);
  if (seen_ > 0 && o.stamp_ns < observation_ns_)
    Find(Check::kStamp,
         Cat("the observation went ", Millis(Elapsed(o.stamp_ns, observation_ns_)), " ms back"),
         verdict);
}

void Judge::CheckAges(const Decision& d, Verdict* verdict) const {
  if (d.command.mode >= Mode::kControlledStop) return;
  const robot::Observation& o = d.input.observation;
  const auto check = [&](const char* what, int64_t stamp_ns, double most_s) {
    const int64_t age_ns = Elapsed(stamp_ns, d.input.now_ns);
    if (age_ns > FromSeconds(most_s) + kMicro_ns)
      Find(Check::kStale, Cat(what, " is ", Millis(age_ns), " ms old, at most ", 1e3 * most_s),
           verdict);
  };
  check("the robot's state", o.robot.stamp_ns, data_.state_age_s);
  if (data_.kind != RobotKind::kExoskeleton)
    check("the people tracker's word", o.people_stamp_ns, options_.max_people_age_s);
  if (data_.has_lidar) check("the lidar's sweep", o.lidar_stamp_ns, options_.max_lidar_age_s);
}

void Judge::CheckOrder(const Decision& d, Verdict* verdict) {
  if (missed_ > 0) Find(Check::kSequence, Cat(missed_, " decisions were never seen"), verdict);
  if (d.command.sequence != d.input.sequence)
    Find(Check::kSequence, Cat("tick ", d.input.sequence, " sent command ", d.command.sequence),
         verdict);
  if (seen_ == 0) return;
  if (missed_ == 0 && d.input.sequence != sequence_ + 1)
    Find(Check::kSequence, Cat("tick ", d.input.sequence, " after tick ", sequence_), verdict);
  const int64_t gap_ns = Elapsed(now_ns_, d.input.now_ns);
  verdict->late = gap_ns > 2 * period_ns_ + kMicro_ns && missed_ == 0;
  if (missed_ == 0) verdict->jitter_ns = std::abs(gap_ns - period_ns_);
  if (verdict->late && d.command.mode < Mode::kControlledStop)
    Find(Check::kLateTick, Cat(Millis(gap_ns), " ms after the last, period ", Millis(period_ns_)),
         verdict);
}

void Judge::CheckMode(const Decision& d, const safety::TickRecord& record, Verdict* verdict) const {
  const Mode mode = d.command.mode;
  const Reason reason = d.command.reason;
  if (mode > Mode::kProtectiveStop || reason >= Reason::kCount)
    return Find(Check::kMode,
                Cat("mode ", static_cast<int>(mode), ", reason ", static_cast<int>(reason),
                    " do not exist"),
                verdict);
  if (mode < LeastMode(reason) || (mode > Mode::kNominal && reason == Reason::kNone))
    Find(Check::kMode, Cat(safety::Name(mode), " for ", safety::Name(reason)), verdict);
  if (mode < Mode::kControlledStop || seen_ == 0) return;
  const bool still = std::all_of(d.command.u.begin(), d.command.u.begin() + data_.n,
                                 [](double u) { return u == 0; });
  if (!still && !certifier_->IsBraking(record))
    Find(Check::kMode, Cat(safety::Name(mode), ", but the command does not brake"), verdict);
}

void Judge::CheckHeeded(const Decision& d, Verdict* verdict) const {
  const control::TickInput& in = d.input;
  const auto demand = [&](bool asked, Mode least, const char* what) {
    if (asked && d.command.mode < least)
      Find(Check::kUnheeded, Cat(what, ", mode ", safety::Name(d.command.mode)), verdict);
  };
  demand(in.stop_requested, Mode::kProtectiveStop, "a stop was ordered");
  demand(in.human.stop, Mode::kProtectiveStop, "the person asked for a stop");
  demand(!in.lease_ok, Mode::kControlledStop, "no lease");
  demand(!in.human.enabled, Mode::kHold, "the enabling device is released");
  demand(!Usable(in.observation), Mode::kControlledStop, "an observation that means nothing");
}

void Judge::CheckPeople(const Decision& d, Verdict* verdict) {
  if (data_.kind == RobotKind::kExoskeleton) return;
  // A kilohertz of nearly equal measurements tells nothing more: one in 5 ms is looked at.
  if (d.input.now_ns < people_due_ns_) return;
  people_due_ns_ = d.input.now_ns + kPeopleEvery_ns;
  const robot::Observation& o = d.input.observation;
  const int n = std::clamp(o.n_parts, 0, robot::kMaxParts);
  people_->Tick({o.parts.data(), static_cast<size_t>(n)}, d.command.mode >= Mode::kProtectiveStop);
  const int64_t delay = people_->Count().worst_delay_ticks;
  if (delay <= people_delay_) return;
  people_delay_ = delay;
  Find(Check::kPersonFast, Cat(delay, " looks without a stop"), verdict);
}

void Judge::Certify(const safety::TickRecord& record, Verdict* verdict) {
  if (missed_ > 0) {  // what may still act is not known any more
    chain_ = {};
    settled_ = false;
    seen_ = 0;
  }
  verdict->certificate = safety::CertifyTick(*certifier_, record, &chain_);
  const bool valid = verdict->certificate.valid;
  if (settled_ && !valid)
    Find(Check::kMargin, Cat(verdict->certificate.why, ": margin ", verdict->certificate.margin),
         verdict);
  settled_ = settled_ || (valid && seen_ >= kHistory);
}

Verdict Judge::Look(const Decision& d) {
  Verdict verdict;
  CheckOrder(d, &verdict);
  CheckStamps(d, &verdict);
  CheckAges(d, &verdict);
  CheckHeeded(d, &verdict);
  const bool usable = Usable(d.input.observation);
  if (usable) trusted_ = d.input.observation;
  if (CheckFinite(d, &verdict)) {
    // A stop for an unusable observation goes on from the last usable one, as it has to.
    const safety::TickRecord record{.now_ns = d.input.now_ns,
                                    .observation = &trusted_,
                                    .previous = previous_,
                                    .command = d.command.u};
    CheckCommand(d, record, &verdict);
    CheckMode(d, record, &verdict);
    if (usable) CheckPeople(d, &verdict);
    Certify(record, &verdict);
    previous_ = d.command.u;
  }
  verdict.settled = settled_;
  seen_ = std::min(seen_ + 1, kHistory);
  missed_ = 0;
  sequence_ = d.input.sequence;
  now_ns_ = d.input.now_ns;
  observation_ns_ = d.input.observation.stamp_ns;
  return verdict;
}

}  // namespace saferl::services
