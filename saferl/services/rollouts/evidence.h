#pragma once
// Evidence: what robots did while a rollout ran, by arm. The controller judges nothing else.
//
// The canary arm is what the new version moved (in the shadow phase: what it would have done), the
// stable arm everything else at the same time. Read() must answer the same for the same past: the
// controller keeps no statistics of its own, so that a new one decides as the one before would.
// Times: the registry's clock (ns since 1970). Errors: any; the rollout then holds. RT: no.

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "saferl/base/status.h"
#include "saferl/registry/rollouts_store.h"

namespace saferl::services {

enum class BadKind : uint8_t {
  kHard,          ///< a hard constraint was violated: one on the canary ends the rollout
  kViolation,     ///< a soft one
  kIntervention,  ///< a person or the filter took over from the policy
  kDeadline,      ///< a command came late
  kRefusal,       ///< the person steered against the policy
  kCount,
};

inline constexpr size_t kBadKinds = static_cast<size_t>(BadKind::kCount);
/// Names of the counts, in reports and errors.
inline constexpr std::array<const char*, kBadKinds> kBadNames = {
    "hard", "violations", "interventions", "deadlines", "refusals"};
using BadCounts = std::array<int64_t, kBadKinds>;  ///< by kind

/// A stretch of time in which the canary's part of the robots counts as one number.
struct EvidenceSlice {
  double canary_share = 0;  ///< of the robots exposed in it
  BadCounts canary{}, stable{};
};

struct ArmEvidence {
  std::vector<EvidenceSlice> slices;     ///< by time
  double canary_h = 0, stable_h = 0;     ///< robot hours
  int64_t canary_ns = 0, stable_ns = 0;  ///< newest data of each arm; 0: none
};

class Evidence {
 public:
  virtual ~Evidence() = default;
  /// From `since_ns` on, up to now. `since_ns`: when the rollout's state changed.
  virtual StatusOr<ArmEvidence> Read(const registry::Rollout& rollout, int64_t since_ns) = 0;
  /// Drops what no judgement needs any more.
  virtual Status Tidy() { return absl::OkStatus(); }
};

}  // namespace saferl::services
