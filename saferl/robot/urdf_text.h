#pragma once
// What a URDF's text shows before and after urdfdom reads it: what it must not be given (elements
// nested too deep, links that hang on themselves), and the line of what it complained about. The
// only file that knows tinyxml, urdfdom's own XML reader, so that both see the same document.
//
// RT: no. Errors: "name:line: problem; next step".

#include <string>
#include <string_view>
#include <vector>

#include "saferl/base/status.h"

namespace saferl::robot {

/// Elements within elements; URDF itself needs seven.
inline constexpr int kMaxUrdfDepth = 64;

/// OK if `text` is one XML document that urdfdom can be given.
Status CheckUrdfText(std::string_view text, std::string_view name);

/// "name:line" of the element that urdfdom's `message` is about: the one that carries a value which
/// the message quotes in [] or (). Just `name` if there is none.
std::string UrdfPlace(std::string_view text, std::string_view name, std::string_view message);

}  // namespace saferl::robot
