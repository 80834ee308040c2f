// KEY=value lines, see config.h.
#include <algorithm>
#include <array>
#include <cstdlib>
#include <set>

#include "saferl/base/node.h"
#include "saferl/base/text.h"
#include "saferl/services/config.h"

namespace saferl::services {
namespace {

/// First words under which other programs that share a .env have names of their own.
constexpr std::array<std::string_view, 7> kShared = {"AWS", "CPU",        "OTEL",        "GRAFANA",
                                                     "TLS", "PROMETHEUS", "ALERTMANAGER"};
constexpr size_t kLongestName = 64;

std::string_view FirstWord(std::string_view name) { return name.substr(0, name.find('_')); }

std::string UpperCase(std::string_view name) {
  std::string upper(name);
  for (char& c : upper) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  return upper;
}

/// The variable of ours that `name` was probably meant to be; empty: none.
std::string Meant(const std::string& name, const std::vector<std::string>& ours) {
  if (name.size() > kLongestName) return {};
  const std::string upper = UpperCase(name);
  const std::string_view family = FirstWord(upper);
  const bool shared = std::find(kShared.begin(), kShared.end(), family) != kShared.end();
  std::string best;
  int best_distance = kLongestName;
  for (const std::string& candidate : ours) {
    // Two letters, or one in six, more, less or others: what is farther off is another word.
    const int near = std::max(static_cast<int>(candidate.size()) / 6, 2);
    const bool related = !shared && FirstWord(candidate) == family;
    const int longer = static_cast<int>(upper.size()) - static_cast<int>(candidate.size());
    if (!related && std::abs(longer) > near) continue;
    const int distance = EditDistance(upper, candidate);
    if ((!related && distance > near) || distance >= best_distance) continue;
    best = candidate;
    best_distance = distance;
  }
  return best;
}

}  // namespace

std::vector<UnknownVariable> UnknownVariables(const std::vector<std::string>& names) {
  std::vector<std::string> ours;
  for (const Variable& variable : Variables()) {
    ours.emplace_back(variable.name);
    ours.push_back(Cat(variable.name, "_FILE"));
  }
  std::set<std::string> seen(ours.begin(), ours.end());
  std::vector<UnknownVariable> unknown;
  for (const std::string& name : names) {
    if (seen.insert(name).second) unknown.push_back({name, Meant(name, ours)});
  }
  return unknown;
}

StatusOr<std::vector<std::pair<std::string, std::string>>> ParseDotEnv(std::string_view text,
                                                                       std::string_view name) {
  std::vector<std::pair<std::string, std::string>> all;
  int number = 0;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    ++number;
    const auto trim = [](std::string_view* view) {
      while (!view->empty() &&
             std::string_view(" \t\r").find(view->front()) != std::string_view::npos)
        view->remove_prefix(1);
      while (!view->empty() &&
             std::string_view(" \t\r").find(view->back()) != std::string_view::npos)
        view->remove_suffix(1);
    };
    trim(&line);
    if (line.starts_with("export ")) line.remove_prefix(7);
    trim(&line);
    if (line.empty() || line.front() == '#') continue;
    const size_t equals = line.find('=');
    std::string_view key = line.substr(0, equals);
    trim(&key);
    const bool good_key = !key.empty() && std::all_of(key.begin(), key.end(), [](char c) {
      return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
    });
    if (equals == std::string_view::npos || !good_key)
      return absl::InvalidArgumentError(
          Cat(name, ":", number, ": expected NAME=value; correct the line"));
    std::string_view value = line.substr(equals + 1);
    trim(&value);
    if (!value.empty() && (value.front() == '"' || value.front() == '\'')) {
      const size_t close = value.find(value.front(), 1);
      if (close == std::string_view::npos)
        return absl::InvalidArgumentError(
            Cat(name, ":", number, ": ", key, ": a quote is not closed; close it"));
      value = value.substr(1, close - 1);
    } else if (const size_t comment = value.find(" #"); comment != std::string_view::npos) {
      value = value.substr(0, comment);
      trim(&value);
    }
    all.emplace_back(key, value);
  }
  return all;
}

}  // namespace saferl::services
