#include <algorithm>
#include <memory>
#include <string>

#include "saferl/base/file.h"
#include "saferl/base/json.h"
#include "saferl/base/json_reader.h"
#include "saferl/base/text.h"

namespace saferl {
namespace {

class Parser {
 public:
  Parser(std::string_view text, std::string_view name, const ParseLimits& limits)
      : reader_(text, name, limits.max_depth),
        source_(std::make_shared<const std::string>(name)),
        limits_(limits),
        bytes_(text.size()) {}

  StatusOr<Node> Document() {
    if (bytes_ > limits_.max_bytes)
      return reader_.Fail(Cat("larger than ", limits_.max_bytes, " bytes; give a smaller file"));
    Node root;
    SAFERL_RETURN_IF_ERROR(Value(&root));
    SAFERL_RETURN_IF_ERROR(reader_.Finish());
    return root;
  }

 private:
  using Kind = JsonReader::Kind;

  Status Value(Node* node) {
    if (++nodes_ > limits_.max_nodes)
      return reader_.Fail(Cat("more than ", limits_.max_nodes, " values; split it"));
    const Kind kind = reader_.Peek();
    const Node::Kind node_kind = kind == Kind::kObject  ? Node::Kind::kMap
                                 : kind == Kind::kArray ? Node::Kind::kList
                                 : kind == Kind::kNull  ? Node::Kind::kNull
                                                        : Node::Kind::kScalar;
    *node = Node(node_kind, source_, reader_.line());
    switch (kind) {
      case Kind::kObject:
        return Object(node);
      case Kind::kArray:
        return Array(node);
      case Kind::kString: {
        std::string text;
        SAFERL_RETURN_IF_ERROR(reader_.String(&text));
        node->set_text(std::move(text), true);
        return absl::OkStatus();
      }
      default: {
        std::string_view word;
        SAFERL_RETURN_IF_ERROR(reader_.Word(&word));
        if (kind != Kind::kNull) node->set_text(std::string(word), false);
        return absl::OkStatus();
      }
    }
  }

  Status Object(Node* node) {
    SAFERL_RETURN_IF_ERROR(reader_.BeginObject());
    std::vector<std::string> keys;
    Node::Entry entry;
    while (reader_.NextKey(&entry.key)) {
      entry.line = reader_.line();
      SAFERL_RETURN_IF_ERROR(Value(&entry.value));
      keys.push_back(entry.key);
      node->mutable_entries().push_back(std::move(entry));
      entry = {};
    }
    SAFERL_RETURN_IF_ERROR(reader_.status());
    std::sort(keys.begin(), keys.end());
    const auto twice = std::adjacent_find(keys.begin(), keys.end());
    if (twice == keys.end()) return absl::OkStatus();
    return node->Error(Cat("key '", *twice, "' appears twice; keep one"));
  }

  Status Array(Node* node) {
    SAFERL_RETURN_IF_ERROR(reader_.BeginArray());
    while (reader_.NextItem()) {
      Node item;
      SAFERL_RETURN_IF_ERROR(Value(&item));
      node->mutable_items().push_back(std::move(item));
    }
    return reader_.status();
  }

  JsonReader reader_;
  std::shared_ptr<const std::string> source_;
  const ParseLimits& limits_;
  size_t bytes_, nodes_ = 0;
};

}  // namespace

StatusOr<Node> ParseJson(std::string_view text, std::string_view name, const ParseLimits& limits) {
  return Parser(text, name, limits).Document();
}

StatusOr<Node> LoadJson(const std::string& path, const ParseLimits& limits) {
  SAFERL_ASSIGN_OR_RETURN(const std::string text, ReadFile(path, limits.max_bytes));
  return ParseJson(text, path, limits);
}

}  // namespace saferl
