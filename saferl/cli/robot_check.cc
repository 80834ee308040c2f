#include <cmath>

#include "saferl/base/json.h"
#include "saferl/base/table.h"
#include "saferl/base/text.h"
#include "saferl/cli/verbs.h"
#include "saferl/robot/robot_model.h"
#include "saferl/safety/filter.h"

namespace saferl::cli {
namespace {

std::string_view KindName(robot::Kind kind) {
  switch (kind) {
    case robot::Kind::kWheelchair:
      return "wheelchair";
    case robot::Kind::kArm:
      return "arm";
    case robot::Kind::kExoskeleton:
      return "exoskeleton";
  }
  return "robot";
}

std::vector<double> First(const robot::Joints& joints, int n) {
  return {joints.begin(), joints.begin() + n};
}

std::string ConstraintNames(const safety::SafetyModel& model) {
  std::vector<std::string> names;
  for (const auto& constraint : model.proof) names.push_back(Cat(safety::Name(constraint->id())));
  return Join(names, ", ");
}

StatusOr<ExitCode> RunRobotCheck(const Args& args, Console& console) {
  SAFERL_ASSIGN_OR_RETURN(const auto safety, safety::LoadSafetyModel(args.text("FILE")));
  const robot::RobotModel& robot = *safety->robot;
  const robot::Limits& limits = robot.limits();
  if (console.json()) {
    JsonWriter w;
    w.BeginObject()
        .Field("robot", robot.name())
        .Field("kind", KindName(robot.kind()))
        .Field("n", robot.n());
    w.Field("period_s", robot.period_s()).Field("reaction_s", robot.reaction_s());
    w.Field("valid_for_s", robot.hold_s()).Field("constraints", ConstraintNames(*safety));
    w.Field("command_lower", First(limits.command_lower, robot.n()));
    w.Field("command_upper", First(limits.command_upper, robot.n()));
    w.Field("brake", First(limits.brake, robot.n()));
    w.Field("body_speed_m_s", safety->human.body_speed_m_s)
        .Field("reach_speed_m_s", safety->human.reach_speed_m_s);
    console.Out(w.Field("error_m", safety->human.error_m).EndObject().Take() + "\n");
    return ExitCode::kOk;
  }
  console.Out(Cat(robot.name(), ": good. ", KindName(robot.kind()), ", ", robot.n(),
                  " command components, ", robot.n_links(), " body parts\nperiod ",
                  robot.period_s() * 1e3, " ms, reaction ", robot.reaction_s() * 1e3,
                  " ms: every command is valid for ", robot.hold_s() * 1e3, " ms\npeople: v_h ",
                  safety->human.body_speed_m_s, " m/s (reaching ", safety->human.reach_speed_m_s,
                  " m/s), measured within ", safety->human.error_m,
                  " m\nproved: ", ConstraintNames(*safety), "\n\n"));
  Table table({"component", "command from", "to", "rate [1/s]", "brake [1/s]"});
  for (int i = 0; i < robot.n(); ++i) {
    const size_t k = static_cast<size_t>(i);
    table.Row({Cat(i + 1), Significant(limits.command_lower[k]),
               Significant(limits.command_upper[k]), Significant(limits.command_rate[k]),
               Significant(limits.brake[k])});
  }
  console.Out(table.Text(console.colour()));
  return ExitCode::kOk;
}

}  // namespace

Verb RobotCheckVerb() {
  return {
      .path = {"robot", "check"},
      .summary = "read a robot file as the safety filter does, and say what it promises",
      .description =
          "A file that cannot be driven is bad input (exit code 2); the message names line and "
          "field.",
      .args = {{.name = "FILE", .doc = "a robot file, or a name of data/robots", .required = true}},
      .examples = {"saferl robot check wheelchair", "saferl robot check my_arm.yaml --json"},
      .run = RunRobotCheck};
}

}  // namespace saferl::cli
