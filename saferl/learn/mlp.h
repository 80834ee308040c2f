#pragma once
// Multi-layer perceptron in float32: tanh hidden layers, linear output, all weights in one flat
// vector.
//
//   z_l = W_l a_(l-1) + b_l,   a_l = tanh(z_l) for l < L,   y = z_L
//
// Works on tiles of up to kTile samples (kernels.h). Forward keeps the activations; Backward and
// ForwardR read them. Shapes: x (n_in x width), y (n_out x width), feature-major with stride kTile.
// Parameters: for each layer W (out x in,
//   row-major), then b (out).
// RT: no allocation after the tile is made; used for training only (inference at run time is
// saferl/policy). Errors: none; NaN in gives NaN out. Source: R-operator: Pearlmutter, "Fast exact
// multiplication by the Hessian" (1994), eq. 11-13.

#include <cstdint>
#include <span>
#include <vector>

#include "saferl/base/random.h"
#include "saferl/learn/kernels.h"

namespace saferl::learn {

/// Scratch of one thread: activations and their derivatives for one tile.
struct MlpTile {
  int width = 0;                               ///< samples in use
  std::vector<std::vector<float>> activation;  ///< [layer 0..L](size x kTile); [0] is the input
  std::vector<std::vector<float>> tangent;     ///< the same, directional derivatives (ForwardR)
  std::vector<float> delta, delta_below;       ///< (widest x kTile)

  float* input() { return activation.front().data(); }
  const float* output() const { return activation.back().data(); }
  const float* output_tangent() const { return tangent.back().data(); }
};

class Mlp {
 public:
  Mlp() = default;
  /// sizes = {n_in, hidden..., n_out}; at least two entries, all positive.
  explicit Mlp(std::vector<int> sizes, const Kernels& kernels = BestKernels());

  const std::vector<int>& sizes() const { return sizes_; }
  int n_in() const { return sizes_.front(); }
  int n_out() const { return sizes_.back(); }
  int n_params() const { return n_params_; }
  int n_layers() const { return static_cast<int>(sizes_.size()) - 1; }
  int weight_offset(int layer) const { return offset_[layer]; }  ///< of W_(layer+1); its b follows

  MlpTile MakeTile() const;

  /// Orthogonal-like start: N(0, gain^2 / n_in) per weight, zero bias; the last layer with
  /// `output_gain`.
  void Initialise(std::span<float> params, Random* random, double output_gain) const;

  /// Reads tile->input() (padding samples zero), writes all activations.
  void Forward(std::span<const float> params, int width, MlpTile* tile) const;
  /// grad += d(sum over samples of <d_output, y>)/d params. `d_output` (n_out x kTile), padding
  /// zero.
  void Backward(std::span<const float> params, const float* d_output, MlpTile* tile,
                std::span<float> grad) const;
  /// After Forward: the derivative of y along `direction` in parameter space, in
  /// tile->output_tangent().
  void ForwardR(std::span<const float> params, std::span<const float> direction,
                MlpTile* tile) const;

  /// Multiply-adds of one forward pass of one sample (for benches).
  int64_t mac() const;

 private:
  std::vector<int> sizes_;
  std::vector<int> offset_;
  int n_params_ = 0;
  int widest_ = 0;
  const Kernels* kernels_ = nullptr;
};

}  // namespace saferl::learn
