#pragma once
// How train and evaluate print an evaluation: means with 95 % intervals beside the limits. RT: no.

#include <string>
#include <vector>

#include "saferl/base/json.h"
#include "saferl/learn/env.h"
#include "saferl/learn/evaluate.h"

namespace saferl::cli {

/// "episodes", "return", "success", "costs": [...] into an open object.
void WriteEvaluation(const learn::Evaluation& evaluation, const learn::TaskSpec& task,
                     const std::vector<double>& limits, JsonWriter* w);
std::string EvaluationText(const learn::Evaluation& evaluation, const learn::TaskSpec& task,
                           const std::vector<double>& limits, bool colour);

}  // namespace saferl::cli
