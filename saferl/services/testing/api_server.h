#pragma once
// The whole program on a database of either kind, and an HTTP client of its API. For tests.
//
//   class MyTest : public testing::TestWithParam<const char*>, protected ApiServer {
//     MyTest() : ApiServer(GetParam()) {}   // "sqlite" or "postgresql"
//     void SetUp() override { ASSERT_TRUE(Start().ok()); }
//   };
// RT: no.

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "saferl/base/json.h"
#include "saferl/base/text.h"
#include "saferl/net/http_client.h"
#include "saferl/services/app.h"
#include "saferl/storage/testing/test_database.h"

namespace saferl::services {

inline std::string HeaderOf(const net::ClientResponse& response, const char* name) {
  const std::string* value = response.headers.Find(name);
  return value == nullptr ? "" : *value;
}

class ApiServer {
 public:
  explicit ApiServer(const char* kind)
      : test_database_(kind),
        folder_(std::filesystem::temp_directory_path() / Cat("saferl_api_", ::getpid())) {
    std::filesystem::remove_all(folder_);
  }
  ~ApiServer() {
    app_.reset();
    std::filesystem::remove_all(folder_);
  }
  /// Ends the App and starts another on the same stores.
  Status Start(int keep = 2000, const std::vector<Service>& services = {}) {
    SAFERL_RETURN_IF_ERROR(test_database_.status());
    app_.reset();
    ServiceConfig config;
    config.data_dir = folder_;
    config.api.port = config.inference_server.port = config.monitor_server.port = 0;
    config.monitor.shm = "off";
    config.inference.keep_decisions = keep;
    config.database = DatabaseOf(test_database_.options());
    auto app = App::Start(config, {"0.1.0", "abc"}, services);
    if (!app.ok()) return app.status();
    app_ = *std::move(app);
    return absl::OkStatus();
  }
  /// The fields that make the App's URL that of the test's database.
  static DatabaseConfig DatabaseOf(const storage::DatabaseOptions& options) {
    DatabaseConfig config;
    config.password = options.password;
    std::string rest = options.url;
    const auto take = [&rest](const char* until) {
      const size_t at = std::min(rest.find(until), rest.size());
      const std::string part = rest.substr(0, at);
      rest.erase(0, at + std::string_view(until).size());
      return part;
    };
    if (take(":") == "sqlite") {
      config.path = rest;
      return config;
    }
    rest.erase(0, 2);  // "//"
    config.user = take("@");
    config.host = take(":");
    config.port = std::stoi(take("/"));
    config.name = take("?");
    config.ssl_mode = "disable";
    return config;
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

  storage::testing::TestDatabase test_database_;
  std::string folder_;
  std::unique_ptr<App> app_;
  net::HttpClient client_;
};

}  // namespace saferl::services
