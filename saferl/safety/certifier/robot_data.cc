// The certifier's own reading of a robot file. Keys: docs/formats/robot_file.md.

#include <algorithm>
#include <cmath>

#include "fmt/core.h"
#include "saferl/base/data_path.h"
#include "saferl/base/file.h"
#include "saferl/base/yaml.h"
#include "saferl/safety/certifier/models.h"
#include "saferl/safety/certifier/urdf.h"

namespace saferl::safety::certifier {
namespace {

/// Reads numbers by dotted path and keeps the first error.
class Reader {
 public:
  explicit Reader(const Node& root) : root_(root) {}

  const Node* At(const std::string& path) const {
    const Node* node = &root_;
    size_t from = 0;
    while (node != nullptr && from <= path.size()) {
      const size_t dot = std::min(path.find('.', from), path.size());
      node = node->Find(path.substr(from, dot - from));
      from = dot + 1;
    }
    return node;
  }
  double Number(const std::string& path) {
    const Node* node = At(path);
    if (node == nullptr) {
      Fail(root_.Error(fmt::format("{}: is missing; the certifier needs it", path)));
      return 0;
    }
    const StatusOr<double> value = node->AsDouble();
    if (!value.ok()) {
      Fail(value.status());
      return 0;
    }
    return *value;
  }
  double NumberOr(const std::string& path, double fallback) {
    return At(path) == nullptr ? fallback : Number(path);
  }
  /// A list of numbers into `out`; one number stands for all `n`.
  void List(const std::string& path, int n, robot::Joints* out) {
    const Node* node = At(path);
    if (node == nullptr) return Fail(root_.Error(fmt::format("{}: is missing", path)));
    const StatusOr<std::vector<double>> values = node->AsDoubles();
    if (!values.ok()) return Fail(values.status());
    if (values->size() != 1 && values->size() != static_cast<size_t>(n))
      return Fail(node->Error(fmt::format("{}: give 1 or {} numbers", path, n)));
    for (int i = 0; i < n; ++i) {
      (*out)[i] = (*values)[values->size() == 1 ? 0 : static_cast<size_t>(i)];
    }
  }
  math::Vec3 Vector(const Node& map, const std::string& key) {
    const Node* node = map.Find(key);
    const StatusOr<std::vector<double>> v =
        node == nullptr ? map.Error(fmt::format("{}: is missing", key)) : node->AsDoubles(3);
    if (v.ok()) return {(*v)[0], (*v)[1], (*v)[2]};
    Fail(v.status());
    return {};
  }
  double Number(const Node& map, const std::string& key) {
    const Node* node = map.Find(key);
    const StatusOr<double> v =
        node == nullptr ? map.Error(fmt::format("{}: is missing", key)) : node->AsDouble();
    if (v.ok()) return *v;
    Fail(v.status());
    return 0;
  }
  void Fail(const Status& status) {
    if (status_.ok()) status_ = status;
  }
  const Status& status() const { return status_; }

