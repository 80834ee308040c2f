#include <fmt/format.h>
#include <time.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "saferl/base/clock.h"
#include "saferl/base/random.h"
#include "saferl/base/rt_guard/rt_guard.h"
#include "saferl/base/text.h"
#include "saferl/cli/bench_common.h"
#include "saferl/cli/machine.h"
#include "saferl/cli/verbs.h"
#include "saferl/control/rt_config.h"
#include "saferl/policy/onnx_graph.h"
#include "saferl/policy/onnx_runtime.h"
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

/// Times of `call`: hot; paced at 1 kHz; and paced as saferl_rt does it, which is awake 0.1 ms
/// early and rehearses (control/rehearsal.h). `before` is not timed.
struct Times {
  Histogram hot, paced, rehearsed;
};
template <class Before, class Call>
Times Measure(const Args& args, const Before& before, const Call& call) {
  Times times;
  const auto one = [&](int64_t i, Histogram* to) {
    before(i);
    const int64_t start = Nanos();
    call(i);
    to->Record(Nanos() - start);
  };
  for (int64_t i = 0; i < args.whole("--calls"); ++i) one(i, &times.hot);
  int64_t next = Nanos();
  for (int64_t i = 0; i < args.whole("--paced"); ++i) {
    SleepUntil(next += 1'000'000);
    one(i, &times.paced);
  }
  next = Nanos();
  const int64_t early_ns = FromSeconds(control::RtConfig().realtime.early_s);
  for (int64_t i = 1; i <= args.whole("--paced"); ++i) {
    SleepUntil((next += 1'000'000) - early_ns);
    before(i - 1);
    call(i - 1);
    while (Nanos() < next) {
    }
    one(i, &times.rehearsed);
  }
  return times;
}

struct Yardstick {
  std::string version;
  Times times;
};

/// The same policy as our ONNX export, through ONNX Runtime's fastest way: tensors that stay bound,
/// one thread. Answers that are not ours end the bench.
StatusOr<Yardstick> MeasureOnnxRuntime(const Args& args, const policy::Policy& policy,
                                       const Inputs& inputs) {
  SAFERL_ASSIGN_OR_RETURN(const auto runtime,
                          policy::OnnxRuntime::Load({.library = args.text("--onnxruntime")}));
  SAFERL_ASSIGN_OR_RETURN(const policy::OnnxGraph graph, policy::OnnxFromSpec(policy.spec()));
  SAFERL_ASSIGN_OR_RETURN(const auto session,
                          runtime->Open(policy::SerializeOnnx(graph), "our policy as ONNX"));
  std::vector<float> in(static_cast<size_t>(inputs.n_obs)), out(inputs.action.size()), ours(out);
  const int64_t in_shape[] = {1, inputs.n_obs};
  const int64_t out_shape[] = {1, static_cast<int64_t>(out.size())};
  SAFERL_ASSIGN_OR_RETURN(const auto bound, session->Bind(in, in_shape, out, out_shape));
  const auto scratch = std::make_unique<policy::PolicyScratch>();
  const auto copy = [&](int64_t i) {
    const std::span<const float> row = inputs.Row(i);
    std::copy(row.begin(), row.end(), in.begin());
  };
  for (int64_t i = 0; i < 256; ++i) {
    copy(i);
    bool same = bound->Run() && policy.Forward(in, ours, scratch.get());
    for (size_t k = 0; k < out.size(); ++k)
      same = same && std::abs(out[k] - ours[k]) <= 1e-4F * std::max(1.0F, std::abs(ours[k]));
    if (!same)
      return absl::InternalError(
          Cat("ONNX Runtime and our kernel differ on row ", i, "; their times compare nothing"));
  }
  return Yardstick{runtime->version(), Measure(args, copy, [&](int64_t) { bound->Run(); })};
}

void WriteTimes(const Times& times, JsonWriter* w) {
  w->Key("hot").BeginObject();
  WritePercentiles(times.hot, w);
  w->EndObject().Key("paced_1khz").BeginObject();
  WritePercentiles(times.paced, w);
  w->EndObject().Key("rehearsed_1khz").BeginObject();
  WritePercentiles(times.rehearsed, w);
  w->EndObject();
}

double Ratio(const Histogram& theirs, const Histogram& ours) {
  return static_cast<double>(theirs.p50()) / static_cast<double>(std::max<int64_t>(1, ours.p50()));
}

void WriteYardstick(const Yardstick& theirs, const Times& ours, JsonWriter* w) {
  w->Key("onnxruntime").BeginObject().Field("version", theirs.version);
  WriteTimes(theirs.times, w);
  w->Field("ratio_hot", Ratio(theirs.times.hot, ours.hot));
  w->Field("ratio_paced", Ratio(theirs.times.paced, ours.paced));
  w->Field("ratio_rehearsed", Ratio(theirs.times.rehearsed, ours.rehearsed));
  w->Field("ratio_paced_to_rehearsed", Ratio(theirs.times.paced, ours.rehearsed)).EndObject();
}

void AddRows(const std::string& who, const Times& times, Table* table) {
  PercentileRow(who + "hot", times.hot, table);
  PercentileRow(who + "paced at 1 kHz", times.paced, table);
  PercentileRow(who + "  rehearsed, as saferl_rt does", times.rehearsed, table);
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
  std::vector<float> in(static_cast<size_t>(inputs.n_obs));  // a tick has just computed it
  const auto copy = [&](int64_t i) {
    const std::span<const float> row = inputs.Row(i);
    std::copy(row.begin(), row.end(), in.begin());
  };
  const auto forward = [&](int64_t) { return policy->Forward(in, inputs.action, scratch.get()); };

  const Times ours = Measure(args, copy, forward);
  const Histogram& hot = ours.hot;
  std::optional<Yardstick> theirs;
  if (args.has("--onnxruntime")) {
    SAFERL_ASSIGN_OR_RETURN(theirs, MeasureOnnxRuntime(args, *policy, inputs));
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
    WriteTimes(ours, &w);
    w.Field("allocations", counts.allocations);
    if (theirs.has_value()) WriteYardstick(*theirs, ours, &w);
    WriteNoise(noise, &w);
    WriteMachine(DescribeMachine(), &w);
    console.Out(w.EndObject().Take() + "\n");
  } else {
    Table table({Cat(inputs.n_obs, " -> ", policy->spec().n_act()), "p50 us", "p99 us", "p99.9 us",
                 "max us"});
    AddRows("", ours, &table);
    if (theirs.has_value()) AddRows("ONNX Runtime: ", theirs->times, &table);
    PercentileRow("noise floor", noise, &table);
    console.Out(table.Text(console.colour()));
    if (theirs.has_value())
      console.Out(fmt::format(
          "ONNX Runtime {} takes {:.1f} times as long hot, {:.1f} times paced, {:.1f} times both "
          "rehearsed; called at 1 kHz it takes {:.1f} times as long as our policy in saferl_rt "
          "(p50)\n",
          theirs->version, Ratio(theirs->times.hot, hot), Ratio(theirs->times.paced, ours.paced),
          Ratio(theirs->times.rehearsed, ours.rehearsed),
          Ratio(theirs->times.paced, ours.rehearsed)));
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
               {.name = "--onnxruntime",
                .doc = "libonnxruntime.so to time on the same policy beside ours",
                .value_name = "LIB"},
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
      .examples = {"saferl bench policy", "saferl bench policy --onnxruntime libonnxruntime.so.1",
                   "saferl bench policy --policy out/wheelchair.policy --json"},
      .run = RunBenchPolicy};
}

}  // namespace saferl::cli
