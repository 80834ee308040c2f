#pragma once
// Rows for torque-commanded robots: bounds on a joint's rate become bounds on torques.
//
//   qdd = M^-1 (u - bias),   rate after `time_s`: qd_i + qdd_i time_s <= allowed
// Units: SI. RT: yes.

#include "saferl/robot/exoskeleton.h"
#include "saferl/safety/constraints/rows.h"

namespace saferl::safety {

/// Adds one row for each direction of joint `i`: rate within [-down, up] after `time_s`.
inline void AddRateRows(const Situation& s, int i, double up, double down, double time_s,
                        ConstraintId id, RowSet* rows) {
  const auto& exo = static_cast<const robot::Exoskeleton&>(*s.robot);
  const robot::RobotState& state = s.observation->robot;
  const robot::LegDynamics leg = exo.Dynamics(i / 2, state.q, state.qd);
  const int hip = i / 2 * 2;
  robot::Joints row{};
  double drift = 0;
  for (int k = 0; k < 2; ++k) {
    row[hip + k] = leg.inverse[i % 2][k];
    drift += leg.inverse[i % 2][k] * leg.bias[k];
  }
  rows->Add(row, drift + (up - state.qd[i]) / time_s, id);
  for (double& a : row) a = -a;
  rows->Add(row, (down + state.qd[i]) / time_s - drift, id);
}

/// How long rows look ahead on a torque robot: a few ticks, so that the limit is met gently [s].
inline double TorqueRowTime_s(const robot::RobotModel& robot) { return 5 * RowHold_s(robot); }

}  // namespace saferl::safety
