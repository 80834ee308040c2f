#pragma once
// What a figure must be read with: the machine, the build, the commit. RT: no. Errors: unknown
// parts are "unknown".

#include <string>

#include "saferl/base/json.h"

namespace saferl::cli {

struct Machine {
  std::string cpu, kernel, compiler, build_type, commit, version, governor;
  int cores = 0;
  double load = 0;  ///< one-minute load average
};
Machine DescribeMachine();
/// "machine": {...}, "commit": "...", "version": "..." into an open object.
void WriteMachine(const Machine& machine, JsonWriter* w);

}  // namespace saferl::cli
