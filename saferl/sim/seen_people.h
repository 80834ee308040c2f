#pragma once
// People as a driver sees them: where they stand, where they are walking to, and how much room they
// get. What a person can tell by looking: positions, and velocities from how positions change.
//
// Units: m, m/s, s. Frame: W. Errors: none; more people than kMaxParts are not seen. RT: no.

#include <algorithm>
#include <array>
#include <limits>
#include <span>
#include <vector>

#include "saferl/robot/types.h"
#include "saferl/sim/plane.h"

namespace saferl::sim {

class SeenPeople {
 public:
  /// Looks: `body` is the robot's rectangle now.
  void Watch(int64_t now_ns, std::span<const robot::HumanPart> people, const Box& body);

  int n() const { return n_; }
  /// Gap between the robot and the nearest person now [m]; +inf without people.
  double nearest_m() const { return std::min(ahead_m_, behind_m_); }
  /// The same to whoever stands before or behind the middle of the robot.
  double ahead_m() const { return ahead_m_; }
  double behind_m() const { return behind_m_; }
  /// How much more room than `room_m` the body leaves everybody `t_s` from now, if they walk on;
  /// negative: too near. Whoever is nearer already may stay as near.
  double Spare(const Box& body, double t_s, double room_m) const;
  /// How far the body stands inside the paths of people who are walking up to it [m]: 0 = clear of
  /// all, weighted by how soon they come.
  double InTheWay(const Box& body, double room_m) const;
  /// People who have been standing still for a while.
  const std::vector<Disc>& standing() const { return standing_; }

 private:
  struct Seen {
    Disc disc;
    Point velocity;
    double gap_m = 0;
    int64_t moved_ns = 0;  ///< when it was last seen walking
  };
  int64_t watched_ns_ = 0;
  int n_ = 0;
  double ahead_m_ = std::numeric_limits<double>::infinity(), behind_m_ = ahead_m_;
  std::array<Seen, robot::kMaxParts> seen_{};
  std::vector<Disc> standing_;
};

}  // namespace saferl::sim
