#pragma once
// The registry's tables. Change them by adding a migration (storage/database.h), never by editing
// one. RT: no.

#include <span>

#include "saferl/storage/database.h"

namespace saferl::registry {

std::span<const storage::Migration> Migrations();

}  // namespace saferl::registry
