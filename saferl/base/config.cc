#include "saferl/base/config.h"

#include <algorithm>
#include <cmath>

#include "saferl/base/json.h"

namespace saferl::config::internal {
namespace {

/// Drops "file:line: " so that the field's path can stand between it and the problem.
std::string Problem(const Node& node, const Status& status) {
  const std::string message(status.message().data(), status.message().size());
  const std::string head = Cat(node.Location(), ": ");
  return message.starts_with(head) ? message.substr(head.size()) : message;
}

Status CheckRange(const Node& node, const std::string& path, const FieldInfo& info, double value) {
  if (value >= info.min && value <= info.max) return absl::OkStatus();
  return FieldError(node, path,
                    Cat(node.text(), value < info.min ? " is below " : " is above ",
                        value < info.min ? info.min : info.max, "; give a value in ",
                        RangeText(info), info.unit[0] == '\0' ? "" : Cat(" ", info.unit)));
}

template <class T>
Status Take(const Node& node, const std::string& path, StatusOr<T> read, T* value) {
  if (!read.ok()) return FieldError(node, path, Problem(node, read.status()));
  *value = *std::move(read);
  return absl::OkStatus();
}

}  // namespace

Status FieldError(const Node& node, const std::string& path, std::string_view problem) {
  return absl::InvalidArgumentError(
      Cat(node.Location(), ": ", path.empty() ? "" : Cat(path, ": "), problem));
}

Status ReadScalar(const Node& node, const std::string& path, const FieldInfo& info, double* value) {
  SAFERL_RETURN_IF_ERROR(Take(node, path, node.AsDouble(), value));
  return CheckRange(node, path, info, *value);
}

Status ReadScalar(const Node& node, const std::string& path, const FieldInfo& info,
                  int64_t* value) {
  SAFERL_RETURN_IF_ERROR(Take(node, path, node.AsInt64(), value));
  return CheckRange(node, path, info, static_cast<double>(*value));
}

Status ReadScalar(const Node& node, const std::string& path, const FieldInfo& info,
                  uint64_t* value) {
  SAFERL_RETURN_IF_ERROR(Take(node, path, node.AsUint64(), value));
  return CheckRange(node, path, info, static_cast<double>(*value));
}

Status ReadScalar(const Node& node, const std::string& path, const FieldInfo&, bool* value) {
  return Take(node, path, node.AsBool(), value);
}

Status ReadScalar(const Node& node, const std::string& path, const FieldInfo& info,
                  std::string* value) {
  if (!info.names.empty()) {
    int position = 0;
    SAFERL_RETURN_IF_ERROR(ReadName(node, path, info, &position));
    *value = info.names[static_cast<size_t>(position)];
    return absl::OkStatus();
  }
  return Take(node, path, node.AsString(), value);
}

Status ReadName(const Node& node, const std::string& path, const FieldInfo& info, int* value) {
  std::string name;
  SAFERL_RETURN_IF_ERROR(Take(node, path, node.AsString(), &name));
  const auto found = std::find(info.names.begin(), info.names.end(), name);
  if (found == info.names.end()) {
    const std::optional<std::string> nearest = Nearest(name, info.names);
    return FieldError(
        node, path,
        Cat("'", name, "' is not known", nearest ? Cat(" (did you mean '", *nearest, "'?)") : "",
            "; give one of ", Join(info.names, ", ")));
  }
  *value = static_cast<int>(found - info.names.begin());
  return absl::OkStatus();
}

Status IntegerRange(const Node& node, const std::string& path, int64_t value, int64_t low,
                    int64_t high) {
  if (value >= low && value <= high) return absl::OkStatus();
  return FieldError(node, path,
                    Cat(value, " does not fit; give a whole number in [", low, ", ", high, "]"));
}

bool IsOff(const Node& node) { return node.is_scalar() && !node.quoted() && node.text() == "off"; }

Status CheckKeys(const Node& node, const std::string& path, const std::vector<std::string>& known) {
  for (const Node::Entry& entry : node.entries()) {
    if (std::find(known.begin(), known.end(), entry.key) != known.end()) continue;
    const std::optional<std::string> nearest = Nearest(entry.key, known);
    return absl::InvalidArgumentError(
        Cat(entry.value.source(), ":", entry.line, ": ", path.empty() ? "" : Cat(path, "."),
            entry.key, ": unknown key; ",
            nearest ? Cat("did you mean '", *nearest, "'?") : Cat("known: ", Join(known, ", "))));
  }
  return absl::OkStatus();
}

std::string QuoteYaml(std::string_view text) { return Cat("\"", JsonEscape(text), "\""); }

std::string RangeText(const FieldInfo& info) {
  if (!info.names.empty()) return Join(info.names, " | ");
  const bool low = std::isfinite(info.min), high = std::isfinite(info.max);
  if (!low && !high) return "";
  if (!high) return Cat(">= ", info.min);
  if (!low) return Cat("<= ", info.max);
  return Cat("[", info.min, ", ", info.max, "]");
}

}  // namespace saferl::config::internal
