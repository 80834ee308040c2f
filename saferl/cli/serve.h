#pragma once
// What the verbs that serve until a signal comes have in common. RT: no.

#include <csignal>

#include "saferl/cli/verb.h"
#include "saferl/services/config.h"

namespace saferl::cli {

ArgSpec ConfigFileArg();  ///< --config
ArgSpec SetArg();         ///< --set

/// A file ("": none), then the .env of this folder, then the environment.
services::ConfigSources SourcesHere(const std::string& file);
/// --config, then .env, then the environment, then --set.
StatusOr<services::ServiceConfig> ServiceConfigOf(const Args& args);
/// Warns of each variable of .env that looks like a misspelling of one of ours.
void WarnOfMisspelt(const services::ServiceConfig& config);
/// Blocks SIGTERM and SIGINT for this thread and all that it starts; for sigwait.
sigset_t BlockSignals();

}  // namespace saferl::cli
