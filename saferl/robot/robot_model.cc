#include "saferl/robot/robot_model.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace saferl::robot {

double RobotModel::SweepClearance(const Manoeuvre& m, std::span<const math::Capsule> obstacles,
                                  std::span<const double> grown_m, double enough_m) const {
  constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
  constexpr size_t kBunch = 32;
  if (m.n < 1) return kNan;
  double worst = enough_m;
  std::array<math::Capsule, kBunch> bunch;
  for (size_t first = 0; first < obstacles.size(); first += kBunch) {
    const size_t n = std::min(kBunch, obstacles.size() - first);
    for (size_t i = 0; i < n; ++i) {
      bunch[i] = obstacles[first + i];
      if (!grown_m.empty()) bunch[i].radius += grown_m[first + i];
    }
    for (int k = 0; k < m.n; ++k) {
      const ManoeuvreSample& s = m.sample[k];
      const double distance = Clearance(s.placement, {bunch.data(), n}, s.reach_m, worst);
      if (!(distance >= worst)) worst = distance;
      if (std::isnan(worst)) return kNan;
    }
  }
  return worst;
}

}  // namespace saferl::robot
