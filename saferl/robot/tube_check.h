#pragma once
// Hunts for a true robot that leaves its prediction: random robots with every freedom that the
// model states, simulated finely, against the tubes of Predict(). The tests and `saferl robot
// check` run it; a model whose bounds are too small (a wrong number, a missing term) is caught with
// a probability that grows with the cases.
//
// The truth of the path robots (wheelchair, arm): commands issued every period (older ones first,
// the command under test at 0, then rated braking), each acting after a delay of its own within the
// reaction time, in order; a driving command is reached along any course within a period, braking
// is at least rated; the measured state is up to state_age old and off by its errors; rates stray
// by the tracking error while the robot drives; the receiver may brake by itself, harder. The truth
// of the exoskeleton: rigid-body legs, a wearer who pushes anyhow within bounds, Brake() in closed
// loop on late and noisy measurements.
//
// RT: no. Cost: 10 to 100 us a case.

#include <cstdint>

#include "saferl/robot/arm.h"
#include "saferl/robot/exoskeleton.h"
#include "saferl/robot/wheelchair.h"

namespace saferl::robot {

struct TubeHunt {
  int cases = 0;         ///< that were simulated (exoskeleton: that the prediction certified)
  int escapes = 0;       ///< cases that left the tubes, in space or in time
  int out_of_range = 0;  ///< exoskeleton: a joint passed its range while braking
  int too_fast = 0;      ///< exoskeleton: faster than the rest speed after the stop
  int too_weak = 0;      ///< exoskeleton: braking hit the torque limit
  double worst = -1e9;   ///< largest escape [m, rad, scaled]; <= 0 is inside

  bool clean() const { return escapes + out_of_range + too_fast + too_weak == 0; }
};

struct TubeHuntOptions {
  int cases = 1000;
  uint64_t seed = 1;
  double step_s = 0;  ///< of the simulation; 0 = a quarter of the period, at most 2 ms
  bool stop_at_first = false;
  int check_every = 1;  ///< wheelchair, arm: compare at every k-th step of the simulation only
};

/// `model` predicts; `truth` says what real robots may do (usually model.config()).
TubeHunt HuntTubes(const Wheelchair& model, const WheelchairConfig& truth,
                   const TubeHuntOptions& options);
TubeHunt HuntTubes(const Arm& model, const ArmConfig& truth, const TubeHuntOptions& options);
TubeHunt HuntTubes(const Exoskeleton& model, const ExoskeletonConfig& truth,
                   const TubeHuntOptions& options);
/// The model against its own statement.
TubeHunt HuntTubes(const RobotModel& model, const TubeHuntOptions& options);

}  // namespace saferl::robot
