// The monitor's port: what people and programs see of it, and what it takes from them.
#include "saferl/services/monitor/service.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "saferl/base/json.h"
#include "saferl/base/text.h"
#include "saferl/net/http_client.h"
#include "saferl/net/raw_socket.h"
#include "saferl/services/monitor/testing/robot.h"

namespace saferl::services {
namespace {

using monitor_testing::Robot;
using monitor_testing::WaitFor;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class MonitorServiceTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = ::testing::TempDir() + "monitor_service_" + std::to_string(getpid());
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
    config_.data_dir = folder_;
    config_.monitor_server.port = 0;
    config_.monitor.shm = folder_ + "/robot.shm";
    robot_ = std::make_unique<Robot>(config_.monitor.shm);
    auto service = MonitorService::Start(config_, {"0.1.0", "abc"});
    ASSERT_TRUE(service.ok()) << service.status();
    service_ = *std::move(service);
  }
  void TearDown() override {
    service_ = nullptr;
    robot_ = nullptr;
    std::filesystem::remove_all(folder_);
  }
  net::ClientResponse Call(net::Method method, const std::string& path,
                           const std::string& body = "") {
    net::ClientRequest request;
    request.method = method;
    request.url = Cat("http://127.0.0.1:", service_->port(), path);
    request.body = body;
    return client_.Send(request).value_or(net::ClientResponse{});
  }
  std::string StatusOf(const std::string& field) {
    const StatusOr<Node> node = ParseJson(Call(net::Method::kGet, "/status").body, "status");
    const Node* value = node.ok() ? node->Find(field) : nullptr;
    return value == nullptr ? "absent" : value->text();
  }

  std::string folder_;
  ServiceConfig config_;
  std::unique_ptr<Robot> robot_;
  std::unique_ptr<MonitorService> service_;
  net::HttpClient client_;
};

TEST_F(MonitorServiceTest, AnOperatorStopsAndReleasesTheRobot) {
  ASSERT_TRUE(robot_->Drive());
  EXPECT_EQ(StatusOf("granting"), "true");
  EXPECT_EQ(StatusOf("robot"), "wheelchair");
  const std::string who = R"({"operator":"A. Operator","reason":"smoke"})";
  EXPECT_EQ(Call(net::Method::kPost, "/latch", who).status, 200);
  EXPECT_TRUE(robot_->StepUntil([](const control::Decision& d) {
    return d.command.reason == safety::Reason::kStopRequested && d.command.u[0] == 0;
  }));
  EXPECT_EQ(StatusOf("latched"), "true");
  EXPECT_THAT(Call(net::Method::kGet, "/alerts").body, HasSubstr("SafetyConstraintViolation"));
  EXPECT_EQ(Call(net::Method::kPost, "/latch/clear", who).status, 200);
  EXPECT_TRUE(robot_->Drive());
  EXPECT_EQ(Call(net::Method::kGet, "/health").status, 200);
  EXPECT_NE(Call(net::Method::kPost, "/latch/clear", who).status, 200) << "nothing is latched";
  EXPECT_THAT(Call(net::Method::kGet, "/metrics").body,
              HasSubstr("saferl_monitor_decisions_total"));
}

TEST_F(MonitorServiceTest, AJobReportsWhatOnlyItKnowsAndItsEnd) {
  const std::string failed =
      R"({"name":"BackupFailure","component":"nightly","firing":true,"summary":"no space"})";
  const auto on = [this] { return service_->monitor().alerts().active(); };
  const size_t before = on();
  EXPECT_EQ(Call(net::Method::kPost, "/alerts", failed).status, 200);
  EXPECT_EQ(on(), before + 1);
  EXPECT_THAT(Call(net::Method::kGet, "/alerts").body, HasSubstr("no space"));
  std::string over = failed;
  over.replace(over.find("true"), 4, "false");
  EXPECT_EQ(Call(net::Method::kPost, "/alerts", over).status, 200);
  EXPECT_EQ(on(), before);
  for (const auto& [from, to] : std::vector<std::pair<std::string, std::string>>{
           {"BackupFailure", "SafetyConstraintViolation"},
           {"BackupFailure", "x"},
           {"nightly", ""},
           {"true", "1"},
           {"\"summary\"", "\"summery\""},
           {"\"firing\"", "\"more\":1,\"firing\""}}) {
    std::string bad = failed;
    bad.replace(bad.find(from), from.size(), to);
    EXPECT_EQ(Call(net::Method::kPost, "/alerts", bad).status, 400) << bad;
  }
  EXPECT_EQ(on(), before);
}

