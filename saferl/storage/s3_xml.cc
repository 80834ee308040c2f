#include "saferl/storage/s3_xml.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "saferl/base/text.h"

namespace saferl::storage {
namespace {

constexpr size_t kMaxDepth = 16, kMaxElements = 100'000;

void AppendUtf8(uint32_t code, std::string* out) {
  const auto put = [&](uint32_t byte) { *out += static_cast<char>(byte); };
  if (code < 0x80) {
    put(code);
  } else if (code < 0x800) {
    put(0xC0 | code >> 6);
    put(0x80 | (code & 63));
  } else if (code < 0x10000) {
    put(0xE0 | code >> 12);
    put(0x80 | (code >> 6 & 63));
    put(0x80 | (code & 63));
  } else {
    put(0xF0 | code >> 18);
    put(0x80 | (code >> 12 & 63));
    put(0x80 | (code >> 6 & 63));
    put(0x80 | (code & 63));
  }
}

class Parser {
 public:
  explicit Parser(std::string_view text) : all_(text), left_(text) {}

  StatusOr<XmlElement> Parse() {
    if (left_.starts_with("\xef\xbb\xbf")) left_.remove_prefix(3);
    std::vector<XmlElement> open;  // the last one is the innermost
    while (!left_.empty()) {
      if (!left_.starts_with('<')) {
        SAFERL_RETURN_IF_ERROR(TakeText(open.empty() ? nullptr : &open.back().text));
      } else if (left_.starts_with("<?")) {
        SAFERL_RETURN_IF_ERROR(Skip("?>"));
      } else if (left_.starts_with("<!--")) {
        SAFERL_RETURN_IF_ERROR(Skip("-->"));
      } else if (left_.starts_with("<!")) {
        return Bad("a document type or CDATA");
      } else {
        SAFERL_ASSIGN_OR_RETURN(const bool done, TakeTag(&open));
        if (done) return Finish(std::move(open.front()));
      }
    }
    return Bad("the end before the last element's");
  }

 private:
  Status Bad(std::string_view what) const {
    return absl::UnavailableError(Cat("XML, byte ", all_.size() - left_.size(), ": ", what));
  }

  Status Skip(std::string_view end) {
    const size_t at = left_.find(end);
    if (at == std::string_view::npos) return Bad("a comment or declaration without end");
    left_.remove_prefix(at + end.size());
    return absl::OkStatus();
  }

  /// After the root only comments and white space may follow.
  StatusOr<XmlElement> Finish(XmlElement root) {
    while (!left_.empty()) {
      if (left_.starts_with("<!--")) {
        SAFERL_RETURN_IF_ERROR(Skip("-->"));
      } else if (std::string_view(" \t\r\n").find(left_.front()) != std::string_view::npos) {
        left_.remove_prefix(1);
      } else {
        return Bad("something after the root element");
      }
    }
    return root;
  }

  Status TakeText(std::string* out) {
    const std::string_view text = left_.substr(0, left_.find('<'));
    if (out == nullptr) {
      if (text.find_first_not_of(" \t\r\n") != std::string_view::npos) {
        return Bad("text outside of the root element");
      }
      left_.remove_prefix(text.size());
      return absl::OkStatus();
    }
    for (size_t at = 0; at < text.size();) {
      if (text[at] != '&') {
        *out += text[at++];
        continue;
      }
      const size_t end = text.substr(at, 12).find(';');
      if (end == std::string_view::npos || !TakeEntity(text.substr(at + 1, end - 1), out)) {
        left_.remove_prefix(at);
        return Bad("an unknown entity");
      }
      at += end + 1;
    }
    left_.remove_prefix(text.size());
    return absl::OkStatus();
  }

