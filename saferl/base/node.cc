#include "saferl/base/node.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "saferl/base/text.h"

namespace saferl {
namespace {

const std::string kNowhere = "input";

template <class Number>
bool ParseNumber(const std::string& text, Number* value) {
  const char* begin = text.data();
  const char* end = begin + text.size();
  if (begin != end && *begin == '+') ++begin;
  const auto [stop, error] = std::from_chars(begin, end, *value);
  return error == std::errc() && stop == end && begin != end;
}

}  // namespace

Node::Node() = default;
Node::Node(Kind kind, std::shared_ptr<const std::string> source, int line)
    : kind_(kind), source_(std::move(source)), line_(line) {}
Node::Node(const Node&) = default;
Node::Node(Node&&) noexcept = default;
Node& Node::operator=(const Node&) = default;
Node& Node::operator=(Node&&) noexcept = default;
Node::~Node() = default;

std::string_view Node::KindName() const {
  switch (kind_) {
    case Kind::kNull:
      return "nothing";
    case Kind::kScalar:
      return "a single value";
    case Kind::kList:
      return "a list";
    case Kind::kMap:
      return "a map";
  }
  return "nothing";
}

const std::string& Node::source() const { return source_ == nullptr ? kNowhere : *source_; }

std::string Node::Location() const { return line_ > 0 ? Cat(source(), ":", line_) : source(); }

Status Node::Error(std::string_view problem) const {
  return absl::InvalidArgumentError(Cat(Location(), ": ", problem));
}

StatusOr<double> Node::AsDouble() const {
  double value = 0;
  if (!is_scalar() || quoted_ || !ParseNumber(text_, &value) || !std::isfinite(value)) {
    return Error(Cat("expected a finite number, found ",
                     is_scalar() ? Cat("'", text_, "'") : std::string(KindName()),
                     "; write a number such as 0.25"));
  }
  return value;
}

StatusOr<int64_t> Node::AsInt64() const {
  int64_t value = 0;
  if (!is_scalar() || quoted_ || !ParseNumber(text_, &value)) {
    return Error(Cat("expected a whole number, found ",
                     is_scalar() ? Cat("'", text_, "'") : std::string(KindName()),
                     "; write a number such as 3"));
  }
  return value;
}

StatusOr<uint64_t> Node::AsUint64() const {
  uint64_t value = 0;
  if (!is_scalar() || quoted_ || !ParseNumber(text_, &value)) {
    return Error(Cat("expected a whole number >= 0, found ",
                     is_scalar() ? Cat("'", text_, "'") : std::string(KindName()),
                     "; write a number such as 3"));
  }
  return value;
}

StatusOr<bool> Node::AsBool() const {
  if (is_scalar() && !quoted_ && text_ == "true") return true;
  if (is_scalar() && !quoted_ && text_ == "false") return false;
  return Error(Cat("expected true or false, found ",
                   is_scalar() ? Cat("'", text_, "'") : std::string(KindName()),
                   "; write true or false"));
}

StatusOr<std::string> Node::AsString() const {
  if (!is_scalar()) return Error(Cat("expected a text, found ", KindName(), "; write a text"));
  return text_;
}

StatusOr<std::vector<double>> Node::AsDoubles(int n) const {
  if (!is_list())
    return Error(Cat("expected a list of numbers, found ", KindName(), "; write [a, b]"));
  if (n >= 0 && items_.size() != static_cast<size_t>(n)) {
    return Error(Cat("expected ", n, " numbers, found ", items_.size(), "; give exactly ", n));
  }
  std::vector<double> values;
  values.reserve(items_.size());
  for (const Node& item : items_) {
    SAFERL_ASSIGN_OR_RETURN(const double value, item.AsDouble());
    values.push_back(value);
  }
  return values;
}

const Node* Node::Find(std::string_view key) const {
  for (const Entry& entry : entries_) {
    if (entry.key == key) return &entry.value;
  }
  return nullptr;
}

StatusOr<const Node*> Node::Get(std::string_view key) const {
  if (!is_map())
    return Error(Cat("expected a map with '", key, "', found ", KindName(), "; write a map"));
  if (const Node* found = Find(key)) return found;
  std::vector<std::string> keys;
  for (const Entry& entry : entries_) keys.push_back(entry.key);
  const std::optional<std::string> nearest = Nearest(key, keys);
  return Error(Cat("'", key, "' is missing; add it",
                   nearest ? Cat(" (is '", *nearest, "' a misspelling of it?)") : ""));
}

Status Node::Set(std::string_view dotted_path, Node value) {
  const size_t dot = dotted_path.find('.');
  const std::string_view head = dotted_path.substr(0, dot);
  if (head.empty()) return value.Error("empty key in a path; write it as a.b.c");
  Node* child = nullptr;
  if (is_list()) {
    size_t index = 0;
    if (!ParseNumber(std::string(head), &index) || index >= items_.size()) {
      return value.Error(Cat("'", head, "' is not an element; the list has ", items_.size()));
    }
    child = &items_[index];
  } else {
    if (is_scalar())
      return value.Error(Cat("'", head, "' lies below a single value; shorten the path"));
    kind_ = Kind::kMap;
    for (Entry& entry : entries_) {
      if (entry.key == head) child = &entry.value;
    }
    if (child == nullptr) {
      entries_.push_back(
          {std::string(head), value.line(), Node(Kind::kNull, value.source_, value.line())});
      child = &entries_.back().value;
    }
  }
  if (dot == std::string_view::npos) {
    *child = std::move(value);
    return absl::OkStatus();
  }
  return child->Set(dotted_path.substr(dot + 1), std::move(value));
}

int EditDistance(std::string_view a, std::string_view b) {
  std::vector<int> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = static_cast<int>(j);
  for (size_t i = 1; i <= a.size(); ++i) {
    int diagonal = row[0];
    row[0] = static_cast<int>(i);
    for (size_t j = 1; j <= b.size(); ++j) {
      const int substitute = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, substitute});
    }
  }
  return row[b.size()];
}

std::optional<std::string> Nearest(std::string_view word,
                                   const std::vector<std::string>& candidates) {
  std::optional<std::string> best;
  int best_distance = static_cast<int>(std::max<size_t>(word.size() / 2, 2)) + 1;
  for (const std::string& candidate : candidates) {
    if (candidate.size() > 2 * word.size() + 4 || word.size() > 2 * candidate.size() + 4) continue;
    const int distance = EditDistance(word, candidate);
    if (distance < best_distance) {
      best = candidate;
      best_distance = distance;
    }
  }
  return best;
}

}  // namespace saferl
