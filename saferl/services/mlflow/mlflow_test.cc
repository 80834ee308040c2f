// MLflow's client is served unchanged, and bad input gets a reason in MLflow's shape.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <map>
#include <set>

#include "saferl/base/file.h"
#include "saferl/base/hash.h"
#include "saferl/base/json.h"
#include "saferl/base/testing/shell.h"
#include "saferl/base/text.h"
#include "saferl/net/http_client.h"
#include "saferl/net/http_server.h"
#include "saferl/registry/testing/packages.h"
#include "saferl/services/mlflow/answers.h"
#include "saferl/services/mlflow/filter.h"
#include "saferl/services/mlflow/routes.h"
#include "saferl/services/testing/backends.h"

namespace saferl::services::mlflow {
namespace {

using registry::testing::SmallPackage;
using ::testing::HasSubstr;

/// The registry's routes on a server of their own, with three versions of the model "arm".
class MlflowTest : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    ASSERT_TRUE(stores_.status().ok()) << stores_.status();
    database_ = stores_.OpenDatabase().value();
    objects_ = stores_.OpenObjects().value();
    store_ = registry::Store::Open(database_.get(), objects_.get()).value();
    for (uint64_t i = 1; i <= 3; ++i) {
      const std::string package = SmallPackage(i);
      digests_.push_back(Sha256Hex(package));
      ASSERT_TRUE(store_->Push({.model = "arm", .package = package, .who = "ann"}).ok());
    }
    AddRoutes(store_.get(), &router_);
    auto server = net::HttpServer::Start({}, router_);
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }
  net::ClientResponse Call(net::Method method, const std::string& path,
                           const std::string& body = "") {
    net::ClientRequest request;
    request.method = method;
    request.url = Cat("http://127.0.0.1:", server_->port(), path);
    request.body = body;
    auto response = client_.Send(request);
    EXPECT_TRUE(response.ok()) << path << response.status();
    return response.ok() ? *std::move(response) : net::ClientResponse{};
  }

  /// Something good for each field of a route: as a query, or as a body.
  std::string ValuesOf(const net::Route& route) const {
    const std::map<std::string, std::string> values = {
        {"name", R"("arm")"},
        {"version", R"("2")"},
        {"alias", R"("best")"},
        {"key", R"("site")"},
        {"stage", R"("Staging")"},
        {"archive_existing_versions", "false"},
        {"source", Cat("\"sha256:", digests_[0], "\"")},
        {"max_results", "2"}};
    if (route.operation_id.starts_with("mlflowCreateModel"))
      return Cat(R"({"name":")", route.operation_id, R"(","tags":[{"key":"k","value":"v"}]})");
    if (route.operation_id.starts_with("mlflowRenameModel"))
      return Cat(R"({"name":"mlflowCreateModel)", route.operation_id.substr(17),
                 R"(","new_name":"renamed)", route.operation_id.substr(17), R"("})");
    std::string query = "?", body;
    for (const net::FieldSpec& field : route.query) {
      if (!values.contains(field.name)) continue;
      std::string value = values.at(field.name);
      std::erase(value, '"');
      query += Cat(field.name, "=", value, "&");
    }
    if (route.method == net::Method::kGet) return query;
    const Node schema = ParseJson(route.request_schema, "schema").value();
    for (const auto& entry : schema.Find("properties")->entries()) {
      if (!values.contains(entry.key)) continue;
      body += Cat(body.empty() ? "" : ",", "\"", entry.key, "\":", values.at(entry.key));
    }
    return Cat("{", body, "}");
  }

  const Backends stores_{GetParam()};
  std::unique_ptr<storage::Database> database_;
  std::unique_ptr<storage::Objects> objects_;
  std::unique_ptr<registry::Store> store_;
  std::vector<std::string> digests_;
  net::Router router_;
  std::unique_ptr<net::HttpServer> server_;
  net::HttpClient client_;
};
INSTANTIATE_TEST_SUITE_P(Stores, MlflowTest, ::testing::ValuesIn(kBackends), NameOfBackends);

