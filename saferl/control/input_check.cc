#include "saferl/control/input_check.h"
#include "saferl/base/clock.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace saferl::control {

namespace {

using robot::Joints;
using robot::Kind;
using safety::Reason;
using safety::ReasonSet;

constexpr double kFarAway_m = 1e5;  // no indoor coordinate is larger
constexpr double kMaxPartRadius_m = 2.0;
constexpr double kMaxPartLength_m = 4.0;
constexpr double kOutsideRange_rad =
    1.0;  // beyond its end stops by this much: not a position of this robot
constexpr double kImpossibleFactor = 10.0;  // times the command limit
constexpr double kFrozenTravel = 2e-3;      // [m, rad] beyond the measurement error
constexpr double kMovingShare = 0.05;       // of the command limit
constexpr int kFrozenSweeps = 3;
constexpr int kFrozenReturns = 8;  // finite beams that a repeated sweep needs to count
constexpr float kLidarMost_m = 1e4F;

/// NaN-safe: true only for numbers in [-bound, bound].
bool Within(double x, double bound) { return x >= -bound && x <= bound; }

bool WithinPoint(const math::Vec3& p) {
  return Within(p.x, kFarAway_m) && Within(p.y, kFarAway_m) && Within(p.z, kFarAway_m);
}

void CheckStamp(int64_t stamp_ns, int64_t now_ns, int64_t max_age_ns, Reason stale,
                int64_t* last_ns, ReasonSet* reasons) {
  if (stamp_ns > now_ns) reasons->Add(Reason::kClockFuture);
  if (stamp_ns < *last_ns) reasons->Add(Reason::kClockBackward);
  if (Elapsed(stamp_ns, now_ns) > max_age_ns) reasons->Add(stale);
  *last_ns = stamp_ns;
}

double RateBound(const robot::RobotModel& robot, int i) {
  const robot::Limits& limits = robot.limits();
  double bound = limits.qd_max[i];
  if (robot.kind() == Kind::kWheelchair)
    bound = std::max(std::abs(limits.command_lower[i]), std::abs(limits.command_upper[i]));
  return kImpossibleFactor * (std::isfinite(bound) && bound > 0 ? bound : 100.0);
}

bool PossibleState(const robot::RobotModel& robot, const robot::Observation& observation) {
  const robot::RobotState& state = observation.robot;
  const robot::Limits& limits = robot.limits();
  const bool wheelchair = robot.kind() == Kind::kWheelchair;
  for (int i = 0; i < PoseSize(robot); ++i) {
    if (!Within(state.q[i], kFarAway_m)) return false;
    if (wheelchair) continue;
    if (state.q[i] < limits.q_lower[i] - kOutsideRange_rad) return false;
    if (state.q[i] > limits.q_upper[i] + kOutsideRange_rad) return false;
  }
  for (int i = 0; i < robot.n(); ++i) {
    if (!Within(state.qd[i], RateBound(robot, i))) return false;
    if (!Within(observation.interaction[i], kFarAway_m)) return false;
  }
  return true;
}

bool PossiblePeople(const robot::Observation& observation) {
  if (observation.n_parts < 0 || observation.n_parts > robot::kMaxParts) return false;
  for (const robot::HumanPart& part : observation.people()) {
    const math::Capsule& c = part.capsule_W;
    if (!WithinPoint(c.a) || !WithinPoint(c.b)) return false;
    if (!(c.radius > 0 && c.radius <= kMaxPartRadius_m)) return false;
    if (math::Norm(c.b - c.a) > kMaxPartLength_m) return false;
    if (part.region >= robot::Region::kCount) return false;
  }
  return true;
}

bool PossibleLidar(const robot::Observation& observation) {
  if (observation.n_lidar < 0 || observation.n_lidar > robot::kMaxLidar) return false;
  bool possible = true;
  for (float range : observation.lidar()) possible &= range >= 0.0F;  // false for NaN
  return possible;
}

/// Values that stand still while the robot's own rates say that it moves.
bool FrozenState(const robot::RobotModel& robot, const robot::RobotState& state, double elapsed_s,
                 InputCheckData* data) {
  const Joints error = robot.state_error_q(), rate_error = robot.state_error_qd();
  const auto announced = [&](int i) {  // least movement that the measured rate implies
    return std::max(0.0, std::abs(state.qd[i]) - rate_error[i]) * elapsed_s;
  };
  bool frozen = false;
  if (robot.kind() == Kind::kWheelchair) {
    const bool moved = state.q[0] != data->q[0] || state.q[1] != data->q[1];
    const bool turned = state.q[2] != data->q[2];
    data->travel[0] = moved ? 0 : data->travel[0] + announced(0);
    data->travel[1] = turned ? 0 : data->travel[1] + announced(1);
    frozen = data->travel[0] > 2 * std::max(error[0], error[1]) + kFrozenTravel ||
             data->travel[1] > 2 * error[2] + kFrozenTravel;
  } else {
    for (int i = 0; i < robot.n(); ++i) {
      const bool moved = state.q[i] != data->q[i];
      data->travel[i] = moved ? 0 : data->travel[i] + announced(i);
      frozen |= data->travel[i] > 2 * error[i] + kFrozenTravel;
    }
  }
  data->q = state.q;
  return frozen;
}

/// A lidar that repeats every beam of a sweep with returns, several times, while the chair moves.
bool FrozenLidar(const robot::RobotModel& robot, const robot::Observation& observation,
                 bool new_sweep, InputCheckData* data) {
  if (!new_sweep || observation.n_lidar <= 0) return data->same_sweeps >= kFrozenSweeps;
  const size_t bytes = static_cast<size_t>(observation.n_lidar) * sizeof(float);
  const bool same = observation.n_lidar == data->n_lidar &&
                    std::memcmp(observation.lidar_m.data(), data->lidar_m.data(), bytes) == 0;
  if (!same) {
    std::memcpy(data->lidar_m.data(), observation.lidar_m.data(), bytes);
    data->n_lidar = observation.n_lidar;
    data->same_sweeps = 0;
    return false;
  }
  bool moving = false;
  for (int i = 0; i < robot.n(); ++i)
    moving |= std::abs(observation.robot.qd[i]) > kMovingShare * robot.limits().command_upper[i];
  const auto returns = std::count_if(observation.lidar().begin(), observation.lidar().end(),
                                     [](float range) { return range < kLidarMost_m; });
  if (moving && returns >= kFrozenReturns) ++data->same_sweeps;
  return data->same_sweeps >= kFrozenSweeps;
}

void CheckTickTime(const robot::RobotModel& robot, const TickLimits& limits, int64_t now_ns,
                   InputCheckData* data, ReasonSet* reasons) {
  if (!data->started) return;
  const int64_t elapsed = Elapsed(data->now_ns, now_ns);
  if (elapsed <= 0) reasons->Add(Reason::kClockBackward);
  const double periods = static_cast<double>(elapsed) * 1e-9 / robot.period_s();
  if (periods > 2.0) reasons->Add(Reason::kTickLate);
  if (periods > 1.5) {
    if (data->slipped && Elapsed(data->last_slip_ns, now_ns) <= limits.slip_window_ns)
      reasons->Add(Reason::kTickSlips);
    data->last_slip_ns = now_ns;
    data->slipped = true;
  }
}

void CheckHuman(const robot::RobotModel& robot, const TickLimits& limits, int64_t now_ns,
                const HumanInput& human, InputCheckData* data, InputCheckResult* result) {
  ReasonSet reasons;
  CheckStamp(human.stamp_ns, now_ns, limits.max_human_age_ns, Reason::kHumanStale,
             &data->human_stamp_ns, &reasons);
  if (!PossibleCommand(robot, human.u)) reasons.Add(Reason::kHumanInvalid);
  result->human_usable = reasons.empty();
  if (!human.enabled) reasons.Add(Reason::kEnableReleased);
  if (human.stop) reasons.Add(Reason::kStopRequested);
  result->reasons.Add(reasons);
}

void CheckPolicy(const robot::RobotModel& robot, const TickLimits& limits, int64_t now_ns,
                 const ExternalProposal& policy, InputCheckData* data, InputCheckResult* result) {
  if (!policy.present) {
    if (data->external_policy_seen) result->reasons.Add(Reason::kPolicyLate);
    return;
  }
  data->external_policy_seen = true;
  const bool sane_stamp = policy.stamp_ns <= now_ns && policy.stamp_ns >= data->policy_stamp_ns;
  data->policy_stamp_ns = policy.stamp_ns;
  if (!sane_stamp || !PossibleCommand(robot, policy.u)) {
    result->reasons.Add(Reason::kPolicyInvalid);
  } else if (Elapsed(policy.stamp_ns, now_ns) > limits.max_policy_age_ns) {
    result->reasons.Add(Reason::kPolicyLate);
  } else {
    result->policy_usable = true;
  }
}

void CheckPeople(const robot::RobotModel& robot, const TickLimits& limits, int64_t now_ns,
                 const robot::Observation& observation, InputCheckData* data, ReasonSet* reasons) {
  if (robot.kind() == Kind::kExoskeleton && observation.people_stamp_ns == 0) return;
  CheckStamp(observation.people_stamp_ns, now_ns, limits.max_people_age_ns, Reason::kPeopleStale,
             &data->people_stamp_ns, reasons);
  const int n = std::clamp(observation.n_parts, 0, robot::kMaxParts);
  for (int i = 0; i < n; ++i)
    if (observation.parts[static_cast<size_t>(i)].stamp_ns > now_ns)
      reasons->Add(Reason::kClockFuture);
}

void CheckObservation(const robot::RobotModel& robot, const TickLimits& limits, int64_t now_ns,
                      const robot::Observation& observation, InputCheckData* data,
                      InputCheckResult* result) {
  ReasonSet* reasons = &result->reasons;
  const bool first = !data->started;
  const int64_t elapsed_ns = Elapsed(data->state_stamp_ns, observation.robot.stamp_ns);
  const bool new_sweep = first || observation.lidar_stamp_ns != data->lidar_stamp_ns;
  if (observation.stamp_ns > now_ns) reasons->Add(Reason::kClockFuture);
  if (observation.stamp_ns < data->observation_stamp_ns) reasons->Add(Reason::kClockBackward);
  if (!first) {
    if (observation.sequence < data->observation_sequence) reasons->Add(Reason::kClockBackward);
    if (observation.sequence == data->observation_sequence &&
        observation.stamp_ns != data->observation_stamp_ns)
      reasons->Add(Reason::kSensorFrozen);
  }
  data->observation_sequence = observation.sequence;
  data->observation_stamp_ns = observation.stamp_ns;
  CheckStamp(observation.robot.stamp_ns, now_ns, limits.max_state_age_ns, Reason::kStateStale,
             &data->state_stamp_ns, reasons);
  CheckPeople(robot, limits, now_ns, observation, data, reasons);
  const bool needs_lidar = robot.kind() == Kind::kWheelchair;
  if (needs_lidar || observation.lidar_stamp_ns != 0)
    CheckStamp(observation.lidar_stamp_ns, now_ns, limits.max_lidar_age_ns, Reason::kLidarStale,
               &data->lidar_stamp_ns, reasons);
  const bool state = PossibleState(robot, observation);
  const bool people = PossiblePeople(observation);
  const bool lidar = PossibleLidar(observation);
  if (!state) reasons->Add(Reason::kStateInvalid);
  if (!people) reasons->Add(Reason::kPeopleInvalid);
  if (!lidar) reasons->Add(Reason::kLidarInvalid);
  result->observation_usable = state && people && lidar;
  if (!result->observation_usable) return;
  const double elapsed_s = first || elapsed_ns < 0 ? 0.0 : static_cast<double>(elapsed_ns) * 1e-9;
  if (first) data->q = observation.robot.q;
  if (FrozenState(robot, observation.robot, elapsed_s, data)) reasons->Add(Reason::kSensorFrozen);
  if (FrozenLidar(robot, observation, new_sweep, data)) reasons->Add(Reason::kSensorFrozen);
}

}  // namespace

int PoseSize(const robot::RobotModel& robot) {
  return robot.kind() == Kind::kWheelchair ? 3 : robot.n();
}

bool PossibleCommand(const robot::RobotModel& robot, const Joints& u) {
  const robot::Limits& limits = robot.limits();
  for (int i = 0; i < robot.n(); ++i) {
    const double limit =
        std::max(std::abs(limits.command_lower[i]), std::abs(limits.command_upper[i]));
    if (!Within(u[i], kImpossibleFactor * limit)) return false;
  }
  return true;
}

InputCheckResult CheckInputs(const robot::RobotModel& robot, const TickLimits& limits,
                             int64_t now_ns, const robot::Observation& observation,
                             const HumanInput& human, const ExternalProposal& policy,
                             InputCheckData* data) {
  InputCheckResult result;
  CheckTickTime(robot, limits, now_ns, data, &result.reasons);
  CheckObservation(robot, limits, now_ns, observation, data, &result);
  CheckHuman(robot, limits, now_ns, human, data, &result);
  CheckPolicy(robot, limits, now_ns, policy, data, &result);
  data->now_ns = now_ns;
  data->started = true;
  return result;
}

}  // namespace saferl::control
