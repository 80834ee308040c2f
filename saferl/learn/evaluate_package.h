#pragma once
// Evaluation of a policy that comes as a package: the same episodes and the same numbers as
// Trainer::Test gives for it.
//
// RT: no. Errors: kInvalidArgument when the package was not made for the task (sizes, scale), or is
// no chain of tanh layers with a squashed output, which is what training's forward pass computes.

#include <string>

#include "saferl/learn/env.h"
#include "saferl/learn/evaluate.h"
#include "saferl/policy/policy.h"

namespace saferl::learn {

/// The task that the package's training record names; an error when it names none.
StatusOr<std::string> TaskOfPackage(const policy::PolicySpec& spec);

/// Sizes and scales of the package are the task's, squashed; else what differs.
Status FitsTask(const policy::PolicySpec& spec, const TaskSpec& task);

/// Plays `episodes` episodes of `task` (worlds by `use`) with the package's mean action.
/// `task_spec` gets the names and limits of the task's costs.
StatusOr<Evaluation> EvaluatePackage(const policy::PolicySpec& spec, const std::string& task,
                                     TaskUse use, int episodes, uint64_t seed, int threads,
                                     TaskSpec* task_spec);

}  // namespace saferl::learn
