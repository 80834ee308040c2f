#pragma once
// EvidenceStore: evidence as rows, so that a controller that was restarted judges the same past.
//
// Report() adds what one robot did since its last report: how long, on which arm, how many bad
// events of each kind. Reporting the same robot and time twice is kept once. The canary's share of
// an event is its part of the time that was reported in the same 10 s.
// Errors: kInvalidArgument names the field; the database's. RT: no.

#include <array>
#include <memory>
#include <string>

#include "saferl/services/rollouts/evidence.h"

namespace saferl::services {

struct RobotReport {
  std::string rollout, robot;
  int64_t at_ns = 0;  ///< the end of what is reported, registry's clock
  bool on_canary = false;
  double seconds = 0;
  std::array<int64_t, static_cast<size_t>(BadKind::kCount)> bad{};  ///< by kind
};

class EvidenceStore : public Evidence {
 public:
  static StatusOr<std::unique_ptr<EvidenceStore>> Open(storage::Database* database);
  Status Report(const RobotReport& report);
  StatusOr<ArmEvidence> Read(const registry::Rollout& rollout, int64_t since_ns) override;

 private:
  explicit EvidenceStore(storage::Database* database) : database_(database) {}
  storage::Database* database_;
};

}  // namespace saferl::services
