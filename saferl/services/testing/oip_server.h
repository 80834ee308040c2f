#pragma once
// A whole App that serves the models of the Open Inference Protocol's tests: `small` (versions 1
// and 10) and `other` (version 1), on stores of either kind. For tests.

#include <filesystem>
#include <memory>
#include <string>
#include <utility>

#include "saferl/base/file.h"
#include "saferl/base/text.h"
#include "saferl/services/app.h"
#include "saferl/services/inference/small_policy.h"
#include "saferl/services/testing/backends.h"

namespace saferl::services {

class OipServer {
 public:
  explicit OipServer(const char* kind) : stores_(kind) {}
  Status Start() {
    SAFERL_RETURN_IF_ERROR(stores_.status());
    for (const auto& [file, sign] :
         {std::pair{"small/1", 1.0F}, std::pair{"small/10", -1.0F}, std::pair{"other/1", 1.0F}}) {
      const std::filesystem::path path = Cat(stores_.folder(), "/models/", file, ".policy");
      std::filesystem::create_directories(path.parent_path());
      SAFERL_RETURN_IF_ERROR(WriteFileAtomic(path.string(), Package(sign)));
    }
    SAFERL_ASSIGN_OR_RETURN(app_, App::Start(stores_.config(), {"0.1.0", "abc"}, {}));
    return absl::OkStatus();
  }
  App* app() { return app_.get(); }

 private:
  const Backends stores_;
  std::unique_ptr<App> app_;
};

}  // namespace saferl::services
