#include <fmt/format.h>
#include <time.h>

#include <algorithm>
#include <cmath>
#include <memory>

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
  void Copy(int64_t i, std::span<float> to) const { std::ranges::copy(Row(i), to.begin()); }
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
  if (!args.flag("--float32")) policy::RoundWeights(&spec);
  policy::MakeGoldenVectors(&spec, 8, 1);
  return policy::Policy::Create(spec);
}

/// Hot; paced at 1 kHz; and paced as saferl_rt does it, which is awake 0.1 ms early and rehearses
/// (control/rehearsal.h).
struct Times {
  Histogram hot, paced, rehearsed;
};

/// Times `call` (and two readings of the clock); `before` is not timed.
template <class Before, class Call>
struct Subject {
  Before before;
  Call call;
  Times times = {};

  void Time(int64_t i, Histogram* to) {
    before(i);
    const int64_t start = Nanos();
    call();
    to->Record(Nanos() - start);
  }
  void Hot(int64_t calls) {
    for (int64_t i = 0; i < calls; ++i) Time(i, &times.hot);
  }
  void Paced(int64_t calls) {
    int64_t next = Nanos();
    for (int64_t i = 0; i < calls; ++i) {
      SleepUntil(next += 1'000'000);
      Time(i, &times.paced);
    }
  }
  void Rehearsed(int64_t calls) {
    const int64_t early_ns = FromSeconds(control::RtConfig().realtime.early_s);
    int64_t next = Nanos();
    for (int64_t i = 1; i <= calls; ++i) {
      SleepUntil((next += 1'000'000) - early_ns);
      before(i - 1);
      call();
      while (Nanos() < next) {
      }
      Time(i, &times.rehearsed);
    }
  }
};

/// By turns, so that what others do on the machine meanwhile falls on all subjects.
template <class... Subjects>
void Measure(const Args& args, Subjects*... subjects) {
  constexpr int64_t kTurns = 25;
  for (int64_t turn = 0; turn < kTurns; ++turn) {
    (subjects->Hot(args.whole("--calls") / kTurns), ...);
    (subjects->Paced(args.whole("--paced") / kTurns), ...);
    (subjects->Rehearsed(args.whole("--paced") / kTurns), ...);
  }
}

/// The same policy as our ONNX export, through ONNX Runtime's fastest way: tensors that stay bound,
/// one thread.
struct Yardstick {
  std::shared_ptr<const policy::OnnxRuntime> runtime;
  std::unique_ptr<const policy::OnnxSession> session;
  std::vector<float> in, out;
  std::unique_ptr<policy::OnnxSession::Bound> bound;
  Times times;
};

