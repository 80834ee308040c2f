// Plans and states as they lie in the database.
#include "saferl/base/json.h"
#include "saferl/base/json_reader.h"
#include "saferl/base/text.h"
#include "saferl/registry/rollouts_store.h"

namespace saferl::registry {
namespace {

/// Reads an object whose every key `field` knows.
template <class Field>
Status ReadObject(std::string_view json, std::string_view name, Field&& field) {
  JsonReader reader(json, name);
  std::string key;
  SAFERL_RETURN_IF_ERROR(reader.BeginObject());
  while (reader.NextKey(&key)) SAFERL_RETURN_IF_ERROR(field(reader, key));
  return reader.Finish();
}

Status ReadInt(JsonReader& r, int* into) {
  int64_t value = 0;
  SAFERL_RETURN_IF_ERROR(r.Integer(&value));
  if (value < 0 || value > 1000) return r.Fail("a count outside of 0 to 1000");
  *into = static_cast<int>(value);
  return absl::OkStatus();
}

Status ReadPhase(JsonReader& r, Phase* into) {
  std::string text;
  SAFERL_RETURN_IF_ERROR(r.String(&text));
  SAFERL_ASSIGN_OR_RETURN(*into, ParsePhase(text));
  return absl::OkStatus();
}

}  // namespace

std::string ToJson(const RolloutPlan& p) {
  JsonWriter w;
  w.BeginObject().Field("strategy", Name(p.strategy)).Field("steps", p.steps);
  w.Field("shadow_first", p.shadow_first).Field("approvals", p.approvals);
  w.Field("min_dwell_s", p.min_dwell_s).Field("min_exposure_h", p.min_exposure_h);
  w.Field("bake_s", p.bake_s).Field("max_hold_s", p.max_hold_s).Field("lease_s", p.lease_s);
  return w.EndObject().Take();
}

std::string ToJson(const RolloutState& s) {
  JsonWriter w;
  w.BeginObject().Field("phase", Name(s.phase)).Field("held", Name(s.held));
  w.Field("held_by_operator", s.held_by_operator).Field("step", s.step);
  w.Field("approved", s.approved).Field("quarantined", s.quarantined);
  return w.EndObject().Take();
}

StatusOr<RolloutPlan> PlanFromJson(std::string_view json) {
  RolloutPlan p;
  const Status read =
      ReadObject(json, "plan", [&p](JsonReader& r, const std::string& key) -> Status {
        if (key == "strategy") {
          std::string text;
          SAFERL_RETURN_IF_ERROR(r.String(&text));
          const StatusOr<Strategy> strategy = ParseStrategy(text);
          if (!strategy.ok()) return strategy.status();
          p.strategy = *strategy;
          return absl::OkStatus();
        }
        if (key == "steps") {
          p.steps.clear();
          return r.Numbers(&p.steps);
        }
        if (key == "shadow_first") return r.Bool(&p.shadow_first);
        if (key == "approvals") return ReadInt(r, &p.approvals);
        if (key == "min_dwell_s") return r.Number(&p.min_dwell_s);
        if (key == "min_exposure_h") return r.Number(&p.min_exposure_h);
        if (key == "bake_s") return r.Number(&p.bake_s);
        if (key == "max_hold_s") return r.Number(&p.max_hold_s);
        if (key == "lease_s") return r.Number(&p.lease_s);
        return r.Fail(Cat("no field '", JsonEscape(key), "'"));
      });
  SAFERL_RETURN_IF_ERROR(read);
  SAFERL_RETURN_IF_ERROR(p.Validate());
  return p;
}

StatusOr<RolloutState> StateFromJson(std::string_view json) {
  RolloutState s;
  const Status read =
      ReadObject(json, "state", [&s](JsonReader& r, const std::string& key) -> Status {
        if (key == "phase") return ReadPhase(r, &s.phase);
        if (key == "held") return ReadPhase(r, &s.held);
        if (key == "held_by_operator") return r.Bool(&s.held_by_operator);
        if (key == "step") return ReadInt(r, &s.step);
        if (key == "approved") return ReadInt(r, &s.approved);
        if (key == "quarantined") return r.Bool(&s.quarantined);
        return r.Fail(Cat("no field '", JsonEscape(key), "'"));
      });
  SAFERL_RETURN_IF_ERROR(read);
  return s;
}

}  // namespace saferl::registry
