#pragma once
// DriftShape: what a DriftDetector (drift.h) has to know of a model, whatever computes it: names,
// units and, where there is one, the normaliser that training left behind.
//
// Units: those of the model's values. RT: no. Errors: none.

#include <string>
#include <vector>

#include "saferl/policy/policy.h"

namespace saferl::policy {

/// What a detector has to know of a model, whatever computes it.
struct DriftShape {
  std::vector<std::string> observation, action;  ///< names, one per value
  /// z = (value - offset) * inverse, clipped; one per value, observation then action.
  std::vector<float> offset, inverse;
  float clip = 10;
  bool normalised = true;  ///< observations have mean 0 and deviation 1 in these units
  std::vector<std::vector<float>> repeated;  ///< by observation: values that may stand still
};
DriftShape ShapeOf(const PolicySpec& spec);
/// Of a model that tells nothing but its sizes; a value is one of "name[i]".
DriftShape PlainShape(const std::string& observation, size_t n_obs, const std::string& action,
                      size_t n_act);

}  // namespace saferl::policy
