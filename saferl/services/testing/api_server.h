#pragma once
// The whole program on stores of either kind, and an HTTP client of its API. For tests.
//
//   class MyTest : public testing::TestWithParam<const char*>, protected ApiServer {
//     MyTest() : ApiServer(GetParam()) {}   // one of kBackends
//     void SetUp() override { ASSERT_TRUE(Start().ok()); }
//   };
// RT: no.

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "saferl/base/json.h"
#include "saferl/base/text.h"
#include "saferl/net/http_client.h"
#include "saferl/services/app.h"
#include "saferl/services/testing/backends.h"

namespace saferl::services {

inline std::string HeaderOf(const net::ClientResponse& response, const char* name) {
  const std::string* value = response.headers.Find(name);
  return value == nullptr ? "" : *value;
}

class ApiServer {
 public:
  explicit ApiServer(const char* kind) : stores_(kind) {}
  /// Ends the App and starts another on the same stores.
  Status Start(int keep = 2000, const std::vector<Service>& services = {}) {
    SAFERL_RETURN_IF_ERROR(stores_.status());
    app_.reset();
    ServiceConfig config = stores_.config();
    config.inference.keep_decisions = keep;
    SAFERL_ASSIGN_OR_RETURN(app_, App::Start(config, {"0.1.0", "abc"}, services));
    return absl::OkStatus();
  }
  /// Status 0 where no answer came.
  net::ClientResponse Call(net::Method method, const std::string& path,
                           const std::string& body = "", net::Headers headers = {}) {
    net::ClientRequest request;
    request.method = method;
    request.url = Cat("http://127.0.0.1:", app_->api_port(), path);
    request.body = body;
    request.headers = std::move(headers);
    auto response = client_.Send(request);
    return response.ok() ? *std::move(response) : net::ClientResponse{};
  }
  net::ClientResponse Get(const std::string& path, net::Headers headers = {}) {
    return Call(net::Method::kGet, path, "", std::move(headers));
  }
  net::ClientResponse Post(const std::string& path, const std::string& body,
                           const std::string& key = "") {
    net::Headers headers;
    if (!key.empty()) headers.Set("Idempotency-Key", key);
    return Call(net::Method::kPost, path, body, headers);
  }
  static Node Json(const net::ClientResponse& response) {
    auto json = ParseJson(response.body, "body");
    return json.ok() ? *std::move(json) : Node();
  }

  Backends stores_;
  std::unique_ptr<App> app_;
  net::HttpClient client_;
};

}  // namespace saferl::services
