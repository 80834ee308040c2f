#pragma once
// A policy ready to run: observation normaliser + Gaussian MLP + schemas, loaded from one verified
// package file.
//
//   z = clip((o - mu) / sigma)
//   mean(o) = scale * squash(W_L act(... act(W_1 z + b_1) ...) + b_L) + offset
//
// Shapes: observation float32 (n_obs), action float32 (n_act); order, meaning and units are in the
//   schema.
// RT: Load no; Forward yes (no allocation; 2 KB of stack; AVX2/FMA chosen at load, portable
//   otherwise; each path is bit-stable: the same input gives the same bits on every run).
// Errors: Load verifies the SHA-256 and the golden vectors and says which field is wrong. Forward
//   returns false when any input or output is not finite (the Tick then runs without the policy:
//   Reason kPolicyInvalid).
// Cost: 48-64-64-8 takes 0.24 us hot (AVX2), 0.34 us from cold caches if its weights are float16
//   values (half.h); `saferl bench policy`.
// Bytes: docs/formats/model_package.md.

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "saferl/base/status.h"

namespace saferl::policy {

enum class Activation : uint8_t { kTanh, kRelu, kSigmoid, kIdentity };

/// One entry of an observation or action vector.
struct Field {
  std::string name;         ///< e.g. "goal_distance"
  std::string unit;         ///< e.g. "m"
  int size = 1;             ///< consecutive elements
  float low = 0, high = 0;  ///< expected range
};

struct Layer {
  int in = 0, out = 0;
  Activation activation = Activation::kTanh;  ///< applied to this layer's output
  std::vector<float> weight;                  ///< (out x in) row-major
  std::vector<float> bias;                    ///< (out)
  /// int8 layers (quantise.h), empty and 0 otherwise: every weight is a whole number of [-127, 127]
  /// times its row's scale, and inputs are held in [-input_limit, input_limit].
  std::vector<float> weight_scale = {};  ///< (out)
  float input_limit = 0;

  bool int8() const { return !weight_scale.empty(); }
};

/// Everything a package holds, as plain data: what training writes and import/export convert.
struct PolicySpec {
  std::string name;
  std::string robot;                     ///< robot model it was made for
  std::vector<Field> observation;        ///< sizes add up to n_obs
  std::vector<Field> action;             ///< sizes add up to n_act
  std::vector<float> obs_mean, obs_std;  ///< normaliser (n_obs); std > 0
  float obs_clip = 10.0F;                ///< |normalised observation| is clipped here
  std::vector<Layer> layers;
  std::vector<float> log_std;  ///< exploration noise of the Gaussian (n_act); not used by Forward
  std::vector<float> action_scale, action_offset;  ///< (n_act), command = scale * output + offset
  bool squash = true;                              ///< tanh on the last layer's output
  std::string training_record;  ///< JSON: algorithm, seed, steps, cost limits, evaluation
  std::vector<std::vector<float>> golden_observations, golden_actions;  ///< checked at every load

  int n_obs() const;
  int n_act() const;
  bool int8() const;  ///< any layer is
  Status Validate() const;
};

inline constexpr int kMaxWidth = 256;  ///< widest layer (inputs included) that Forward takes
inline constexpr int kMaxLayers = 8;

struct PackedNetwork;
struct PackedDelete {
  void operator()(const PackedNetwork* packed) const;
};

class Policy {
 public:
  /// Prepares weights for inference (padding, transposition, kernel choice) and checks the golden
  /// vectors.
  static StatusOr<std::shared_ptr<const Policy>> Create(PolicySpec spec);

  const PolicySpec& spec() const { return spec_; }
  const std::string& sha256() const { return sha256_; }  ///< of the package bytes (hex)

  /// The mean action. False when a size is wrong or an input or output is not finite; `action` is
  /// then as it was.
  bool Forward(std::span<const float> observation, std::span<float> action) const;

 private:
  Policy() = default;
  friend struct PolicyAccess;
  PolicySpec spec_;
  std::string sha256_;
  std::unique_ptr<const PackedNetwork, PackedDelete> packed_;  ///< layout: kernel.h
};

/// Package file <-> spec (package.cc).
Status SavePackage(const PolicySpec& spec, const std::string& path);
StatusOr<PolicySpec> ReadPackage(const std::string& path);
/// ReadPackage + Create.
StatusOr<std::shared_ptr<const Policy>> LoadPolicy(const std::string& path);
/// ONNX chains of Gemm/MatMul/Add/Tanh/Relu/Sigmoid (onnx.cc).
StatusOr<PolicySpec> ImportOnnx(const std::string& path);
Status ExportOnnx(const PolicySpec& spec, const std::string& path);

}  // namespace saferl::policy
