#include "saferl/robot/tube_check.h"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "saferl/base/random.h"

namespace saferl::robot {
namespace {

struct PathTruth {
  int n = 0;
  int n_q = 0;  ///< components of q (0: n)
  double period_s = 0, reaction_s = 0, state_age_s = 0;
  Limits limits;
  Joints q_error{}, qd_error{}, tracking_error{};
  int n_older = 4;

  double Share(const Joints& u) const {
    double rho = 1e300;
    for (int j = 0; j < n; ++j) rho = std::min(rho, limits.brake[j] / std::abs(u[j]));
    return rho;
  }
  double Step(int j) const { return std::max(limits.command_rate[j], limits.brake[j]) * period_s; }
};

/// How one random robot draws: anywhere in an interval, or only at its ends.
struct Freedom {
  bool extreme = false;
  double Draw(Random& r, double low, double high) const {
    return extreme ? (r.Chance(0.5) ? low : high) : r.Uniform(low, high);
  }
};

class PathRobot {
 public:
  PathRobot(const PathTruth& truth, Freedom freedom, Random* rng, const std::vector<Joints>& older,
            const Joints& command)
      : truth_(truth), rng_(*rng), freedom_(freedom), n_older_(static_cast<int>(older.size())) {
    for (int i = 0; i < n_older_; ++i) Push(-truth.period_s * (n_older_ - i), older[i]);
    Push(0, command);
    Joints u = command;
    for (int k = 1; k < 2000 && !IsZero(u); ++k) {
      const double share = 1.0 - truth.period_s * truth.Share(u);
      for (int j = 0; j < truth.n; ++j) u[j] = share > 0 ? share * u[j] : 0.0;
      Push(truth.period_s * k, u);
    }
    own_brake_ = rng_.Chance(0.3);
    own_at_ = acts_[n_older_].first + truth.period_s + freedom.Draw(rng_, 0.0, truth.reaction_s);
    own_factor_ = rng_.Uniform(1.0, 5.0);
    late_slew_ = rng_.Chance(0.5);
    jitter_ = rng_.Chance(0.3);
    NewBias();
  }

  /// The rate between t and t + dt. `moving` tells whether the robot still drives.
  Joints Rate(double t, double dt, bool* moving) {
    const double mid = t + 0.5 * dt;
    while (newest_ + 1 < static_cast<int>(acts_.size()) && acts_[newest_ + 1].first <= mid)
      ++newest_;
    Joints rate = acts_[newest_].second;
    if (newest_ > 0) {
      const double since = mid - acts_[newest_].first;
      const Joints& before = acts_[newest_ - 1].second;
      double blend = late_slew_ ? (since < truth_.period_s ? 0.0 : 1.0)
                                : std::min(1.0, since / truth_.period_s);
      if (newest_ > n_older_)
        blend = std::min(1.0, since / std::min(truth_.period_s, 1.0 / truth_.Share(before)));
      for (int j = 0; j < truth_.n; ++j) rate[j] = blend * rate[j] + (1 - blend) * before[j];
    }
    if (own_brake_ && mid >= own_at_) {
      if (!own_braking_) braking_ = rate;
      own_braking_ = true;
      const double loss = own_factor_ * dt * truth_.Share(braking_);
      for (int j = 0; j < truth_.n; ++j) braking_[j] = loss < 1 ? (1 - loss) * braking_[j] : 0.0;
      rate = braking_;
    }
    *moving = !IsZero(rate);
    if (*moving) {
      if (jitter_ && rng_.Chance(0.05)) NewBias();
      for (int j = 0; j < truth_.n; ++j) rate[j] += bias_[j];
    }
    return rate;
  }

 private:
  bool IsZero(const Joints& u) const {
    for (int j = 0; j < truth_.n; ++j)
      if (u[j] != 0) return false;
    return true;
  }
  void Push(double issued, const Joints& u) {
    last_ = std::max(last_, issued + freedom_.Draw(rng_, 0.0, truth_.reaction_s));
    acts_.emplace_back(last_, u);
  }
  void NewBias() {
    for (int j = 0; j < truth_.n; ++j)
      bias_[j] = freedom_.Draw(rng_, -1, 1) * truth_.tracking_error[j];
  }

