#include "saferl/sim/mutants.h"

#include <algorithm>
#include <utility>

#include "fmt/core.h"
#include "saferl/base/node.h"

namespace saferl::sim {
namespace {

using safety::ConstraintId;

/// Looks only at the first stretch of the manoeuvre and at nothing people do after it.
class FirstMoment final : public safety::Constraint {
 public:
  FirstMoment(std::shared_ptr<const safety::Constraint> whole, double hold_s)
      : whole_(std::move(whole)), hold_s_(hold_s) {}
  ConstraintId id() const override { return whole_->id(); }
  void AddRows(const safety::Situation& situation, safety::RowSet* rows) const override {
    whole_->AddRows(situation, rows);
  }
  double Margin(const safety::Situation& situation,
                const robot::Manoeuvre& manoeuvre) const override {
    robot::Manoeuvre first = manoeuvre;
    int n = 1;
    while (n < manoeuvre.n && manoeuvre.sample[n].t_begin_s < hold_s_) ++n;
    first.n = std::min(n, manoeuvre.n);
    first.stop_time_s = std::min(manoeuvre.stop_time_s, hold_s_);
    if (situation.robot->kind() == robot::Kind::kExoskeleton) {
      // Its stretches already bound where the legs come to rest: look at where they are instead.
      first.sample[0].q = situation.observation->robot.q;
      first.sample[0].q_tube = situation.robot->state_error_q();
    }
    return whole_->Margin(situation, first);
  }

