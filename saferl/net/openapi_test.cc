#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "saferl/base/json.h"
#include "saferl/base/text.h"
#include "saferl/net/docs_page.h"
#include "saferl/net/router.h"

namespace saferl::net {
namespace {

std::string Lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
  return out;
}

class OpenApiTest : public testing::Test {
 protected:
  OpenApiTest() {
    Route infer;
    infer.method = Method::kPost;
    infer.pattern = "/v2/models/{model}/versions/{version}/infer";
    infer.operation_id = "infer";
    infer.summary = "One \"quoted\" inference";
    infer.tag = "inference";
    infer.run = Run::kPool;
    infer.query = {{.name = "limit", .type = "integer", .doc = "most", .required = false}};
    infer.request_schema = R"({"type":"object"})";
    infer.response_schema = R"({"type":"object"})";
    infer.headers = {{.name = "If-Match", .type = "string", .doc = "a tag"}};
    infer.success = {200, 201};
    infer.answer_headers = {{.name = "ETag", .type = "string", .doc = "the tag"}};
    infer.errors = {404, 429};
    infer.handler = [](const Request&) { return Response::Json("{}"); };
    router_.Add(infer);
    infer.method = Method::kDelete;
    infer.operation_id = "remove";
    infer.request_schema = "";
    infer.query[0].type = "array";
    infer.success = {204};
    router_.Add(infer);
    infer.method = Method::kPut;
    infer.operation_id = "upload";
    infer.request_types = {kBytesType};
    infer.response_schema.clear();
    infer.response_type = "text/plain";
    infer.errors = {304};
    router_.Add(infer);
    Route socket;
    socket.pattern = "/stream";
    socket.operation_id = "stream";
    socket.websocket = [](const std::shared_ptr<Stream>&, const Request&) {};
    router_.Add(socket);
    Route events;
    events.pattern = "/events";
    events.operation_id = "events";
    events.events = [](const std::shared_ptr<Stream>&, const Request&) {};
    router_.Add(events);
    router_.SetErrorShape(
        "/v2",
        [](const Request&, int status, std::string_view) { return Response::Json("{}", status); },
        R"({"type":"object","properties":{"error":{"type":"string"}}})");
    AddDocs(&router_, "A title", "1.2.3");
  }

