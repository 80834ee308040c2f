// Progress kept: what the filter costs an expert, against the same expert without it in the same
// scenes.
#include <array>

#include "saferl/base/json.h"
#include "saferl/base/progress.h"
#include "saferl/base/table.h"
#include "saferl/base/text.h"
#include "saferl/cli/machine.h"
#include "saferl/cli/verbs.h"
#include "saferl/sim/drive.h"

namespace saferl::cli {
namespace {

constexpr double kLeastGoals = 0.98;  // of the unfiltered expert's
constexpr double kMostTime = 1.15;    // times the unfiltered expert's

/// One way in all scenes of one kind.
struct Way {
  int goals = 0, collisions = 0;
  int64_t ticks = 0, interventions = 0, unproved = 0;
  double both_s = 0;  ///< over the scenes whose goal both ways reached
};

struct Case {
  const char* name = "";
  int max_pedestrians = 0;
  int both = 0;  ///< scenes whose goal both ways reached
  Way alone = {}, filtered = {};

  double goals_kept() const {
    return alone.goals == 0 ? 0.0 : static_cast<double>(filtered.goals) / alone.goals;
  }
  double time_ratio() const { return alone.both_s > 0 ? filtered.both_s / alone.both_s : 0.0; }
  double intervened() const {
    return filtered.ticks == 0
               ? 0.0
               : static_cast<double>(filtered.interventions) / static_cast<double>(filtered.ticks);
  }
  bool kept() const {
    return both > 0 && goals_kept() >= kLeastGoals && time_ratio() <= kMostTime &&
           filtered.collisions == 0 && filtered.unproved == 0;
  }
  void Add(const sim::DriveResult& a, const sim::DriveResult& f) {
    Count(a, &alone);
    Count(f, &filtered);
    if (!a.goal_reached || !f.goal_reached) return;
    ++both;
    alone.both_s += a.time_s;
    filtered.both_s += f.time_s;
  }
  static void Count(const sim::DriveResult& r, Way* way) {
    way->goals += r.goal_reached;
    way->collisions += r.collision != sim::Hit::kNothing;
    way->ticks += r.ticks;
    way->interventions += r.interventions;
    way->unproved += r.unproved_moving_ticks;
  }
};

std::string ToJson(const std::array<Case, 2>& cases, int scenes, const std::string& physics) {
  JsonWriter w;
  w.BeginObject().Field("robot", "wheelchair").Field("person", "expert");
  w.Field("physics", physics).Field("scenes", scenes).Key("cases").BeginArray();
  for (const Case& c : cases) {
    w.BeginObject().Field("pedestrians", c.max_pedestrians > 0);
    w.Field("goals_unfiltered", c.alone.goals).Field("goals_filtered", c.filtered.goals);
    w.Field("goals_kept", c.goals_kept()).Field("time_ratio", c.time_ratio());
    w.Field("collisions_unfiltered", c.alone.collisions);
    w.Field("collisions_filtered", c.filtered.collisions);
    w.Field("interventions", c.intervened()).Field("unproved_moving_ticks", c.filtered.unproved);
    w.Field("kept", c.kept()).EndObject();
  }
  w.EndArray();
  WriteMachine(DescribeMachine(), &w);
  return w.EndObject().Take();
}

std::string ToText(const std::array<Case, 2>& cases, int scenes, bool colour) {
  Table table({"scenes", "goals: unfiltered", "filtered", "kept", "time ratio", "hits: unfiltered",
               "filtered", "intervened"});
  for (const Case& c : cases) {
    table.Row({Cat(scenes, " ", c.name), Cat(c.alone.goals), Cat(c.filtered.goals),
               Table::Cell(Cat(Significant(100 * c.goals_kept()), " %"),
                           c.kept() ? Colour::kGood : Colour::kBad),
               Significant(c.time_ratio()), Cat(c.alone.collisions), Cat(c.filtered.collisions),
               Cat(Significant(100 * c.intervened()), " %")});
  }
  return Cat(table.Text(colour),
             "\ntime ratio: filtered over unfiltered, scenes whose goal both reached\n");
}

StatusOr<ExitCode> RunBenchProgress(const Args& args, Console& console) {
  SAFERL_ASSIGN_OR_RETURN(const sim::DriveModel model, sim::MakeDriveModel("wheelchair", nullptr));
  std::array<Case, 2> cases = {
      Case{.name = "without pedestrians", .max_pedestrians = 0},
      Case{.name = "with pedestrians", .max_pedestrians = sim::SceneOptions{}.max_pedestrians}};
  const int scenes = static_cast<int>(args.whole("--scenes"));
  std::vector<sim::DriveOptions> all;
  for (const Case& c : cases) {
    for (int i = 0; i < scenes; ++i) {
      for (const sim::Column column : {sim::Column::kAlone, sim::Column::kFull}) {
        sim::DriveOptions options;
        options.column = column;
        options.seed =
            static_cast<uint64_t>(args.whole("--seed")) * 1000 + static_cast<uint64_t>(i);
        options.physics =
            args.text("--physics") == "mujoco" ? sim::Physics::kMujoco : sim::Physics::kClosedForm;
        options.scene_options.max_pedestrians = c.max_pedestrians;
        all.push_back(options);
      }
    }
  }
  Progress progress("drive", "drives", all.size(), console.json());
  SAFERL_ASSIGN_OR_RETURN(
      const std::vector<sim::DriveResult> results,
      sim::DriveAll(model, all, static_cast<int>(args.whole("--threads")),
                    [&](int done) { progress.Update(static_cast<uint64_t>(done)); }));
  progress.Finish();
  auto at = results.begin();
  for (Case& c : cases) {
    for (int i = 0; i < scenes; ++i, at += 2) c.Add(at[0], at[1]);
  }
  console.Out(console.json() ? ToJson(cases, scenes, args.text("--physics")) + "\n"
                             : ToText(cases, scenes, console.colour()));
  return cases[0].kept() && cases[1].kept() ? ExitCode::kOk : ExitCode::kNo;
}

}  // namespace

Verb BenchProgressVerb() {
  return {
      .path = {"bench", "progress"},
      .summary = "what the filter costs an expert: goals kept and time taken, against no filter",
      .description =
          "The same expert drives the wheelchair through the same scenes with and without the "
          "filter (no policy), without and with pedestrians. Exit code 1: fewer than 98 % of the "
          "unfiltered goals, more than 1.15 times the time, or the filtered chair touched "
          "something.",
      .args = {{.name = "--scenes",
                .doc = "of each kind",
                .kind = ArgKind::kWhole,
                .value_name = "N",
                .fallback = "200",
                .min = 1,
                .max = 1e6},
               {.name = "--physics",
                .doc = "which plant",
                .kind = ArgKind::kChoice,
                .value_name = "NAME",
                .fallback = "mujoco",
                .choices = {"mujoco", "closed_form"}},
               SeedArg(),
               ThreadsArg()},
      .examples = {"saferl bench progress", "saferl bench progress --physics closed_form --json"},
      .run = RunBenchProgress};
}

}  // namespace saferl::cli
