// The certifier's exoskeleton: it plays the stop out. From the measured state, moved to the bad
// corner of its error, the device holds the last torques, then this command, then brakes by the law
// of its file, with the latest delays, while the wearer pushes with all that is allowed; range,
// speed and power must hold until the legs rest.

#include <algorithm>
#include <cmath>
#include <limits>

#include "saferl/base/clock.h"
#include "saferl/safety/certifier/leg.h"

namespace saferl::safety::certifier {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kStep_s = 0.0005;
constexpr int kMostTicks = 400;

class Exoskeleton final : public CertifierModel {
 public:
  explicit Exoskeleton(const RobotData& data) : d_(data) {}

  double Fresh(const TickRecord& record, const CertifierData& chain,
               const char** why) const override;
  bool IsBraking(const TickRecord& record) const override;
  bool IsStandstill(const TickRecord&, const CertifierData&) const override { return false; }

 private:
  double PlayOut(const TickRecord& record, const robot::Joints& sign, double delay_s,
                 const char** why) const;
  double CommandMargin(const TickRecord& record, const char** why) const;
  double Damping(const robot::RobotState& state, int i) const {
    return std::clamp(-d_.damping_1_s * state.qd[i], -d_.brake[i], d_.brake[i]);
  }
  double Away(const robot::RobotState& state, int i) const {
    return state.q[i] > 0.5 * (d_.q_lower[i] + d_.q_upper[i]) ? -d_.brake[i] : d_.brake[i];
  }

  RobotData d_;
};

double Exoskeleton::CommandMargin(const TickRecord& record, const char** why) const {
  double margin = kInf;
  const auto take = [&](double m, const char* name) {
    if (!(m >= margin)) {
      margin = m;
      *why = name;
    }
  };
  // What leads toward braking may always be asked: any mix of damping and pushing away from an end.
  const robot::RobotState& state = record.observation->robot;
  robot::Joints low{}, high{};
  low.fill(kInf);
  high.fill(-kInf);
  for (int mix = 0; mix < 4; ++mix) {
    robot::Joints a{};
    for (int i = 0; i < 4; ++i)
      a[i] = (mix >> (i % 2)) % 2 == 0 ? Damping(state, i) : Away(state, i);
    const robot::Joints torque = TorqueFor(d_, state.q, state.qd, a);
    for (int i = 0; i < 4; ++i) {
      low[i] = std::min(low[i], torque[i]);
      high[i] = std::max(high[i], torque[i]);
    }
  }
  const robot::Joints hold = TorqueFor(d_, state.q, {}, {});
  for (int i = 0; i < 4; ++i) {
    const double u = record.command[i], step = d_.command_rate[i] * d_.period_s;
    const double push = d_.interaction_max_nm[i], previous = record.previous[i];
    take(d_.effort_max[i] - std::abs(u) + 1e-9, "torque");
    take(std::max(hold[i] + push, high[i]) - u + 1e-6, "interaction torque");
    take(u - std::min(hold[i] - push, low[i]) + 1e-6, "interaction torque");
    take(std::max(previous + step, high[i]) - u + 1e-6, "torque rate");
    take(u - std::min(previous - step, low[i]) + 1e-6, "torque rate");
  }
  return margin;
}

double Exoskeleton::PlayOut(const TickRecord& record, const robot::Joints& sign, double delay_s,
                            const char** why) const {
  const robot::RobotState& state = record.observation->robot;
  robot::Joints q = state.q, qd = state.qd, torque{};
  for (int i = 0; i < 4; ++i) {
    q[i] += sign[i] * d_.q_error[i];
    qd[i] += sign[i] * d_.qd_error[i];
  }
  double margin = kInf;
  const auto take = [&](double m, const char* name) {
    if (!(m >= margin)) {
      margin = m;
      *why = name;
    }
  };
  const auto advance = [&](const robot::Joints& u, double time_s) {
    for (double t = 0; t < time_s - 1e-12; t += kStep_s) {
      for (int i = 0; i < 4; ++i) torque[i] = u[i] + sign[i] * d_.tracking_error[i];
      StepLegs(d_, torque, std::min(kStep_s, time_s - t), &q, &qd);
      for (int i = 0; i < 4; ++i) {
        take(std::min(q[i] - d_.q_lower[i], d_.q_upper[i] - q[i]), "range of motion");
        take(d_.qd_max[i] - std::abs(qd[i]), "joint speed");
        take(d_.power_max[i] - std::abs(u[i] * qd[i]), "power");
        take(d_.effort_max[i] - std::abs(u[i]), "torque");
      }
    }
  };
  const double age = std::max(0.0, Seconds(Elapsed(state.stamp_ns, record.now_ns)));
  advance(record.previous, age + delay_s);
  advance(record.command, d_.period_s);
  robot::Joints u = record.command;
  for (int k = 0; k < kMostTicks; ++k) {
    bool slow = true;
    for (int i = 0; i < 4; ++i) slow = slow && std::abs(qd[i]) <= 2 * d_.brake[i] / d_.damping_1_s;
    if (slow && k > 0) break;
    u = BrakingTorque(d_, q, qd, d_.period_s + d_.reaction_s + d_.state_age_s);
    advance(u, d_.period_s);
  }
  return margin;
}

double Exoskeleton::Fresh(const TickRecord& record, const CertifierData&, const char** why) const {
  const robot::RobotState& state = record.observation->robot;
  if (!AllFinite(record.command, 4) || !AllFinite(record.previous, 4) || !AllFinite(state.q, 4) ||
      !AllFinite(state.qd, 4)) {
    *why = "not finite";
    return kNan;
  }
  const double age = Seconds(Elapsed(state.stamp_ns, record.now_ns));
  if (!(age >= 0 && age <= d_.state_age_s + 1e-9)) {
    *why = "state too old";
    return kNan;
  }
  double margin = CommandMargin(record, why);
  for (const double hip : {-1.0, 1.0}) {
    for (const double knee : {-1.0, 1.0}) {
      for (const double delay : {0.0, d_.reaction_s}) {
        const char* reason = "";
        const double m = PlayOut(record, {hip, knee, hip, knee}, delay, &reason);
        if (!(m >= margin)) {
          margin = m;
          *why = reason;
        }
      }
    }
  }
  return margin;
}

bool Exoskeleton::IsBraking(const TickRecord& record) const {
  // At the measured state the torque slows every joint that moves, or pushes it away from an end,
  // never beyond B.
  const robot::RobotState& state = record.observation->robot;
  for (int j = 0; j < 4; j += 2) {
    const std::array<double, 2> a = LegAcceleration(d_, j, state.q, state.qd, record.command);
    for (int i = 0; i < 2; ++i) {
      const double b = d_.brake[j + i];
      const double damping = Damping(state, j + i), away = Away(state, j + i);
      const double low = std::min(damping, away), high = std::max(damping, away);
      if (!(a[i] >= low - 1e-6 * b && a[i] <= high + 1e-6 * b)) return false;
    }
  }
  return true;
}

}  // namespace

StatusOr<std::shared_ptr<const CertifierModel>> MakeExoskeleton(const RobotData& data) {
  return std::make_shared<const Exoskeleton>(data);
}

}  // namespace saferl::safety::certifier
