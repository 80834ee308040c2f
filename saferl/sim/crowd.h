#pragma once
// Walking pedestrians: each follows its Walk to the end and back. They do not look: only a body in
// the way stops them. Whoever is stopped for longer than 1.5 s turns round and
// rests longer at the other end. No step is ever longer
// than speed x time.
//
// Units: m, m/s, s. Frame: W. RT: no allocation after the constructor. Deterministic: no random
// draws at all.

#include <span>
#include <vector>

#include "saferl/sim/scene.h"

namespace saferl::sim {

class Crowd {
 public:
  explicit Crowd(const Scene& scene);

  /// Everybody back to the start.
  void Reset();
  /// One step of at most 0.1 s. `body` is the robot's rectangle as it stands now: nobody walks
  /// through it.
  void Advance(double dt_s, const Box& body);
  std::span<const Disc> people() const { return people_; }
  /// Velocities of the last step [m/s].
  std::span<const Point> velocity() const { return velocity_; }

 private:
  struct Walker {
    double at_m = 0;  ///< along the way
    int direction = 1;
    double rest_s = 0;  ///< of a pause
    double blocked_s = 0;
    bool sent_back = false;  ///< turned round by a body in the way
  };
  const Scene* scene_;
  std::vector<Walker> walkers_;
  std::vector<double> length_m_;
  std::vector<Disc> people_;
  std::vector<Point> velocity_;
};

/// The point `at_m` along a polyline, ends included.
Point PointOnWay(std::span<const Point> way, double at_m);
double WayLength(std::span<const Point> way);

}  // namespace saferl::sim
