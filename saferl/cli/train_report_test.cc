// `saferl train --report` against a whole service.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>

#include "saferl/base/file.h"
#include "saferl/base/hash.h"
#include "saferl/base/json.h"
#include "saferl/base/testing/shell.h"
#include "saferl/base/text.h"
#include "saferl/net/http_client.h"
#include "saferl/services/app.h"

namespace saferl::cli {
namespace {

using testing::HasSubstr;

class TrainReportTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = Cat(testing::TempDir(), "train_report_", ::getpid());
    std::filesystem::create_directories(folder_);
    services::ServiceConfig config;
    config.data_dir = folder_;
    config.api.port = 0;
    auto app = services::App::Start(config, {"0.1.0", "abc"}, {services::Service::kApi});
    ASSERT_TRUE(app.ok()) << app.status();
    app_ = *std::move(app);
    url_ = Cat("http://127.0.0.1:", app_->api_port());
  }
  void TearDown() override {
    app_.reset();
    std::filesystem::remove_all(folder_);
  }
  /// Exit code and output of a short training.
  std::pair<int, std::string> Train(const std::string& url) {
    const std::string command = Cat(
        SAFERL_BINARY_DIR, "/bin/saferl train --task speed_track --algorithm ppo --iterations 2 ",
        "--seed 5 --threads 1 --episodes 16 --name short --set n_envs=16 ",
        "--set rollout_steps=8 --set evaluation_episodes=16 --set evaluation_every=1 --out ",
        folder_, "/short.policy --report ", url, " 2>&1");
    const auto [code, output] = Shell(command);
    return {code, output};
  }

  std::string folder_, url_;
  std::unique_ptr<services::App> app_;
};

TEST_F(TrainReportTest, ARunIsKeptWithItsConfigMetricsAndPackage) {
  const auto [code, output] = Train(url_);
  ASSERT_EQ(code, 0) << output;
  net::HttpClient client;
  const auto page = client.Send({.url = url_ + "/api/v1/experiments?name=short&seed=5"});
  ASSERT_TRUE(page.ok()) << page.status();
  const auto json = ParseJson(page->body, "page");
  ASSERT_TRUE(json.ok());
  ASSERT_EQ(json->Find("items")->items().size(), 1u) << page->body;
  const Node& run = json->Find("items")->items()[0];
  EXPECT_EQ(run.Find("status")->text(), "finished");
  EXPECT_EQ(run.Find("iteration")->text(), "2") << "the last check's progress";
  EXPECT_EQ(run.Find("steps")->text(), "256");
  EXPECT_THAT(run.Find("config")->text(), HasSubstr("rollout_steps: 8"));
  EXPECT_NE(run.Find("metrics")->Find("return"), nullptr);
  const auto package = ReadFile(folder_ + "/short.policy");
  ASSERT_TRUE(package.ok());
  EXPECT_EQ(run.Find("artifact_sha256")->text(), Sha256Hex(*package));
}

TEST_F(TrainReportTest, AServiceThatIsNotThereIsFoundBeforeAnythingIsLearnt) {
  app_.reset();
  const auto [code, output] = Train(url_);
  EXPECT_NE(code, 0);
  EXPECT_THAT(output, HasSubstr("--report: "));
  EXPECT_FALSE(FileExists(folder_ + "/short.policy"));
}

}  // namespace
}  // namespace saferl::cli
