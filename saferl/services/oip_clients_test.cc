// Clients that others wrote, from PyPI, against the whole server (tools/test_oip.py), and what
// cannot be had here as recorded bytes (tests/oip).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "saferl/base/file.h"
#include "saferl/base/testing/shell.h"
#include "saferl/base/text.h"
#include "saferl/services/testing/oip_server.h"

namespace saferl::services {
namespace {

using testing::HasSubstr;

/// The stores, and the client.
class OipClients : public testing::TestWithParam<std::tuple<const char*, const char*>> {
 protected:
  void SetUp() override {
    const Status started = server_.Start();
    ASSERT_TRUE(started.ok()) << started;
    app_ = server_.app();
  }
  OipServer server_{std::get<0>(GetParam())};
  App* app_ = nullptr;
};

TEST_P(OipClients, AreServedUnchanged) {
  const std::string root = SAFERL_SOURCE_DIR;
  const std::string command = Cat(
      "python=$(", root, "/tools/python_env -r ", root, "/tools/oip_clients.txt) && $python ", root,
      "/tools/test_oip.py ", app_->inference_port(), " ", std::get<1>(GetParam()), " 2>&1");
  const auto [code, output] = Shell(command);
  EXPECT_EQ(code, 0) << output;
  EXPECT_THAT(output, HasSubstr("ok "));
}

constexpr auto kNameOf = [](const auto& test) {
  return Cat(std::get<0>(test.param), "_", std::get<1>(test.param));
};
INSTANTIATE_TEST_SUITE_P(FromPyPI, OipClients,
                         testing::Combine(testing::ValuesIn(kBackends),
                                          testing::Values("triton_http", "triton_http_aio",
                                                          "triton_grpc", "triton_grpc_aio",
                                                          "kserve", "mlserver")),
                         kNameOf);

}  // namespace
}  // namespace saferl::services
