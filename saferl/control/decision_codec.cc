#include "saferl/control/decision_codec.h"

#include <algorithm>
#include <array>

#include "saferl/base/text.h"
#include "saferl/control/mcap_format.h"

namespace saferl::control {

namespace {

using mcap::Packer;
using mcap::Unpacker;
using robot::Joints;

constexpr uint8_t kFormat = 1;

/// Writing: every field goes out. Same names as Reader, so that one field list serves both.
class Writer {
 public:
  explicit Writer(std::string* out) : pack_(out) {}
  template <class T>
  void Value(const T& value) {
    pack_.Put(value);
  }
  template <class E>
  void Enum(const E& value, E) {
    pack_.Put(static_cast<uint8_t>(value));
  }
  void Bool(bool value) { pack_.Put(static_cast<uint8_t>(value ? 1 : 0)); }
  void Flags(std::array<const bool*, 8> flags) {
    uint8_t bits = 0;
    for (size_t i = 0; i < 8; ++i) bits = static_cast<uint8_t>(bits | (*flags[i] ? 1U << i : 0U));
    pack_.Put(bits);
  }
  template <class Array>
  void Some(const Array& values, int count) {
    for (int i = 0; i < count; ++i) pack_.Put(values[static_cast<size_t>(i)]);
  }
  template <class Array>
  void Counted(const Array& values) {
    pack_.Put(static_cast<uint8_t>(values.size()));
    Some(values, static_cast<int>(values.size()));
  }

 private:
  Packer pack_;
};

class Reader {
 public:
  explicit Reader(std::string_view in) : unpack_(in) {}
  template <class T>
  void Value(T& value) {
    ok_ &= unpack_.Get(&value);
  }
  template <class E>
  void Enum(E& value, E count) {
    uint8_t code = 0;
    Value(code);
    if (code >= static_cast<uint8_t>(count)) ok_ = false;
    if (ok_) value = static_cast<E>(code);
  }
  void Bool(bool& value) {
    uint8_t code = 0;
    Value(code);
    if (code > 1) ok_ = false;
    value = code == 1;
  }
  void Flags(std::array<bool*, 8> flags) {
    uint8_t bits = 0;
    Value(bits);
    for (size_t i = 0; i < 8; ++i) *flags[i] = (bits >> i & 1U) != 0;
  }
  template <class Array>
  void Some(Array& values, int count) {
    for (int i = 0; i < count; ++i) Value(values[static_cast<size_t>(i)]);
  }
  template <class Array>
  void Counted(Array& values) {
    uint8_t count = 0;
    Value(count);
    if (count != values.size()) ok_ = false;
    if (ok_) Some(values, static_cast<int>(values.size()));
  }
  bool ok() const { return ok_; }
  size_t left() const { return unpack_.size(); }

