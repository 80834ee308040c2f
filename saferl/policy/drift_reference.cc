#include "saferl/policy/drift_reference.h"

#include "saferl/base/hash.h"
#include "saferl/base/json.h"
#include "saferl/base/text.h"

namespace saferl::policy {
namespace {

constexpr int64_t kFormat = 1;

Status Lost(std::string_view source, std::string_view problem) {
  return absl::DataLossError(Cat(source, ": ", problem, "; delete it, and it is learned again"));
}

StatusOr<double> NumberOf(const Node& node, const char* key) {
  SAFERL_ASSIGN_OR_RETURN(const Node* value, node.Get(key));
  return value->AsDouble();
}

StatusOr<std::string> TextOf(const Node& node, const char* key) {
  SAFERL_ASSIGN_OR_RETURN(const Node* value, node.Get(key));
  return value->AsString();
}

StatusOr<const Node*> ListOf(const Node& node, const char* key) {
  SAFERL_ASSIGN_OR_RETURN(const Node* value, node.Get(key));
  if (!value->is_list()) return value->Error(Cat(key, " is no list"));
  return value;
}

StatusOr<DriftReference::Feature> ReadFeature(const Node& node) {
  DriftReference::Feature f;
  SAFERL_ASSIGN_OR_RETURN(f.name, TextOf(node, "name"));
  SAFERL_ASSIGN_OR_RETURN(f.mean, NumberOf(node, "mean"));
  SAFERL_ASSIGN_OR_RETURN(f.variance, NumberOf(node, "variance"));
  SAFERL_ASSIGN_OR_RETURN(f.dof, NumberOf(node, "dof"));
  SAFERL_ASSIGN_OR_RETURN(f.deviation, NumberOf(node, "deviation"));
  if (!(f.variance >= 0 && f.dof > 0 && f.deviation > 0))
    return node.Error(Cat(f.name, ": a variance, dof or deviation that none can have"));
  return f;
}

StatusOr<DriftReference> Read(std::string_view json, std::string_view source) {
  SAFERL_ASSIGN_OR_RETURN(const Node root, ParseJson(json, source));
  SAFERL_ASSIGN_OR_RETURN(const Node* format, root.Get("drift_reference"));
  SAFERL_ASSIGN_OR_RETURN(const int64_t number, format->AsInt64());
  if (number != kFormat) return format->Error(Cat("format ", number, " is not known"));
  DriftReference reference;
  SAFERL_ASSIGN_OR_RETURN(reference.policy, TextOf(root, "policy"));
  SAFERL_ASSIGN_OR_RETURN(const Node* groups, ListOf(root, "groups"));
  for (const Node& node : groups->items()) {
    DriftReference::Group group;
    SAFERL_ASSIGN_OR_RETURN(group.name, TextOf(node, "group"));
    SAFERL_ASSIGN_OR_RETURN(const Node* features, ListOf(node, "features"));
    for (const Node& feature : features->items()) {
      SAFERL_ASSIGN_OR_RETURN(group.features.emplace_back(), ReadFeature(feature));
    }
    reference.groups.push_back(std::move(group));
  }
  return reference;
}

}  // namespace

std::string EncodeDriftReference(const DriftReference& reference) {
  JsonWriter w;
  w.BeginObject().Field("drift_reference", kFormat).Field("policy", reference.policy);
  w.Key("groups").BeginArray();
  for (const DriftReference::Group& group : reference.groups) {
    w.BeginObject().Field("group", group.name).Key("features").BeginArray();
    for (const DriftReference::Feature& f : group.features) {
      w.BeginObject().Field("name", f.name).Field("mean", f.mean).Field("variance", f.variance);
      w.Field("dof", f.dof).Field("deviation", f.deviation).EndObject();
    }
    w.EndArray().EndObject();
  }
  const std::string json = w.EndArray().EndObject().Take();
  return Cat(json, "\n", Sha256Hex(json), "\n");
}

StatusOr<DriftReference> DecodeDriftReference(std::string_view bytes, std::string_view source) {
  const size_t end = bytes.find('\n');
  if (end == std::string_view::npos) return Lost(source, "ends before its checksum");
  const std::string_view json = bytes.substr(0, end);
  if (bytes.substr(end + 1) != Cat(Sha256Hex(json), "\n"))
    return Lost(source, "its checksum does not fit its content");
  StatusOr<DriftReference> reference = Read(json, source);
  if (!reference.ok()) return Lost(source, Cat(reference.status().message()));
  return reference;
}

}  // namespace saferl::policy
