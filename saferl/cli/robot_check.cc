#include "saferl/robot/robot_check.h"
#include "saferl/base/json.h"
#include "saferl/base/table.h"
#include "saferl/base/text.h"
#include "saferl/cli/verbs.h"
#include "saferl/robot/robot_model.h"
#include "saferl/safety/filter.h"

namespace saferl::cli {
namespace {

std::vector<double> First(const robot::Joints& joints, int n) {
  return {joints.begin(), joints.begin() + n};
}

std::string ConstraintNames(const safety::SafetyModel& model) {
  std::vector<std::string> names;
  for (const auto& constraint : model.proof) names.push_back(Cat(safety::Name(constraint->id())));
  return Join(names, ", ");
}

std::string ToJson(const safety::SafetyModel& safety, const robot::RobotReport& report) {
  const robot::RobotModel& robot = *safety.robot;
  const robot::Limits& limits = robot.limits();
  JsonWriter w;
  w.BeginObject()
      .Field("robot", report.name)
      .Field("file", report.file)
      .Field("good", report.good());
  w.Field("kind", robot::Name(report.kind)).Field("n", report.n).Field("links", report.n_links);
  w.Field("period_s", robot.period_s()).Field("reaction_s", robot.reaction_s());
  w.Field("valid_for_s", report.hold_s).Field("stop_time_s", report.stop_time_s);
  w.Field(robot.kind() == robot::Kind::kExoskeleton ? "stop_way_rad" : "stop_way_m",
          report.stop_way_m);
  w.Field("constraints", ConstraintNames(safety));
  w.Field("command_lower", First(limits.command_lower, robot.n()));
  w.Field("command_upper", First(limits.command_upper, robot.n()));
  w.Field("brake", First(limits.brake, robot.n()));
  w.Field("body_speed_m_s", safety.human.body_speed_m_s)
      .Field("reach_speed_m_s", safety.human.reach_speed_m_s);
  w.Field("error_m", safety.human.error_m).Key("checks").BeginArray();
  for (const robot::CheckItem& item : report.items) {
    w.BeginObject()
        .Field("name", item.name)
        .Field("good", item.good)
        .Field("detail", item.detail)
        .EndObject();
  }
  return w.EndArray().EndObject().Take();
}

std::string ToText(const safety::SafetyModel& safety, const robot::RobotReport& report,
                   bool colour) {
  const robot::RobotModel& robot = *safety.robot;
  const robot::Limits& limits = robot.limits();
  std::string text =
      Cat(report.name, ": ", robot::Name(report.kind), ", ", report.n, " command components, ",
          report.n_links, " body parts\nperiod ", Significant(robot.period_s() * 1e3),
          " ms, reaction ", Significant(robot.reaction_s() * 1e3),
          " ms: every command is valid for ", Significant(report.hold_s * 1e3),
          " ms\nfrom full command to rest: ", Significant(report.stop_time_s), " s, ",
          Significant(report.stop_way_m), robot.kind() == robot::Kind::kExoskeleton ? " rad" : " m",
          "\npeople: v_h ", safety.human.body_speed_m_s, " m/s (reaching ",
          safety.human.reach_speed_m_s, " m/s), measured within ", safety.human.error_m,
          " m\nproved: ", ConstraintNames(safety), "\n\n");
  Table table({"component", "command from", "to", "rate [1/s]", "brake [1/s]"});
  for (int i = 0; i < robot.n(); ++i) {
    const size_t k = static_cast<size_t>(i);
    table.Row({Cat(i + 1), Significant(limits.command_lower[k]),
               Significant(limits.command_upper[k]), Significant(limits.command_rate[k]),
               Significant(limits.brake[k])});
  }
  text += table.Text(colour) + "\n";
  for (const robot::CheckItem& item : report.items) {
    text +=
        Cat(Coloured(item.good ? "good" : "BAD ", item.good ? Colour::kGood : Colour::kBad, colour),
            "  ", item.name, ": ", item.detail, "\n");
  }
  return text;
}

StatusOr<ExitCode> RunRobotCheck(const Args& args, Console& console) {
  SAFERL_ASSIGN_OR_RETURN(const auto safety, safety::LoadSafetyModel(args.text("FILE")));
  SAFERL_ASSIGN_OR_RETURN(
      const robot::RobotReport report,
      robot::CheckRobot(args.text("FILE"), static_cast<int>(args.whole("--cases")),
                        static_cast<uint64_t>(args.whole("--seed"))));
  console.Out(console.json() ? ToJson(*safety, report) + "\n"
                             : ToText(*safety, report, console.colour()));
  return report.good() ? ExitCode::kOk : ExitCode::kNo;
}

}  // namespace

Verb RobotCheckVerb() {
  return {
      .path = {"robot", "check"},
      .summary = "check a robot file: does it load, stop, and stay inside what it promises",
      .description =
          "A file that does not load is bad input (exit code 2): the message names line and field. "
          "Exit code 1 when a check of its promises fails.",
      .args = {{.name = "FILE", .doc = "a robot file, or a name of data/robots", .required = true},
               {.name = "--cases",
                .doc = "random true robots to hunt with",
                .kind = ArgKind::kWhole,
                .value_name = "N",
                .fallback = "1000",
                .min = 1,
                .max = 1e7},
               SeedArg()},
      .examples = {"saferl robot check wheelchair", "saferl robot check my_arm.yaml --json"},
      .run = RunRobotCheck};
}

}  // namespace saferl::cli
