// The wheelchair's proving ground: walls, clutter and up to four pedestrians in the plane.

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include "saferl/robot/wheelchair.h"
#include "saferl/sim/closed_form.h"
#include "saferl/sim/hostile.h"
#include "saferl/sim/prove_arena.h"
#include "saferl/sim/prove_truth.h"

namespace saferl::sim {
namespace {

using math::Capsule;
using math::Vec3;
using robot::Joints;
using safety::ConstraintId;

constexpr double kTolerance = 1e-9;
constexpr double kGravity = 9.80665;
constexpr int kMaxPeople = 4;
constexpr int kSubsteps = 8;     ///< truth is looked at this often a tick
constexpr double kHeight = 1.7;  ///< of a pedestrian [m]

/// What tips the chair: its own data and what floor and rider may do.
struct TipData {
  double com_height_m = 0, side_m = 0, side_shift_m = 0, slope_rad = 0;
};

class WheelchairArena final : public Arena {
 public:
  WheelchairArena(std::shared_ptr<const safety::SafetyModel> truth, const TipData& tip)
      : model_(std::move(truth)),
        chair_(static_cast<const robot::Wheelchair&>(*model_->robot)),
        plant_(BoundsOf(chair_)),
        tip_(tip) {
    plant_.freedom().substep_s = chair_.period_s() / kSubsteps;
  }

  void Reset(int64_t now_ns, Random* random) override;
  void Observe(int64_t now_ns, uint64_t sequence, Random* random,
               robot::Observation* observation) override;
  Joints Wish(Random* random) override;
  void Act(const safety::Command& command, Random* random) override;
  TickTruth Advance(Random* random) override;

 private:
  Footprint At(const Joints& q) const {
    const math::Rectangle& r = chair_.footprint();
    return {r.rear, r.front, r.half_width, q[0], q[1], q[2]};
  }
  Prey PreyFor(const Footprint& footprint, const HostilePart& person) const;
  void DrawHabits(Random* random);
  void DrawDuel(int64_t now_ns, const Joints& q, Random* random);
  void DrawPeople(int64_t now_ns, const Footprint& start, Random* random);
  void MovePeople(const Footprint& footprint, bool resting, double dt, Random* random);
  void ReadLidar(const Joints& q, Random* random, robot::Observation* observation);
  void CheckPeople(const Footprint& footprint, TickTruth* truth);
  void CheckWorld(const Footprint& footprint, bool resting, TickTruth* truth);
  void CheckTipOver(TickTruth* truth);
  Joints Toward(Point2 target, Random* random) const;
  double ClearanceAfter(const Joints& u, double time_s) const;
  Point2 Threat(bool people) const;

