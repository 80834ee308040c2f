#pragma once
// Braking along a path: how far, how long, and when the robot can be where. Shared by the robots
// whose braking keeps the path (wheelchair: arc; arm: straight joint path).
//
// The path is q(sigma) = q0 + u * sigma for a command u [unit / s]; sigma [s] is the time it would
// take at full command. The true robot moves with rate lambda(t) u + delta(t): lambda in [0, 1] is
// the share of the command that still acts, delta the deviation (bounded elsewhere). Let rho [1/s]
// be the share that rated braking takes away each second. What the robot may do (the family that
// every bound below covers):
//   (a) lambda never grows, and lambda(t) <= 1 - rho (t - hold): rated braking acts at `hold` at
//   the latest; (b) once lambda < 1, rest follows within lambda(t) / rho + wait, wait = hold +
//   period: brake commands of the
//       stored plan come every period, each acting within the reaction time; a receiver that brakes
//       by itself does so at the rated deceleration or harder, without pause.
// Then, with sigma(t) the integral of lambda:
//   length    sigma(t) <= hold + 1/(2 rho)                                        [area under (a)]
//   earliest  sigma is reached no sooner than by (a) with equality
//   share     lambda at sigma <= sqrt(1 - 2 rho (sigma - hold)): any member is at sigma no sooner
//   than the one in
//             (a), and the bound in (a) falls with time
//   latest    a robot that still moves at sigma does so at t <= wait + sigma + D - rho D^2 / 2,
//             D = min(1/rho, sqrt(2 sigma / rho)). Proof: let braking begin at s <= sigma. (b) at
//             every t' in (s, t) gives lambda(t') >= rho (t - t' - wait), so sigma >= s + rho D^2 /
//             2 with D = t - s - wait <= 1/rho; maximise t = s + wait + D.
// A measured state up to `age` old: the path starts somewhere in [-age, 0]. Counted from -age, all
// of it holds with `age` added to hold and to reaction (the path started as early as it can) and to
// wait (it started at 0).
//
// RT: yes. Cost: a few square roots.
// Source: DESIGN section 6 (braking keeps the path); derivation above.

#include <algorithm>
#include <cmath>

namespace saferl::robot {

struct BrakePath {
  double hold_s = 0;  ///< until rated braking surely acts
  double rho =
      0;  ///< share of the command lost per second of rated braking [1/s]; +inf = no motion
  double wait_s = 0;  ///< see (b)

  double length() const { return hold_s + 0.5 / rho; }
  double stop_time() const { return hold_s + 1.0 / rho; }
  double share(double sigma) const {
    return sigma <= hold_s ? 1.0 : std::sqrt(std::max(0.0, 1.0 - 2.0 * rho * (sigma - hold_s)));
  }
  double earliest(double sigma) const {
    return sigma <= hold_s ? sigma : hold_s + (1.0 - share(sigma)) / rho;
  }
  double latest(double sigma) const {
    const double d = std::min(1.0 / rho, std::sqrt(2.0 * sigma / rho));
    return std::min(stop_time(), wait_s + sigma + d - 0.5 * rho * d * d);
  }
};

/// What an unknown acting moment of the new command does to the integral of one rate.
struct Deviation {
  double integral = 0;  ///< |integral of (true - lambda u)| without tracking error [unit]
  double rate = 0;      ///< |true - u| while it lasts [unit / s]
  double lasts_s = 0;   ///< from the state's stamp
};

/// How many commands before `previous` can still shape the motion.
double InFlight(double reaction_s, double period_s);

/// Bounds, per component, how far the robot strays from "u acts from the start".
///   gap = previous - u acts for up to `reaction`, then slews away within max(period, |gap| /
///   slew); older commands still in flight differ from `previous` by up to j `step`: the j-th
///   before it acts until reaction - j period at the latest and then slews away within a period, so
///   together they add step * sum_(j >= 1) (reaction - (j - 1) period)+; `excess` is by how much
///   the measured rate lies outside all that (0 while the assumptions hold): it is taken as real
///   and braked away at `slew`.
Deviation BoundDeviation(double gap, double excess, double step, double slew, double reaction_s,
                         double period_s);

}  // namespace saferl::robot
