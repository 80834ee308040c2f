#include <time.h>

#include "saferl/base/clock.h"
#include "saferl/base/random.h"
#include "saferl/base/rt_guard/rt_guard.h"
#include "saferl/base/text.h"
#include "saferl/cli/bench_common.h"
#include "saferl/cli/machine.h"
#include "saferl/cli/verbs.h"
#include "saferl/policy/package.h"
#include "saferl/policy/spec_builder.h"

namespace saferl::cli {
namespace {

struct Inputs {
  std::vector<float> observations, action;
  int n_obs;
  std::span<const float> Row(int64_t i) const {
    return std::span(observations)
        .subspan(static_cast<size_t>(i % 256) * static_cast<size_t>(n_obs),
                 static_cast<size_t>(n_obs));
  }
};

/// Sleeps to the next period of 1 ms: the caches cool down as they do in a control loop.
void SleepUntil(int64_t at_ns) {
  const timespec at = {.tv_sec = at_ns / kNanosPerSecond, .tv_nsec = at_ns % kNanosPerSecond};
  while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, nullptr) != 0) {
  }
}

StatusOr<std::shared_ptr<const policy::Policy>> PolicyOf(const Args& args) {
  if (args.has("--policy")) return policy::LoadPolicy(args.text("--policy"));
  const std::vector<int> hidden = {64, 64};
  policy::PolicySpec spec = policy::MakeGaussianMlp(48, 8, hidden, 1);
  spec.robot = "bench";
  policy::MakeGoldenVectors(&spec, 8, 1);
  return policy::Policy::Create(spec);
}

StatusOr<ExitCode> RunBenchPolicy(const Args& args, Console& console) {
  SAFERL_ASSIGN_OR_RETURN(const auto policy, PolicyOf(args));
  Inputs inputs{.observations = {},
                .action = std::vector<float>(static_cast<size_t>(policy->spec().n_act())),
                .n_obs = policy->spec().n_obs()};
  Random random(1);
  for (int i = 0; i < 256 * inputs.n_obs; ++i)
    inputs.observations.push_back(static_cast<float>(random.Normal()));
  const auto scratch = std::make_unique<policy::PolicyScratch>();
  const auto forward = [&](int64_t i) {
    return policy->Forward(inputs.Row(i), inputs.action, scratch.get());
  };

  Histogram hot, paced;
  for (int64_t i = 0; i < args.whole("--calls"); ++i) {
    const int64_t start = Nanos();
    forward(i);
    hot.Record(Nanos() - start);
  }
  int64_t next = Nanos();
  for (int64_t i = 0; i < args.whole("--paced"); ++i) {
    SleepUntil(next += 1'000'000);
    const int64_t start = Nanos();
    forward(i);
    paced.Record(Nanos() - start);
  }
  RtCounts counts;
  {
    RtScope scope(&counts);
    for (int64_t i = 0; i < 1000; ++i) forward(i);
  }
  const Histogram noise = NoiseFloor(hot.p50(), 20'000);
  if (console.json()) {
    JsonWriter w;
    w.BeginObject().Field("n_obs", inputs.n_obs).Field("n_act", policy->spec().n_act());
    w.Key("hot").BeginObject();
    WritePercentiles(hot, &w);
    w.EndObject().Key("paced_1khz").BeginObject();
    WritePercentiles(paced, &w);
    w.EndObject().Field("allocations", counts.allocations);
    WriteNoise(noise, &w);
    WriteMachine(DescribeMachine(), &w);
    console.Out(w.EndObject().Take() + "\n");
  } else {
    Table table({Cat(inputs.n_obs, " -> ", policy->spec().n_act()), "p50 us", "p99 us", "p99.9 us",
                 "max us"});
    PercentileRow("hot", hot, &table);
    PercentileRow("paced at 1 kHz", paced, &table);
    PercentileRow("noise floor", noise, &table);
    console.Out(table.Text(console.colour()));
  }
  return ExitCode::kOk;
}

}  // namespace

Verb BenchPolicyVerb() {
  return {
      .path = {"bench", "policy"},
      .summary = "time policy inference, hot and paced at 1 kHz (default: 48-64-64-8)",
      .description = "",
      .args = {{.name = "--policy", .doc = "a model package to time instead", .value_name = "FILE"},
               {.name = "--calls",
                .doc = "hot calls",
                .kind = ArgKind::kWhole,
                .value_name = "N",
                .fallback = "200000",
                .min = 100,
                .max = 1e9},
               {.name = "--paced",
                .doc = "calls at 1 kHz",
                .kind = ArgKind::kWhole,
                .value_name = "N",
                .fallback = "2000",
                .min = 100,
                .max = 1e6}},
      .examples = {"saferl bench policy",
                   "saferl bench policy --policy out/wheelchair.policy --json"},
      .run = RunBenchPolicy};
}

}  // namespace saferl::cli
