#include "saferl/telemetry/routes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "saferl/base/json.h"
#include "saferl/telemetry/cpu_profile.h"

namespace saferl::telemetry {
namespace {

using testing::HasSubstr;

class Routes : public testing::Test {
 protected:
  net::Response Get(const std::string& path, bool profiling, net::Request request = {}) {
    net::Router router;
    AddTelemetryRoutes(&router, metrics_, {.profiling = profiling});
    request.path = path;
    if (request.peer.empty()) request.peer = "127.0.0.1:5000";
    const net::Router::Match match = router.Find(&request);
    EXPECT_NE(match.route, nullptr) << path;
    return match.route->handler(request);
  }
  Metrics metrics_;
};

TEST_F(Routes, MetricsComeInTheFormatThatIsAskedFor) {
  metrics_.NewCounter("x_total", "x").Add(2);
  const net::Response plain = Get("/metrics", false);
  EXPECT_EQ(plain.status, 200);
  EXPECT_EQ(plain.content_type, "text/plain; version=0.0.4; charset=utf-8");
  EXPECT_THAT(plain.body, HasSubstr("x_total 2\n"));
  net::Request open;
  open.headers.Set("Accept", "application/openmetrics-text; version=1.0.0");
  const net::Response response = Get("/metrics", false, open);
  EXPECT_THAT(response.content_type, HasSubstr("application/openmetrics-text"));
  EXPECT_THAT(response.body, HasSubstr("# EOF\n"));
}

TEST_F(Routes, ProfilesAreForThisMachineAndOnlyWhenEnabled) {
  EXPECT_EQ(Get("/debug/profile", false).status, 403);
  net::Request far;
  far.peer = "10.0.0.7:5000";
  EXPECT_EQ(Get("/debug/profile", true, far).status, 403);
  far.peer = "[fe80::1]:5000";
  EXPECT_EQ(Get("/debug/profile", true, far).status, 403);
  net::Request request;
  request.query = {{"seconds", "0.05"}, {"rate_hz", "99"}};
  const net::Response response = Get("/debug/profile", true, request);
  EXPECT_EQ(response.status, 200);
  const StatusOr<CpuProfile> profile = ParseProfileJson(*ParseJson(response.body, "p"));
  ASSERT_TRUE(profile.ok()) << profile.status();
  EXPECT_EQ(profile->rate_hz, 99);
}

TEST_F(Routes, BadNumbersAreRefused) {
  for (const char* seconds : {"soon", "", "1x", "-1", "1e9", "nan"}) {
    net::Request request;
    request.query = {{"seconds", seconds}};
    EXPECT_EQ(Get("/debug/profile", true, request).status, 400) << seconds;
  }
}

}  // namespace
}  // namespace saferl::telemetry
