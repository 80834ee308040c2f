#include "saferl/registry/describe.h"

#include <ctime>

#include "saferl/base/clock.h"

namespace saferl::registry {
namespace {

void FieldIf(JsonWriter* w, std::string_view key, const std::string& text) {
  if (!text.empty()) w->Field(key, text);
}

void WriteTags(const std::vector<Tag>& tags, JsonWriter* w) {
  w->Key("tags").BeginObject();
  for (const Tag& tag : tags) w->Field(tag.key, tag.value);
  w->EndObject();
}

}  // namespace

std::string IsoTime(int64_t ns) {
  const std::time_t seconds = ns / kNanosPerSecond;
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc);
  return text;
}

void Write(const Model& model, JsonWriter* w) {
  w->BeginObject().Field("name", model.name);
  FieldIf(w, "description", model.description);
  w->Field("created", IsoTime(model.created_ns)).Field("updated", IsoTime(model.updated_ns));
  w->Key("aliases").BeginObject();
  for (const Alias& alias : model.aliases) w->Field(alias.alias, alias.number);
  w->EndObject();
  WriteTags(model.tags, w);
  w->EndObject();
}

void Write(const Version& v, JsonWriter* w) {
  w->BeginObject().Field("model", v.model).Field("version", v.number).Field("sha256", v.digest);
  w->Field("bytes", v.bytes).Field("robot", v.robot).Field("author", v.author);
  w->Field("created", IsoTime(v.created_ns)).Field("stage", v.stage).Field("aliases", v.aliases);
  FieldIf(w, "description", v.description);
  FieldIf(w, "run_id", v.run_id);
  w->Field("quarantined", v.quarantined);
  FieldIf(w, "quarantine_reason", v.quarantine_reason);
  WriteTags(v.tags, w);
  w->Key("lineage").BeginObject();
  FieldIf(w, "data", v.lineage.data);
  FieldIf(w, "commit", v.lineage.code_commit);
  FieldIf(w, "config_sha256", v.lineage.config_sha256);
  FieldIf(w, "seed", v.lineage.seed);
  FieldIf(w, "task", v.lineage.task);
  FieldIf(w, "algorithm", v.lineage.algorithm);
  w->EndObject().EndObject();
}

void Write(const Event& e, JsonWriter* w) {
  w->BeginObject().Field("seq", e.seq).Field("at", IsoTime(e.at_ns)).Field("kind", e.kind);
  w->Field("version", e.number).Field("who", e.who).Field("detail", e.detail).EndObject();
}

void Write(const Signature& s, JsonWriter* w) {
  w->BeginObject().Field("kind", s.kind).Field("key_id", s.key_id).Field("who", s.who);
  w->Field("at", IsoTime(s.at_ns)).EndObject();
}

void Write(const Approval& a, JsonWriter* w) {
  w->BeginObject().Field("who", a.who).Field("sha256", a.digest).Field("at", IsoTime(a.at_ns));
  FieldIf(w, "note", a.note);
  w->EndObject();
}

void Write(const Rollout& r, JsonWriter* w) {
  w->BeginObject().Field("id", r.id).Field("model", r.model).Field("to", r.to);
  w->Field("from", r.from).Field("active", r.active).Field("phase", Name(r.state.phase));
  w->Field("share", CanaryShare(r.plan, r.state)).Field("who", r.who);
  w->Field("started", IsoTime(r.created_ns)).Field("updated", IsoTime(r.updated_ns));
  w->Key("plan").Raw(ToJson(r.plan)).Key("state").Raw(ToJson(r.state)).EndObject();
}

void Write(const JournalEntry& e, JsonWriter* w) {
  w->BeginObject().Field("seq", e.seq).Field("at", IsoTime(e.at_ns)).Field("event", e.event);
  w->Field("who", e.who).Field("reason", e.reason).Field("before", Name(e.before.phase));
  w->Field("after", Name(e.after.phase)).EndObject();
}

}  // namespace saferl::registry
