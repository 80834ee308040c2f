#pragma once
// Scenarios: one drive with its expected outcome, as a YAML file. Every file in data/scenarios is a
// test, and `saferl scenario run FILE` runs any file.
//
// Format: docs/formats/scenario.md. Units: in every key. Errors: kInvalidArgument "file:line:
// field: problem; next step"; unknown keys name the nearest known one. RT: no. Deterministic.

#include <string>
#include <string_view>
#include <vector>

#include "saferl/base/status.h"
#include "saferl/sim/drive.h"

namespace saferl::sim {

/// What must be true afterwards. Absent keys expect nothing.
struct Expectation {
  std::string goal_reached = "any";  ///< "yes", "no", "any"
  std::string collision = "none";    ///< "none", "any", "some"
  std::vector<std::string> modes_seen, modes_not_seen;
  std::vector<std::string> reasons_seen, reasons_not_seen;
  double max_time_s = 0;                            ///< 0 = any
  double min_separation_m = 0;                      ///< while moving; 0 = any
  double min_travelled_m = 0, max_travelled_m = 0;  ///< 0 = any
  double answered_within_s = 0;  ///< first reason of reasons_seen after the first fault; 0 = any

  template <class V>
  static void Visit(V& v, Expectation& s);
};

struct ScenarioFault {
  std::string kind;
  double from_s = 0, for_s = 1;
  template <class V>
  static void Visit(V& v, ScenarioFault& s);
};

struct ScenarioBox {
  double x_m = 0, y_m = 0, yaw_rad = 0, length_m = 1, width_m = 1;
  template <class V>
  static void Visit(V& v, ScenarioBox& s);
};

struct ScenarioWalk {
  std::vector<double> x_m, y_m;
  double speed_m_s = 1.0, radius_m = 0.25, pause_s = 1.0;
  template <class V>
  static void Visit(V& v, ScenarioWalk& s);
};

/// A floor plan by hand: a room from (0, 0) to (length_m, width_m) with outer walls.
struct ScenarioWorld {
  double length_m = 0, width_m = 0;
  std::vector<ScenarioBox> boxes;
  std::vector<double> start;  ///< x_m, y_m, yaw_rad
  std::vector<double> goal_x_m, goal_y_m;
  int true_goal = 0;
  std::vector<ScenarioWalk> walks;
  template <class V>
  static void Visit(V& v, ScenarioWorld& s);
};

struct Scenario {
  std::string name, about;
  std::string robot = "wheelchair";
  std::string column = "full";          ///< "alone", "blended", "full"
  std::string physics = "closed_form";  ///< "closed_form", "mujoco"
  std::string person = "expert";
  std::string policy;  ///< package file; empty = none
  uint64_t seed = 1;
  double duration_s = 30;
  bool stop_at_goal = true;
  bool acknowledges = true;
  int max_pedestrians = 2;  ///< of a scene from the seed
  ScenarioWorld world;      ///< length_m 0 = a scene from the seed
  std::vector<ScenarioFault> faults;
  Expectation expect;

  template <class V>
  static void Visit(V& v, Scenario& s);
  Status Check() const;
};

StatusOr<Scenario> ParseScenario(std::string_view text, std::string_view name);
StatusOr<Scenario> LoadScenario(const std::string& path);

struct ScenarioReport {
  DriveResult result;
  std::vector<std::string> failures;  ///< one line for each expectation that was not met
  bool Passed() const { return failures.empty(); }
};
StatusOr<ScenarioReport> RunScenario(const Scenario& scenario);
/// Name, outcome and what failed, as a few lines for a person.
std::string ToText(const Scenario& scenario, const ScenarioReport& report);

}  // namespace saferl::sim
