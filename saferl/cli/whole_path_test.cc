// The whole path as a person walks it, with the built program and nothing else: `saferl train`,
// `registry push`, `sign`, `approve`, `deploy` with shadow and canary, against a `saferl up` that
// runs as a process of its own. Sixteen wheelchairs ask POST /inference for every command all the
// time; what they may run, what is counted of them and what the gates make of it is the program's
// doing alone. A worse version is taken back by its own gate, a good one is promoted.
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <map>
#include <set>
#include <sstream>
#include <thread>

#include "saferl/base/clock.h"
#include "saferl/cli/testing/program.h"
#include "saferl/control/workload.h"
#include "saferl/net/http_client.h"
#include "saferl/policy/package.h"
#include "saferl/policy/spec_builder.h"
#include "saferl/services/decide/decide_message.h"
#include "saferl/storage/testing/child_process.h"
#include "saferl/telemetry/catalogue.h"

namespace saferl::cli {
namespace {

constexpr int kRobots = 16;
constexpr int64_t kLongest_ns = 60 * kNanosPerSecond;  // a phase of a busy machine
constexpr const char* kTrain =
    "train --task wheelchair --name chair --threads 1 --episodes 4 --set n_envs=16 "
    "--set rollout_steps=16 --set evaluation_episodes=4";
constexpr const char* kQuick =
    "--canary-percentage 50 --dwell-s 0.3 --exposure-h 0.0003 --bake-s 0.5 --lease-s 1";

/// A wheelchair in an empty room whose person drives about, and stands from time to time.
class Chair {
 public:
  Chair(std::string name, const std::shared_ptr<const robot::RobotModel>& robot, uint64_t seed)
      : name_(std::move(name)), robot_(robot), workload_(robot, seed) {}
  /// One tick; the version that it ran.
  std::string Tick(net::HttpClient* client, const std::string& url) {
    control::TickInput input = workload_.Next();
    input.observation.n_parts = 0;
    if (ticks_++ % 200 < 40) input.human.u = {};
    std::string body = services::EncodeDecideRequest(*robot_, name_, input);
    body.insert(1, R"("model":{"name":"chair"},)");
    net::ClientRequest request;
    request.method = net::Method::kPost;
    request.url = url;
    request.body = body;
    const auto response = client->Send(request);
    if (!response.ok() || response->status != 200) {
      ++refused;
      last_refusal = response.ok() ? response->body : response.status().ToString();
      return "";
    }
    const auto answer = ParseJson(response->body, "decision");
    const Node* values = answer->Find("command")->Find("u");
    safety::Command command;
    for (size_t i = 0; i < values->items().size(); ++i)
      command.u[i] = values->items()[i].AsDouble().value();
    workload_.Apply(command);
    const Node* model = answer->Find("model");
    return model->Find("version")->text();
  }
  int refused = 0;
  std::string last_refusal;

