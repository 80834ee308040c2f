#include "saferl/services/app.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "saferl/base/file.h"
#include "saferl/base/json.h"
#include "saferl/base/random.h"
#include "saferl/base/text.h"
#include "saferl/net/http_client.h"
#include "saferl/policy/quantise.h"
#include "saferl/policy/spec_builder.h"
#include "saferl/services/inference/small_policy.h"
#include "saferl/services/testing/backends.h"

namespace saferl::services {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class AppTest : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    ASSERT_TRUE(stores_.status().ok()) << stores_.status();
    const std::string models = stores_.folder() + "/models/small";
    std::filesystem::create_directories(models);
    for (const auto& [version, sign] : {std::pair{"1", 1.0F}, std::pair{"10", -1.0F}}) {
      ASSERT_TRUE(WriteFileAtomic(Cat(models, "/", version, ".policy"), Package(sign)).ok());
    }
    ASSERT_TRUE(WriteFileAtomic(models + "/bad.policy", "not a package").ok());
    auto app = App::Start(stores_.config(), {"0.1.0", "abc"}, {});
    ASSERT_TRUE(app.ok()) << app.status();
    app_ = *std::move(app);
  }

  net::ClientResponse Call(net::Method method, int port, const std::string& path,
                           const std::string& body = "") {
    net::ClientRequest request;
    request.method = method;
    request.url = Cat("http://127.0.0.1:", port, path);
    request.body = body;
    auto response = client_.Send(request);
    EXPECT_TRUE(response.ok()) << path << response.status();
    return response.ok() ? *std::move(response) : net::ClientResponse{};
  }
  net::ClientResponse Get(const std::string& path) {
    return Call(net::Method::kGet, app_->inference_port(), path);
  }
  net::ClientResponse Infer(const std::string& model, const std::string& body) {
    return Call(net::Method::kPost, app_->inference_port(), Cat("/v2/models/", model, "/infer"),
                body);
  }

  const Backends stores_{GetParam()};
  std::unique_ptr<App> app_;
  net::HttpClient client_;
};
INSTANTIATE_TEST_SUITE_P(Stores, AppTest, testing::ValuesIn(kBackends), NameOfBackends);

constexpr const char* kBody =
    R"({"id":"7","inputs":[{"name":"observation","shape":[2,3],"datatype":"FP32","data":[0.5,0.25,0,0,0,1]}]})";

TEST_P(AppTest, HealthVersionMetricsAndDocumentOnBothPorts) {
  for (const int port : {app_->api_port(), app_->inference_port()}) {
    for (const char* path :
         {"/health", "/health/database", "/health/models", "/version", "/metrics", "/openapi.json",
          "/docs", "/v2", "/v2/health/live", "/v2/health/ready"}) {
      EXPECT_EQ(Call(net::Method::kGet, port, path).status, 200) << path;
    }
    EXPECT_EQ(Call(net::Method::kGet, port, "/nothing").status, 404);
    EXPECT_EQ(Call(net::Method::kDelete, port, "/health").status, 405);
  }
  const std::string models = Get("/health/models").body;
  EXPECT_THAT(models, HasSubstr(R"("version":"bad","state":"UNAVAILABLE")"));
  EXPECT_THAT(Get("/metrics").body, HasSubstr("saferl_model_info{"));
}

TEST_P(AppTest, ANumberWithoutAVersionMeansTheNewestByValue) {
  const net::ClientResponse newest = Infer("small", kBody),
                            first = Infer("small/versions/1", kBody);
  ASSERT_EQ(newest.status, 200) << newest.body;
  EXPECT_THAT(newest.body, HasSubstr(R"("model_version":"10","id":"7")"));
  EXPECT_THAT(newest.body, HasSubstr(R"("data":[-0.46211)"));
  EXPECT_THAT(first.body, HasSubstr(R"("data":[0.46211)"));
}

TEST_P(AppTest, AnAliasMovesInOneStepAndUnloadingItsVersionRemovesIt) {
  ASSERT_TRUE(app_->models().SetAlias("small", "champion", "1").ok());
  EXPECT_THAT(Infer("small", kBody).body, HasSubstr(R"("model_version":"1")"));
  EXPECT_THAT(Infer("small/versions/champion", kBody).body, HasSubstr(R"("model_version":"1")"));
  ASSERT_TRUE(app_->models().Unload("small", "1").ok());
  EXPECT_THAT(Infer("small", kBody).body, HasSubstr(R"("model_version":"10")"));
  EXPECT_EQ(Infer("small/versions/champion", kBody).status, 404);
  EXPECT_FALSE(app_->models().SetAlias("small", "champion", "77").ok());
}

