#pragma once
// A robot that asks POST /inference for a decision every 20 ms on a thread of its own, while a test
// does something to the service, and remembers how it was answered. For tests.
//
//   RobotDriver robot(app->inference_port());
//   server.Pause();
//   EXPECT_TRUE(robot.GoesOn());   // decisions come while the server stands still
//   EXPECT_EQ(robot.Stop().refused, "");
// RT: no.

#include <atomic>
#include <chrono>
#include <string>
#include <thread>

#include "saferl/base/clock.h"
#include "saferl/base/text.h"
#include "saferl/control/workload.h"
#include "saferl/net/http_client.h"
#include "saferl/services/decide/decide_message.h"

namespace saferl::services {

class RobotDriver {
 public:
  struct Result {
    int decided = 0;
    /// The first answer that was neither a decision nor too late for one on a busy machine.
    std::string refused;
  };
  explicit RobotDriver(int port, const std::string& robot = "driven")
      : thread_([this, port, robot] { Drive(port, robot); }) {}
  ~RobotDriver() { Stop(); }
  RobotDriver(const RobotDriver&) = delete;
  RobotDriver& operator=(const RobotDriver&) = delete;

  int decided() const { return decided_; }
  /// Twenty more decisions. False after half a minute: a robot that waits for a store, whose calls
  /// take seconds to fail, does not get as many.
  bool GoesOn() const {
    const Deadline deadline = Deadline::After(30 * kNanosPerSecond);
    const int until = decided_ + 20;
    while (decided_ < until) {
      if (deadline.Passed()) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return true;
  }
  Result Stop() {
    stop_ = true;
    if (thread_.joinable()) thread_.join();
    result_.decided = decided_;
    return result_;
  }

 private:
  void Drive(int port, const std::string& robot) {
    const auto safety = safety::LoadSafetyModel("exoskeleton");
    control::Workload workload((*safety)->robot);
    net::HttpClient client;
    net::ClientRequest request;
    request.method = net::Method::kPost;
    request.url = Cat("http://127.0.0.1:", port, "/inference");
    while (!stop_) {
      request.body = EncodeDecideRequest(*(*safety)->robot, robot, workload.Next());
      const auto answer = client.Send(request);
      if (answer.ok() && answer->status == 200) {
        ++decided_;
      } else if (answer.ok() && answer->body.contains("waited too long")) {
        continue;
      } else if (result_.refused.empty()) {
        result_.refused =
            answer.ok() ? Cat(answer->status, " ", answer->body) : answer.status().ToString();
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
  }

  std::atomic<bool> stop_ = false;
  std::atomic<int> decided_ = 0;
  Result result_;
  std::thread thread_;
};

}  // namespace saferl::services
