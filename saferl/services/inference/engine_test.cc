#include "saferl/services/inference/engine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <semaphore>
#include <thread>
#include <vector>

#include "saferl/base/clock.h"
#include "saferl/base/text.h"
#include "saferl/services/inference/small_policy.h"

#ifdef SAFERL_SANITIZED
extern "C" size_t __sanitizer_get_current_allocated_bytes();  // g++ 12 comes without its header
#endif

namespace saferl::services {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using Code = absl::StatusCode;

InferCall Call(Parameters parameters = {}, const std::string& version = "") {
  InferCall call;
  call.model = "m";
  call.version = version;
  call.received_ns = Nanos();
  call.request.parameters = std::move(parameters);
  const float row[3] = {0.5F, 0.25F, 0};
  call.request.inputs.push_back({"observation",
                                 DataType::kFp32,
                                 {3},
                                 std::string(reinterpret_cast<const char*>(row), sizeof(row)),
                                 {}});
  return call;
}

/// Submits and waits.
StatusOr<InferResponse> RunCall(Engine* engine, InferCall call) {
  StatusOr<InferResponse> answer = absl::InternalError("no answer");
  std::binary_semaphore ready(0);
  engine->Submit(std::move(call), [&](StatusOr<InferResponse> result) {
    answer = std::move(result);
    ready.release();
  });
  ready.acquire();
  return answer;
}

class EngineTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(host_.Load("m", "1", Package(1)).ok());
    ASSERT_TRUE(host_.Load("m", "2", Package(-1)).ok());
  }
  /// Holds the only slot until `free` is called: its answer's receiver does not return.
  std::function<void()> Hold(Engine* engine) {
    auto held = std::make_shared<std::binary_semaphore>(0);
    auto go = std::make_shared<std::binary_semaphore>(0);
    auto holder = std::make_shared<std::thread>([engine, held, go] {
      engine->Submit(Call(), [held, go](const StatusOr<InferResponse>&) {
        held->release();
        go->acquire();
      });
    });
    held->acquire();
    return [go, holder] {
      go->release();
      holder->join();
    };
  }

  telemetry::Metrics metrics_;
  ModelHost host_{&metrics_, 1 << 30};
};

TEST_F(EngineTest, WaitingRequestsGoByPriorityThenDeadlineThenArrival) {
  Engine engine(&host_, {.slots = 1, .batch = 1});
  const auto free = Hold(&engine);
  std::vector<std::string> order;
  const auto submit = [&](const char* name, Parameters parameters) {
    engine.Submit(Call(std::move(parameters)),
                  [&order, name](const StatusOr<InferResponse>& answer) {
                    order.push_back(answer.ok() ? name : Cat(answer.status().message()));
                  });
  };
  submit("plain 1", {});
  submit("late", {{"timeout", int64_t{60'000'000}}});
  submit("plain 2", {});
  submit("soon", {{"timeout", int64_t{50'000'000}}});
  submit("second class", {{"priority", int64_t{2}}});
  submit("first class", {{"priority", int64_t{1}}});
  submit("last class", {{"priority", int64_t{101}}, {"timeout", int64_t{40'000'000}}});
  EXPECT_EQ(engine.waiting(), 7u);
  EXPECT_TRUE(order.empty());
  free();
  EXPECT_THAT(order, ElementsAre("first class", "second class", "soon", "late", "plain 1",
                                 "plain 2", "last class"));
}

TEST_F(EngineTest, AFreeSlotComputesAtOnceOnTheCallersThread) {
  Engine engine(&host_, {.slots = 1});
  std::thread::id where;
  engine.Submit(Call(), [&](const StatusOr<InferResponse>& answer) {
    EXPECT_TRUE(answer.ok());
    where = std::this_thread::get_id();
  });
  EXPECT_EQ(where, std::this_thread::get_id());
}

TEST_F(EngineTest, AFullQueueRefusesTheLastInOrder) {
  Engine engine(&host_, {.slots = 1, .max_queue = 2});
  const auto free = Hold(&engine);
  std::vector<std::pair<int, Code>> answers;
  for (int i = 0; i < 4; ++i) {
    engine.Submit(Call({{"priority", int64_t{i == 3 ? 1 : 5}}}),
                  [&answers, i](const StatusOr<InferResponse>& answer) {
                    answers.emplace_back(i, answer.status().code());
                  });
  }
  EXPECT_THAT(answers, ElementsAre(std::pair{2, Code::kResourceExhausted},
                                   std::pair{1, Code::kResourceExhausted}));
  free();
  EXPECT_THAT(answers, ElementsAre(testing::_, testing::_, std::pair{3, Code::kOk},
                                   std::pair{0, Code::kOk}));
}

