#include "saferl/policy/policy.h"

#include <fmt/format.h>

#include <cmath>
#include <cstdlib>

#include "saferl/base/hash.h"
#include "saferl/policy/kernel.h"
#include "saferl/policy/package.h"

namespace saferl::policy {
namespace {

constexpr double kGoldenTolerance = 1e-4;  ///< relative to max(1, |golden action|)

Status CheckGolden(const Policy& policy) {
  const PolicySpec& spec = policy.spec();
  std::vector<float> action(static_cast<size_t>(spec.n_act()));
  for (size_t g = 0; g < spec.golden_observations.size(); ++g) {
    if (!policy.Forward(spec.golden_observations[g], action)) {
      return absl::InvalidArgumentError(
          fmt::format("golden[{}]: the network's output is not finite; weights or normaliser are "
                      "out of range: train again",
                      g));
    }
    for (size_t i = 0; i < action.size(); ++i) {
      const double want = spec.golden_actions[g][i];
      if (std::abs(action[i] - want) > kGoldenTolerance * std::max(1.0, std::abs(want))) {
        return absl::InvalidArgumentError(
            fmt::format("golden[{}].action[{}]: the network gives {} where the golden vector says "
                        "{}; weights and golden vectors "
                        "do not belong together: make the package again",
                        g, i, action[i], want));
      }
    }
  }
  return absl::OkStatus();
}

}  // namespace

StatusOr<std::shared_ptr<const Policy>> PolicyAccess::CreateWithKernel(PolicySpec spec,
                                                                       Kernel kernel) {
  SAFERL_RETURN_IF_ERROR(spec.Validate());
  if (!CanRun(kernel)) {
    return absl::FailedPreconditionError(
        fmt::format("kernel: this processor has no {}; use the portable kernel", Name(kernel)));
  }
  std::shared_ptr<Policy> policy(new Policy);
  policy->packed_ = PackNetwork(spec, kernel);
  policy->spec_ = std::move(spec);
  SAFERL_RETURN_IF_ERROR(CheckGolden(*policy));
  SAFERL_ASSIGN_OR_RETURN(const std::string bytes, EncodePackage(policy->spec_));
  policy->sha256_ = Sha256Hex(bytes);
  return policy;
}

Kernel PolicyAccess::kernel(const Policy& policy) { return policy.packed_->kernel; }

StatusOr<std::shared_ptr<const Policy>> Policy::Create(PolicySpec spec) {
  return PolicyAccess::CreateWithKernel(std::move(spec), BestKernel());
}

bool Policy::Forward(std::span<const float> observation, std::span<float> action) const {
  const PackedNetwork& net = *packed_;
  if (observation.size() != static_cast<size_t>(net.n_obs) ||
      action.size() != static_cast<size_t>(net.n_act)) {
    return false;
  }
  return net.run(net, observation.data(), action.data());
}

}  // namespace saferl::policy
