// KEY=value lines, see config.h.
#include <algorithm>

#include "saferl/base/text.h"
#include "saferl/services/config.h"

namespace saferl::services {

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
