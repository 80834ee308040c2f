#include <algorithm>
#include <charconv>
#include <memory>
#include <string>

#include "saferl/base/file.h"
#include "saferl/base/json.h"
#include "saferl/base/text.h"

namespace saferl {
namespace {

class Parser {
 public:
  Parser(std::string_view text, std::string_view name, const ParseLimits& limits)
      : text_(text), source_(std::make_shared<const std::string>(name)), limits_(limits) {}

  StatusOr<Node> Document() {
    if (text_.size() > limits_.max_bytes) {
      return Fail(Cat("larger than ", limits_.max_bytes, " bytes; give a smaller file"));
    }
    Node root;
    SAFERL_RETURN_IF_ERROR(Value(&root, 0));
    SkipSpace();
    if (at_ != text_.size()) return Fail("text after the end of the value; remove it");
    return root;
  }

 private:
  Status Fail(std::string_view problem) const {
    return absl::InvalidArgumentError(Cat(*source_, ":", line_, ": ", problem));
  }

  bool Done() const { return at_ >= text_.size(); }
  char Peek() const { return Done() ? '\0' : text_[at_]; }

  void SkipSpace() {
    for (; !Done(); ++at_) {
      const char c = text_[at_];
      if (c == '\n') {
        ++line_;
      } else if (c != ' ' && c != '\t' && c != '\r') {
        return;
      }
    }
  }

  Status Value(Node* node, int depth) {
    if (depth > limits_.max_depth)
      return Fail(Cat("nested deeper than ", limits_.max_depth, "; flatten it"));
    if (++nodes_ > limits_.max_nodes)
      return Fail(Cat("more than ", limits_.max_nodes, " values; split it"));
    SkipSpace();
    switch (Peek()) {
      case '{':
        return Object(node, depth);
      case '[':
        return Array(node, depth);
      case '"': {
        *node = Node(Node::Kind::kScalar, source_, line_);
        std::string text;
        SAFERL_RETURN_IF_ERROR(String(&text));
        node->set_text(std::move(text), true);
        return absl::OkStatus();
      }
      default:
        return Word(node);
    }
  }

  Status Object(Node* node, int depth) {
    *node = Node(Node::Kind::kMap, source_, line_);
    ++at_;
    SkipSpace();
    std::vector<std::string> keys;
    while (Peek() != '}') {
      if (!node->entries().empty()) {
        if (Peek() != ',') return Fail("expected ',' or '}'; check for a missing comma or bracket");
        ++at_;
        SkipSpace();
      }
      if (Peek() != '"') return Fail("expected a key in double quotes; quote the key");
      Node::Entry entry;
      entry.line = line_;
      SAFERL_RETURN_IF_ERROR(String(&entry.key));
      SkipSpace();
      if (Peek() != ':') return Fail(Cat("expected ':' after key '", entry.key, "'; add it"));
      ++at_;
      SAFERL_RETURN_IF_ERROR(Value(&entry.value, depth + 1));
      keys.push_back(entry.key);
      node->mutable_entries().push_back(std::move(entry));
      SkipSpace();
    }
    ++at_;
    std::sort(keys.begin(), keys.end());
    const auto twice = std::adjacent_find(keys.begin(), keys.end());
    if (twice != keys.end()) {
      return node->Error(Cat("key '", *twice, "' appears twice; keep one"));
    }
    return absl::OkStatus();
  }

  Status Array(Node* node, int depth) {
    *node = Node(Node::Kind::kList, source_, line_);
    ++at_;
    SkipSpace();
    while (Peek() != ']') {
      if (!node->items().empty()) {
        if (Peek() != ',') return Fail("expected ',' or ']'; check for a missing comma or bracket");
        ++at_;
      }
      Node item;
      SAFERL_RETURN_IF_ERROR(Value(&item, depth + 1));
      node->mutable_items().push_back(std::move(item));
      SkipSpace();
    }
    ++at_;
    return absl::OkStatus();
  }

  Status Hex4(uint32_t* code) {
    if (text_.size() - at_ < 4) return Fail("\\u needs four hexadecimal digits; complete it");
    const char* begin = text_.data() + at_;
    const auto [end, error] = std::from_chars(begin, begin + 4, *code, 16);
    if (error != std::errc() || end != begin + 4)
      return Fail("\\u needs four hexadecimal digits; correct it");
    at_ += 4;
    return absl::OkStatus();
  }

