#include "saferl/control/bench_tick.h"

#include <optional>

#include "saferl/base/clock.h"
#include "saferl/base/rt_guard/rt_guard.h"
#include "saferl/base/text.h"
#include "saferl/cli/bench_common.h"
#include "saferl/cli/machine.h"
#include "saferl/cli/verbs.h"
#include "saferl/control/rt_config.h"
#include "saferl/control/workload.h"

namespace saferl::cli {
namespace {

constexpr int kCountedTicks = 2000;
constexpr double kPercentileError = 1.0 / 32;  // width of the histogram's buckets

struct Counts {
  RtCounts rt;
  SyscallCount syscalls;
  bool clean() const { return rt.allocations + rt.locks + rt.page_faults + syscalls.calls == 0; }
};

/// Heap calls, locks, faults and system calls of the Tick alone, counted apart from the timing.
StatusOr<Counts> CountTicks(const std::string& robot) {
  SAFERL_ASSIGN_OR_RETURN(const control::TickModel model, control::MakeBenchModel(robot));
  control::Workload workload(model.safety->robot);
  const auto data = control::Prepare(model);
  const auto decision = std::make_unique<control::Decision>();
  Counts counts;
  for (int i = -100; i < kCountedTicks; ++i) {
    const control::TickInput& input = workload.Next();
    if (i < 0) {  // first touch of code and data
      control::Tick(model, input, data.get(), decision.get());
    } else {
      RtScope scope(&counts.rt);
      control::Tick(model, input, data.get(), decision.get());
    }
    workload.Apply(decision->command);
  }
  SAFERL_ASSIGN_OR_RETURN(counts.syscalls, CountSyscalls([&] {
                            for (int i = 0; i < kCountedTicks; ++i) {
                              control::Tick(model, workload.Next(), data.get(), decision.get());
                              workload.Apply(decision->command);
                            }
                          }));
  return counts;
}

double PerTick(int64_t count) { return static_cast<double>(count) / kCountedTicks; }

void WriteSpread(const control::Spread& s, JsonWriter* w) {
  w->Field("p50_us", s.p50_us)
      .Field("p99_us", s.p99_us)
      .Field("p99_9_us", s.p99_9_us)
      .Field("max_us", s.max_us);
}

void WriteSplit(const char* name, uint64_t ticks, const control::Spread& spread, JsonWriter* w) {
  w->Key(name).BeginObject().Field("ticks", ticks);
  if (ticks > 0) WriteSpread(spread, w);
  w->EndObject();
}

/// The loop at the robot's period: woken when a tick is due, and awake early (realtime.early_s).
struct Paced {
  control::PacedBench woken, early;
};

StatusOr<Paced> PaceTicks(const std::string& robot, uint64_t ticks) {
  Paced paced;
  SAFERL_ASSIGN_OR_RETURN(paced.woken, control::BenchPaced(robot, ticks, 0));
  const int64_t early_ns = FromSeconds(control::RtConfig().realtime.early_s);
  SAFERL_ASSIGN_OR_RETURN(paced.early, control::BenchPaced(robot, ticks, early_ns));
  return paced;
}

void WritePaced(const char* name, const control::PacedBench& paced, JsonWriter* w) {
  w->Key(name).BeginObject().Field("ticks", paced.ticks).Field("slips", paced.slips);
  w->Key("compute").BeginObject();
  WriteSpread(paced.compute, w);
  w->EndObject().Key("wake").BeginObject();
  WriteSpread(paced.wake, w);
  w->EndObject().EndObject();
}

std::string ToJson(const control::TickBench& bench, const Counts& counts,
                   const std::optional<Paced>& paced, const Histogram& noise) {
  JsonWriter w;
  w.BeginObject().Field("robot", bench.robot).Field("ticks", bench.ticks);
  WriteSpread(bench.total, &w);
  WriteSplit("crowded", bench.crowded_ticks, bench.crowded, &w);
  WriteSplit("searched", bench.searched_ticks, bench.searched, &w);
  w.Key("stages").BeginObject();
  for (int s = 0; s < control::kNumStages; ++s) {
    w.Key(control::Name(static_cast<control::Stage>(s))).BeginObject();
    WriteSpread(bench.stage[static_cast<size_t>(s)], &w);
    w.EndObject();
  }
  w.EndObject()
      .Field("allocations", PerTick(counts.rt.allocations))
      .Field("locks", PerTick(counts.rt.locks));
  w.Field("syscalls", PerTick(counts.syscalls.calls))
      .Field("page_faults", PerTick(counts.rt.page_faults));
  w.Field("mean_rows", bench.mean_rows)
      .Field("min_rows", bench.min_rows)
      .Field("max_rows", bench.max_rows);
  w.Field("mean_bisections", bench.mean_bisections).Field("nominal_ticks", bench.nominal);
  w.Field("changed_ticks", bench.changed_ticks).Field("percentile_error", kPercentileError);
  if (paced) {
    WritePaced("paced_woken", paced->woken, &w);
    WritePaced("paced_early", paced->early, &w);
  }
  WriteNoise(noise, &w);
  WriteMachine(DescribeMachine(), &w);
  return w.EndObject().Take();
}

std::string ToText(const control::TickBench& bench, const Counts& counts,
                   const std::optional<Paced>& paced, const Histogram& noise, bool colour) {
  Table table({"one tick", "p50 us", "p99 us", "p99.9 us", "max us"});
  const auto row = [&](const std::string& name, const control::Spread& s) {
    table.Row({name, Significant(s.p50_us), Significant(s.p99_us), Significant(s.p99_9_us),
               Significant(s.max_us)});
  };
  row("total", bench.total);
  if (bench.crowded_ticks > 0)
    row(Cat("  with >= ", control::kCrowdedRows, " rows"), bench.crowded);
  if (bench.searched_ticks > 0) row("  with a search", bench.searched);
  for (int s = 0; s < control::kNumStages; ++s) {
    row(Cat("  ", control::Name(static_cast<control::Stage>(s))),
        bench.stage[static_cast<size_t>(s)]);
  }
  if (paced) {
    row("paced, woken when due: compute", paced->woken.compute);
    row("  began late by", paced->woken.wake);
    row("paced, awake early: compute", paced->early.compute);
    row("  began late by", paced->early.wake);
  }
  PercentileRow("noise floor", noise, &table);
  return table.Text(colour) +
         Cat("\nper tick: ", PerTick(counts.rt.allocations), " allocations, ",
             PerTick(counts.rt.locks), " locks, ", PerTick(counts.syscalls.calls),
             " system calls, ", PerTick(counts.rt.page_faults), " page faults; ",
             Significant(bench.mean_rows), " QP rows (", bench.min_rows, " to ", bench.max_rows,
             "), ", bench.crowded_ticks, " ticks with >= ", control::kCrowdedRows, "; ",
             bench.changed_ticks, " commands changed, ", bench.searched_ticks, " by a search; ",
             bench.nominal, " of ", bench.ticks,
             " ticks in Nominal\npercentiles are upper ends of buckets, up to ",
             Significant(100 * kPercentileError), " % above the true ones\n");
}

StatusOr<ExitCode> RunBenchTick(const Args& args, Console& console) {
  const std::string& robot = args.text("--robot");
  SAFERL_ASSIGN_OR_RETURN(const control::TickBench bench,
                          control::BenchTick(robot, static_cast<uint64_t>(args.whole("--ticks"))));
  SAFERL_ASSIGN_OR_RETURN(const Counts counts, CountTicks(robot));
  std::optional<Paced> paced;
  if (args.has("--paced")) {
    SAFERL_ASSIGN_OR_RETURN(paced, PaceTicks(robot, static_cast<uint64_t>(args.whole("--paced"))));
  }
  const Histogram noise = NoiseFloor(static_cast<int64_t>(bench.total.p50_us * 1e3), 20'000);
  console.Out(console.json() ? ToJson(bench, counts, paced, noise) + "\n"
                             : ToText(bench, counts, paced, noise, console.colour()));
  return counts.clean() ? ExitCode::kOk : ExitCode::kNo;
}

}  // namespace

Verb BenchTickVerb() {
  return {
      .path = {"bench", "tick"},
      .summary = "time one control tick, in total and per stage, and count what a tick must not do",
      .description =
          "The workload is closed over the commands that leave; the policy has 2 x 64 units. The\n"
          "arm reaches about beside a worker whose 25 parts lean into its reach: most ticks have "
          "at\n"
          "least 20 rows. The wheelchair drives about in a room of 8 m with 360 beams and four "
          "people\n"
          "walking. The exoskeleton moves both legs. Rows of the table that are parts of the "
          "total:\n"
          "ticks with at least 20 rows in the QP, and ticks whose command was searched for "
          "between\n"
          "braking and the wish. The stages come from a second run.\n"
          "Exit code 1 when a tick allocates, locks, faults or makes a system call.",
      .args = {RobotArg(),
               {.name = "--ticks",
                .doc = "ticks to time",
                .kind = ArgKind::kWhole,
                .value_name = "N",
                .fallback = "20000",
                .min = 100,
                .max = 1e9},
               {.name = "--paced",
                .doc = "then as many through the loop at the robot's period, asleep in between",
                .kind = ArgKind::kWhole,
                .value_name = "N",
                .min = 100,
                .max = 1e6}},
      .examples = {"saferl bench tick --robot arm7 --paced 5000",
                   "saferl bench tick --robot wheelchair --json"},
      .run = RunBenchTick};
}

}  // namespace saferl::cli
