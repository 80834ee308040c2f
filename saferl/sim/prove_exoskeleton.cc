// The exoskeleton's proving ground: the true coupled legs, a wearer who pushes with all that is
// allowed, and a driver who asks for torques that lead to the ends of the range, to speed and to
// power.

#include <algorithm>
#include <cmath>
#include <limits>

#include "saferl/safety/certifier/leg.h"
#include "saferl/sim/hostile.h"
#include "saferl/sim/prove_arena.h"

namespace saferl::sim {
namespace {

using robot::Joints;
using safety::ConstraintId;

constexpr double kTolerance = 1e-9;
constexpr double kCommandTolerance = 1e-7;  ///< rounding between two ways to compute a torque [Nm]
constexpr int kJoints = 4;
constexpr double kStep_s = 0.0005;

/// How the wearer pushes.
enum class Push : uint8_t { kToEnd, kAlong, kAgainst, kConstant, kFlip, kCount };

class ExoskeletonArena final : public Arena {
 public:
  ExoskeletonArena(std::shared_ptr<const safety::SafetyModel> truth,
                   const safety::certifier::RobotData& data)
      : model_(std::move(truth)), device_(*model_->robot), data_(data) {}

  void Reset(int64_t now_ns, Random* random) override;
  void Observe(int64_t now_ns, uint64_t sequence, Random* random,
               robot::Observation* observation) override;
  Joints Wish(Random* random) override;
  void Act(const safety::Command& command, Random* random) override;
  TickTruth Advance(Random* random) override;
  Joints StartCommand() const override { return acting_; }

 private:
  void Run(double time_s, Random* random, TickTruth* truth);
  Joints Wearer(Random* random) const;
  void Check(TickTruth* truth);
  void CheckCommand(const Joints& u, TickTruth* truth);
  void Break(ConstraintId id, double margin, const char* what, TickTruth* truth,
             double tolerance = kTolerance) {
    Note(id, margin);
    if (margin < -tolerance && truth->violation == nullptr) *truth = {what, id, -margin, true};
  }

