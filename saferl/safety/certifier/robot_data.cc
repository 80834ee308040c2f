// The certifier's own reading of a robot file. Keys: docs/formats/robot_file.md.

#include <algorithm>

#include "fmt/core.h"
#include "saferl/base/data_path.h"
#include "saferl/base/yaml.h"
#include "saferl/safety/certifier/models.h"

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
  const Status& status() const { return status_; }

 private:
  void Fail(const Status& status) {
    if (status_.ok()) status_ = status;
  }
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
  } else {
    return kind_node->Error(fmt::format("kind: the certifier knows no '{}'", kind));
  }
  if (!file.status().ok()) return file.status();
  return data;
}

}  // namespace saferl::safety::certifier
