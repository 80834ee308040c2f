#include "saferl/sim/hostile.h"

#include <algorithm>
#include <cmath>

namespace saferl::sim {

using math::Capsule;
using math::Vec3;

namespace {
/// Rounding must not let a person exceed a bound.
constexpr double kInside = 1.0 - 1e-12;
}  // namespace

Vec3 RandomDirection(double length, bool planar, Random* random) {
  const double azimuth = random->Uniform(0.0, 6.283185307179586);
  const double z = planar ? 0.0 : random->Uniform(-1.0, 1.0);
  const double flat = std::sqrt(1.0 - z * z);
  return length * Vec3{flat * std::cos(azimuth), flat * std::sin(azimuth), z};
}

Vec3 Shortened(Vec3 v, double length) {
  const double n = math::Norm(v);
  return n > length ? (length / n) * v : v;
}

void HostilePart::Reset(const Capsule& capsule_W, robot::Region region, uint8_t person,
                        uint16_t track, const PartBounds& bounds, Random* random) {
  true_W_ = capsule_W;
  region_ = region;
  person_ = person;
  track_ = track;
  bounds_ = bounds;
  half_axis_ = 0.5 * (capsule_W.b - capsule_W.a);
  pursuit_ = static_cast<Pursuit>(random->Index(static_cast<int>(Pursuit::kCount)));
  mismeasure_ = static_cast<Mismeasure>(random->Index(static_cast<int>(Mismeasure::kCount)));
  age_habit_ = random->Index(4);
  waypoint_ = 0.5 * (capsule_W.a + capsule_W.b);
  mood_left_s_ = 0;
  trigger_m_ = random->Uniform(0.05, 2.5);
  lunging_ = away_ = false;
  fixed_error_ =
      RandomDirection(bounds.error_m * kInside, region == robot::Region::kPedestrian, random);
  flip_left_ = 0;
  flip_sign_ = 1;
  age_ = 0;
  n_history_ = 0;
}

Vec3 HostilePart::Goal(const Prey& prey, double dt, Random* random) {
  const Vec3 middle = 0.5 * (true_W_.a + true_W_.b);
  mood_left_s_ -= dt;
  const bool new_mood = mood_left_s_ <= 0;
  if (new_mood) mood_left_s_ = random->Uniform(0.1, 2.0);
  switch (pursuit_) {
    case Pursuit::kChase:
      return prey.point_W;
    case Pursuit::kIntercept:
      return prey.point_W + (prey.gap_m / std::max(bounds_.speed_m_s, 0.1)) * prey.velocity_W;
    case Pursuit::kCross:
      if (new_mood || math::Norm(waypoint_ - middle) < 0.1) {
        const Vec3 ahead = prey.point_W + random->Uniform(0.0, 1.5) * prey.velocity_W;
        waypoint_ = ahead + random->Uniform(0.5, 2.0) * math::Normalized(ahead - middle);
      }
      return waypoint_;
    case Pursuit::kStopShort:
      if (math::Norm(prey.velocity_W) > 0.2 && prey.gap_m < trigger_m_ && random->Chance(0.2))
        lunging_ = true;
      if (math::Norm(prey.velocity_W) < 0.01 && prey.gap_m < 0.02) {
        lunging_ = false;
        away_ = true;
      }
      if (prey.gap_m > 1.5 * trigger_m_) away_ = false;
      if (lunging_) return prey.point_W;
      if (away_) return middle + (middle - prey.point_W);
      return prey.gap_m > trigger_m_ ? prey.point_W : middle;
    case Pursuit::kAmbush:
      lunging_ = lunging_ || prey.gap_m < trigger_m_;
      return lunging_ ? prey.point_W : middle;
    case Pursuit::kTease:
      if (new_mood) away_ = random->Chance(0.4);
      return away_ ? middle + (middle - prey.point_W) : prey.point_W;
    case Pursuit::kStand:
      return middle;
    default:
      if (new_mood)
        waypoint_ = prey.point_W + RandomDirection(random->Uniform(0.0, 3.0), false, random);
      return waypoint_;
  }
}

Capsule HostilePart::Propose(const Prey& prey, double dt, Random* random) {
  const Vec3 middle = 0.5 * (true_W_.a + true_W_.b);
  const double step = bounds_.speed_m_s * dt * kInside;
  Vec3 move = Goal(prey, dt, random) - middle;
  const bool upright = region_ == robot::Region::kPedestrian;
  if (upright) move.z = 0;
  move = Shortened(move, step);
  Capsule next = true_W_;
  next.a = next.a + move;
  next.b = next.b + move;
  if (!upright) {
    // What translation leaves of the step may turn the part: each end keeps its own bound.
    const double left = step - math::Norm(move);
    if (left > 0) {
      next.a = next.a + RandomDirection(left * random->Uniform(), false, random);
      const Vec3 wanted = next.a + 2.0 * half_axis_;
      next.b = next.b + Shortened(wanted - next.b, left);
    }
  }
  return next;
}

void HostilePart::Remember(int64_t stamp_ns) {
  history_[n_history_ % kHistory] = true_W_;
  stamp_ns_[n_history_ % kHistory] = stamp_ns;
  ++n_history_;
}

robot::HumanPart HostilePart::Report(const Prey& prey, Random* random) {
  const int oldest = std::min(bounds_.max_age_ticks, std::min(n_history_, kHistory) - 1);
  switch (age_habit_) {
    case 0:
      age_ = 0;
      break;
    case 1:
      age_ = oldest;
      break;
    case 2:
      age_ = std::min(age_ + 1, random->Index(oldest + 1));
      break;  // stamps never run backward
    default:
      age_ = age_ >= oldest ? 0 : age_ + 1;
      break;
  }
  const int index = (n_history_ - 1 - age_) % kHistory;
  robot::HumanPart part;
  part.capsule_W = history_[index];
  part.stamp_ns = stamp_ns_[index];
  part.region = region_;
  part.person = person_;
  part.track = track_;

  const bool planar = region_ == robot::Region::kPedestrian;
  const Vec3 middle = 0.5 * (part.capsule_W.a + part.capsule_W.b);
  Vec3 away = middle - prey.point_W;
  if (planar) away.z = 0;
  away = (bounds_.error_m * kInside) * math::Normalized(away);
  if (--flip_left_ <= 0) {
    flip_left_ = 1 + random->Index(30);
    flip_sign_ = -flip_sign_;
  }
  Vec3 error;
  switch (mismeasure_) {
    case Mismeasure::kNone:
      break;
    case Mismeasure::kFixed:
      error = fixed_error_;
      break;
    case Mismeasure::kAway:
      error = away;
      break;
    case Mismeasure::kFlip:
      error = flip_sign_ * away;
      break;
    case Mismeasure::kSideways:
      error = flip_sign_ * Vec3{-away.y, away.x, 0};
      break;
    default:
      error = RandomDirection(bounds_.error_m * kInside * random->Uniform(), planar, random);
      break;
  }
  part.capsule_W.a = part.capsule_W.a + error;
  part.capsule_W.b = part.capsule_W.b + error;
  return part;
}

}  // namespace saferl::sim
