#pragma once
// A route of the API, for short: on the pool, under a tag of the document. RT: no.

#include <string>

#include "saferl/net/router.h"

namespace saferl::services {

net::Route ApiRoute(net::Method method, std::string pattern, std::string id, std::string summary,
                    net::Handler handler, std::string tag = "shared control");

}  // namespace saferl::services
