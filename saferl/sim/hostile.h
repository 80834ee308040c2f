#pragma once
// People who try to be hit, and drivers who try to hit them: the prover's opponents.
//
// A HostilePart is one true capsule of a person and what a tracker reports of it. Its bounds hold
// by construction: every axis point moves at most speed * dt in every step (so also between any two
// instants, by the triangle inequality), the report was true at its stamp within error_m, and the
// stamp is at most max_age old. A HostileDriver is the worst mix of policy and person: it asks for
// what leads into trouble soonest.
//
// Units: SI. Frames: W. RT: no (no allocation while running). Errors: none. Deterministic for the
// given Random.

#include <array>
#include <cstdint>

#include "saferl/base/random.h"
#include "saferl/robot/types.h"

namespace saferl::sim {

/// What a hostile part does with its legs or arms.
enum class Pursuit : uint8_t {
  kChase,      ///< straight at the nearest point of the robot
  kIntercept,  ///< at where the robot will be
  kCross,      ///< across the robot's path, again and again
  kStopShort,  ///< runs up, stops just short, waits for motion, lunges
  kAmbush,     ///< stands still until the robot is near, then runs at it
  kTease,      ///< comes and goes in random turns
  kStand,      ///< does not move at all
  kWander,     ///< anywhere
  kCount,
};

/// How the report of a part is wrong (always inside error_m).
enum class Mismeasure : uint8_t { kNone, kFixed, kAway, kFlip, kSideways, kRandom, kCount };

struct PartBounds {
  double speed_m_s = 1.6;
  double error_m = 0.05;
  int max_age_ticks = 0;
};

/// Where the robot is, as an opponent sees it: the truth.
struct Prey {
  math::Vec3 point_W;     ///< nearest point of the robot's surface (or centre)
  math::Vec3 velocity_W;  ///< of that point
  double gap_m = 0;       ///< surface to surface
};

class HostilePart {
 public:
  /// Places the part; every random choice of its conduct is drawn here and in Propose.
  void Reset(const math::Capsule& capsule_W, robot::Region region, uint8_t person, uint16_t track,
             const PartBounds& bounds, Random* random);

  /// Where the part wants to be `dt` later. It goes there only when Settle() is told so.
  math::Capsule Propose(const Prey& prey, double dt, Random* random);
  void Settle(const math::Capsule& capsule_W) { true_W_ = capsule_W; }

  /// Ends a tick: remembers the true position under `stamp_ns`, for reports of some age.
  void Remember(int64_t stamp_ns);
  /// What the tracker says now.
  robot::HumanPart Report(const Prey& prey, Random* random);

  const math::Capsule& true_W() const { return true_W_; }
  const PartBounds& bounds() const { return bounds_; }
  robot::Region region() const { return region_; }
  void set_pursuit(Pursuit pursuit) { pursuit_ = pursuit; }
  void set_mismeasure(Mismeasure mismeasure) { mismeasure_ = mismeasure; }
  /// 0: always fresh; 1: always as old as allowed; 2: any; 3: the tracker updates only when it
  /// must.
  void set_age_habit(int habit) { age_habit_ = habit; }

 private:
  static constexpr int kHistory = 64;
  math::Vec3 Goal(const Prey& prey, double dt, Random* random);

  math::Capsule true_W_;
  robot::Region region_ = robot::Region::kPedestrian;
  uint8_t person_ = 0;
  uint16_t track_ = 0;
  PartBounds bounds_;
  Pursuit pursuit_ = Pursuit::kChase;
  Mismeasure mismeasure_ = Mismeasure::kNone;
  int age_habit_ = 0;
  math::Vec3 half_axis_;    ///< from the middle to b, as placed
  math::Vec3 waypoint_;     ///< for crossing and wandering
  double mood_left_s_ = 0;  ///< until the next change of mind
  double trigger_m_ = 1.0;  ///< gap at which an ambush starts
  bool lunging_ = false, away_ = false;
  math::Vec3 fixed_error_;
  double flip_left_ = 0, flip_sign_ = 1;
  int age_ = 0;
  int n_history_ = 0;
  std::array<math::Capsule, kHistory> history_{};
  std::array<int64_t, kHistory> stamp_ns_{};
};

/// A vector of length `length` in a random direction; `planar` keeps z at 0.
math::Vec3 RandomDirection(double length, bool planar, Random* random);
/// `v` shortened to at most `length`.
math::Vec3 Shortened(math::Vec3 v, double length);

/// How a driver chooses what to ask for.
enum class Drive : uint8_t {
  kAtPeople,   ///< as fast as possible toward the nearest person
  kAtWalls,    ///< as fast as possible toward the nearest static shape
  kFullSpeed,  ///< one corner of the command box, changed now and then
  kChatter,    ///< another corner every tick
  kPiecewise,  ///< random constants for random times
  kGreedy,     ///< of several random wishes, the one that brings the least clearance
  kStraight,   ///< straight on at full speed, always
  kPulse,      ///< full speed and zero in random turns
  kNonsense,   ///< far out of range, infinite or not a number
  kCount,
};

}  // namespace saferl::sim
