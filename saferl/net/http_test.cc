#include "saferl/net/http.h"

#include <gtest/gtest.h>

#include "saferl/base/json.h"

namespace saferl::net {
namespace {

TEST(Headers, NamesCompareWithoutCaseAndSetReplaces) {
  Headers headers;
  headers.Add("Accept", "a");
  headers.Add("accept", "b");
  EXPECT_EQ(*headers.Find("ACCEPT"), "a");
  headers.Set("aCCept", "c");
  ASSERT_EQ(headers.all().size(), 1u);
  EXPECT_EQ(*headers.Find("accept"), "c");
  EXPECT_EQ(headers.Find("other"), nullptr);
}

TEST(Headers, TokensOfLists) {
  Headers headers;
  headers.Add("Connection", "keep-alive , Upgrade");
  headers.Add("Connection", "x");
  EXPECT_TRUE(headers.HasToken("connection", "upgrade"));
  EXPECT_TRUE(headers.HasToken("connection", "X"));
  EXPECT_FALSE(headers.HasToken("connection", "keep"));
  EXPECT_FALSE(headers.HasToken("upgrade", "x"));
}

TEST(Method, NamesThereAndBack) {
  for (int i = 0; i < static_cast<int>(Method::kCount); ++i) {
    const auto method = static_cast<Method>(i);
    EXPECT_EQ(ParseMethod(Name(method)), method);
  }
  EXPECT_EQ(ParseMethod("get"), Method::kCount) << "methods are case-sensitive";
  EXPECT_EQ(ParseMethod("TRACE"), Method::kCount);
  EXPECT_EQ(ParseMethod(""), Method::kCount);
}

TEST(HttpStatus, EveryCodeHasOneOfTheFieldsOwn) {
  EXPECT_EQ(HttpStatus(absl::StatusCode::kOk), 200);
  EXPECT_EQ(HttpStatus(absl::StatusCode::kInvalidArgument), 400);
  EXPECT_EQ(HttpStatus(absl::StatusCode::kUnauthenticated), 401);
  EXPECT_EQ(HttpStatus(absl::StatusCode::kPermissionDenied), 403);
  EXPECT_EQ(HttpStatus(absl::StatusCode::kNotFound), 404);
  EXPECT_EQ(HttpStatus(absl::StatusCode::kAlreadyExists), 409);
  EXPECT_EQ(HttpStatus(absl::StatusCode::kFailedPrecondition), 412);
  EXPECT_EQ(HttpStatus(absl::StatusCode::kResourceExhausted), 429);
  EXPECT_EQ(HttpStatus(absl::StatusCode::kInternal), 500);
  EXPECT_EQ(HttpStatus(absl::StatusCode::kUnimplemented), 501);
  EXPECT_EQ(HttpStatus(absl::StatusCode::kUnavailable), 503);
  EXPECT_EQ(HttpStatus(absl::StatusCode::kUnknown), 503);
  EXPECT_EQ(HttpStatus(absl::StatusCode::kDeadlineExceeded), 504);
  for (int code = 0; code <= 16; ++code) {
    EXPECT_NE(Reason(HttpStatus(static_cast<absl::StatusCode>(code))), "Unknown") << code;
  }
}

TEST(Problem, IsRfc9457) {
  Request request;
  request.request_id = "r-1";
  const Response response =
      Problem(request, absl::InvalidArgumentError("speed: \"fast\" is no number"));
  EXPECT_EQ(response.status, 400);
  EXPECT_EQ(response.content_type, "application/problem+json");
  EXPECT_EQ(response.body, R"({"type":"about:blank","title":"Bad Request","status":400,)"
                           R"("detail":"speed: \"fast\" is no number","instance":"r-1"})");
  EXPECT_EQ(response.headers.Find("Retry-After"), nullptr);
  for (const Status& busy : {absl::UnavailableError("x"), absl::ResourceExhaustedError("x")}) {
    ASSERT_NE(Problem(request, busy).headers.Find("Retry-After"), nullptr) << busy;
  }
}

TEST(Problem, InternalCausesStayInTheLog) {
  Request request;
  request.request_id = "r-2";
  const Response response = Problem(request, absl::InternalError("password is hunter2"));
  EXPECT_EQ(response.status, 500);
  EXPECT_EQ(response.body.find("hunter2"), std::string::npos);
  EXPECT_NE(response.body.find("r-2"), std::string::npos);
}

TEST(Request, ParamAndQuery) {
  Request request;
  request.params = {{"model", "m"}};
  request.query = {{"a", "1"}, {"a", "2"}, {"empty", ""}};
  EXPECT_EQ(request.Param("model"), "m");
  EXPECT_EQ(request.Param("none"), "");
  EXPECT_EQ(*request.Query("a"), "1");
  EXPECT_EQ(*request.Query("empty"), "");
  EXPECT_EQ(request.Query("b"), nullptr);
}

}  // namespace
}  // namespace saferl::net
