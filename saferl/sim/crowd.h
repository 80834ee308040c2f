#pragma once
// Walking pedestrians: each follows its Walk to the end and back, with one of two manners:
//   blind    does not look: only a body in the way stops it
//   looking  keeps 0.4 m from the robot's body where it can: steps round it where there is room
// Whoever does not get on for 1.5 s (beside the way: 3 s) turns round and rests longer at the other
// end. No
// step is ever longer than speed x time.
//
// Units: m, m/s, s. Frame: W. RT: no allocation after the constructor. Deterministic: no random
// draws at all.

#include <cstdint>
#include <span>
#include <vector>

#include "saferl/sim/scene.h"

namespace saferl::sim {

enum class Manners : uint8_t { kBlind, kLooking };

class Crowd {
 public:
  explicit Crowd(const Scene& scene, Manners manners = Manners::kBlind);

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
    double at_m = 0;  ///< along the way; aside: where it comes back to it
    int direction = 1;
    double rest_s = 0;       ///< of a pause
    double blocked_s = 0;    ///< without getting on
    bool sent_back = false;  ///< turned round by a body in the way
    bool aside = false;      ///< off the way, round a body
    double left_m = 0;       ///< where it left the way
    double nearest_m = 0;    ///< to where it comes back, at best so far
    double side = 1;         ///< 1: passes with the body on its right
  };
  /// False when a step to `next` comes too near to the body or, off the way, to anything else.
  bool Free(size_t i, Point next, const Box& body) const;
  /// True when nothing that stands is in the way of a straight walk.
  bool Clear(size_t i, Point from, Point to) const;
  /// Chooses where to come back to the way, behind the body, and a side; false when there is no
  /// way.
  bool LeaveWay(size_t i, const Box& body);
  /// A step past the body; false when there is none.
  bool StepAside(size_t i, double step_m, const Box& body, Point* next);
  void TurnRound(size_t i, const Box& body);

  const Scene* scene_;
  Manners manners_;
  double room_m_;  ///< kept to the robot's body
  std::vector<Walker> walkers_;
  std::vector<double> length_m_;
  std::vector<Disc> people_;
  std::vector<Point> velocity_;
};

/// The point `at_m` along a polyline, ends included.
Point PointOnWay(std::span<const Point> way, double at_m);
double WayLength(std::span<const Point> way);

}  // namespace saferl::sim