/// Answers that are not ours end the bench.
StatusOr<std::unique_ptr<Yardstick>> OpenYardstick(const Args& args, const policy::Policy& policy,
                                                   const Inputs& inputs) {
  auto y = std::make_unique<Yardstick>();
  SAFERL_ASSIGN_OR_RETURN(y->runtime,
                          policy::OnnxRuntime::Load({.library = args.text("--onnxruntime")}));
  SAFERL_ASSIGN_OR_RETURN(const policy::OnnxGraph graph, policy::OnnxFromSpec(policy.spec()));
  SAFERL_ASSIGN_OR_RETURN(y->session,
                          y->runtime->Open(policy::SerializeOnnx(graph), "our policy as ONNX"));
  y->in.resize(static_cast<size_t>(inputs.n_obs));
  y->out.resize(inputs.action.size());
  const int64_t in_shape[] = {1, inputs.n_obs};
  const int64_t out_shape[] = {1, static_cast<int64_t>(y->out.size())};
  SAFERL_ASSIGN_OR_RETURN(y->bound, y->session->Bind(y->in, in_shape, y->out, out_shape));
  std::vector<float> ours(y->out.size());
  for (int64_t i = 0; i < 256; ++i) {
    inputs.Copy(i, y->in);
    bool same = y->bound->Run() && policy.Forward(y->in, ours);
    for (size_t k = 0; k < ours.size(); ++k)
      same = same && std::abs(y->out[k] - ours[k]) <= 1e-4F * std::max(1.0F, std::abs(ours[k]));
    if (!same)
      return absl::InternalError(
          Cat("ONNX Runtime and our kernel differ on row ", i, "; their times compare nothing"));
  }
  return y;
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

/// Of the p50, without the clock's own.
double Ratio(const Histogram& theirs, const Histogram& ours, const Histogram& clock) {
  return static_cast<double>(theirs.p50() - clock.p50()) /
         static_cast<double>(std::max<int64_t>(1, ours.p50() - clock.p50()));
}

struct Ratios {
  double hot, paced, rehearsed, paced_to_rehearsed;
};
Ratios RatiosOf(const Times& theirs, const Times& ours, const Times& clock) {
  return {.hot = Ratio(theirs.hot, ours.hot, clock.hot),
          .paced = Ratio(theirs.paced, ours.paced, clock.paced),
          .rehearsed = Ratio(theirs.rehearsed, ours.rehearsed, clock.rehearsed),
          .paced_to_rehearsed = Ratio(theirs.paced, ours.rehearsed, clock.paced)};
}

void WriteYardstick(const Yardstick& yardstick, const Ratios& ratios, JsonWriter* w) {
  w->Key("onnxruntime").BeginObject().Field("version", yardstick.runtime->version());
  WriteTimes(yardstick.times, w);
  w->Field("ratio_hot", ratios.hot);
  w->Field("ratio_paced", ratios.paced);
  w->Field("ratio_rehearsed", ratios.rehearsed);
  w->Field("ratio_paced_to_rehearsed", ratios.paced_to_rehearsed).EndObject();
}

std::string RatioText(const Yardstick& yardstick, const Ratios& ratios) {
  return fmt::format(
      "ONNX Runtime {} takes {:.1f} times as long hot, {:.1f} times paced, {:.1f} times both "
      "rehearsed; called at 1 kHz it takes {:.1f} times as long as our policy in saferl_rt (p50 "
      "less the clock's)\n",
      yardstick.runtime->version(), ratios.hot, ratios.paced, ratios.rehearsed,
      ratios.paced_to_rehearsed);
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
  std::vector<float> in(static_cast<size_t>(inputs.n_obs));  // a tick has just computed it
  Subject ours{.before = [&](int64_t i) { inputs.Copy(i, in); },
               .call = [&] { policy->Forward(in, inputs.action); }};
  Subject clock{.before = [](int64_t) {}, .call = [] {}};
  std::unique_ptr<Yardstick> yardstick;
  if (args.has("--onnxruntime")) {
    SAFERL_ASSIGN_OR_RETURN(yardstick, OpenYardstick(args, *policy, inputs));
    Subject theirs{.before = [&](int64_t i) { inputs.Copy(i, yardstick->in); },
                   .call = [&] { yardstick->bound->Run(); }};
    Measure(args, &clock, &ours, &theirs);
    yardstick->times = theirs.times;
  } else {
    Measure(args, &clock, &ours);
  }
  const Times& times = ours.times;
  RtCounts counts;
  {
    RtScope scope(&counts);
    for (int64_t i = 0; i < 1000; ++i) policy->Forward(in, inputs.action);
  }
  const Histogram noise = NoiseFloor(times.hot.p50(), 20'000);
  if (console.json()) {
    JsonWriter w;
    w.BeginObject().Field("n_obs", inputs.n_obs).Field("n_act", policy->spec().n_act());
    WriteTimes(times, &w);
    w.Key("clock").BeginObject();
    WriteTimes(clock.times, &w);
    w.EndObject();
    w.Field("allocations", counts.allocations);
    if (yardstick != nullptr)
      WriteYardstick(*yardstick, RatiosOf(yardstick->times, times, clock.times), &w);
    WriteNoise(noise, &w);
    WriteMachine(DescribeMachine(), &w);
    console.Out(w.EndObject().Take() + "\n");
  } else {
    Table table({Cat(inputs.n_obs, " -> ", policy->spec().n_act()), "p50 us", "p99 us", "p99.9 us",
                 "max us"});
    AddRows("", times, &table);
    AddRows("clock: ", clock.times, &table);
    if (yardstick != nullptr) AddRows("ONNX Runtime: ", yardstick->times, &table);
    PercentileRow("noise floor", noise, &table);
    console.Out(table.Text(console.colour()));
    if (yardstick != nullptr) {
      console.Out(RatioText(*yardstick, RatiosOf(yardstick->times, times, clock.times)));
    }
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
               {.name = "--float32",
                .doc =
                    "weights of the default policy that float16 cannot hold; training rounds them",
                .kind = ArgKind::kFlag},
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
