// The arm's proving ground: a worker's body parts fly at the links, the driver sweeps the arm at
// them, at its joint ends, at the walls and the post of its cell.

#include <algorithm>
#include <cmath>
#include <limits>

#include "saferl/safety/certifier/chain.h"
#include "saferl/sim/closed_form.h"
#include "saferl/sim/hostile.h"
#include "saferl/sim/prove_arena.h"

namespace saferl::sim {
namespace {

using math::Capsule;
using math::Vec3;
using robot::Joints;
using safety::ConstraintId;
using safety::certifier::CapsuleToCapsule;
using safety::certifier::ChainPlace;

constexpr double kTolerance = 1e-9;
constexpr int kMaxWorker = 6;
constexpr int kSubsteps = 2;

class ArmArena final : public Arena {
 public:
  ArmArena(std::shared_ptr<const safety::SafetyModel> truth,
           const safety::certifier::RobotData& data)
      : model_(std::move(truth)), arm_(*model_->robot), data_(data), plant_(BoundsOf(arm_)) {
    plant_.freedom().substep_s = arm_.period_s() / kSubsteps;
    for (int k = 0; k < static_cast<int>(data_.capsules.size()); ++k) {
      moving_[k] = TurningBefore(data_, k) > 0;
    }
  }

  void Reset(int64_t now_ns, Random* random) override;
  void Observe(int64_t now_ns, uint64_t sequence, Random* random,
               robot::Observation* observation) override;
  Joints Wish(Random* random) override;
  void Act(const safety::Command& command, Random* random) override;
  TickTruth Advance(Random* random) override;

 private:
  double Gap(const ChainPlace& place, const Capsule& part, int* nearest_link) const;
  Prey PreyFor(int i) const;
  bool Free(const ChainPlace& place) const;
  void DrawHabits(Random* random);
  void DrawWorker(int64_t now_ns, Random* random);
  void MoveWorker(double dt, Random* random);
  void CheckParts(TickTruth* truth);
  void CheckCell(TickTruth* truth);
  void CheckJoints(TickTruth* truth);
  void Break(ConstraintId id, double margin, const char* what, TickTruth* truth) {
    Note(id, margin);
    if (margin < -kTolerance && truth->violation == nullptr) *truth = {what, id, -margin, true};
  }
  Joints TowardPart(int part) const;
  Joints Corner(Random* random) const;

