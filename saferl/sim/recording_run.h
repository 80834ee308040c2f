#pragma once
// RecordingRun: a robot drives among recorded people, and code that the Tick does not use judges
// it.
//
//   above     v_h a little above the fastest recorded point: the assumptions hold, nothing may be
//             violated
//   standard  v_h as in the robot's file (1.6 and 2.0 m/s, ISO 13855): real people are faster at
//             times; every breach that measurements can show (breach.h) must be answered by a
//             protective stop in the same tick or the next
//   nobody    the same drive alone, to compare the productivity
//
// Violation: the moving robot touches a person where nobody may be touched, or a hand or an arm
// faster than the contact limit, by the certifier's geometry on the true world; a wall is hit; or
// the robot moves without a proof. A robot at rest may be touched.
//
// Units: SI. Errors: an unreadable robot or recording; a kind of recording that the robot has no
// use for; a folder without any. RT: no. Deterministic for a seed, whatever the number of threads.

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "saferl/base/status.h"
#include "saferl/sim/breach.h"
#include "saferl/sim/drive.h"

namespace saferl::sim {

struct RecordingOptions {
  std::string robot = "arm7";  ///< an arm (skeletons) or a wheelchair (tracks); name or file
  uint64_t seed = 1;
  std::optional<double> duration_s;  ///< of each drive; none: once through, at least a minute
  int threads = 1;
};

/// One drive among recorded people.
struct RecordingDrive {
  double body_speed_m_s = 0, reach_speed_m_s = 0;  ///< v_h
  int64_t touched_instants = 0;  ///< true contacts of the moving robot that nobody allowed
  int64_t unproved_ticks = 0;    ///< moving without a proof
  Hit hit = Hit::kNothing;       ///< what the setting saw; ends the drive
  double nearest_m = 0;          ///< to a person, while the robot moved; +inf: it never did
  BreachCount breach;
  double m_per_min = 0;  ///< wheelchair: of its origin; arm: of its tool
  int64_t Violations() const { return touched_instants + unproved_ticks + (hit != Hit::kNothing); }
};

struct RecordingReport {
  std::string name;                            ///< the file's, without folder and ending
  double body_max_m_s = 0, reach_max_m_s = 0;  ///< fastest point of the tracked parts
  double too_fast_share = 0;                   ///< of the time: somebody above the standard
  double duration_s = 0;
  RecordingDrive above, standard;
  double nobody_m_per_min = 0;
  bool Passed() const {
    return above.Violations() == 0 && standard.Violations() == 0 && above.breach.breaches == 0 &&
           standard.breach.answered == standard.breach.breaches;
  }
};

StatusOr<RecordingReport> RecordingRun(const RecordingOptions& options,
                                       const std::shared_ptr<const Recording>& recording);

/// The recordings in `folder` of the kind that the robot meets: skeletons for an arm, tracks for a
/// wheelchair. Empty folder name: $SAFERL_PEOPLE, and where that is not set, the project's own.
StatusOr<std::vector<std::shared_ptr<const Recording>>> RecordingsFor(const std::string& robot,
                                                                      const std::string& folder);

/// All of them, in their order. `progress` is called with the number done, one call at a time.
StatusOr<std::vector<RecordingReport>> RecordingRuns(
    const RecordingOptions& options,
    const std::vector<std::shared_ptr<const Recording>>& recordings,
    const std::function<void(int)>& progress = {});

}  // namespace saferl::sim
