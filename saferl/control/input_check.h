#pragma once
// What is wrong with this tick's inputs: ages, stamps, counts, finiteness, frozen values, and
// lateness of the tick itself.
//
// The first stage of every Tick. It trusts nothing that came from outside the process; whatever
// passes is safe to index and to compute with. The physical assumptions (people's speed, tracking,
// braking) are safety/assumptions.h's.
//   stamp in the future, or older than the last one     kClockFuture, kClockBackward
//   older than its limit                                k{State,People,Lidar,Human}Stale
//   NaN, infinite, outside anything possible            k{State,People,Lidar,Human}Invalid
//   new stamp with the old sequence number, or values
//   that stand still while the robot moves              kSensorFrozen
//   more than a period late                             kTickLate
//   half a period late twice within slip_window_ns      kTickSlips
// Sensors that must speak: robot state always; people for wheelchair and arm; lidar for the
// wheelchair.
// Units: SI, ns. RT: yes. Errors: none. Cost: 0.1 us, 0.3 us with 360 beams.

#include <array>
#include <cstdint>

#include "saferl/control/proposal.h"
#include "saferl/robot/robot_model.h"
#include "saferl/safety/latch.h"

namespace saferl::control {

/// Ages and windows after which an input no longer counts. `off` is not available for any of them.
struct TickLimits {
  int64_t max_state_age_ns = 0, max_people_age_ns = 0, max_lidar_age_ns = 0;
  int64_t max_human_age_ns = 0, max_policy_age_ns = 0;
  int64_t slip_window_ns = 0;
  double degraded_speed = 0.5;  ///< share of the command limits in Degraded
};

/// What the checks remember. Zero = first tick.
struct InputCheckData {
  bool started = false;
  int64_t now_ns = 0;
  uint64_t observation_sequence = 0;
  int64_t observation_stamp_ns = 0, state_stamp_ns = 0, people_stamp_ns = 0, lidar_stamp_ns = 0;
  int64_t human_stamp_ns = 0, policy_stamp_ns = 0;
  bool external_policy_seen = false;
  int64_t last_slip_ns = 0;
  bool slipped = false;    ///< last_slip_ns is meaningful
  robot::Joints q{};       ///< last measured configuration
  robot::Joints travel{};  ///< movement that the rates announced since q last changed
  int32_t n_lidar = 0;
  int32_t same_sweeps = 0;  ///< new sweeps in a row that repeated every beam while moving
  std::array<float, robot::kMaxLidar> lidar_m{};
};

struct InputCheckResult {
  safety::ReasonSet reasons;
  bool observation_usable =
      false;                  ///< finite and in range: may be computed with (it may still be stale)
  bool human_usable = false;  ///< finite and fresh
  bool policy_usable = false;  ///< an external proposal is there, finite and fresh
};

/// One tick's checks. `lidar`, `people`, `human` and `policy` ages are judged at `now_ns`.
InputCheckResult CheckInputs(const robot::RobotModel& robot, const TickLimits& limits,
                             int64_t now_ns, const robot::Observation& observation,
                             const HumanInput& human, const ExternalProposal& policy,
                             InputCheckData* data);

/// Finite, and no component beyond ten times its command limit.
bool PossibleCommand(const robot::RobotModel& robot, const robot::Joints& u);

/// Entries of RobotState::q that mean something: 3 for a wheelchair, n otherwise.
int PoseSize(const robot::RobotModel& robot);

}  // namespace saferl::control
