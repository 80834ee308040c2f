// A full disk under a whole service on SQLite and a directory: writes are refused with the reason,
// robots notice nothing, what was acknowledged is there, and when space is freed all goes on.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <set>
#include <thread>

#include "saferl/base/text.h"
#include "saferl/net/http_client.h"
#include "saferl/services/app.h"
#include "saferl/services/testing/backends.h"
#include "saferl/services/testing/robot_driver.h"

namespace saferl::services {
namespace {

using net::Method;
using ::testing::AnyOf;
using ::testing::HasSubstr;

/// A disk that the test fills and frees. For root a small file system, which only the thread that
/// made it and those that it starts see; for others a limit to the size of files.
class SmallDisk {
 public:
  explicit SmallDisk(std::string folder) : folder_(std::move(folder)) {
    ::signal(SIGXFSZ, SIG_IGN);
    EXPECT_EQ(::getrlimit(RLIMIT_FSIZE, &before_), 0);
    if (::geteuid() != 0) return;
    EXPECT_EQ(::unshare(CLONE_NEWNS), 0);
    EXPECT_EQ(::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr), 0);
    EXPECT_EQ(::mount("tmpfs", folder_.c_str(), "tmpfs", 0, "size=16m"), 0);
  }
  ~SmallDisk() {
    Free();
    if (::geteuid() == 0) ::umount2(folder_.c_str(), MNT_DETACH);
  }
  void Fill() {
    if (::geteuid() != 0) {
      const rlimit small{256 << 10, before_.rlim_max};
      EXPECT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
      return;
    }
    std::ofstream file(folder_ + "/ballast", std::ios::app);
    const std::string block(4096, 'b');
    while (file << block << std::flush) {
    }
  }
  void Free() {
    EXPECT_EQ(::setrlimit(RLIMIT_FSIZE, &before_), 0);
    std::filesystem::remove(folder_ + "/ballast");
  }

 private:
  const std::string folder_;
  rlimit before_{};
};

class FullDisk {
 public:
  void Run() {
    SmallDisk disk(stores_.folder());
    Start();
    RobotDriver robot(app_->inference_port());
    for (int i = 0; i < 10; ++i) ASSERT_EQ(AddRobot(), 201) << answer_.body;
    const auto objects = *stores_.OpenObjects();
    const std::string sha256 = *objects->Put("kept");
    disk.Fill();
    int taken = 0;  // there may be room in the log
    while (taken < 20'000 && AddRobot() == 201) ++taken;
    EXPECT_EQ(answer_.status, 503) << answer_.body;
    EXPECT_THAT(answer_.body, AnyOf(HasSubstr("space"), HasSubstr("disk")));
    EXPECT_NE(answer_.headers.Find("Retry-After"), nullptr);
    disk.Fill();  // what the failed attempts have given back
    EXPECT_FALSE(objects->Put(std::string(1 << 20, 'x')).ok());
    EXPECT_EQ(*objects->Get(sha256), "kept");
    EXPECT_EQ(Ask(Method::kGet, "/health/models"), ::geteuid() == 0 ? 503 : 200) << answer_.body;
    EXPECT_EQ(Ask(Method::kGet, "/api/v1/robots?limit=1"), 200) << "reading goes on";
    EXPECT_TRUE(robot.GoesOn());
    disk.Free();
    for (int tries = 0; tries < 100 && AddRobot() != 201; ++tries)
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    EXPECT_EQ(answer_.status, 201) << answer_.body;
    for (const char* path : {"/health/database", "/health/models"})
      EXPECT_EQ(Ask(Method::kGet, path), 200) << path << answer_.body;
    EXPECT_TRUE(objects->Put(std::string(1 << 20, 'x')).ok());
    const RobotDriver::Result result = robot.Stop();
    EXPECT_EQ(result.refused, "");
    app_->decide().store().Flush();
    EXPECT_EQ(app_->decide().store().dropped(), 0U);
    EXPECT_EQ(app_->decide().store().kept(), static_cast<uint64_t>(result.decided));
    Start();  // from the disk alone
    const auto database = *stores_.OpenDatabase();
    EXPECT_EQ(database->CheckIntegrity(), absl::OkStatus());
    std::set<std::string> kept;
    const auto rows = database->Query("SELECT id FROM robots");
    ASSERT_TRUE(rows.ok()) << rows.status();
    for (const storage::Row& row : rows->rows) kept.insert(storage::AsText(row[0]));
    EXPECT_EQ(kept, acknowledged_);
    app_ = nullptr;
  }

 private:
  void Start() {
    app_ = nullptr;
    auto app = App::Start(stores_.config(), {"0.1.0", "abc"}, {Service::kApi, Service::kInference});
    ASSERT_TRUE(app.ok()) << app.status();
    app_ = *std::move(app);
  }
  int Ask(Method method, const std::string& path, const std::string& body = "") {
    net::ClientRequest request;
    request.method = method;
    request.url = Cat("http://127.0.0.1:", app_->api_port(), path);
    request.body = body;
    answer_ = client_.Send(request).value_or(net::ClientResponse{});
    return answer_.status;
  }
  int AddRobot() {
    const std::string id = Cat("r", next_++);
    Ask(Method::kPost, "/api/v1/robots",
        Cat(R"({"id":")", id, R"(","type":"arm7","description":")", std::string(900, 'd'), "\"}"));
    if (answer_.status == 201) acknowledged_.insert(id);
    return answer_.status;
  }
  const Backends stores_{"local"};
  std::unique_ptr<App> app_;
  net::HttpClient client_;
  net::ClientResponse answer_;
  std::set<std::string> acknowledged_;
  int next_ = 0;
};

TEST(FullDiskTest, RefusesWritesWithTheReasonLosesNothingAndGoesOnWhenSpaceIsFreed) {
  FullDisk scenario;
  std::thread([&] { scenario.Run(); }).join();  // what it mounts is this thread's alone
}

}  // namespace
}  // namespace saferl::services