TEST_F(MonitorServiceTest, BadBodiesNameTheFieldAndChangeNothing) {
  ASSERT_TRUE(robot_->Drive());
  for (const auto& [body, word] : std::vector<std::pair<std::string, std::string>>{
           {"", "body"},
           {"[]", "operator"},
           {"{", "body"},
           {R"({"operator":"x"})", "reason"},
           {R"({"operator":"","reason":"y"})", "operator"},
           {R"({"operator":"x","reason":"y","force":true})", "nothing else"},
           {R"({"operator":"x","operator":"z","reason":"y"})", "operator"},
           {Cat(R"({"operator":"x","reason":")", std::string(3000, 'y'), "\"}"), "reason"}}) {
    for (const char* path : {"/latch", "/latch/clear"}) {
      const net::ClientResponse answer = Call(net::Method::kPost, path, body);
      EXPECT_EQ(answer.status, 400) << path << " " << body.substr(0, 60);
      EXPECT_THAT(answer.body, HasSubstr(word));
    }
  }
  EXPECT_EQ(StatusOf("latched"), "false");
}

TEST_F(MonitorServiceTest, TheStreamTellsTheRobotAndThenEveryDecision) {
  ASSERT_TRUE(robot_->Drive());
  net::RawSocket socket(service_->port());
  ASSERT_TRUE(socket.Send(
      "GET /decisions/stream HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
      "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"));
  std::string bytes;  // the first message may come in one packet with the answer's head
  while (!bytes.contains("\r\n\r\n")) {
    const std::string more = socket.Read();
    ASSERT_FALSE(more.empty());
    bytes += more;
  }
  EXPECT_THAT(bytes, StartsWith("HTTP/1.1 101 "));
  bytes.erase(0, bytes.find("\r\n\r\n") + 4);
  ASSERT_TRUE(WaitFor([&] { return service_->monitor().hub().subscribers() == 1; }));
  std::vector<control::Decision> sent;
  for (int k = 0; k < 20; ++k) sent.push_back(robot_->Step());
  const auto frame = [&](unsigned char kind) {
    const auto need = [&](size_t n) {
      while (bytes.size() < n) {
        const std::string more = socket.Read();
        if (more.empty()) return false;
        bytes += more;
      }
      return true;
    };
    EXPECT_TRUE(need(4));
    EXPECT_EQ(static_cast<unsigned char>(bytes[0]), kind);
    size_t length = static_cast<unsigned char>(bytes[1]), head = 2;
    if (length == 126) {
      length = static_cast<size_t>(static_cast<unsigned char>(bytes[2])) << 8 |
               static_cast<unsigned char>(bytes[3]);
      head = 4;
    }
    EXPECT_TRUE(need(head + length));
    const std::string payload = bytes.substr(head, length);
    bytes.erase(0, head + length);
    return payload;
  };
  EXPECT_THAT(frame(0x81), HasSubstr(R"("robot":"wheelchair","n":2,"pose":3)"));
  uint64_t last = 0;
  for (size_t k = 0; k < sent.size(); ++k) {
    control::Decision got;
    ASSERT_TRUE(control::DecodeDecision({2, 3}, frame(0x82), &got).ok());
    if (last != 0) {
      EXPECT_EQ(got.input.sequence, last + 1);
    }
    last = got.input.sequence;
    for (const control::Decision& d : sent) {
      if (d.input.sequence == last) {
        EXPECT_EQ(d.command.u, got.command.u);
      }
    }
    if (last == sent.back().input.sequence) break;
  }
  EXPECT_GE(last, sent.front().input.sequence);
}

}  // namespace
}  // namespace saferl::services
