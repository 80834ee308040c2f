// The OpenAPI documents that are served: complete, and valid by a validator that others wrote.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "saferl/base/testing/shell.h"
#include "saferl/services/testing/api_server.h"

namespace saferl::services {
namespace {

using net::Method;
using net::Route;
using testing::HasSubstr;

bool Changes(const Route& route) {
  return route.method == Method::kPost || route.method == Method::kPut ||
         route.method == Method::kPatch;
}

/// Every route of every port.
class DocumentTest : public testing::Test, protected ApiServer {
 protected:
  DocumentTest() : ApiServer("local") {}
  void SetUp() override {
    const Status started = Start();
    ASSERT_TRUE(started.ok()) << started;
    ASSERT_EQ(app_->served().size(), 3u);
  }
  template <class F>
  void ForEachRoute(F check) {
    size_t routes = 0;
    for (const auto& [port, router] : app_->served()) {
      for (const auto& route : router->routes()) {
        SCOPED_TRACE(Cat(net::Name(route->method), " ", route->pattern));
        check(port, *route);
        ++routes;
      }
    }
    EXPECT_GT(routes, 100u);
  }
};

TEST_F(DocumentTest, EveryChangeSaysItsBodyOrThatItTakesNone) {
  int without = 0;
  ForEachRoute([&](int, const Route& route) {
    if (!Changes(route)) {
      EXPECT_TRUE(route.method != Method::kGet || !route.TakesBody());
      return;
    }
    without += route.request_types.empty() ? 1 : 0;
    EXPECT_NE(route.TakesBody(), route.request_types.empty())
        << "give request_schema, or request_types = {} where it takes no body";
    const bool json = std::count(route.request_types.begin(), route.request_types.end(),
                                 std::string_view(net::kJsonType)) > 0;
    if (!json) return;
    const auto schema = ParseJson(route.request_schema, "request_schema");
    ASSERT_TRUE(schema.ok()) << schema.status();
    EXPECT_NE(schema->Find("type"), nullptr);
  });
  EXPECT_EQ(without, 2) << "replay, on both ports";
}

TEST_F(DocumentTest, EveryFieldIsThereOnceWithATypeAndAMeaning) {
  const std::set<std::string> types = {"string", "integer", "number", "boolean", "array"};
  ForEachRoute([&](int, const Route& route) {
    for (const auto* fields : {&route.query, &route.headers, &route.answer_headers}) {
      std::set<std::string> names;
      for (const net::FieldSpec& field : *fields) {
        EXPECT_TRUE(names.insert(field.name).second) << field.name << " twice";
        EXPECT_TRUE(types.contains(field.type)) << field.name << " is " << field.type;
        EXPECT_FALSE(field.doc.empty()) << field.name;
      }
    }
    EXPECT_FALSE(route.summary.empty());
    EXPECT_FALSE(route.tag.empty());
  });
}

/// Reading what a route does not list is a 500, so a handler that does is found here.
TEST_F(DocumentTest, EveryHandlerReadsOnlyWhatItsRouteLists) {
  int called = 0;
  ForEachRoute([&](int port, const Route& route) {
    if (!route.handler) return;
    net::ClientRequest request;
    request.method = route.method;
    request.url = Cat("http://127.0.0.1:", port, route.pattern);
    for (size_t open; (open = request.url.find('{')) != std::string::npos;)
      request.url.replace(open, request.url.find('}') - open + 1, "1");
    std::string mark = "?";
    for (const net::FieldSpec& field : route.query) {
      request.url += Cat(mark, field.name, "=", field.type == "number" ? "0.1" : "1");
      mark = "&";
    }
    for (const net::FieldSpec& field : route.headers)
      request.headers.Set(field.name, field.type == "integer" ? "2" : Cat("k", ++called));
    if (Changes(route) || route.method == Method::kDelete) request.body = "{}";
    const auto response = client_.Send(request);
    ASSERT_TRUE(response.ok()) << response.status();
    EXPECT_NE(response->status, 500) << response->body;
    ++called;
  });
  EXPECT_GT(called, 100);
}

TEST_F(DocumentTest, TheHeadersThatAreHeededAreListed) {
  const Node document = Json(Get("/openapi.json"));
  const auto listed = [&](const char* path, const char* method, const char* header) {
    const auto& all = document.Find("paths")->Find(path)->Find(method)->Find("parameters")->items();
    return std::any_of(all.begin(), all.end(), [&](const Node& parameter) {
      return parameter.Find("in")->text() == "header" && parameter.Find("name")->text() == header;
    });
  };
  const auto answered = [&](const char* path, const char* method, const char* status,
                            const char* header) {
    const Node* answer =
        document.Find("paths")->Find(path)->Find(method)->Find("responses")->Find(status);
    return answer != nullptr && answer->Find("headers") != nullptr &&
           answer->Find("headers")->Find(header) != nullptr;
  };
  const char* one = "/api/v1/robots/{robot}";
  EXPECT_TRUE(listed("/api/v1/robots", "post", "Idempotency-Key"));
  EXPECT_TRUE(answered("/api/v1/robots", "post", "201", "ETag"));
  EXPECT_TRUE(answered("/api/v1/robots", "post", "201", "Location"));
  EXPECT_TRUE(answered("/api/v1/robots", "post", "503", "Retry-After"));
  EXPECT_TRUE(listed(one, "get", "If-None-Match"));
  EXPECT_TRUE(answered(one, "get", "200", "ETag"));
  EXPECT_TRUE(answered(one, "get", "304", "ETag"));
  EXPECT_TRUE(listed(one, "put", "If-Match"));
  EXPECT_TRUE(listed(one, "delete", "If-Match"));
  EXPECT_FALSE(answered(one, "delete", "204", "ETag"));
  EXPECT_TRUE(listed("/v2/models/{model}/infer", "post", "Inference-Header-Content-Length"));
  EXPECT_TRUE(answered("/v2/models/{model}/infer", "post", "429", "Retry-After"));
}

/// What the document says of a header and of a status is what is answered.
TEST_F(DocumentTest, AnswersAreAsListed) {
  const auto made = Post("/api/v1/robots", R"({"id":"r","type":"wheelchair"})", "key-1");
  EXPECT_EQ(made.status, 201) << made.body;
  EXPECT_NE(HeaderOf(made, "ETag"), "");
  EXPECT_NE(HeaderOf(made, "Location"), "");
  const auto again = Post("/api/v1/robots", R"({"id":"r","type":"wheelchair"})", "key-1");
  EXPECT_EQ(HeaderOf(again, "Idempotency-Replayed"), "true");
  net::Headers same;
  same.Set("If-None-Match", HeaderOf(made, "ETag"));
  EXPECT_EQ(Get("/api/v1/robots/r", same).status, 304);
  net::Headers other;
  other.Set("If-Match", "\"other\"");
  EXPECT_EQ(Call(Method::kDelete, "/api/v1/robots/r", "", other).status, 412);
  EXPECT_EQ(Call(Method::kDelete, "/api/v1/robots/r").status, 204);
}

TEST_F(DocumentTest, IsValidOpenApi) {
  const std::string root = SAFERL_SOURCE_DIR;
  std::string command =
      Cat("python=$(", root, "/tools/python_env openapi-spec-validator==0.9.0) && $python ", root,
          "/tools/test_openapi.py");
  for (const auto& [port, router] : app_->served()) command += Cat(" ", port);
  const auto [code, output] = Shell(command + " 2>&1");
  EXPECT_EQ(code, 0) << output;
  EXPECT_THAT(output, HasSubstr("ok 3 documents"));
}

}  // namespace
}  // namespace saferl::services
