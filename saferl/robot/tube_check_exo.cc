// The exoskeleton's side of tube_check.h.

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "saferl/base/random.h"
#include "saferl/robot/tube_check.h"

namespace saferl::robot {
namespace {

Joints RandomQ(const Exoskeleton& exo, Random& rng) {
  Joints q{};
  for (int j = 0; j < kExoJoints; ++j)
    q[j] = rng.Uniform(exo.limits().q_lower[j], exo.limits().q_upper[j]);
  return q;
}

/// The true device: torques act after their delays; the wearer does what hurts most or anything
/// inside the bounds.
class TrueExo {
 public:
  TrueExo(const Exoskeleton& model, const ExoskeletonConfig& truth, Random* rng)
      : model_(model), truth_(truth), rng_(*rng) {
    style_ = rng->Index(4);
    for (int j = 0; j < kExoJoints; ++j) toward_[j] = rng->Chance(0.5) ? 1 : -1;
  }
  Joints q{}, qd{};

  void Step(const Joints& u, double dt) {
    Joints torque = u;
    for (int j = 0; j < kExoJoints; ++j) {
      double share = 0;
      if (style_ == 0) share = toward_[j];           // one way, for good
      if (style_ == 1) share = qd[j] >= 0 ? 1 : -1;  // with the motion
      if (style_ == 2) share = rng_.Uniform(-1, 1);  // noise
      if (style_ == 3)
        share = q[j] > 0.5 * (truth_.limits.q_lower[j] + truth_.limits.q_upper[j])
                    ? 1
                    : -1;  // to the end
      if (style_ != 2 && rng_.Chance(0.001)) toward_[j] = -toward_[j];
      // Through the coupling, the other joint of the leg is pushed the opposite way or along,
      // whichever was drawn.
      if (style_ == 3 && j % 2 == 0 && toward_[j] > 0) share = q[j + 1] > 0.9 ? 1 : -1;
      torque[j] += share * truth_.tracking_error[j];
    }
    const Joints a = model_.Acceleration(q, qd, torque);
    for (int j = 0; j < kExoJoints; ++j) {
      q[j] += dt * (qd[j] + 0.5 * dt * a[j]);
      qd[j] += dt * a[j];
    }
  }

 private:
  const Exoskeleton& model_;
  const ExoskeletonConfig& truth_;
  Random& rng_;
  int style_ = 0;
  Joints toward_{};
};

/// A controller in the loop: it measures late and with error, and its torques act late.
struct Loop {
  const Exoskeleton& model;  ///< what the controller believes
  const ExoskeletonConfig& truth;
  Random& rng;
  TrueExo plant;
  double dt = 0.00025;
  bool extreme = false;
  double now = 0;
  Joints acting{}, pending{};
  double acts_at = 0;
  bool has_pending = false;
  std::vector<std::pair<Joints, Joints>> past{};  ///< latest first

  double Draw(double low, double high) {
    return extreme ? (rng.Chance(0.5) ? low : high) : rng.Uniform(low, high);
  }

