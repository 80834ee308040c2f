#pragma once
// What the program is: served by /version, written on metrics and traces.

#include <string>

namespace saferl::services {

struct BuildInfo {
  std::string version, commit;
};

}  // namespace saferl::services
