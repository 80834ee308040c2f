#include <algorithm>
#include <cmath>
#include <numbers>

#include "saferl/base/random.h"
#include "saferl/control/features.h"
#include "saferl/robot/arm.h"
#include "saferl/robot/human.h"
#include "saferl/sim/setting.h"

namespace saferl::sim {
namespace {

constexpr int kGoals = 4;
constexpr double kBench_m = 1.15;        // the worker's pelvis stands this far in front of the base
constexpr double kReachSpeed_m_s = 1.2;  // of the made-up worker's hand
constexpr double kMoving = 0.02;         // below this every joint rests [rad/s]

class ArmSetting final : public Setting {
 public:
  ArmSetting(std::shared_ptr<const robot::RobotModel> robot, uint64_t seed,
             std::shared_ptr<const Recording> recording)
      : robot_(std::move(robot)),
        recording_(std::move(recording)),
        arm_(static_cast<const robot::Arm&>(*robot_)),
        random_(seed, 501) {
    ChooseGoals();
    reach_phase_ = random_.Uniform(0, 4.0);
    lean_ = {-random_.Uniform(0.25, 0.45), random_.Uniform(-0.3, 0.3), random_.Uniform(-0.1, 0.4)};
    Settle();
  }

  robot::Joints start() const override { return arm_.home(); }
  int true_goal() const override { return 0; }
  int n_goals() const override { return static_cast<int>(goals_.size()); }
  std::unique_ptr<Skill> MakeSkill() const override { return MakeArmSkill(robot_, goals_); }

  control::Goals GoalsAhead(const robot::RobotState&) const override {
    control::Goals goals;
    for (const math::Vec3& p : goals_) goals.p_W[goals.n++] = p;
    return goals;
  }

  void Advance(double dt_s, const robot::RobotState&) override {
    played_s_ += dt_s;
    Settle();
  }
  std::span<const robot::HumanPart> people() const override { return parts_; }

  double Separation(const robot::RobotState& truth) const override {
    robot::Placement placement;
    arm_.Place(truth.q, &placement);
    double least = std::numeric_limits<double>::infinity();
    for (int i = 0; i < placement.n_links; ++i) {
      for (const robot::HumanPart& part : parts_) {
        least = std::min(least, math::CapsuleDistance(placement.link_W[i], part.capsule_W));
      }
    }
    return least;
  }

  /// Arms and hands may be touched slowly (power and force limiting); the rest of the body may not,
  /// by a moving arm.
  Hit Collision(const robot::RobotState& truth) const override {
    if (!Moving(truth)) return Hit::kNothing;
    robot::Placement placement;
    arm_.Place(truth.q, &placement);
    for (int i = 0; i < placement.n_links; ++i) {
      for (const robot::HumanPart& part : parts_) {
        if (!robot::IsReaching(part.region) &&
            math::CapsuleDistance(placement.link_W[i], part.capsule_W) <= 0) {
          return Hit::kPerson;
        }
      }
    }
    return Hit::kNothing;
  }

  void Scan(const robot::RobotState&, robot::Observation*) const override {}
  double Travelled(const robot::RobotState& before, const robot::RobotState& after) const override {
    return math::Norm(control::ToolPosition(*robot_, after.q) -
                      control::ToolPosition(*robot_, before.q));
  }
  robot::Joints WearerTorque(double) const override { return {}; }

 private:
  bool Moving(const robot::RobotState& truth) const {
    return std::any_of(truth.qd.begin(), truth.qd.begin() + robot_->n(),
                       [](double v) { return std::abs(v) > kMoving; });
  }

  /// Tool positions of postures near home: all can be reached; on the side away from walls and
  /// above the floor.
  void ChooseGoals() {
    for (int tries = 0; static_cast<int>(goals_.size()) < kGoals && tries < 400; ++tries) {
      robot::Joints q = arm_.home();
      for (int i = 0; i < robot_->n(); ++i)
        q[i] += random_.Uniform(-0.8, 0.8) * (i < 4 ? 1.0 : 0.6);
      const math::Vec3 p = control::ToolPosition(*robot_, q);
      const bool apart = std::ranges::none_of(
          goals_, [&](const math::Vec3& g) { return math::Norm(g - p) < 0.15; });
      if (apart && p.z > 0.30 && p.x > 0.10 && p.x < 0.60 && std::abs(p.y) < 0.5)
        goals_.push_back(p);
    }
    if (goals_.empty()) goals_.push_back(control::ToolPosition(*robot_, arm_.home()));
  }

