#include "saferl/sim/recording_run.h"

#include <algorithm>
#include <array>

namespace saferl::sim {
namespace {

constexpr double kAbove = 1.05;  // of the fastest recorded speed

/// An open square with a free start and four corners to drive to.
std::shared_ptr<const Scene> Square() {
  auto scene = std::make_shared<Scene>();
  constexpr double kSide_m = 14;
  scene->x1 = scene->y1 = kSide_m;
  const double h = 0.5 * kSide_m;
  scene->boxes = {{h, -0.1, 0, h, 0.1},
                  {h, kSide_m + 0.1, 0, h, 0.1},
                  {-0.1, h, 0, 0.1, h},
                  {kSide_m + 0.1, h, 0, 0.1, h}};
  scene->kinds.assign(4, BoxKind::kWall);
  scene->start = {1.5, 1.5, 0.8};
  scene->goals = {{12.5, 12.5}, {12.5, 1.5}, {1.5, 12.5}};
  if (!FinishScene(SceneOptions{}.clearance_m, scene.get()).ok()) return nullptr;
  return scene;
}

double PerMinute(const DriveResult& result, double duration_s) {
  return result.travelled_m / duration_s * 60.0;
}

}  // namespace

StatusOr<RecordingReport> RecordingRun(const std::string& robot,
                                       std::shared_ptr<const Recording> recording, uint64_t seed,
                                       double duration_s) {
  RecordingReport report;
  report.max_speed_m_s = recording->max_speed_m_s;
  report.max_reach_m_s = recording->max_reach_m_s;
  DriveOptions options;
  options.physics = Physics::kClosedForm;
  options.seed = seed;
  options.recording = recording;
  options.scene = Square();
  options.max_time_s = duration_s;
  options.stop_at_goal = false;
  options.person = PersonKind::kGoalSwitching;

  report.above_body_m_s = std::max(1.6, kAbove * recording->max_speed_m_s);
  const double reach = std::max(2.0, report.above_body_m_s);
  const std::array<robot::Override, 2> overrides = {
      robot::Override{"safety.human.body_speed_m_s", report.above_body_m_s},
      robot::Override{"safety.human.reach_speed_m_s", reach}};
  SAFERL_ASSIGN_OR_RETURN(const DriveModel above, MakeDriveModel(robot, nullptr, overrides));
  SAFERL_ASSIGN_OR_RETURN(report.above, Drive(above, options));
  SAFERL_ASSIGN_OR_RETURN(const DriveModel standard, MakeDriveModel(robot, nullptr));
  SAFERL_ASSIGN_OR_RETURN(report.standard, Drive(standard, options));
  report.above_m_per_min = PerMinute(report.above, duration_s);
  report.standard_m_per_min = PerMinute(report.standard, duration_s);
  return report;
}

}  // namespace saferl::sim
