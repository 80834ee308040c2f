#include "saferl/net/router.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "saferl/base/text.h"

namespace saferl::net {
namespace {

Route MakeRoute(Method method, std::string pattern) {
  Route route;
  route.method = method;
  route.operation_id = Cat(Name(method), pattern);
  route.handler = [pattern](const Request&) { return Response::Text(pattern); };
  route.pattern = std::move(pattern);
  return route;
}

Router::Match Find(const Router& router, Method method, std::string path,
                   Request* request = nullptr) {
  Request local;
  Request* used = request != nullptr ? request : &local;
  used->method = method;
  used->path = std::move(path);
  return router.Find(used);
}

TEST(Router, LiteralsWinOverNamesAndNamesAreFilled) {
  Router router;
  router.Add(MakeRoute(Method::kGet, "/v2/models/{model}"));
  router.Add(MakeRoute(Method::kGet, "/v2/models/stats"));
  router.Add(MakeRoute(Method::kGet, "/v2/models/{model}/versions/{version}/ready"));
  router.Add(MakeRoute(Method::kGet, "/v2/models/stats/all"));
  router.Add(MakeRoute(Method::kGet, "/"));
  EXPECT_EQ(Find(router, Method::kGet, "/v2/models/stats").route->pattern, "/v2/models/stats");
  Request request;
  EXPECT_EQ(Find(router, Method::kGet, "/v2/models/a.b_c~d-1", &request).route->pattern,
            "/v2/models/{model}");
  EXPECT_EQ(request.Param("model"), "a.b_c~d-1");
  Find(router, Method::kGet, "/v2/models/m/versions/7/ready", &request);
  EXPECT_EQ(request.Param("model"), "m");
  EXPECT_EQ(request.Param("version"), "7");
  // A literal that leads nowhere is walked back from.
  Find(router, Method::kGet, "/v2/models/stats/versions/7/ready", &request);
  EXPECT_EQ(request.Param("model"), "stats");
  EXPECT_EQ(Find(router, Method::kGet, "/").route->pattern, "/");
}

TEST(Router, UnknownPathsAndMethods) {
  Router router;
  router.Add(MakeRoute(Method::kGet, "/a/{x}"));
  router.Add(MakeRoute(Method::kDelete, "/a/{x}"));
  for (const char* path : {"/", "/a", "/b", "/a/x/y", "/A/x"}) {
    EXPECT_EQ(Find(router, Method::kGet, path).status, 404) << path;
  }
  const Router::Match wrong = Find(router, Method::kPost, "/a/x");
  EXPECT_EQ(wrong.status, 405);
  EXPECT_EQ(wrong.allow, "GET, HEAD, OPTIONS, DELETE");
  EXPECT_EQ(Find(router, Method::kCount, "/a/x").status, 405) << "TRACE and inventions";
  EXPECT_EQ(Find(router, Method::kOptions, "/a/x").status, 204);
  EXPECT_EQ(Find(router, Method::kOptions, "/b").status, 404);
  EXPECT_EQ(Find(router, Method::kHead, "/a/x").route->method, Method::kGet);
}

TEST(Router, BadNamesAre400WithTheNameOfTheField) {
  Router router;
  router.Add(MakeRoute(Method::kGet, "/models/{model}"));
  for (const std::string& name : {std::string("a b"), std::string("a:b"), std::string("\xC3\xA9"),
                                  std::string(256, 'x'), std::string("a*")}) {
    const Router::Match match = Find(router, Method::kGet, "/models/" + name);
    EXPECT_EQ(match.status, 400) << name;
    EXPECT_THAT(match.detail, testing::StartsWith("model: "));
  }
  EXPECT_EQ(Find(router, Method::kGet, "/models/" + std::string(255, 'x')).status, 200);
}

TEST(Router, ErrorShapesByLongestPrefix) {
  Router router;
  router.SetErrorShape("/v2", [](const Request&, int status, std::string_view detail) {
    return Response::Json(Cat(R"({"error":")", detail, "\"}"), status);
  });
  router.SetErrorShape("/v2/special", [](const Request&, int status, std::string_view) {
    return Response::Text("special", status);
  });
  Request request;
  request.path = "/v2/models";
  EXPECT_EQ(router.Error(request, 404, "no").body, R"({"error":"no"})");
  request.path = "/v2/special/x";
  EXPECT_EQ(router.Error(request, 404, "no").body, "special");
  request.path = "/v22";
  EXPECT_EQ(router.Error(request, 404, "no").content_type, "application/problem+json");
  request.path = "/v2";
  EXPECT_NE(router.Error(request, 503, "no").headers.Find("Retry-After"), nullptr);
}

TEST(RouterDeathTest, WrongRoutesAbortAtStart) {
  Router router;
  router.Add(MakeRoute(Method::kGet, "/a/{x}"));
  EXPECT_DEATH(router.Add(MakeRoute(Method::kGet, "/a/{y}")), "the same as /a/\\{x\\}");
  Route same_id = MakeRoute(Method::kGet, "/b");
  same_id.operation_id = "GET/a/{x}";
  EXPECT_DEATH(router.Add(same_id), "operation_id is taken");
  EXPECT_DEATH(router.Add(MakeRoute(Method::kGet, "a")), "starts with");
  Route empty = MakeRoute(Method::kGet, "/c");
  empty.handler = nullptr;
  EXPECT_DEATH(router.Add(empty), "one of handler, later, events and websocket");
}

}  // namespace
}  // namespace saferl::net