  Status Unicode(std::string* out) {
    uint32_t code = 0;
    SAFERL_RETURN_IF_ERROR(Hex4(&code));
    if (code >= 0xd800 && code < 0xdc00) {
      uint32_t low = 0;
      if (text_.substr(at_, 2) != "\\u") return Fail("half a surrogate pair; write both halves");
      at_ += 2;
      SAFERL_RETURN_IF_ERROR(Hex4(&low));
      if (low < 0xdc00 || low > 0xdfff) return Fail("half a surrogate pair; write both halves");
      code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
    } else if (code >= 0xdc00 && code < 0xe000) {
      return Fail("half a surrogate pair; write both halves");
    }
    const auto put = [out](uint32_t byte) { out->push_back(static_cast<char>(byte)); };
    if (code < 0x80) {
      put(code);
    } else if (code < 0x800) {
      put(0xc0 | code >> 6);
      put(0x80 | (code & 0x3f));
    } else if (code < 0x10000) {
      put(0xe0 | code >> 12);
      put(0x80 | (code >> 6 & 0x3f));
      put(0x80 | (code & 0x3f));
    } else {
      put(0xf0 | code >> 18);
      put(0x80 | (code >> 12 & 0x3f));
      put(0x80 | (code >> 6 & 0x3f));
      put(0x80 | (code & 0x3f));
    }
    return absl::OkStatus();
  }

  Status String(std::string* out) {
    ++at_;
    while (true) {
      if (Done()) return Fail("text without a closing quote; close it");
      const char c = text_[at_++];
      if (c == '"') return absl::OkStatus();
      if (static_cast<unsigned char>(c) < 0x20)
        return Fail("control character in a text; escape it");
      if (c != '\\') {
        out->push_back(c);
        continue;
      }
      if (Done()) return Fail("text without a closing quote; close it");
      const char escape = text_[at_++];
      constexpr std::string_view kFrom = "\"\\/bfnrt", kTo = "\"\\/\b\f\n\r\t";
      if (const size_t i = kFrom.find(escape); i != std::string_view::npos) {
        out->push_back(kTo[i]);
      } else if (escape == 'u') {
        SAFERL_RETURN_IF_ERROR(Unicode(out));
      } else {
        return Fail(Cat("unknown escape '\\", std::string(1, escape), "'; remove the backslash"));
      }
    }
  }

  /// -?(0|[1-9][0-9]*)(.[0-9]+)?([eE][+-]?[0-9]+)?
  static bool IsNumber(std::string_view word) {
    size_t i = 0;
    const auto digits = [&] {
      const size_t start = i;
      while (i < word.size() && word[i] >= '0' && word[i] <= '9') ++i;
      return i - start;
    };
    const auto take = [&](std::string_view any) {
      if (i >= word.size() || any.find(word[i]) == std::string_view::npos) return false;
      ++i;
      return true;
    };
    take("-");
    const bool zero = i < word.size() && word[i] == '0';
    const size_t whole = digits();
    if (whole == 0 || (zero && whole > 1)) return false;
    if (take(".") && digits() == 0) return false;
    if (take("eE")) {
      take("+-");
      if (digits() == 0) return false;
    }
    return i == word.size();
  }

  Status Word(Node* node) {
    const size_t start = at_;
    while (!Done() &&
           std::string_view(",]}: \t\r\n\"[{").find(text_[at_]) == std::string_view::npos)
      ++at_;
    const std::string_view word = text_.substr(start, at_ - start);
    if (word.empty()) return Fail("expected a value; add it or remove the comma before it");
    if (word == "null") {
      *node = Node(Node::Kind::kNull, source_, line_);
      return absl::OkStatus();
    }
    if (word != "true" && word != "false" && !IsNumber(word)) {
      return Fail(
          Cat("'", JsonEscape(word.substr(0, 40)), "' is no JSON value; quote it if it is a text"));
    }
    *node = Node(Node::Kind::kScalar, source_, line_);
    node->set_text(std::string(word), false);
    return absl::OkStatus();
  }

  std::string_view text_;
  std::shared_ptr<const std::string> source_;
  const ParseLimits& limits_;
  size_t at_ = 0, nodes_ = 0;
  int line_ = 1;
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
