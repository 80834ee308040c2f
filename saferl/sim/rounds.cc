#include "saferl/sim/rounds.h"

namespace saferl::sim {
namespace {

class Rounds final : public Skill {
 public:
  explicit Rounds(std::unique_ptr<Skill> inner) : inner_(std::move(inner)) {}

  int n_goals() const override { return inner_->n_goals(); }
  robot::Joints Toward(const Sight& sight, int, const Style& style) override {
    if (inner_->Reached(sight.robot, goal_)) goal_ = (goal_ + 1) % inner_->n_goals();
    return inner_->Toward(sight, goal_, style);
  }
  robot::Joints At(const Sight& sight, bool at_people) override {
    return inner_->At(sight, at_people);
  }
  robot::Joints BackOut(const Sight& sight, int) override { return inner_->BackOut(sight, goal_); }
  bool Reached(const robot::RobotState& state, int goal) const override {
    return inner_->Reached(state, goal);
  }

 private:
  std::unique_ptr<Skill> inner_;
  int goal_ = 0;
};

}  // namespace

std::unique_ptr<Skill> MakeRounds(std::unique_ptr<Skill> inner) {
  return std::make_unique<Rounds>(std::move(inner));
}

}  // namespace saferl::sim
