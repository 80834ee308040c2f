#include <algorithm>
#include <cmath>

#include "saferl/robot/human.h"
#include "saferl/robot/wheelchair.h"
#include "saferl/sim/crowd.h"
#include "saferl/sim/lidar.h"
#include "saferl/sim/setting.h"

namespace saferl::sim {
namespace {

constexpr double kLidarRange_m = 10.0;
constexpr double kRouteAhead_m = 1.8;  // the point on the way that a route planner hands on
constexpr double kSameRoute_m = 0.4;   // goals whose next points are this near share a route
constexpr double kMoving = 0.01;       // below this speed the chair rests [m/s, rad/s]

class WheelchairSetting final : public Setting {
 public:
  WheelchairSetting(std::shared_ptr<const robot::RobotModel> robot,
                    std::shared_ptr<const Scene> scene, std::shared_ptr<const Recording> recording)
      : robot_(std::move(robot)),
        scene_(std::move(scene)),
        recording_(std::move(recording)),
        chair_(static_cast<const robot::Wheelchair&>(*robot_)),
        crowd_(*scene_, Manners::kLooking),
        lidar_(robot::kMaxLidar, kLidarRange_m) {
    Settle();
  }

  robot::Joints start() const override {
    return {scene_->start.x, scene_->start.y, scene_->start.yaw};
  }
  int true_goal() const override { return scene_->true_goal; }
  int n_goals() const override { return static_cast<int>(scene_->goals.size()); }
  std::unique_ptr<Skill> MakeSkill() const override { return MakeWheelchairSkill(robot_, scene_); }
  const Scene* scene() const override { return scene_.get(); }

  control::Goals GoalsAhead(const robot::RobotState& measured) const override {
    control::Goals goals;
    const Point here{measured.q[0], measured.q[1]};
    for (const DistanceField& field : scene_->fields) {
      const Point p = field.Ahead(scene_->grid, here, kRouteAhead_m);
      bool known = false;
      for (int i = 0; i < goals.n; ++i) {
        known = known || std::hypot(goals.p_W[i].x - p.x, goals.p_W[i].y - p.y) < kSameRoute_m;
      }
      if (!known) goals.p_W[goals.n++] = {p.x, p.y, 0};
    }
    return goals;
  }

  void Advance(double dt_s, const robot::RobotState& truth) override {
    played_s_ += dt_s;
    if (recording_ == nullptr) crowd_.Advance(dt_s, Placed(chair_.footprint(), PoseOf(truth)));
    Settle();
  }

  std::span<const robot::HumanPart> people() const override { return parts_; }

  double Separation(const robot::RobotState& truth) const override {
    double least = std::numeric_limits<double>::infinity();
    const Box body = Placed(chair_.footprint(), PoseOf(truth));
    for (const Disc& disc : discs_) least = std::min(least, Distance(body, disc.p) - disc.radius);
    return least;
  }

  Hit Collision(const robot::RobotState& truth) const override {
    if (std::abs(truth.qd[0]) < kMoving && std::abs(truth.qd[1]) < kMoving) return Hit::kNothing;
    switch (FindContact(*scene_, discs_, chair_.footprint(), PoseOf(truth)).with) {
      case Contact::With::kNothing:
        return Hit::kNothing;
      case Contact::With::kWall:
        return Hit::kWall;
      case Contact::With::kFurniture:
        return Hit::kFurniture;
      case Contact::With::kPedestrian:
        return Hit::kPerson;
    }
    return Hit::kNothing;
  }

  void Scan(const robot::RobotState& truth, robot::Observation* observation) const override {
    const math::Vec3 p = chair_.config().p_BLidar;
    const Point origin = ToWorld(PoseOf(truth), {p.x, p.y});
    observation->n_lidar = lidar_.beams();
    lidar_.Cast(*scene_, discs_, {origin.x, origin.y, truth.q[2]}, observation->lidar_m);
  }

  double Travelled(const robot::RobotState& before, const robot::RobotState& after) const override {
    return std::hypot(after.q[0] - before.q[0], after.q[1] - before.q[1]);
  }
  robot::Joints WearerTorque(double) const override { return {}; }

 private:
  static Pose2 PoseOf(const robot::RobotState& state) {
    return {state.q[0], state.q[1], state.q[2]};
  }

  /// Rebuilds discs and capsules from the crowd or the recording.
  void Settle() {
    discs_.clear();
    parts_.clear();
    if (recording_ == nullptr) {
      for (const Disc& disc : crowd_.people()) Add(disc, parts_.size());
      return;
    }
    // The recording's floor is laid over the scene's: middle on middle.
    const Point middle{0.5 * (scene_->x0 + scene_->x1), 0.5 * (scene_->y0 + scene_->y1)};
    for (size_t i = 0; i < recording_->tracks.size(); ++i) {
      Point p;
      if (!recording_->Passing(i, played_s_, &p)) continue;
      const Point at = p - CentreOfRecording() + middle;
      const bool near = at.x > scene_->x0 - 6 && at.x < scene_->x1 + 6 && at.y > scene_->y0 - 6 &&
                        at.y < scene_->y1 + 6;
      if (near) Add({at, 0.25}, i);
    }
  }

  Point CentreOfRecording() {
    if (centred_) return centre_;
    Point low{1e9, 1e9}, high{-1e9, -1e9};
    for (const Track& track : recording_->tracks) {
      for (const Point p : track.p_m) {
        low = {std::min(low.x, p.x), std::min(low.y, p.y)};
        high = {std::max(high.x, p.x), std::max(high.y, p.y)};
      }
    }
    centred_ = true;
    return centre_ = 0.5 * (low + high);
  }

  void Add(const Disc& disc, size_t who) {
    if (parts_.size() >= static_cast<size_t>(robot::kMaxParts)) return;
    discs_.push_back(disc);
    parts_.push_back(
        robot::Pedestrian(disc.p.x, disc.p.y, 0, static_cast<uint8_t>(who % 256), disc.radius));
  }

  std::shared_ptr<const robot::RobotModel> robot_;
  std::shared_ptr<const Scene> scene_;
  std::shared_ptr<const Recording> recording_;
  const robot::Wheelchair& chair_;
  Crowd crowd_;
  Lidar lidar_;
  double played_s_ = 0;
  bool centred_ = false;
  Point centre_;
  std::vector<Disc> discs_;
  std::vector<robot::HumanPart> parts_;
};

}  // namespace

std::string_view Name(Hit hit) {
  switch (hit) {
    case Hit::kNothing:
      return "nothing";
    case Hit::kWall:
      return "wall";
    case Hit::kFurniture:
      return "furniture";
    case Hit::kPerson:
      return "person";
    case Hit::kRange:
      return "range";
    case Hit::kCount:
      break;
  }
  return "unknown";
}

std::unique_ptr<Setting> MakeWheelchairSetting(std::shared_ptr<const robot::RobotModel> robot,
                                               std::shared_ptr<const Scene> scene,
                                               std::shared_ptr<const Recording> recording) {
  return std::make_unique<WheelchairSetting>(std::move(robot), std::move(scene),
                                             std::move(recording));
}

}  // namespace saferl::sim
