#include "saferl/base/clock.h"
#include "saferl/base/text.h"
#include "saferl/cli/bench_common.h"
#include "saferl/cli/machine.h"
#include "saferl/cli/verbs.h"
#include "saferl/math/qp_problems.h"

namespace saferl::cli {
namespace {

struct Row {
  int n, m;
  double push;  ///< scale of the wanted point: how far outside it lies, so that as many rows act as
                ///< in the yardstick
};
constexpr Row kRows[] = {{2, 4, 1.10},  {3, 6, 1.05},   {6, 8, 0.85},
                         {7, 10, 0.93}, {12, 16, 0.84}, {14, 20, 0.74}};

struct Result {
  Row row;
  bool warm;
  Histogram time;
  double active = 0;
  int64_t unsolved = 0, uncertified = 0;
  int most_iterations = 0;
};

Result Measure(const Row& row, bool warm, int64_t ticks, uint64_t seed) {
  Result result{.row = row, .warm = warm, .time = {}};
  math::DriftingQp drifting(row.n, row.m, row.push, seed);
  math::QpWorkspace workspace;
  math::QpSolution solution;
  for (int64_t i = 0; i < ticks; ++i) {
    const math::QpProblem& problem = drifting.Next();
    if (!warm) workspace.Reset();
    const int64_t start = Nanos();
    math::SolveQp(problem, &workspace, &solution);
    result.time.Record(Nanos() - start);
    result.active += workspace.n_active;
    result.unsolved += solution.status != math::QpStatus::kSolved;
    result.uncertified += !(math::CheckQpCertificate(problem, solution) <= 1e-8);
    result.most_iterations = std::max(result.most_iterations, solution.iterations);
  }
  result.active /= static_cast<double>(ticks);
  return result;
}

StatusOr<ExitCode> RunBenchQp(const Args& args, Console& console) {
  std::vector<Result> results;
  for (const Row& row : kRows) {
    for (const bool warm : {true, false}) {
      results.push_back(
          Measure(row, warm, args.whole("--ticks"), static_cast<uint64_t>(args.whole("--seed"))));
    }
  }
  const Histogram noise = NoiseFloor(results[6].time.p50(), 20'000);
  JsonWriter w;
  w.BeginObject().Field("ticks", args.whole("--ticks")).Key("rows").BeginArray();
  Table table({"QP", "p50 us", "p99 us", "p99.9 us", "max us"});
  int64_t bad = 0;
  for (const Result& r : results) {
    bad += r.unsolved + r.uncertified;
    w.BeginObject()
        .Field("n", r.row.n)
        .Field("m", r.row.m)
        .Field("warm", r.warm)
        .Field("active", r.active);
    WritePercentiles(r.time, &w);
    w.Field("unsolved", r.unsolved).Field("uncertified", r.uncertified);
    w.Field("most_iterations", r.most_iterations).EndObject();
    PercentileRow(Cat("n ", r.row.n, ", m ", r.row.m, r.warm ? ", warm" : ", cold"), r.time,
                  &table);
  }
  w.EndArray().Field("iteration_bound", math::kQpMaxIterations);
  WriteNoise(noise, &w);
  WriteMachine(DescribeMachine(), &w);
  PercentileRow("noise floor", noise, &table);
  console.Out(console.json() ? w.EndObject().Take() + "\n" : table.Text(console.colour()));
  return bad == 0 ? ExitCode::kOk : ExitCode::kNo;
}

}  // namespace

Verb BenchQpVerb() {
  return {.path = {"bench", "qp"},
          .summary = "time the safety QP over drifting problems, warm and cold",
          .description = "Exit code 1 when any problem is unsolved or its certificate fails.",
          .args = {{.name = "--ticks",
                    .doc = "problems per row",
                    .kind = ArgKind::kWhole,
                    .value_name = "N",
                    .fallback = "10000",
                    .min = 100,
                    .max = 1e8},
                   SeedArg()},
          .examples = {"saferl bench qp", "saferl bench qp --json"},
          .run = RunBenchQp};
}

}  // namespace saferl::cli
