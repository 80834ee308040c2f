// Clients that others wrote, from PyPI, against the whole server (tools/test_oip.py), and what
// cannot be had here as recorded bytes (tests/oip).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <filesystem>

#include "saferl/base/file.h"
#include "saferl/base/text.h"
#include "saferl/services/app.h"
#include "saferl/services/inference/small_policy.h"

namespace saferl::services {
namespace {

using testing::HasSubstr;

class OipServer : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = testing::TempDir() + "oip_clients";
    std::filesystem::remove_all(folder_);
    for (const auto& [file, sign] :
         {std::pair{"small/1", 1.0F}, std::pair{"small/10", -1.0F}, std::pair{"other/1", 1.0F}}) {
      const std::filesystem::path path = Cat(folder_, "/models/", file, ".policy");
      std::filesystem::create_directories(path.parent_path());
      ASSERT_TRUE(WriteFileAtomic(path.string(), Package(sign)).ok());
    }
    ServiceConfig config;
    config.data_dir = folder_;
    config.api.port = config.inference_server.port = config.monitor_server.port = 0;
    auto app = App::Start(config, {"0.1.0", "abc"}, {});
    ASSERT_TRUE(app.ok()) << app.status();
    app_ = *std::move(app);
  }
  void TearDown() override {
    app_.reset();
    std::filesystem::remove_all(folder_);
  }

  std::string folder_;
  std::unique_ptr<App> app_;
};

class OipClients : public OipServer, public testing::WithParamInterface<const char*> {};

TEST_P(OipClients, AreServedUnchanged) {
  const std::string root = SAFERL_SOURCE_DIR;
  const std::string command =
      Cat("python=$(", root, "/tools/python_env -r ", root, "/tools/oip_clients.txt) && $python ",
          root, "/tools/test_oip.py ", app_->inference_port(), " ", GetParam(), " 2>&1");
  FILE* pipe = popen(command.c_str(), "r");
  ASSERT_NE(pipe, nullptr);
  std::string output;
  std::array<char, 4096> buffer{};
  while (const size_t n = fread(buffer.data(), 1, buffer.size(), pipe))
    output.append(buffer.data(), n);
  EXPECT_EQ(pclose(pipe), 0) << output;
  EXPECT_THAT(output, HasSubstr("ok "));
}

INSTANTIATE_TEST_SUITE_P(FromPyPI, OipClients,
                         testing::Values("triton_http", "triton_http_aio", "triton_grpc",
                                         "triton_grpc_aio", "kserve", "mlserver"),
                         [](const auto& test) { return std::string(test.param); });

}  // namespace
}  // namespace saferl::services
