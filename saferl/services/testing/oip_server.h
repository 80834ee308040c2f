#pragma once
// A whole App that serves the models of the Open Inference Protocol's tests: `small` (versions 1
// and 10) and `other` (version 1). For tests.

#include <unistd.h>

#include <filesystem>
#include <memory>
#include <string>
#include <utility>

#include "saferl/base/file.h"
#include "saferl/base/text.h"
#include "saferl/services/app.h"
#include "saferl/services/inference/small_policy.h"

namespace saferl::services {

class OipServer {
 public:
  ~OipServer() {
    app_.reset();
    std::filesystem::remove_all(folder_);
  }
  Status Start() {
    std::filesystem::remove_all(folder_);
    for (const auto& [file, sign] :
         {std::pair{"small/1", 1.0F}, std::pair{"small/10", -1.0F}, std::pair{"other/1", 1.0F}}) {
      const std::filesystem::path path = Cat(folder_, "/models/", file, ".policy");
      std::filesystem::create_directories(path.parent_path());
      SAFERL_RETURN_IF_ERROR(WriteFileAtomic(path.string(), Package(sign)));
    }
    ServiceConfig config;
    config.data_dir = folder_;
    config.api.port = config.inference_server.port = config.monitor_server.port = 0;
    SAFERL_ASSIGN_OR_RETURN(app_, App::Start(config, {"0.1.0", "abc"}, {}));
    return absl::OkStatus();
  }
  App* app() { return app_.get(); }

 private:
  const std::string folder_ =
      (std::filesystem::temp_directory_path() / Cat("saferl_oip_", ::getpid())).string();
  std::unique_ptr<App> app_;
};

}  // namespace saferl::services
