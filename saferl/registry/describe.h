#pragma once
// The registry's records as JSON, for the command line and the API alike: times in ISO 8601 (UTC),
// what is not known left out. RT: no.

#include <string>

#include "saferl/base/json.h"
#include "saferl/registry/rollouts_store.h"

namespace saferl::registry {

/// "2026-01-02T03:04:05Z".
std::string IsoTime(int64_t ns);
void Write(const Model& model, JsonWriter* w);
void Write(const Version& version, JsonWriter* w);
void Write(const Event& event, JsonWriter* w);
/// Without the bundle itself.
void Write(const Signature& signature, JsonWriter* w);
void Write(const Approval& approval, JsonWriter* w);
/// With the share of robots that may run the new version.
void Write(const Rollout& rollout, JsonWriter* w);
void Write(const JournalEntry& entry, JsonWriter* w);

}  // namespace saferl::registry