 private:
  Unpacker unpack_;
  bool ok_ = true;
};

template <class Io, class Obs>
void ObservationFields(Io& io, const DecisionShape& shape, Obs& o) {
  io.Value(o.stamp_ns);
  io.Value(o.sequence);
  io.Value(o.robot.stamp_ns);
  io.Some(o.robot.q, shape.pose);
  io.Some(o.robot.qd, shape.n);
  io.Some(o.interaction, shape.n);
  io.Value(o.people_stamp_ns);
  io.Value(o.lidar_stamp_ns);
  io.Value(o.n_parts);
  io.Value(o.n_lidar);
  for (int i = 0; i < std::clamp(o.n_parts, 0, robot::kMaxParts); ++i) {
    auto& part = o.parts[static_cast<size_t>(i)];
    io.Value(part.capsule_W.a);
    io.Value(part.capsule_W.b);
    io.Value(part.capsule_W.radius);
    io.Value(part.stamp_ns);
    io.Value(part.region);  // as it came, even when impossible
    io.Value(part.person);
    io.Value(part.track);
  }
  io.Some(o.lidar_m, std::clamp(o.n_lidar, 0, robot::kMaxLidar));
}

template <class Io, class Result>
void FilterFields(Io& io, const DecisionShape& shape, Result& f) {
  io.Some(f.command, shape.n);
  io.Enum(f.proof, static_cast<safety::Proof>(static_cast<int>(safety::Proof::kStoredPlan) + 1));
  io.Enum(f.reason, safety::Reason::kCount);
  io.Bool(f.intervened);
  io.Value(f.bisections);
  io.Enum(f.qp_status,
          static_cast<math::QpStatus>(static_cast<int>(math::QpStatus::kBadInput) + 1));
  io.Value(f.qp_iterations);
  io.Value(f.n_rows);
  io.Value(f.distortion);
  io.Value(f.stop_time_s);
  io.Counted(f.margin);
}

/// All fields after the first three bytes, in file order.
template <class Io, class D>
void Fields(Io& io, const DecisionShape& shape, D& d) {
  auto& in = d.input;
  io.Flags({&in.human.enabled, &in.human.stop, &in.human.acknowledge, &in.policy.present,
            &in.stop_requested, &in.lease_ok, &d.policy_used, &d.gate_passed});
  io.Value(in.now_ns);
  io.Value(in.sequence);
  ObservationFields(io, shape, in.observation);
  io.Value(in.human.stamp_ns);
  io.Value(in.human.sequence);
  io.Some(in.human.u, shape.n);
  io.Value(in.policy.stamp_ns);
  io.Some(in.policy.u, shape.n);
  io.Value(in.goals.n);
  const int goals = std::clamp(in.goals.n, 0, kMaxGoals);
  io.Some(in.goals.p_W, goals);
  io.Some(d.policy_u, shape.n);
  io.Value(d.authority);
  io.Some(d.belief, goals);
  io.Some(d.blended, shape.n);
  FilterFields(io, shape, d.filter);
  io.Value(d.command.issued_ns);
  io.Value(d.command.valid_for_ns);
  io.Value(d.command.sequence);
  io.Some(d.command.u, shape.n);
  io.Enum(d.command.mode,
          static_cast<safety::Mode>(static_cast<int>(safety::Mode::kProtectiveStop) + 1));
  io.Enum(d.command.reason, safety::Reason::kCount);
  io.Counted(d.stage_ns);
  io.Value(d.policy_id);
}

}  // namespace

DecisionShape ShapeOf(const robot::RobotModel& robot) { return {robot.n(), PoseSize(robot)}; }

void EncodeDecision(const DecisionShape& shape, const Decision& decision, std::string* out) {
  Packer(out).Put(kFormat).Put(static_cast<uint8_t>(shape.n)).Put(static_cast<uint8_t>(shape.pose));
  Writer writer(out);
  Fields(writer, shape, decision);
}

Status DecodeDecision(const DecisionShape& shape, std::string_view bytes, Decision* decision) {
  uint8_t format = 0, n = 0, pose = 0;
  Reader reader(bytes);
  reader.Value(format);
  reader.Value(n);
  reader.Value(pose);
  if (!reader.ok() || format != kFormat)
    return absl::InvalidArgumentError(Cat("decision: format ", static_cast<int>(format),
                                          " is not 1; use the program version that wrote the log"));
  if (n != shape.n || pose != shape.pose || n > robot::kMaxDof || pose > robot::kMaxDof)
    return absl::InvalidArgumentError(
        Cat("decision: made for n = ", static_cast<int>(n), ", q = ", static_cast<int>(pose),
            " but the log says n = ", shape.n, ", q = ", shape.pose, "; the file is damaged"));
  *decision = Decision();
  Fields(reader, shape, *decision);
  if (!reader.ok())
    return absl::InvalidArgumentError(Cat("decision: the message of ", bytes.size(),
                                          " bytes is too short or holds a value out of range"));
  if (reader.left() != 0)
    return absl::InvalidArgumentError(
        Cat("decision: ", reader.left(), " bytes too many at the end of the message"));
  return absl::OkStatus();
}

}  // namespace saferl::control
