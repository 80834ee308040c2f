#pragma once
// Validation of a model package before anybody runs it: the specification's validate_model.
//
//   package   decodes, its SHA-256 is the registry's
//   golden    every golden vector recomputed within the format's tolerance
//   repeat    the same input gives the same bits, from two separate loads, every time
//   shape     observations, actions and their ranges are the robot's
//   finite    `samples` observations in the expected box, its corners and beyond it give finite
//             actions within the action schema's scale
// Each check is reported, also after one that failed; `good` is all of them. Deterministic.
// RT: no. Cost: about samples x one forward pass x 2. Errors: none, a check says what is wrong.

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "saferl/policy/policy.h"

namespace saferl::registry {

struct Check {
  std::string name;
  bool good = false;
  std::string detail;  ///< figures, or what is wrong and what to do
};

struct ValidationOptions {
  std::string digest = {};   ///< expected; empty: not compared
  std::string robot = {};    ///< expected; empty: any
  int n_obs = 0, n_act = 0;  ///< expected; 0: any
  int samples = 4096;
  uint64_t seed = 1;
  /// A further check on the decoded package, such as a drive under the safety filter; may be empty.
  std::function<Check(const policy::PolicySpec&)> safety_gate = {};
};

struct Validation {
  std::vector<Check> checks;
  std::string digest, name, robot;
  bool good() const;
};

Validation Validate(std::string_view package, const ValidationOptions& options);
/// {"good":...,"digest":...,"checks":[{"name":...,"good":...,"detail":...}]}
std::string ToJson(const Validation& validation);

}  // namespace saferl::registry
