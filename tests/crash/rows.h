#pragma once
// The rows that the crash test writes, and what of them must be there afterwards. RT: no.

#include <cstdint>
#include <memory>
#include <set>
#include <string>

#include "saferl/base/status.h"
#include "saferl/storage/database.h"

namespace saferl::crash {

StatusOr<std::unique_ptr<storage::Database>> OpenRows(const std::string& directory);
Status AddRow(storage::Database* database, int64_t id);
/// Opens, finds every acknowledged number whole, no half transaction, a sound file, and writes on.
Status VerifyRows(const std::string& directory, const std::set<uint64_t>& acknowledged);

}  // namespace saferl::crash
