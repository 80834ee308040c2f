#include "saferl/services/stores.h"

#include <filesystem>

#include "saferl/base/text.h"

namespace saferl::services {
namespace {

std::string InFolder(const std::string& folder, const std::string& path) {
  return (std::filesystem::path(folder) / path).string();
}

}  // namespace

storage::DatabaseOptions RowsOf(const ServiceConfig& config) {
  const DatabaseConfig& db = config.database;
  storage::DatabaseOptions rows;
  rows.url = db.host.empty() ? Cat("sqlite:", InFolder(config.data_dir, db.path))
                             : Cat("postgresql://", db.user, "@", db.host, ":", db.port, "/",
                                   db.name, "?sslmode=", db.ssl_mode);
  rows.password = db.password;
  rows.pool = db.pool;
  return rows;
}

storage::ObjectsOptions ObjectsOf(const ServiceConfig& config) {
  const ObjectsConfig& o = config.objects;
  storage::ObjectsOptions objects;
  objects.url =
      o.bucket.empty() ? Cat("dir:", InFolder(config.data_dir, o.path)) : Cat("s3://", o.bucket);
  objects.endpoint = o.endpoint;
  objects.region = o.region;
  objects.access_key_id = o.access_key_id;
  objects.secret_access_key = o.secret_access_key;
  objects.ca_file = o.ca_file;
  return objects;
}

Status MakeDataFolder(const ServiceConfig& config) {
  std::error_code error;
  std::filesystem::create_directories(config.data_dir, error);
  if (!error) return absl::OkStatus();
  return absl::FailedPreconditionError(
      Cat("data_dir: ", config.data_dir, ": ", error.message(), "; name a folder you may write"));
}

StatusOr<RegistryStores> OpenRegistry(const ServiceConfig& config) {
  SAFERL_RETURN_IF_ERROR(MakeDataFolder(config));
  RegistryStores stores;
  SAFERL_ASSIGN_OR_RETURN(stores.database, storage::OpenDatabase(RowsOf(config)));
  SAFERL_ASSIGN_OR_RETURN(stores.objects, storage::OpenObjects(ObjectsOf(config)));
  SAFERL_ASSIGN_OR_RETURN(stores.store,
                          registry::Store::Open(stores.database.get(), stores.objects.get()));
  return stores;
}

StatusOr<registry::Keyring> LoadKeyring(const ServiceConfig& config) {
  return registry::Keyring::Load(InFolder(config.data_dir, "keys"));
}

Status CheckDeployable(const ServiceConfig& config, const registry::Store& store,
                       const registry::Version& version) {
  SAFERL_RETURN_IF_ERROR(store.Bytes(version.digest).status());  // the object store checks them
  SAFERL_ASSIGN_OR_RETURN(const registry::Keyring keyring, LoadKeyring(config));
  if (keyring.keys().empty() && config.environment == Environment::kDevelopment)
    return absl::OkStatus();
  SAFERL_ASSIGN_OR_RETURN(const std::vector<registry::Signature> signatures,
                          store.Signatures(version.digest));
  return registry::RequireSignature(version.digest, signatures, keyring);
}

}  // namespace saferl::services
