#include "saferl/services/decide/control_grpc.h"

#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <cmath>

#include "saferl/base/text.h"
#include "saferl/services/decide/control.grpc.pb.h"
#include "saferl/services/decide/decide_message.h"

namespace saferl::services {
namespace {

constexpr const char* kStages[] = {"check",  "policy", "intent", "blend",
                                   "filter", "gate",   "record"};
static_assert(std::size(kStages) == control::kNumStages);

Status Bad(const std::string& text) { return absl::InvalidArgumentError(text); }

/// At most as many as there is room for; every one finite.
template <class List, class Array>
Status Copy(const char* field, const List& from, Array* to, int* count) {
  if (static_cast<size_t>(from.size()) > to->size())
    return Bad(Cat(field, ": ", from.size(), " numbers; send at most ", to->size()));
  for (int i = 0; i < from.size(); ++i) {
    if (!std::isfinite(from[i])) return Bad(Cat(field, "[", i, "]: not finite; send a number"));
    (*to)[static_cast<size_t>(i)] = from[i];
  }
  *count = from.size();
  return absl::OkStatus();
}

Status CopyPoint(const std::string& field, const v1::Point& from, math::Vec3* to) {
  if (!std::isfinite(from.x()) || !std::isfinite(from.y()) || !std::isfinite(from.z()))
    return Bad(Cat(field, ": not finite; send numbers"));
  *to = {from.x(), from.y(), from.z()};
  return absl::OkStatus();
}

Status CopyPart(int i, const v1::Part& from, robot::HumanPart* to) {
  const std::string field = Cat("people.parts[", i, "]");
  SAFERL_RETURN_IF_ERROR(CopyPoint(field + ".a", from.a(), &to->capsule_W.a));
  SAFERL_RETURN_IF_ERROR(CopyPoint(field + ".b", from.b(), &to->capsule_W.b));
  if (!std::isfinite(from.radius_m())) return Bad(field + ".radius_m: not finite; send a number");
  if (from.person() > UINT8_MAX || from.track() > UINT16_MAX)
    return Bad(field + ": person above 255 or track above 65535; number them anew");
  to->capsule_W.radius = from.radius_m();
  to->stamp_ns = from.stamp_ns();
  to->person = static_cast<uint8_t>(from.person());
  to->track = static_cast<uint16_t>(from.track());
  if (from.region().empty()) return absl::OkStatus();
  const auto region = ParseRegion(from.region());
  if (!region) return Bad(Cat(field, ".region: '", from.region(), "' is no body region"));
  to->region = *region;
  return absl::OkStatus();
}

Status CopyMeasured(const v1::Observation& from, DecideRequest* to) {
  robot::Observation& o = to->input.observation;
  o.stamp_ns = from.stamp_ns();
  o.sequence = from.observation_sequence();
  o.robot.stamp_ns = from.state().stamp_ns();
  InputCounts& c = to->counts;
  SAFERL_RETURN_IF_ERROR(Copy("state.q", from.state().q(), &o.robot.q, &c.q));
  SAFERL_RETURN_IF_ERROR(Copy("state.qd", from.state().qd(), &o.robot.qd, &c.qd));
  if (!from.interaction_nm().empty())
    SAFERL_RETURN_IF_ERROR(
        Copy("interaction_nm", from.interaction_nm(), &o.interaction, &c.interaction));
  o.people_stamp_ns = from.people().stamp_ns();
  if (from.people().parts_size() > robot::kMaxParts)
    return Bad(Cat("people.parts: more than ", robot::kMaxParts, " entries; send fewer"));
  o.n_parts = from.people().parts_size();
  for (int i = 0; i < o.n_parts; ++i)
    SAFERL_RETURN_IF_ERROR(CopyPart(i, from.people().parts(i), &o.parts[static_cast<size_t>(i)]));
  o.lidar_stamp_ns = from.lidar().stamp_ns();
  if (from.lidar().ranges_m_size() > robot::kMaxLidar)
    return Bad(Cat("lidar.ranges_m: more than ", robot::kMaxLidar, " beams; send fewer"));
  o.n_lidar = from.lidar().ranges_m_size();
  for (int i = 0; i < o.n_lidar; ++i) {
    if (std::isnan(from.lidar().ranges_m(i)))
      return Bad(Cat("lidar.ranges_m[", i, "]: not a number; send infinity for nothing in range"));
    o.lidar_m[static_cast<size_t>(i)] = from.lidar().ranges_m(i);
  }
  return absl::OkStatus();
}

StatusOr<DecideRequest> FromProto(const v1::Observation& from) {
  DecideRequest to;
  if (!IsModelName(from.robot()))
    return Bad("robot: not a name of 1 to 64 characters A-Z a-z 0-9 . _ -; correct it");
  for (const std::string* name : {&from.type(), &from.model(), &from.version()})
    if (!name->empty() && !IsModelName(*name))
      return Bad("type, model, version: not names of A-Z a-z 0-9 . _ -; correct them");
  to.robot = from.robot();
  to.type = from.type();
  to.model = from.model();
  to.version = from.version();
  for (const auto& [name, value] : from.limits()) to.limits.emplace_back(name, value);
  std::sort(to.limits.begin(), to.limits.end());
  control::TickInput& in = to.input;
  in.now_ns = from.now_ns();
  in.sequence = from.sequence();
  to.has_sequence = from.has_sequence();
  SAFERL_RETURN_IF_ERROR(CopyMeasured(from, &to));
  in.human.stamp_ns = from.human().stamp_ns();
  in.human.sequence = from.human().sequence();
  in.human.enabled = !from.human().enable_released();
  in.human.stop = from.human().stop();
  in.human.acknowledge = from.human().acknowledge();
  SAFERL_RETURN_IF_ERROR(Copy("human.u", from.human().u(), &in.human.u, &to.counts.human));
  if (from.has_proposal()) {
    in.policy.present = true;
    in.policy.stamp_ns = from.proposal().stamp_ns();
    SAFERL_RETURN_IF_ERROR(
        Copy("proposal.u", from.proposal().u(), &in.policy.u, &to.counts.proposal));
  }
  if (from.goals_size() > control::kMaxGoals)
    return Bad(Cat("goals: more than ", control::kMaxGoals, " entries; send fewer"));
  in.goals.n = from.goals_size();
  for (int g = 0; g < in.goals.n; ++g)
    SAFERL_RETURN_IF_ERROR(
        CopyPoint(Cat("goals[", g, "]"), from.goals(g), &in.goals.p_W[static_cast<size_t>(g)]));
  in.stop_requested = from.stop_requested();
  return to;
}

void ToProto(const Decided& from, v1::Decision* to) {
  const control::Decision& d = from.decision;
  const robot::RobotModel& robot = from.session->robot();
  to->Clear();
  to->set_id(from.head.id);
  to->set_robot(from.head.robot);
  to->set_session(from.head.session);
  for (int i = 0; i < robot.n(); ++i) to->add_u(d.command.u[static_cast<size_t>(i)]);
  to->set_issued_ns(d.command.issued_ns);
  to->set_valid_for_ns(d.command.valid_for_ns);
  to->set_apply_by_ns(ApplyByNs(robot, d.command));
  to->set_sequence(d.command.sequence);
  to->set_mode(std::string(safety::Name(d.command.mode)));
  to->set_reason(std::string(safety::Name(d.command.reason)));
  to->set_authority(d.authority);
  to->set_policy_used(d.policy_used);
  to->set_intervened(d.filter.intervened);
  to->set_gate_passed(d.gate_passed);
  for (int i = 0; i < safety::kNumConstraints; ++i) {
    const double margin = d.filter.margin[static_cast<size_t>(i)];
    if (std::isfinite(margin))
      (*to->mutable_margins())[std::string(safety::Name(static_cast<safety::ConstraintId>(i)))] =
          margin;
  }
  for (size_t i = 0; i < d.stage_ns.size(); ++i)
    (*to->mutable_stage_ns())[kStages[i]] = d.stage_ns[i];
  to->set_model(from.head.model);
  to->set_version(from.head.version);
}

grpc::Status ToGrpc(const Status& status) {
  return {static_cast<grpc::StatusCode>(status.code()), std::string(status.message())};
}

/// One stream. Every operation is started with the lock; after Finish none is.
class Stream final : public grpc::ServerBidiReactor<v1::Observation, v1::Decision> {
 public:
  Stream(const StreamParts& parts, int64_t silence_ms) : parts_(parts), silence_ms_(silence_ms) {
    parts_.metrics->open.Add(1);
  }
  /// Holds itself until OnDone.
  static Stream* Start(const StreamParts& parts, grpc::CallbackServerContext* context) {
    StatusOr<int64_t> silence_ms = kSilence_ms;
    const auto& metadata = context->client_metadata();
    if (const auto at = metadata.find("silence-ms"); at != metadata.end())
      silence_ms = ParseSilence({at->second.data(), at->second.size()});
    auto stream = std::make_shared<Stream>(parts, silence_ms.value_or(kSilence_ms));
    stream->self_ = stream;
    if (silence_ms.ok()) {
      stream->Watch();
      stream->Read();
    } else {
      stream->End(ToGrpc(silence_ms.status()));
    }
    return stream.get();
  }

