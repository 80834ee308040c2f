#include "saferl/safety/certifier/urdf.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <map>
#include <sstream>
#include <utility>

#include "fmt/core.h"

namespace saferl::safety::certifier {
namespace {

struct Tag {
  std::string name;    ///< "/joint" when it closes
  bool empty = false;  ///< <.../>
  int line = 0;
  std::map<std::string, std::string> attribute;
};

Status Bad(std::string_view file, int line, std::string_view problem) {
  return absl::InvalidArgumentError(fmt::format("{}:{}: {}", file, line, problem));
}

bool IsSpace(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

class Scanner {
 public:
  Scanner(std::string_view text, std::string_view file) : text_(text), file_(file) {}

  /// The next tag; an empty name at the end of the text.
  StatusOr<Tag> Next() {
    while (true) {
      while (at_ < text_.size() && text_[at_] != '<') Step();
      if (at_ >= text_.size()) return Tag{};
      if (text_.substr(at_, 4) == "<!--") {
        SAFERL_RETURN_IF_ERROR(SkipPast("-->"));
      } else if (text_.substr(at_, 2) == "<?") {
        SAFERL_RETURN_IF_ERROR(SkipPast("?>"));
      } else if (text_.substr(at_, 2) == "<!") {
        SAFERL_RETURN_IF_ERROR(SkipPast(">"));
      } else {
        return ReadTag();
      }
    }
  }

 private:
  void Step() {
    if (text_[at_] == '\n') ++line_;
    ++at_;
  }
  Status SkipPast(std::string_view end) {
    const int from = line_;
    while (at_ < text_.size() && text_.substr(at_, end.size()) != end) Step();
    if (at_ >= text_.size()) return Bad(file_, from, fmt::format("no '{}' follows; close it", end));
    at_ += end.size();
    return absl::OkStatus();
  }
  StatusOr<Tag> ReadTag() {
    Tag tag;
    tag.line = line_;
    Step();
    while (at_ < text_.size() && !IsSpace(text_[at_]) && text_[at_] != '>' &&
           !(text_[at_] == '/' && !tag.name.empty())) {
      tag.name += text_[at_];
      Step();
    }
    while (at_ < text_.size() && text_[at_] != '>') {
      if (text_[at_] == '/') {
        tag.empty = true;
        Step();
      } else if (IsSpace(text_[at_])) {
        Step();
      } else {
        SAFERL_RETURN_IF_ERROR(ReadAttribute(&tag));
      }
    }
    if (at_ >= text_.size()) return Bad(file_, tag.line, "the tag is not closed; add '>'");
    Step();
    return tag;
  }
  Status ReadAttribute(Tag* tag) {
    std::string key, value;
    while (at_ < text_.size() && text_[at_] != '=' && text_[at_] != '>' && !IsSpace(text_[at_])) {
      key += text_[at_];
      Step();
    }
    while (at_ < text_.size() && (IsSpace(text_[at_]) || text_[at_] == '=')) Step();
    if (at_ >= text_.size() || (text_[at_] != '"' && text_[at_] != '\''))
      return Bad(file_, line_, fmt::format("attribute {} has no quoted value", key));
    const char quote = text_[at_];
    Step();
    while (at_ < text_.size() && text_[at_] != quote) {
      value += text_[at_];
      Step();
    }
    if (at_ >= text_.size())
      return Bad(file_, line_, fmt::format("attribute {} is not closed", key));
    Step();
    tag->attribute[key] = value;
    return absl::OkStatus();
  }

  std::string_view text_, file_;
  size_t at_ = 0;
  int line_ = 1;
};

StatusOr<math::Vec3> ReadVec3(const Tag& tag, const std::string& key, math::Vec3 fallback,
                              std::string_view file) {
  const auto found = tag.attribute.find(key);
  if (found == tag.attribute.end()) return fallback;
  double value[3];
  int n = 0;
  std::istringstream words(found->second);
  for (std::string text; words >> text;) {
    char* end = nullptr;
    const double x = std::strtod(text.c_str(), &end);
    if (n == 3 || end != text.c_str() + text.size() || !std::isfinite(x))
      return Bad(file, tag.line,
                 fmt::format("{}: \"{}\" is not three numbers", key, found->second));
    value[n++] = x;
  }
  if (n != 3)
    return Bad(file, tag.line, fmt::format("{}: \"{}\" is not three numbers", key, found->second));
  return math::Vec3{value[0], value[1], value[2]};
}

Status ReadPart(const Tag& tag, std::string_view file, UrdfJoint* joint) {
  const auto attribute = [&](const char* key) {
    const auto found = tag.attribute.find(key);
    return found == tag.attribute.end() ? std::string() : found->second;
  };
  if (tag.name == "parent") joint->parent = attribute("link");
  if (tag.name == "child") joint->child = attribute("link");
  if (tag.name == "origin") {
    SAFERL_ASSIGN_OR_RETURN(joint->xyz, ReadVec3(tag, "xyz", {}, file));
    SAFERL_ASSIGN_OR_RETURN(joint->rpy, ReadVec3(tag, "rpy", {}, file));
  }
  if (tag.name == "limit") {
    const std::pair<const char*, double*> fields[] = {{"lower", &joint->lower},
                                                      {"upper", &joint->upper},
                                                      {"velocity", &joint->velocity},
                                                      {"effort", &joint->effort}};
    for (const auto& [key, value] : fields) {
      const std::string text = attribute(key);
      char* end = nullptr;
      *value = std::strtod(text.c_str(), &end);
      if (end != text.c_str() + text.size() || !std::isfinite(*value)) {
        return Bad(file, tag.line, fmt::format("limit {}: \"{}\" is not a number", key, text));
      }
    }
  }
  if (tag.name == "axis") {
    SAFERL_ASSIGN_OR_RETURN(joint->axis, ReadVec3(tag, "xyz", {1, 0, 0}, file));
  }
  return absl::OkStatus();
}

/// Follows child links from the root. Fails where the path splits.
StatusOr<std::vector<UrdfJoint>> InOrder(const std::vector<UrdfJoint>& joints,
                                         std::string_view file) {
  std::vector<UrdfJoint> chain;
  if (joints.empty()) return chain;
  const auto is_child = [&](const std::string& link) {
    return std::any_of(joints.begin(), joints.end(),
                       [&](const UrdfJoint& j) { return j.child == link; });
  };
  std::string link;
  for (const UrdfJoint& joint : joints) {
    if (!is_child(joint.parent)) link = joint.parent;
  }
  while (chain.size() < joints.size()) {
    const UrdfJoint* next = nullptr;
    for (const UrdfJoint& joint : joints) {
      if (joint.parent != link) continue;
      if (next != nullptr)
        return Bad(file, joint.line,
                   fmt::format("link {} has two children; give a serial chain", link));
      next = &joint;
    }
    if (next == nullptr) return Bad(file, joints.back().line, "the joints do not form one chain");
    chain.push_back(*next);
    link = next->child;
  }
  return chain;
}

}  // namespace

StatusOr<std::vector<UrdfJoint>> ReadUrdfChain(std::string_view text, std::string_view file) {
  Scanner scanner(text, file);
  std::vector<UrdfJoint> joints;
  UrdfJoint joint;
  bool inside = false;
  while (true) {
    SAFERL_ASSIGN_OR_RETURN(const Tag tag, scanner.Next());
    if (tag.name.empty()) break;
    if (tag.name == "joint" && tag.attribute.count("type") > 0) {
      joint = UrdfJoint{};
      joint.line = tag.line;
      joint.type = tag.attribute.at("type");
      if (tag.attribute.count("name") > 0) joint.name = tag.attribute.at("name");
      inside = !tag.empty;
    } else if (tag.name == "/joint" && inside) {
      if (joint.parent.empty() || joint.child.empty())
        return Bad(file, joint.line,
                   fmt::format("joint {} needs <parent> and <child>", joint.name));
      joints.push_back(joint);
      inside = false;
    } else if (inside) {
      SAFERL_RETURN_IF_ERROR(ReadPart(tag, file, &joint));
    }
  }
  return InOrder(joints, file);
}

}  // namespace saferl::safety::certifier
