#include "saferl/sim/drive.h"

#include <cmath>

#include "saferl/base/json.h"
#include "saferl/base/progress.h"
#include "saferl/base/table.h"
#include "saferl/base/text.h"
#include "saferl/cli/remote_tick.h"
#include "saferl/cli/verbs.h"

namespace saferl::cli {
namespace {

std::vector<std::string> PersonNames() {
  std::vector<std::string> names;
  for (int i = 0; i < sim::kNumPersonKinds; ++i)
    names.push_back(Cat(sim::Name(static_cast<sim::PersonKind>(i))));
  return names;
}

constexpr std::string_view kColumnName[] = {"alone", "blended", "full"};

/// What several drives of one person come to.
struct Summary {
  std::string person;
  int drives = 0, goals = 0, collisions = 0;
  int64_t ticks = 0, interventions = 0, unproved = 0;
  double time_s = 0, distortion = 0, min_separation_m = INFINITY;

  void Add(const sim::DriveResult& r) {
    ++drives;
    goals += r.goal_reached;
    collisions += r.collision != sim::Hit::kNothing;
    ticks += r.ticks;
    interventions += r.interventions;
    unproved += r.unproved_moving_ticks;
    time_s += r.time_s;
    distortion += r.mean_distortion;
    min_separation_m = std::min(min_separation_m, r.min_moving_separation_m);
  }
  double Mean(double sum) const { return drives == 0 ? 0.0 : sum / drives; }
};

std::string ToJson(const std::string& robot, const std::string& way,
                   const std::vector<Summary>& rows) {
  JsonWriter w;
  w.BeginObject().Field("robot", robot).Field("way", way).Key("people").BeginArray();
  for (const Summary& s : rows) {
    w.BeginObject().Field("person", s.person).Field("drives", s.drives).Field("goals", s.goals);
    w.Field("collisions", s.collisions)
        .Field("mean_time_s", s.Mean(s.time_s))
        .Field("ticks", s.ticks);
    w.Field("interventions", s.interventions).Field("mean_distortion", s.Mean(s.distortion));
    w.Field("min_moving_separation_m", s.min_separation_m)
        .Field("unproved_moving_ticks", s.unproved)
        .EndObject();
  }
  return w.EndArray().EndObject().Take();
}

std::string ToText(const std::vector<Summary>& rows, bool colour) {
  Table table({"person", "drives", "goals", "collisions", "time s", "intervened", "distortion",
               "nearest m"});
  for (const Summary& s : rows) {
    const double share =
        s.ticks == 0 ? 0.0
                     : 100.0 * static_cast<double>(s.interventions) / static_cast<double>(s.ticks);
    table.Row({s.person,
               Cat(s.drives),
               Cat(s.goals),
               {Cat(s.collisions), s.collisions == 0 ? Colour::kGood : Colour::kBad},
               Significant(s.Mean(s.time_s)),
               Cat(Significant(share), " %"),
               Significant(s.Mean(s.distortion)),
               Significant(s.min_separation_m)});
  }
  return table.Text(colour);
}

/// Each drive is a robot of its own: a session's clock does not start anew.
void DecideThere(const Args& args, const sim::DriveModel& model,
                 std::vector<sim::DriveOptions>* options) {
  for (sim::DriveOptions& o : *options) {
    const auto there = std::make_shared<RemoteTick>(
        args.text("--url"), Cat(args.text("--id"), "-", sim::Name(o.person), "-", o.seed),
        args.text("--model"), args.real("--stand"), model.tick->safety->robot);
    o.decide = [there](const control::TickInput& input, control::Decision* decision) {
      return there->Decide(input, decision);
    };
  }
}

StatusOr<ExitCode> RunDrive(const Args& args, Console& console) {
  std::shared_ptr<const policy::Policy> policy;
  if (args.has("--policy")) {
    SAFERL_ASSIGN_OR_RETURN(policy, policy::LoadPolicy(args.text("--policy")));
  }
  SAFERL_ASSIGN_OR_RETURN(const sim::DriveModel model,
                          sim::MakeDriveModel(args.text("--robot"), policy));
  std::vector<sim::PersonKind> people;
  const std::string who = args.has("--person") ? args.text("--person") : "expert";
  for (int i = 0; i < sim::kNumPersonKinds; ++i) {
    const auto kind = static_cast<sim::PersonKind>(i);
    if (who == "all" || who == sim::Name(kind)) people.push_back(kind);
  }
  std::shared_ptr<const control::HumanTrace> trace;
  if (args.has("--trace")) {
    if (args.has("--person"))
      return absl::InvalidArgumentError("--trace: is the person who drives; leave --person out");
    SAFERL_ASSIGN_OR_RETURN(auto loaded,
                            control::HumanTrace::Load(args.text("--trace"), model.robot().n()));
    trace = std::make_shared<const control::HumanTrace>(std::move(loaded));
  }
  const int drives = static_cast<int>(args.whole("--drives"));
  if (args.has("--log") && (drives != 1 || people.size() != 1)) {
    return absl::InvalidArgumentError("--log: holds one drive; give --drives 1 and one --person");
  }
  if (args.has("--log") && args.text("--way") != "full") {
    return absl::InvalidArgumentError("--log: only the full system decides; give --way full");
  }
  if (args.has("--url") && (args.has("--policy") || args.text("--way") != "full")) {
    return absl::InvalidArgumentError(
        "--url: the service decides, with its own policy; give --model, no --policy, --way full");
  }
  if (args.has("--url") && args.has("--log")) {
    return absl::InvalidArgumentError(
        "--log: the service that decides keeps the decisions (GET /api/v1/decisions); leave it "
        "out with --url");
  }
  std::vector<sim::DriveOptions> options;
  for (const sim::PersonKind person : people) {
    for (int i = 0; i < drives; ++i) {
      sim::DriveOptions o;
      o.person = person;
      o.trace_of_person = trace;
      o.column = args.text("--way") == "alone"     ? sim::Column::kAlone
                 : args.text("--way") == "blended" ? sim::Column::kBlended
                                                   : sim::Column::kFull;
      o.physics =
          args.text("--physics") == "mujoco" ? sim::Physics::kMujoco : sim::Physics::kClosedForm;
      o.seed = static_cast<uint64_t>(args.whole("--seed")) + static_cast<uint64_t>(i);
      o.max_time_s = args.real("--max-time");
      o.log_path = args.text("--log");
      options.push_back(std::move(o));
    }
  }
  if (args.has("--url")) DecideThere(args, model, &options);
  Progress progress("drive", "drives", options.size(), console.json());
  SAFERL_ASSIGN_OR_RETURN(
      const std::vector<sim::DriveResult> results,
      sim::DriveAll(model, options, static_cast<int>(args.whole("--threads")),
                    [&](int done) { progress.Update(static_cast<uint64_t>(done)); }));
  progress.Finish();
  std::vector<Summary> rows;
  bool collided = false;
  for (size_t i = 0; i < results.size(); ++i) {
    if (i % static_cast<size_t>(drives) == 0)
      rows.push_back({.person = trace ? "recorded" : Cat(sim::Name(options[i].person))});
    rows.back().Add(results[i]);
    collided = collided || results[i].collision != sim::Hit::kNothing;
  }
  console.Out(console.json() ? ToJson(model.robot().name(), args.text("--way"), rows) + "\n"
                             : ToText(rows, console.colour()));
  return collided && args.text("--way") == "full" ? ExitCode::kNo : ExitCode::kOk;
}

}  // namespace

Verb DriveVerb() {
  std::vector<std::string> people = PersonNames();
  people.push_back("all");
  return {.path = {"drive"},
          .summary = "let simulated people and a policy drive the robot, and count what happened",
          .description = "Exit code 1 when the full system collided.",
          .args = {RobotArg(),
                   {.name = "--policy",
                    .doc = "a model package; without it the person drives alone with the filter",
                    .value_name = "FILE"},
                   {.name = "--person",
                    .doc = "who drives; without it expert",
                    .kind = ArgKind::kChoice,
                    .value_name = "KIND",
                    .choices = people},
                   {.name = "--trace",
                    .doc = "a recorded person drives (CSV, see saferl replay --trace)",
                    .value_name = "FILE"},
                   {.name = "--way",
                    .doc = "person alone, blended with the policy, or the full system",
                    .kind = ArgKind::kChoice,
                    .value_name = "WAY",
                    .fallback = "full",
                    .choices = {std::string(kColumnName[0]), std::string(kColumnName[1]),
                                std::string(kColumnName[2])}},
                   {.name = "--physics",
                    .doc = "which plant",
                    .kind = ArgKind::kChoice,
                    .value_name = "NAME",
                    .fallback = "mujoco",
                    .choices = {"mujoco", "closed_form"}},
                   {.name = "--drives",
                    .doc = "drives per person",
                    .kind = ArgKind::kWhole,
                    .value_name = "N",
                    .fallback = "4",
                    .min = 1,
                    .max = 1e6},
                   {.name = "--max-time",
                    .doc = "simulated seconds per drive",
                    .kind = ArgKind::kReal,
                    .value_name = "S",
                    .fallback = "60",
                    .min = 0.1,
                    .max = 1e5},
                   {.name = "--url",
                    .doc = "a policy inference service that decides, as http://127.0.0.1:8001",
                    .value_name = "URL"},
                   {.name = "--model",
                    .doc = "with --url: the policy that the service runs",
                    .value_name = "NAME"},
                   {.name = "--id",
                    .doc = "with --url: how the robots' names begin; a robot that drove before "
                           "cannot start anew within its session",
                    .value_name = "ID",
                    .fallback = "simulated"},
                   {.name = "--stand",
                    .doc = "with --url: seconds that each robot stands first, so that a rollout "
                           "has seated it",
                    .kind = ArgKind::kReal,
                    .value_name = "S",
                    .fallback = "0",
                    .min = 0,
                    .max = 60},
                   {.name = "--log",
                    .doc = "write the decision log of one drive (MCAP)",
                    .value_name = "FILE"},
                   SeedArg(),
                   ThreadsArg()},
          .examples = {"saferl drive --robot wheelchair --person all --drives 10",
                       "saferl drive --policy out/wheelchair.policy --person novice --drives 1 "
                       "--log out/drive.mcap",
                       "saferl drive --trace out/person.csv --drives 1 --seed 2",
                       "saferl drive --url http://127.0.0.1:8001 --model wheelchair --person "
                       "novice"},
          .run = RunDrive};
}

}  // namespace saferl::cli