 private:
  std::shared_ptr<const safety::Constraint> whole_;
  double hold_s_;
};

std::vector<Mutant> Wheelchair() {
  return {
      {.name = "no_separation", .what = "people do not count", .drop = {ConstraintId::kSeparation}},
      {.name = "no_keep_out", .what = "walls do not count", .drop = {ConstraintId::kKeepOut}},
      {.name = "no_tip_over",
       .what = "turns may be as sharp as they like",
       .drop = {ConstraintId::kTipOver}},
      {.name = "no_acceleration",
       .what = "commands may jump, and no gate holds them back",
       .drop = {ConstraintId::kAcceleration},
       .no_gate = true},
      {.name = "no_verification", .what = "the QP's answer is taken on trust", .drop_proof = true},
      {.name = "no_braking_tail",
       .what = "only the first moment of the manoeuvre is verified",
       .no_braking_tail = true},
      {.name = "no_epsilon",
       .what = "people are where they are measured",
       .overrides = {{"safety.human.error_m", 0.0}}},
      {.name = "no_human_speed",
       .what = "people stand still",
       .overrides = {{"safety.human.body_speed_m_s", 0.0}, {"safety.human.reach_speed_m_s", 0.0}}},
      {.name = "no_reaction", .what = "commands act at once", .overrides = {{"reaction_s", 0.0}}},
      {.name = "no_lidar_error",
       .what = "the lidar is exact",
       .overrides = {{"safety.lidar.error_m", 0.0}, {"safety.lidar.fill_m", 0.0}}},
      {.name = "no_state_error",
       .what = "the pose is known exactly",
       .overrides = {{"uncertainty.q_error", 0.0}}},
      {.name = "strong_brakes",
       .what = "brakes are believed twice as strong",
       .overrides = {{"limits.brake", 6.0}}},
  };
}

std::vector<Mutant> Arm() {
  return {
      {.name = "no_separation", .what = "people do not count", .drop = {ConstraintId::kSeparation}},
      {.name = "no_contact",
       .what = "hands may be hit at any speed",
       .drop = {ConstraintId::kContact}},
      {.name = "no_keep_out",
       .what = "fixed things do not count",
       .drop = {ConstraintId::kKeepOut}},
      {.name = "no_workspace", .what = "the cell has no walls", .drop = {ConstraintId::kWorkspace}},
      {.name = "no_joint_position",
       .what = "joints have no ends",
       .drop = {ConstraintId::kJointPosition}},
      {.name = "no_joint_velocity",
       .what = "joint speeds have no limit",
       .drop = {ConstraintId::kJointVelocity}},
      {.name = "no_acceleration",
       .what = "commands may jump, and no gate holds them back",
       .drop = {ConstraintId::kAcceleration},
       .no_gate = true},
      {.name = "no_verification", .what = "the QP's answer is taken on trust", .drop_proof = true},
      {.name = "no_braking_tail",
       .what = "only the first moment of the manoeuvre is verified",
       .no_braking_tail = true},
      {.name = "no_epsilon",
       .what = "people are where they are measured",
       .overrides = {{"safety.human.error_m", 0.0}}},
      {.name = "no_human_speed",
       .what = "people stand still",
       .overrides = {{"safety.human.body_speed_m_s", 0.0}, {"safety.human.reach_speed_m_s", 0.0}}},
      {.name = "no_reaction", .what = "commands act at once", .overrides = {{"reaction_s", 0.0}}},
      {.name = "strong_brakes",
       .what = "brakes are believed to be far stronger than they are",
       .overrides = {{"limits.brake", 40.0}}},
  };
}
std::vector<Mutant> Exoskeleton() {
  return {
      {.name = "no_joint_position",
       .what = "the wearer has no range of motion",
       .drop = {ConstraintId::kJointPosition}},
      {.name = "no_joint_velocity",
       .what = "joint speeds have no limit",
       .drop = {ConstraintId::kJointVelocity}},
      {.name = "no_torque",
       .what = "stops may need any torque",
       .drop = {ConstraintId::kTorque},
       .both = {{"limits.effort_max", 70.0}}},
      {.name = "no_power",
       .what = "power has no limit",
       .drop = {ConstraintId::kPower},
       .both = {{"limits.power_max", 100.0}}},
      {.name = "no_interaction_force",
       .what = "the wearer may be pushed at will",
       .drop = {ConstraintId::kInteractionForce}},
      {.name = "no_acceleration",
       .what = "torques may jump, and no gate holds them back",
       .drop = {ConstraintId::kAcceleration},
       .no_gate = true},
      {.name = "no_verification", .what = "the QP's answer is taken on trust", .drop_proof = true},
      {.name = "no_braking_tail",
       .what = "only the first moment of the manoeuvre is verified",
       .no_braking_tail = true},
      {.name = "no_wearer",
       .what = "the wearer is limp and the model exact",
       .overrides = {{"uncertainty.tracking_error", 0.0}}},
      {.name = "no_state_error",
       .what = "the state is known exactly",
       .overrides = {{"uncertainty.q_error", 0.0}, {"uncertainty.qd_error", 0.0}}},
      {.name = "no_reaction", .what = "torques act at once", .overrides = {{"reaction_s", 0.0}}},
  };
}

using ConstraintList = std::vector<std::shared_ptr<const safety::Constraint>>;

void Drop(const std::vector<ConstraintId>& ids, ConstraintList* list) {
  std::erase_if(*list, [&](const auto& constraint) {
    return std::find(ids.begin(), ids.end(), constraint->id()) != ids.end();
  });
}

}  // namespace

const std::vector<Mutant>& Mutants(robot::Kind kind) {
  static const std::vector<Mutant> wheelchair = Wheelchair(), arm = Arm(),
                                   exoskeleton = Exoskeleton();
  switch (kind) {
    case robot::Kind::kWheelchair:
      return wheelchair;
    case robot::Kind::kArm:
      return arm;
    default:
      return exoskeleton;
  }
}

StatusOr<Mutant> FindMutant(robot::Kind kind, const std::string& name) {
  std::vector<std::string> names;
  for (const Mutant& mutant : Mutants(kind)) {
    if (mutant.name == name) return mutant;
    names.push_back(mutant.name);
  }
  const std::optional<std::string> nearest = Nearest(name, names);
  return absl::NotFoundError(fmt::format(
      "mutant '{}': there is none of that name; {}", name,
      nearest ? fmt::format("did you mean '{}'?", *nearest) : "--list-mutants shows them"));
}

StatusOr<std::shared_ptr<const safety::SafetyModel>> LoadMutated(const std::string& robot_name,
                                                                 const Mutant& mutant) {
  std::vector<robot::Override> overrides = mutant.both;
  overrides.insert(overrides.end(), mutant.overrides.begin(), mutant.overrides.end());
  SAFERL_ASSIGN_OR_RETURN(auto loaded, safety::LoadSafetyModel(robot_name, overrides));
  auto edited = std::make_shared<safety::SafetyModel>(*loaded);
  Drop(mutant.drop, &edited->steering);
  Drop(mutant.drop, &edited->proof);
  if (mutant.drop_proof) {
    // The rate limit is the QP's own box; everything that needs a look ahead goes.
    std::erase_if(edited->proof, [](const auto& constraint) {
      return constraint->id() != ConstraintId::kAcceleration;
    });
  }
  if (mutant.no_braking_tail) {
    for (auto& constraint : edited->proof) {
      constraint = std::make_shared<FirstMoment>(constraint, edited->robot->period_s());
    }
  }
  return std::shared_ptr<const safety::SafetyModel>(std::move(edited));
}

}  // namespace saferl::sim
