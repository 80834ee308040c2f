#include "saferl/sim/person.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "fmt/format.h"
#include "fmt/ranges.h"

namespace saferl::sim {
namespace {

constexpr std::array<std::string_view, kNumPersonKinds> kNames = {
    "expert", "novice", "laggy",          "noisy",  "tremor",
    "biased", "absent", "goal_switching", "hostile"};

constexpr double kRepeats = 0.85, kDecision_s = 0.1;  // of laggy people
constexpr double kPatience_s = 1.5;                   // no progress against one's will
constexpr double kProgress = 0.10;                    // [m or rad] that counts as progress
constexpr double kTurned_rad = 0.4;  // a chair that swings to and fro by less does not get on
constexpr double kBackOut_s = 2.0;

/// Largest deflection of component i, in the command unit (finite also where the robot has no
/// limit).
double Reach(const robot::RobotModel& robot, int i) {
  const double reach = std::min(robot.limits().command_upper[i], -robot.limits().command_lower[i]);
  return std::isfinite(reach) ? std::max(reach, 0.0) : 1.0;
}

double Range(const robot::RobotModel& robot, int i) {
  const double range = std::max(robot.limits().command_upper[i], -robot.limits().command_lower[i]);
  return std::isfinite(range) ? range : 1.0;
}

}  // namespace

std::string_view Name(PersonKind kind) {
  return kind < PersonKind::kCount ? kNames[static_cast<size_t>(kind)] : "unknown";
}

StatusOr<PersonKind> ParsePersonKind(std::string_view name) {
  for (size_t i = 0; i < kNames.size(); ++i) {
    if (kNames[i] == name) return static_cast<PersonKind>(i);
  }
  return absl::InvalidArgumentError(
      fmt::format("person: '{}' is not one of {}", name, fmt::join(kNames, ", ")));
}

Person::Person(PersonKind kind, uint64_t seed, std::unique_ptr<Skill> skill,
               std::shared_ptr<const robot::RobotModel> robot, int goal)
    : kind_(kind),
      random_(seed, 1000 + static_cast<uint64_t>(kind)),
      skill_(std::move(skill)),
      robot_(std::move(robot)),
      meant_goal_(goal),
      now_goal_(goal) {
  for (int i = 0; i < robot_->n(); ++i) {
    share_[i] = random_.Uniform(0.25, 0.40) * (random_.Chance(0.5) ? 1.0 : -1.0);
    phase_[i] = random_.Uniform(0.0, 2 * std::numbers::pi);
    frequency_hz_[i] = random_.Uniform(4.0, 8.0);
  }
  // A chair is pulled to a side, not forward or back.
  if (robot_->kind() == robot::Kind::kWheelchair && kind_ == PersonKind::kBiased) share_[0] = 0;
}

control::HumanInput Person::Act(const Sight& sight) {
  if (begin_ns_ < 0) begin_ns_ = sight.now_ns;
  const double t = 1e-9 * static_cast<double>(sight.now_ns - begin_ns_);
  ChooseGoal(t);
  robot::Joints u = Want(sight);
  if (kind_ != PersonKind::kHostile) u = Unstick(sight, u);
  const int n = robot_->n();
  switch (kind_) {
    case PersonKind::kNovice: {
      u = Delayed(u, sight.now_ns, 0.3);
      for (int i = 0; i < n; ++i) {
        const double step = 0.5 * Range(*robot_, i);
        u[i] = step * std::round(u[i] / step);
      }
      break;
    }
    case PersonKind::kLaggy:
      if (t >= held_until_s_) {
        held_until_s_ = t + kDecision_s;
        if (!random_.Chance(kRepeats)) held_ = u;
      }
      u = held_;
      break;
    case PersonKind::kNoisy:
      if (t >= next_change_s_) {
        odd_now_ = random_.Chance(0.35);
        held_ = RandomStick();
        next_change_s_ = t + random_.Uniform(0.15, 0.45);
      }
      if (odd_now_) u = held_;
      break;
    case PersonKind::kTremor:
      for (int i = 0; i < n; ++i) {
        const double swell = 0.75 + 0.25 * std::sin(0.9 * t + phase_[i]);
        u[i] += 1.25 * std::abs(share_[i]) * swell * Reach(*robot_, i) *
                std::sin(2 * std::numbers::pi * frequency_hz_[i] * t + phase_[i]);
      }
      break;
    case PersonKind::kBiased:
      for (int i = 0; i < n; ++i) u[i] += share_[i] * Reach(*robot_, i);
      break;
    case PersonKind::kAbsent:
      if (t >= next_change_s_) {
        odd_now_ = t > 1.0 && !odd_now_;
        next_change_s_ = t + (odd_now_ ? random_.Uniform(0.5, 2.0) : random_.Uniform(3.0, 7.0));
      }
      if (odd_now_) return input_;
      break;
    case PersonKind::kExpert:
    case PersonKind::kGoalSwitching:
    case PersonKind::kHostile:
    case PersonKind::kCount:
      break;
  }
  for (int i = 0; i < n; ++i) {
    u[i] = std::clamp(u[i], robot_->limits().command_lower[i], robot_->limits().command_upper[i]);
  }
  input_.stamp_ns = sight.now_ns;
  ++input_.sequence;
  input_.u = u;
  return input_;
}

robot::Joints Person::Want(const Sight& sight) {
  if (kind_ == PersonKind::kHostile) {
    const double t = 1e-9 * static_cast<double>(sight.now_ns - begin_ns_);
    if (t >= next_change_s_) {
      odd_now_ = random_.Chance(0.6);
      next_change_s_ = t + random_.Uniform(2.0, 6.0);
    }
    return skill_->At(sight, odd_now_);
  }
  Style style;
  if (kind_ == PersonKind::kNovice)
    style = {.ahead_m = 1.6, .gain = 1.8, .pace = 0.9, .careful = false};
  return skill_->Toward(sight, now_goal_, style);
}

robot::Joints Person::Delayed(const robot::Joints& u, int64_t now_ns, double delay_s) {
  past_[static_cast<size_t>(n_past_ % kHistory)] = u;
  past_ns_[static_cast<size_t>(n_past_ % kHistory)] = now_ns;
  ++n_past_;
  const int64_t wanted_ns = now_ns - static_cast<int64_t>(1e9 * delay_s);
  // The newest command that is at least that old; before the first one the stick rests.
  for (int age = 0; age < std::min(n_past_, kHistory); ++age) {
    const size_t at = static_cast<size_t>((n_past_ - 1 - age) % kHistory);
    if (past_ns_[at] <= wanted_ns) return past_[at];
  }
  return {};
}

robot::Joints Person::Unstick(const Sight& sight, const robot::Joints& u) {
  const double t = 1e-9 * static_cast<double>(sight.now_ns - begin_ns_);
  if (t < unstick_until_s_) return skill_->BackOut(sight, now_goal_);
  double wish = 0, moved = 0;
  for (int i = 0; i < robot_->n(); ++i) {
    wish = std::max(wish, std::abs(u[i]) / Range(*robot_, i));
  }
  const bool chair = robot_->kind() == robot::Kind::kWheelchair;
  for (int i = 0; i < robot::kMaxDof; ++i) {
    const double enough = chair && i == 2 ? kTurned_rad : kProgress;
    moved = std::max(moved, std::abs(sight.robot.q[i] - stuck_at_[i]) / enough);
  }
  if (wish < 0.05 || moved > 1) {
    stuck_since_s_ = t;
    stuck_at_ = sight.robot.q;
  } else if (t - stuck_since_s_ > kPatience_s) {
    unstick_until_s_ = t + kBackOut_s;
    stuck_since_s_ = unstick_until_s_;
  }
  return u;
}

robot::Joints Person::RandomStick() {
  robot::Joints u{};
  for (int i = 0; i < robot_->n(); ++i) {
    u[i] = random_.Uniform(std::max(robot_->limits().command_lower[i], -Range(*robot_, i)),
                           std::min(robot_->limits().command_upper[i], Range(*robot_, i)));
  }
  return u;
}

void Person::ChooseGoal(double t_s) {
  if (kind_ != PersonKind::kGoalSwitching || skill_->n_goals() < 2) return;
  constexpr double kDecided_s = 12.0;
  if (t_s >= kDecided_s) {
    now_goal_ = meant_goal_;
  } else if (t_s >= next_change_s_) {
    now_goal_ = random_.Index(skill_->n_goals());
    next_change_s_ = t_s + random_.Uniform(2.5, 5.0);
  }
}

}  // namespace saferl::sim