  void OnReadDone(bool ok) override {
    const auto self = Self();
    if (self == nullptr) return;
    if (!ok) {
      End(grpc::Status::OK);
      return;
    }
    parts_.watchdog->Touch(watch_);
    if (!parts_.pool->TrySubmit([self] { self->Decide(); }))
      End({grpc::StatusCode::RESOURCE_EXHAUSTED, "too many streams wait; try again later"});
  }
  void OnWriteDone(bool ok) override {
    if (ok) {
      Read();
    } else {
      End({grpc::StatusCode::UNAVAILABLE, "the client does not read"});
    }
  }
  void OnDone() override {
    parts_.watchdog->Remove(watch_);
    parts_.metrics->open.Add(-1);
    std::shared_ptr<Stream> last;
    {
      const std::lock_guard lock(mutex_);
      last = std::move(self_);
    }
  }

 private:
  std::shared_ptr<Stream> Self() {
    const std::lock_guard lock(mutex_);
    return self_;
  }
  void Watch() {
    watch_ = parts_.watchdog->Add(silence_ms_ * 1'000'000, [weak = std::weak_ptr(self_)] {
      const auto self = weak.lock();
      if (self == nullptr) return;
      self->parts_.metrics->silent.Add();
      self->End({grpc::StatusCode::DEADLINE_EXCEEDED,
                 Cat("silent for more than ", self->silence_ms_,
                     " ms: the stream ends; the robot stops by itself within valid_for_ns")});
    });
  }
  void Read() {
    const std::lock_guard lock(mutex_);
    if (!ended_) StartRead(&in_);
  }
  void End(const grpc::Status& status) {
    const auto self = Self();  // OnDone may come while the lock is held
    const std::lock_guard lock(mutex_);
    if (ended_) return;
    ended_ = true;
    Finish(status);
  }
  void Decide() {
    const StatusOr<DecideRequest> request = FromProto(in_);
    if (!request.ok()) {
      End(ToGrpc(request.status()));
      return;
    }
    const auto decided = parts_.sessions->Decide(*request, telemetry::Transport::kGrpc);
    if (!decided.ok()) {
      End(ToGrpc(decided.status()));
      return;
    }
    const std::lock_guard lock(mutex_);
    if (ended_) return;
    ToProto(**decided, &out_);
    StartWrite(&out_);
  }

  const StreamParts parts_;
  const int64_t silence_ms_;
  uint64_t watch_ = 0;
  v1::Observation in_;
  v1::Decision out_;
  std::recursive_mutex mutex_;
  std::shared_ptr<Stream> self_;
  bool ended_ = false;
};

class Service final : public v1::Control::CallbackService {
 public:
  explicit Service(const StreamParts& parts) : parts_(parts) {}
  grpc::ServerBidiReactor<v1::Observation, v1::Decision>* Decide(
      grpc::CallbackServerContext* context) override {
    return Stream::Start(parts_, context);
  }

 private:
  const StreamParts parts_;
};

class Holder final : public ControlGrpc {
 public:
  explicit Holder(const StreamParts& parts) : service_(parts) {}
  grpc::Service* service() override { return &service_; }

 private:
  Service service_;
};

}  // namespace

StatusOr<DecideRequest> ReadObservation(std::string_view bytes) {
  v1::Observation observation;
  if (!observation.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())))
    return Bad("observation: not a saferl.v1.Observation; see control.proto");
  return FromProto(observation);
}

std::unique_ptr<ControlGrpc> MakeControlGrpc(const StreamParts& parts) {
  return std::make_unique<Holder>(parts);
}

}  // namespace saferl::services
