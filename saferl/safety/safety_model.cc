#include <algorithm>
#include <cmath>
#include <span>
#include <vector>

#include "saferl/base/data_path.h"
#include "saferl/base/file.h"
#include "saferl/base/text.h"
#include "saferl/robot/wheelchair.h"
#include "saferl/safety/constraints/constraints.h"
#include "saferl/safety/constraints/contact.h"
#include "saferl/safety/filter.h"
#include "saferl/safety/safety_section.h"

namespace saferl::safety {
namespace {

using Speeds = std::array<double, kNumRegions>;
constexpr std::string_view kPrefix = "safety.";

/// What a robot of each kind may not be without.
std::vector<ConstraintId> Needed(robot::Kind kind) {
  using enum ConstraintId;
  switch (kind) {
    case robot::Kind::kWheelchair:
      return {kAcceleration, kKeepOut, kSeparation, kTipOver};
    case robot::Kind::kArm:
      return {kJointPosition, kJointVelocity, kAcceleration, kWorkspace,
              kKeepOut,       kSeparation,    kContact};
    case robot::Kind::kExoskeleton:
      return {kJointPosition, kJointVelocity, kAcceleration, kTorque, kPower, kInteractionForce};
  }
  return {};
}

bool Has(const std::vector<ConstraintPtr>& list, ConstraintId id) {
  return std::any_of(list.begin(), list.end(),
                     [id](const ConstraintPtr& c) { return c != nullptr && c->id() == id; });
}

Status Bad(const robot::RobotModel& robot, std::string_view problem) {
  return absl::FailedPreconditionError(Cat("safety of '", robot.name(), "': ", problem));
}

bool Positive(double x) { return std::isfinite(x) && x > 0; }

Status CheckPeople(const robot::RobotModel& robot, const HumanModel& human) {
  if (!Positive(human.body_speed_m_s) || !Positive(human.reach_speed_m_s))
    return Bad(robot,
               "human.body_speed_m_s and human.reach_speed_m_s must be above 0; ISO 13855 has 1.6 "
               "and 2.0");
  if (!Positive(human.error_m))
    return Bad(robot, "human.error_m must be above 0: no tracker is exact; give its largest error");
  if (!(std::isfinite(human.intrusion_m) && human.intrusion_m >= 0))
    return Bad(robot, "human.intrusion_m must be 0 or more");
  return absl::OkStatus();
}

Status CheckRobot(const robot::RobotModel& robot) {
  if (!Positive(robot.period_s())) return Bad(robot, "period_s must be above 0");
  if (!Positive(robot.reaction_s()))
    return Bad(robot,
               "reaction_s must be above 0: no actuator answers at once; give its worst delay");
  for (int i = 0; i < robot.n(); ++i) {
    if (!Positive(robot.limits().brake[i]))
      return Bad(robot, "limits.brake must be above 0 for every component");
  }
  return absl::OkStatus();
}

/// Contact speed limits of the regions that the section allows to be touched.
Status MakeContactLimits(const ContactSection& section, RegionFlags* by_contact, Speeds* speeds) {
  by_contact->fill(false);
  speeds->fill(0);
  if (section.regions.empty()) return absl::OkStatus();
  if (!Positive(section.robot_mass_kg)) {
    return absl::InvalidArgumentError(
        "safety.contact.robot_mass_kg: is missing; contact.regions needs it");
  }
  SAFERL_ASSIGN_OR_RETURN(const std::string path, FindData("standards/iso_ts_15066_contact.yaml"));
  SAFERL_ASSIGN_OR_RETURN(const ContactTable table, LoadContactTable(path));
  for (const std::string& name : section.regions) {
    size_t i = 0;
    while (i < kNumRegions && RegionName(static_cast<robot::Region>(i)) != name) ++i;
    if (i == kNumRegions) {
      return absl::InvalidArgumentError(
          Cat("safety.contact.regions: '", name, "' is no region of ", path));
    }
    const double limit = ContactSpeedLimit(table.region[i], section.robot_mass_kg);
    if (!Positive(limit)) {
      return absl::InvalidArgumentError(
          Cat("safety.contact.regions: '", name, "' may never be touched; remove it"));
    }
    (*by_contact)[i] = true;
    (*speeds)[i] = limit;
  }
  return absl::OkStatus();
}

/// Parts of the model that only a wheeled base has.
void AddBase(const SafetySection& section, SafetyModel* model, TipOverModel* tip) {
  const auto* chair = dynamic_cast<const robot::Wheelchair*>(model->robot.get());
  if (chair == nullptr) return;
  const math::Rectangle& r = chair->footprint();
  model->base_radius_m = std::hypot(std::max(-r.rear, r.front), r.half_width);
  model->p_BLidar = chair->config().p_BLidar;
  const robot::TipOverData& data = chair->tip_over();
  *tip = {data.com_height_m,
          data.front_m,
          data.rear_m,
          data.side_m - section.tip_over.side_shift_m,
          section.tip_over.slope_rad,
          section.tip_over.hardest_braking};
}

/// The largest tube of the sweep that follows one step of each command component from rest.
double CreepReach_m(const robot::RobotModel& robot) {
  robot::Joints step{};
  for (int i = 0; i < robot.n(); ++i) step[i] = robot.limits().command_rate[i] * robot.period_s();
  robot::Manoeuvre m;
  robot.Predict({}, {}, step, &m);
  double reach = 0;
  for (int k = 0; k < m.n; ++k) {
    for (const double r : m.sample[k].reach_m) reach = std::max(reach, r);
  }
  return std::isfinite(reach) ? reach : 0;
}

Status AddConstraints(const SafetySection& section, const TipOverModel& tip, SafetyModel* model) {
  RegionFlags by_contact;
  Speeds speeds;
  SAFERL_RETURN_IF_ERROR(MakeContactLimits(section.contact, &by_contact, &speeds));
  std::vector<HalfSpace> half_spaces;
  for (const HalfSpaceSection& h : section.workspace) {
    const math::Vec3 normal = {h.normal[0], h.normal[1], h.normal[2]};
    if (std::abs(math::Norm(normal) - 1) > 1e-6) {
      return absl::InvalidArgumentError(
          "safety.workspace: normal must have length 1; divide it by its length");
    }
    half_spaces.push_back({normal, h.offset_m});
  }
  robot::Joints interaction{};
  for (size_t i = 0; i < section.interaction_torque_nm.size() && i < interaction.size(); ++i) {
    interaction[i] = section.interaction_torque_nm[i];
  }
  model->interaction_max_nm = interaction;
  model->by_contact = by_contact;
  model->proof = {MakeAcceleration(),
                  MakeSeparation(by_contact, section.comfort_m),
                  MakeKeepOut(section.comfort_m),
                  MakeJointPosition(),
                  MakeJointVelocity(),
                  MakeTorque(),
                  MakePower(),
                  MakeWorkspace(std::move(half_spaces)),
                  MakeContact(by_contact, speeds),
                  MakeTipOver(tip),
                  MakeInteractionForce(interaction)};
  model->steering = model->proof;
  return absl::OkStatus();
}

StatusOr<std::shared_ptr<const SafetyModel>> Build(std::shared_ptr<const robot::RobotModel> robot,
                                                   const SafetySection& section) {
  auto model = std::make_shared<SafetyModel>();
  model->robot = std::move(robot);
  const auto n = static_cast<size_t>(model->robot->n());
  if (section.weight.size() != n)
    return Bad(*model->robot, Cat("weight needs ", n, " entries, one for each command component"));
  std::copy(section.weight.begin(), section.weight.end(), model->weight.begin());
  if (!section.interaction_torque_nm.empty() && section.interaction_torque_nm.size() != n)
    return Bad(*model->robot,
               Cat("interaction_torque_nm needs ", n, " entries, one for each joint"));
  model->human = {section.human.body_speed_m_s, section.human.reach_speed_m_s,
                  section.human.error_m, section.human.intrusion_m};
  model->lidar_error_m = section.lidar.error_m;
  model->lidar_fill_m = section.lidar.fill_m;
  model->max_bisections = section.max_bisections;
  for (const CapsuleSection& c : section.keep_out) {
    model->keep_out_W.push_back(
        {{c.a_m[0], c.a_m[1], c.a_m[2]}, {c.b_m[0], c.b_m[1], c.b_m[2]}, c.radius_m});
  }
  if (model->robot->kind() != robot::Kind::kExoskeleton) {
    model->creep_reach_m = CreepReach_m(*model->robot);
  }
  TipOverModel tip;
  AddBase(section, model.get(), &tip);
  SAFERL_RETURN_IF_ERROR(AddConstraints(section, tip, model.get()));
  return model;
}

}  // namespace

Status SafetyModel::Validate() const {
  if (robot == nullptr)
    return absl::FailedPreconditionError("safety: no robot; load one with LoadSafetyModel");
  SAFERL_RETURN_IF_ERROR(CheckRobot(*robot));
  SAFERL_RETURN_IF_ERROR(CheckPeople(*robot, human));
  for (const ConstraintId id : Needed(robot->kind())) {
    if (!Has(proof, id)) return Bad(*robot, Cat("the proof lacks the constraint ", Name(id)));
  }
  for (int i = 0; i < robot->n(); ++i) {
    if (!Positive(weight[i])) return Bad(*robot, "weight must be above 0 for every component");
    if (robot->kind() == robot::Kind::kExoskeleton && !Positive(interaction_max_nm[i]))
      return Bad(*robot, "interaction_torque_nm must be above 0 for every joint");
  }
  if (robot->kind() == robot::Kind::kWheelchair &&
      !(Positive(lidar_error_m) && Positive(lidar_fill_m) && Positive(base_radius_m)))
    return Bad(*robot, "lidar.error_m and lidar.fill_m must be above 0: no lidar is exact");
  if (max_bisections < 1 || max_bisections > 16)
    return Bad(*robot, "max_bisections must be 1 to 16");
  return absl::OkStatus();
}

StatusOr<std::shared_ptr<const SafetyModel>> LoadSafetyModel(
    const std::string& name_or_path, std::span<const robot::Override> overrides) {
  SAFERL_ASSIGN_OR_RETURN(const std::string path, FindNamed(name_or_path, "robots", ".yaml"));
  SAFERL_ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  SAFERL_ASSIGN_OR_RETURN(SafetySection section, ReadSafetySection(text, path));
  std::vector<robot::Override> for_robot;
  for (const robot::Override& change : overrides) {
    if (change.key.starts_with(kPrefix)) {
      SAFERL_RETURN_IF_ERROR(
          ApplySafetyOverride(change.key.substr(kPrefix.size()), change.value, &section));
    } else {
      for_robot.push_back(change);
    }
  }
  SAFERL_ASSIGN_OR_RETURN(auto robot, robot::LoadRobot(path, for_robot));
  SAFERL_ASSIGN_OR_RETURN(auto model, Build(std::move(robot), section));
  if (overrides.empty()) SAFERL_RETURN_IF_ERROR(model->Validate());
  return model;
}

}  // namespace saferl::safety