TEST_P(MlflowTest, MlflowsOwnClientIsServedUnchanged) {
  const std::string command =
      Cat("python=$(", SAFERL_SOURCE_DIR, "/tools/python_env mlflow-skinny==3.17.2) && $python ",
          SAFERL_SOURCE_DIR, "/tools/test_mlflow.py ", server_->port(), " ", digests_[0], " ",
          digests_[1], " ", digests_[2], " 2>&1");
  const auto [code, output] = Shell(command);
  EXPECT_EQ(code, 0) << output;
  EXPECT_THAT(output, HasSubstr("ok "));
}

TEST_P(MlflowTest, BothPrefixesAnswerAndEveryErrorHasMlflowsShape) {
  for (const char* prefix : {"/api/2.0/mlflow", "/ajax-api/2.0/mlflow"}) {
    const auto good = Call(net::Method::kGet, Cat(prefix, "/registered-models/get?name=arm"));
    EXPECT_EQ(good.status, 200) << good.body;
    EXPECT_THAT(good.body, HasSubstr(R"("name":"arm")"));
    const auto none = Call(net::Method::kGet, Cat(prefix, "/registered-models/get?name=leg"));
    EXPECT_EQ(none.status, 404);
    EXPECT_THAT(none.body, HasSubstr("RESOURCE_DOES_NOT_EXIST"));
    for (const char* path : {"/experiments/create", "/registered-models/nothing"}) {
      const auto unknown = Call(net::Method::kGet, Cat(prefix, path));
      EXPECT_EQ(unknown.status, 404);
      EXPECT_THAT(unknown.body, HasSubstr("ENDPOINT_NOT_FOUND")) << path;
    }
  }
}

/// Whatever a body holds, the answer is a 4xx with a code and a message, and nothing changes.
TEST_P(MlflowTest, BadInputIsAnsweredWithAReason) {
  const std::string long_name(5000, 'x');
  const std::string bodies[] = {"",
                                "{",
                                "[]",
                                "null",
                                "7",
                                "\"x\"",
                                "{\"name\":7}",
                                "{\"name\":null}",
                                "{\"name\":[]}",
                                "{\"name\":\"\"}",
                                "{\"name\":\"../../etc\"}",
                                "{\"name\":\"a\\u0000b\"}",
                                "{\"name\":\"\xff\"}",
                                "{\"name\":\"arm\",\"name\":\"arm\"}",
                                "{\"name\":\"" + long_name + "\"}",
                                std::string(2000, '['),
                                "{\"name\":\"arm\"} x"};
  const int64_t before = *store_->Revision();
  for (const auto& route : router_.routes()) {
    if (route->method == net::Method::kGet) continue;
    for (const std::string& body : bodies) {
      const auto answer = Call(route->method, route->pattern, body);
      EXPECT_GE(answer.status, 400) << route->pattern << body;
      EXPECT_LT(answer.status, 500) << route->pattern << body << answer.body;
      const auto json = ParseJson(answer.body, "answer");
      ASSERT_TRUE(json.ok()) << answer.body;
      EXPECT_NE(json->Find("error_code"), nullptr) << answer.body;
      EXPECT_FALSE(json->Find("message")->text().empty()) << answer.body;
    }
  }
  for (const char* query :
       {"registered-models/search?max_results=0", "registered-models/search?max_results=x",
        "registered-models/search?page_token=-5", "registered-models/search?filter=name",
        "registered-models/search?filter=name%20%3D%20'a", "registered-models/search?order_by=x",
        "model-versions/search?filter=version_number%20LIKE%20'1'",
        "model-versions/search?filter=name%20%3D%20'a'%20OR%201", "model-versions/get?name=arm",
        "model-versions/get?name=arm&version=0", "model-versions/get?name=arm&version=1x",
        "registered-models/alias?name=arm&alias=latest", "registered-models/alias?name=arm"}) {
    const auto answer = Call(net::Method::kGet, Cat("/api/2.0/mlflow/", query));
    EXPECT_EQ(answer.status, 400) << query << answer.body;
    EXPECT_THAT(answer.body, HasSubstr("INVALID_PARAMETER_VALUE")) << query;
  }
  EXPECT_EQ(*store_->Revision(), before);
}

