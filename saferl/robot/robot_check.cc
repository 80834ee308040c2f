#include "saferl/robot/robot_check.h"

#include <algorithm>
#include <cmath>

#include "fmt/core.h"
#include "saferl/base/data_path.h"
#include "saferl/base/random.h"
#include "saferl/robot/tube_check.h"

namespace saferl::robot {
namespace {

/// Angles to try; joints without limits turn once around.
Joints RandomQ(const RobotModel& robot, Random& rng) {
  Joints q{};
  for (int j = 0; j < robot.n(); ++j) {
    q[j] = rng.Uniform(std::max(-3.2, robot.limits().q_lower[j]),
                       std::min(3.2, robot.limits().q_upper[j]));
  }
  return q;
}

/// Worst stopping over all corners of the command box.
CheckItem CheckStopping(const RobotModel& robot, RobotReport* report) {
  const int n = robot.n();
  Random rng(1);
  for (int corner = 0; corner < (1 << n); ++corner) {
    RobotState state;
    Joints u{};
    const bool exo = robot.kind() == Kind::kExoskeleton;
    for (int j = 0; j < n; ++j) {
      const bool up = corner >> j & 1;
      if (exo) {
        // At full rate in the middle of the range, held by the torques that balance it.
        state.q[j] = 0.5 * (robot.limits().q_lower[j] + robot.limits().q_upper[j]);
        state.qd[j] = 0.5 * (up ? 1 : -1) * robot.limits().qd_max[j];
      } else {
        u[j] = up ? robot.limits().command_upper[j] : robot.limits().command_lower[j];
        state.qd[j] = u[j];
      }
    }
    if (exo) u = static_cast<const Exoskeleton&>(robot).Bias(state.q, state.qd);
    if (robot.kind() == Kind::kArm) state.q = RandomQ(robot, rng);
    Manoeuvre m;
    robot.Predict(state, u, u, &m);
    report->stop_time_s = std::max(report->stop_time_s, m.stop_time_s);
    double way = 0;
    if (exo) {
      for (int k = 0; k < m.n; ++k)
        for (int j = 0; j < n; ++j)
          way = std::max(way, std::abs(m.sample[k].q[j] - state.q[j]) + m.sample[k].q_tube[j]);
    } else {
      // Full speed through the hold, then falling evenly to rest.
      for (int i = 0; i < robot.n_links(); ++i)
        way = std::max(way, m.sample[0].speed_m_s[i] * 0.5 * (robot.hold_s() + m.stop_time_s));
    }
    report->stop_way_m = std::max(report->stop_way_m, way);
  }
  CheckItem item{"stopping", true, ""};
  item.good = std::isfinite(report->stop_time_s) && report->stop_time_s > robot.hold_s() &&
              report->stop_time_s < 10;
  item.detail =
      fmt::format("rest after at most {:.3f} s from full {}, {:.3f} s of it before braking acts",
                  report->stop_time_s,
                  robot.kind() == Kind::kExoskeleton ? "half speed" : "command", robot.hold_s());
  return item;
}

CheckItem CheckLinks(const Arm& arm) {
  CheckItem item{"links", true, "every link's skin lies inside its capsules"};
  int meshes = 0;
  for (const ArmSkin& skin : arm.config().skins) {
    meshes += skin.n_meshes;
    double worst = -1;
    for (const math::Vec3 p : skin.points_m) {
      double out = 1e9;
      for (const ArmLink& link : arm.config().links)
        if (link.joint == skin.joint)
          out = std::min(out, math::CapsuleDistance({p, p, 0}, link.capsule));
      worst = std::max(worst, out);
    }
    if (worst > 1e-9) {
      item.good = false;
      item.detail =
          worst > 1e8
              ? fmt::format("link '{}' has no capsule; add one under links", skin.link)
              : fmt::format("link '{}' reaches {:.1f} mm out of its capsules; make radius_m larger",
                            skin.link, 1000 * worst);
    }
  }
  if (item.good && meshes > 0)
    item.detail += fmt::format(" ({} meshes were not looked into)", meshes);
  return item;
}

CheckItem CheckJacobian(const Arm& arm) {
  Random rng(2);
  double worst = 0;
  for (int trial = 0; trial < 100; ++trial) {
    const Joints q = RandomQ(arm, rng);
    ArmPose pose, ahead, behind;
    arm.ForwardKinematics(q, &pose);
    const int last = arm.n() - 1;
    const math::Vec3 p_J{rng.Uniform(-0.2, 0.2), rng.Uniform(-0.2, 0.2), rng.Uniform(-0.2, 0.2)};
    std::array<math::Vec3, kMaxDof> columns;
    arm.Jacobian(pose, last, pose.x_WJ[last] * p_J, columns);
    for (int j = 0; j <= last; ++j) {
      Joints up = q, down = q;
      up[j] += 1e-6;
      down[j] -= 1e-6;
      arm.ForwardKinematics(up, &ahead);
      arm.ForwardKinematics(down, &behind);
      const math::Vec3 slope = 5e5 * (ahead.x_WJ[last] * p_J - behind.x_WJ[last] * p_J);
      worst = std::max(worst, math::Norm(slope - columns[j]));
    }
  }
  return {"jacobian", worst < 1e-7,
          fmt::format("off by at most {:.1e} m/rad from finite differences", worst)};
}

/// The mass matrix times its inverse, and qdd affine in u: what torque rows rest on.
CheckItem CheckDynamics(const Exoskeleton& exo) {
  Random rng(3);
  double worst = 0;
  for (int trial = 0; trial < 100; ++trial) {
    const Joints q = RandomQ(exo, rng);
    Joints qd{}, wanted{};
    for (int j = 0; j < kExoJoints; ++j) {
      qd[j] = rng.Uniform(-1, 1) * exo.limits().qd_max[j];
      wanted[j] = rng.Uniform(-30, 30);
    }
    Joints u = exo.Bias(q, qd);
    for (int leg = 0; leg < kExoLegs; ++leg) {
      const LegDynamics d = exo.Dynamics(leg, q, qd);
      for (int i = 0; i < 2; ++i)
        u[2 * leg + i] += d.mass[i][0] * wanted[2 * leg] + d.mass[i][1] * wanted[2 * leg + 1];
    }
    const Joints got = exo.Acceleration(q, qd, u);
    for (int j = 0; j < kExoJoints; ++j) worst = std::max(worst, std::abs(got[j] - wanted[j]));
  }
  return {"dynamics", worst < 1e-9,
          fmt::format("computed torque off by at most {:.1e} rad/s^2; braking keeps {:.1f} and "
                      "{:.1f} rad/s^2 against the wearer",
                      worst, exo.net_brake()[0], exo.net_brake()[1])};
}

}  // namespace

bool RobotReport::good() const {
  return std::all_of(items.begin(), items.end(), [](const CheckItem& item) { return item.good; });
}

std::string_view Name(Kind kind) {
  switch (kind) {
    case Kind::kWheelchair:
      return "wheelchair";
    case Kind::kArm:
      return "arm";
    case Kind::kExoskeleton:
      return "exoskeleton";
  }
  return "unknown";
}

StatusOr<RobotReport> CheckRobot(const std::string& name_or_path, int tube_cases, uint64_t seed) {
  RobotReport report;
  SAFERL_ASSIGN_OR_RETURN(report.file, FindNamed(name_or_path, "robots", ".yaml"));
  SAFERL_ASSIGN_OR_RETURN(const std::shared_ptr<const RobotModel> robot, LoadRobot(report.file));
  report.name = robot->name();
  report.kind = robot->kind();
  report.n = robot->n();
  report.n_links = robot->n_links();
  report.hold_s = robot->hold_s();
  report.items.push_back({"file", true,
                          fmt::format("{} numbers for {} commands and {} links are in range",
                                      Name(robot->kind()), robot->n(), robot->n_links())});
  report.items.push_back(CheckStopping(*robot, &report));
  if (const auto* arm = dynamic_cast<const Arm*>(robot.get())) {
    report.items.push_back(CheckLinks(*arm));
    report.items.push_back(CheckJacobian(*arm));
  }
  if (const auto* exo = dynamic_cast<const Exoskeleton*>(robot.get()))
    report.items.push_back(CheckDynamics(*exo));
  const TubeHunt found = HuntTubes(*robot, {.cases = tube_cases, .seed = seed});
  report.items.push_back(
      {"tubes", found.clean() && found.cases > 0,
       fmt::format("{} of {} simulated robots left the prediction (worst {:.2e})", found.escapes,
                   found.cases, std::max(0.0, found.worst))});
  return report;
}

}  // namespace saferl::robot
