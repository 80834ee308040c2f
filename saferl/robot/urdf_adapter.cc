#include "saferl/robot/urdf_adapter.h"

#include <console_bridge/console.h>
#include <urdf_parser/urdf_parser.h>

#include <algorithm>
#include <cmath>
#include <exception>
#include <limits>
#include <mutex>
#include <numbers>

#include "saferl/base/node.h"
#include "saferl/base/text.h"
#include "saferl/robot/urdf_text.h"

namespace saferl::robot {
namespace {

/// Keeps urdfdom's messages instead of letting them reach the terminal.
class Messages final : public console_bridge::OutputHandler {
 public:
  void log(const std::string& text, console_bridge::LogLevel level, const char*, int) override {
    if (level >= console_bridge::CONSOLE_BRIDGE_LOG_ERROR && first_.empty()) first_ = text;
  }
  const std::string& first() const { return first_; }

 private:
  std::string first_;
};

Status Bad(std::string_view name, const std::string& problem) {
  return absl::InvalidArgumentError(Cat(name, ": ", problem));
}

urdf::ModelInterfaceSharedPtr Parse(std::string_view text, std::string* problem) {
  // The handler is one per process: one parse at a time.
  static std::mutex mutex;
  const std::lock_guard lock(mutex);
  Messages messages;
  console_bridge::OutputHandler* before = console_bridge::getOutputHandler();
  console_bridge::useOutputHandler(&messages);
  urdf::ModelInterfaceSharedPtr model;
  try {
    model = urdf::parseURDF(std::string(text));
    if (model == nullptr)
      *problem = messages.first().empty() ? "not a robot description" : messages.first();
  } catch (const std::exception& error) {
    *problem = error.what();
    model = nullptr;
  }
  console_bridge::useOutputHandler(before);
  std::replace(problem->begin(), problem->end(), '\n', ' ');
  return model;
}

bool Finite(const UrdfJoint& j) {
  double sum = j.x_PJ.p.x + j.x_PJ.p.y + j.x_PJ.p.z + j.axis.x + j.axis.y + j.axis.z;
  for (const auto& row : j.x_PJ.r.m) sum += row[0] + row[1] + row[2];
  return std::isfinite(sum);
}

math::Pose ToPose(const urdf::Pose& pose) {
  double roll = 0, pitch = 0, yaw = 0;
  pose.rotation.getRPY(roll, pitch, yaw);
  return {math::RollPitchYaw(roll, pitch, yaw),
          {pose.position.x, pose.position.y, pose.position.z}};
}

StatusOr<UrdfJoint> Convert(std::string_view name, const urdf::Joint& joint) {
  UrdfJoint out;
  out.name = joint.name;
  out.child_link = joint.child_link_name;
  out.x_PJ = ToPose(joint.parent_to_joint_origin_transform);
  if (joint.type == urdf::Joint::REVOLUTE || joint.type == urdf::Joint::CONTINUOUS) {
    out.turns = true;
    const math::Vec3 axis{joint.axis.x, joint.axis.y, joint.axis.z};
    if (!(math::Norm(axis) > 1e-6))
      return Bad(name,
                 Cat("joint '", joint.name, "': its axis has no direction; give a unit vector"));
    out.axis = math::Normalized(axis);
    if (joint.limits == nullptr) {
      return Bad(name, Cat("joint '", joint.name,
                           "': has no <limit>; give lower, upper, velocity and effort"));
    }
    const double inf = std::numeric_limits<double>::infinity();
    const bool bounded = joint.type == urdf::Joint::REVOLUTE;
    out.lower_rad = bounded ? joint.limits->lower : -inf;
    out.upper_rad = bounded ? joint.limits->upper : inf;
    out.velocity_rad_s = joint.limits->velocity;
    out.effort_nm = joint.limits->effort;
    if (!(out.lower_rad < out.upper_rad))
      return Bad(name, Cat("joint '", joint.name, "': lower limit is not below upper"));
    if (!(std::isfinite(out.velocity_rad_s) && out.velocity_rad_s > 0))
      return Bad(name, Cat("joint '", joint.name, "': velocity limit must be above 0 rad/s"));
    if (!(std::isfinite(out.effort_nm) && out.effort_nm >= 0))
      return Bad(name, Cat("joint '", joint.name, "': effort limit must be 0 Nm or more"));
  } else if (joint.type != urdf::Joint::FIXED) {
    return Bad(
        name,
        Cat("joint '", joint.name,
            "': only revolute, continuous and fixed joints are supported between base and tip"));
  }
  if (!Finite(out)) return Bad(name, Cat("joint '", joint.name, "': origin or axis is not finite"));
  return out;
}

/// Points all over a shape's surface; a mesh gives none.
std::vector<math::Vec3> SkinOf(const urdf::Geometry& geometry) {
  std::vector<math::Vec3> points;
  if (geometry.type == urdf::Geometry::CYLINDER) {
    const auto& c = static_cast<const urdf::Cylinder&>(geometry);
    for (int level = 0; level <= 4; ++level)
      for (int i = 0; i < 16; ++i) {
        const double angle = 2 * std::numbers::pi * i / 16;
        points.push_back({c.radius * std::cos(angle), c.radius * std::sin(angle),
                          c.length * (0.25 * level - 0.5)});
      }
  } else if (geometry.type == urdf::Geometry::SPHERE || geometry.type == urdf::Geometry::BOX) {
    // The 26 directions of a cube's corners, edges and faces.
    for (int i = 0; i < 27; ++i) {
      const int x = i % 3, y = i / 3 % 3, z = i / 9;
      const math::Vec3 d{x - 1.0, y - 1.0, z - 1.0};
      if (d == math::Vec3{}) continue;
      if (geometry.type == urdf::Geometry::SPHERE) {
        points.push_back(static_cast<const urdf::Sphere&>(geometry).radius * math::Normalized(d));
      } else {
        const auto& half = static_cast<const urdf::Box&>(geometry).dim;
        points.push_back({0.5 * half.x * d.x, 0.5 * half.y * d.y, 0.5 * half.z * d.z});
      }
    }
  }
  return points;
}

UrdfSkin SkinOfLink(const urdf::Link& link) {
  UrdfSkin skin;
  skin.link = link.name;
  const auto take = [&](const urdf::GeometrySharedPtr& geometry, const urdf::Pose& origin) {
    if (geometry == nullptr) return;
    const math::Pose x = ToPose(origin);
    const std::vector<math::Vec3> points = SkinOf(*geometry);
    skin.n_meshes += points.empty() ? 1 : 0;
    for (const math::Vec3 p : points) skin.points_m.push_back(x * p);
  };
  for (const auto& shape : link.collision_array) take(shape->geometry, shape->origin);
  if (link.collision_array.empty())
    for (const auto& shape : link.visual_array) take(shape->geometry, shape->origin);
  return skin;
}

std::string KnownLinks(const urdf::ModelInterface& model, const std::string& wanted) {
  std::vector<std::string> names;
  for (const auto& [link, unused] : model.links_) names.push_back(link);
  const std::optional<std::string> nearest = Nearest(wanted, names);
  return nearest ? Cat("did you mean '", *nearest, "'?") : "name one of its <link>s";
}

}  // namespace

StatusOr<UrdfChain> ParseUrdfChain(std::string_view text, std::string_view name,
                                   const std::string& base_link, const std::string& tip_link) {
  if (text.size() > kMaxUrdfBytes)
    return Bad(name,
               Cat("is larger than ", kMaxUrdfBytes, " bytes; leave meshes in files of their own"));
  SAFERL_RETURN_IF_ERROR(CheckUrdfText(text, name));
  std::string problem;
  const urdf::ModelInterfaceSharedPtr model = Parse(text, &problem);
  if (model == nullptr)
    return Bad(UrdfPlace(text, name, problem),
               Cat("is not a usable URDF: ", problem, "; check it with check_urdf"));
  UrdfChain chain;
  chain.robot_name = model->name_;
  for (const std::string& wanted : {base_link, tip_link}) {
    if (model->getLink(wanted) == nullptr)
      return Bad(name, Cat("has no link '", wanted, "'; ", KnownLinks(*model, wanted)));
  }
  // From the tip to the base by parent joints; a tree has at most as many as it has links.
  std::string at = tip_link;
  for (size_t steps = 0; at != base_link; ++steps) {
    const urdf::LinkConstSharedPtr link = model->getLink(at);
    if (link == nullptr || link->parent_joint == nullptr || steps > model->links_.size()) {
      return Bad(name, Cat("link '", tip_link, "' does not hang on link '", base_link,
                           "'; name a base_link nearer to the root"));
    }
    SAFERL_ASSIGN_OR_RETURN(UrdfJoint joint, Convert(name, *link->parent_joint));
    chain.joints.insert(chain.joints.begin(), std::move(joint));
    chain.skins.insert(chain.skins.begin(), SkinOfLink(*link));
    at = link->parent_joint->parent_link_name;
  }
  chain.skins.insert(chain.skins.begin(), SkinOfLink(*model->getLink(base_link)));
  return chain;
}

}  // namespace saferl::robot
