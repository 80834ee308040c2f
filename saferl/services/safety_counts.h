#pragma once
// SafetyCounts: what robots did and were kept from, as metrics by arm of a rollout
// (saferl_safety_violations_total and its family). Fed with every decision: by sessions, by their
// shadows, and by the safety monitor for the robot that it watches.
//
//   exposure       robot time between two decisions at most a second apart
//   shield         ticks in which the filter changed the command, by the constraint that the
//   command
//                  is left nearest to
//   stops          the person's button, each time it goes down
//   violations     each time it begins: critical where a joint limit, a torque or an overlap is
//                  measured as broken ("measured") or the gate refused a command ("gate"), warning
//                  where the robot does not follow its commands or brake as rated ("tracking")
// RT: Count yes; constructing no. Errors: none. Safe from any thread; a Memory belongs to one
// stream of decisions.

#include <array>
#include <cstdint>

#include "saferl/control/tick.h"
#include "saferl/safety/constraint.h"
#include "saferl/telemetry/catalogue.h"

namespace saferl::services {

class SafetyCounts {
 public:
  /// Behind the constraints of the filter.
  static constexpr size_t kMeasured = safety::kNumConstraints, kGate = kMeasured + 1,
                          kTracking = kGate + 1, kConstraints = kTracking + 1;

  /// Between two decisions of one robot.
  struct Memory {
    int64_t now_ns = 0;  ///< the robot's clock; 0: nothing came before
    bool stop = false;
    std::array<bool, kConstraints> broken{};
  };

  explicit SafetyCounts(telemetry::Metrics* metrics);
  void Count(const control::Decision& decision, telemetry::Arm arm, Memory* memory);

 private:
  telemetry::SafetyMetrics metrics_;
};

}  // namespace saferl::services