  std::shared_ptr<const safety::SafetyModel> model_;
  const robot::Wheelchair& chair_;
  VelocityPlant plant_;
  TipData tip_;
  World world_;
  int n_people_ = 0;
  std::array<HostilePart, kMaxPeople> person_;
  Habit delay_ = Habit::kMost, lag_ = Habit::kMost, lidar_ = Habit::kLeast;
  bool aging_ = false;
  double state_sign_[5] = {};
  double tracking_sign_[2] = {};
  Drive drive_ = Drive::kAtPeople;
  double drive_left_s_ = 0;
  Joints wish_{}, last_u_{};
  bool jumped_ = false;
  int64_t last_acts_ns_ = 0;
  robot::RobotState aged_;  ///< the truth, up to state_age old
  std::array<double, robot::kMaxLidar> range_{};
  double wall_far_m_ = 0;  ///< nothing fixed is nearer than this for now
};

Prey WheelchairArena::PreyFor(const Footprint& footprint, const HostilePart& person) const {
  const Vec3 p = person.true_W().a;
  const Point2 nearest = safety::certifier::NearestOf(footprint, {p.x, p.y});
  const robot::RobotState state = plant_.Truth();
  Prey prey;
  prey.point_W = {nearest.x, nearest.y, 0.5 * kHeight};
  prey.velocity_W = state.qd[0] * Vec3{std::cos(footprint.yaw), std::sin(footprint.yaw), 0};
  prey.gap_m = TrueDistance(footprint, Point2{p.x, p.y}, person.true_W().radius);
  return prey;
}

void WheelchairArena::DrawHabits(Random* random) {
  const bool worst = random->Chance(0.5);  // everything at the bad end at once
  const auto habit = [&] { return worst ? Habit::kMost : static_cast<Habit>(random->Index(4)); };
  delay_ = habit();
  lag_ = habit();
  lidar_ = worst ? Habit::kMost : static_cast<Habit>(random->Index(4));
  aging_ = worst || random->Chance(0.5);
  for (double& sign : state_sign_)
    sign = random->Chance(0.2) ? 0.0 : (random->Chance(0.5) ? 1.0 : -1.0);
  for (double& sign : tracking_sign_)
    sign = worst || random->Chance(0.5) ? 1.0 : random->Uniform(-1.0, 1.0);
  plant_.freedom().brake_factor = worst ? 1.0 : random->Uniform(1.0, 1.5);
}

void WheelchairArena::DrawPeople(int64_t now_ns, const Footprint& start, Random* random) {
  n_people_ = random->Index(kMaxPeople + 1);
  PartBounds bounds{model_->human.body_speed_m_s, model_->human.error_m,
                    random->Chance(0.5) ? 0 : 3};
  int placed = 0;
  for (int i = 0; i < n_people_; ++i) {
    const double far = random->Uniform(0.6, 5.0),
                 angle = random->Uniform(-std::numbers::pi, std::numbers::pi);
    const double radius = random->Uniform(0.15, 0.3);
    const Point2 p{start.x + far * std::cos(angle), start.y + far * std::sin(angle)};
    if (TrueDistance(start, p, radius) < 0.01) continue;
    const Capsule body{{p.x, p.y, radius}, {p.x, p.y, kHeight - radius}, radius};
    HostilePart& person = person_[placed];
    person.Reset(body, robot::Region::kPedestrian, static_cast<uint8_t>(placed), 0, bounds, random);
    if (random->Chance(0.4)) person.set_mismeasure(Mismeasure::kAway);
    person.Remember(now_ns);
    ++placed;
  }
  n_people_ = placed;
}

void WheelchairArena::DrawDuel(int64_t now_ns, const Joints& q, Random* random) {
  // Straight at one opponent with every error on the bad side: the tightest encounter that the
  // model allows.
  const double way = random->Chance(0.8) ? 1.0 : -1.0;
  // On an arc, the linear rows of the QP see the opponent late and the verification has to decide.
  const double turn = random->Chance(0.3) ? 0.0 : random->Uniform(-1.0, 1.0);
  const double speed = way * chair_.limits().qd_max[0] * random->Uniform(0.6, 1.0);
  const double time = random->Uniform(1.2, 4.0);
  const double half = 0.5 * turn * time;
  const double chord = speed * time * (std::abs(half) < 1e-6 ? 1.0 : std::sin(half) / half);
  const double heading = q[2] + 2.0 * half;
  const double c = way * std::cos(heading), s = way * std::sin(heading);
  delay_ = lag_ = lidar_ = Habit::kMost;
  aging_ = true;
  plant_.freedom().brake_factor = 1.0;
  state_sign_[0] = c > 0 ? -1 : 1;
  state_sign_[1] = s > 0 ? -1 : 1;
  state_sign_[2] = random->Index(3) - 1;
  state_sign_[3] = state_sign_[4] = 0;
  tracking_sign_[0] = 1;
  tracking_sign_[1] = random->Index(3) - 1;
  drive_ = Drive::kStraight;
  wish_ = {speed, turn};
  world_.n = 0;
  wall_far_m_ = 0;
  n_people_ = 0;
  const double far = 0.7 + random->Uniform(0.0, 0.5), aside = random->Uniform(-0.6, 0.6);
  const Point2 p{q[0] + chord * std::cos(q[2] + half) + far * c - aside * s,
                 q[1] + chord * std::sin(q[2] + half) + far * s + aside * c};
  if (random->Chance(0.3)) {
    world_.AddBox(p, 0.2, 2.0, heading + random->Uniform(-0.3, 0.3));
    if (TrueDistance(At(q), world_.wall[0]) < 0.3 || TrueDistance(At(q), world_.wall[1]) < 0.3 ||
        TrueDistance(At(q), world_.wall[3]) < 0.3) {
      world_.n = 0;
    }
    return;
  }
  const PartBounds bounds{model_->human.body_speed_m_s, model_->human.error_m,
                          random->Chance(0.5) ? 0 : 3};
  if (TrueDistance(At(q), p, 0.2) < 0.1) return;
  const Capsule body{{p.x, p.y, 0.2}, {p.x, p.y, kHeight - 0.2}, 0.2};
  person_[0].Reset(body, robot::Region::kPedestrian, 0, 0, bounds, random);
  person_[0].set_pursuit(random->Chance(0.7) ? Pursuit::kAmbush : Pursuit::kChase);
  person_[0].set_mismeasure(Mismeasure::kAway);
  person_[0].set_age_habit(1);
  person_[0].Remember(now_ns);
  n_people_ = 1;
}

void WheelchairArena::Reset(int64_t now_ns, Random* random) {
  Joints q{};
  q[0] = random->Uniform(-1.0, 1.0);
  q[1] = random->Uniform(-1.0, 1.0);
  q[2] = random->Uniform(-std::numbers::pi, std::numbers::pi);
  plant_.Reset(q, now_ns);
  last_acts_ns_ = now_ns;
  aged_ = plant_.Truth();
  DrawHabits(random);
  world_.n = 0;
  if (random->Chance(0.75)) world_.Draw(At(q), 0.05, random);
  wall_far_m_ = 0;
  DrawPeople(now_ns, At(q), random);
  drive_ = static_cast<Drive>(random->Index(static_cast<int>(Drive::kCount)));
  if (random->Chance(0.4)) drive_ = n_people_ > 0 ? Drive::kAtPeople : Drive::kAtWalls;
  drive_left_s_ = 0;
  wish_ = {};
  last_u_ = {};
  if (random->Chance(0.25)) DrawDuel(now_ns, q, random);
}

void WheelchairArena::ReadLidar(const Joints& q, Random* random, robot::Observation* observation) {
  constexpr int kBeams = robot::kMaxLidar;
  constexpr double kRange = 10.0;
  const Vec3 origin = chair_.config().p_BLidar;
  const double c = std::cos(q[2]), s = std::sin(q[2]);
  const double x = q[0] + c * origin.x - s * origin.y, y = q[1] + s * origin.x + c * origin.y;
  TrueRanges(world_, x, y, q[2], kRange, {range_.data(), kBeams});
  observation->n_lidar = kBeams;
  const double error = model_->lidar_error_m;
  // Mostly "farther than it is", which is the dangerous side; within the bound also after rounding
  // to float.
  const double bound = error - 1e-6;
  for (int i = 0; i < kBeams; ++i) {
    double off = 0;
    switch (lidar_) {
      case Habit::kLeast:
        break;
      case Habit::kMost:
        off = bound;
        break;
      case Habit::kFlip:
        off = random->Chance(0.5) ? bound : -bound;
        break;
      default:
        off = random->Uniform(-bound, bound);
        break;
    }
    observation->lidar_m[static_cast<size_t>(i)] =
        static_cast<float>(std::max(0.0, range_[static_cast<size_t>(i)] + off));
  }
}

void WheelchairArena::Observe(int64_t now_ns, uint64_t sequence, Random* random,
                              robot::Observation* observation) {
  robot::Observation& o = *observation;
  o.stamp_ns = now_ns;
  o.sequence = sequence;
  o.robot = aging_ ? aged_ : plant_.Truth();
  const Joints true_q = o.robot.q;
  for (int i = 0; i < 3; ++i) o.robot.q[i] += state_sign_[i] * chair_.state_error_q()[i];
  for (int i = 0; i < 2; ++i) o.robot.qd[i] += state_sign_[3 + i] * chair_.state_error_qd()[i];
  o.people_stamp_ns = now_ns;
  o.n_parts = n_people_;
  const Footprint footprint = At(plant_.Truth().q);
  for (int i = 0; i < n_people_; ++i)
    o.parts[i] = person_[i].Report(PreyFor(footprint, person_[i]), random);
  o.lidar_stamp_ns = o.robot.stamp_ns;
  ReadLidar(true_q, random, &o);
}

Point2 WheelchairArena::Threat(bool people) const {
  const Footprint footprint = At(plant_.Truth().q);
  Point2 best{footprint.x + std::cos(footprint.yaw), footprint.y + std::sin(footprint.yaw)};
  double nearest = std::numeric_limits<double>::infinity();
  if (people) {
    for (int i = 0; i < n_people_; ++i) {
      const Vec3 p = person_[i].true_W().a;
      const double d = TrueDistance(footprint, Point2{p.x, p.y}, 0);
      if (d < nearest) {
        nearest = d;
        best = {p.x, p.y};
      }
    }
  }
  if (nearest < 1e9) return best;
  for (const Wall& wall : world_.walls()) {
    const Point2 middle{0.5 * (wall.a.x + wall.b.x), 0.5 * (wall.a.y + wall.b.y)};
    const double d = TrueDistance(footprint, wall);
    if (d < nearest) {
      nearest = d;
      best = middle;
    }
  }
  return best;
}

Joints WheelchairArena::Toward(Point2 target, Random* random) const {
  const Joints q = plant_.Truth().q;
  const robot::Limits& limits = chair_.limits();
  const double bearing = math::WrapAngle(std::atan2(target.y - q[1], target.x - q[0]) - q[2]);
  const bool behind = std::abs(bearing) > 0.5 * std::numbers::pi;
  const double error = behind ? math::WrapAngle(bearing + std::numbers::pi) : bearing;
  Joints u{};
  u[1] = std::clamp(4.0 * error, limits.command_lower[1], limits.command_upper[1]);
  const double v = behind ? limits.command_lower[0] : limits.command_upper[0];
  u[0] = v * std::max(0.2, std::cos(error)) * (random->Chance(0.02) ? -1.0 : 1.0);
  return u;
}

double WheelchairArena::ClearanceAfter(const Joints& u, double time_s) const {
  Joints q = plant_.Truth().q;
  const double half = 0.5 * u[1] * time_s;
  q[0] += u[0] * time_s * std::cos(q[2] + half);
  q[1] += u[0] * time_s * std::sin(q[2] + half);
  q[2] += 2.0 * half;
  const Footprint footprint = At(q);
  double nearest = 10.0;
  for (const Wall& wall : world_.walls())
    nearest = std::min(nearest, TrueDistance(footprint, wall));
  for (int i = 0; i < n_people_; ++i) {
    const Capsule& c = person_[i].true_W();
    nearest = std::min(nearest, TrueDistance(footprint, Point2{c.a.x, c.a.y}, c.radius));
  }
  return nearest;
}

Joints WheelchairArena::Wish(Random* random) {
  const robot::Limits& limits = chair_.limits();
  const auto corner = [&](int i) {
    return random->Chance(0.5) ? limits.command_lower[i] : limits.command_upper[i];
  };
  drive_left_s_ -= chair_.period_s();
  const bool change = drive_left_s_ <= 0;
  if (change) drive_left_s_ = random->Uniform(0.1, 2.0);
  switch (drive_) {
    case Drive::kAtPeople:
      wish_ = Toward(Threat(true), random);
      break;
    case Drive::kAtWalls:
      wish_ = Toward(Threat(false), random);
      break;
    case Drive::kStraight:
      break;
    case Drive::kChatter:
      wish_ = {corner(0), corner(1)};
      break;
    case Drive::kFullSpeed:
      if (change)
        wish_ = {random->Chance(0.8) ? limits.command_upper[0] : limits.command_lower[0],
                 corner(1)};
      break;
    case Drive::kPulse:
      if (change)
        wish_ = random->Chance(0.5) ? Joints{} : Joints{limits.command_upper[0], 0.2 * corner(1)};
      break;
    case Drive::kGreedy:
      if (change) {
        double least = std::numeric_limits<double>::infinity();
        for (int k = 0; k < 6; ++k) {
          const Joints u{corner(0),
                         random->Uniform(limits.command_lower[1], limits.command_upper[1])};
          const double clearance = ClearanceAfter(u, 0.7);
          if (clearance < least) {
            least = clearance;
            wish_ = u;
          }
        }
        drive_left_s_ = 0.3;
      }
      break;
    case Drive::kNonsense: {
      constexpr double kBad[] = {1e300,
                                 -1e300,
                                 std::numeric_limits<double>::infinity(),
                                 std::numeric_limits<double>::quiet_NaN(),
                                 0.0,
                                 5.0};
      wish_ = {kBad[random->Index(6)], kBad[random->Index(6)]};
      break;
    }
    default:
      if (change) {
        for (int i = 0; i < 2; ++i)
          wish_[i] = random->Uniform(limits.command_lower[i], limits.command_upper[i]);
      }
      break;
  }
  return wish_;
}

void WheelchairArena::Act(const safety::Command& command, Random* random) {
  double delay = Share(delay_, random) * chair_.reaction_s();
  // In the order of issue: a command never overtakes an older one.
  delay = std::max(delay, static_cast<double>(last_acts_ns_ - command.issued_ns) * 1e-9);
  last_acts_ns_ = command.issued_ns + std::llround(delay * 1e9);
  plant_.freedom().lag = Share(lag_, random);
  for (int i = 0; i < 2; ++i)
    plant_.freedom().tracking[i] = tracking_sign_[i] * (i == 0 && command.u[i] < 0 ? -1.0 : 1.0);
  if (!StepAllowed(chair_, last_u_, command.u)) jumped_ = true;
  last_u_ = command.u;
  plant_.Apply(command, delay);
}

void WheelchairArena::MovePeople(const Footprint& footprint, bool resting, double dt,
                                 Random* random) {
  for (int i = 0; i < n_people_; ++i) {
    const Capsule next = person_[i].Propose(PreyFor(footprint, person_[i]), dt, random);
    // A resting robot is solid: a person may touch it but not be inside it.
    if (resting && TrueDistance(footprint, Point2{next.a.x, next.a.y}, next.radius) < 0) continue;
    person_[i].Settle(next);
  }
}

void WheelchairArena::CheckPeople(const Footprint& footprint, TickTruth* truth) {
  for (int i = 0; i < n_people_; ++i) {
    const Capsule& c = person_[i].true_W();
    const double d = TrueDistance(footprint, Point2{c.a.x, c.a.y}, c.radius);
    Note(ConstraintId::kSeparation, d);
    if (d < -kTolerance && truth->violation == nullptr) {
      *truth = {"a person was touched by the moving robot", ConstraintId::kSeparation, -d, true};
    }
  }
}

void WheelchairArena::CheckWorld(const Footprint& footprint, bool resting, TickTruth* truth) {
  if (resting || wall_far_m_ > 0) return;
  double nearest = std::numeric_limits<double>::infinity();
  for (const Wall& wall : world_.walls())
    nearest = std::min(nearest, TrueDistance(footprint, wall));
  Note(ConstraintId::kKeepOut, nearest);
  if (nearest < -kTolerance && truth->violation == nullptr) {
    *truth = {"the robot ran into something fixed", ConstraintId::kKeepOut, -nearest, true};
  }
  // What is far cannot be reached before it has been looked at again.
  const Joints top = chair_.limits().qd_max;
  const double step = 1.5 * chair_.PointSpeed({top[0], top[1]}) * chair_.period_s() / kSubsteps;
  if (nearest > 20 * step) wall_far_m_ = nearest - step;
}

void WheelchairArena::CheckTipOver(TickTruth* truth) {
  // The rider leans out as far as allowed, on the steepest floor that leans the same way: the
  // ground reaction has to stay between the wheels (moments about the outer wheel).
  const Joints rate = plant_.Truth().qd;
  const double arm = tip_.side_m - tip_.side_shift_m;
  const double upright = kGravity * std::cos(tip_.slope_rad) * arm;
  const double tilting =
      (std::abs(rate[0] * rate[1]) + kGravity * std::sin(tip_.slope_rad)) * tip_.com_height_m;
  const double margin = (upright - tilting) / (kGravity * std::cos(tip_.slope_rad));
  Note(ConstraintId::kTipOver, margin);
  if (margin < -kTolerance && truth->violation == nullptr) {
    *truth = {"the chair tipped over in a turn", ConstraintId::kTipOver, -margin, true};
  }
}

TickTruth WheelchairArena::Advance(Random* random) {
  TickTruth truth;
  if (jumped_) {
    truth = {"a command jumped further than the rate limit", ConstraintId::kAcceleration, 0, true};
    jumped_ = false;
  }
  const double dt = chair_.period_s() / kSubsteps;
  const int64_t end_ns = plant_.now_ns() + std::llround(chair_.period_s() * 1e9);
  const int aged_at = kSubsteps - static_cast<int>(std::floor(chair_.state_age_s() / dt + 1e-9));
  for (int k = 1; k <= kSubsteps; ++k) {
    const bool rested = plant_.at_rest();
    plant_.Advance(k == kSubsteps ? static_cast<double>(end_ns - plant_.now_ns()) * 1e-9 : dt);
    const bool resting = rested && plant_.at_rest();
    const Footprint footprint = At(plant_.Truth().q);
    if (!resting) {
      truth.moved = true;
      CheckPeople(footprint, &truth);  // the robot moved into them
    }
    MovePeople(footprint, plant_.at_rest(), dt, random);
    if (!plant_.at_rest()) CheckPeople(footprint, &truth);  // they ran into the moving robot
    if (!resting) {
      const Joints top = chair_.limits().qd_max;
      wall_far_m_ -= 1.5 * chair_.PointSpeed({top[0], top[1]}) * dt;
      CheckWorld(footprint, resting, &truth);
      CheckTipOver(&truth);
    }
    if (k == std::max(1, aged_at)) aged_ = plant_.Truth();
  }
  for (int i = 0; i < n_people_; ++i) person_[i].Remember(end_ns);
  return truth;
}

}  // namespace

StatusOr<std::unique_ptr<Arena>> MakeWheelchairArena(
    std::shared_ptr<const safety::SafetyModel> truth, const safety::certifier::RobotData& data) {
  const TipData tip{data.com_height_m, data.tip_side_m, data.side_shift_m, data.slope_rad};
  return std::make_unique<WheelchairArena>(std::move(truth), tip);
}

}  // namespace saferl::sim
