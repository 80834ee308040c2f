// Bounds for robots whose braking keeps the path: who can be where, when. Derivations here are the
// certifier's own.
//
// A command k, issued at t_k, acts from some moment in [t_k, t_k + reaction] until its successor
// does, and the rates then run to the successor within a period (the rate limit sees to that). At a
// moment t the rates are therefore inside the hull of the commands with
// t_(k+1) + reaction + period > t, which bounds their distance to the command under test. Summing
// that distance over t gives `integral`.

#include <algorithm>
#include <cmath>
#include <limits>

#include "saferl/base/clock.h"
#include "saferl/safety/certifier/models.h"

namespace saferl::safety::certifier {

bool AllFinite(const robot::Joints& v, int n) {
  return std::all_of(v.begin(), v.begin() + n, [](double x) { return std::isfinite(x); });
}

double BrakeShare(const RobotData& data, const robot::Joints& u) {
  double share = std::numeric_limits<double>::infinity();
  for (int i = 0; i < data.n; ++i) {
    if (u[i] != 0) share = std::min(share, data.brake[i] / std::abs(u[i]));
  }
  return share;
}

Straying StrayBound(const RobotData& data, const TickRecord& record, const CertifierData& chain,
                    double age_s) {
  constexpr int kMost = CertifierData::kRemembered + 1;
  // Older commands, newest first, with the last moment (from now) at which each can still be felt.
  std::array<robot::Joints, kMost> older{};
  std::array<double, kMost> felt_until{};
  int n = 0;
  robot::Joints successor = record.command;
  double successor_at = 0;
  const auto add = [&](const robot::Joints& u, double issued_s) {
    // Commands differ by what rated slewing does in one period, so that long they settle.
    const bool differs = u != successor;
    const double settle = differs ? data.period_s : 0.0;
    older[n] = u;
    felt_until[n++] = successor_at + data.reaction_s + settle;
    successor = u;
    successor_at = issued_s;
  };
  add(record.previous, -data.period_s);
  for (int k = 1; k < chain.n_sent && n < kMost; ++k) {
    add(chain.sent[k], Seconds(Elapsed(record.now_ns, chain.sent_ns[k])));
    if (felt_until[n - 1] < -age_s) break;
  }

  Straying stray;
  stray.lasts_s = 0;
  for (int i = 0; i < data.n; ++i) {
    // Walk back in time: between two ends of being felt, every command felt later counts.
    double widest = 0, upto = std::numeric_limits<double>::lowest();
    for (int k = 0; k < n; ++k) upto = std::max(upto, felt_until[k]);
    double at = upto;
    while (at > -age_s) {
      double next = -age_s;
      for (int k = 0; k < n; ++k) {
        if (felt_until[k] >= at)
          widest = std::max(widest, std::abs(older[k][i] - record.command[i]));
        if (felt_until[k] < at) next = std::max(next, felt_until[k]);
      }
      stray.integral[i] += widest * (at - next);
      at = next;
    }
    stray.rate[i] = widest;
    if (widest > 0) stray.lasts_s = std::max(stray.lasts_s, upto);
  }
  return stray;
}

double LatestMoment(double sigma, double rho, double hold_s, double period_s) {
  // Brake commands come every period and each acts within the reaction time, so a robot that still
  // moves at t moved at t' < t with at least the share rho (t - t' - wait): it has come at least
  // this far.
  const double wait = hold_s + period_s;
  const double ramp = 0.5 / rho;  // path of a whole braking
  const double after = sigma < ramp ? std::sqrt(2.0 * sigma / rho) : sigma + ramp;
  return std::min(wait + after, hold_s + 1.0 / rho);
}

double Growth(const RobotData& data, const robot::HumanPart& part, int64_t now_ns, double later_s) {
  const double age = std::max(0.0, Seconds(Elapsed(part.stamp_ns, now_ns)));
  const double speed = robot::IsReaching(part.region) ? data.reach_speed_m_s : data.body_speed_m_s;
  return data.human_error_m + data.intrusion_m + speed * (age + later_s);
}

bool IsPathBraking(const RobotData& data, const robot::Joints& previous, const robot::Joints& u) {
  const double share = std::max(0.0, 1.0 - BrakeShare(data, previous) * data.period_s);
  double along = 0, size2 = 0;
  for (int i = 0; i < data.n; ++i) {
    along += u[i] * previous[i];
    size2 += previous[i] * previous[i];
  }
  const double kappa = size2 > 0 ? along / size2 : 0.0;
  if (!(kappa >= 0 && kappa <= share + 1e-9)) return false;
  for (int i = 0; i < data.n; ++i) {
    if (!(std::abs(u[i] - kappa * previous[i]) <= 1e-9)) return false;
  }
  return true;
}

bool IsPathStandstill(const RobotData& data, const TickRecord& record, const CertifierData& chain) {
  for (int i = 0; i < data.n; ++i) {
    if (record.command[i] != 0 || record.previous[i] != 0) return false;
    if (!(std::abs(record.observation->robot.qd[i]) <= data.qd_error[i] + 1e-12)) return false;
    // sent[0] is `previous`; what was sent before it is felt until its successor acts and settles.
    for (int k = 1; k < chain.n_sent; ++k) {
      const double successor_s = Seconds(Elapsed(record.now_ns, chain.sent_ns[k - 1]));
      if (successor_s + data.reaction_s + data.period_s > 0 && chain.sent[k][i] != 0) return false;
    }
  }
  return true;
}

}  // namespace saferl::safety::certifier