  std::shared_ptr<const safety::SafetyModel> model_;
  const robot::RobotModel& device_;
  safety::certifier::RobotData data_;
  int64_t now_ns_ = 0;
  Joints q_{}, qd_{};
  Joints acting_{}, next_{}, previous_{};
  double delay_s_ = 0;
  robot::RobotState aged_, seen_;
  bool aging_ = false;
  Habit delay_ = Habit::kMost;
  Push push_ = Push::kToEnd;
  Joints sign_{}, push_sign_{};
  Drive drive_ = Drive::kAtWalls;
  double drive_left_s_ = 0;
  Joints wish_{};
};

void ExoskeletonArena::Reset(int64_t now_ns, Random* random) {
  now_ns_ = now_ns;
  for (int i = 0; i < kJoints; ++i) {
    q_[i] = random->Uniform(data_.q_lower[i] + 0.1, data_.q_upper[i] - 0.1);
    qd_[i] = 0;
    sign_[i] = random->Index(3) - 1;
    push_sign_[i] = random->Chance(0.5) ? 1 : -1;
  }
  // The legs hang held: gravity's torque acts and no new command was given yet.
  acting_ = next_ = previous_ = safety::certifier::TorqueFor(data_, q_, {}, {});
  aged_ = {};  // the last world's speeds would be a measurement far outside its stated error
  aged_.q = q_;
  aged_.stamp_ns = now_ns;
  const bool worst = random->Chance(0.5);
  delay_ = worst ? Habit::kMost : static_cast<Habit>(random->Index(4));
  aging_ = worst || random->Chance(0.5);
  push_ = static_cast<Push>(random->Index(static_cast<int>(Push::kCount)));
  drive_ = static_cast<Drive>(random->Index(static_cast<int>(Drive::kCount)));
  drive_left_s_ = 0;
  wish_ = {};
}

void ExoskeletonArena::Observe(int64_t now_ns, uint64_t sequence, Random*,
                               robot::Observation* observation) {
  robot::Observation& o = *observation;
  o.stamp_ns = now_ns;
  o.sequence = sequence;
  o.people_stamp_ns = now_ns;
  o.n_parts = 0;
  if (aging_) {
    o.robot = aged_;
  } else {
    o.robot = {};
    o.robot.q = q_;
    o.robot.qd = qd_;
    o.robot.stamp_ns = now_ns;
  }
  for (int i = 0; i < kJoints; ++i) {
    o.robot.q[i] += sign_[i] * data_.q_error[i];
    o.robot.qd[i] += sign_[i] * data_.qd_error[i];
  }
  seen_ = o.robot;
}

Joints ExoskeletonArena::Wish(Random* random) {
  drive_left_s_ -= data_.period_s;
  const bool change = drive_left_s_ <= 0;
  if (change) drive_left_s_ = random->Uniform(0.01, 0.6);
  Joints corner{};
  for (int i = 0; i < kJoints; ++i) {
    corner[i] = (random->Chance(0.5) ? 1 : -1) * data_.effort_max[i];
  }
  switch (drive_) {
    case Drive::kChatter:
      wish_ = corner;
      break;
    case Drive::kPiecewise:
      if (change) {
        for (int i = 0; i < kJoints; ++i) wish_[i] = corner[i] * random->Uniform();
      }
      break;
    case Drive::kPulse:
      if (change) wish_ = random->Chance(0.5) ? Joints{} : corner;
      break;
    case Drive::kNonsense: {
      constexpr double kBad[] = {1e300,
                                 -1e300,
                                 std::numeric_limits<double>::infinity(),
                                 std::numeric_limits<double>::quiet_NaN(),
                                 0.0,
                                 50.0};
      for (int i = 0; i < kJoints; ++i) wish_[i] = kBad[random->Index(random->Chance(0.5) ? 2 : 6)];
      break;
    }
    case Drive::kGreedy:  // always faster the way it goes
      for (int i = 0; i < kJoints; ++i) wish_[i] = (qd_[i] > 0 ? 1 : -1) * data_.effort_max[i];
      break;
    case Drive::kAtPeople: {  // a steady swing: gravity held and a moderate push one way
      if (change) wish_ = corner;
      const Joints hold = safety::certifier::TorqueFor(data_, q_, qd_, {});
      Joints u{};
      for (int i = 0; i < kJoints; ++i) u[i] = hold[i] + 0.1 * wish_[i];
      return u;
    }
    default:
      if (change) {
        wish_ = corner;
        drive_left_s_ = random->Uniform(0.3, 1.5);
      }
      break;
  }
  return wish_;
}

void ExoskeletonArena::Act(const safety::Command& command, Random* random) {
  delay_s_ = Share(delay_, random) * data_.reaction_s;
  next_ = command.u;
}

Joints ExoskeletonArena::Wearer(Random* random) const {
  Joints w{};
  for (int i = 0; i < kJoints; ++i) {
    const double middle = 0.5 * (data_.q_lower[i] + data_.q_upper[i]);
    double sign = push_sign_[i];
    if (push_ == Push::kToEnd) sign = q_[i] > middle ? 1 : -1;
    if (push_ == Push::kAlong) sign = qd_[i] >= 0 ? 1 : -1;
    if (push_ == Push::kAgainst) sign = qd_[i] >= 0 ? -1 : 1;
    if (push_ == Push::kFlip) sign = random->Chance(0.5) ? 1 : -1;
    w[i] = sign * data_.tracking_error[i];
  }
  return w;
}

void ExoskeletonArena::Check(TickTruth* truth) {
  for (int i = 0; i < kJoints; ++i) {
    Break(ConstraintId::kJointPosition,
          std::min(q_[i] - data_.q_lower[i], data_.q_upper[i] - q_[i]),
          "a joint left the wearer's range of motion", truth);
    Break(ConstraintId::kJointVelocity, data_.qd_max[i] - std::abs(qd_[i]), "a joint was too fast",
          truth);
    Break(ConstraintId::kPower, device_.limits().power_max[i] - std::abs(acting_[i] * qd_[i]),
          "a joint took too much power", truth);
  }
}

void ExoskeletonArena::CheckCommand(const Joints& u, TickTruth* truth) {
  // Driving keeps near gravity's torque and within the torque rate; what leads toward braking may
  // always be asked.
  robot::RobotState state = seen_;
  const Joints brake = device_.Brake(state, previous_);
  const Joints hold = safety::certifier::TorqueFor(data_, seen_.q, {}, {});
  for (int i = 0; i < kJoints; ++i) {
    Break(ConstraintId::kTorque, device_.limits().effort_max[i] - std::abs(u[i]), "too much torque",
          truth);
    const double most = data_.interaction_max_nm[i];
    const double above = std::max(hold[i] + most, brake[i]) - u[i];
    const double below = u[i] - std::min(hold[i] - most, brake[i]);
    Break(ConstraintId::kInteractionForce, std::min(above, below), "the wearer was pushed too hard",
          truth, kCommandTolerance);
    const double step = data_.command_rate[i] * data_.period_s;
    const double up = std::max(previous_[i] + step, brake[i]) - u[i];
    const double down = u[i] - std::min(previous_[i] - step, brake[i]);
    Break(ConstraintId::kAcceleration, std::min(up, down),
          "a torque jumped further than the rate limit", truth, kCommandTolerance);
  }
}

void ExoskeletonArena::Run(double time_s, Random* random, TickTruth* truth) {
  for (double t = 0; t < time_s - 1e-12; t += kStep_s) {
    const Joints w = Wearer(random);
    Joints torque{};
    for (int i = 0; i < kJoints; ++i) torque[i] = acting_[i] + w[i];
    safety::certifier::StepLegs(data_, torque, std::min(kStep_s, time_s - t), &q_, &qd_);
    Check(truth);
  }
}

TickTruth ExoskeletonArena::Advance(Random* random) {
  TickTruth truth;
  truth.moved = true;  // a wearer is never quite still
  CheckCommand(next_, &truth);
  Run(delay_s_, random, &truth);
  acting_ = next_;
  const double aged_at = data_.period_s - data_.state_age_s;
  Run(std::max(0.0, aged_at - delay_s_), random, &truth);
  const double done = std::max(delay_s_, aged_at);
  aged_.q = q_;
  aged_.qd = qd_;
  aged_.stamp_ns = now_ns_ + std::llround(done * 1e9);
  Run(data_.period_s - done, random, &truth);
  now_ns_ += std::llround(data_.period_s * 1e9);
  previous_ = next_;
  return truth;
}

}  // namespace

StatusOr<std::unique_ptr<Arena>> MakeExoskeletonArena(
    std::shared_ptr<const safety::SafetyModel> truth, const safety::certifier::RobotData& data) {
  return std::make_unique<ExoskeletonArena>(std::move(truth), data);
}

}  // namespace saferl::sim
