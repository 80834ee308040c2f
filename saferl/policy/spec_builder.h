#pragma once
// Fresh policy specs: a Gaussian MLP with orthogonal weights, its golden vectors, and a slow exact
// forward pass.
//
// Shapes: as in policy.h. Units: the caller renames fields and sets units, ranges, scale and
// offset. Deterministic: the same arguments give the same bytes on every machine. RT: no. Errors:
// none; sizes are the caller's promise (Policy::Create checks them). Source: Saxe, McClelland &
// Ganguli, "Exact solutions to the nonlinear dynamics of learning in deep
//   linear networks" (2014), orthogonal weights; gains sqrt(2) inside and 0.01 at the output as in
//   Andrychowicz et al., "What matters in on-policy reinforcement learning?" (2021).

#include <cstdint>
#include <span>
#include <vector>

#include "saferl/policy/policy.h"

namespace saferl::policy {

/// tanh layers of the given widths, squashed output, unit normaliser and scale, log_std = -0.5, no
/// golden vectors. The schemas hold one field each, "observation" and "action", unit "1", range
/// [-1, 1].
PolicySpec MakeGaussianMlp(int n_obs, int n_act, std::span<const int> hidden, uint64_t seed);

/// Every weight to the nearest float16 value (half.h), which kernels read in half the memory. What
/// is beyond its range stays; a layer with such a weight stays float32. Golden vectors are the
/// caller's to make anew.
void RoundWeights(PolicySpec* spec);

/// Replaces the golden vectors by `count` new ones: observations mean + std * normal, actions by
/// ReferenceForward. With int8 layers only observations that every kernel rounds alike.
void MakeGoldenVectors(PolicySpec* spec, int count, uint64_t seed);

/// The network in double precision with the C library's functions: what every kernel is measured
/// against.
/// `margin` gets the distance, in steps of u (quantise.h), of the nearest input of an int8 layer to
/// where it would round the other way; 1 without such layers. Below about 1e-4 a kernel may differ
/// by a whole step.
std::vector<double> ReferenceForward(const PolicySpec& spec, std::span<const float> observation,
                                     double* margin = nullptr);

}  // namespace saferl::policy
