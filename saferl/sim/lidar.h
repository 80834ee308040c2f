#pragma once
// A planar lidar by exact ray casting: the nearest side of a box or of a person along each beam.
//
// Each side claims the few beams inside its bearing interval and is intersected with those alone,
// so the cost grows with what is visible, not with beams x sides. Sides that face away are dropped.
// Shapes: n ranges, beam i points at -pi + 2 pi i / n in the body frame (robot::Observation's
// convention). Units: metres; +inf = nothing within max_range. Errors: none. RT: no allocation.
// Cost: 72 beams about 1 us, 360 about 3 us in a furnished scene (sim_bench).

#include <span>
#include <vector>

#include "saferl/sim/plane.h"
#include "saferl/sim/scene.h"

namespace saferl::sim {

class Lidar {
 public:
  Lidar(int beams, double max_range_m);

  int beams() const { return beams_; }
  double max_range_m() const { return max_range_m_; }
  /// Ranges from `sensor` (the origin of the lidar and the body's heading). ranges.size() ==
  /// beams().
  void Cast(const Scene& scene, std::span<const Disc> people, Pose2 sensor,
            std::span<float> ranges) const;

 private:
  int beams_;
  double max_range_m_;
  std::vector<double> cos_, sin_;  ///< of each beam in the body frame
};

}  // namespace saferl::sim
