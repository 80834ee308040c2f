#include "saferl/control/replay.h"

#include "saferl/base/data_path.h"
#include "saferl/base/file.h"
#include "saferl/base/json.h"
#include "saferl/base/text.h"
#include "saferl/cli/verbs.h"

namespace saferl::cli {
namespace {

using control::DecisionLogReader;

/// The robot, policy and settings that the log was made with.
StatusOr<control::TickModel> ModelOf(const control::DecisionLogInfo& info, const Args& args) {
  const std::string name = args.has("--robot") ? args.text("--robot") : info.robot;
  SAFERL_ASSIGN_OR_RETURN(const std::string file, FindNamed(name, "robots", ".yaml"));
  SAFERL_ASSIGN_OR_RETURN(const auto safety, safety::LoadSafetyModel(file));
  std::shared_ptr<const policy::Policy> policy;
  if (!info.policy_sha256.empty()) {
    if (!args.has("--policy")) {
      return absl::InvalidArgumentError(
          Cat("--policy: the log was made with the policy package of sha256 ", info.policy_sha256,
              "; give that file"));
    }
    SAFERL_ASSIGN_OR_RETURN(policy, policy::LoadPolicy(args.text("--policy")));
  }
  return control::ModelForLog(info, file, safety, policy);
}

StatusOr<ExitCode> RunReplay(const Args& args, Console& console) {
  const std::string& path = args.text("LOG");
  const control::McapReadOptions options{.accept_truncated = args.flag("--truncated")};
  SAFERL_ASSIGN_OR_RETURN(const auto reader, DecisionLogReader::Open(path, options));
  SAFERL_ASSIGN_OR_RETURN(const control::TickModel model, ModelOf(reader->info(), args));
  SAFERL_ASSIGN_OR_RETURN(const control::ReplayReport report,
                          control::Replay(path, model, options));
  if (args.has("--trace")) {
    SAFERL_ASSIGN_OR_RETURN(const control::HumanTrace person, control::PersonOf(path, options));
    SAFERL_RETURN_IF_ERROR(WriteFileAtomic(args.text("--trace"), person.Text()));
  }
  if (console.json()) {
    JsonWriter w;
    w.BeginObject().Field("ticks", report.ticks).Field("different", report.different);
    w.Field("identical", report.identical).Field("truncated", report.truncated);
    if (!report.identical)
      w.Field("first_difference", report.first_difference).Field("difference", report.difference);
    console.Out(w.EndObject().Take() + "\n");
  } else if (report.identical) {
    console.Out(Cat(path, ": ", report.ticks, " ticks of ", reader->info().robot,
                    ", every command bit the same",
                    report.truncated ? " (the log ends in mid-record)" : "", "\n"));
  } else {
    console.Out(Cat(path, ": ", report.different, " of ", report.ticks,
                    " ticks differ; the first is tick ", report.first_difference, ": ",
                    report.difference, "\n"));
  }
  return args.flag("--verify") && !report.identical ? ExitCode::kNo : ExitCode::kOk;
}

}  // namespace

Verb ReplayVerb() {
  return {.path = {"replay"},
          .summary = "run the ticks of a log again and compare every command bit for bit",
          .description = "With --verify a difference ends with exit code 1.",
          .args = {{.name = "LOG", .doc = "a decision log (.mcap)", .required = true},
                   {.name = "--verify",
                    .doc = "exit code 1 when any bit differs",
                    .kind = ArgKind::kFlag},
                   {.name = "--policy",
                    .doc = "the policy package that the log was made with",
                    .value_name = "FILE"},
                   {.name = "--robot",
                    .doc = "robot file, when it is not in data/robots",
                    .value_name = "ROBOT"},
                   {.name = "--trace",
                    .doc = "also write what the person asked for (CSV): saferl drive --trace, or "
                           "human: trace:FILE of saferl_rt",
                    .value_name = "FILE"},
                   {.name = "--truncated",
                    .doc = "accept a log that ends in mid-record",
                    .kind = ArgKind::kFlag}},
          .examples = {"saferl replay out/drive.mcap --policy out/wheelchair.policy --verify",
                       "saferl replay out/drive.mcap --trace out/person.csv"},
          .run = RunReplay};
}

}  // namespace saferl::cli
