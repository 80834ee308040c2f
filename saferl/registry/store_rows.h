#pragma once
// What the parts of Store share; nobody outside of the room includes it. RT: no.

#include <string>
#include <string_view>
#include <vector>

#include "saferl/registry/records.h"
#include "saferl/storage/database.h"

namespace saferl::registry {

/// SELECT list and FROM of every read of a version (aliased v, its model m, its quarantine q).
extern const char* const kSelectVersion;
Version VersionOf(const storage::Row& row);

/// The model of that name, inside of a transaction.
StatusOr<std::string> ModelId(storage::Transaction& t, const std::string& name);
/// kNotFound unless the version is there and not deleted; answers its digest.
StatusOr<std::string> LiveDigest(storage::Transaction& t, const std::string& model_id,
                                 const std::string& model, int64_t number);
Status NoModel(std::string_view name);
Status NoVersion(std::string_view model, std::string_view ref);

/// Whoever writes to the same model waits from here to the end of its transaction, or tries again.
Status LockModel(storage::Transaction& t, const std::string& model_id);
/// Appends to the history and marks the model (and version) as changed.
Status AddEvent(storage::Transaction& t, const std::string& model_id, const Event& event);
/// Appends what somebody saw and did not change: Revision stays.
Status AddObservation(storage::Transaction& t, const std::string& model_id, const Event& event);
/// What the rollouts do in the same transaction as their journal.
Status MoveAlias(storage::Transaction& t, const std::string& model_id, const std::string& alias,
                 int64_t number, const std::string& digest, const std::string& who, int64_t now);
Status AddApproval(storage::Transaction& t, const std::string& model_id, const std::string& model,
                   int64_t number, const Approval& approval);
Status AddQuarantine(storage::Transaction& t, const std::string& digest, const std::string& reason,
                     const std::string& who, int64_t now);

}  // namespace saferl::registry