  /// A worker at the bench: stands, reaches in with the right hand, draws back, pauses.
  robot::Skeleton Worker(double t) const {
    using robot::BodyJoint;
    robot::Skeleton s;
    const auto at = [&s](BodyJoint joint) -> math::Vec3& { return s[static_cast<size_t>(joint)]; };
    const double x = kBench_m + 0.25;
    at(BodyJoint::kPelvis) = {x, 0, 0.90};
    at(BodyJoint::kAbdomen) = {x, 0, 1.08};
    at(BodyJoint::kChest) = {x, 0, 1.25};
    at(BodyJoint::kNeck) = {x, 0, 1.48};
    at(BodyJoint::kHead) = {x, 0, 1.60};
    for (const double side : {-1.0, 1.0}) {
      const bool right = side > 0;  // the worker faces the arm: his right is at positive y
      at(right ? BodyJoint::kRightHip : BodyJoint::kLeftHip) = {x, 0.10 * side, 0.88};
      at(right ? BodyJoint::kRightKnee : BodyJoint::kLeftKnee) = {x, 0.11 * side, 0.48};
      at(right ? BodyJoint::kRightAnkle : BodyJoint::kLeftAnkle) = {x, 0.12 * side, 0.08};
      at(right ? BodyJoint::kRightShoulder : BodyJoint::kLeftShoulder) = {x, 0.20 * side, 1.40};
      at(right ? BodyJoint::kRightElbow : BodyJoint::kLeftElbow) = {x - 0.05, 0.22 * side, 1.12};
      at(right ? BodyJoint::kRightWrist : BodyJoint::kLeftWrist) = {x - 0.20, 0.20 * side, 1.00};
    }
    const double share = ReachShare(t);
    at(BodyJoint::kRightWrist) = at(BodyJoint::kRightWrist) + share * lean_;
    at(BodyJoint::kRightElbow) = at(BodyJoint::kRightElbow) + 0.5 * share * lean_;
    return s;
  }

  /// 0 = hand drawn back, 1 = reached in; the hand is never faster than kReachSpeed_m_s.
  double ReachShare(double t) const {
    const double stroke = math::Norm(lean_) / kReachSpeed_m_s;
    const double turn = std::fmod(t + reach_phase_, 4.0);
    if (turn < stroke) return turn / stroke;
    if (turn < stroke + 0.8) return 1.0;
    return std::max(0.0, 1.0 - (turn - stroke - 0.8) / stroke);
  }

  void Settle() {
    robot::Skeleton skeleton;
    if (recording_ != nullptr && recording_->pose.empty()) {
      parts_.clear();  // a recording of nobody
      return;
    }
    if (recording_ != nullptr) {
      skeleton = recording_->PoseAt(recording_->Played(played_s_));
      for (math::Vec3& p : skeleton) p = {kBench_m - p.x, -p.y, p.z};
    } else {
      skeleton = Worker(played_s_);
    }
    parts_.resize(robot::kBodyParts);
    robot::BodyParts(skeleton, {}, 0, 0, parts_);
  }

  std::shared_ptr<const robot::RobotModel> robot_;
  std::shared_ptr<const Recording> recording_;
  const robot::Arm& arm_;
  Random random_;
  std::vector<math::Vec3> goals_;
  double played_s_ = 0, reach_phase_ = 0;
  math::Vec3 lean_;
  std::vector<robot::HumanPart> parts_;
};

}  // namespace

std::unique_ptr<Setting> MakeArmSetting(std::shared_ptr<const robot::RobotModel> robot,
                                        uint64_t seed, std::shared_ptr<const Recording> recording) {
  return std::make_unique<ArmSetting>(std::move(robot), seed, std::move(recording));
}

}  // namespace saferl::sim