/// What the document says is required is refused by name when it is left out, and what it does not
/// say is required may be left out.
TEST_P(MlflowTest, RequiredFieldsOfTheDocumentAreThoseOfTheHandlers) {
  const std::map<std::string, std::string> values = {
      {"name", "\"arm\""},   {"new_name", "\"leg\""},
      {"version", "1"},      {"alias", "\"best\""},
      {"key", "\"k\""},      {"source", Cat("\"sha256:", digests_[0], "\"")},
      {"stage", "\"None\""}, {"archive_existing_versions", "false"}};
  int checked = 0;
  for (const auto& route : router_.routes()) {
    const bool get = route->method == net::Method::kGet;
    std::vector<std::string> required;
    for (const net::FieldSpec& field : route->query)
      if (field.required) required.push_back(field.name);
    if (!get) {
      const auto schema = ParseJson(route->request_schema, route->pattern);
      ASSERT_TRUE(schema.ok()) << schema.status();
      for (const Node& name : schema->Find("required")->items()) required.push_back(name.text());
    }
    for (const std::string& left_out : required) {
      std::string query = "?", body = "{";
      for (const std::string& name : required) {
        if (name == left_out) continue;
        ASSERT_TRUE(values.contains(name)) << name;
        const std::string& value = values.at(name);
        body += Cat(body == "{" ? "" : ",", "\"", name, "\":", value);
        query += Cat(name, "=", value[0] == '"' ? value.substr(1, value.size() - 2) : value, "&");
      }
      const auto answer = get ? Call(route->method, route->pattern + query)
                              : Call(route->method, route->pattern, body + "}");
      EXPECT_EQ(answer.status, 400) << route->pattern << " without " << left_out;
      EXPECT_THAT(answer.body, HasSubstr(Cat(left_out, ": is missing"))) << route->pattern;
      ++checked;
    }
  }
  EXPECT_EQ(checked, 2 * 39) << "both prefixes";
}

/// What is wrong with `value` by `schema`; empty: nothing. Reads what our schemas use; a name that
/// the schema does not list is wrong too, so that none is forgotten in the document.
std::string Mismatch(const Node& schema, const Node& value, const std::string& at) {
  const std::string type = schema.Find("type")->text();
  if (type == "string") return value.is_scalar() && value.quoted() ? "" : at + " is no string";
  if (type == "integer")
    return value.is_scalar() && !value.quoted() && value.AsInt64().ok() ? ""
                                                                        : at + " is no integer";
  if (type == "array") {
    if (!value.is_list()) return at + " is no array";
    for (const Node& item : value.items()) {
      const std::string wrong = Mismatch(*schema.Find("items"), item, at + "[]");
      if (!wrong.empty()) return wrong;
    }
    return "";
  }
  if (type != "object" || !value.is_map()) return at + " is no object";
  if (const Node* required = schema.Find("required")) {
    for (const Node& name : required->items())
      if (value.Find(name.text()) == nullptr) return Cat(at, " lacks ", name.text());
  }
  for (const auto& entry : value.entries()) {
    const Node* properties = schema.Find("properties");
    const Node* property = properties == nullptr ? nullptr : properties->Find(entry.key);
    if (property == nullptr) return Cat(at, ".", entry.key, " is not in the schema");
    const std::string wrong = Mismatch(*property, entry.value, Cat(at, ".", entry.key));
    if (!wrong.empty()) return wrong;
  }
  return "";
}