  static bool TakeEntity(std::string_view name, std::string* out) {
    constexpr std::pair<std::string_view, char> kNamed[] = {
        {"lt", '<'}, {"gt", '>'}, {"amp", '&'}, {"quot", '"'}, {"apos", '\''}};
    for (const auto& [known, c] : kNamed) {
      if (name == known) {
        *out += c;
        return true;
      }
    }
    if (!name.starts_with('#')) return false;
    const bool hex = name.starts_with("#x");
    name.remove_prefix(hex ? 2 : 1);
    uint32_t code = 0;
    const auto [end, error] =
        std::from_chars(name.data(), name.data() + name.size(), code, hex ? 16 : 10);
    if (error != std::errc() || end != name.data() + name.size()) return false;
    if (code == 0 || code > 0x10FFFF || (code >= 0xD800 && code < 0xE000)) return false;
    AppendUtf8(code, out);
    return true;
  }

  /// The length of the tag at left_ up to its '>', which may also stand in an attribute's quotes.
  size_t TagLength() const {
    char quote = 0;
    for (size_t i = 1; i < left_.size(); ++i) {
      if (quote != 0) {
        if (left_[i] == quote) quote = 0;
      } else if (left_[i] == '"' || left_[i] == '\'') {
        quote = left_[i];
      } else if (left_[i] == '<') {
        return 0;
      } else if (left_[i] == '>') {
        return i + 1;
      }
    }
    return 0;
  }

  /// True when this tag closes the root.
  StatusOr<bool> TakeTag(std::vector<XmlElement>* open) {
    const size_t length = TagLength();
    if (length == 0) return Bad("a tag without end");
    std::string_view tag = left_.substr(1, length - 2);
    const bool closing = tag.starts_with('/'), empty = !closing && tag.ends_with('/');
    if (closing) tag.remove_prefix(1);
    if (empty) tag.remove_suffix(1);
    std::string_view name = tag.substr(0, tag.find_first_of(" \t\r\n"));
    name = name.substr(name.find(':') + 1);
    if (name.empty()) return Bad("a tag without name");
    if (closing && (open->empty() || open->back().name != name)) return Bad("a tag out of place");
    if (!closing) {
      if (open->size() >= kMaxDepth || ++elements_ > kMaxElements) return Bad("too large");
      open->push_back({std::string(name), ""});
    }
    left_.remove_prefix(length);
    if (!closing && !empty) return false;
    if (open->size() == 1) return true;
    XmlElement done = std::move(open->back());
    open->pop_back();
    open->back().children.push_back(std::move(done));
    return false;
  }

  const std::string_view all_;
  std::string_view left_;
  size_t elements_ = 0;
};

}  // namespace

std::string_view XmlElement::Text(std::string_view child) const {
  const auto found = std::ranges::find(children, child, &XmlElement::name);
  return found == children.end() ? std::string_view() : std::string_view(found->text);
}

StatusOr<XmlElement> ParseXml(std::string_view text) { return Parser(text).Parse(); }

std::string EscapeXml(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    switch (c) {
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '&':
        escaped += "&amp;";
        break;
      case '"':
        escaped += "&quot;";
        break;
      default:
        escaped += c;
    }
  }
  return escaped;
}

StatusOr<S3Page> ParseS3Page(std::string_view xml) {
  SAFERL_ASSIGN_OR_RETURN(const XmlElement root, ParseXml(xml));
  if (root.name != "ListBucketResult") {
    return absl::UnavailableError(Cat("S3 list: <", root.name, "> instead of <ListBucketResult>"));
  }
  S3Page page;
  for (const XmlElement& child : root.children) {
    if (child.name != "Contents") continue;
    S3Page::Object object{.key = std::string(child.Text("Key"))};
    const std::string_view size = child.Text("Size");
    const auto [end, error] = std::from_chars(size.data(), size.data() + size.size(), object.size);
    if (error != std::errc() || end != size.data() + size.size()) {
      return absl::UnavailableError(Cat("S3 list: a size of '", size.substr(0, 40), "'"));
    }
    page.objects.push_back(std::move(object));
  }
  if (root.Text("IsTruncated") == "true") {
    page.next_token = root.Text("NextContinuationToken");
    if (page.next_token.empty()) {
      return absl::UnavailableError("S3 list: more to come, but no continuation token");
    }
  }
  return page;
}

}  // namespace saferl::storage
