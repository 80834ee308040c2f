#include "saferl/learn/tasks/tasks.h"

#include "saferl/base/text.h"
#include "saferl/learn/tasks/speed_track.h"
#include "saferl/learn/tasks/wheelchair_task.h"

namespace saferl::learn {

std::vector<std::string> TaskNames() { return {"wheelchair", "speed_track"}; }

StatusOr<std::unique_ptr<Task>> MakeTask(const std::string& name, int n_envs, TaskUse use) {
  if (name == "wheelchair") return MakeWheelchairTask(n_envs, use);
  if (name == "speed_track") return std::make_unique<SpeedTrack>(n_envs);
  std::string known;
  for (const std::string& task : TaskNames()) known += Cat(known.empty() ? "" : ", ", task);
  return absl::InvalidArgumentError(Cat("task: '", name, "' is not known; give one of: ", known));
}

}  // namespace saferl::learn
