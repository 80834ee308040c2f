#include "saferl/net/trace_context.h"

#include <gtest/gtest.h>

#include <set>

namespace saferl::net {
namespace {

constexpr std::string_view kGood = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

Request With(std::string_view name, std::string_view value) {
  Request request;
  request.headers.Add(std::string(name), std::string(value));
  SetIdentity(&request);
  return request;
}

TEST(TraceContext, AParentIsContinued) {
  const Request request = With("traceparent", kGood);
  EXPECT_EQ(request.trace_id, "0af7651916cd43dd8448eb211c80319c");
  EXPECT_EQ(request.parent_span_id, "b7ad6b7169203331");
  EXPECT_TRUE(request.trace_sampled);
  EXPECT_NE(request.span_id, request.parent_span_id);
  EXPECT_EQ(Traceparent(request), "00-0af7651916cd43dd8448eb211c80319c-" + request.span_id + "-01");
  EXPECT_EQ(With("traceparent", "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00-later")
                .parent_span_id,
            "b7ad6b7169203331")
      << "a later version with more behind it";
}

TEST(TraceContext, AMalformedParentIsAsGoodAsNone) {
  for (const std::string_view bad :
       {"", "x", "00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "00-00000000000000000000000000000000-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
        "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-x",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0",
        "00_0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}) {
    const Request request = With("traceparent", bad);
    EXPECT_EQ(request.trace_id.size(), 32u) << bad;
    EXPECT_NE(request.trace_id.substr(0, 8), "0af76519") << bad;
    EXPECT_EQ(request.parent_span_id, "") << bad;
    EXPECT_FALSE(request.trace_sampled) << bad;
  }
}

TEST(TraceContext, RequestIdsAreKeptWhenTheyAreNames) {
  EXPECT_EQ(With("X-Request-Id", "job-7:a.b_c").request_id, "job-7:a.b_c");
  for (const std::string& bad : {std::string(""), std::string("a b"), std::string("<script>"),
                                 std::string(129, 'a'), std::string("\xC3\xA9")}) {
    const std::string id = With("X-Request-Id", bad).request_id;
    EXPECT_EQ(id.size(), 32u) << bad;
    EXPECT_NE(id, bad);
  }
}

TEST(TraceContext, RandomIdsDiffer) {
  std::set<std::string> seen;
  for (int i = 0; i < 10'000; ++i) seen.insert(RandomHex(8));
  EXPECT_EQ(seen.size(), 10'000u);
  EXPECT_EQ(RandomHex(3).size(), 6u);
}

}  // namespace
}  // namespace saferl::net
