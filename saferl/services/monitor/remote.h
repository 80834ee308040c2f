#pragma once
// The decisions of a robot that an inference service elsewhere decides for, and the monitor's word
// to it: the client's side of /monitor/stream (services/decide/watches.h).
//
// Serials that are missing within a connection are lost decisions, which the judge calls a finding;
// those that passed while there was no connection are counted (RemoteMemory), and the robot stood
// by its lease. A grant names the last decision that was judged: the service counts the lease from
// the moment in which it made that decision, so that no delay on the way makes it longer.
// A connection on which nothing comes for 2 s, not even the answer to a ping, is dead.
// RT: no. Errors: kUnavailable (no connection, no session yet, refused), kInvalidArgument (URL,
// PEM file, another protocol); no message contains the address.

#include <memory>
#include <string>

#include "saferl/net/ws_client.h"
#include "saferl/services/monitor/stream.h"

namespace saferl::services {

/// Kept from one connection to the next.
struct RemoteMemory {
  std::string epoch;    ///< of the service's process
  uint64_t serial = 0;  ///< the last that was seen
  uint64_t connections = 0;
};

/// Connects and waits for the robot's first decision, at most options.connect_timeout_s each.
/// What `memory` says was missed counts as lost from the start.
StatusOr<std::unique_ptr<DecisionSource>> OpenRemote(const net::WsClientOptions& options,
                                                     RemoteMemory* memory);

}  // namespace saferl::services
