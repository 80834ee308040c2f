#include "saferl/services/decide/sessions.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>

#include "saferl/base/clock.h"
#include "saferl/base/data_path.h"
#include "saferl/base/log.h"
#include "saferl/base/text.h"
#include "saferl/control/tick_data.h"
#include "saferl/control/tick_settings.h"
#include "saferl/net/trace_context.h"
#include "saferl/services/rollouts/seat.h"

namespace saferl::services {
namespace {

constexpr const char* kChampion = "champion";
constexpr size_t kMaxLatched = 100'000;  // robots that are remembered as stopped
constexpr const char* kTightened[] = {"limits.max_state_age_ns",  "limits.max_people_age_ns",
                                      "limits.max_lidar_age_ns",  "limits.max_human_age_ns",
                                      "limits.max_policy_age_ns", "limits.degraded_speed",
                                      "arbitration.authority_cap"};

/// Settings that the robot side may make stricter, never looser.
Status Tighten(const std::vector<std::pair<std::string, double>>& limits,
               control::TickModel* model) {
  auto settings = control::TickSettings(*model);
  for (const auto& [name, value] : limits) {
    if (std::find(std::begin(kTightened), std::end(kTightened), name) == std::end(kTightened))
      return absl::InvalidArgumentError(
          Cat("limits.", name, ": not a setting that can be tightened; these are: ",
              Join({std::begin(kTightened), std::end(kTightened)}, ", ")));
    const double now = std::stod(settings[name]);
    if (!(value <= now))
      return absl::InvalidArgumentError(Cat("limits.", name, ": ", value, " is above ", now,
                                            "; a request can only tighten, so give less"));
    settings[name] = name.ends_with("_ns") ? Cat(static_cast<int64_t>(value)) : Cat(value);
  }
  SAFERL_RETURN_IF_ERROR(control::ApplyTickSettings(settings, model));
  return control::Validate(*model);
}

int64_t NumberOf(const ServedModel* served) {
  int64_t number = 0;
  if (served != nullptr)
    std::from_chars(served->version.data(), served->version.data() + served->version.size(),
                    number);
  return number;
}

Status Conflict(std::string_view robot, std::string_view field, std::string_view has,
                std::string_view asked) {
  return absl::AbortedError(Cat(
      field, ": the session of robot '", robot, "' has '", has, "', not '", asked,
      "'; leave the field out, or end the session first (DELETE /api/v1/sessions/", robot, ")"));
}

std::shared_ptr<policy::DriftStream> DriftStreamOf(const ServedModel* served,
                                                   const std::string& robot) {
  return served == nullptr || served->drift == nullptr ? nullptr : served->drift->AddStream(robot);
}

/// What the policy was asked, last in this tick, and answered. Not while the robot only holds or
/// stops: then it waits for its person, anywhere, for any time.
void RecordDrift(const control::TickModel& model, const control::TickData& data,
                 const control::Decision& decision, policy::DriftStream* drift) {
  const bool asked =
      decision.policy_used && !decision.input.policy.present && !data.check.external_policy_seen;
  if (drift == nullptr || !asked || decision.command.mode >= safety::Mode::kHold) return;
  const policy::PolicySpec& spec = model.policy->spec();
  drift->Record(std::span(data.features).first(static_cast<size_t>(spec.n_obs())),
                std::span(data.action).first(static_cast<size_t>(spec.n_act())),
                decision.filter.intervened ? 1.0F : 0.0F);
}

std::optional<safety::Reason> LatchedFor(const safety::LatchData& latch) {
  if (latch.mode != safety::Mode::kProtectiveStop) return std::nullopt;
  return latch.reason;
}

}  // namespace

Session::Session(SessionInfo info, control::TickModel model,
                 std::shared_ptr<const ServedModel> served)
    : info_(std::move(info)),
      model_(std::move(model)),
      served_(std::move(served)),
      drift_(DriftStreamOf(served_.get(), info_.robot)),
      data_(control::Prepare(model_)),
      used_ns_(Nanos()) {}

SessionInfo Session::info() const {
  const std::lock_guard lock(mutex_);
  return info_;
}

StatusOr<std::shared_ptr<const robot::RobotModel>> Sessions::RobotOf(const std::string& type) {
  SAFERL_ASSIGN_OR_RETURN(const auto safety, SafetyOf(type));
  return safety->robot;
}

StatusOr<std::shared_ptr<const safety::SafetyModel>> Sessions::SafetyOf(const std::string& type) {
  {
    const std::lock_guard lock(mutex_);
    const auto known = types_.find(type);
    if (known != types_.end()) return known->second;
  }
  const std::string own = Cat(options_.robots_dir, "/", type, ".yaml");
  const bool is_own = !options_.robots_dir.empty() && std::filesystem::exists(own);
  if (!is_own) {
    const std::vector<std::string> names = ListNames("robots", ".yaml");
    if (std::find(names.begin(), names.end(), type) == names.end())
      return absl::InvalidArgumentError(
          Cat("type: '", type, "' is no robot; use ", Join(names, ", "),
              ", or put its file into the service's data folder as robots/", type, ".yaml"));
  }
  SAFERL_ASSIGN_OR_RETURN(auto loaded, safety::LoadSafetyModel(is_own ? own : type));
  const std::lock_guard lock(mutex_);
  return types_.emplace(type, std::move(loaded)).first->second;
}

StatusOr<std::shared_ptr<Session>> Sessions::Make(const SessionParameters& p) {
  if (p.type.empty())
    return absl::InvalidArgumentError(
        Cat("type: is missing, and robot '", p.robot,
            "' has no session yet; give wheelchair, arm7, exoskeleton or a robot file's name"));
  SAFERL_ASSIGN_OR_RETURN(auto safety, SafetyOf(p.type));
  std::shared_ptr<const ServedModel> served;
  if (!p.model.empty()) {
    served = models_->Find(p.model, p.version);
    if (served == nullptr)
      return absl::NotFoundError(Cat("model: '", p.model, "' version '", p.version,
                                     "' is not loaded; GET /v2/models lists what is"));
    if (served->policy == nullptr)
      return absl::InvalidArgumentError(
          Cat("model: '", p.model,
              "' runs on ONNX Runtime, which a tick does not wait for; name a "
              "package (saferl policy import makes one of a chain of layers)"));
  }
  SAFERL_ASSIGN_OR_RETURN(
      control::TickModel model,
      control::MakeTickModel(std::move(safety), served == nullptr ? nullptr : served->policy));
  SAFERL_RETURN_IF_ERROR(Tighten(p.limits, &model));
  SessionInfo info;
  info.id = net::RandomHex(8);
  info.robot = p.robot;
  info.type = p.type;
  info.model = p.model;
  info.version = p.version;
  info.served_version = served == nullptr ? "" : served->version;
  info.policy_sha256 = served == nullptr ? "" : served->sha256;
  info.created_ns = info.used_ns = WallNanos();
  auto session = std::make_shared<Session>(std::move(info), std::move(model), std::move(served));
  session->parameters_ = p;
  const bool follows = p.version.empty() || p.version == kChampion;
  if (seat_for && !p.model.empty() && follows) session->seat_ = seat_for(session->info_);
  return session;
}

/// With the table's lock: no tick runs on it any more, and its latched stop stays with the robot.
void Sessions::Retire(Session* session) {
  const std::lock_guard lock(session->mutex_);
  session->ended_ = true;
  if (const auto reason = LatchedFor(session->data_->latch)) {
    latched_[session->info_.robot] = *reason;
  } else {
    latched_.erase(session->info_.robot);
  }
}

/// With the table's lock: ends the longest unused session that no tick holds.
Status Sessions::MakeRoom() {
  if (by_robot_.size() < options_.max_sessions) return absl::OkStatus();
  auto oldest = by_robot_.end();
  for (auto i = by_robot_.begin(); i != by_robot_.end(); ++i) {
    if (i->second.use_count() > 1) continue;
    if (oldest == by_robot_.end() || i->second->used_ns_ < oldest->second->used_ns_) oldest = i;
  }
  if (oldest == by_robot_.end() || latched_.size() >= kMaxLatched)
    return absl::ResourceExhaustedError(
        Cat("robot: ", by_robot_.size(),
            " sessions are in use; raise inference.max_sessions or end one"));
  Retire(oldest->second.get());
  by_robot_.erase(oldest);
  return absl::OkStatus();
}

StatusOr<std::shared_ptr<Session>> Sessions::Insert(std::shared_ptr<Session> session) {
  const std::lock_guard lock(mutex_);
  const std::string robot = session->info_.robot;
  const auto there = by_robot_.find(robot);
  if (there != by_robot_.end())
    return absl::AlreadyExistsError(
        Cat("robot: '", robot, "' has a session already; end it first"));
  EndSilentNow(Nanos());
  SAFERL_RETURN_IF_ERROR(MakeRoom());
  session->used_ns_ = Nanos();
  if (const auto stopped = latched_.find(robot); stopped != latched_.end()) {
    session->data_->latch.mode = session->info_.mode = safety::Mode::kProtectiveStop;
    session->data_->latch.reason = session->info_.reason = stopped->second;
  }
  by_robot_.emplace(robot, session);
  return session;
}

StatusOr<SessionInfo> Sessions::Create(const SessionParameters& parameters) {
  SAFERL_ASSIGN_OR_RETURN(auto made, Make(parameters));
  SAFERL_ASSIGN_OR_RETURN(const auto session, Insert(std::move(made)));
  return session->info();
}

StatusOr<std::shared_ptr<Session>> Sessions::Get(const DecideRequest& request) {
  for (int attempt = 0; attempt < 3; ++attempt) {
    {
      const std::lock_guard lock(mutex_);
      auto found = by_robot_.find(request.robot);
      if (found != by_robot_.end() && IsSilent(found->second, Nanos())) {
        Retire(found->second.get());
        by_robot_.erase(found);
        found = by_robot_.end();
      }
      if (found != by_robot_.end()) {
        const std::shared_ptr<Session>& session = found->second;
        const SessionParameters& has = session->parameters_;
        if (!request.type.empty() && request.type != has.type)
          return Conflict(request.robot, "type", has.type, request.type);
        if (!request.model.empty() && request.model != has.model)
          return Conflict(request.robot, "model.name", has.model, request.model);
        if (!request.version.empty() && request.version != has.version)
          return Conflict(request.robot, "model.version", has.version, request.version);
        if (!request.limits.empty() && request.limits != has.limits)
          return Conflict(request.robot, "limits", "other limits", "these");
        session->used_ns_ = Nanos();
        return session;
      }
    }
    SAFERL_ASSIGN_OR_RETURN(auto made, Make({request.robot, request.type, request.model,
                                             request.version, request.limits}));
    SAFERL_RETURN_IF_ERROR(CheckShape(made->robot(), request));  // a refused request makes nothing
    StatusOr<std::shared_ptr<Session>> session = Insert(std::move(made));
    if (session.ok() || session.status().code() != absl::StatusCode::kAlreadyExists) return session;
  }
  return absl::AbortedError("robot: its session is made and ended at the same time; try again");
}

/// With the session's lock: what its next tick runs; what is not loaded leaves things as they are.
/// Where its rollout has taken a version back and the stable one is not here, the person alone.
std::shared_ptr<const ServedModel> Sessions::Chosen(Session* session,
                                                    const control::TickInput& input) const {
  const SessionInfo& info = session->info_;
  RolloutSeat::Choice choice;
  if (session->seat_ != nullptr) {
    choice = session->seat_->Choose(Nanos(), control::AtRest(session->robot(), input.observation,
                                                             session->data_->filter.previous));
  }
  if (!choice.decided) {
    auto now = models_->Find(info.model, info.version);
    return now == nullptr ? session->served_ : now;
  }
  for (const int64_t number : {choice.version, choice.stable}) {
    if (number == NumberOf(session->served_.get())) return session->served_;
    if (number == 0) continue;
    if (auto now = models_->Find(info.model, Cat(number)); now != nullptr) return now;
  }
  return nullptr;
}

/// With the session's lock: takes over what the next tick runs; true when that is another model.
bool Sessions::TakeModel(Session* session, const control::TickInput& input) const {
  SessionInfo& info = session->info_;
  if (info.model.empty()) return false;
  auto now = Chosen(session, input);
  if (now == session->served_ || (now != nullptr && now == session->refused_)) return false;
  if (now != nullptr && now->policy == nullptr) {
    Log(LogLevel::kError, "model not taken over",
        {{"robot", info.robot}, {"version", now->version}, {"why", "it runs on ONNX Runtime"}});
    session->refused_ = std::move(now);
    return false;
  }
  control::TickModel next = session->model_;
  next.policy = now == nullptr ? nullptr : now->policy;
  if (const Status fits = control::Validate(next); !fits.ok()) {
    Log(LogLevel::kError, "model not taken over",
        {{"robot", info.robot}, {"version", now->version}, {"why", Cat(fits.message())}});
    session->refused_ = std::move(now);
    return false;
  }
  session->model_ = std::move(next);
  session->data_->policy_id = control::PolicyId(session->model_.policy.get());
  info.served_version = now == nullptr ? "" : now->version;
  info.policy_sha256 = now == nullptr ? "" : now->sha256;
  session->served_ = std::move(now);
  session->drift_ = DriftStreamOf(session->served_.get(), info.robot);
  return true;
}

/// With the session's lock, after a tick that began at `begin_ns` (monotonic).
void Sessions::Count(Session* session, const control::Decision& decision,
                     telemetry::Transport transport, int64_t begin_ns) const {
  auto arm = telemetry::Arm::kStable;
  if (session->seat_ != nullptr)
    arm = session->seat_->Count(NumberOf(session->served_.get()), session->model_, decision);
  if (safety_counts != nullptr) safety_counts->Count(decision, arm, &session->counted_);
  if (session->served_ == nullptr || session->served_->metrics == nullptr) return;
  telemetry::ModelMetrics& metrics = *session->served_->metrics;
  metrics.Requests(arm, transport).Add(200);
  metrics.total.ObserveNanos(Nanos() - begin_ns);
}

StatusOr<std::unique_ptr<Decided>> Sessions::Decide(const DecideRequest& request,
                                                    telemetry::Transport transport) {
  const int64_t begin_ns = Nanos();
  for (int attempt = 0; attempt < 3; ++attempt) {
    SAFERL_ASSIGN_OR_RETURN(const auto session, Get(request));
    SAFERL_RETURN_IF_ERROR(CheckShape(session->robot(), request));
    auto decided = std::make_unique<Decided>();
    const std::lock_guard lock(session->mutex_);
    if (session->ended_) continue;  // between Get and the lock: the next one has its latch
    const bool other_model = TakeModel(session.get(), request.input);
    RolloutSeat* seat = session->seat_.get();
    SessionInfo& info = session->info_;
    if (on_frame && (other_model || info.ticks % kKeyFrameTicks == 0))
      on_frame(info, info.ticks + 1, session->model_, *session->data_);
    control::TickInput input = request.input;
    ++info.ticks;
    if (!request.has_sequence) input.sequence = info.ticks;
    if (before_tick) before_tick(info.robot, &input);
    if (seat != nullptr && seat->Offer(session->model_, *session->data_, input)) on_shadow();
    const std::optional<safety::Reason> before = LatchedFor(session->data_->latch);
    control::Tick(session->model_, input, session->data_.get(), &decided->decision);
    RecordDrift(session->model_, *session->data_, decided->decision, session->drift_.get());
    const std::optional<safety::Reason> after = LatchedFor(session->data_->latch);
    if (on_latch && after != before) on_latch(info.robot, after);
    info.mode = decided->decision.command.mode;
    info.reason = decided->decision.command.reason;
    info.used_ns = WallNanos();
    decided->session = session;
    decided->tick = info.ticks;
    decided->head = {Cat(info.id, "-", info.ticks),
                     info.robot,
                     info.type,
                     info.id,
                     info.model,
                     info.served_version};
    Count(session.get(), decided->decision, transport, begin_ns);
    if (on_decision) on_decision(*decided);
    return decided;
  }
  return absl::AbortedError("robot: its session is ended again and again; try again");
}

StatusOr<SessionInfo> Sessions::Find(const std::string& robot) const {
  std::shared_ptr<Session> session;
  {
    const std::lock_guard lock(mutex_);
    const auto found = by_robot_.find(robot);
    if (found == by_robot_.end())
      return absl::NotFoundError(
          Cat("robot '", robot, "' has no session; its first tick makes one"));
    session = found->second;
  }
  return session->info();
}

Status Sessions::End(const std::string& robot) {
  const std::lock_guard lock(mutex_);
  const auto found = by_robot_.find(robot);
  if (found == by_robot_.end())
    return absl::NotFoundError(Cat("robot '", robot, "' has no session; nothing to end"));
  Retire(found->second.get());
  by_robot_.erase(found);
  return absl::OkStatus();
}

std::vector<SessionInfo> Sessions::List() {
  std::vector<std::shared_ptr<Session>> all;
  {
    const std::lock_guard lock(mutex_);
    EndSilentNow(Nanos());
    for (const auto& [robot, session] : by_robot_) all.push_back(session);
  }
  std::vector<SessionInfo> infos;
  infos.reserve(all.size());
  for (const auto& session : all) infos.push_back(session->info());
  return infos;
}

void Sessions::EndSilent(int64_t now_ns) {
  const std::lock_guard lock(mutex_);
  EndSilentNow(now_ns);
}

/// With the table's lock. What a tick holds is not silent.
bool Sessions::IsSilent(const std::shared_ptr<Session>& session, int64_t now_ns) const {
  return session.use_count() == 1 && now_ns - session->used_ns_ > FromSeconds(options_.ttl_s);
}

/// With the table's lock.
void Sessions::EndSilentNow(int64_t now_ns) {
  for (auto i = by_robot_.begin(); i != by_robot_.end();) {
    if (!IsSilent(i->second, now_ns)) {
      ++i;
      continue;
    }
    Retire(i->second.get());
    i = by_robot_.erase(i);
  }
}

size_t Sessions::size() const {
  const std::lock_guard lock(mutex_);
  return by_robot_.size();
}

}  // namespace saferl::services