  const PathTruth& truth_;
  Random& rng_;
  Freedom freedom_;
  int n_older_, newest_ = 0;
  std::vector<std::pair<double, Joints>> acts_;
  double last_ = -1e9, own_at_ = 0, own_factor_ = 1;
  bool own_brake_ = false, late_slew_ = false, jitter_ = false, own_braking_ = false;
  Joints bias_{}, braking_{};
};

/// Runs `cases` random robots of the truth. `escape(m, t, q, qd, moving)` says by how much the
/// truth is outside.
template <class DrawQ, class Integrate, class Predict, class EscapeBy>
TubeHunt HuntEscapes(const PathTruth& truth, const TubeHuntOptions& options, double dt,
                     DrawQ draw_q, Integrate integrate, Predict predict, EscapeBy escape) {
  TubeHunt result;
  Random rng(options.seed);
  for (int k = 0; k < options.cases; ++k) {
    const Freedom freedom{rng.Chance(0.5)};
    Joints u{}, previous{};
    std::vector<Joints> older(truth.n_older);
    const double scale = rng.Chance(0.5) ? 1.0 : rng.Uniform();
    for (int j = 0; j < truth.n; ++j) {
      u[j] = rng.Chance(0.2) ? 0.0
                             : scale * freedom.Draw(rng, truth.limits.command_lower[j],
                                                    truth.limits.command_upper[j]);
      previous[j] =
          rng.Chance(0.3) ? u[j] : u[j] + freedom.Draw(rng, -truth.Step(j), truth.Step(j));
      older.back()[j] = previous[j];
      const bool steady = rng.Chance(0.3);
      const double slope = freedom.Draw(rng, -truth.Step(j), truth.Step(j));
      for (int i = truth.n_older - 2; i >= 0; --i)
        older[i][j] =
            older[i + 1][j] + (steady ? slope : freedom.Draw(rng, -truth.Step(j), truth.Step(j)));
    }
    Joints q = draw_q(rng);
    RobotState measured;
    for (int j = 0; j < (truth.n_q > 0 ? truth.n_q : truth.n); ++j)
      measured.q[j] = q[j] + freedom.Draw(rng, -1, 1) * truth.q_error[j];
    for (int j = 0; j < truth.n; ++j)
      measured.qd[j] =
          previous[j] + rng.Uniform(-1, 1) * (truth.qd_error[j] + truth.tracking_error[j]);
    Manoeuvre m;
    predict(measured, previous, u, &m);
    PathRobot robot(truth, freedom, &rng, older, u);
    const double age = dt * std::floor(freedom.Draw(rng, 0.0, truth.state_age_s) / dt + 1e-9);
    double worst = -1e9;
    int steps = 0;
    for (double t = -age; t < 5.0; t += dt) {
      bool moving = false;
      const Joints rate = robot.Rate(t, dt, &moving);
      if (!moving && t > truth.reaction_s + truth.period_s) break;
      if (moving) q = integrate(q, rate, dt);
      if (t + dt < 0 || ++steps % options.check_every != 0) continue;
      worst = std::max(worst, escape(m, t + dt, q, rate, moving));
      if (moving && t > m.stop_time_s + 2 * dt && !m.at_rest) worst = std::max(worst, 1.0);
    }
    result.worst = std::max(result.worst, worst);
    ++result.cases;
    // Commands act on the grid of the simulation: up to dt / 2 off, at rates that differ by up to a
    // few tenths.
    result.escapes += worst > 0.3 * dt;
    if (options.stop_at_first && result.escapes > 0) break;
  }
  return result;
}

/// Corners of the footprint at q.
std::array<std::pair<double, double>, 4> Corners(const math::Rectangle& r, const Joints& q) {
  std::array<std::pair<double, double>, 4> out;
  const double c = std::cos(q[2]), s = std::sin(q[2]);
  const double xs[] = {r.rear, r.front, r.front, r.rear}, ys[] = {-1, -1, 1, 1};
  for (int i = 0; i < 4; ++i) {
    const double y = ys[i] * r.half_width;
    out[i] = {q[0] + c * xs[i] - s * y, q[1] + s * xs[i] + c * y};
  }
  return out;
}

/// By how much the true pose leaves every sample that covers this time; <= 0 is inside.
double Escape(const Wheelchair& model, const Manoeuvre& m, double t, const Joints& q,
              const Joints& qd, bool moving, double dt) {
  double best = 1e9;
  const auto truth = Corners(model.footprint(), q);
  for (int i = 0; i < m.n; ++i) {
    const ManoeuvreSample& s = m.sample[i];
    if (moving && (t < s.t_begin_s - 1e-9 || t > s.t_end_s + 2 * dt)) continue;
    const auto at = Corners(model.footprint(), s.q);
    double worst = 0;
    for (int k = 0; k < 4; ++k)
      worst =
          std::max(worst, std::hypot(truth[k].first - at[k].first, truth[k].second - at[k].second));
    double out = worst - s.reach_m[0];
    for (int j = 0; j < 3; ++j) out = std::max(out, std::abs(q[j] - s.q[j]) - s.q_tube[j]);
    // Rates weigh little: at the simulation's grid they jump.
    for (int j = 0; j < 2 && moving; ++j)
      out = std::max(out, 0.05 * (std::abs(qd[j] - s.qd[j]) - s.qd_tube[j]));
    best = std::min(best, out);
  }
  return best;
}

/// By how much the true arm leaves every sample of the prediction that covers this time; <= 0 is
/// inside.
double Escape(const Arm& arm, const Manoeuvre& m, double t, const Joints& q, const Joints& qd,
              bool moving, double dt) {
  Placement truth;
  ArmPose pose;
  arm.ForwardKinematics(q, &pose);
  arm.PlaceLinks(pose, &truth);
  double best = 1e9;
  for (int i = 0; i < m.n; ++i) {
    const ManoeuvreSample& s = m.sample[i];
    if (moving && (t < s.t_begin_s - 1e-9 || t > s.t_end_s + 2 * dt)) continue;
    double out = -1e9;
    for (int k = 0; k < truth.n_links; ++k) {
      // The skin turns with the link: compare points of the skin too, not only the axis.
      const math::Capsule &a = truth.link_W[k], &b = s.placement.link_W[k];
      out = std::max(
          {out, math::Norm(a.a - b.a) - s.reach_m[k], math::Norm(a.b - b.b) - s.reach_m[k]});
      const int joint = arm.config().links[k].joint;
      if (joint < 0 || !moving) continue;
      std::array<math::Vec3, kMaxDof> columns;
      for (const math::Vec3 end : {a.a, a.b}) {
        arm.Jacobian(pose, joint, end, columns);
        math::Vec3 v{};
        for (int j = 0; j < arm.n(); ++j) v = v + qd[j] * columns[j];
        out = std::max(out, 0.05 * (math::Norm(v) - s.speed_m_s[k]));
      }
    }
    for (int j = 0; j < arm.n(); ++j) {
      out = std::max(out, std::abs(q[j] - s.q[j]) - s.q_tube[j]);
      if (moving) out = std::max(out, 0.05 * (std::abs(qd[j] - s.qd[j]) - s.qd_tube[j]));
    }
    best = std::min(best, out);
  }
  return best;
}

double StepOf(const TubeHuntOptions& options, double period_s) {
  return options.step_s > 0 ? options.step_s : std::min(0.002, 0.25 * period_s);
}

template <class Config>
PathTruth TruthOf(const Config& config, int n, int n_q) {
  PathTruth truth;
  truth.n = n;
  truth.n_q = n_q;
  truth.period_s = config.period_s;
  truth.reaction_s = config.reaction_s;
  truth.state_age_s = config.state_age_s;
  truth.limits = config.limits;
  truth.q_error = config.q_error;
  truth.qd_error = config.qd_error;
  truth.tracking_error = config.tracking_error;
  truth.n_older =
      static_cast<int>(std::ceil((config.reaction_s + config.state_age_s) / config.period_s)) + 2;
  return truth;
}

}  // namespace

TubeHunt HuntTubes(const Wheelchair& model, const WheelchairConfig& truth,
                   const TubeHuntOptions& options) {
  const double dt = StepOf(options, truth.period_s);
  return HuntEscapes(
      TruthOf(truth, 2, 3), options, dt,
      [](Random& rng) {
        return Joints{rng.Uniform(-5, 5), rng.Uniform(-5, 5), rng.Uniform(-3, 3)};
      },
      [](const Joints& q, const Joints& rate, double h) { return Wheelchair::Arc(q, rate, h); },
      [&](const RobotState& state, const Joints& previous, const Joints& u, Manoeuvre* m) {
        model.Predict(state, previous, u, m);
      },
      [&](const Manoeuvre& m, double t, const Joints& q, const Joints& qd, bool moving) {
        return Escape(model, m, t, q, qd, moving, dt);
      });
}

TubeHunt HuntTubes(const Arm& model, const ArmConfig& truth, const TubeHuntOptions& options) {
  const double dt = StepOf(options, truth.period_s);
  const int n = model.n();
  return HuntEscapes(
      TruthOf(truth, n, n), options, dt,
      [&](Random& rng) {
        Joints q{};
        for (int j = 0; j < n; ++j)
          q[j] = rng.Uniform(std::max(-3.2, truth.limits.q_lower[j]),
                             std::min(3.2, truth.limits.q_upper[j]));
        return q;
      },
      [n](const Joints& q, const Joints& rate, double h) {
        Joints next = q;
        for (int j = 0; j < n; ++j) next[j] += rate[j] * h;
        return next;
      },
      [&](const RobotState& state, const Joints& previous, const Joints& u, Manoeuvre* m) {
        model.Predict(state, previous, u, m);
      },
      [&](const Manoeuvre& m, double t, const Joints& q, const Joints& qd, bool moving) {
        return Escape(model, m, t, q, qd, moving, dt);
      });
}

TubeHunt HuntTubes(const RobotModel& model, const TubeHuntOptions& options) {
  if (const auto* chair = dynamic_cast<const Wheelchair*>(&model))
    return HuntTubes(*chair, chair->config(), options);
  if (const auto* arm = dynamic_cast<const Arm*>(&model))
    return HuntTubes(*arm, arm->config(), options);
  if (const auto* exo = dynamic_cast<const Exoskeleton*>(&model))
    return HuntTubes(*exo, exo->config(), options);
  return {};
}

}  // namespace saferl::robot
