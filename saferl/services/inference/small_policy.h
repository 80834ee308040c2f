#pragma once
// For tests: the policy "small", 3 in and 2 out, whose action is tanh(sign x). RT: no.

#include <string>

#include "saferl/policy/package.h"

namespace saferl::services {

/// A small policy whose action is known: tanh of weights that `sign` flips.
inline policy::PolicySpec SmallSpec(float sign) {
  policy::PolicySpec spec;
  spec.name = "small";
  spec.robot = "wheelchair";
  spec.observation = {{"o", "m", 3, -1, 1}};
  spec.action = {{"u", "m/s", 2, -1, 1}};
  spec.obs_mean = {0, 0, 0};
  spec.obs_std = {1, 1, 1};
  policy::Layer layer;
  layer.in = 3;
  layer.out = 2;
  layer.activation = policy::Activation::kIdentity;
  layer.weight = {sign, 0, 0, 0, sign, 0};
  layer.bias = {0, 0};
  spec.layers = {layer};
  spec.log_std = {0, 0};
  spec.action_scale = {1, 1};
  spec.action_offset = {0, 0};
  spec.training_record = "{}";
  spec.golden_observations = {{0, 0, 0}};
  spec.golden_actions = {{0, 0}};
  return spec;
}

inline std::string Package(float sign) { return policy::EncodePackage(SmallSpec(sign)).value(); }

}  // namespace saferl::services
