// What the command line says about a policy: ShowPolicy, ShowPolicyJson, VerifyPackage.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>

#include "saferl/base/file.h"
#include "saferl/base/json.h"
#include "saferl/policy/kernel.h"
#include "saferl/policy/package.h"

namespace saferl::policy {
namespace {

const char* Name(Activation activation) {
  switch (activation) {
    case Activation::kTanh:
      return "tanh";
    case Activation::kRelu:
      return "relu";
    case Activation::kSigmoid:
      return "sigmoid";
    case Activation::kIdentity:
      return "identity";
  }
  return "unknown";
}

size_t Parameters(const PolicySpec& spec) {
  size_t n = spec.log_std.size();
  for (const Layer& layer : spec.layers) n += layer.weight.size() + layer.bias.size();
  return n;
}

void AppendSchema(const char* title, const std::vector<Field>& fields, std::string* text) {
  auto out = std::back_inserter(*text);
  fmt::format_to(out, "{}\n", title);
  for (const Field& field : fields) {
    fmt::format_to(out, "  {:<28} {:>4} x [{}, {}] {}\n", field.name, field.size, field.low,
                   field.high, field.unit);
  }
}

void WriteSchema(const char* key, const std::vector<Field>& fields, JsonWriter* json) {
  json->Key(key).BeginArray();
  for (const Field& field : fields) {
    json->BeginObject().Field("name", field.name).Field("unit", field.unit);
    json->Field("size", field.size).Field("low", field.low).Field("high", field.high);
    json->EndObject();
  }
  json->EndArray();
}

}  // namespace

std::string ShowPolicy(const Policy& policy) {
  const PolicySpec& spec = policy.spec();
  std::string text;
  auto out = std::back_inserter(text);
  fmt::format_to(out, "policy      {}\n", spec.name);
  fmt::format_to(out, "robot       {}\n", spec.robot.empty() ? "(any)" : spec.robot);
  fmt::format_to(out, "sha256      {}\n", policy.sha256());
  std::string shape = fmt::format("{}", spec.n_obs());
  for (const Layer& layer : spec.layers) {
    shape += fmt::format(" -> {} {}{}", layer.out, Name(layer.activation),
                         layer.int8()            ? " (int8)"
                         : HasHalfWeights(layer) ? " (float16 weights)"
                                                 : "");
  }
  fmt::format_to(out, "network     {}{}, {} parameters\n", shape, spec.squash ? " -> tanh" : "",
                 Parameters(spec));
  fmt::format_to(out, "kernel      {}\n", Name(PolicyAccess::kernel(policy)));
  fmt::format_to(out, "normaliser  clipped to +-{}\n", spec.obs_clip);
  fmt::format_to(out, "golden      {} vectors, all reproduced\n", spec.golden_observations.size());
  AppendSchema("observation", spec.observation, &text);
  AppendSchema("action", spec.action, &text);
  fmt::format_to(out, "training    {}\n", spec.training_record);
  return text;
}

std::string ShowPolicyJson(const Policy& policy) {
  const PolicySpec& spec = policy.spec();
  JsonWriter json;
  json.BeginObject().Field("name", spec.name).Field("robot", spec.robot);
  json.Field("sha256", policy.sha256()).Field("n_obs", spec.n_obs()).Field("n_act", spec.n_act());
  WriteSchema("observation", spec.observation, &json);
  WriteSchema("action", spec.action, &json);
  json.Key("layers").BeginArray();
  for (const Layer& layer : spec.layers) {
    json.BeginObject().Field("in", layer.in).Field("out", layer.out);
    json.Field("activation", Name(layer.activation));
    json.Field("precision", layer.int8() ? "int8" : "float32");
    json.Field("float16_weights", HasHalfWeights(layer)).EndObject();
  }
  json.EndArray();
  json.Field("squash", spec.squash).Field("parameters", Parameters(spec));
  json.Field("kernel", Name(PolicyAccess::kernel(policy)));
  json.Key("normaliser").BeginObject().Field("clip", spec.obs_clip);
  json.Field("mean", spec.obs_mean).Field("std", spec.obs_std).EndObject();
  json.Field("log_std", spec.log_std);
  json.Field("action_scale", spec.action_scale).Field("action_offset", spec.action_offset);
  json.Field("golden_vectors", spec.golden_observations.size());
  json.Key("training_record");
  if (ParseJson(spec.training_record, "training_record").ok()) {
    json.Raw(spec.training_record);
  } else {
    json.Value(spec.training_record);
  }
  return json.EndObject().Take();
}

StatusOr<PackageReport> VerifyPackage(const std::string& path) {
  SAFERL_ASSIGN_OR_RETURN(const std::shared_ptr<const Policy> policy, LoadPolicy(path));
  SAFERL_ASSIGN_OR_RETURN(const std::string bytes, EncodePackage(policy->spec()));
  const PolicySpec& spec = policy->spec();
  PackageReport report;
  report.path = path;
  report.name = spec.name;
  report.robot = spec.robot;
  report.sha256 = policy->sha256();
  report.kernel = Name(PolicyAccess::kernel(*policy));
  report.bytes = bytes.size();
  report.golden_vectors = spec.golden_observations.size();
  std::vector<float> action(static_cast<size_t>(spec.n_act()));
  for (size_t g = 0; g < report.golden_vectors; ++g) {
    if (!policy->Forward(spec.golden_observations[g], action)) continue;  // Load checked
    for (size_t i = 0; i < action.size(); ++i) {
      const double error = std::abs(static_cast<double>(action[i]) - spec.golden_actions[g][i]);
      report.worst_golden_error = std::max(report.worst_golden_error, error);
    }
  }
  return report;
}

}  // namespace saferl::policy
