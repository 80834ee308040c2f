#include <algorithm>
#include <cmath>

#include "saferl/base/clock.h"
#include "saferl/base/json.h"
#include "saferl/base/text.h"
#include "saferl/control/input_check.h"
#include "saferl/safety/constraints/contact.h"
#include "saferl/services/decide/decide_message.h"

namespace saferl::services {
namespace {

using robot::Joints;

constexpr const char* kStages[] = {"check",  "policy", "intent", "blend",
                                   "filter", "gate",   "record"};
static_assert(std::size(kStages) == control::kNumStages);
constexpr const char* kProofs[] = {"none", "fresh", "stored_plan"};

void WriteJoints(const char* key, const Joints& values, int n, JsonWriter* w) {
  w->Key(key).BeginArray();
  for (int i = 0; i < n; ++i) w->Value(values[static_cast<size_t>(i)]);
  w->EndArray();
}

void WritePoint(const math::Vec3& p, JsonWriter* w) {
  w->BeginArray().Value(p.x).Value(p.y).Value(p.z).EndArray();
}

void WriteObservation(const robot::RobotModel& robot, const robot::Observation& o, JsonWriter* w) {
  w->Key("observation").BeginObject().Field("stamp_ns", o.stamp_ns).Field("sequence", o.sequence);
  w->Key("state").BeginObject().Field("stamp_ns", o.robot.stamp_ns);
  WriteJoints("q", o.robot.q, control::PoseSize(robot), w);
  WriteJoints("qd", o.robot.qd, robot.n(), w);
  w->EndObject();
  if (robot.kind() == robot::Kind::kExoskeleton)
    WriteJoints("interaction_nm", o.interaction, robot.n(), w);
  if (robot.kind() != robot::Kind::kExoskeleton) {
    w->Key("people").BeginObject().Field("stamp_ns", o.people_stamp_ns).Key("parts").BeginArray();
    for (int i = 0; i < std::clamp(o.n_parts, 0, robot::kMaxParts); ++i) {
      const robot::HumanPart& part = o.parts[static_cast<size_t>(i)];
      w->BeginObject().Key("a");
      WritePoint(part.capsule_W.a, w);
      w->Key("b");
      WritePoint(part.capsule_W.b, w);
      w->Field("radius_m", part.capsule_W.radius).Field("stamp_ns", part.stamp_ns);
      w->Field("region", safety::RegionName(part.region)).Field("person", part.person);
      w->Field("track", part.track).EndObject();
    }
    w->EndArray().EndObject();
  }
  if (o.lidar_stamp_ns != 0) {
    w->Key("lidar").BeginObject().Field("stamp_ns", o.lidar_stamp_ns).Key("ranges_m").BeginArray();
    for (int i = 0; i < std::clamp(o.n_lidar, 0, robot::kMaxLidar); ++i)
      w->Value(o.lidar_m[static_cast<size_t>(i)]);  // infinity becomes null: nothing in range
    w->EndArray().EndObject();
  }
  w->EndObject();
}

void WriteFilter(const safety::FilterResult& f, JsonWriter* w) {
  w->Key("filter").BeginObject().Field("proof", kProofs[static_cast<size_t>(f.proof)]);
  w->Field("reason", safety::Name(f.reason)).Field("intervened", f.intervened);
  w->Field("distortion", f.distortion).Field("stop_time_s", f.stop_time_s);
  w->Field("searches", f.bisections).Field("rows", f.n_rows).EndObject();
  w->Key("margins").BeginObject();
  for (int i = 0; i < safety::kNumConstraints; ++i) {
    const double margin = f.margin[static_cast<size_t>(i)];
    if (std::isfinite(margin)) w->Field(safety::Name(static_cast<safety::ConstraintId>(i)), margin);
  }
  w->EndObject();
}

}  // namespace

int64_t ApplyByNs(const robot::RobotModel& robot, const safety::Command& command) {
  return Later(command.issued_ns, FromSeconds(robot.reaction_s()));
}

std::string EncodeDecisionJson(const robot::RobotModel& robot, const DecisionHead& head,
                               const control::Decision& d) {
  JsonWriter w;
  const int n = robot.n();
  w.BeginObject().Field("id", head.id).Field("robot", head.robot).Field("type", head.type);
  w.Field("session", head.session).Key("command").BeginObject();
  WriteJoints("u", d.command.u, n, &w);
  w.Field("issued_ns", d.command.issued_ns).Field("valid_for_ns", d.command.valid_for_ns);
  w.Field("apply_by_ns", ApplyByNs(robot, d.command));
  w.Field("sequence", d.command.sequence).EndObject();
  w.Field("mode", safety::Name(d.command.mode)).Field("reason", safety::Name(d.command.reason));
  w.Field("why", safety::Describe(d.command.reason));
  w.Key("blend").BeginObject().Field("authority", d.authority).Field("policy_used", d.policy_used);
  WriteJoints("human_u", d.input.human.u, n, &w);
  if (d.policy_used) WriteJoints("policy_u", d.policy_u, n, &w);
  WriteJoints("blended_u", d.blended, n, &w);
  w.Key("belief").BeginArray();
  for (int g = 0; g < std::clamp(d.input.goals.n, 0, control::kMaxGoals); ++g)
    w.Value(d.belief[static_cast<size_t>(g)]);
  w.EndArray().EndObject();
  WriteFilter(d.filter, &w);
  w.Field("gate_passed", d.gate_passed).Key("stage_ns").BeginObject();
  for (size_t i = 0; i < d.stage_ns.size(); ++i) w.Field(kStages[i], d.stage_ns[i]);
  w.EndObject();
  if (!head.model.empty())
    w.Key("model")
        .BeginObject()
        .Field("name", head.model)
        .Field("version", head.version)
        .EndObject();
  return w.EndObject().Take();
}

std::string EncodeDecideRequest(const robot::RobotModel& robot, const std::string& robot_id,
                                const control::TickInput& in, const std::string& model) {
  JsonWriter w;
  w.BeginObject().Field("robot", robot_id).Field("type", robot.name());
  if (!model.empty()) w.Key("model").BeginObject().Field("name", model).EndObject();
  w.Field("now_ns", in.now_ns);
  WriteObservation(robot, in.observation, &w);
  w.Key("human").BeginObject().Field("stamp_ns", in.human.stamp_ns);
  w.Field("sequence", in.human.sequence);
  WriteJoints("u", in.human.u, robot.n(), &w);
  w.Field("enabled", in.human.enabled);
  if (in.human.stop) w.Field("stop", true);
  if (in.human.acknowledge) w.Field("acknowledge", true);
  w.EndObject().Key("goals").BeginArray();
  for (int g = 0; g < std::clamp(in.goals.n, 0, control::kMaxGoals); ++g)
    WritePoint(in.goals.p_W[static_cast<size_t>(g)], &w);
  w.EndArray();
  if (in.policy.present) {
    w.Key("proposal").BeginObject().Field("stamp_ns", in.policy.stamp_ns);
    WriteJoints("u", in.policy.u, robot.n(), &w);
    w.EndObject();
  }
  if (in.stop_requested) w.Field("stop_requested", true);
  return w.EndObject().Take();
}

std::string_view DecideRequestSchema() {
  return R"({"type":"object","additionalProperties":false,)"
         R"("required":["robot","now_ns","observation","human"],"properties":{)"
         R"("robot":{"type":"string","description":"id of the robot; its session is kept here"},)"
         R"("type":{"type":"string","description":"wheelchair, arm7, exoskeleton or a robot file's name; with the first tick"},)"
         R"("model":{"type":"object","additionalProperties":false,"required":["name"],"properties":{"name":{"type":"string"},"version":{"type":"string","description":"version or alias"}}},)"
         R"("limits":{"type":"object","additionalProperties":{"type":"number"},"description":"tick settings that are tightened; with the first tick"},)"
         R"("now_ns":{"type":"integer","description":"the robot's clock, as all stamps"},)"
         R"("sequence":{"type":"integer"},)"
         R"("observation":{"type":"object","additionalProperties":false,"required":["stamp_ns","sequence","state"],"properties":{)"
         R"("stamp_ns":{"type":"integer"},"sequence":{"type":"integer"},)"
         R"("state":{"type":"object","additionalProperties":false,"required":["stamp_ns","q","qd"],"properties":{"stamp_ns":{"type":"integer"},"q":{"type":"array","items":{"type":"number"}},"qd":{"type":"array","items":{"type":"number"}}}},)"
         R"("interaction_nm":{"type":"array","items":{"type":"number"}},)"
         R"("people":{"type":"object","additionalProperties":false,"required":["stamp_ns","parts"],"properties":{"stamp_ns":{"type":"integer"},"parts":{"type":"array","items":{"type":"object","additionalProperties":false,"required":["a","b","radius_m","stamp_ns"],"properties":{"a":{"type":"array","items":{"type":"number"}},"b":{"type":"array","items":{"type":"number"}},"radius_m":{"type":"number"},"stamp_ns":{"type":"integer"},"region":{"type":"string"},"person":{"type":"integer"},"track":{"type":"integer"}}}}}},)"
         R"("lidar":{"type":"object","additionalProperties":false,"required":["stamp_ns","ranges_m"],"properties":{"stamp_ns":{"type":"integer"},"ranges_m":{"type":"array","items":{"type":["number","null"]}}}}}},)"
         R"("human":{"type":"object","additionalProperties":false,"required":["stamp_ns","u"],"properties":{"stamp_ns":{"type":"integer"},"sequence":{"type":"integer"},"u":{"type":"array","items":{"type":"number"}},"enabled":{"type":"boolean"},"stop":{"type":"boolean"},"acknowledge":{"type":"boolean"}}},)"
         R"("proposal":{"type":"object","additionalProperties":false,"required":["stamp_ns","u"],"properties":{"stamp_ns":{"type":"integer"},"u":{"type":"array","items":{"type":"number"}}}},)"
         R"("goals":{"type":"array","items":{"type":"array","items":{"type":"number"}}},)"
         R"("stop_requested":{"type":"boolean"}}})";
}

std::string_view DecisionSchema() {
  return R"({"type":"object","required":["id","robot","session","command","mode","reason","margins"],"properties":{)"
         R"("id":{"type":"string"},"robot":{"type":"string"},"type":{"type":"string"},"session":{"type":"string"},)"
         R"("command":{"type":"object","properties":{"u":{"type":"array","items":{"type":"number"}},"issued_ns":{"type":"integer"},"valid_for_ns":{"type":"integer"},"apply_by_ns":{"type":"integer"},"sequence":{"type":"integer"}}},)"
         R"("mode":{"type":"string"},"reason":{"type":"string"},"why":{"type":"string"},)"
         R"("blend":{"type":"object"},"filter":{"type":"object"},"margins":{"type":"object","additionalProperties":{"type":"number"}},)"
         R"("gate_passed":{"type":"boolean"},"stage_ns":{"type":"object"},"model":{"type":"object"}}})";
}

}  // namespace saferl::services
