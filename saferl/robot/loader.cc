#include <algorithm>

#include "saferl/base/data_path.h"
#include "saferl/base/file.h"
#include "saferl/base/text.h"
#include "saferl/base/yaml.h"
#include "saferl/robot/robot_file.h"

namespace saferl::robot {
namespace {

/// Keys that ApplyCommonOverride takes, for the message about one that nothing took.
const std::vector<std::string> kOverrideKeys = {"period_s",
                                                "reaction_s",
                                                "state_age_s",
                                                "limits.command_lower",
                                                "limits.command_upper",
                                                "limits.command_rate",
                                                "limits.brake",
                                                "limits.q_lower",
                                                "limits.q_upper",
                                                "limits.qd_max",
                                                "limits.effort_max",
                                                "limits.power_max",
                                                "uncertainty.q_error",
                                                "uncertainty.qd_error",
                                                "uncertainty.tracking_error"};

}  // namespace

Status UnknownOverride(const Override& change) {
  const std::optional<std::string> nearest = Nearest(change.key, kOverrideKeys);
  return absl::InvalidArgumentError(Cat("override '", change.key, "': no such number; ",
                                        nearest ? Cat("did you mean '", *nearest, "'?")
                                                : "keys are listed in saferl/robot/robot_file.h"));
}

StatusOr<std::shared_ptr<const RobotModel>> ReadRobot(std::string_view text,
                                                      const std::string& name,
                                                      std::span<const Override> overrides) {
  SAFERL_ASSIGN_OR_RETURN(Node file, ParseYaml(text, name));
  if (!file.is_map()) return file.Error("expected a robot file; see docs/formats/robot_file.md");
  std::erase_if(file.mutable_entries(),
                [](const Node::Entry& entry) { return entry.key == "safety"; });
  SAFERL_ASSIGN_OR_RETURN(const Node* kind_node, file.Get("kind"));
  SAFERL_ASSIGN_OR_RETURN(const std::string kind, kind_node->AsString());
  if (kind == "wheelchair") return ReadWheelchair(file, overrides);
  if (kind == "arm") return ReadArm(file, overrides);
  if (kind == "exoskeleton") return ReadExoskeleton(file, overrides);
  const std::vector<std::string> kinds = {"wheelchair", "arm", "exoskeleton"};
  const std::optional<std::string> nearest = Nearest(kind, kinds);
  return kind_node->Error(
      Cat("kind: '", kind, "' is not a kind of robot; ",
          nearest ? Cat("did you mean '", *nearest, "'?") : "give wheelchair, arm or exoskeleton"));
}

StatusOr<std::shared_ptr<const RobotModel>> LoadRobot(const std::string& name_or_path,
                                                      std::span<const Override> overrides) {
  SAFERL_ASSIGN_OR_RETURN(const std::string path, FindNamed(name_or_path, "robots", ".yaml"));
  SAFERL_ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  return ReadRobot(text, path, overrides);
}

}  // namespace saferl::robot