  void Advance(double until, auto visit) {
    while (now < until - 1e-9) {
      if (has_pending && now >= acts_at - 1e-9) {
        acting = pending;
        has_pending = false;
      }
      plant.Step(acting, dt);
      past.insert(past.begin(), {plant.q, plant.qd});
      past.resize(std::min<size_t>(past.size(), 4));
      now += dt;
      visit(now);
    }
  }
  /// The state `age` ago, with error.
  RobotState Measure(double age) {
    const auto back = static_cast<size_t>(std::floor(age / dt + 1e-9));
    const auto& [q, qd] =
        past.empty() ? std::pair{plant.q, plant.qd} : past[std::min(back, past.size() - 1)];
    RobotState s;
    for (int j = 0; j < kExoJoints; ++j) {
      s.q[j] = q[j] + Draw(-1, 1) * truth.q_error[j];
      s.qd[j] = qd[j] + Draw(-1, 1) * truth.qd_error[j];
    }
    return s;
  }
  void Send(const Joints& u) {
    if (has_pending) acting = pending;
    pending = u;
    acts_at = now + std::floor(Draw(0, truth.reaction_s) / dt + 1e-9) * dt;
    has_pending = true;
  }
};

bool Certified(const Exoskeleton& model, const Manoeuvre& m) {
  const Limits& l = model.limits();
  for (int k = 0; k < m.n; ++k) {
    const ManoeuvreSample& s = m.sample[k];
    for (int j = 0; j < kExoJoints; ++j) {
      if (!(s.q[j] + s.q_tube[j] <= l.q_upper[j] && s.q[j] - s.q_tube[j] >= l.q_lower[j]))
        return false;
      if (!(std::abs(s.qd[j]) + s.qd_tube[j] <= l.qd_max[j] && s.effort[j] <= l.effort_max[j]))
        return false;
    }
  }
  return true;
}

}  // namespace

/// Random states and torques; where the prediction certifies, the truth must stay inside it, and,
/// braking on, in range.
TubeHunt HuntTubes(const Exoskeleton& model, const ExoskeletonConfig& truth,
                   const TubeHuntOptions& options) {
  constexpr double kAfter_s = 0.1;  // how long braking goes on after the stop
  Random rng(options.seed);
  TubeHunt out;
  for (int k = 0; k < options.cases; ++k) {
    Loop loop{model, truth, rng, TrueExo(model, truth, &rng)};
    loop.extreme = rng.Chance(0.5);
    loop.plant.q = RandomQ(model, rng);
    for (int j = 0; j < kExoJoints; ++j) {
      loop.plant.qd[j] = rng.Uniform() * loop.Draw(-1, 1) * truth.limits.qd_max[j];
      if (!rng.Chance(0.5)) continue;
      // Close to where it could only just stop.
      const double way = loop.plant.qd[j] * std::abs(loop.plant.qd[j]) / (2 * model.net_brake()[j]);
      const double end = loop.plant.qd[j] > 0 ? truth.limits.q_upper[j] : truth.limits.q_lower[j];
      loop.plant.q[j] =
          std::clamp(end - way - rng.Uniform(0, 0.05) * (loop.plant.qd[j] > 0 ? 1 : -1),
                     truth.limits.q_lower[j], truth.limits.q_upper[j]);
    }
    // Torques near those that hold the legs, and a step of driving from the previous to the next.
    const Joints hold = model.Bias(loop.plant.q, loop.plant.qd);
    Joints previous{}, u{};
    for (int j = 0; j < kExoJoints; ++j) {
      previous[j] = hold[j] + loop.Draw(-1, 1) * 10;
      u[j] = previous[j] + loop.Draw(-1, 1) * truth.limits.command_rate[j] * truth.period_s;
    }
    loop.acting = previous;
    const RobotState measured = loop.Measure(0);
    const double age = std::floor(loop.Draw(0, truth.state_age_s) / loop.dt + 1e-9) * loop.dt;
    loop.Advance(age, [](double) {});
    Manoeuvre m;
    model.Predict(measured, previous, u, &m);
    if (!Certified(model, m)) continue;
    ++out.cases;
    loop.now = 0;
    loop.Send(u);
    const auto inside = [&](double t) {
      double best = 1e9;
      for (int i = 0; i < m.n; ++i) {
        const ManoeuvreSample& s = m.sample[i];
        if (t < s.t_begin_s - 2 * loop.dt || t > s.t_end_s + 2 * loop.dt) continue;
        double worst = -1e9;
        for (int j = 0; j < kExoJoints; ++j) {
          worst = std::max(worst, std::abs(loop.plant.q[j] - s.q[j]) - s.q_tube[j]);
          worst = std::max(worst, std::abs(loop.plant.qd[j] - s.qd[j]) - s.qd_tube[j]);
        }
        best = std::min(best, worst);
      }
      return best;
    };
    double worst = -1e9;
    bool in_range = true, slow = true, strong = true;
    const auto visit = [&](double t) {
      if (t <= m.stop_time_s + 1e-9) worst = std::max(worst, inside(t));
      for (int j = 0; j < kExoJoints; ++j) {
        const double q = loop.plant.q[j];
        in_range = in_range && q <= truth.limits.q_upper[j] && q >= truth.limits.q_lower[j];
        if (t > m.stop_time_s + 2 * loop.dt)
          slow = slow && std::abs(loop.plant.qd[j]) <= model.rest_speed()[j] + 1e-9;
      }
    };
    for (double t = truth.period_s; t < m.stop_time_s + kAfter_s; t += truth.period_s) {
      loop.Advance(t, visit);
      // The stored plan: brake from the latest measurement.
      const RobotState seen = loop.Measure(loop.Draw(0, truth.state_age_s));
      const Joints brake = model.Brake(seen, u);
      for (int j = 0; j < kExoJoints; ++j)
        strong = strong && std::abs(brake[j]) < truth.limits.effort_max[j];
      loop.Send(brake);
    }
    out.worst = std::max(out.worst, worst);
    out.escapes += worst > 1e-9;
    out.out_of_range += !in_range;
    out.too_fast += !slow;
    out.too_weak += !strong;
  }
  return out;
}

}  // namespace saferl::robot