 private:
  const std::string name_;
  std::shared_ptr<const robot::RobotModel> robot_;
  control::Workload workload_;
  int64_t ticks_ = 0;
};

class WholePathTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(WriteFileAtomic(saferl_.Path("saferl.yaml"),
                                "data_dir: data\n"
                                "api: {port: 0}\n"
                                "inference_server: {port: 0}\n"
                                "monitor_server: {port: 0}\n"
                                "monitor: {shm: \"off\"}\n"
                                "rollouts: {steer_s: 0.1, look_s: 0.05, report_s: 0.2, "
                                "acceptable_rate_per_h: 1e6}\n")
                    .ok());
    const auto model = safety::LoadSafetyModel("wheelchair");
    ASSERT_TRUE(model.ok()) << model.status();
    for (uint64_t i = 0; i < kRobots; ++i)
      chairs_.emplace_back(Cat("chair-", i), (*model)->robot, i + 1);
  }
  ~WholePathTest() override { Down(); }
  void Up() {
    const auto started = storage::testing::StartChild(
        {saferl_.binary(), "up", "--config", "saferl.yaml", "--json"},
        {.log = saferl_.Path("up.log"), .directory = saferl_.folder(), .death_signal = SIGKILL});
    ASSERT_TRUE(started.ok()) << started.status();
    up_ = *started;
    const Deadline deadline = Deadline::After(kLongest_ns);
    while (!deadline.Passed() && port_.empty()) {
      const std::string log = ReadFile(saferl_.Path("up.log")).value_or("");
      const std::string key = R"("inference_port":)";
      const size_t at = log.find(key);
      if (at != std::string::npos && log.find('\n', at) != std::string::npos) {
        const size_t from = at + key.size();
        port_ = log.substr(from, log.find(',', from) - from);
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    ASSERT_FALSE(port_.empty()) << ReadFile(saferl_.Path("up.log")).value_or("");
  }
  /// SIGTERM; its exit code.
  int Down() {
    if (up_ == 0) return -1;
    int state = 0;
    ::kill(up_, SIGTERM);
    ::waitpid(up_, &state, 0);
    up_ = 0;
    return WIFEXITED(state) ? WEXITSTATUS(state) : -1;
  }
  Node Registry(const std::string& words, int code = 0) {
    return saferl_.Json(Cat("registry ", words, " --config saferl.yaml"), code);
  }
  std::string Phase() {
    const Node status = Registry("status chair");
    return status.Find("rollout")->Find("phase")->text();
  }
  /// Every robot ticks; how many ran each version.
  std::map<std::string, int> Round() {
    std::map<std::string, int> ran;
    for (Chair& chair : chairs_)
      ++ran[chair.Tick(&client_, Cat("http://127.0.0.1:", port_, "/inference"))];
    return ran;
  }
  /// They drive until the rollout is in `phase` or has ended; every version that anybody ran.
  std::set<std::string> DriveUntil(const std::string& phase) {
    std::set<std::string> seen;
    const Deadline deadline = Deadline::After(kLongest_ns);
    while (!deadline.Passed()) {
      for (int i = 0; i < 40; ++i)
        for (const auto& [version, robots] : Round()) seen.insert(version);
      phase_ = Phase();
      if (phase_ == phase || Ended()) break;
    }
    return seen;
  }
  void ExpectItsMetrics();
  bool Ended() const {
    return phase_ == "promoted" || phase_ == "rolled_back" || phase_ == "aborted";
  }
  /// They drive until all run one version.
  std::string DriveUntilAllRun(const std::string& version) {
    const Deadline deadline = Deadline::After(kLongest_ns);
    std::map<std::string, int> ran;
    do ran = Round();
    while (!deadline.Passed() && (ran.size() != 1 || !ran.contains(version)));
    return ran.empty() ? "" : ran.begin()->first;
  }
  /// The trained policy, spoilt: while the chair turns left it asks for many times the speed there
  /// is. Its golden vectors are its own, so the package verifies.
  void Spoil(const std::string& from, const std::string& to) {
    const auto bytes = ReadFile(saferl_.Path(from));
    ASSERT_TRUE(bytes.ok());
    auto spec = policy::DecodePackage(*bytes, from);
    ASSERT_TRUE(spec.ok()) << spec.status();
    policy::Layer& last = spec->layers.back();
    policy::Layer first;
    first.in = spec->n_obs();
    first.out = last.in;
    first.weight.assign(static_cast<size_t>(first.in * first.out), 0.0F);
    first.bias.assign(static_cast<size_t>(first.out), 0.0F);
    constexpr size_t kYawRate = 4;
    first.weight[kYawRate] = 100.0F;
    std::ranges::fill(last.weight, 0.0F);
    std::ranges::fill(last.bias, 0.0F);
    for (int i = 0; i < last.out; ++i) last.weight[static_cast<size_t>(i * last.in)] = 10.0F;
    spec->layers = {first, last};
    for (size_t i = 0; i < spec->action_scale.size(); ++i)
      spec->action_offset[i] = spec->action_scale[i] *= 1000;
    policy::MakeGoldenVectors(&*spec, 4, 1);
    const auto package = policy::EncodePackage(*spec);
    ASSERT_TRUE(package.ok()) << package.status();
    ASSERT_TRUE(WriteFileAtomic(saferl_.Path(to), *package).ok());
  }

  /// Each series that the services show and its value; of a histogram its count.
  std::map<std::string, double> Scrape() {
    net::ClientRequest request;
    request.url = Cat("http://127.0.0.1:", port_, "/metrics");
    const auto response = client_.Send(request);
    EXPECT_TRUE(response.ok()) << response.status();
    std::map<std::string, double> series;
    std::istringstream text(response.ok() ? response->body : "");
    bool histogram = false;
    for (std::string line; std::getline(text, line);) {
      if (line.starts_with("# TYPE")) histogram = line.ends_with(" histogram");
      if (line.starts_with('#')) continue;
      const size_t labels = std::min(line.find('{'), line.rfind(' '));
      std::string name = line.substr(0, labels);
      if (histogram) {
        if (!name.ends_with("_count")) continue;
        name.resize(name.rfind('_'));
      }
      series[name + line.substr(labels, line.rfind(' ') - labels)] =
          std::atof(line.c_str() + line.rfind(' '));
    }
    return series;
  }
  /// The sum over the series of a metric in which every one of `labels` is.
  static double Sum(const std::map<std::string, double>& series, const std::string& name,
                    const std::vector<std::string>& labels) {
    double sum = 0;
    for (const auto& [key, value] : series) {
      if (key.substr(0, key.find('{')) != name) continue;
      if (std::ranges::all_of(labels, [&](const auto& l) { return key.find(l) != key.npos; }))
        sum += value;
    }
    return sum;
  }

  Program saferl_{"whole_path", SAFERL_BINARY_DIR};
  pid_t up_ = 0;
  std::string port_, phase_;
  net::HttpClient client_;
  std::vector<Chair> chairs_;
};

/// What the path did is in the metrics, by arm, and what they show is in the catalogue.
void WholePathTest::ExpectItsMetrics() {
  const std::map<std::string, double> series = Scrape();
  std::set<std::string> known;
  for (const telemetry::MetricInfo& info : telemetry::CatalogueTable()) known.emplace(info.name);
  for (const auto& [key, value] : series)
    EXPECT_TRUE(known.contains(key.substr(0, key.find('{')))) << key;
  const auto some = [&](const std::string& name, const std::vector<std::string>& labels = {}) {
    EXPECT_GT(Sum(series, name, labels), 0) << name << " " << (labels.empty() ? "" : labels[0]);
  };
  for (const char* arm : {"arm=\"stable\"", "arm=\"canary\"", "arm=\"shadow\""})
    some("saferl_robot_exposure_seconds_total", {arm});
  some("saferl_shield_interventions_total");
  EXPECT_EQ(Sum(series, "saferl_safety_violations_total", {"severity=\"critical\""}), 0);
  for (const char* version : {"version=\"1\"", "version=\"3\""})
    some("saferl_inference_requests_total", {version, "code=\"200\"", "transport=\"http\""});
  some("saferl_inference_requests_total", {"arm=\"canary\"", "version=\"3\""});
  some("saferl_inference_duration_seconds", {"stage=\"total\"", "version=\"3\""});
  some("saferl_rollbacks_total", {"reason=\"reject\""});
  some("saferl_rollout_rollback_duration_seconds");
  some("saferl_rollout_state", {"state=\"promoted\""});
  some("saferl_model_info", {"version=\"3\""});
  some("saferl_model_load_duration_seconds");
  some("saferl_decisions_kept_total");
  some("saferl_http_requests_total", {"route=\"/inference\""});
  some("saferl_storage_operations_total", {"store=\"rows\""});
  some("saferl_storage_operations_total", {"store=\"objects\""});
  some("process_resident_memory_bytes");
}

TEST_F(WholePathTest, AWorseVersionIsTakenBackByItsGateAndAGoodOnePromoted) {
  // Train small, push, sign.
  EXPECT_EQ(saferl_.Json(Cat(kTrain, " --iterations 1 --seed 1 --out first.policy"))
                .Find("package")
                ->text(),
            "first.policy");
  saferl_.Json(Cat(kTrain, " --iterations 3 --seed 2 --out good.policy"));
  Spoil("good.policy", "worse.policy");
  saferl_.Json("policy verify worse.policy");
  Up();
  Registry("push first.policy --who ann --alias champion");
  Registry("push worse.policy --who ann");
  EXPECT_EQ(Registry("push good.policy --who ann").Find("version")->Find("version")->text(), "3");
  saferl_.Json("registry key ann.key");
  std::filesystem::create_directories(saferl_.Path("data/keys"));
  std::filesystem::copy_file(saferl_.Path("ann.key.pem"), saferl_.Path("data/keys/ann.pem"));
  saferl_.Refuses("registry deploy chair --config saferl.yaml", 3, "saferl registry sign");
  for (const char* version : {"2", "3"}) Registry(Cat("sign chair ", version, " --key ann.key"));
  Registry("validate chair 3");
  EXPECT_EQ(DriveUntilAllRun("1"), "1");
  for (Chair& chair : chairs_) chair.refused = 0;  // services follow the registry within a second

  // The worse one, straight to half of the robots: its own gate takes it back.
  Registry(
      Cat("deploy chair --model-version 2 --no-shadow --who bob --canary-percentage 50 "
          "--dwell-s 60 --lease-s 1"));
  EXPECT_EQ(Phase(), "await_approval");
  saferl_.Refuses("registry approve chair 2 --who ann --config saferl.yaml", 1, "ann");
  Registry("approve chair 2 --who eve --note 'looked fine to me'");
  EXPECT_EQ(DriveUntil("rolled_back"), (std::set<std::string>{"1", "2"}));
  ASSERT_EQ(phase_, "rolled_back") << Registry("status chair").Find("rollout")->Find("id")->text();
  EXPECT_EQ(DriveUntilAllRun("1"), "1");
  const std::string told = saferl_.Run("registry status chair --config saferl.yaml").out;
  EXPECT_NE(told.find("the gate rejects"), std::string::npos) << told;
  EXPECT_TRUE(*Registry("show chair 2").Find("version")->Find("quarantined")->AsBool());
  saferl_.Refuses("registry deploy chair --model-version 2 --config saferl.yaml", 1, "quarantine");

  // The good one: in its shadow it moves nobody, then it reaches half, then all.
  Registry(Cat("deploy chair --model-version 3 --who bob ", kQuick));
  EXPECT_EQ(DriveUntil("await_approval"), std::set<std::string>{"1"});
  ASSERT_EQ(phase_, "await_approval");
  Registry("approve chair 3 --who eve --note 'drove it for an hour'");
  EXPECT_EQ(DriveUntil("promoted"), (std::set<std::string>{"1", "3"}));
  ASSERT_EQ(phase_, "promoted") << saferl_.Run("registry status chair --config saferl.yaml").out;
  EXPECT_EQ(DriveUntilAllRun("3"), "3");
  const Node champion = Registry("show chair champion");
  EXPECT_EQ(champion.Find("version")->Find("version")->text(), "3");
  for (const Chair& chair : chairs_) EXPECT_EQ(chair.refused, 0) << chair.last_refusal;
  ExpectItsMetrics();
  EXPECT_EQ(Down(), 0);
}

}  // namespace
}  // namespace saferl::cli
