#include "saferl/robot/brake_path.h"

namespace saferl::robot {

double InFlight(double reaction_s, double period_s) {
  return std::ceil(reaction_s / period_s - 1e-9);
}

Deviation BoundDeviation(double gap, double excess, double step, double slew, double reaction_s,
                         double period_s) {
  gap = std::abs(gap);
  const double in_flight = InFlight(reaction_s, period_s);
  const double in_flight_s =
      in_flight * reaction_s - 0.5 * in_flight * (in_flight - 1.0) * period_s;
  const double settle_s = gap > 0 ? std::max(period_s, gap / slew) : 0.0;
  const double excess_s = excess > 0 ? reaction_s + std::max(period_s, excess / slew) : 0.0;
  Deviation d;
  d.integral = gap * (reaction_s + settle_s) + step * in_flight_s + excess * excess_s;
  d.rate = gap + step * in_flight + excess;
  d.lasts_s = std::max(reaction_s + settle_s, excess_s);
  return d;
}

}  // namespace saferl::robot
