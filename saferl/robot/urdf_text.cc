#include "saferl/robot/urdf_text.h"

#include <tinyxml.h>

#include <algorithm>
#include <map>
#include <set>

#include "saferl/base/text.h"

namespace saferl::robot {
namespace {

Status Bad(std::string_view name, int line, const std::string& problem) {
  return absl::InvalidArgumentError(Cat(name, ":", line, ": ", problem));
}

/// Where the markup that begins at text[at] == '<' ends (its last character), or npos. Quoted
/// values may hold '>'.
size_t EndOfMarkup(std::string_view text, size_t at) {
  const auto after = [&](std::string_view end) {
    const size_t found = text.find(end, at);
    return found == std::string_view::npos ? found : found + end.size() - 1;
  };
  const std::string_view rest = text.substr(at);
  if (rest.starts_with("<!--")) return after("-->");
  if (rest.starts_with("<![CDATA[")) return after("]]>");
  if (rest.starts_with("<?") || rest.starts_with("<!")) return after(">");
  char quote = '\0';
  for (size_t i = at + 1; i < text.size(); ++i) {
    if (quote != '\0') {
      if (text[i] == quote) quote = '\0';
    } else if (text[i] == '"' || text[i] == '\'') {
      quote = text[i];
    } else if (text[i] == '>') {
      return i;
    }
  }
  return std::string_view::npos;
}

/// Refuses what would make tinyxml, which descends by recursion, run out of stack: elements nested
/// too deep. A '<' inside a tag is refused with it, so that no reading of the text can hide one.
Status CheckDepth(std::string_view text, std::string_view name) {
  const auto line = [&](size_t at) {
    return 1 + static_cast<int>(
                   std::count(text.begin(), text.begin() + static_cast<ptrdiff_t>(at), '\n'));
  };
  int depth = 0;
  size_t end = 0;
  for (size_t at = text.find('<'); at != std::string_view::npos; at = text.find('<', end)) {
    end = EndOfMarkup(text, at);
    const std::string_view markup =
        text.substr(at, end == std::string_view::npos ? end : end + 1 - at);
    const bool free_text = markup.starts_with("<!--") || markup.starts_with("<![CDATA[");
    if (!free_text && markup.find('<', 1) != std::string_view::npos)
      return Bad(name, line(at), "a tag holds another '<'; end it with '>' or write &lt;");
    if (end == std::string_view::npos)
      return Bad(name, line(at), "a tag or comment that begins here never ends");
    if (markup[1] == '!' || markup[1] == '?') continue;
    if (markup[1] == '/') {
      depth = std::max(0, depth - 1);
    } else if (markup[markup.size() - 2] != '/' && ++depth > kMaxUrdfDepth) {
      return Bad(name, line(at),
                 Cat("elements are nested more than ", kMaxUrdfDepth,
                     " deep; close those that are still open before this one"));
    }
  }
  return absl::OkStatus();
}

/// A link that hangs on itself through its joints, and the line of the joint that closes the loop.
/// urdfdom would not give back the memory of such a loop.
Status CheckLoops(const TiXmlElement& robot, std::string_view name) {
  struct Joint {
    std::string parent;
    int line;
  };
  std::map<std::string, Joint, std::less<>> joint_of;  // by child link
  for (const TiXmlElement* joint = robot.FirstChildElement("joint"); joint != nullptr;
       joint = joint->NextSiblingElement("joint")) {
    const auto link = [&](const char* tag) -> const char* {
      const TiXmlElement* element = joint->FirstChildElement(tag);
      return element == nullptr ? nullptr : element->Attribute("link");
    };
    const char *parent = link("parent"), *child = link("child");
    if (parent != nullptr && child != nullptr) joint_of[child] = {parent, joint->Row()};
  }
  std::set<std::string_view> clear;  // links known to end at a root
  for (const auto& [link, unused] : joint_of) {
    std::vector<std::string_view> way;
    for (auto at = joint_of.find(link); at != joint_of.end() && !clear.contains(at->first);
         at = joint_of.find(at->second.parent)) {
      if (way.size() > joint_of.size())
        return Bad(
            name, at->second.line,
            Cat("link '", at->first, "' hangs on itself; a robot's joints must form a tree"));
      way.push_back(at->first);
    }
    clear.insert(way.begin(), way.end());
  }
  return absl::OkStatus();
}

/// What stands in [] or () in a message.
std::vector<std::string_view> Quoted(std::string_view message) {
  std::vector<std::string_view> values;
  for (size_t at = message.find_first_of("[("); at != std::string_view::npos;
       at = message.find_first_of("[(", at + 1)) {
    const size_t end = message.find(message[at] == '[' ? ']' : ')', at);
    if (end != std::string_view::npos && end > at + 1)
      values.push_back(message.substr(at + 1, end - at - 1));
  }
  return values;
}

/// How an element carries a value, the most telling first.
enum Carriage { kAsValue, kAsWord, kAsName, kNot };

Carriage Carries(const TiXmlElement& element, std::string_view value) {
  Carriage best = kNot;
  for (const TiXmlAttribute* a = element.FirstAttribute(); a != nullptr; a = a->Next()) {
    const std::string padded = Cat(" ", a->Value(), " ");
    if (a->Value() == value)
      best = std::min(best, std::string_view(a->Name()) == "name" ? kAsName : kAsValue);
    else if (padded.find(Cat(" ", value, " ")) != std::string::npos)
      best = std::min(best, kAsWord);
  }
  return best;
}

/// The first element that carries `value` in the most telling way.
struct Carrier {
  Carriage how = kNot;
  int line = 0;
};
void FindCarrier(const TiXmlElement& element, std::string_view value, Carrier* best) {
  if (const Carriage how = Carries(element, value); how < best->how) *best = {how, element.Row()};
  for (const TiXmlElement* child = element.FirstChildElement(); child != nullptr;
       child = child->NextSiblingElement())
    FindCarrier(*child, value, best);
}

}  // namespace

Status CheckUrdfText(std::string_view text, std::string_view name) {
  SAFERL_RETURN_IF_ERROR(CheckDepth(text, name));
  TiXmlDocument document;
  document.Parse(std::string(text).c_str());
  if (document.Error())
    return Bad(name, std::max(1, document.ErrorRow()),
               Cat("is not well-formed XML: ", document.ErrorDesc(),
                   " Look for a missing bracket, quote or end tag here or just before"));
  const TiXmlElement* robot = document.FirstChildElement("robot");
  if (robot == nullptr) {
    const TiXmlElement* root = document.RootElement();
    return Bad(name, root == nullptr ? 1 : root->Row(),
               Cat("is not a URDF: ",
                   root == nullptr ? "it is empty" : Cat("its root is <", root->Value(), ">"),
                   "; the root must be <robot name=\"...\">"));
  }
  return CheckLoops(*robot, name);
}

std::string UrdfPlace(std::string_view text, std::string_view name, std::string_view message) {
  TiXmlDocument document;
  document.Parse(std::string(text).c_str());
  const TiXmlElement* root = document.RootElement();
  Carrier best;
  for (const std::string_view value : Quoted(message))
    if (root != nullptr) FindCarrier(*root, value, &best);
  return best.how == kNot ? std::string(name) : Cat(name, ":", best.line);
}

}  // namespace saferl::robot
