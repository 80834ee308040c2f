// The certifier's arm: poses along the joint path, each with its own tube and latest moment, link
// by link against the worker's parts, the fixed shapes and the workspace.

#include <algorithm>
#include <cmath>
#include <limits>

#include "saferl/base/clock.h"
#include "saferl/safety/certifier/chain.h"
#include "saferl/safety/certifier/models.h"

namespace saferl::safety::certifier {
namespace {

constexpr int kPoses = 60;
constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

/// The least margin so far and what it belongs to.
struct Least {
  double margin = kInf;
  const char** why;
  void Take(double m, const char* name) {
    if (!(m >= margin)) {
      margin = m;
      *why = name;
    }
  }
};

class Arm final : public CertifierModel {
 public:
  explicit Arm(const RobotData& data) : d_(data) {}

  double Fresh(const TickRecord& record, const CertifierData& chain,
               const char** why) const override;
  bool IsBraking(const TickRecord& record) const override {
    return IsPathBraking(d_, record.previous, record.command);
  }
  bool IsStandstill(const TickRecord& record, const CertifierData& chain) const override {
    return IsPathStandstill(d_, record, chain);
  }

 private:
  /// One stretch of the path, as the checks need it.
  struct Stretch {
    ChainPlace place;
    robot::Joints q{}, delta{}, rate{}, rate_tube{};
    double half_s = 0, later_s = 0;
  };
  void CheckLimits(const TickRecord& record, Least* least) const;
  void CheckJoints(const Stretch& s, const robot::Joints& u, Least* least) const;
  void CheckLinks(const TickRecord& record, const Stretch& s, Least* least) const;

  RobotData d_;
};

void Arm::CheckLimits(const TickRecord& record, Least* least) const {
  const robot::Joints& u = record.command;
  const double share = std::max(0.0, 1.0 - BrakeShare(d_, record.previous) * d_.period_s);
  for (int i = 0; i < d_.n; ++i) {
    const double p = record.previous[i], step = d_.command_rate[i] * d_.period_s;
    least->Take(u[i] - std::min(p - step, share * p) + 1e-9, "command rate");
    least->Take(std::max(p + step, share * p) - u[i] + 1e-9, "command rate");
    least->Take(d_.qd_max[i] - std::abs(u[i]) - d_.tracking_error[i] + 1e-9, "joint speed");
  }
}

void Arm::CheckJoints(const Stretch& s, const robot::Joints& u, Least* least) const {
  for (int i = 0; i < d_.n; ++i) {
    const double tube = s.delta[i] + s.half_s * std::abs(u[i]);
    least->Take(s.q[i] - tube - d_.q_lower[i], "joint range");
    least->Take(d_.q_upper[i] - s.q[i] - tube, "joint range");
  }
}

void Arm::CheckLinks(const TickRecord& record, const Stretch& s, Least* least) const {
  for (int k = 0; k < s.place.n; ++k) {
    const int moving = TurningBefore(d_, k);
    if (moving == 0) continue;
    double tube = 0, strayed = 0;
    for (int j = 0; j < moving; ++j) {
      const double lever = LeverAt(s.place, k, j);
      tube += lever * (s.delta[j] + s.half_s * std::abs(record.command[j]));
      strayed += lever * s.rate_tube[j];
    }
    const math::Capsule& link = s.place.link_W[k];
    for (const HalfSpaceData& h : d_.workspace) {
      const double reach =
          std::max(math::Dot(h.normal_W, link.a), math::Dot(h.normal_W, link.b)) + link.radius;
      least->Take(h.offset_m - reach - tube, "workspace");
    }
    for (const math::Capsule& shape : d_.keep_out_W) {
      least->Take(CapsuleToCapsule(link, shape) - tube, "clearance to something fixed");
    }
    const double speed = LinkSpeed(d_, s.place, k, s.rate) + strayed;
    for (const robot::HumanPart& part : record.observation->people()) {
      const double gap = CapsuleToCapsule(link, part.capsule_W) - tube -
                         Growth(d_, part, record.now_ns, s.later_s);
      const double limit = part.region < robot::Region::kCount
                               ? d_.contact_speed_m_s[static_cast<size_t>(part.region)]
                               : 0.0;
      if (limit == 0) {
        least->Take(gap, "separation from a person");
      } else if (!(gap > 0 && speed > limit)) {
        // It may be touched: then slowly.
        least->Take(limit - speed, "contact speed");
      }
    }
  }
}

double Arm::Fresh(const TickRecord& record, const CertifierData& chain, const char** why) const {
  const robot::Observation& o = *record.observation;
  if (!AllFinite(record.command, d_.n) || !AllFinite(record.previous, d_.n) ||
      !AllFinite(o.robot.q, d_.n) || !AllFinite(o.robot.qd, d_.n)) {
    *why = "not finite";
    return kNan;
  }
  const double age = Seconds(Elapsed(o.robot.stamp_ns, record.now_ns));
  if (!(age >= 0 && age <= d_.state_age_s + 1e-9)) {
    *why = "state too old";
    return kNan;
  }
  Least least{kInf, why};
  CheckLimits(record, &least);
  const double hold = d_.period_s + d_.reaction_s + age;
  const double rho = BrakeShare(d_, record.command);
  const bool still = std::isinf(rho);
  const Straying stray = StrayBound(d_, record, chain, age);
  const double length = still ? 0.0 : hold + 0.5 / rho;
  const int poses = still ? 1 : kPoses;
  Stretch s;
  s.half_s = 0.5 * length / poses;
  for (int k = 0; k < poses; ++k) {
    const double sigma = (2 * k + 1) * s.half_s, end = sigma + s.half_s;
    const double moment =
        std::max(still ? 0.0 : LatestMoment(end, rho, hold, d_.period_s), stray.lasts_s + age);
    s.later_s = moment - age;
    // Share of the command that can still act when this stretch begins.
    const double over = std::max(0.0, sigma - s.half_s - hold);
    const double share = still ? 0.0 : std::sqrt(std::max(0.0, 1.0 - 2.0 * rho * over));
    for (int i = 0; i < d_.n; ++i) {
      s.q[i] = o.robot.q[i] + record.command[i] * sigma;
      s.delta[i] = d_.q_error[i] + stray.integral[i] + d_.tracking_error[i] * moment;
      s.rate[i] = share * record.command[i];
      const bool early = sigma - s.half_s < stray.lasts_s + age;
      s.rate_tube[i] = d_.tracking_error[i] + (early ? stray.rate[i] : 0.0);
    }
    s.place = PlaceChain(d_, s.q);
    CheckJoints(s, record.command, &least);
    CheckLinks(record, s, &least);
  }
  return least.margin;
}

}  // namespace

StatusOr<std::shared_ptr<const CertifierModel>> MakeArm(const RobotData& data) {
  return std::make_shared<const Arm>(data);
}

}  // namespace saferl::safety::certifier
