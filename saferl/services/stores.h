#pragma once
// From the configuration to the stores: what the services and the registry's verbs open, so that
// both look at the same ones. RT: no. Errors: what a store says, with the field to change.

#include <memory>
#include <string>

#include "saferl/registry/signing.h"
#include "saferl/registry/store.h"
#include "saferl/services/config.h"
#include "saferl/storage/database.h"
#include "saferl/storage/objects.h"

namespace saferl::services {

storage::DatabaseOptions RowsOf(const ServiceConfig& config);
storage::ObjectsOptions ObjectsOf(const ServiceConfig& config);
/// data_dir itself, made when it is missing.
Status MakeDataFolder(const ServiceConfig& config);

/// The registry with the stores below it.
struct RegistryStores {
  std::unique_ptr<storage::Database> database;
  std::unique_ptr<storage::Objects> objects;
  std::unique_ptr<registry::Store> store;
};
StatusOr<RegistryStores> OpenRegistry(const ServiceConfig& config);

/// The public keys in data_dir/keys.
StatusOr<registry::Keyring> LoadKeyring(const ServiceConfig& config);
/// OK when robots may be given this version: its bytes are there and unchanged, and a trusted key
/// signed them. Without any key in the keyring, development alone does without signatures.
Status CheckDeployable(const ServiceConfig& config, const registry::Store& store,
                       const registry::Version& version);

}  // namespace saferl::services
