#include "saferl/policy/quantise.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "saferl/base/json.h"
#include "saferl/base/random.h"
#include "saferl/policy/spec_builder.h"

namespace saferl::policy {
namespace {

std::vector<float> Draw(const PolicySpec& spec, double spread, Random* random) {
  std::vector<float> observation(spec.obs_mean.size());
  for (size_t i = 0; i < observation.size(); ++i) {
    observation[i] =
        static_cast<float>(spec.obs_mean[i] + spread * spec.obs_std[i] * random->Normal());
  }
  return observation;
}

/// The spec up to layer `count`, so that its output is what the next layer gets.
PolicySpec Head(const PolicySpec& spec, size_t count) {
  PolicySpec head = spec;
  head.layers.resize(count);
  const auto width = static_cast<size_t>(head.layers.back().out);
  head.squash = false;
  head.action_scale.assign(width, 1.0F);
  head.action_offset.assign(width, 0.0F);
  return head;
}

float InputLimit(const PolicySpec& spec, size_t l, int calibration, uint64_t seed) {
  const Activation before = spec.layers[l - 1].activation;
  if (before == Activation::kTanh || before == Activation::kSigmoid) return 1.0F;
  const PolicySpec head = Head(spec, l);
  Random random(seed);
  double limit = 0;
  for (int i = 0; i < calibration; ++i) {
    for (const double x : ReferenceForward(head, Draw(spec, 1.0, &random)))
      limit = std::max(limit, std::abs(x));
  }
  return static_cast<float>(std::clamp(limit, 1e-6, 1e6));
}

void QuantiseLayer(float input_limit, Layer* layer) {
  layer->input_limit = input_limit;
  for (int j = 0; j < layer->out; ++j) {
    float* row = layer->weight.data() + static_cast<ptrdiff_t>(j) * layer->in;
    float largest = 0;
    for (int k = 0; k < layer->in; ++k) largest = std::max(largest, std::abs(row[k]));
    const float scale = std::clamp(largest / 127.0F, 1e-20F, 1e20F);
    for (int k = 0; k < layer->in; ++k)
      row[k] = std::clamp(std::nearbyintf(row[k] / scale), -127.0F, 127.0F) * scale;
    layer->weight_scale.push_back(scale);
  }
}

/// {"quantised_from":"...", and what stood there}; a record that is no object stays as it is.
std::string RecordOf(const std::string& record, const std::string& from) {
  const StatusOr<Node> parsed = ParseJson(record, "training_record");
  const size_t brace = record.find('{');
  if (!parsed.ok() || !parsed->is_map() || brace == std::string::npos) return record;
  const bool empty = record.find_first_not_of(" \t\r\n", brace + 1) == record.rfind('}');
  return fmt::format("{{\"quantised_from\":\"{}\"{}{}", from, empty ? "" : ",",
                     record.substr(brace + 1));
}

}  // namespace

int8_t Int8Weight(const Layer& layer, int output, int input) {
  const size_t at = static_cast<size_t>(output) * static_cast<size_t>(layer.in) + input;
  return static_cast<int8_t>(
      std::nearbyintf(layer.weight[at] / layer.weight_scale[static_cast<size_t>(output)]));
}

StatusOr<PolicySpec> Quantise(const PolicySpec& spec, int calibration, int golden, uint64_t seed) {
  SAFERL_ASSIGN_OR_RETURN(const auto original, Policy::Create(spec));
  if (spec.int8()) {
    return absl::InvalidArgumentError(
        fmt::format("policy '{}': is int8 already; take the package it came from", spec.name));
  }
  if (spec.layers.size() < 3) {
    return absl::InvalidArgumentError(
        fmt::format("policy '{}': has {} layers, of which the first and the last stay float32; "
                    "serve it as it is",
                    spec.name, spec.layers.size()));
  }
  PolicySpec made = spec;
  for (size_t l = 1; l + 1 < made.layers.size(); ++l)
    QuantiseLayer(InputLimit(spec, l, calibration, seed), &made.layers[l]);
  made.training_record = RecordOf(spec.training_record, original->sha256());
  MakeGoldenVectors(&made, golden, seed);
  SAFERL_RETURN_IF_ERROR(made.Validate());
  return made;
}

StatusOr<QuantisationReport> QuantisationError(const Policy& original, const Policy& quantised,
                                               int64_t samples, uint64_t seed) {
  const PolicySpec& spec = original.spec();
  if (spec.n_obs() != quantised.spec().n_obs() || spec.n_act() != quantised.spec().n_act()) {
    return absl::InvalidArgumentError("quantised: has other sizes; compare with its own original");
  }
  Random random(seed);
  std::vector<float> a(static_cast<size_t>(spec.n_act())), b(a.size());
  std::vector<double> errors;
  QuantisationReport report{.samples = samples};
  for (int64_t i = 0; i < samples; ++i) {
    const std::vector<float> observation = Draw(spec, 2.0, &random);
    if (!original.Forward(observation, a)) continue;
    if (!quantised.Forward(observation, b)) {
      return absl::FailedPreconditionError(
          fmt::format("sample {}: the int8 policy gives no action where the original does", i));
    }
    double worst = 0;
    for (size_t k = 0; k < a.size(); ++k) {
      const double unit = std::abs(spec.action_scale[k]);
      if (unit > 0) worst = std::max(worst, std::abs(double{a[k]} - b[k]) / unit);
    }
    errors.push_back(worst);
    report.mean += worst / static_cast<double>(samples);
  }
  if (errors.empty()) return report;
  std::sort(errors.begin(), errors.end());
  report.worst = errors.back();
  report.p999 = errors[static_cast<size_t>(0.999 * static_cast<double>(errors.size() - 1))];
  return report;
}

}  // namespace saferl::policy
