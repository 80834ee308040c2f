// Decisions through the whole program, with curl.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "saferl/base/file.h"
#include "saferl/base/json.h"
#include "saferl/base/testing/shell.h"
#include "saferl/base/text.h"
#include "saferl/control/workload.h"
#include "saferl/services/app.h"
#include "saferl/services/testing/backends.h"

namespace saferl::services {
namespace {

using testing::HasSubstr;

class DecideAppTest : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    ASSERT_TRUE(stores_.status().ok()) << stores_.status();
    auto app = App::Start(stores_.config(), {"0.1.0", "abc"}, {});
    ASSERT_TRUE(app.ok()) << app.status();
    app_ = *std::move(app);
  }
  /// One request of a robot, in a file.
  std::string RequestFile(const std::string& type, const std::string& id) {
    const auto safety = safety::LoadSafetyModel(type);
    EXPECT_TRUE(safety.ok()) << safety.status();
    control::Workload workload((*safety)->robot);
    const std::string path = Cat(stores_.folder(), "/", id, ".json");
    EXPECT_TRUE(
        WriteFileAtomic(path, EncodeDecideRequest(*(*safety)->robot, id, workload.Next())).ok());
    return path;
  }
  static std::string Run(const std::string& command) {
    ShellResult ran = Shell(command + " 2>&1");
    EXPECT_EQ(ran.code, 0) << ran.output;
    return std::move(ran.output);
  }
  std::string Curl(const std::string& arguments) {
    return Run(Cat("curl -sS --max-time 20 -w ' %{http_code}' ", arguments));
  }
  std::string Url(const char* path) {
    return Cat("http://127.0.0.1:", app_->inference_port(), path);
  }

  const Backends stores_{GetParam()};
  std::unique_ptr<App> app_;
};
INSTANTIATE_TEST_SUITE_P(Stores, DecideAppTest, testing::ValuesIn(kBackends), NameOfBackends);

TEST_P(DecideAppTest, OneCurlGivesADecisionOfEveryRobot) {
  for (const char* type : {"wheelchair", "arm7", "exoskeleton"}) {
    const std::string answer = Curl(Cat(Url("/inference"), " -d @", RequestFile(type, type)));
    ASSERT_TRUE(answer.ends_with(" 200")) << answer;
    const auto json = ParseJson(answer.substr(0, answer.size() - 4), "answer");
    ASSERT_TRUE(json.ok()) << json.status();
    EXPECT_EQ(json->Find("mode")->text(), "nominal") << answer;
    EXPECT_EQ(json->Find("command")->Find("valid_for_ns")->AsInt64().value_or(0) > 0, true);
    EXPECT_FALSE(json->Find("margins")->entries().empty());
  }
  const std::string again = Curl(Cat(Url("/inference"), " -d @", stores_.folder(), "/arm7.json"));
  EXPECT_THAT(again, HasSubstr(R"("mode":"controlled_stop","reason":"clock_backward")"));
}

TEST_P(DecideAppTest, ABatchAnswersEachRobotAndAFaultOfOneIsItsOwn) {
  const auto chair = ReadFile(RequestFile("wheelchair", "a"));
  const auto arm = ReadFile(RequestFile("arm7", "b"));
  std::string tank = *arm;
  tank.replace(tank.find("arm7"), 4, "tank").replace(tank.find("\"b\""), 3, "\"c\"");
  const std::string path = stores_.folder() + "/batch.json";
  ASSERT_TRUE(
      WriteFileAtomic(path, Cat(R"({"requests":[)", *chair, ",", tank, ",", *arm, "]}")).ok());
  const std::string answer = Curl(Cat(Url("/inference/batch"), " -d @", path));
  ASSERT_TRUE(answer.ends_with(" 200")) << answer;
  const auto json = ParseJson(answer.substr(0, answer.size() - 4), "answer");
  ASSERT_TRUE(json.ok());
  const auto& decisions = json->Find("decisions")->items();
  ASSERT_EQ(decisions.size(), 3u);
  EXPECT_EQ(decisions[0].Find("mode")->text(), "nominal");
  EXPECT_THAT(decisions[1].Find("error")->Find("detail")->text(), HasSubstr("'tank' is no robot"));
  EXPECT_EQ(decisions[2].Find("robot")->text(), "b");
}

TEST_P(DecideAppTest, ErrorsAreProblemsAndTheDocumentNamesTheRoutes) {
  const std::string bad = Curl(Cat(Url("/inference"), " -d '{\"robot\":\"a\",\"tyqe\":\"arm7\"}'"));
  EXPECT_THAT(bad, HasSubstr("tyqe: unknown; did you mean 'type'?"));
  EXPECT_TRUE(bad.ends_with(" 400")) << bad;
  EXPECT_TRUE(Curl(Url("/inference")).ends_with(" 405"));
  const auto document = ParseJson(Run(Cat("curl -sS ", Url("/openapi.json"))), "openapi");
  ASSERT_TRUE(document.ok()) << document.status();
  for (const char* path : {"/inference", "/inference/batch"})
    EXPECT_NE(document->Find("paths")->Find(path), nullptr) << path;
}

TEST_P(DecideAppTest, ControlStreamsServeClientsOfOthers) {
  const std::string root = SAFERL_SOURCE_DIR;
  const std::string request = RequestFile("wheelchair", "a");
  const std::string output = Run(Cat(
      "python=$(", root, "/tools/python_env -r ", root, "/tools/control_clients.txt) && $python ",
      root, "/tools/test_control_stream.py ", app_->inference_port(), " ", request, " ", root));
  EXPECT_THAT(output, HasSubstr("ok "));
}

}  // namespace
}  // namespace saferl::services
