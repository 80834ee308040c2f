// `saferl profile` against a real service in this process.
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <thread>

#include "saferl/base/file.h"
#include "saferl/base/json.h"
#include "saferl/base/text.h"
#include "saferl/cli/listeners.h"
#include "saferl/cli/verbs.h"
#include "saferl/net/http_server.h"
#include "saferl/telemetry/routes.h"

namespace saferl::cli {
namespace {

class ProfileVerb : public testing::Test {
 protected:
  explicit ProfileVerb(bool profiling = true)
      : dir_(Cat(testing::TempDir(), "saferl_profile_", ::getpid())) {
    std::filesystem::create_directories(dir_);
    telemetry::AddTelemetryRoutes(&router_, metrics_, {.profiling = profiling});
    auto server = net::HttpServer::Start({}, router_);
    EXPECT_TRUE(server.ok()) << server.status();
    if (server.ok()) server_ = *std::move(server);
  }
  ~ProfileVerb() override {
    server_.reset();
    std::filesystem::remove_all(dir_);
  }
  StatusOr<ExitCode> Run(const Verb& verb,
                         std::initializer_list<std::pair<std::string, std::string>> values) {
    Args args;
    for (const ArgSpec& spec : verb.args) {
      args.Declare(spec.name);
      bool given = false;
      for (const auto& [name, value] : values) {
        if (name != spec.name) continue;
        args.Add(name, value);
        given = true;
      }
      if (!given && !spec.fallback.empty()) args.Add(spec.name, spec.fallback);
    }
    Console console(false);
    return verb.run(args, console);
  }
  std::string File(const std::string& name) const { return dir_ + "/" + name; }

  std::string dir_;
  telemetry::Metrics metrics_;
  net::Router router_;
  std::unique_ptr<net::HttpServer> server_;
};

TEST_F(ProfileVerb, CpuWritesEachFormOfTheReport) {
  std::atomic<bool> stop = false;
  std::thread worker([&] {
    volatile uint64_t x = 0;
    while (!stop) x = x + 1;
  });
  const std::string url = Cat("http://127.0.0.1:", server_->port());
  const auto profile = [&](const char* by, const std::string& value, const std::string& file) {
    return Run(ProfileCpuVerb(), {{by, value}, {"--duration", "0.2"}, {"--out", File(file)}});
  };
  EXPECT_TRUE(profile("--service", url, "a.json").ok());
  EXPECT_TRUE(profile("--pid", Cat(::getpid()), "a.folded").ok());
  EXPECT_TRUE(profile("--service", url, "a.html").ok());
  stop = true;
  worker.join();
  const StatusOr<Node> json = LoadJson(File("a.json"));
  ASSERT_TRUE(json.ok()) << json.status();
  EXPECT_NE(json->Find("stacks"), nullptr);
  EXPECT_TRUE(FileExists(File("a.folded")));
  EXPECT_NE(ReadFile(File("a.html"))->find("<!doctype html>"), std::string::npos);
}

class ProfileVerbOff : public ProfileVerb {
 protected:
  ProfileVerbOff() : ProfileVerb(false) {}
};

TEST_F(ProfileVerbOff, SaysHowToTurnItOn) {
  const StatusOr<ExitCode> code =
      Run(ProfileCpuVerb(), {{"--service", Cat("http://127.0.0.1:", server_->port())},
                             {"--duration", "0.1"},
                             {"--out", File("a.html")}});
  ASSERT_FALSE(code.ok());
  EXPECT_NE(code.status().message().find("PROFILING_ENABLED=true"), absl::string_view::npos)
      << code.status();
  EXPECT_FALSE(FileExists(File("a.html")));
}

TEST_F(ProfileVerb, MemoryFindsTheServiceByItsPort) {
  ASSERT_TRUE(Run(ProfileMemoryVerb(), {{"--port", Cat(server_->port())},
                                        {"--duration", "0.1"},
                                        {"--interval", "0.05"},
                                        {"--out", File("m.json")}})
                  .ok());
  const StatusOr<Node> json = LoadJson(File("m.json"));
  ASSERT_TRUE(json.ok()) << json.status();
  EXPECT_EQ(*json->Find("pid")->AsInt64(), ::getpid());
  EXPECT_FALSE(json->Find("samples")->items().empty());
}

TEST_F(ProfileVerb, ProcessesAndPortsFindEachOther) {
  const StatusOr<std::vector<int>> ports = PortsOf(::getpid());
  ASSERT_TRUE(ports.ok()) << ports.status();
  EXPECT_NE(std::ranges::find(*ports, server_->port()), ports->end());
  EXPECT_EQ(ProcessOn(server_->port()).value_or(0), ::getpid());
  const int port = server_->port();
  server_.reset();
  EXPECT_EQ(ProcessOn(port).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(PortsOf(0x3fffff).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(PortsOf(::getpid()).status().code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace saferl::cli