TEST_F(EngineTest, WhatCannotBeInTimeIsRefusedAtOnce) {
  Engine engine(&host_, {.slots = 1});
  InferCall late = Call({{"timeout", int64_t{10}}});
  late.received_ns -= 1'000'000;
  EXPECT_EQ(RunCall(&engine, std::move(late)).status().code(), Code::kDeadlineExceeded);
  InferCall of_transport = Call();
  of_transport.deadline_ns = Nanos() - 1;
  EXPECT_EQ(RunCall(&engine, std::move(of_transport)).status().code(), Code::kDeadlineExceeded);
  // The measured cost of the model alone is beyond the deadline.
  const auto free = Hold(&engine);
  host_.Find("m", "2")->cost_ns = 10'000'000'000;
  Code code = Code::kOk;
  engine.Submit(Call({{"timeout", int64_t{5'000'000}}}),
                [&](const StatusOr<InferResponse>& answer) { code = answer.status().code(); });
  EXPECT_EQ(code, Code::kDeadlineExceeded);
  // A deadline that passes while the request waits: not computed.
  host_.Find("m", "2")->cost_ns = 0;
  const uint64_t before = host_.Find("m", "2")->statistics.inference_count;
  code = Code::kOk;
  const int64_t deadline = Nanos() + 500'000'000;
  engine.Submit(Call({{"timeout", int64_t{500'000}}}),
                [&](const StatusOr<InferResponse>& answer) { code = answer.status().code(); });
  EXPECT_EQ(engine.waiting(), 1u);
  while (Nanos() < deadline) std::this_thread::yield();
  free();
  EXPECT_EQ(code, Code::kDeadlineExceeded);
  EXPECT_EQ(host_.Find("m", "2")->statistics.inference_count, before);
}

TEST_F(EngineTest, ABlockingCallerIsServedInTurnAndFreesItsSlotAtOnce) {
  Engine engine(&host_, {.slots = 1});
  std::vector<std::thread> threads;
  std::atomic<int> served{0};
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 200; ++i) served += RunCall(&engine, Call()).ok() ? 1 : 0;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(served, 1600);
  EXPECT_EQ(engine.waiting(), 0u);
}

TEST_F(EngineTest, BadParametersNameThemselves) {
  Engine engine(&host_, {});
  for (const auto& [name, value] :
       std::vector<std::pair<std::string, Parameter>>{{"priority", int64_t{-1}},
                                                      {"priority", std::string("high")},
                                                      {"timeout", 0.5},
                                                      {"timeout", int64_t{-5}},
                                                      {"sequence_id", true},
                                                      {"sequence_id", int64_t{-1}},
                                                      {"sequence_id", std::string(129, 'x')},
                                                      {"sequence_start", int64_t{1}},
                                                      {"sequence_end", std::string("yes")}}) {
    const auto answer = RunCall(&engine, Call({{name, value}}));
    EXPECT_EQ(answer.status().code(), Code::kInvalidArgument) << name;
    EXPECT_THAT(answer.status().message(), HasSubstr(name));
  }
}

TEST_F(EngineTest, ASequenceStaysOnItsVersionThroughReloadAndUnload) {
  Engine engine(&host_, {});
  const Parameter id = int64_t{7};
  const auto version = [&](Parameters parameters) {
    parameters["sequence_id"] = id;
    const auto answer = RunCall(&engine, Call(std::move(parameters)));
    return answer.ok() ? answer->model_version : Cat(answer.status().message());
  };
  EXPECT_THAT(version({}), HasSubstr("sequence_start"));
  EXPECT_EQ(version({{"sequence_start", true}}), "2");
  ASSERT_TRUE(host_.Load("m", "3", Package(1)).ok());
  EXPECT_EQ(RunCall(&engine, Call())->model_version, "3");
  EXPECT_EQ(version({}), "2");
  ASSERT_TRUE(host_.Unload("m", "2").ok());
  EXPECT_EQ(version({}), "2") << "what it began on stays until it ends";
  EXPECT_EQ(version({{"sequence_end", true}}), "2");
  EXPECT_THAT(version({}), HasSubstr("sequence_start")) << "it has ended";
  EXPECT_EQ(engine.sequences(), 0u);
  EXPECT_EQ(version({{"sequence_start", true}, {"sequence_end", true}}), "3");
  EXPECT_EQ(engine.sequences(), 0u);
}

TEST_F(EngineTest, GaugesShowWhatWaitsAndWhichSequencesGoOn) {
  auto engine = std::make_unique<Engine>(&host_, EngineOptions{.slots = 1, .max_queue = 2});
  const telemetry::ModelMetrics& metrics = *host_.Find("m", "1")->metrics;
  const auto free = Hold(engine.get());
  for (int i = 0; i < 3; ++i)  // the third is refused and leaves the gauge as it was
    engine->Submit(Call({}, "1"), [](const StatusOr<InferResponse>&) {});
  EXPECT_EQ(metrics.queue_depth.Value(), 2);
  free();
  EXPECT_EQ(metrics.queue_depth.Value(), 0);
  const auto run = [&](int64_t id, const char* what) {
    return RunCall(engine.get(), Call({{"sequence_id", id}, {what, true}}, "1")).status();
  };
  EXPECT_TRUE(run(1, "sequence_start").ok());
  EXPECT_TRUE(run(1, "sequence_start").ok());  // begins anew, still one
  EXPECT_TRUE(run(2, "sequence_start").ok());
  EXPECT_EQ(metrics.sequences.Value(), 2);
  EXPECT_TRUE(run(1, "sequence_end").ok());
  EXPECT_EQ(metrics.sequences.Value(), 1);
  engine.reset();
  EXPECT_EQ(metrics.sequences.Value(), 0);
}

TEST_F(EngineTest, TheCacheKeepsWhatIsInUseAndLoadsTheEvictedAgainForARequest) {
  const uint64_t size = Package(1).size();
  ModelHost host(&metrics_, 4 * size + size / 2);
  const auto load = [&](const char* version) { return host.Load("m", version, Package(1)); };
  int reloads = 0;
  host.SetReload([&](const std::string& name, const std::string& version) {
    ++reloads;
    return host.Load(name, version, Package(1));
  });
  Engine engine(&host, {});
  for (const char* version : {"1", "2", "3", "4"}) ASSERT_TRUE(load(version).ok());
  ASSERT_TRUE(host.SetAlias("m", "old", "1").ok());
  host.Pin("m", {"2"});
  const Parameters start = {{"sequence_id", int64_t{7}}, {"sequence_start", true}};
  ASSERT_TRUE(RunCall(&engine, Call(start, "3")).ok());
  EXPECT_TRUE(load("5").ok());  // 4 goes: it is neither aliased, pinned, with a sequence nor newest
  EXPECT_EQ(host.Versions("m"), (std::vector<std::string>{"1", "2", "3", "5"}));
  EXPECT_EQ(host.Find("m", "4"), nullptr) << "control never loads";
  EXPECT_EQ(reloads, 0);
  host.Pin("m", {});  // the rollout is over
  EXPECT_EQ(RunCall(&engine, Call({}, "4"))->model_version, "4");
  EXPECT_EQ(reloads, 1);
  EXPECT_EQ(host.Versions("m"), (std::vector<std::string>{"1", "3", "4", "5"}));
  const Parameters end = {{"sequence_id", int64_t{7}}, {"sequence_end", true}};
  EXPECT_EQ(RunCall(&engine, Call(end))->model_version, "3");
  EXPECT_TRUE(absl::IsNotFound(RunCall(&engine, Call({}, "9")).status()));
}

TEST_F(EngineTest, ACacheFullOfVersionsInUseRefusesTheNext) {
  const uint64_t size = Package(1).size();
  ModelHost host(&metrics_, size + size / 2);
  ASSERT_TRUE(host.Load("m", "1", Package(1)).ok());
  host.Pin("m", {"1"});
  const Status status = host.Load("m", "2", Package(1));
  EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
  EXPECT_NE(host.Find("m", "1"), nullptr);
}

TEST_F(EngineTest, AnIdleSequenceIsLostAloudAndFreesItsPlace) {
  constexpr int64_t kIdle_ns = 100'000'000;
  const int64_t patience = Nanos() + 30 * kNanosPerSecond;
  bool in_time = false;  // a busy machine may stand still for longer than a sequence may be idle
  while (!in_time && Nanos() < patience) {
    Engine engine(&host_, {.max_sequences = 2, .sequence_idle_s = Seconds(kIdle_ns)});
    const auto run = [&](int64_t id, bool start) {
      return RunCall(&engine, Call({{"sequence_id", id}, {"sequence_start", start}})).status();
    };
    int64_t began = Nanos();
    EXPECT_TRUE(run(1, true).ok());
    EXPECT_TRUE(run(2, true).ok());
    const Code full = run(3, true).code();
    if (Nanos() - began >= kIdle_ns) continue;
    EXPECT_EQ(full, Code::kResourceExhausted);
    while (Nanos() < began + 2 * kIdle_ns) std::this_thread::yield();
    EXPECT_THAT(run(1, false).message(), HasSubstr("idle"));
    began = Nanos();
    EXPECT_TRUE(run(3, true).ok());
    EXPECT_TRUE(run(4, true).ok());
    const size_t open = engine.sequences();
    in_time = Nanos() - began < kIdle_ns;
    if (in_time) {
      EXPECT_EQ(open, 2u);
    }
  }
  EXPECT_TRUE(in_time);
}

TEST_F(EngineTest, AnAbandonedSequenceLetsGoOfAnUnloadedVersionByItself) {
  constexpr double kIdle_s = 2;
  Engine engine(&host_, {.sequence_idle_s = kIdle_s});
  const int64_t began = Nanos();
  ASSERT_TRUE(
      RunCall(&engine, Call({{"sequence_id", int64_t{1}}, {"sequence_start", true}}, "1")).ok());
  const std::weak_ptr<const ServedModel> version = host_.Find("m", "1");
  ASSERT_TRUE(host_.Unload("m", "1").ok());
  const bool expired = version.expired();
  EXPECT_FALSE(expired && Nanos() - began < FromSeconds(kIdle_s)) << "it should hold its version";
  // Nobody calls the engine any more.
  for (const int64_t end = Nanos() + 30 * kNanosPerSecond; !version.expired() && Nanos() < end;) {
    std::this_thread::yield();
  }
  EXPECT_TRUE(version.expired());
  EXPECT_EQ(engine.sequences(), 0u);
}

/// Resident; under a sanitizer, which keeps what was freed for a while, what is allocated.
int64_t MemoryBytes() {
#ifdef SAFERL_SANITIZED
  return static_cast<int64_t>(__sanitizer_get_current_allocated_bytes());
#else
  std::ifstream file("/proc/self/statm");
  int64_t size = 0, resident = 0;
  file >> size >> resident;
  return resident * 4096;
#endif
}

/// The whole: SAFERL_LOAD_CYCLES=10000.
TEST_F(EngineTest, LoadingAndUnloadingLeavesNothingBehind) {
  const char* text = std::getenv("SAFERL_LOAD_CYCLES");
  const int cycles = text == nullptr ? 1000 : std::atoi(text);
  Engine engine(&host_, {});
  const std::string package = Package(1);
  const auto cycle = [&] {
    ASSERT_TRUE(host_.Load("n", "1", package).ok());
    InferCall call = Call();
    call.model = "n";
    ASSERT_TRUE(RunCall(&engine, std::move(call)).ok());
    ASSERT_TRUE(host_.Unload("n").ok());
  };
  for (int i = 0; i < 200; ++i) cycle();
  const int64_t before = MemoryBytes();
  for (int i = 0; i < cycles; ++i) cycle();
  EXPECT_LE(MemoryBytes() - before, 1 << 20) << cycles << " cycles";
  EXPECT_EQ(host_.Names(), std::vector<std::string>{"m"});
}

class ListSource final : public ModelSource {
 public:
  std::map<std::string, std::string> packages;
  StatusOr<std::vector<std::string>> Versions(const std::string&) override {
    std::vector<std::string> versions;
    for (const auto& [version, bytes] : packages) versions.push_back(version);
    return versions;
  }
  StatusOr<std::string> Read(const std::string&, const std::string& version) override {
    return packages.at(version);
  }
};

TEST_F(EngineTest, LoadAllSwapsEveryVersionAtOnceOrNone) {
  ListSource source;
  source.packages = {{"2", Package(-1)}, {"3", Package(1)}, {"4", Package(1)}};
  const auto kept = host_.Find("m", "2");
  ASSERT_TRUE(host_.SetAlias("m", "champion", "2").ok());
  ASSERT_TRUE(host_.SetAlias("m", "old", "1").ok());
  std::atomic<bool> stop{false};
  std::thread reader([&] {  // sees {1, 2} or {2, 3, 4}, never anything between
    while (!stop) {
      const std::vector<std::string> seen = host_.Versions("m");
      EXPECT_TRUE(seen == (std::vector<std::string>{"1", "2"}) ||
                  seen == (std::vector<std::string>{"2", "3", "4"}));
    }
  });
  ASSERT_TRUE(host_.LoadAll("m", &source).ok());
  stop = true;
  reader.join();
  EXPECT_EQ(host_.Find("m", "2"), kept) << "unchanged bytes stay as they are";
  EXPECT_EQ(host_.Find("m", "champion"), kept);
  EXPECT_EQ(host_.Find("m", "old"), nullptr);
  policy::PolicySpec wrong = SmallSpec(1);
  wrong.golden_actions[0][0] = 0.5F;
  source.packages = {{"5", Package(1)}, {"6", policy::EncodePackage(wrong).value()}};
  const Status status = host_.LoadAll("m", &source);
  EXPECT_THAT(status.message(), HasSubstr("golden"));
  EXPECT_THAT(host_.Versions("m"), ElementsAre("2", "3", "4")) << "nothing has changed";
}

}  // namespace
}  // namespace saferl::services
