#include "saferl/policy/drift_shape.h"

#include <algorithm>
#include <cmath>

#include "saferl/base/text.h"

namespace saferl::policy {
namespace {

constexpr float kNoClip = 1e12F;  // whose square is a float still

std::vector<std::string> NamesOf(const std::vector<Field>& fields) {
  std::vector<std::string> names;
  for (const Field& field : fields) {
    for (int i = 0; i < field.size; ++i)
      names.push_back(field.size == 1 ? field.name : Cat(field.name, "[", i, "]"));
  }
  return names;
}

/// Values that more than one golden observation has, feature by feature.
std::vector<std::vector<float>> RepeatedIn(const PolicySpec& spec) {
  std::vector<std::vector<float>> repeated(static_cast<size_t>(spec.n_obs()));
  for (size_t f = 0; f < repeated.size(); ++f) {
    std::vector<float> values;
    for (const std::vector<float>& golden : spec.golden_observations) values.push_back(golden[f]);
    std::ranges::sort(values);
    for (size_t i = 1; i < values.size(); ++i) {
      if (values[i] == values[i - 1]) repeated[f].push_back(values[i]);
    }
  }
  return repeated;
}

}  // namespace

DriftShape ShapeOf(const PolicySpec& spec) {
  DriftShape shape;
  shape.observation = NamesOf(spec.observation);
  shape.action = NamesOf(spec.action);
  shape.clip = spec.obs_clip;
  shape.offset = spec.obs_mean;
  shape.offset.insert(shape.offset.end(), spec.action_offset.begin(), spec.action_offset.end());
  for (const float deviation : spec.obs_std) shape.inverse.push_back(1 / deviation);
  for (const float unit : spec.action_scale)
    shape.inverse.push_back(unit == 0 ? 1.0F : 1 / std::abs(unit));
  shape.repeated = RepeatedIn(spec);
  shape.normalised = !std::ranges::all_of(spec.obs_mean, [](float m) { return m == 0; }) ||
                     !std::ranges::all_of(spec.obs_std, [](float d) { return d == 1; });
  if (!shape.normalised) shape.clip = kNoClip;
  return shape;
}

DriftShape PlainShape(const std::string& observation, size_t n_obs, const std::string& action,
                      size_t n_act) {
  DriftShape shape;
  shape.observation = NamesOf({{observation, "", static_cast<int>(n_obs)}});
  shape.action = NamesOf({{action, "", static_cast<int>(n_act)}});
  shape.offset.assign(n_obs + n_act, 0.0F);
  shape.inverse.assign(n_obs + n_act, 1.0F);
  shape.clip = kNoClip;
  shape.normalised = false;
  shape.repeated.resize(n_obs);
  return shape;
}

}  // namespace saferl::policy
