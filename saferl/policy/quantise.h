#pragma once
// int8 inside a policy network: smaller and faster packages for a robot's own computer.
//
//   layer:  y_j = s_j (x_limit / levels) sum_k q_jk (u_k - zero) + b_j,   w_jk = q_jk s_j
//   input:  u = zero + round(x levels / x_limit), held in its range
//
// q: whole numbers of [-127, 127], one scale s per output. u: 7 bits, so that two products fit
//   int16 (2 x 127 x 127 = 32258) and no instruction saturates. After tanh or identity zero = 64,
//   levels = 63; after relu or sigmoid zero = 0, levels = 127. Rounding is to nearest, ties to
//   even.
// The first and the last layer stay float32: the one meets observations of any size, the other sets
//   the command's resolution.
// Errors: kInvalidArgument without a layer between those two, or already quantised. What the
//   numbers lose is measured (QuantisationError) and is not bounded for inputs that were not tried;
//   the safety filter judges the command either way.
// RT: Int8Input yes; the rest no.
// Source: Jacob et al., "Quantization and Training of Neural Networks for Efficient
//   Integer-Arithmetic-Only Inference" (2018), section 2, with symmetric weights per output.

#include <cstdint>

#include "saferl/policy/policy.h"

namespace saferl::policy {

struct Int8Input {
  int32_t zero = 0, low = 0;  ///< u of 0, and the lowest u; the highest is 127
  float per_unit = 0;         ///< levels / x_limit
};
/// The inputs of a layer that follows one with this activation.
constexpr Int8Input Int8InputAfter(Activation before, float limit) {
  const bool positive = before == Activation::kRelu || before == Activation::kSigmoid;
  return positive ? Int8Input{0, 0, 127.0F / limit} : Int8Input{64, 1, 63.0F / limit};
}

/// q of a weight of an int8 layer.
int8_t Int8Weight(const Layer& layer, int output, int input);

/// The spec with its inner layers in int8 and new golden vectors (`golden` of them). Limits of relu
/// and identity are the largest value among `calibration` observations mean + std * normal.
StatusOr<PolicySpec> Quantise(const PolicySpec& spec, int calibration, int golden, uint64_t seed);

/// |action - original's action| over `samples` observations mean + std * 2 * normal, in units of
/// |action scale|; both run by the kernels that a robot runs.
struct QuantisationReport {
  int64_t samples = 0;
  double worst = 0, p999 = 0, mean = 0;
};
StatusOr<QuantisationReport> QuantisationError(const Policy& original, const Policy& quantised,
                                               int64_t samples, uint64_t seed);

}  // namespace saferl::policy
