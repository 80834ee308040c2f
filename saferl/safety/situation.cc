#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include "saferl/base/clock.h"
#include "saferl/math/trig.h"
#include "saferl/safety/certificate.h"
#include "saferl/safety/constraints/constraints.h"

// The lidar's polygon. Between two neighbouring beams nothing is seen, so the polygon's edge
// between their hits is taken as solid: a wall where both hit it, and beside an obstacle's end the
// border of what lies hidden behind it. A robot inside the polygon therefore never drives into what
// it has not seen. Only edges near the robot are kept.

namespace saferl::safety {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr int kMaxStatic = robot::kMaxLidar + 32;

void AddPeople(const SafetyModel& model, const robot::Observation& observation, int64_t now_ns,
               Situation* s) {
  s->n_people = observation.n_parts;
  if (s->n_people < 0 || s->n_people > robot::kMaxParts) {
    // A count that cannot be: one part that poisons every proof.
    s->n_people = 1;
    s->part_W[0] = {{kNan, kNan, kNan}, {kNan, kNan, kNan}, kNan};
    s->part_speed_m_s[0] = s->part_grown_m[0] = kNan;
    s->part_region[0] = robot::Region::kPedestrian;
    return;
  }
  for (int i = 0; i < s->n_people; ++i) {
    const robot::HumanPart& part = observation.parts[i];
    const double speed =
        robot::IsReaching(part.region) ? model.human.reach_speed_m_s : model.human.body_speed_m_s;
    const double age_s = Seconds(std::max<int64_t>(0, Elapsed(part.stamp_ns, now_ns)));
    s->part_W[i] = part.capsule_W;
    s->part_speed_m_s[i] = speed;
    s->part_grown_m[i] = model.human.error_m + speed * age_s;
    s->part_region[i] = part.region < robot::Region::kCount ? part.region : robot::Region::kSkull;
  }
}

/// How far the middle of a wheeled base can get until rest, generously.
double TravelBound_m(const robot::RobotModel& robot, double speed_m_s) {
  const double v = speed_m_s + robot.limits().command_rate[0] * robot.period_s();
  const double hold = robot.hold_s() + robot.state_age_s() + 2 * robot.period_s();
  return 1.3 * (v * hold + 0.5 * v * v / robot.limits().brake[0]) + 0.2;
}

/// Beam 0 points backward, the others follow counter-clockwise.
void AimBeams(int n, Situation* s) {
  if (s->n_beams == n) return;
  for (int i = 0; i < n; ++i) {
    const math::SinCosPair beam =
        math::SinCos(-std::numbers::pi + 2 * std::numbers::pi / n * static_cast<double>(i));
    s->beam_cos[i] = beam.cos;
    s->beam_sin[i] = beam.sin;
  }
  s->n_beams = n;
}

void AddLidar(const SafetyModel& model, const robot::Observation& observation, double speed_m_s,
              Situation* s) {
  const int n = observation.n_lidar;
  if (n < 3 || n > robot::kMaxLidar) {
    // A base that sees nothing has no proof.
    s->static_W[s->n_static++] = {{kNan, kNan, kNan}, {kNan, kNan, kNan}, kNan};
    return;
  }
  AimBeams(n, s);
  const double step = 2 * std::numbers::pi / n;
  const double cos_yaw = s->placement.cos_yaw, sin_yaw = s->placement.sin_yaw;
  const math::Vec3 l = model.p_BLidar;
  const double x = s->placement.x + cos_yaw * l.x - sin_yaw * l.y;
  const double y = s->placement.y + sin_yaw * l.x + cos_yaw * l.y;
  // Ranges beyond `far_m` lie outside the disc whatever the bearing.
  const double far_m =
      (s->static_reach_m + std::sqrt(l.x * l.x + l.y * l.y)) / std::cos(0.5 * step);
  // Robot and lidar may have been measured at different times.
  const double lag_s =
      Seconds(std::abs(Elapsed(observation.lidar_stamp_ns, observation.robot.stamp_ns)));
  const double turn_rad_s = std::max(std::abs(observation.robot.qd[1]), std::abs(s->previous[1]));
  const double moved = lag_s > 0 ? lag_s * (speed_m_s + turn_rad_s * far_m) : 0.0;
  // The ranges are relative to the body: shapes are placed from the same measured pose that the
  // sweep starts from, so the pose's own error, which every reach_m contains, does not stand
  // between them.
  const robot::Joints pose_error = model.robot->state_error_q();
  const double shared_m =
      std::hypot(pose_error[0], pose_error[1]) + model.base_radius_m * pose_error[2];
  const auto end_of = [&](int i, double range) -> math::Vec3 {
    const double c = cos_yaw * s->beam_cos[i] - sin_yaw * s->beam_sin[i];
    const double sn = sin_yaw * s->beam_cos[i] + cos_yaw * s->beam_sin[i];
    return {x + range * c, y + range * sn, 0};
  };
  for (int i = 0; i < n; ++i) {
    const int next = i + 1 < n ? i + 1 : 0;
    const double r0 = static_cast<double>(observation.lidar_m[i]);
    const double r1 = static_cast<double>(observation.lidar_m[next]);
    const double nearer = std::min(r0, r1);
    if (nearer > far_m) continue;
    const double unseen = std::max(model.lidar_fill_m, nearer * step);
    // A range that is not a number must not be lost in std::min.
    const double poison = (r0 < 0 || r1 < 0 || std::isnan(r0 + r1)) ? kNan : 0.0;
    s->static_W[s->n_static++] = {end_of(i, std::min(r0, far_m)), end_of(next, std::min(r1, far_m)),
                                  model.lidar_error_m + unseen + moved - shared_m + poison};
  }
}

void AddStatic(const SafetyModel& model, const robot::Observation& observation, Situation* s) {
  s->n_static = 0;
  s->static_reach_m = std::numeric_limits<double>::infinity();
  s->static_center_W = {};
  if (model.base_radius_m > 0) {
    const double speed =
        std::max(std::abs(observation.robot.qd[0]) + model.robot->state_error_qd()[0],
                 std::abs(s->previous[0]));
    s->static_center_W = {s->placement.x, s->placement.y, 0};
    s->static_reach_m =
        model.base_radius_m + TravelBound_m(*model.robot, speed) + kReportedClearance_m;
    AddLidar(model, observation, speed, s);
  }
  for (const math::Capsule& shape : model.keep_out_W) {
    if (s->n_static < kMaxStatic) s->static_W[s->n_static++] = shape;
  }
}

}  // namespace

void AssembleSituation(const SafetyModel& model, const robot::Observation& observation,
                       int64_t now_ns, const robot::Joints& previous, Situation* s) {
  s->robot = model.robot.get();
  s->observation = &observation;
  s->human = &model.human;
  s->now_ns = now_ns;
  const int64_t age_ns = Elapsed(observation.robot.stamp_ns, now_ns);
  s->state_usable = age_ns >= 0 && Seconds(age_ns) <= model.robot->state_age_s() + 1e-9;
  s->previous = previous;
  s->brake = model.robot->Brake(observation.robot, previous);
  s->base_radius_m = model.base_radius_m;
  s->creep_reach_m = model.creep_reach_m;
  model.robot->Place(observation.robot.q, &s->placement);
  AddPeople(model, observation, now_ns, s);
  AddStatic(model, observation, s);
}

}  // namespace saferl::safety
