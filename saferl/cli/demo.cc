// The demo: learn a policy, let several people drive with it, print one table, write one page.
#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <thread>

#include "saferl/base/json.h"
#include "saferl/base/progress.h"
#include "saferl/base/table.h"
#include "saferl/base/text.h"
#include "saferl/cli/machine.h"
#include "saferl/cli/report.h"
#include "saferl/cli/verbs.h"
#include "saferl/learn/trainer.h"
#include "saferl/robot/wheelchair.h"
#include "saferl/sim/drive.h"

namespace saferl::cli {
namespace {

struct Driver {
  sim::PersonKind kind;
  const char* name;
  const char* description;
};
constexpr std::array kDrivers = {
    Driver{sim::PersonKind::kExpert, "expert", "looks ahead, steers well"},
    Driver{sim::PersonKind::kNovice, "novice", "reacts late, oversteers, cuts corners"},
    Driver{sim::PersonKind::kLaggy, "laggy", "repeats the last command, for 0.7 s on average"},
    Driver{sim::PersonKind::kNoisy, "noisy", "the stick jumps at random"},
    Driver{sim::PersonKind::kTremor, "tremor", "a trembling hand, 4 to 8 Hz"},
    Driver{sim::PersonKind::kBiased, "biased", "always pulls to one side"},
    Driver{sim::PersonKind::kAbsent, "absent", "lets go from time to time"},
    Driver{sim::PersonKind::kGoalSwitching, "goal switching", "changes their mind"},
    Driver{sim::PersonKind::kHostile, "hostile", "drives at people and walls on purpose"},
};
constexpr std::array kColumns = {sim::Column::kAlone, sim::Column::kBlended, sim::Column::kFull};

StatusOr<std::shared_ptr<const policy::Policy>> Train(const Args& args, Console& console,
                                                      const std::string& package, Report* report) {
  learn::TrainConfig config;
  config.threads = static_cast<int>(args.whole("--threads"));
  config.iterations = static_cast<int>(args.whole("--iterations"));
  config.evaluation_every = std::min(config.evaluation_every, config.iterations);
  config.seed = static_cast<uint64_t>(args.whole("--seed"));
  SAFERL_ASSIGN_OR_RETURN(const std::unique_ptr<learn::Trainer> trainer,
                          learn::Trainer::Create(config));
  report->cost_names = trainer->spec().cost_names;
  report->cost_limits = trainer->limits();
  const auto n_costs = static_cast<size_t>(trainer->spec().n_costs);
  Progress progress("train", "iterations", static_cast<uint64_t>(config.iterations),
                    console.json());
  SAFERL_RETURN_IF_ERROR(trainer->Run([&](const learn::IterationReport& r) {
    progress.Update(static_cast<uint64_t>(r.iteration),
                    Cat(HumanCount(r.steps_per_s), " steps/s  goals reached ",
                        static_cast<int>(std::lround(100 * r.episodes.success_rate)), " %"));
    TrainingPoint point{
        static_cast<double>(r.steps), r.episodes.mean_return, r.episodes.success_rate, {}};
    point.cost.assign(r.episodes.mean_cost.begin(),
                      r.episodes.mean_cost.begin() + static_cast<std::ptrdiff_t>(n_costs));
    if (r.episodes.episodes > 0) report->training.push_back(point);
    return true;
  }));
  progress.Finish();
  SAFERL_RETURN_IF_ERROR(policy::SavePackage(trainer->Export("wheelchair"), package));
  return policy::LoadPolicy(package);
}

/// All drives of the table, in one pool so that both cores stay busy to the end.
Status DriveEverybody(const sim::DriveModel& model, const Args& args, Console& console,
                      Report* report) {
  const int per_cell = static_cast<int>(args.whole("--drives"));
  const auto first = static_cast<uint64_t>(args.whole("--seed")) * 1000;
  std::vector<sim::DriveOptions> all;
  for (const Driver& driver : kDrivers) {
    for (const sim::Column column : kColumns) {
      for (int i = 0; i < per_cell; ++i) {
        sim::DriveOptions options;
        options.column = column;
        options.person = driver.kind;
        options.seed = first + static_cast<uint64_t>(i);
        options.physics =
            args.flag("--closed-form") ? sim::Physics::kClosedForm : sim::Physics::kMujoco;
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
  for (const Driver& driver : kDrivers) {
    ReportRow row{driver.name, driver.description, {}};
    for (DriveSummary& cell : row.column) {
      cell = Summarise({at, at + per_cell});
      at += per_cell;
    }
    report->rows.push_back(row);
  }
  return absl::OkStatus();
}

/// The first scene with several rooms and people walking: worth looking at.
uint64_t InterestingSeed(uint64_t first) {
  constexpr uint64_t kSearched = 100;
  for (uint64_t seed = first; seed < first + kSearched; ++seed) {
    const sim::Scene scene = sim::MakeScene(seed, sim::DriveOptions{}.scene_options);
    if (scene.doors.size() >= 2 && scene.walks.size() >= 2) return seed;
  }
  return first;
}

/// A few drives recorded for the animated view: the same scene alone and with the full system.
Status RecordDrives(const sim::DriveModel& model, const Args& args, Report* report) {
  const auto first = InterestingSeed(static_cast<uint64_t>(args.whole("--seed")) * 1000);
  for (const size_t i : {1UL, 0UL, 3UL, 8UL}) {
    const Driver& driver = kDrivers[i];
    for (const sim::Column column : {sim::Column::kFull, sim::Column::kAlone}) {
      sim::DriveOptions options;
      options.column = column;
      options.person = driver.kind;
      options.seed = first;
      options.max_time_s = 30;
      options.physics =
          args.flag("--closed-form") ? sim::Physics::kClosedForm : sim::Physics::kMujoco;
      options.trace = true;
      options.scene =
          std::make_shared<const sim::Scene>(sim::MakeScene(options.seed, options.scene_options));
      SAFERL_ASSIGN_OR_RETURN(sim::DriveResult result, sim::Drive(model, options));
      report->traces.push_back(
          {Cat(driver.name, column == sim::Column::kFull ? ", full system" : ", alone"),
           options.scene, std::move(result)});
    }
  }
  return absl::OkStatus();
}

std::string Percent(double share) { return Cat(static_cast<int>(std::lround(100 * share)), " %"); }

void Print(const Report& report, const std::string& page, Console& console) {
  Table table({"person", "alone: goals", "time", "hits", "blended: goals", "time", "hits",
               "full: goals", "time", "hits", "changed", "distortion"});
  for (const ReportRow& row : report.rows) {
    std::vector<Table::Cell> cells = {Table::Cell(row.person)};
    for (const DriveSummary& s : row.column) {
      cells.emplace_back(Cat(s.reached, "/", s.drives));
      cells.emplace_back(s.reached > 0 ? Cat(Significant(s.time_s), " s") : std::string("-"));
      cells.emplace_back(Cat(s.collisions), s.collisions == 0 ? Colour::kGood : Colour::kBad);
    }
    cells.emplace_back(Percent(row.column[2].interventions));
    cells.emplace_back(Percent(row.column[2].distortion));
    table.Row(cells);
  }
  console.Out("\n" + table.Text(console.colour()));
  console.Out(
      Cat("\ngoals: drives that reached the place the person meant   hits: touched something while "
          "moving\n"
          "changed: share of ticks in which the filter altered the wish\n"
          "distortion: mean distance of the sent command from the person's, share of the limits\n\n"
          "report: ",
          page, " (open it in a browser)\n"));
}

void PrintJson(const Report& report, const std::string& page, const std::string& package,
               Console& console) {
  JsonWriter w;
  w.BeginObject().Field("report", page).Field("policy", package);
  w.Key("people").BeginArray();
  for (const ReportRow& row : report.rows) {
    w.BeginObject().Field("person", row.person);
    constexpr std::array kNames = {"alone", "blended", "full"};
    for (size_t c = 0; c < row.column.size(); ++c) {
      const DriveSummary& s = row.column[c];
      w.Key(kNames[c]).BeginObject();
      w.Field("drives", s.drives).Field("goals", s.reached);
      w.Field("time_s", s.reached > 0 ? s.time_s : std::nan(""));  // null: nobody arrived
      w.Field("collisions", s.collisions).Field("interventions", s.interventions);
      w.Field("distortion", s.distortion).Field("unproved_moving_ticks", s.unproved_ticks);
      w.EndObject();
    }
    w.EndObject();
  }
  console.Out(w.EndArray().EndObject().Take() + "\n");
}

StatusOr<ExitCode> RunDemo(const Args& args, Console& console) {
  const std::string folder = args.text("--out");
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error)
    return absl::NotFoundError(
        Cat("--out: ", folder, ": ", error.message(), "; name a folder you may write"));
  Report report;
  report.robot = "wheelchair";
  report.commit = DescribeMachine().commit;
  report.command = "saferl demo";
  std::string package = args.text("--policy");
  std::shared_ptr<const policy::Policy> policy;
  if (package.empty()) {
    package = folder + "/wheelchair.policy";
    SAFERL_ASSIGN_OR_RETURN(policy, Train(args, console, package, &report));
  } else {
    SAFERL_ASSIGN_OR_RETURN(policy, policy::LoadPolicy(package));
  }
  report.policy = policy->sha256().substr(0, 12);
  SAFERL_ASSIGN_OR_RETURN(const sim::DriveModel model, sim::MakeDriveModel("wheelchair", policy));
  const auto* chair = dynamic_cast<const robot::Wheelchair*>(&model.robot());
  if (chair == nullptr)
    return absl::InternalError("the wheelchair's data file does not describe a wheelchair");
  report.footprint = chair->footprint();
  SAFERL_RETURN_IF_ERROR(DriveEverybody(model, args, console, &report));
  SAFERL_RETURN_IF_ERROR(RecordDrives(model, args, &report));
  const std::string page = folder + "/report.html";
  SAFERL_RETURN_IF_ERROR(WriteReport(report, page));
  if (console.json()) {
    PrintJson(report, page, package, console);
  } else {
    Print(report, page, console);
  }
  for (const ReportRow& row : report.rows)
    if (row.column[2].collisions > 0 || row.column[2].unproved_ticks > 0) return ExitCode::kNo;
  return ExitCode::kOk;
}

}  // namespace

Verb DemoVerb() {
  return {
      .path = {"demo"},
      .summary = "learn a policy, let nine people drive with it, print a table, write a page",
      .description =
          "Exit code 1: the full system collided or moved without a proof. Writes report.html and "
          "wheelchair.policy into --out.",
      .args = {{.name = "--out",
                .doc = "folder to write to",
                .value_name = "FOLDER",
                .fallback = "out"},
               {.name = "--policy",
                .doc = "use this package instead of training one",
                .value_name = "FILE"},
               {.name = "--drives",
                .doc = "drives per person and column",
                .kind = ArgKind::kWhole,
                .value_name = "N",
                .fallback = "16",
                .min = 1,
                .max = 10000},
               {.name = "--iterations",
                .doc = "of training",
                .kind = ArgKind::kWhole,
                .value_name = "N",
                .fallback = "200",
                .min = 1,
                .max = 1e6},
               {.name = "--closed-form",
                .doc = "the closed-form plant instead of MuJoCo",
                .kind = ArgKind::kFlag},
               SeedArg(),
               ThreadsArg()},
      .examples = {"saferl demo", "saferl demo --policy out/wheelchair.policy --drives 50"},
      .run = RunDemo};
}

}  // namespace saferl::cli