  std::shared_ptr<const safety::SafetyModel> model_;
  const robot::RobotModel& arm_;
  safety::certifier::RobotData data_;
  VelocityPlant plant_;
  std::array<bool, robot::kMaxLinks> moving_{};
  int n_parts_ = 0;
  std::array<HostilePart, kMaxWorker> part_;
  ChainPlace place_;
  Habit delay_ = Habit::kMost, lag_ = Habit::kMost;
  bool aging_ = false;
  Joints q_sign_{}, tracking_sign_{};
  Drive drive_ = Drive::kAtPeople;
  double drive_left_s_ = 0;
  int target_ = 0;
  Joints wish_{}, last_u_{};
  bool jumped_ = false;
  int64_t last_acts_ns_ = 0;
  robot::RobotState aged_;
};

double ArmArena::Gap(const ChainPlace& place, const Capsule& part, int* nearest_link) const {
  double least = std::numeric_limits<double>::infinity();
  for (int k = 0; k < place.n; ++k) {
    if (!moving_[k]) continue;
    const double d = CapsuleToCapsule(place.link_W[k], part);
    if (d < least) {
      least = d;
      *nearest_link = k;
    }
  }
  return least;
}

Prey ArmArena::PreyFor(int i) const {
  const Capsule& part = part_[i].true_W();
  int link = 0;
  Prey prey;
  prey.gap_m = Gap(place_, part, &link);
  const Capsule& c = place_.link_W[link];
  const Vec3 axis = c.b - c.a, middle = 0.5 * (part.a + part.b);
  const double length2 = std::max(1e-12, math::Dot(axis, axis));
  const double t = std::clamp(math::Dot(middle - c.a, axis) / length2, 0.0, 1.0);
  prey.point_W = c.a + t * axis;
  const double speed = LinkSpeed(data_, place_, link, plant_.Truth().qd);
  prey.velocity_W = {speed, 0, 0};
  return prey;
}

bool ArmArena::Free(const ChainPlace& place) const {
  for (int k = 0; k < place.n; ++k) {
    if (!moving_[k]) continue;
    const Capsule& c = place.link_W[k];
    for (const Capsule& shape : data_.keep_out_W) {
      if (CapsuleToCapsule(c, shape) < 0.02) return false;
    }
    for (const auto& h : data_.workspace) {
      const double reach = std::max(math::Dot(h.normal_W, c.a), math::Dot(h.normal_W, c.b));
      if (reach + c.radius > h.offset_m - 0.02) return false;
    }
  }
  return true;
}

void ArmArena::DrawHabits(Random* random) {
  const bool worst = random->Chance(0.5);
  delay_ = worst ? Habit::kMost : static_cast<Habit>(random->Index(4));
  lag_ = worst ? Habit::kMost : static_cast<Habit>(random->Index(4));
  aging_ = worst || random->Chance(0.5);
  plant_.freedom().brake_factor = worst ? 1.0 : random->Uniform(1.0, 1.5);
  for (int i = 0; i < arm_.n(); ++i) {
    q_sign_[i] = random->Index(3) - 1;
    tracking_sign_[i] = worst ? 1.0 : random->Uniform(-1.0, 1.0);
  }
}

void ArmArena::DrawWorker(int64_t now_ns, Random* random) {
  using robot::Region;
  constexpr Region kRegions[] = {Region::kChest,   Region::kSkull, Region::kUpperArm,
                                 Region::kForearm, Region::kHand,  Region::kPelvis};
  constexpr double kLength[] = {0.4, 0.05, 0.28, 0.25, 0.1, 0.2};
  constexpr double kRadius[] = {0.15, 0.11, 0.06, 0.05, 0.05, 0.15};
  const int wanted = random->Index(kMaxWorker + 1);
  const int age_ticks = random->Chance(0.5) ? 0 : 40;
  n_parts_ = 0;
  for (int i = 0; i < wanted; ++i) {
    const int kind = random->Index(6);
    const Vec3 middle =
        Vec3{0, 0, 0.5} + RandomDirection(random->Uniform(0.25, 1.6), false, random);
    const Vec3 half = RandomDirection(0.5 * kLength[kind], false, random);
    const Capsule body{middle - half, middle + half, kRadius[kind]};
    int link = 0;
    if (Gap(place_, body, &link) < 0.05) continue;
    const bool reaching = robot::IsReaching(kRegions[kind]);
    const PartBounds bounds{reaching ? model_->human.reach_speed_m_s : model_->human.body_speed_m_s,
                            model_->human.error_m, age_ticks};
    HostilePart& part = part_[n_parts_];
    part.Reset(body, kRegions[kind], 0, static_cast<uint16_t>(i), bounds, random);
    if (random->Chance(0.5)) part.set_mismeasure(Mismeasure::kAway);
    part.Remember(now_ns);
    ++n_parts_;
  }
}

void ArmArena::Reset(int64_t now_ns, Random* random) {
  Joints q = data_.home;
  for (int trial = 0; trial < 20; ++trial) {
    Joints other{};
    for (int i = 0; i < arm_.n(); ++i) {
      other[i] = random->Uniform(data_.q_lower[i] + 0.05, data_.q_upper[i] - 0.05);
    }
    if (!Free(PlaceChain(data_, other))) continue;
    q = other;
    break;
  }
  plant_.Reset(q, now_ns);
  place_ = PlaceChain(data_, q);
  last_acts_ns_ = now_ns;
  aged_ = plant_.Truth();
  DrawHabits(random);
  DrawWorker(now_ns, random);
  drive_ = static_cast<Drive>(random->Index(static_cast<int>(Drive::kCount)));
  if (n_parts_ > 0 && random->Chance(0.4)) drive_ = Drive::kAtPeople;
  target_ = n_parts_ > 0 ? random->Index(n_parts_) : 0;
  drive_left_s_ = 0;
  wish_ = last_u_ = {};
}

void ArmArena::Observe(int64_t now_ns, uint64_t sequence, Random* random,
                       robot::Observation* observation) {
  robot::Observation& o = *observation;
  o.stamp_ns = now_ns;
  o.sequence = sequence;
  o.robot = aging_ ? aged_ : plant_.Truth();
  for (int i = 0; i < arm_.n(); ++i) {
    o.robot.q[i] += q_sign_[i] * arm_.state_error_q()[i];
    o.robot.qd[i] += q_sign_[i] * arm_.state_error_qd()[i];
  }
  o.people_stamp_ns = now_ns;
  o.n_parts = n_parts_;
  for (int i = 0; i < n_parts_; ++i) o.parts[i] = part_[i].Report(PreyFor(i), random);
}

Joints ArmArena::Corner(Random* random) const {
  Joints u{};
  for (int i = 0; i < arm_.n(); ++i) {
    u[i] = random->Chance(0.5) ? arm_.limits().command_lower[i] : arm_.limits().command_upper[i];
  }
  return u;
}

Joints ArmArena::TowardPart(int part) const {
  // Every joint at full speed in the direction that brings its links nearer.
  Joints u{};
  Joints q = plant_.Truth().q;
  int link = 0;
  const double now = Gap(place_, part_[part].true_W(), &link);
  for (int i = 0; i < arm_.n(); ++i) {
    q[i] += 0.02;
    const double then = Gap(PlaceChain(data_, q), part_[part].true_W(), &link);
    q[i] -= 0.02;
    if (then < now - 1e-6) u[i] = arm_.limits().command_upper[i];
    if (then > now + 1e-6) u[i] = arm_.limits().command_lower[i];
  }
  return u;
}

Joints ArmArena::Wish(Random* random) {
  drive_left_s_ -= arm_.period_s();
  const bool change = drive_left_s_ <= 0;
  if (change) drive_left_s_ = random->Uniform(0.02, 1.0);
  switch (drive_) {
    case Drive::kAtPeople:
    case Drive::kGreedy:
      if (n_parts_ > 0 && change) {
        drive_left_s_ = 0.03;
        wish_ = TowardPart(target_);
      } else if (change) {
        wish_ = Corner(random);
      }
      break;
    case Drive::kChatter:
      wish_ = Corner(random);
      break;
    case Drive::kPulse:
      if (change) wish_ = random->Chance(0.5) ? Joints{} : Corner(random);
      break;
    case Drive::kNonsense: {
      constexpr double kBad[] = {1e300,
                                 -1e300,
                                 std::numeric_limits<double>::infinity(),
                                 std::numeric_limits<double>::quiet_NaN(),
                                 0.0,
                                 5.0};
      for (int i = 0; i < arm_.n(); ++i)
        wish_[i] = kBad[random->Index(random->Chance(0.5) ? 2 : 6)];
      break;
    }
    case Drive::kPiecewise:
      if (change) {
        for (int i = 0; i < arm_.n(); ++i) {
          wish_[i] =
              random->Uniform(arm_.limits().command_lower[i], arm_.limits().command_upper[i]);
        }
      }
      break;
    case Drive::kStraight:  // one joint alone, to its end
      if (change && wish_ == Joints{}) {
        const int i = random->Index(arm_.n());
        wish_[i] = Corner(random)[i];
      }
      break;
    default:
      if (change) {
        wish_ = Corner(random);
        drive_left_s_ = random->Uniform(0.5, 2.0);
      }
      break;
  }
  return wish_;
}

void ArmArena::Act(const safety::Command& command, Random* random) {
  double delay = Share(delay_, random) * arm_.reaction_s();
  delay = std::max(delay, static_cast<double>(last_acts_ns_ - command.issued_ns) * 1e-9);
  last_acts_ns_ = command.issued_ns + std::llround(delay * 1e9);
  plant_.freedom().lag = Share(lag_, random);
  for (int i = 0; i < arm_.n(); ++i) {
    plant_.freedom().tracking[i] = tracking_sign_[i] * (command.u[i] < 0 ? -1.0 : 1.0);
  }
  if (!StepAllowed(arm_, last_u_, command.u)) jumped_ = true;
  last_u_ = command.u;
  plant_.Apply(command, delay);
}

void ArmArena::MoveWorker(double dt, Random* random) {
  const bool resting = plant_.at_rest();
  for (int i = 0; i < n_parts_; ++i) {
    const Capsule next = part_[i].Propose(PreyFor(i), dt, random);
    int link = 0;
    const double gap = Gap(place_, next, &link);
    // A resting robot is solid: a person may touch it but not get further inside it.
    if (resting && gap < 0 && gap < Gap(place_, part_[i].true_W(), &link)) continue;
    part_[i].Settle(next);
  }
}

void ArmArena::CheckParts(TickTruth* truth) {
  const Joints rate = plant_.Truth().qd;
  for (int i = 0; i < n_parts_; ++i) {
    const auto region = static_cast<size_t>(part_[i].region());
    const double limit = data_.contact_speed_m_s[region];
    for (int k = 0; k < place_.n; ++k) {
      if (!moving_[k]) continue;
      const double gap = CapsuleToCapsule(place_.link_W[k], part_[i].true_W());
      if (limit == 0) {
        Break(ConstraintId::kSeparation, gap, "a person was touched by the moving arm", truth);
      } else if (gap < -kTolerance) {
        Break(ConstraintId::kContact, limit - LinkSpeed(data_, place_, k, rate),
              "a person was touched too fast", truth);
      }
    }
  }
}

void ArmArena::CheckCell(TickTruth* truth) {
  for (int k = 0; k < place_.n; ++k) {
    if (!moving_[k]) continue;
    const Capsule& c = place_.link_W[k];
    for (const Capsule& shape : data_.keep_out_W) {
      Break(ConstraintId::kKeepOut, CapsuleToCapsule(c, shape), "the arm ran into something fixed",
            truth);
    }
    for (const auto& h : data_.workspace) {
      const double reach = std::max(math::Dot(h.normal_W, c.a), math::Dot(h.normal_W, c.b));
      Break(ConstraintId::kWorkspace, h.offset_m - reach - c.radius, "the arm left its workspace",
            truth);
    }
  }
}

void ArmArena::CheckJoints(TickTruth* truth) {
  const robot::RobotState state = plant_.Truth();
  for (int i = 0; i < arm_.n(); ++i) {
    Break(ConstraintId::kJointPosition,
          std::min(state.q[i] - data_.q_lower[i], data_.q_upper[i] - state.q[i]),
          "a joint passed its end", truth);
    Break(ConstraintId::kJointVelocity, data_.qd_max[i] - std::abs(state.qd[i]),
          "a joint was too fast", truth);
  }
}

TickTruth ArmArena::Advance(Random* random) {
  TickTruth truth;
  if (jumped_) {
    truth = {"a command jumped further than the rate limit", ConstraintId::kAcceleration, 0, true};
    jumped_ = false;
  }
  const int64_t end_ns = plant_.now_ns() + std::llround(arm_.period_s() * 1e9);
  aged_ = plant_.Truth();
  const double dt = arm_.period_s() / kSubsteps;
  for (int k = 1; k <= kSubsteps; ++k) {
    const bool rested = plant_.at_rest();
    plant_.Advance(k == kSubsteps ? static_cast<double>(end_ns - plant_.now_ns()) * 1e-9 : dt);
    const bool resting = rested && plant_.at_rest();
    if (!resting) {
      truth.moved = true;
      place_ = PlaceChain(data_, plant_.Truth().q);
      if (plant_.at_rest()) CheckParts(&truth);  // with the people where they were
    }
    MoveWorker(dt, random);
    if (!plant_.at_rest()) CheckParts(&truth);
    if (!resting) {
      CheckCell(&truth);
      CheckJoints(&truth);
    }
  }
  for (int i = 0; i < n_parts_; ++i) part_[i].Remember(end_ns);
  return truth;
}

}  // namespace

StatusOr<std::unique_ptr<Arena>> MakeArmArena(std::shared_ptr<const safety::SafetyModel> truth,
                                              const safety::certifier::RobotData& data) {
  return std::make_unique<ArmArena>(std::move(truth), data);
}

}  // namespace saferl::sim
