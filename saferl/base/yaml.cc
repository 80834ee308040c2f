#include "saferl/base/yaml.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <memory>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "saferl/base/file.h"
#include "saferl/base/text.h"

namespace saferl {
namespace {

/// What the handler throws to leave the library's parser; caught in ParseYaml, the only user.
struct Refusal {
  Status status;
};

class Builder : public YAML::EventHandler {
 public:
  Builder(std::shared_ptr<const std::string> source, const ParseLimits& limits)
      : source_(std::move(source)), limits_(limits) {}

  Node Take() { return std::move(root_); }

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    Add(mark, anchor, "", Make(Node::Kind::kNull, mark));
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    Refuse(mark, "aliases (*name) are not read; write the value out");
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    for (const char c : value) {
      if ((static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t') || c == 0x7f)
        Refuse(mark, "holds a control character; write text that can be seen");
    }
    Node node = Make(Node::Kind::kScalar, mark);
    node.set_text(value, tag == "!");
    Add(mark, anchor, tag, std::move(node));
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    Open(mark, anchor, tag, Node::Kind::kList);
  }
  void OnSequenceEnd() override { Close(); }

  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    Open(mark, anchor, tag, Node::Kind::kMap);
  }
  void OnMapEnd() override {
    const Level& level = levels_.back();
    std::vector<std::string_view> keys;
    for (const Node::Entry& entry : level.node.entries()) keys.push_back(entry.key);
    std::sort(keys.begin(), keys.end());
    const auto twice = std::adjacent_find(keys.begin(), keys.end());
    if (twice != keys.end()) {
      int line = 0;
      for (const Node::Entry& entry : level.node.entries()) {
        if (entry.key == *twice) line = entry.line;
      }
      throw Refusal{absl::InvalidArgumentError(
          Cat(*source_, ":", line, ": key '", *twice, "' appears twice; keep one"))};
    }
    Close();
  }

 private:
  struct Level {
    Node node;
    bool has_key = false;
  };

  [[noreturn]] void Refuse(const YAML::Mark& mark, std::string_view problem) const {
    throw Refusal{absl::InvalidArgumentError(Cat(*source_, ":", mark.line + 1, ": ", problem))};
  }

  Node Make(Node::Kind kind, const YAML::Mark& mark) { return Node(kind, source_, mark.line + 1); }

  void Check(const YAML::Mark& mark, YAML::anchor_t anchor, const std::string& tag) {
    if (anchor != YAML::NullAnchor) Refuse(mark, "anchors (&name) are not read; remove it");
    if (!tag.empty() && tag != "?" && tag != "!")
      Refuse(mark, "tags (!name) are not read; remove it");
    if (++nodes_ > limits_.max_nodes) {
      Refuse(mark, Cat("more than ", limits_.max_nodes, " values; split the file"));
    }
  }

  void Open(const YAML::Mark& mark, YAML::anchor_t anchor, const std::string& tag,
            Node::Kind kind) {
    Check(mark, anchor, tag);
    if (static_cast<int>(levels_.size()) >= limits_.max_depth) {
      Refuse(mark, Cat("nested deeper than ", limits_.max_depth, "; flatten it"));
    }
    if (!levels_.empty() && levels_.back().node.is_map() && !levels_.back().has_key) {
      Refuse(mark, "a key must be a plain text; write key: value");
    }
    levels_.push_back({Make(kind, mark)});
  }

  void Close() {
    Node node = std::move(levels_.back().node);
    levels_.pop_back();
    Place(std::move(node));
  }

  void Add(const YAML::Mark& mark, YAML::anchor_t anchor, const std::string& tag, Node node) {
    Check(mark, anchor, tag);
    if (!levels_.empty() && levels_.back().node.is_map() && !levels_.back().has_key) {
      if (!node.is_scalar()) Refuse(mark, "a key must be a plain text; write key: value");
      levels_.back().node.mutable_entries().push_back({node.text(), node.line(), Node()});
      levels_.back().has_key = true;
      return;
    }
    Place(std::move(node));
  }

  void Place(Node node) {
    if (levels_.empty()) {
      root_ = std::move(node);
      return;
    }
    Level& level = levels_.back();
    if (level.node.is_list()) {
      level.node.mutable_items().push_back(std::move(node));
    } else {
      level.node.mutable_entries().back().value = std::move(node);
      level.has_key = false;
    }
  }

  std::shared_ptr<const std::string> source_;
  const ParseLimits& limits_;
  size_t nodes_ = 0;
  std::vector<Level> levels_;
  Node root_;
};

}  // namespace

StatusOr<Node> ParseYaml(std::string_view text, std::string_view name, const ParseLimits& limits) {
  if (text.size() > limits.max_bytes) {
    return absl::InvalidArgumentError(
        Cat(name, ": larger than ", limits.max_bytes, " bytes; give a smaller file"));
  }
  Builder builder(std::make_shared<const std::string>(name), limits);
  try {
    // The end marker makes the library notice a quoted text that the end of the file cuts off.
    std::istringstream stream(Cat(text, "\n...\n"));
    YAML::Parser parser(stream);
    parser.HandleNextDocument(builder);
    Node root = builder.Take();
    if (parser.HandleNextDocument(builder)) {
      return absl::InvalidArgumentError(
          Cat(name, ": holds a second document (---); give one per file"));
    }
    return root;
  } catch (const Refusal& refusal) {
    return refusal.status;
  } catch (const YAML::Exception& error) {
    return absl::InvalidArgumentError(Cat(name, ":", error.mark.line + 1,
                                          ": not valid YAML: ", error.msg, "; correct that line"));
  } catch (const std::exception& error) {
    return absl::InvalidArgumentError(
        Cat(name, ": not valid YAML: ", error.what(), "; correct the file"));
  }
}

StatusOr<Node> LoadYaml(const std::string& path, const ParseLimits& limits) {
  SAFERL_ASSIGN_OR_RETURN(const std::string text, ReadFile(path, limits.max_bytes));
  return ParseYaml(text, path, limits);
}

}  // namespace saferl
