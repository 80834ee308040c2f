#include <algorithm>
#include <cmath>
#include <vector>

#include "fmt/format.h"
#include "saferl/base/json.h"
#include "saferl/base/progress.h"
#include "saferl/base/table.h"
#include "saferl/cli/verbs.h"
#include "saferl/sim/recording_run.h"

namespace saferl::cli {
namespace {

using sim::RecordingDrive;
using sim::RecordingReport;

struct Total {
  int64_t violations_above = 0, violations_standard = 0, unexpected = 0;
  sim::BreachCount breach;
  double minutes = 0, above_m = 0, standard_m = 0, nobody_m = 0;
  bool passed = true;
};

Total Sum(const std::vector<RecordingReport>& reports) {
  Total sum;
  for (const RecordingReport& r : reports) {
    sum.violations_above += r.above.Violations();
    sum.violations_standard += r.standard.Violations();
    sum.unexpected += r.above.breach.breaches;
    const sim::BreachCount& breach = r.standard.breach;
    sum.breach.breaches += breach.breaches;
    sum.breach.answered += breach.answered;
    sum.breach.delay_ticks_sum += breach.delay_ticks_sum;
    sum.breach.worst_delay_ticks = std::max(sum.breach.worst_delay_ticks, breach.worst_delay_ticks);
    const double minutes = r.duration_s / 60;
    sum.minutes += minutes;
    sum.above_m += minutes * r.above.m_per_min;
    sum.standard_m += minutes * r.standard.m_per_min;
    sum.nobody_m += minutes * r.nobody_m_per_min;
    sum.passed = sum.passed && r.Passed();
  }
  return sum;
}

void WriteDrive(const char* key, const RecordingDrive& drive, JsonWriter* w) {
  w->Key(key).BeginObject();
  w->Field("body_speed_m_s", drive.body_speed_m_s).Field("reach_speed_m_s", drive.reach_speed_m_s);
  w->Field("violations", drive.Violations()).Field("touched_instants", drive.touched_instants);
  w->Field("unproved_ticks", drive.unproved_ticks).Field("hit", sim::Name(drive.hit));
  w->Field("breaches", drive.breach.breaches).Field("answered", drive.breach.answered);
  w->Field("mean_delay_ticks", drive.breach.MeanDelayTicks());
  w->Field("worst_delay_ticks", drive.breach.worst_delay_ticks);
  w->Field("nearest_m", drive.nearest_m).Field("m_per_min", drive.m_per_min).EndObject();
}

std::string Json(const std::string& robot, const std::vector<RecordingReport>& reports) {
  JsonWriter w;
  w.BeginObject().Field("robot", robot).Key("recordings").BeginArray();
  for (const RecordingReport& r : reports) {
    w.BeginObject().Field("name", r.name).Field("passed", r.Passed());
    w.Field("duration_s", r.duration_s).Field("body_max_m_s", r.body_max_m_s);
    w.Field("reach_max_m_s", r.reach_max_m_s).Field("too_fast_share", r.too_fast_share);
    WriteDrive("above", r.above, &w);
    WriteDrive("standard", r.standard, &w);
    w.Field("nobody_m_per_min", r.nobody_m_per_min).EndObject();
  }
  const Total sum = Sum(reports);
  w.EndArray().Field("violations", sum.violations_above + sum.violations_standard);
  w.Field("breaches", sum.breach.breaches).Field("answered", sum.breach.answered);
  w.Field("mean_delay_ticks", sum.breach.MeanDelayTicks());
  w.Field("worst_delay_ticks", sum.breach.worst_delay_ticks);
  return w.Field("passed", sum.passed).EndObject().Take() + "\n";
}

std::string Speeds(double body_m_s, double reach_m_s) {
  return reach_m_s > 0 ? fmt::format("{:.2f} / {:.2f}", body_m_s, reach_m_s)
                       : fmt::format("{:.2f}", body_m_s);
}

Table::Cell Zero(int64_t count) {
  return {std::to_string(count), count == 0 ? Colour::kGood : Colour::kBad};
}

Table::Cell Answered(const sim::BreachCount& breach) {
  return {fmt::format("{} of {}", breach.answered, breach.breaches),
          breach.answered == breach.breaches ? Colour::kGood : Colour::kBad};
}

std::string Delay(const sim::BreachCount& breach) {
  if (breach.breaches == 0) return "-";
  return fmt::format("{:.2f}, {}", breach.MeanDelayTicks(), breach.worst_delay_ticks);
}

std::string Text(const std::vector<RecordingReport>& reports, bool colour) {
  Table table({"recording", "fastest m/s", "above v_h", "raised v_h: m/s", "violations", "m/min",
               "own v_h: violations", "breaches answered", "delay ticks", "m/min",
               "nobody: m/min"});
  const auto metres = [](double m_per_min) { return fmt::format("{:.1f}", m_per_min); };
  for (const RecordingReport& r : reports) {
    const bool reaches = r.reach_max_m_s > 0;
    table.Row({r.name, Speeds(r.body_max_m_s, r.reach_max_m_s),
               fmt::format("{:.0f} %", 100 * r.too_fast_share),
               Speeds(r.above.body_speed_m_s, reaches ? r.above.reach_speed_m_s : 0),
               Zero(r.above.Violations() + r.above.breach.breaches), metres(r.above.m_per_min),
               Zero(r.standard.Violations()), Answered(r.standard.breach), Delay(r.standard.breach),
               metres(r.standard.m_per_min), metres(r.nobody_m_per_min)});
  }
  const Total sum = Sum(reports);
  table.Row({"all", "", "", "", Zero(sum.violations_above + sum.unexpected),
             metres(sum.above_m / sum.minutes), Zero(sum.violations_standard), Answered(sum.breach),
             Delay(sum.breach), metres(sum.standard_m / sum.minutes),
             metres(sum.nobody_m / sum.minutes)});
  return table.Text(colour);
}

StatusOr<ExitCode> RunProveRecordings(const Args& args, Console& console) {
  sim::RecordingOptions options;
  options.robot = args.text("--robot");
  options.seed = static_cast<uint64_t>(args.whole("--seed"));
  options.threads = static_cast<int>(args.whole("--threads"));
  if (args.has("--duration")) options.duration_s = args.real("--duration");
  SAFERL_ASSIGN_OR_RETURN(const auto recordings,
                          sim::RecordingsFor(options.robot, args.text("--recordings")));
  Progress progress("prove", "recordings", recordings.size(), console.json());
  SAFERL_ASSIGN_OR_RETURN(const std::vector<RecordingReport> reports,
                          sim::RecordingRuns(options, recordings, [&](int done) {
                            progress.Update(static_cast<uint64_t>(done));
                          }));
  progress.Finish();
  console.Out(console.json() ? Json(options.robot, reports) : Text(reports, console.colour()));
  return Sum(reports).passed ? ExitCode::kOk : ExitCode::kNo;
}

}  // namespace

Verb ProveRecordingsVerb() {
  return {
      .path = {"prove", "recordings"},
      .summary = "drive among recorded real people, faster and slower than v_h",
      .description =
          "Three drives for each recording: with v_h above the fastest recorded person (nothing "
          "may "
          "be violated), with the robot's own v_h (each breach that measurements can show must be "
          "answered by a stop within one tick), and with nobody there. Speeds of an arm's worker: "
          "body / reaching arm; above v_h: share of the people's time; delay: mean, worst. Exit "
          "code 1 on a violation or a breach without its stop.",
      .args = {{.name = "--robot",
                .doc = "an arm (skeletons) or a wheelchair (tracks of walkers): name or path",
                .value_name = "ROBOT",
                .fallback = "arm7"},
               {.name = "--recordings",
                .doc = "folder of CSV recordings (default $SAFERL_PEOPLE, else data/people)",
                .value_name = "FOLDER"},
               {.name = "--duration",
                .doc = "of each drive (default: the recording once, at least 60 s)",
                .kind = ArgKind::kReal,
                .value_name = "S",
                .min = 0.1,
                .max = 1e5},
               SeedArg(),
               ThreadsArg()},
      .examples = {"saferl prove recordings --robot arm7",
                   "saferl prove recordings --robot wheelchair --recordings ~/crowds"},
      .run = RunProveRecordings};
}

}  // namespace saferl::cli
