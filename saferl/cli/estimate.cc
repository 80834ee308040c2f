#include "saferl/cli/estimate.h"

#include "saferl/base/table.h"

namespace saferl::cli {
namespace {

void WriteEstimate(const char* name, const learn::Estimate& e, JsonWriter* w) {
  w->Key(name)
      .BeginObject()
      .Field("mean", e.mean)
      .Field("low95", e.low)
      .Field("high95", e.high)
      .EndObject();
}

}  // namespace

void WriteEvaluation(const learn::Evaluation& evaluation, const learn::TaskSpec& task,
                     const std::vector<double>& limits, JsonWriter* w) {
  w->Field("episodes", evaluation.episodes);
  WriteEstimate("return", evaluation.episode_return, w);
  WriteEstimate("success", evaluation.success, w);
  w->Key("costs").BeginArray();
  for (size_t k = 0; k < limits.size(); ++k) {
    w->BeginObject().Field("name", task.cost_names[k]).Field("limit", limits[k]);
    WriteEstimate("measured", evaluation.cost[k], w);
    w->EndObject();
  }
  w->EndArray();
}

std::string EvaluationText(const learn::Evaluation& evaluation, const learn::TaskSpec& task,
                           const std::vector<double>& limits, bool colour) {
  Table table({"on unseen worlds", "mean", "95 % from", "to", "limit"});
  const auto row = [&](const std::string& name, const learn::Estimate& e, const std::string& limit,
                       Colour verdict) {
    table.Row(
        {name, {Significant(e.mean), verdict}, Significant(e.low), Significant(e.high), limit});
  };
  row("return", evaluation.episode_return, "", Colour::kNone);
  row("goals reached", evaluation.success, "", Colour::kNone);
  for (size_t k = 0; k < limits.size(); ++k) {
    row(task.cost_names[k], evaluation.cost[k], Significant(limits[k]),
        evaluation.cost[k].mean <= limits[k] ? Colour::kGood : Colour::kBad);
  }
  return table.Text(colour);
}

}  // namespace saferl::cli
