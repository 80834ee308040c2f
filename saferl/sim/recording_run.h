#pragma once
// RecordingRun: a robot drives among recorded people twice.
//   above      v_h set above the fastest recorded person: the assumptions hold, so that nothing may
//   be violated standard   v_h as in the robot's file (1.6 and 2.0 m/s, ISO 13855): real people are
//   faster at times; every breach
//              that can be measured must be answered by a protective stop within one tick
// Productivity of both: how far the robot came per minute.
//
// Units: SI. Errors: an unreadable robot or recording. RT: no.

#include <memory>
#include <string>

#include "saferl/base/status.h"
#include "saferl/sim/drive.h"

namespace saferl::sim {

struct RecordingReport {
  double max_speed_m_s = 0, max_reach_m_s = 0;  ///< recorded
  double above_body_m_s = 0;                    ///< v_h of the first run
  DriveResult above, standard;
  double above_m_per_min = 0, standard_m_per_min = 0;
};

/// `robot`: "wheelchair" (tracks) or "arm7" (skeleton), or a robot file.
StatusOr<RecordingReport> RecordingRun(const std::string& robot,
                                       std::shared_ptr<const Recording> recording, uint64_t seed,
                                       double duration_s);

}  // namespace saferl::sim