 private:
  const Node& root_;
  Status status_;
};

void ReadPeople(Reader* file, RobotData* data) {
  data->body_speed_m_s = file->Number("safety.human.body_speed_m_s");
  data->reach_speed_m_s = file->Number("safety.human.reach_speed_m_s");
  data->human_error_m = file->Number("safety.human.error_m");
  data->intrusion_m = file->NumberOr("safety.human.intrusion_m", 0);
}

void ReadWheelchair(Reader* file, RobotData* data) {
  data->n = 2;
  data->footprint.rear = file->Number("footprint.rear_m");
  data->footprint.front = file->Number("footprint.front_m");
  data->footprint.half_width = file->Number("footprint.half_width_m");
  data->has_lidar = true;
  data->lidar_B = {file->Number("lidar.x_m"), file->Number("lidar.y_m")};
  data->lidar_error_m = file->Number("safety.lidar.error_m");
  data->command_lower = {file->Number("limits.speed_min_m_s"),
                         -file->Number("limits.turn_max_rad_s")};
  data->command_upper = {file->Number("limits.speed_max_m_s"),
                         file->Number("limits.turn_max_rad_s")};
  data->command_rate = {file->Number("limits.speed_rate_m_s2"),
                        file->Number("limits.turn_rate_rad_s2")};
  data->brake = {file->Number("limits.speed_brake_m_s2"), file->Number("limits.turn_brake_rad_s2")};
  const double position = file->Number("uncertainty.position_error_m");
  data->q_error = {position, position, file->Number("uncertainty.yaw_error_rad")};
  data->qd_error = {file->Number("uncertainty.speed_error_m_s"),
                    file->Number("uncertainty.turn_error_rad_s")};
  data->tracking_error = {file->Number("uncertainty.speed_tracking_m_s"),
                          file->Number("uncertainty.turn_tracking_rad_s")};
  data->com_height_m = file->Number("tip_over.com_height_m");
  data->tip_side_m = file->Number("tip_over.side_m");
  data->side_shift_m = file->NumberOr("safety.tip_over.side_shift_m", 0);
  data->slope_rad = file->NumberOr("safety.tip_over.slope_rad", 0);
  ReadPeople(file, data);
}

/// Speeds at which the named regions may be touched: F_max / sqrt(mu k), the table's transient
/// force.
Status ReadContact(Reader* file, RobotData* data) {
  const Node* regions = file->At("safety.contact.regions");
  if (regions == nullptr) return absl::OkStatus();
  const double mass = file->Number("safety.contact.robot_mass_kg");
  SAFERL_ASSIGN_OR_RETURN(const std::string path, FindData("standards/iso_ts_15066_contact.yaml"));
  SAFERL_ASSIGN_OR_RETURN(const Node table, LoadYaml(path));
  SAFERL_ASSIGN_OR_RETURN(const Node* rows, table.Get("regions"));
  // The table's rows are in the order of robot::Region.
  for (const Node& wanted : regions->items()) {
    for (size_t i = 0; i < rows->items().size() && i < data->contact_speed_m_s.size(); ++i) {
      const Node& row = rows->items()[i];
      const Node* name = row.Find("name");
      if (name == nullptr || name->text() != wanted.text()) continue;
      const double mu = 1.0 / (1.0 / file->Number(row, "mass_kg") + 1.0 / mass);
      const double force = file->Number(row, "force_n") * file->Number(row, "transient_factor");
      data->contact_speed_m_s[i] = force / std::sqrt(mu * file->Number(row, "stiffness_n_per_m"));
    }
  }
  return absl::OkStatus();
}

Status ReadChain(const std::string& path, RobotData* data, std::vector<std::string>* link_names) {
  SAFERL_ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  SAFERL_ASSIGN_OR_RETURN(const std::vector<UrdfJoint> joints, ReadUrdfChain(text, path));
  if (joints.size() > 2 * robot::kMaxDof) {
    return absl::InvalidArgumentError(
        fmt::format("{}: {} joints are too many", path, joints.size()));
  }
  if (!joints.empty()) link_names->push_back(joints[0].parent);
  for (const UrdfJoint& joint : joints) {
    ChainJoint next;
    next.X_PJ = {math::RollPitchYaw(joint.rpy.x, joint.rpy.y, joint.rpy.z), joint.xyz};
    next.axis = math::Normalized(joint.axis);
    next.fixed = joint.type == "fixed";
    data->chain.push_back(next);
    link_names->push_back(joint.child);
    if (next.fixed) continue;
    if (data->n == robot::kMaxDof) {
      return absl::InvalidArgumentError(
          fmt::format("{}:{}: too many turning joints", path, joint.line));
    }
    data->q_lower[data->n] = joint.lower;
    data->q_upper[data->n] = joint.upper;
    data->qd_max[data->n++] = joint.velocity;
  }
  return absl::OkStatus();
}

void ReadArmLists(Reader* file, const std::vector<std::string>& link_names, RobotData* data) {
  const auto items = [&](const char* path) {
    const Node* node = file->At(path);
    return node == nullptr ? std::vector<Node>{} : node->items();
  };
  for (const Node& node : items("links")) {
    const Node* name = node.Find("link");
    const auto found = std::find(link_names.begin(), link_names.end(),
                                 name == nullptr ? std::string() : name->text());
    if (found == link_names.end()) {
      file->Fail(node.Error("link: is not in the URDF"));
      return;
    }
    ChainCapsule capsule;
    capsule.joint = static_cast<int>(found - link_names.begin()) - 1;
    capsule.capsule = {file->Vector(node, "from_m"), file->Vector(node, "to_m"),
                       file->Number(node, "radius_m")};
    data->capsules.push_back(capsule);
  }
  for (const Node& node : items("safety.workspace")) {
    data->workspace.push_back({file->Vector(node, "normal"), file->Number(node, "offset_m")});
  }
  for (const Node& node : items("safety.keep_out")) {
    data->keep_out_W.push_back(
        {file->Vector(node, "a_m"), file->Vector(node, "b_m"), file->Number(node, "radius_m")});
  }
}

Status ReadArm(Reader* file, const std::string& path, RobotData* data) {
  const Node* urdf = file->At("urdf");
  if (urdf == nullptr) return absl::InvalidArgumentError(path + ": urdf: is missing");
  std::vector<std::string> link_names;
  const std::string folder = path.substr(0, path.rfind('/') + 1);
  SAFERL_RETURN_IF_ERROR(ReadChain(folder + urdf->text(), data, &link_names));
  file->List("limits.joint_rate_rad_s2", data->n, &data->command_rate);
  file->List("limits.joint_brake_rad_s2", data->n, &data->brake);
  file->List("uncertainty.angle_error_rad", data->n, &data->q_error);
  file->List("uncertainty.speed_error_rad_s", data->n, &data->qd_error);
  file->List("uncertainty.tracking_rad_s", data->n, &data->tracking_error);
  file->List("home_rad", data->n, &data->home);
  if (const Node* base = file->At("base"); base != nullptr) {
    const math::Vec3 rpy = file->Vector(*base, "rpy_rad");
    data->X_WBase = {math::RollPitchYaw(rpy.x, rpy.y, rpy.z), file->Vector(*base, "position_m")};
  }
  ReadArmLists(file, link_names, data);
  if (data->capsules.size() > robot::kMaxLinks)
    return absl::InvalidArgumentError(path + ": links: too many");
  ReadPeople(file, data);
  return ReadContact(file, data);
}

void ReadExoskeleton(Reader* file, RobotData* data) {
  data->n = 4;
  // [hip, knee], the same for both legs.
  const auto both = [&](const char* path, robot::Joints* out) {
    robot::Joints two{};
    file->List(path, 2, &two);
    for (int i = 0; i < 4; ++i) (*out)[i] = two[i % 2];
  };
  both("limits.angle_min_rad", &data->q_lower);
  both("limits.angle_max_rad", &data->q_upper);
  both("limits.speed_max_rad_s", &data->qd_max);
  both("limits.torque_max_nm", &data->effort_max);
  both("limits.power_max_w", &data->power_max);
  both("limits.torque_rate_nm_s", &data->command_rate);
  both("limits.brake_rad_s2", &data->brake);
  both("uncertainty.angle_error_rad", &data->q_error);
  both("uncertainty.speed_error_rad_s", &data->qd_error);
  robot::Joints wearer{}, model{};
  both("uncertainty.wearer_torque_nm", &wearer);
  both("uncertainty.model_torque_nm", &model);
  for (int i = 0; i < 4; ++i) data->tracking_error[i] = wearer[i] + model[i];
  file->List("safety.interaction_torque_nm", 4, &data->interaction_max_nm);
  data->damping_1_s = file->Number("braking.damping_1_s");
  data->leg = {file->Number("leg.thigh_length_m"),     file->Number("leg.thigh_mass_kg"),
               file->Number("leg.thigh_com_m"),        file->Number("leg.thigh_inertia_kg_m2"),
               file->Number("leg.shank_mass_kg"),      file->Number("leg.shank_com_m"),
               file->Number("leg.shank_inertia_kg_m2")};
}

}  // namespace

StatusOr<RobotData> ReadRobotData(const std::string& name_or_path) {
  SAFERL_ASSIGN_OR_RETURN(const std::string path, FindNamed(name_or_path, "robots", ".yaml"));
  SAFERL_ASSIGN_OR_RETURN(const Node root, LoadYaml(path));
  SAFERL_ASSIGN_OR_RETURN(const Node* kind_node, root.Get("kind"));
  SAFERL_ASSIGN_OR_RETURN(const std::string kind, kind_node->AsString());
  Reader file(root);
  RobotData data;
  data.name = name_or_path;
  data.period_s = file.Number("period_s");
  data.reaction_s = file.Number("reaction_s");
  data.state_age_s = file.Number("state_age_s");
  if (kind == "wheelchair") {
    data.kind = RobotKind::kWheelchair;
    ReadWheelchair(&file, &data);
  } else if (kind == "arm") {
    data.kind = RobotKind::kArm;
    SAFERL_RETURN_IF_ERROR(ReadArm(&file, path, &data));
  } else if (kind == "exoskeleton") {
    data.kind = RobotKind::kExoskeleton;
    ReadExoskeleton(&file, &data);
  } else {
    return kind_node->Error(fmt::format("kind: the certifier knows no '{}'", kind));
  }
  if (!file.status().ok()) return file.status();
  return data;
}

}  // namespace saferl::safety::certifier
