#include "saferl/safety/assumptions.h"
#include "saferl/base/clock.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace saferl::safety {
namespace {

double Seconds(int64_t ns) { return 1e-9 * static_cast<double>(ns); }

double Squared(math::Vec3 a, math::Vec3 b) { return math::Dot(a - b, a - b); }

/// Square of how far the farther end of the capsule moved, whichever end is called a: a metric.
/// Anything up to `enough` is as good as zero.
double MovedSquared(const math::Capsule& now, const PartHistory::Measurement& old, double enough) {
  const double same = std::max(Squared(now.a, old.a_W), Squared(now.b, old.b_W));
  if (same <= enough) return same;
  return std::min(same, std::max(Squared(now.a, old.b_W), Squared(now.b, old.a_W)));
}

PartHistory& HistoryOf(const robot::HumanPart& part, int index, AssumptionData* data) {
  const auto is = [&](const PartHistory& h) {
    return h.used && h.person == part.person && h.track == part.track;
  };
  if (is(data->part[index])) return data->part[index];
  for (PartHistory& h : data->part) {
    if (is(h)) return h;
  }
  PartHistory* oldest = data->part.data();
  for (PartHistory& h : data->part) {
    if (!h.used) {
      oldest = &h;
      break;
    }
    if (h.last_seen_ns < oldest->last_seen_ns) oldest = &h;
  }
  *oldest = PartHistory{};
  oldest->person = part.person;
  oldest->track = part.track;
  return *oldest;
}

/// Makes room: the measurement that leads the next one by the least goes.
void ForgetLeast(double speed, PartHistory* h) {
  int least = 0;
  double least_lead = std::numeric_limits<double>::infinity();
  for (int k = 0; k + 1 < h->n; ++k) {
    const PartHistory::Measurement &old = h->kept[k], &next = h->kept[k + 1];
    const double lead = std::sqrt(MovedSquared({next.a_W, next.b_W, 0}, old, 0)) -
                        speed * Seconds(Elapsed(old.stamp_ns, next.stamp_ns));
    if (lead < least_lead) {
      least = k;
      least_lead = lead;
    }
  }
  std::copy(h->kept.begin() + least + 1, h->kept.begin() + h->n, h->kept.begin() + least);
  --h->n;
}

/// |displacement| <= 2 epsilon + v_h |dt| for every pair of measurements, or v_h or epsilon was
/// broken.
void CheckPart(const robot::HumanPart& part, double speed, double slack, PartHistory* h,
               ReasonSet* reasons) {
  const int last = h->n - 1;
  int kept = 0;
  for (int k = 0; k <= last; ++k) {
    const PartHistory::Measurement& old = h->kept[k];
    const int64_t age_ns = Elapsed(old.stamp_ns, part.stamp_ns);
    const double free = speed * Seconds(std::abs(age_ns)), limit = slack + free;
    const double moved = MovedSquared(part.capsule_W, old, free * free);
    const bool possible = moved <= limit * limit;
    if (k == last && !possible) reasons->Add(Reason::kPersonJumped);
    if (age_ns > PartHistory::kWindow_ns) continue;
    if (k < last && !possible) reasons->Add(Reason::kPersonTooFast);
    if (age_ns >= 0 && moved <= free * free) continue;
    if (kept < k) h->kept[kept] = old;
    ++kept;
  }
  h->n = kept;
  if (h->n == PartHistory::kKept) ForgetLeast(speed, h);
  h->used = true;
  h->kept[h->n++] = {part.capsule_W.a, part.capsule_W.b, part.stamp_ns};
}

void CheckPeople(const SafetyModel& safety, const AssumptionModel& model,
                 const robot::Observation& observation, int64_t now_ns, AssumptionData* data,
                 ReasonSet* reasons) {
  const int n = std::clamp(observation.n_parts, 0, robot::kMaxParts);
  const double slack = 2 * safety.human.error_m + model.position_tolerance;
  for (int i = 0; i < n; ++i) {
    const robot::HumanPart& part = observation.parts[i];
    const double speed =
        robot::IsReaching(part.region) ? safety.human.reach_speed_m_s : safety.human.body_speed_m_s;
    PartHistory& history = HistoryOf(part, i, data);
    CheckPart(part, speed, slack, &history, reasons);
    history.last_seen_ns = now_ns;
  }
}

void Remember(const robot::Joints& previous, int64_t now_ns, AssumptionData* data) {
  if (data->started) {
    const int keep = std::min(data->n_sent, AssumptionData::kMaxInFlight - 1);
    for (int k = keep; k > 0; --k) {
      data->sent[k] = data->sent[k - 1];
      data->sent_ns[k] = data->sent_ns[k - 1];
    }
    data->sent[0] = previous;
    data->sent_ns[0] = data->last_now_ns;
    data->n_sent = keep + 1;
  }
  data->started = true;
  data->last_now_ns = now_ns;
}

/// The rates that component i can have at the state's stamp: everything between the commands that
/// can still act.
struct Hull {
  double low = 0, high = 0;
  double oldest = 0, newest = 0;
};

Hull RatesInFlight(const robot::RobotModel& robot, const robot::Observation& observation,
                   const AssumptionData& data, int i) {
  // A command acts within the reaction time and is followed within one more period; it was sent up
  // to one before.
  const int64_t stamp = observation.robot.stamp_ns;
  const auto window_ns = static_cast<int64_t>(1e9 * (robot.reaction_s() + 2 * robot.period_s()));
  const auto hold_ns = static_cast<int64_t>(1e9 * robot.hold_s());
  Hull hull;
  int64_t next_ns = stamp;
  for (int k = 0; k < data.n_sent; ++k) {
    const double u = data.sent[k][i];
    if (k == 0) hull = {u, u, u, u};
    hull.low = std::min(hull.low, u);
    hull.high = std::max(hull.high, u);
    hull.oldest = u;
    // Commands that ran out leave the robot braking by itself: anything down to rest.
    if (Elapsed(data.sent_ns[k], next_ns) > hold_ns) {
      hull.low = std::min(hull.low, 0.0);
      hull.high = std::max(hull.high, 0.0);
    }
    next_ns = data.sent_ns[k];
    if (Elapsed(next_ns, stamp) > window_ns) return hull;
  }
  // The past before the first remembered command was standstill.
  hull.low = std::min(hull.low, 0.0);
  hull.high = std::max(hull.high, 0.0);
  return hull;
}

void CheckTracking(const robot::RobotModel& robot, const AssumptionModel& model,
                   const robot::Observation& observation, const AssumptionData& data,
                   ReasonSet* reasons) {
  if (robot.kind() == robot::Kind::kExoskeleton) return;
  const robot::Joints error = robot.state_error_qd(), tracking = robot.tracking_error();
  for (int i = 0; i < robot.n(); ++i) {
    const Hull hull = RatesInFlight(robot, observation, data, i);
    const double allowed = error[i] + tracking[i] + model.rate_tolerance;
    const double rate = observation.robot.qd[i];
    const double excess = std::max(rate - hull.high, hull.low - rate);
    if (excess <= allowed) continue;
    // Faster than every command that can act, while the commands slow down: the brakes are weaker
    // than rated.
    const bool slowing = std::abs(hull.newest) < std::abs(hull.oldest);
    const bool faster = std::abs(rate) > std::max(std::abs(hull.low), std::abs(hull.high));
    reasons->Add(slowing && faster ? Reason::kBrakeFade : Reason::kTrackingError);
  }
}

bool Moves(const robot::RobotModel& robot, const robot::Observation& observation,
           const robot::Joints& previous) {
  const robot::Joints error = robot.state_error_qd();
  for (int i = 0; i < robot.n(); ++i) {
    if (std::abs(observation.robot.qd[i]) > 2 * error[i] || previous[i] != 0) return true;
  }
  return false;
}

/// How far the measured body may be from the true one [m].
double PlacementError_m(const SafetyModel& safety) {
  const robot::Joints error = safety.robot->state_error_q();
  if (safety.base_radius_m > 0)
    return std::hypot(error[0], error[1]) + safety.base_radius_m * error[2];
  constexpr double kLongestLever_m = 1.5;
  double sum = 0;
  for (int i = 0; i < safety.robot->n(); ++i) sum += kLongestLever_m * error[i];
  return sum;
}

void CheckOverlap(const SafetyModel& safety, const robot::Observation& observation, int64_t now_ns,
                  ReasonSet* reasons) {
  std::array<math::Capsule, robot::kMaxParts> part;
  size_t n = 0;
  double speed = 0;
  int64_t oldest_ns = 0;
  for (int i = 0; i < std::clamp(observation.n_parts, 0, robot::kMaxParts); ++i) {
    const robot::HumanPart& one = observation.parts[i];
    const auto region = static_cast<size_t>(one.region);
    if (region >= safety.by_contact.size() || safety.by_contact[region]) continue;
    oldest_ns = std::max(oldest_ns, Elapsed(one.stamp_ns, now_ns));
    speed = std::max(safety.human.body_speed_m_s, safety.human.reach_speed_m_s);
    part[n++] = one.capsule_W;
  }
  if (n == 0) return;
  robot::Placement placement;
  safety.robot->Place(observation.robot.q, &placement);
  const std::array<double, robot::kMaxLinks> reach{};
  const double allowed =
      safety.human.error_m + PlacementError_m(safety) + speed * Seconds(oldest_ns);
  const double clearance = safety.robot->Clearance(placement, {part.data(), n}, reach, -allowed);
  if (!(clearance >= -allowed)) reasons->Add(Reason::kConstraintViolated);
}

void CheckConstraints(const SafetyModel& safety, const AssumptionModel& model,
                      const robot::Observation& observation, int64_t now_ns,
                      const robot::Joints& previous, ReasonSet* reasons) {
  const robot::RobotModel& robot = *safety.robot;
  if (robot.kind() != robot::Kind::kWheelchair) {
    const robot::Limits& limits = robot.limits();
    const robot::Joints q_error = robot.state_error_q(), qd_error = robot.state_error_qd();
    for (int i = 0; i < robot.n(); ++i) {
      const double q = observation.robot.q[i], slack = q_error[i] + model.position_tolerance;
      const bool inside = q >= limits.q_lower[i] - slack && q <= limits.q_upper[i] + slack;
      const bool slow = std::abs(observation.robot.qd[i]) <=
                        limits.qd_max[i] + qd_error[i] + model.rate_tolerance;
      if (!inside || !slow) reasons->Add(Reason::kConstraintViolated);
    }
  }
  if (robot.kind() == robot::Kind::kExoskeleton) return;
  if (Moves(robot, observation, previous)) CheckOverlap(safety, observation, now_ns, reasons);
}

}  // namespace

ReasonSet CheckAssumptions(const SafetyModel& safety, const AssumptionModel& model,
                           const robot::Observation& observation, int64_t now_ns,
                           const robot::Joints& previous, AssumptionData* data) {
  ReasonSet reasons;
  Remember(previous, now_ns, data);
  CheckPeople(safety, model, observation, now_ns, data, &reasons);
  CheckTracking(*safety.robot, model, observation, *data, &reasons);
  CheckConstraints(safety, model, observation, now_ns, previous, &reasons);
  return reasons;
}

}  // namespace saferl::safety
