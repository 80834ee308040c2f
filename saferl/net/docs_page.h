#pragma once
// The page at /docs: plain HTML, CSS and JavaScript that read /openapi.json; nothing from
// elsewhere.

#include <string_view>

namespace saferl::net {

std::string_view DocsPage();

}  // namespace saferl::net
