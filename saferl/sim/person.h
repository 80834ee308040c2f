#pragma once
// Simulated people who drive: a Skill (what a person wants the robot to do) seen through a habit
// (what arrives at the stick). One interface for all robots; a function of what that person sees,
// never of the filter.
//
//   expert          follows the way to the goal at a comfortable pace
//   novice          late (0.3 s), coarse (full deflections), oversteers, cuts corners
//   laggy           the expert, but ten times a second the last command is repeated with
//                   probability 0.85: held for 0.67 s on average, sometimes for seconds
//   noisy           a third of the time the stick goes anywhere for a moment
//   tremor          the expert plus a 4 to 8 Hz tremble of up to half the range
//   biased          a constant pull to one side
//   absent          no input at all for seconds, from time to time
//   goal_switching  changes the goal every few seconds, the meant one last
//   hostile         full speed at people and walls
//
// Units: the robot's command unit. Errors: none. RT: no. Deterministic for a seed.
// Source: pilots of Reddy et al. (RSS 2018), who repeat the last action with a fixed probability,
// and Schaff & Walter (RSS 2020) for laggy and noisy; physiological and essential tremor bands for
// tremor (4 to 8 Hz).

#include <array>
#include <cstdint>
#include <memory>
#include <string_view>

#include "saferl/base/random.h"
#include "saferl/base/status.h"
#include "saferl/control/proposal.h"
#include "saferl/sim/skill.h"

namespace saferl::sim {

enum class PersonKind : uint8_t {
  kExpert,
  kNovice,
  kLaggy,
  kNoisy,
  kTremor,
  kBiased,
  kAbsent,
  kGoalSwitching,
  kHostile,
  kCount,
};
inline constexpr int kNumPersonKinds = static_cast<int>(PersonKind::kCount);
std::string_view Name(PersonKind kind);
/// By name; an unknown one is an error that lists all.
StatusOr<PersonKind> ParsePersonKind(std::string_view name);

class Person {
 public:
  /// `goal` is the one that the person means.
  Person(PersonKind kind, uint64_t seed, std::unique_ptr<Skill> skill,
         std::shared_ptr<const robot::RobotModel> robot, int goal);

  /// What the person's device says now. Absent people leave `stamp_ns` and `sequence` where they
  /// were.
  control::HumanInput Act(const Sight& sight);
  PersonKind kind() const { return kind_; }
  /// The goal the person steers to at the moment.
  int goal() const { return now_goal_; }
  const Skill& skill() const { return *skill_; }

 private:
  static constexpr int kHistory = 64;
  robot::Joints Want(const Sight& sight);
  robot::Joints Delayed(const robot::Joints& u, int64_t now_ns, double delay_s);
  robot::Joints Unstick(const Sight& sight, const robot::Joints& u);
  robot::Joints RandomStick();
  void ChooseGoal(double t_s);

  PersonKind kind_;
  Random random_;
  std::unique_ptr<Skill> skill_;
  std::shared_ptr<const robot::RobotModel> robot_;
  int meant_goal_, now_goal_;
  control::HumanInput input_;
  int64_t begin_ns_ = -1;
  double next_change_s_ = 0;  ///< of noise, absence or goal
  bool odd_now_ = false;      ///< in such an episode
  robot::Joints held_{};      ///< random stick, or the laggy person's last command
  double held_until_s_ = -1;
  double stuck_since_s_ = 0, unstick_until_s_ = -1;
  robot::Joints stuck_at_{};                    ///< where progress was last seen
  std::array<double, robot::kMaxDof> share_{};  ///< of the bias or the tremble, per component
  std::array<double, robot::kMaxDof> phase_{}, frequency_hz_{};
  std::array<robot::Joints, kHistory> past_{};  ///< ring of wanted commands
  std::array<int64_t, kHistory> past_ns_{};
  int n_past_ = 0;
};

}  // namespace saferl::sim