TEST_P(AppTest, AFailedReloadKeepsWhatWasServed) {
  EXPECT_FALSE(app_->models().Load("small", "10", "garbage").ok());
  EXPECT_EQ(Infer("small/versions/10", kBody).status, 200);
  EXPECT_FALSE(app_->models().Load("../x", "1", Package(1)).ok());
  EXPECT_FALSE(app_->models().Load("small", "a/b", Package(1)).ok());
}

TEST_P(AppTest, ErrorsHaveTheProtocolsShapeAndNameTheFix) {
  struct Case {
    const char *model, *body;
    int status;
    const char* says;
  };
  const Case cases[] = {
      {"none", kBody, 404, "not loaded"},
      {"small/versions/3", kBody, 404, "it has 1, 10"},
      {"small", "{", 400, "error"},
      {"small", R"({"inputs":[{"name":"o","shape":[3],"datatype":"FP32","data":[1,2,3]}]})", 400,
       "'observation'"},
      {"small",
       R"({"inputs":[{"name":"observation","shape":[4],"datatype":"FP32","data":[1,2,3,4]}]})", 400,
       "[rows, 3]"},
      {"small",
       R"({"inputs":[{"name":"observation","shape":[3],"datatype":"FP64","data":[1,2,3]}]})", 400,
       "FP32"},
      {"small",
       R"({"inputs":[{"name":"observation","shape":[3],"datatype":"FP32","data":[1,2,3]}],"outputs":[{"name":"x"}]})",
       400, "'action'"},
  };
  for (const Case& c : cases) {
    const net::ClientResponse response = Infer(c.model, c.body);
    EXPECT_EQ(response.status, c.status) << c.body << response.body;
    EXPECT_THAT(response.body, HasSubstr(c.says)) << c.body;
    const auto json = ParseJson(response.body, "error");
    ASSERT_TRUE(json.ok());
    EXPECT_NE(json->Find("error"), nullptr);
    const std::string* type = response.headers.Find("Content-Type");
    ASSERT_NE(type, nullptr);
    EXPECT_EQ(*type, "application/json");  // KServe's client reads errors of exactly this type
  }
  EXPECT_EQ(Get("/v2/nothing").status, 404);
  EXPECT_THAT(Get("/v2/nothing").body, HasSubstr("\"error\""));
}

TEST_P(AppTest, DrainAnswersAndThenRefuses) {
  EXPECT_TRUE(app_->Drain());
  EXPECT_EQ(app_->api_port(), 0);
}

TEST(ModelHost, TheBudgetEvictsTheLeastUsedVersionThatHasNoAlias) {
  telemetry::Metrics metrics;
  const std::string package = Package(1);
  ModelHost host(&metrics, 2 * package.size() + 10);
  ASSERT_TRUE(host.Load("m", "1", package).ok());
  ASSERT_TRUE(host.Load("m", "2", package).ok());
  ASSERT_TRUE(host.SetAlias("m", "champion", "1").ok());
  ASSERT_TRUE(host.Load("m", "3", package).ok());
  EXPECT_THAT(host.Versions("m"), ElementsAre("1", "3"));
  ASSERT_TRUE(host.SetAlias("m", "challenger", "3").ok());
  EXPECT_EQ(host.Load("m", "4", package).code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(host.Versions("m"), ElementsAre("1", "3"));
}

TEST(ModelHost, ServesAnInt8PackageAndItsMetricSaysSo) {
  const std::vector<int> hidden = {8, 8};
  const policy::PolicySpec spec =
      policy::Quantise(policy::MakeGaussianMlp(3, 2, hidden, 1), 10, 4, 1).value();
  const std::string package = policy::EncodePackage(spec).value();
  telemetry::Metrics metrics;
  ModelHost host(&metrics, 10 * package.size());
  ASSERT_TRUE(host.Load("m", "1", package).ok());
  ASSERT_TRUE(host.Load("m", "2", Package(1)).ok());
  EXPECT_THAT(metrics.Text(), HasSubstr(R"(saferl_model_info{model="m",quant="int8",)"));
  EXPECT_THAT(metrics.Text(), HasSubstr(R"(saferl_model_info{model="m",quant="fp32",)"));
}

}  // namespace
}  // namespace saferl::services
