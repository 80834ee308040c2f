#include "saferl/sim/scenario.h"

#include <algorithm>
#include <cmath>

#include "fmt/format.h"
#include "saferl/base/config.h"
#include "saferl/base/yaml.h"

namespace saferl::sim {
namespace {

constexpr double kFar_m = 50;

std::vector<std::string> ModeNames() {
  std::vector<std::string> names;
  for (int i = 0; i < 5; ++i) names.emplace_back(safety::Name(static_cast<safety::Mode>(i)));
  return names;
}
std::vector<std::string> ReasonNames() {
  std::vector<std::string> names;
  for (int i = 0; i < static_cast<int>(safety::Reason::kCount); ++i) {
    names.emplace_back(safety::Name(static_cast<safety::Reason>(i)));
  }
  return names;
}
std::vector<std::string> FaultNames() {
  std::vector<std::string> names;
  for (int i = 0; i < kNumFaultKinds; ++i) names.emplace_back(Name(static_cast<FaultKind>(i)));
  return names;
}
std::vector<std::string> PersonNames() {
  std::vector<std::string> names;
  for (int i = 0; i < kNumPersonKinds; ++i) names.emplace_back(Name(static_cast<PersonKind>(i)));
  return names;
}

size_t IndexOf(const std::vector<std::string>& names, const std::string& name) {
  return static_cast<size_t>(std::find(names.begin(), names.end(), name) - names.begin());
}

}  // namespace

template <class V>
void Expectation::Visit(V& v, Expectation& s) {
  v.Field("goal_reached", s.goal_reached, {.doc = "the true goal", .names = {"yes", "no", "any"}});
  v.Field("collision", s.collision,
          {.doc = "contact while moving", .names = {"none", "any", "some"}});
  v.Field("modes_seen", s.modes_seen, {.doc = "modes that must occur", .names = ModeNames()});
  v.Field("modes_not_seen", s.modes_not_seen, {.doc = "modes that must not", .names = ModeNames()});
  v.Field("reasons_seen", s.reasons_seen,
          {.doc = "reasons that must occur", .names = ReasonNames()});
  v.Field("reasons_not_seen", s.reasons_not_seen,
          {.doc = "reasons that must not", .names = ReasonNames()});
  v.Field("max_time_s", s.max_time_s,
          {.doc = "to the goal or the end", .unit = "s", .min = 0, .max = 3600});
  v.Field("min_separation_m", s.min_separation_m,
          {.doc = "to people while moving", .unit = "m", .min = 0, .max = kFar_m});
  v.Field("min_travelled_m", s.min_travelled_m,
          {.doc = "way driven, at least", .unit = "m", .min = 0, .max = 1e4});
  v.Field("max_travelled_m", s.max_travelled_m,
          {.doc = "way driven, at most", .unit = "m", .min = 0, .max = 1e4});
  v.Field("answered_within_s", s.answered_within_s,
          {.doc = "from the first fault to the first of reasons_seen",
           .unit = "s",
           .min = 0,
           .max = 3600});
}

template <class V>
void ScenarioFault::Visit(V& v, ScenarioFault& s) {
  v.Field("kind", s.kind, {.doc = "what goes wrong", .required = true, .names = FaultNames()});
  v.Field("from_s", s.from_s,
          {.doc = "begins", .unit = "s", .min = 0, .max = 3600, .required = true});
  v.Field("for_s", s.for_s, {.doc = "lasts", .unit = "s", .min = 0.001, .max = 3600});
}

template <class V>
void ScenarioBox::Visit(V& v, ScenarioBox& s) {
  v.Field("x_m", s.x_m,
          {.doc = "middle", .unit = "m", .min = -kFar_m, .max = kFar_m, .required = true});
  v.Field("y_m", s.y_m,
          {.doc = "middle", .unit = "m", .min = -kFar_m, .max = kFar_m, .required = true});
  v.Field("yaw_rad", s.yaw_rad, {.doc = "turned by", .unit = "rad", .min = -7, .max = 7});
  v.Field("length_m", s.length_m,
          {.doc = "along its first axis", .unit = "m", .min = 0.02, .max = kFar_m});
  v.Field("width_m", s.width_m,
          {.doc = "along its second axis", .unit = "m", .min = 0.02, .max = kFar_m});
}

template <class V>
void ScenarioWalk::Visit(V& v, ScenarioWalk& s) {
  v.Field("x_m", s.x_m,
          {.doc = "corners", .unit = "m", .required = true, .min_size = 2, .max_size = 100});
  v.Field("y_m", s.y_m,
          {.doc = "corners", .unit = "m", .required = true, .min_size = 2, .max_size = 100});
  v.Field("speed_m_s", s.speed_m_s, {.doc = "walks at", .unit = "m/s", .min = 0, .max = 5});
  v.Field("radius_m", s.radius_m, {.doc = "of the body", .unit = "m", .min = 0.1, .max = 0.6});
  v.Field("pause_s", s.pause_s, {.doc = "rests at either end", .unit = "s", .min = 0, .max = 3600});
}

template <class V>
void ScenarioWorld::Visit(V& v, ScenarioWorld& s) {
  v.Field("length_m", s.length_m,
          {.doc = "of the room, along x", .unit = "m", .min = 2, .max = kFar_m, .required = true});
  v.Field("width_m", s.width_m,
          {.doc = "of the room, along y", .unit = "m", .min = 2, .max = kFar_m, .required = true});
  v.Field("boxes", s.boxes, {.doc = "walls and furniture", .max_size = 200});
  v.Field("start", s.start,
          {.doc = "x [m], y [m], yaw [rad]", .required = true, .min_size = 3, .max_size = 3});
  v.Field("goal_x_m", s.goal_x_m,
          {.doc = "candidates", .unit = "m", .required = true, .min_size = 1, .max_size = 4});
  v.Field("goal_y_m", s.goal_y_m,
          {.doc = "candidates", .unit = "m", .required = true, .min_size = 1, .max_size = 4});
  v.Field("true_goal", s.true_goal, {.doc = "the one that is meant, from 0", .min = 0, .max = 3});
  v.Field("walks", s.walks, {.doc = "walking pedestrians", .max_size = 16});
}

template <class V>
void Scenario::Visit(V& v, Scenario& s) {
  v.Field("name", s.name, {.doc = "one word", .required = true});
  v.Field("about", s.about, {.doc = "what it shows", .required = true});
  v.Field("robot", s.robot, {.doc = "name or file of a robot"});
  v.Field("column", s.column, {.doc = "who drives", .names = {"alone", "blended", "full"}});
  v.Field("physics", s.physics, {.doc = "plant", .names = {"closed_form", "mujoco"}});
  v.Field("person", s.person, {.doc = "who holds the stick", .names = PersonNames()});
  v.Field("policy", s.policy, {.doc = "package file of a policy"});
  v.Field("seed", s.seed, {.doc = "of everything random"});
  v.Field("duration_s", s.duration_s,
          {.doc = "longest time", .unit = "s", .min = 0.1, .max = 3600});
  v.Field("stop_at_goal", s.stop_at_goal, {.doc = "ends at the goal"});
  v.Field("acknowledges", s.acknowledges, {.doc = "the person clears latched stops"});
  v.Field("max_pedestrians", s.max_pedestrians,
          {.doc = "in a scene from the seed", .min = 0, .max = 8});
  v.Field("world", s.world, {.doc = "a floor plan by hand (wheelchair)"});
  v.Field("faults", s.faults, {.doc = "what goes wrong", .max_size = 50});
  v.Field("expect", s.expect, {.doc = "the outcome", .required = true});
}

Status Scenario::Check() const {
  if (world.goal_x_m.size() != world.goal_y_m.size()) {
    return absl::InvalidArgumentError(
        "world: goal_x_m and goal_y_m differ in length; give one y for each x");
  }
  for (const ScenarioWalk& walk : world.walks) {
    if (walk.x_m.size() != walk.y_m.size()) {
      return absl::InvalidArgumentError(
          "world: a walk's x_m and y_m differ in length; give one y for each x");
    }
  }
  return absl::OkStatus();
}

namespace {

StatusOr<Scenario> ReadScenario(const Node& node) {
  // A file that was cut off here would be a test that cannot fail.
  const Node* expect = node.is_map() ? node.Find("expect") : nullptr;
  if (expect != nullptr && (expect->is_null() || (expect->is_map() && expect->entries().empty())))
    return expect->Error("expect: expects nothing; say at least goal_reached or collision");
  return config::Read<Scenario>(node);
}

}  // namespace

StatusOr<Scenario> ParseScenario(std::string_view text, std::string_view name) {
  SAFERL_ASSIGN_OR_RETURN(const Node node, ParseYaml(text, name));
  return ReadScenario(node);
}

StatusOr<Scenario> LoadScenario(const std::string& path) {
  SAFERL_ASSIGN_OR_RETURN(const Node node, LoadYaml(path));
  return ReadScenario(node);
}

namespace {

StatusOr<std::shared_ptr<const Scene>> BuildWorld(const ScenarioWorld& world) {
  auto scene = std::make_shared<Scene>();
  scene->x1 = world.length_m;
  scene->y1 = world.width_m;
  const double w = world.length_m, d = world.width_m, t = 0.1;
  scene->boxes = {{0.5 * w, -t, 0, 0.5 * w + t, t},
                  {0.5 * w, d + t, 0, 0.5 * w + t, t},
                  {-t, 0.5 * d, 0, t, 0.5 * d},
                  {w + t, 0.5 * d, 0, t, 0.5 * d}};
  scene->kinds.assign(4, BoxKind::kWall);
  for (const ScenarioBox& box : world.boxes) {
    scene->boxes.push_back({box.x_m, box.y_m, box.yaw_rad, 0.5 * box.length_m, 0.5 * box.width_m});
    scene->kinds.push_back(BoxKind::kFurniture);
  }
  scene->start = {world.start[0], world.start[1], world.start[2]};
  for (size_t i = 0; i < world.goal_x_m.size(); ++i)
    scene->goals.push_back({world.goal_x_m[i], world.goal_y_m[i]});
  scene->true_goal = world.true_goal;
  for (const ScenarioWalk& walk : world.walks) {
    Walk made{.way = {},
              .speed_m_s = walk.speed_m_s,
              .radius_m = walk.radius_m,
              .begin_m = 0,
              .pause_s = walk.pause_s};
    for (size_t i = 0; i < walk.x_m.size(); ++i) made.way.push_back({walk.x_m[i], walk.y_m[i]});
    scene->walks.push_back(std::move(made));
  }
  SAFERL_RETURN_IF_ERROR(FinishScene(SceneOptions{}.clearance_m, scene.get()));
  return scene;
}

void Judge(const Scenario& scenario, ScenarioReport* report) {
  const Expectation& expect = scenario.expect;
  const DriveResult& result = report->result;
  const auto fail = [&](std::string line) { report->failures.push_back(std::move(line)); };
  if (expect.goal_reached != "any" && (expect.goal_reached == "yes") != result.goal_reached) {
    fail(fmt::format("goal_reached: {}; expected {}", result.goal_reached ? "yes" : "no",
                     expect.goal_reached));
  }
  const bool hit = result.collision != Hit::kNothing;
  if ((expect.collision == "none" && hit) || (expect.collision == "some" && !hit)) {
    fail(fmt::format("collision: with {} after {:.2f} s; expected {}", Name(result.collision),
                     result.time_s, expect.collision));
  }
  const std::vector<std::string> modes = ModeNames(), reasons = ReasonNames();
  for (const std::string& mode : expect.modes_seen) {
    if (result.mode_ticks[IndexOf(modes, mode)] == 0)
      fail(fmt::format("modes_seen: {} did not occur", mode));
  }
  for (const std::string& mode : expect.modes_not_seen) {
    if (result.mode_ticks[IndexOf(modes, mode)] > 0)
      fail(fmt::format("modes_not_seen: {} occurred", mode));
  }
  double first_s = 1e9;
  for (const std::string& reason : expect.reasons_seen) {
    const size_t at = IndexOf(reasons, reason);
    if (result.reason_ticks[at] == 0) {
      fail(fmt::format("reasons_seen: {} did not occur", reason));
    } else {
      first_s = std::min(first_s, result.reason_first_s[at]);
    }
  }
  for (const std::string& reason : expect.reasons_not_seen) {
    if (result.reason_ticks[IndexOf(reasons, reason)] > 0)
      fail(fmt::format("reasons_not_seen: {} occurred", reason));
  }
  if (expect.max_time_s > 0 && result.time_s > expect.max_time_s) {
    fail(fmt::format("max_time_s: took {:.2f}; expected at most {}", result.time_s,
                     expect.max_time_s));
  }
  if (expect.min_separation_m > 0 && result.min_moving_separation_m < expect.min_separation_m) {
    fail(fmt::format("min_separation_m: came as near as {:.3f}; expected {}",
                     result.min_moving_separation_m, expect.min_separation_m));
  }
  if (result.travelled_m < expect.min_travelled_m) {
    fail(fmt::format("min_travelled_m: {:.2f}; expected {}", result.travelled_m,
                     expect.min_travelled_m));
  }
  if (expect.max_travelled_m > 0 && result.travelled_m > expect.max_travelled_m) {
    fail(fmt::format("max_travelled_m: {:.2f}; expected {}", result.travelled_m,
                     expect.max_travelled_m));
  }
  if (expect.answered_within_s > 0 && !scenario.faults.empty() && first_s < 1e9 &&
      first_s - scenario.faults.front().from_s > expect.answered_within_s) {
    fail(fmt::format("answered_within_s: took {:.3f}; expected {}",
                     first_s - scenario.faults.front().from_s, expect.answered_within_s));
  }
  if (scenario.column == "full" && result.unproved_moving_ticks > 0) {
    fail(fmt::format("{} ticks moved without a proof; expected 0", result.unproved_moving_ticks));
  }
}

}  // namespace

StatusOr<ScenarioReport> RunScenario(const Scenario& scenario) {
  std::shared_ptr<const policy::Policy> policy;
  if (!scenario.policy.empty()) {
    SAFERL_ASSIGN_OR_RETURN(policy, policy::LoadPolicy(scenario.policy));
  }
  SAFERL_ASSIGN_OR_RETURN(const DriveModel model, MakeDriveModel(scenario.robot, policy));
  DriveOptions options;
  options.column = scenario.column == "alone"     ? Column::kAlone
                   : scenario.column == "blended" ? Column::kBlended
                                                  : Column::kFull;
  options.physics = scenario.physics == "mujoco" ? Physics::kMujoco : Physics::kClosedForm;
  SAFERL_ASSIGN_OR_RETURN(options.person, ParsePersonKind(scenario.person));
  options.seed = scenario.seed;
  options.max_time_s = scenario.duration_s;
  options.stop_at_goal = scenario.stop_at_goal;
  options.acknowledges = scenario.acknowledges;
  options.scene_options.max_pedestrians = scenario.max_pedestrians;
  if (scenario.world.length_m > 0) {
    SAFERL_ASSIGN_OR_RETURN(options.scene, BuildWorld(scenario.world));
  }
  for (const ScenarioFault& fault : scenario.faults) {
    SAFERL_ASSIGN_OR_RETURN(const FaultKind kind, ParseFaultKind(fault.kind));
    options.faults.push_back({kind, fault.from_s, fault.for_s});
  }
  ScenarioReport report;
  SAFERL_ASSIGN_OR_RETURN(report.result, Drive(model, options));
  Judge(scenario, &report);
  return report;
}

std::string ToText(const Scenario& scenario, const ScenarioReport& report) {
  std::string text =
      fmt::format("{} {}: {}\n", report.Passed() ? "pass" : "FAIL", scenario.name, scenario.about);
  const DriveResult& result = report.result;
  text += fmt::format(
      "  goal {}, {:.2f} s, collision with {}, {} of {} ticks intervened, {:.2f} travelled\n",
      result.goal_reached ? "reached" : "not reached", result.time_s, Name(result.collision),
      result.interventions, result.ticks, result.travelled_m);
  for (size_t k = 1; k < result.reason_ticks.size(); ++k) {
    if (result.reason_ticks[k] == 0) continue;
    text += fmt::format("  {}: {} ticks, first at {:.3f} s\n",
                        safety::Name(static_cast<safety::Reason>(k)), result.reason_ticks[k],
                        result.reason_first_s[k]);
  }
  for (const std::string& failure : report.failures)
    text += fmt::format("  expected otherwise: {}\n", failure);
  return text;
}

}  // namespace saferl::sim
