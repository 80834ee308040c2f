#pragma once
// The tasks by name. One file each: speed_track.h (known optimum, for tests), wheelchair_task.h.
//
// Errors: kInvalidArgument for an unknown name (all names listed) or unreadable robot data. RT: no.

#include <memory>
#include <string>
#include <vector>

#include "saferl/base/status.h"
#include "saferl/learn/env.h"

namespace saferl::learn {

std::vector<std::string> TaskNames();
StatusOr<std::unique_ptr<Task>> MakeTask(const std::string& name, int n_envs, TaskUse use);

}  // namespace saferl::learn
