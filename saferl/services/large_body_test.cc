// 20 MB to every route of every port whose limit is smaller, from a client that writes all of it
// before it reads: it reads the 413, in the shape of the route's protocol.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <regex>

#include "saferl/base/file.h"
#include "saferl/base/testing/shell.h"
#include "saferl/net/raw_socket.h"
#include "saferl/services/testing/api_server.h"

namespace saferl::services {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

constexpr size_t kLarge = 20'000'000;

class LargeBodyTest : public testing::Test, protected ApiServer {
 protected:
  LargeBodyTest() : ApiServer("local") {}
  void SetUp() override {
    const Status started = Start();
    ASSERT_TRUE(started.ok()) << started;
  }
};

TEST_F(LargeBodyTest, EveryRouteSaysThatItIsTooLarge) {
  const std::string body(kLarge, '[');
  int routes = 0;
  for (const auto& [port, router] : app_->served()) {
    for (const auto& route : router->routes()) {
      if (route->max_body_bytes >= kLarge || route->method == net::Method::kHead) continue;
      const std::string path =
          std::regex_replace(route->pattern, std::regex("\\{[^}]*\\}"), std::string("x"));
      SCOPED_TRACE(Cat(net::Name(route->method), " :", port, path));
      net::RawSocket socket(port);
      ASSERT_TRUE(socket.Send(Cat(net::Name(route->method), " ", path,
                                  " HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n",
                                  "Content-Length: ", kLarge, "\r\n\r\n")));
      ASSERT_TRUE(socket.Send(body)) << "the server stopped taking it";
      const std::string answer = socket.ReadToEnd();
      EXPECT_THAT(answer, StartsWith("HTTP/1.1 413 "));
      const auto json = ParseJson(answer.substr(answer.find("\r\n\r\n") + 4), "body");
      EXPECT_TRUE(json.ok() && json->is_map()) << answer;
      ++routes;
    }
  }
  EXPECT_GT(routes, 100);
}

/// Clients of others, on a route of each port.
TEST_F(LargeBodyTest, CurlAndPythonReadTheAnswer) {
  const std::string file = stores_.folder() + "/large";
  ASSERT_TRUE(WriteFileAtomic(file, std::string(kLarge, '[')).ok());
  for (const auto& [port, path] : {std::pair{app_->api_port(), "/api/v1/rollouts"},
                                   std::pair{app_->inference_port(), "/inference"}}) {
    const ShellResult curl =
        Shell(Cat("curl -q -sS --noproxy '*' --max-time 20 -H 'Expect:' --data-binary @'", file,
                  "' -o /dev/null -w '%{http_code}' http://127.0.0.1:", port, path, " 2>&1"));
    EXPECT_EQ(curl.output, "413") << path;
    const ShellResult python = Shell(
        Cat("python3 -c 'import http.client; c = http.client.HTTPConnection(\"127.0.0.1\", ", port,
            ", timeout=20); c.request(\"POST\", \"", path, "\", open(\"", file,
            "\", \"rb\").read()); r = c.getresponse(); print(r.status, len(r.read()) > 0)' 2>&1"));
    EXPECT_EQ(python.output, "413 True\n") << path;
  }
}

}  // namespace
}  // namespace saferl::services
