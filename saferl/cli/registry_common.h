#pragma once
// What the `registry` verbs share: which stores they open, who is asking, how versions are named.
// RT: no.

#include <functional>
#include <string>
#include <vector>

#include "saferl/cli/verb.h"
#include "saferl/registry/rollouts_store.h"
#include "saferl/services/rollouts/operations.h"
#include "saferl/services/stores.h"

namespace saferl::cli {

/// --config, --set: the same configuration as `saferl up` reads.
std::vector<ArgSpec> StoreArgs(std::vector<ArgSpec> more);
ArgSpec ModelArg();
ArgSpec VersionArg(bool required, std::string doc);
ArgSpec WhoArg();

/// Configuration and registry of one call.
struct OpenedRegistry {
  services::ServiceConfig config;
  services::RegistryStores stores;
  registry::Store* store() const { return stores.store.get(); }
};
StatusOr<OpenedRegistry> OpenFor(const Args& args);

/// --who, else the user of this machine.
std::string Who(const Args& args);
/// The MODEL and VERSION arguments; `newest` ignores the champion when no version is given.
StatusOr<registry::Version> VersionOf(const OpenedRegistry& opened, const Args& args, bool newest);
/// The newest rollout of MODEL through `change`, which gets who asks and --reason; then prints it.
StatusOr<ExitCode> ChangeRollout(
    const Args& args, Console& console,
    const std::function<StatusOr<registry::Rollout>(const OpenedRegistry&, const registry::Rollout&,
                                                    const services::Act&)>& change);
/// Prints a rollout and its journal, text or JSON.
Status PrintRollout(const OpenedRegistry& opened, const registry::Rollout& rollout,
                    Console& console);

}  // namespace saferl::cli
