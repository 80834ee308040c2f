#include "saferl/services/api/api_route.h"

namespace saferl::services {

net::Route ApiRoute(net::Method method, std::string pattern, std::string id, std::string summary,
                    net::Handler handler, std::string tag) {
  net::Route route;
  route.method = method;
  route.pattern = std::move(pattern);
  route.operation_id = std::move(id);
  route.summary = std::move(summary);
  route.tag = std::move(tag);
  route.run = net::Run::kPool;
  route.handler = std::move(handler);
  return route;
}

}  // namespace saferl::services
