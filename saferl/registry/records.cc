#include "saferl/registry/records.h"

#include <algorithm>

#include "saferl/base/hash.h"
#include "saferl/base/json.h"
#include "saferl/base/text.h"
#include "saferl/policy/package.h"

namespace saferl::registry {
namespace {

bool IsWordChar(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '-';
}

bool AllDigits(std::string_view text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

std::string TextOf(const Node& record, std::string_view key) {
  const Node* node = record.Find(key);
  return node != nullptr && node->is_scalar() ? node->text() : std::string();
}

Lineage LineageOf(const std::string& training_record) {
  Lineage lineage;
  const StatusOr<Node> record = ParseJson(training_record, "training_record");
  if (!record.ok()) return lineage;  // a package of elsewhere may carry any text here
  lineage.data = TextOf(*record, "data");
  lineage.code_commit = TextOf(*record, "commit");
  lineage.seed = TextOf(*record, "seed");
  lineage.task = TextOf(*record, "task");
  lineage.algorithm = TextOf(*record, "algorithm");
  if (const std::string config = TextOf(*record, "config"); !config.empty())
    lineage.config_sha256 = Sha256Hex(config);
  return lineage;
}

}  // namespace

Status CheckName(std::string_view what, std::string_view name) {
  const bool good =
      !name.empty() && name.size() <= 128 && name != "." && name != ".." &&
      std::all_of(name.begin(), name.end(), [](char c) { return IsWordChar(c) || c == '.'; });
  if (good) return absl::OkStatus();
  return absl::InvalidArgumentError(Cat(what, ": '", JsonEscape(name.substr(0, 80)),
                                        "' is not 1 to 128 of A-Z a-z 0-9 . _ -; rename it"));
}

Status CheckAlias(std::string_view alias) {
  std::string lower(alias);
  for (char& c : lower) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
  const bool reserved = lower == "latest" || AllDigits(lower) ||
                        (lower.starts_with("v") && AllDigits(std::string_view(lower).substr(1)));
  if (!alias.empty() && alias.size() <= 255 && !reserved &&
      std::all_of(alias.begin(), alias.end(), IsWordChar))
    return absl::OkStatus();
  return absl::InvalidArgumentError(
      Cat("alias: '", JsonEscape(alias.substr(0, 80)),
          "' must be 1 to 255 of A-Z a-z 0-9 _ -, and neither 'latest' nor a version number"));
}

StatusOr<PackageFacts> ReadFacts(std::string_view package, std::string_view source) {
  SAFERL_ASSIGN_OR_RETURN(policy::PolicySpec spec, policy::DecodePackage(package, source));
  PackageFacts facts;
  facts.robot = spec.robot;
  facts.bytes = static_cast<int64_t>(package.size());
  facts.lineage = LineageOf(spec.training_record);
  const auto policy = policy::Policy::Create(std::move(spec));  // recomputes the golden vectors
  if (!policy.ok())
    return Status(policy.status().code(), Cat(source, ": ", policy.status().message()));
  return facts;
}

}  // namespace saferl::registry
