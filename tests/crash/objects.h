#pragma once
// The objects that the crash test puts, and what of them must be there afterwards. RT: no.

#include <cstdint>
#include <memory>
#include <set>
#include <string>

#include "saferl/base/status.h"
#include "saferl/storage/objects.h"

namespace saferl::crash {

StatusOr<std::unique_ptr<storage::Objects>> OpenObjects(const std::string& directory);
Status AddObject(storage::Objects* objects, int64_t id);
/// Opens, finds every acknowledged object and every listed one whole, no temporary file, and puts
/// another.
Status VerifyObjects(const std::string& directory, const std::set<uint64_t>& acknowledged);

}  // namespace saferl::crash