  Router router_;
};

TEST_F(OpenApiTest, EveryRouteIsADocumentEntryAndEveryEntryIsARoute) {
  const auto document = ParseJson(OpenApi(router_, "t", "1"), "openapi.json");
  ASSERT_TRUE(document.ok()) << document.status();
  std::set<std::string> described, served;
  for (const auto& path : document->Find("paths")->entries()) {
    for (const auto& method : path.value.entries()) {
      described.insert(Cat(method.key, " ", path.key));
      EXPECT_FALSE(method.value.Find("operationId")->text().empty());
      EXPECT_FALSE(method.value.Find("responses")->entries().empty());
    }
  }
  for (const auto& route : router_.routes()) {
    served.insert(Cat(Lower(Name(route->method)), " ", route->pattern));
  }
  EXPECT_EQ(described, served);
  EXPECT_TRUE(served.contains("get /openapi.json"));
  EXPECT_TRUE(served.contains("get /docs"));
}

TEST_F(OpenApiTest, OperationsSayTheirParametersAndErrors) {
  const std::string text = OpenApi(router_, "t", "1");
  const auto document = ParseJson(text, "openapi.json");
  ASSERT_TRUE(document.ok());
  EXPECT_EQ(document->Find("openapi")->text(), "3.1.0");
  const Node* infer =
      document->Find("paths")->Find("/v2/models/{model}/versions/{version}/infer")->Find("post");
  ASSERT_NE(infer, nullptr);
  const auto& parameters = infer->Find("parameters")->items();
  ASSERT_EQ(parameters.size(), 4u);
  EXPECT_EQ(parameters[0].Find("name")->text(), "model");
  EXPECT_EQ(parameters[0].Find("in")->text(), "path");
  EXPECT_EQ(parameters[2].Find("in")->text(), "query");
  EXPECT_EQ(parameters[3].Find("in")->text(), "header");
  EXPECT_EQ(parameters[3].Find("name")->text(), "If-Match");
  for (const char* status :
       {"200", "201", "400", "404", "413", "415", "429", "500", "503", "504"}) {
    EXPECT_NE(infer->Find("responses")->Find(status), nullptr) << status;
  }
  const Node* own = infer->Find("responses")->Find("404")->Find("content")->Find(kJsonType);
  ASSERT_NE(own, nullptr) << "the protocol's own shape";
  EXPECT_NE(own->Find("schema")->Find("properties")->Find("error"), nullptr);
  const Node* events = document->Find("paths")->Find("/events")->Find("get");
  EXPECT_NE(events->Find("responses")->Find("200")->Find("content")->Find("text/event-stream"),
            nullptr);
}

TEST_F(OpenApiTest, BodiesAndHeadersAreThoseOfTheRoute) {
  const auto document = ParseJson(OpenApi(router_, "t", "1"), "openapi.json");
  ASSERT_TRUE(document.ok());
  const Node* path = document->Find("paths")->Find("/v2/models/{model}/versions/{version}/infer");
  const auto answer = [&](const char* method, const char* status) {
    return path->Find(method)->Find("responses")->Find(status);
  };
  EXPECT_NE(answer("post", "200")->Find("headers")->Find("ETag"), nullptr);
  EXPECT_NE(answer("post", "429")->Find("headers")->Find("Retry-After"), nullptr);
  EXPECT_EQ(answer("post", "404")->Find("headers"), nullptr);
  EXPECT_NE(path->Find("post")->Find("requestBody")->Find("content")->Find(kJsonType), nullptr);
  EXPECT_EQ(path->Find("delete")->Find("requestBody"), nullptr);
  EXPECT_EQ(answer("delete", "200"), nullptr);
  EXPECT_EQ(answer("delete", "204")->Find("content"), nullptr);
  EXPECT_EQ(answer("delete", "413"), nullptr) << "it takes no body";
  const Node& list = *path->Find("delete")->Find("parameters")->items()[2].Find("schema");
  EXPECT_EQ(list.Find("items")->Find("type")->text(), "string");
  EXPECT_NE(path->Find("put")->Find("requestBody")->Find("content")->Find(kBytesType), nullptr);
  EXPECT_NE(answer("put", "304")->Find("headers")->Find("ETag"), nullptr);
  EXPECT_EQ(answer("put", "304")->Find("content"), nullptr);
}

TEST_F(OpenApiTest, AHandlerReadsWhatItsRouteListsAndNothingElse) {
  Request request;
  request.method = Method::kPost;
  request.path = "/v2/models/m/versions/1/infer";
  request.query = {{"limit", "3"}, {"hidden", "1"}};
  request.headers.Add("if-match", "a");
  ASSERT_EQ(router_.Find(&request).status, 200);
  EXPECT_EQ(*request.Query("limit"), "3");
  EXPECT_EQ(*request.Header("If-Match"), "a");
  EXPECT_THROW(request.Query("hidden"), std::logic_error);
  EXPECT_THROW(request.Query("absent"), std::logic_error);
  EXPECT_THROW(request.Header("If-None-Match"), std::logic_error);
}

TEST_F(OpenApiTest, ThePageNeedsNothingFromElsewhere) {
  const std::string_view page = DocsPage();
  EXPECT_THAT(std::string(page), testing::HasSubstr("fetch(\"openapi.json\")"));
  for (const char* foreign : {"http://", "https://", "src=", "@import", "url("}) {
    EXPECT_EQ(page.find(foreign), std::string_view::npos) << foreign;
  }
}

}  // namespace
}  // namespace saferl::net
