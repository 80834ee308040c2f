// PolicySpec::Validate: every size, range and name that the kernels and the package format rely on.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "saferl/policy/package.h"
#include "saferl/policy/policy.h"
#include "saferl/policy/quantise.h"

namespace saferl::policy {
namespace {

int TotalSize(const std::vector<Field>& fields) {
  int n = 0;
  for (const Field& field : fields) n += field.size;
  return n;
}

Status Bad(std::string_view field, std::string_view problem, std::string_view fix) {
  return absl::InvalidArgumentError(fmt::format("{}: {}; {}", field, problem, fix));
}

/// Well-formed UTF-8 (RFC 3629) without control characters; line breaks and tabs only if allowed.
bool IsPlainText(std::string_view text, bool lines) {
  for (size_t i = 0; i < text.size();) {
    const auto lead = static_cast<unsigned char>(text[i]);
    const size_t more = lead < 0x80 ? 0 : lead < 0xc2 ? 4 : lead < 0xe0 ? 1 : lead < 0xf0 ? 2 : 3;
    if (more > 3 || lead > 0xf4 || i + more >= text.size()) return false;
    uint32_t code = more == 0 ? lead : lead & (0x3fU >> more);
    for (size_t k = 1; k <= more; ++k) {
      const auto next = static_cast<unsigned char>(text[i + k]);
      if ((next & 0xc0) != 0x80) return false;
      code = code << 6 | (next & 0x3fU);
    }
    constexpr uint32_t kSmallest[] = {0, 0x80, 0x800, 0x10000};
    if (code < kSmallest[more] || code > 0x10ffff) return false;
    if (code >= 0xd800 && code < 0xe000) return false;  // surrogates
    const bool line = code == '\n' || code == '\r' || code == '\t';
    if ((code < 0x20 && !(lines && line)) || (code >= 0x7f && code < 0xa0)) return false;
    i += more + 1;
  }
  return true;
}

Status CheckText(std::string_view field, std::string_view text, bool may_be_empty) {
  if (text.empty() && !may_be_empty) return Bad(field, "is empty", "give it a name");
  if (text.size() > kMaxNameBytes) {
    return Bad(field, fmt::format("has {} bytes", text.size()),
               fmt::format("at most {} fit", kMaxNameBytes));
  }
  if (!IsPlainText(text, false)) {
    return Bad(field, "is not printable UTF-8", "remove control characters and broken bytes");
  }
  return absl::OkStatus();
}

Status CheckFinite(std::string_view field, const std::vector<float>& values, size_t size) {
  if (values.size() != size) {
    return Bad(field, fmt::format("has {} entries where the schema has {}", values.size(), size),
               "make the sizes equal");
  }
  for (size_t i = 0; i < size; ++i) {
    if (!std::isfinite(values[i])) {
      return Bad(fmt::format("{}[{}]", field, i), "is not finite", "every number must be finite");
    }
  }
  return absl::OkStatus();
}

Status CheckFields(std::string_view what, const std::vector<Field>& fields) {
  if (fields.empty()) return Bad(what, "has no field", "name at least one");
  if (fields.size() > static_cast<size_t>(kMaxWidth)) {
    return Bad(what, fmt::format("has {} fields", fields.size()),
               fmt::format("at most {} fit", kMaxWidth));
  }
  int total = 0;
  for (size_t i = 0; i < fields.size(); ++i) {
    const Field& field = fields[i];
    const std::string name = fmt::format("{}[{}]", what, i);
    SAFERL_RETURN_IF_ERROR(CheckText(name + ".name", field.name, false));
    SAFERL_RETURN_IF_ERROR(CheckText(name + ".unit", field.unit, false));
    if (field.size < 1 || field.size > kMaxWidth) {
      return Bad(name + ".size", fmt::format("is {}", field.size),
                 fmt::format("use 1 to {}", kMaxWidth));
    }
    if (!std::isfinite(field.low) || !std::isfinite(field.high) || field.low > field.high) {
      return Bad(name, fmt::format("has the range [{}, {}]", field.low, field.high),
                 "give finite limits with low <= high");
    }
    for (size_t j = 0; j < i; ++j) {
      if (fields[j].name == field.name) {
        return Bad(name + ".name", fmt::format("'{}' is already taken by field {}", field.name, j),
                   "give each field its own name");
      }
    }
    total += field.size;
  }
  if (total > kMaxWidth) {
    return Bad(what, fmt::format("has {} elements", total),
               fmt::format("at most {} fit", kMaxWidth));
  }
  return absl::OkStatus();
}

Status CheckInt8(const PolicySpec& spec, size_t l) {
  const Layer& layer = spec.layers[l];
  const std::string name = fmt::format("layers[{}]", l);
  if (!layer.int8()) {
    if (layer.input_limit == 0) return absl::OkStatus();
    return Bad(name + ".input_limit", "stands at a float32 layer", "use 0");
  }
  if (l == 0 || l + 1 == spec.layers.size()) {
    return Bad(name, "is int8", "keep the first and the last layer float32");
  }
  SAFERL_RETURN_IF_ERROR(
      CheckFinite(name + ".weight_scale", layer.weight_scale, static_cast<size_t>(layer.out)));
  if (!(layer.input_limit >= 1e-6F) || !(layer.input_limit <= 1e6F)) {
    return Bad(name + ".input_limit", fmt::format("is {}", layer.input_limit), "use 1e-6 to 1e6");
  }
  for (int j = 0; j < layer.out; ++j) {
    const float scale = layer.weight_scale[static_cast<size_t>(j)];
    if (!(scale >= 1e-20F) || !(scale <= 1e20F)) {
      return Bad(fmt::format("{}.weight_scale[{}]", name, j), fmt::format("is {}", scale),
                 "use 1e-20 to 1e20");
    }
    for (int k = 0; k < layer.in; ++k) {
      const size_t at = static_cast<size_t>(j) * static_cast<size_t>(layer.in) + k;
      const float q = std::nearbyint(layer.weight[at] / scale);
      if (!(std::abs(q) <= 127) || q * scale != layer.weight[at]) {
        return Bad(fmt::format("{}.weight[{}]", name, at),
                   fmt::format("is {}, not a whole number of [-127, 127] times its scale {}",
                               layer.weight[at], scale),
                   "make int8 layers with Quantise");
      }
    }
  }
  return absl::OkStatus();
}

Status CheckLayers(const PolicySpec& spec) {
  if (spec.layers.empty() || spec.layers.size() > static_cast<size_t>(kMaxLayers)) {
    return Bad("layers", fmt::format("has {} layers", spec.layers.size()),
               fmt::format("use 1 to {}", kMaxLayers));
  }
  int in = spec.n_obs();
  for (size_t l = 0; l < spec.layers.size(); ++l) {
    const Layer& layer = spec.layers[l];
    const std::string name = fmt::format("layers[{}]", l);
    if (layer.in != in) {
      return Bad(name + ".in", fmt::format("is {} where {} values arrive", layer.in, in),
                 "make the shapes a chain");
    }
    if (layer.out < 1 || layer.out > kMaxWidth) {
      return Bad(name + ".out", fmt::format("is {}", layer.out),
                 fmt::format("use 1 to {}", kMaxWidth));
    }
    if (layer.activation > Activation::kIdentity) {
      return Bad(name + ".activation", fmt::format("is {}", static_cast<int>(layer.activation)),
                 "use tanh, relu, sigmoid or identity");
    }
    const auto size = static_cast<size_t>(layer.in) * static_cast<size_t>(layer.out);
    SAFERL_RETURN_IF_ERROR(CheckFinite(name + ".weight", layer.weight, size));
    SAFERL_RETURN_IF_ERROR(CheckFinite(name + ".bias", layer.bias, static_cast<size_t>(layer.out)));
    SAFERL_RETURN_IF_ERROR(CheckInt8(spec, l));
    in = layer.out;
  }
  if (in != spec.n_act()) {
    return Bad("layers",
               fmt::format("end with {} values where the action has {}", in, spec.n_act()),
               "make the last layer as wide as the action schema");
  }
  return absl::OkStatus();
}

Status CheckNormaliser(const PolicySpec& spec, size_t n_obs) {
  SAFERL_RETURN_IF_ERROR(CheckFinite("obs_mean", spec.obs_mean, n_obs));
  SAFERL_RETURN_IF_ERROR(CheckFinite("obs_std", spec.obs_std, n_obs));
  for (size_t i = 0; i < n_obs; ++i) {
    if (!(spec.obs_std[i] > 0) || !std::isfinite(1.0F / spec.obs_std[i])) {
      return Bad(fmt::format("obs_std[{}]", i), fmt::format("is {}", spec.obs_std[i]),
                 "a standard deviation is above 1e-38; use 1 for an entry that never changes");
    }
  }
  if (!std::isfinite(spec.obs_clip) || !(spec.obs_clip > 0)) {
    return Bad("obs_clip", fmt::format("is {}", spec.obs_clip),
               "use a finite number above 0, such as 10");
  }
  return absl::OkStatus();
}

Status CheckGoldenShapes(const PolicySpec& spec, size_t n_obs, size_t n_act) {
  if (spec.golden_observations.size() != spec.golden_actions.size()) {
    return Bad("golden",
               fmt::format("has {} observations and {} actions", spec.golden_observations.size(),
                           spec.golden_actions.size()),
               "give one action for each observation");
  }
  if (spec.golden_observations.size() > kMaxGolden) {
    return Bad("golden", fmt::format("has {} vectors", spec.golden_observations.size()),
               fmt::format("at most {} fit", kMaxGolden));
  }
  for (size_t g = 0; g < spec.golden_observations.size(); ++g) {
    const std::string name = fmt::format("golden[{}]", g);
    SAFERL_RETURN_IF_ERROR(CheckFinite(name + ".observation", spec.golden_observations[g], n_obs));
    SAFERL_RETURN_IF_ERROR(CheckFinite(name + ".action", spec.golden_actions[g], n_act));
  }
  return absl::OkStatus();
}

}  // namespace

int PolicySpec::n_obs() const { return TotalSize(observation); }
int PolicySpec::n_act() const { return TotalSize(action); }
bool PolicySpec::int8() const {
  return std::any_of(layers.begin(), layers.end(), [](const Layer& l) { return l.int8(); });
}

Status PolicySpec::Validate() const {
  SAFERL_RETURN_IF_ERROR(CheckText("name", name, false));
  SAFERL_RETURN_IF_ERROR(CheckText("robot", robot, true));
  SAFERL_RETURN_IF_ERROR(CheckFields("observation", observation));
  SAFERL_RETURN_IF_ERROR(CheckFields("action", action));
  const auto obs_size = static_cast<size_t>(n_obs());
  const auto act_size = static_cast<size_t>(n_act());
  SAFERL_RETURN_IF_ERROR(CheckNormaliser(*this, obs_size));
  SAFERL_RETURN_IF_ERROR(CheckLayers(*this));
  SAFERL_RETURN_IF_ERROR(CheckFinite("log_std", log_std, act_size));
  SAFERL_RETURN_IF_ERROR(CheckFinite("action_scale", action_scale, act_size));
  SAFERL_RETURN_IF_ERROR(CheckFinite("action_offset", action_offset, act_size));
  if (training_record.size() > kMaxRecordBytes) {
    return Bad("training_record", fmt::format("has {} bytes", training_record.size()),
               fmt::format("at most {} fit", kMaxRecordBytes));
  }
  if (!IsPlainText(training_record, true)) {
    return Bad("training_record", "is not printable UTF-8",
               "remove control characters and broken bytes");
  }
  return CheckGoldenShapes(*this, obs_size, act_size);
}

}  // namespace saferl::policy
