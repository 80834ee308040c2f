#pragma once
// DriftReference: what a DriftDetector has learned of a policy, kept beyond the process: else a
// drift that began before a restart would be taken for the reference after it.
//
//   one line of JSON: {"drift_reference":1,"policy":SHA-256,"groups":[{"group":"action","features":
//     [{"name","mean","variance","dof","deviation"}, ...]}, ...]}
//   one line: SHA-256 of the first, in hex
// Means and deviations are in the detector's units of that policy's bytes: a reference of another
// policy is refused. Units: as drift.h. RT: no. Errors: kDataLoss: damaged, with what is wrong;
// kInvalidArgument: of another policy or another shape.

#include <string>
#include <string_view>
#include <vector>

#include "saferl/base/status.h"

namespace saferl::policy {

struct DriftReference {
  struct Feature {
    std::string name;
    double mean = 0, variance = 0, dof = 1, deviation = 1;
  };
  struct Group {
    std::string name;
    std::vector<Feature> features;
  };
  std::string policy;  ///< SHA-256 of its bytes (hex)
  std::vector<Group> groups;
};

std::string EncodeDriftReference(const DriftReference& reference);
/// `source` names the bytes in messages.
StatusOr<DriftReference> DecodeDriftReference(std::string_view bytes, std::string_view source);

}  // namespace saferl::policy
