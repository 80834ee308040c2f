#pragma once
// Node: what a YAML or JSON text says, as a tree in which every value knows the line it came from.
// ParseYaml (yaml.h) and ParseJson (json.h) make it; config.h turns it into typed structs.
//
// Scalars keep their text; the typed getters check it. Errors read "file:line: problem; next step".
// RT: no.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "saferl/base/status.h"

namespace saferl {

class Node {
 public:
  enum class Kind { kNull, kScalar, kList, kMap };
  struct Entry;

  Node();
  Node(Kind kind, std::shared_ptr<const std::string> source, int line);
  Node(const Node&);
  Node(Node&&) noexcept;
  Node& operator=(const Node&);
  Node& operator=(Node&&) noexcept;
  ~Node();

  Kind kind() const { return kind_; }
  bool is_null() const { return kind_ == Kind::kNull; }
  bool is_scalar() const { return kind_ == Kind::kScalar; }
  bool is_list() const { return kind_ == Kind::kList; }
  bool is_map() const { return kind_ == Kind::kMap; }
  /// "a number", "a list", ... for messages.
  std::string_view KindName() const;
  int line() const { return line_; }
  /// The file (or "--set", an environment variable) this came from.
  const std::string& source() const;
  /// "file:line".
  std::string Location() const;
  /// InvalidArgument "file:line: <problem>".
  Status Error(std::string_view problem) const;

  /// Scalars. A quoted text is never a number or a truth value.
  const std::string& text() const { return text_; }
  bool quoted() const { return quoted_; }
  StatusOr<double> AsDouble() const;  ///< finite only
  StatusOr<int64_t> AsInt64() const;
  StatusOr<uint64_t> AsUint64() const;
  StatusOr<bool> AsBool() const;  ///< true or false, nothing else
  StatusOr<std::string> AsString() const;
  /// A list of exactly `n` numbers; n < 0: any length.
  StatusOr<std::vector<double>> AsDoubles(int n = -1) const;

  /// Lists.
  const std::vector<Node>& items() const { return items_; }
  /// Maps, in the order of the text; keys are unique.
  const std::vector<Entry>& entries() const { return entries_; }
  /// The value of `key`, or nullptr (also when this is not a map).
  const Node* Find(std::string_view key) const;
  /// The value of `key`, or an error that names the nearest key there is.
  StatusOr<const Node*> Get(std::string_view key) const;

  /// Sets the value at "a.b.c" (list elements by number), making maps on the way: how environment
  /// variables and flags override a file. `text` is a plain scalar, or a YAML flow text when
  /// ParseYaml made it.
  Status Set(std::string_view dotted_path, Node value);

  /// For the parsers.
  void set_text(std::string text, bool quoted) {
    text_ = std::move(text);
    quoted_ = quoted;
  }
  std::vector<Node>& mutable_items() { return items_; }
  std::vector<Entry>& mutable_entries() { return entries_; }

 private:
  Kind kind_ = Kind::kNull;
  bool quoted_ = false;
  std::shared_ptr<const std::string> source_;
  int line_ = 0;
  std::string text_;
  std::vector<Node> items_;
  std::vector<Entry> entries_;
};

struct Node::Entry {
  std::string key;
  int line = 0;
  Node value;
};

/// Letters to insert, remove or replace. Cost: the product of the lengths.
int EditDistance(std::string_view a, std::string_view b);
/// The candidate with the smallest edit distance, if it is near enough to be meant; else nullopt.
std::optional<std::string> Nearest(std::string_view word,
                                   const std::vector<std::string>& candidates);

/// Bounds of every parser; beyond them is an error, never a crash.
struct ParseLimits {
  size_t max_bytes = size_t{64} << 20;
  size_t max_nodes = 2'000'000;
  int max_depth = 64;
};

}  // namespace saferl
