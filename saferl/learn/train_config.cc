#include "saferl/learn/train_config.h"

#include "saferl/base/config_print.h"
#include "saferl/base/text.h"
#include "saferl/base/yaml.h"

namespace saferl::learn {

Status TrainConfig::Check() const {
  if (algorithm != AlgorithmId::kPpo && !penalty.empty())
    return absl::InvalidArgumentError(
        "penalty: only plain ppo takes fixed prices; remove it or choose algorithm: ppo");
  if (evaluation_every > iterations)
    return absl::InvalidArgumentError(Cat("evaluation_every: ", evaluation_every,
                                          " is more than iterations = ", iterations,
                                          "; give at most that many"));
  return absl::OkStatus();
}

StatusOr<TrainConfig> ReadTrainConfig(const std::string& text, const std::string& file) {
  SAFERL_ASSIGN_OR_RETURN(const Node node, ParseYaml(text, file));
  return config::Read<TrainConfig>(node);
}

std::string PrintTrainConfig(const TrainConfig& config) { return config::Print(config); }

}  // namespace saferl::learn
