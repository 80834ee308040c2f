#include "saferl/robot/exoskeleton.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "saferl/base/random.h"

namespace saferl::robot {
namespace {

std::shared_ptr<const Exoskeleton> Exo(std::span<const Override> overrides = {}) {
  const auto loaded = LoadRobot("exoskeleton", overrides);
  EXPECT_TRUE(loaded.ok()) << loaded.status();
  return std::dynamic_pointer_cast<const Exoskeleton>(*loaded);
}

Joints RandomQ(const Exoskeleton& exo, Random& rng) {
  Joints q{};
  for (int j = 0; j < kExoJoints; ++j)
    q[j] = rng.Uniform(exo.limits().q_lower[j], exo.limits().q_upper[j]);
  return q;
}

double Energy(const Exoskeleton& exo, const Joints& q, const Joints& qd) {
  const LegData& l = exo.config().leg;
  double energy = 0;
  for (int leg = 0; leg < 2; ++leg) {
    const double hip = q[2 * leg], shank = hip - q[2 * leg + 1], p = qd[2 * leg],
                 w = p - qd[2 * leg + 1];
    const double vx = l.thigh_length_m * p * std::cos(hip) + l.shank_com_m * w * std::cos(shank);
    const double vz = l.thigh_length_m * p * std::sin(hip) + l.shank_com_m * w * std::sin(shank);
    energy +=
        0.5 * (l.thigh_inertia_kg_m2 + l.thigh_mass_kg * l.thigh_com_m * l.thigh_com_m) * p * p +
        0.5 * l.shank_inertia_kg_m2 * w * w + 0.5 * l.shank_mass_kg * (vx * vx + vz * vz);
    energy -= 9.80665 * (l.thigh_mass_kg * l.thigh_com_m * std::cos(hip) +
                         l.shank_mass_kg *
                             (l.thigh_length_m * std::cos(hip) + l.shank_com_m * std::cos(shank)));
  }
  return energy;
}

TEST(ExoskeletonTest, EquationOfMotionBalancesPower) {
  // d(energy)/dt = torque . rate for every state and torque: checks mass matrix, Coriolis and
  // gravity together.
  const auto exo = Exo();
  Random rng(1);
  for (int trial = 0; trial < 2000; ++trial) {
    const Joints q = RandomQ(*exo, rng);
    Joints qd{}, u{};
    double power = 0;
    for (int j = 0; j < kExoJoints; ++j) {
      qd[j] = rng.Uniform(-4, 4);
      u[j] = rng.Uniform(-80, 80);
      power += u[j] * qd[j];
    }
    const Joints a = exo->Acceleration(q, qd, u);
    const double h = 1e-6;
    Joints q2 = q, qd2 = qd, q1 = q, qd1 = qd;
    for (int j = 0; j < kExoJoints; ++j) {
      q2[j] += h * qd[j];
      qd2[j] += h * a[j];
      q1[j] -= h * qd[j];
      qd1[j] -= h * a[j];
    }
    EXPECT_NEAR((Energy(*exo, q2, qd2) - Energy(*exo, q1, qd1)) / (2 * h), power,
                1e-4 * (1 + std::abs(power)));
  }
}

TEST(ExoskeletonTest, HoldingGravityKeepsTheLegsUp) {
  const auto exo = Exo();
  Random rng(2);
  for (int trial = 0; trial < 200; ++trial) {
    const Joints q = RandomQ(*exo, rng);
    const Joints a = exo->Acceleration(q, {}, exo->Gravity(q));
    for (int j = 0; j < kExoJoints; ++j) EXPECT_NEAR(a[j], 0, 1e-9);
  }
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

struct Outcome {
  int certified = 0, escapes = 0, out_of_range = 0, too_fast = 0, weak = 0;
  double worst = -1e9;
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

/// Random states and torques; where the prediction certifies, the truth must stay inside it, and,
/// braking on, in range.
Outcome Hunt(const Exoskeleton& model, const ExoskeletonConfig& truth, int cases, uint64_t seed,
             double after_s) {
  Random rng(seed);
  Outcome out;
  for (int k = 0; k < cases; ++k) {
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
    ++out.certified;
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
    for (double t = truth.period_s; t < m.stop_time_s + after_s; t += truth.period_s) {
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
    out.weak += !strong;
  }
  return out;
}

TEST(ExoskeletonTest, TubesContainEveryWearerAndNoJointPassesItsRange) {
  const auto exo = Exo();
  const Outcome out = Hunt(*exo, exo->config(), 100000, 31, 0.1);
  EXPECT_GT(out.certified, 20000);
  EXPECT_EQ(out.escapes, 0) << out.worst;
  EXPECT_EQ(out.out_of_range, 0);
  EXPECT_EQ(out.too_fast, 0);
  EXPECT_EQ(out.weak, 0);
}

}  // namespace
}  // namespace saferl::robot
