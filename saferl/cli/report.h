#pragma once
// The report page of a demo: one self-contained HTML file (no network, no scripts from elsewhere)
// with the table, plots of training and of the drives, and an animated top view that plays each
// recorded drive.
//
// RT: no. Errors: file errors naming the path.

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "saferl/base/status.h"
#include "saferl/math/geometry.h"
#include "saferl/sim/drive.h"
#include "saferl/sim/scene.h"

namespace saferl::cli {

/// What many drives of one person in one way add up to.
struct DriveSummary {
  int drives = 0, reached = 0, collisions = 0;
  double time_s = 0;            ///< mean over drives that reached the goal
  double interventions = 0;     ///< share of ticks whose command the filter changed
  double distortion = 0;        ///< mean over drives
  double min_separation_m = 0;  ///< smallest while moving
  int64_t unproved_ticks = 0;   ///< moving without a proof
};
DriveSummary Summarise(const std::vector<sim::DriveResult>& results);

/// One person: alone, blended, full.
struct ReportRow {
  std::string person, description;
  std::array<DriveSummary, 3> column;
};

struct TrainingPoint {
  double steps = 0, episode_return = 0, success = 0;
  std::vector<double> cost;
};

struct ReportTrace {
  std::string title;
  std::shared_ptr<const sim::Scene> scene;
  sim::DriveResult result;
};

struct Report {
  std::string robot, policy, commit, command;
  math::Rectangle footprint;
  std::vector<std::string> cost_names;
  std::vector<double> cost_limits;
  std::vector<TrainingPoint> training;
  std::vector<ReportRow> rows;
  std::vector<ReportTrace> traces;
};

std::string RenderReport(const Report& report);
Status WriteReport(const Report& report, const std::string& path);

}  // namespace saferl::cli