/// Every route is asked for something that is there, and for nothing: both answers are as the
/// document says, field by field.
TEST_P(MlflowTest, EveryAnswerIsAsItsSchemaSays) {
  ASSERT_TRUE(store_->SetTag("arm", 0, {"site", "zurich"}, "ann").ok());
  ASSERT_TRUE(store_->SetTag("arm", 2, {"good", "yes"}, "ann").ok());
  ASSERT_TRUE(store_->SetAlias("arm", "best", 2, "ann").ok());
  ASSERT_TRUE(store_->Quarantine(digests_[2], "it drifts", "ann").ok());
  const Node error = ParseJson(*router_.ErrorSchema("/api/2.0/mlflow/x"), "schema").value();
  std::set<std::string> seen;
  const auto ask = [&](const net::Route& route) {
    SCOPED_TRACE(route.pattern);
    const auto answer = route.method == net::Method::kGet
                            ? Call(route.method, route.pattern + ValuesOf(route))
                            : Call(route.method, route.pattern, ValuesOf(route));
    EXPECT_EQ(answer.status, 200) << answer.body;
    const auto schema = ParseJson(route.response_schema, "schema");
    const auto json = ParseJson(answer.body, "answer");
    ASSERT_TRUE(schema.ok() && json.ok()) << schema.status() << json.status();
    EXPECT_EQ(Mismatch(*schema, *json, "$"), "") << answer.body;
    seen.insert(answer.body.substr(0, answer.body.find(':')));
    if (answer.body.find("status_message") != std::string::npos) seen.insert("quarantined");
    const auto wrong = Call(route.method, route.pattern + "?name=..", "[]");
    const auto why = ParseJson(wrong.body, "answer");
    ASSERT_TRUE(why.ok()) << wrong.body;
    if (wrong.status >= 400) {
      EXPECT_EQ(Mismatch(error, *why, "$"), "") << wrong.body;
      seen.insert("refused");
    }
  };
  for (const bool get : {true, false}) {  // what is there is read before it is changed
    for (const auto& route : router_.routes()) {
      const bool hides = route->pattern.ends_with("s/delete");
      if (get == (route->method == net::Method::kGet) && !hides) ask(*route);
    }
  }
  EXPECT_THAT(seen, ::testing::IsSupersetOf({"{\"registered_model\"", "{\"registered_models\"",
                                             "{\"model_version\"", "{\"model_versions\"",
                                             "{\"artifact_uri\"", "{}", "quarantined", "refused"}));
}

/// Teeth: a field less, of another type, and one that is not listed are each found.
TEST(Schema, MismatchesAreFound) {
  const auto schema = ParseJson(SchemaOf(Answer::kVersion), "schema").value();
  registry::Version version;
  version.tags = {{"k", "v"}};
  JsonWriter w;
  Write(version, &w);
  const std::string good = Cat(R"({"model_version":)", w.Take(), "}");
  const auto mismatch = [&](const std::string& from, const std::string& to) {
    std::string text = good;
    const size_t at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    if (at != std::string::npos) text.replace(at, from.size(), to);
    return Mismatch(schema, ParseJson(text, "answer").value(), "$");
  };
  EXPECT_EQ(mismatch("{", "{"), "");
  EXPECT_EQ(mismatch("model_version", "version"), "$ lacks model_version");
  EXPECT_THAT(mismatch(R"("user_id":"",)", ""), HasSubstr("lacks user_id"));
  EXPECT_THAT(mismatch(R"("version":"0")", R"("version":0)"), HasSubstr("version is no string"));
  EXPECT_THAT(mismatch(R"("run_id")", R"("x":1,"run_id")"), HasSubstr("x is not in the schema"));
  EXPECT_THAT(mismatch(R"("value":"v")", R"("value":1)"), HasSubstr("tags[].value is no string"));
}

TEST(Filter, IsReadAsMlflowWritesIt) {
  using registry::Condition;
  const auto conditions = ParseFilter(
      "name ILIKE '%Arm%' and tags.`a key` != \"x y\" AND version_number IN ('1',2) AND "
      "tag.b.c = ''",
      true);
  ASSERT_TRUE(conditions.ok()) << conditions.status();
  ASSERT_EQ(conditions->size(), 4U);
  EXPECT_EQ(conditions->at(0).op, Condition::Op::kLikeAnyCase);
  EXPECT_EQ(conditions->at(1).key, "a key");
  EXPECT_EQ(conditions->at(1).values[0], "x y");
  EXPECT_EQ(conditions->at(2).values, (std::vector<std::string>{"1", "2"}));
  EXPECT_EQ(conditions->at(3).key, "b.c");
  EXPECT_TRUE(ParseFilter("", false)->empty());
  for (const char* bad :
       {"name", "name =", "= 'a'", "name = a", "name = 'a", "name = 'a' 'b'", "name = 'a' AND",
        "name IN 'a'", "name IN ()", "name IN ('a'", "name > 'a'", "size = '1'", "tags. = 'a'",
        "run_id = 'a'", "name = 'a'; DROP TABLE x", "name == 'a'", "(name = 'a')"})
    EXPECT_FALSE(ParseFilter(bad, false).ok()) << bad;
  EXPECT_FALSE(ParseFilter(std::string(20'000, ' '), false).ok());
  for (const char* bad : {"", "name UP", "version_number", "name DESC x"})
    EXPECT_FALSE(ParseOrder({bad}, false).ok()) << bad;
}

}  // namespace
}  // namespace saferl::services::mlflow
