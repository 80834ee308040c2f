#include "saferl/control/replay.h"

#include <cmath>
#include <cstring>

#include "saferl/base/file.h"
#include "saferl/base/hash.h"
#include "saferl/base/text.h"
#include "saferl/control/tick_data.h"
#include "saferl/control/tick_settings.h"

namespace saferl::control {

namespace {

Status CheckModel(const DecisionLogInfo& info, const TickModel& model) {
  const robot::RobotModel& robot = *model.safety->robot;
  if (info.robot != robot.name())
    return absl::FailedPreconditionError(Cat("the log was made with robot '", info.robot,
                                             "', not '", robot.name(), "'; load that robot"));
  const std::string policy = model.policy == nullptr ? "" : model.policy->sha256();
  if (info.policy_sha256 != policy)
    return absl::FailedPreconditionError(Cat("the log was made with policy '", info.policy_sha256,
                                             "', not '", policy,
                                             "'; load that package (empty: none)"));
  const auto settings = TickSettings(model);
  for (const auto& [key, value] : info.settings) {
    const auto found = settings.find(key);
    if (found == settings.end() || found->second != value)
      return absl::FailedPreconditionError(Cat("the log was made with ", key, " = ", value,
                                               ", not ",
                                               found == settings.end() ? "(absent)" : found->second,
                                               "; take the settings from the log"));
  }
  return absl::OkStatus();
}

bool Note(std::string* what, std::string_view text) {
  if (what != nullptr) *what = text;
  return false;
}

}  // namespace

bool SameCommand(const safety::Command& a, const safety::Command& b, std::string* what) {
  if (a.issued_ns != b.issued_ns) return Note(what, "issued_ns");
  if (a.valid_for_ns != b.valid_for_ns) return Note(what, "valid_for_ns");
  if (a.sequence != b.sequence) return Note(what, "sequence");
  if (a.mode != b.mode)
    return Note(what, Cat("mode: ", std::string(safety::Name(a.mode)), " and ",
                          std::string(safety::Name(b.mode))));
  if (a.reason != b.reason)
    return Note(what, Cat("reason: ", std::string(safety::Name(a.reason)), " and ",
                          std::string(safety::Name(b.reason))));
  for (size_t i = 0; i < a.u.size(); ++i)
    if (std::memcmp(&a.u[i], &b.u[i], sizeof(double)) != 0)
      return Note(what, Cat("u[", i, "]: ", a.u[i], " and ", b.u[i]));
  return true;
}

StatusOr<ReplayReport> Replay(const std::string& path, const TickModel& model,
                              const McapReadOptions& options) {
  SAFERL_ASSIGN_OR_RETURN(const std::unique_ptr<DecisionLogReader> log,
                          DecisionLogReader::Open(path, options));
  if (Status status = CheckModel(log->info(), model); !status.ok())
    return Status(status.code(), Cat(path, ": ", status.message()));
  TickModel untimed = model;
  untimed.time_stages = false;
  const auto data = Prepare(untimed);
  const auto recorded = std::make_unique<Decision>(), again = std::make_unique<Decision>();
  ReplayReport report;
  for (;;) {
    SAFERL_ASSIGN_OR_RETURN(const bool found, log->Next(recorded.get()));
    if (!found) break;
    if (recorded->policy_id != data->policy_id)
      return absl::FailedPreconditionError(
          Cat(path, ": tick ", recorded->input.sequence,
              ": the policy was exchanged here; replay the logs before and after it"));
    Tick(untimed, recorded->input, data.get(), again.get());
    ++report.ticks;
    std::string what;
    if (SameCommand(recorded->command, again->command, &what)) continue;
    if (report.different++ > 0) continue;
    report.first_difference = recorded->input.sequence;
    report.difference = what;
  }
  report.identical = report.different == 0;
  report.truncated = log->truncated();
  return report;
}

StatusOr<HumanTrace> PersonOf(const std::string& path, const McapReadOptions& options) {
  SAFERL_ASSIGN_OR_RETURN(const std::unique_ptr<DecisionLogReader> log,
                          DecisionLogReader::Open(path, options));
  HumanTrace trace(log->info().n);
  const auto decision = std::make_unique<Decision>();
  int64_t first_ns = 0, last_ns = -1;
  for (bool any = false;; any = true) {
    SAFERL_ASSIGN_OR_RETURN(const bool found, log->Next(decision.get()));
    if (!found && !any)
      return absl::InvalidArgumentError(Cat(path, ": no tick in it; record a longer log"));
    if (!found) return trace;
    const TickInput& input = decision->input;
    if (!any) first_ns = input.now_ns;
    const int64_t time_ns = input.now_ns - first_ns;
    for (int i = 0; i < log->info().n; ++i)
      if (!std::isfinite(input.human.u[i]))
        return absl::InvalidArgumentError(Cat(path, ": tick ", input.sequence,
                                              ": the person's command is no number; a trace ",
                                              "cannot hold it"));
    if (time_ns <= last_ns)
      return absl::InvalidArgumentError(
          Cat(path, ": tick ", input.sequence, ": time does not grow; a trace cannot hold it"));
    last_ns = time_ns;
    trace.Add(time_ns, input.human);
  }
}

StatusOr<TickModel> ModelForLog(const DecisionLogInfo& info, const std::string& robot_file,
                                std::shared_ptr<const safety::SafetyModel> safety,
                                std::shared_ptr<const policy::Policy> policy) {
  SAFERL_ASSIGN_OR_RETURN(const std::string bytes, ReadFile(robot_file));
  if (Sha256Hex(bytes) != info.robot_sha256)
    return absl::FailedPreconditionError(Cat(robot_file,
                                             ": not the robot file that made the log (SHA-256 ",
                                             info.robot_sha256, "); give that file"));
  SAFERL_ASSIGN_OR_RETURN(TickModel model, MakeTickModel(std::move(safety), std::move(policy)));
  SAFERL_RETURN_IF_ERROR(ApplyTickSettings(info.settings, &model));
  SAFERL_RETURN_IF_ERROR(Validate(model));
  return model;
}

}  // namespace saferl::control
