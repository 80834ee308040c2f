// The only file that includes MuJoCo.
#include "saferl/sim/mujoco_plant.h"

#include <mujoco/mujoco.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <mutex>
#include <string>
#include <vector>

#include "absl/strings/str_replace.h"
#include "fmt/format.h"
#include "saferl/base/data_path.h"
#include "saferl/base/file.h"

namespace saferl::sim {
namespace {

struct ModelDeleter {
  void operator()(mjModel* model) const { mj_deleteModel(model); }
};
struct DataDeleter {
  void operator()(mjData* data) const { mj_deleteData(data); }
};
using ModelPtr = std::unique_ptr<mjModel, ModelDeleter>;
using DataPtr = std::unique_ptr<mjData, DataDeleter>;

constexpr double kDriveGain = 1.0;  // of the chair's speed and turn controller
constexpr double kWallHeight_m = 1.2;
constexpr double kRampShare = 0.9;  // of the rated time, until the drive's set speed is the command

std::string SceneXml(const Scene* scene) {
  std::string xml;
  if (scene == nullptr) return xml;
  for (const Box& box : scene->boxes) {
    xml += fmt::format(
        "<geom type=\"box\" pos=\"{} {} {}\" euler=\"0 0 {}\" size=\"{} {} {}\" contype=\"4\" "
        "conaffinity=\"2\" "
        "friction=\"0.4 0.005 0.0001\"/>\n",
        box.x, box.y, 0.5 * kWallHeight_m, box.yaw, box.half_x, box.half_y, 0.5 * kWallHeight_m);
  }
  return xml;
}

/// Compiles model text. MuJoCo's XML reader keeps global state, hence one at a time.
StatusOr<ModelPtr> Compile(const std::string& path, const std::string& xml) {
  static std::mutex mutex;
  const std::lock_guard<std::mutex> lock(mutex);
  auto vfs = std::make_unique<mjVFS>();
  mj_defaultVFS(vfs.get());
  mj_makeEmptyFileVFS(vfs.get(), "model.xml", static_cast<int>(xml.size()));
  const int at = mj_findFileVFS(vfs.get(), "model.xml");
  if (at < 0)
    return absl::ResourceExhaustedError(fmt::format("{}: no memory for the model text", path));
  std::copy(xml.begin(), xml.end(), static_cast<char*>(vfs->filedata[at]));
  std::array<char, 1024> error{};
  ModelPtr model(mj_loadXML("model.xml", vfs.get(), error.data(), static_cast<int>(error.size())));
  mj_deleteVFS(vfs.get());
  if (model == nullptr) {
    return absl::InvalidArgumentError(
        fmt::format("{}: {}; correct the MuJoCo model", path, error.data()));
  }
  return model;
}

/// Commands on their way: each acts from its moment until it expires or the next one acts.
class Inbox {
 public:
  void Clear(int64_t now_ns) {
    n_ = 0;
    acting_ = {};
    expires_ns_ = now_ns;
  }
  void Push(const safety::Command& command, double delay_s, int n) {
    for (int i = 0; i < n; ++i) {
      if (!std::isfinite(command.u[i])) return;
    }
    const int64_t acts_ns = command.issued_ns + std::llround(std::max(delay_s, 0.0) * 1e9);
    while (n_ > 0 && pending_[static_cast<size_t>(n_ - 1)].acts_ns >= acts_ns) --n_;
    if (n_ == kCapacity) {
      std::copy(pending_.begin() + 1, pending_.end(), pending_.begin());
      --n_;
    }
    pending_[static_cast<size_t>(n_++)] = {acts_ns, command.issued_ns + command.valid_for_ns,
                                           command.u};
  }
  void TakeDue(int64_t now_ns) {
    int taken = 0;
    while (taken < n_ && pending_[static_cast<size_t>(taken)].acts_ns <= now_ns) {
      acting_ = pending_[static_cast<size_t>(taken)].u;
      expires_ns_ = pending_[static_cast<size_t>(taken)].expires_ns;
      ++taken;
    }
    std::copy(pending_.begin() + taken, pending_.begin() + n_, pending_.begin());
    n_ -= taken;
  }
  bool Valid(int64_t now_ns) const { return now_ns < expires_ns_; }
  const robot::Joints& acting() const { return acting_; }

 private:
  struct Pending {
    int64_t acts_ns = 0, expires_ns = 0;
    robot::Joints u{};
  };
  static constexpr int kCapacity = 32;
  int n_ = 0;
  std::array<Pending, kCapacity> pending_{};
  robot::Joints acting_{};
  int64_t expires_ns_ = 0;
};

class PhysicsPlant final : public MujocoPlant {
 public:
  PhysicsPlant(std::shared_ptr<const robot::RobotModel> robot, ModelPtr model)
      : robot_(std::move(robot)),
        model_(std::move(model)),
        data_(mj_makeData(model_.get())),
        n_(robot_->n()) {
    chair_ = robot_->kind() == robot::Kind::kWheelchair;
    torque_ = robot_->kind() == robot::Kind::kExoskeleton;
    step_ns_ = std::llround(1e9 * model_->opt.timestep);
    if (chair_) {
      half_track_m_ = 0.5 * (model_->body_pos[3 * 2 + 1] - model_->body_pos[3 * 3 + 1]);
      wheel_radius_m_ = model_->body_pos[3 * 2 + 2];
      Settle();
    }
    Reset({}, 0);
  }

  /// Lets the chair sink onto its wheels once, far from any wall; every Reset starts from there.
  void Settle() {
    constexpr double kFar_m = 40.0;
    data_->qpos[0] = data_->qpos[1] = kFar_m;
    for (int i = 0; i < 1500; ++i) mj_step(model_.get(), data_.get());
    settled_.assign(data_->qpos, data_->qpos + model_->nq);
  }

  /// The joints that the model must have, in the robot's order.
  Status Check(const std::string& path) const {
    const int expected = chair_ ? 2 : n_;
    if (model_->nu != expected || (!chair_ && model_->nq != n_)) {
      return absl::InvalidArgumentError(
          fmt::format("{}: {} actuators and {} coordinates for a robot with {} command components; "
                      "match the robot file",
                      path, model_->nu, model_->nq, n_));
    }
    return absl::OkStatus();
  }

  void Reset(const robot::Joints& q, int64_t now_ns) override {
    mj_resetData(model_.get(), data_.get());
    if (chair_) {
      std::copy(settled_.begin(), settled_.end(), data_->qpos);
      data_->qpos[0] = q[0];
      data_->qpos[1] = q[1];
      const std::array<double, 4> yaw = {std::cos(0.5 * q[2]), 0, 0, std::sin(0.5 * q[2])};
      const std::array<double, 4> tilt = {settled_[3], settled_[4], settled_[5], settled_[6]};
      mju_mulQuat(data_->qpos + 3, yaw.data(), tilt.data());
    } else {
      std::copy(q.begin(), q.begin() + n_, data_->qpos);
    }
    now_ns_ = physics_ns_ = now_ns;
    inbox_.Clear(now_ns);
    set_ = {};
    wearer_ = {};
    mj_forward(model_.get(), data_.get());
    turns_ = chair_ ? Heading() - q[2] : 0;
  }

  void Apply(const safety::Command& command, double delay_s) override {
    inbox_.Push(command, delay_s, n_);
  }

  void Advance(double dt_s) override {
    now_ns_ += std::llround(dt_s * 1e9);
    while (physics_ns_ + step_ns_ <= now_ns_) {
      inbox_.TakeDue(physics_ns_);
      torque_ ? DriveTorques() : DriveSpeeds();
      const double before = chair_ ? Heading() : 0;
      mj_step(model_.get(), data_.get());
      if (chair_) turns_ += Heading() - before - math::WrapAngle(Heading() - before);
      physics_ns_ += step_ns_;
    }
  }

  int64_t now_ns() const override { return now_ns_; }

  robot::RobotState Truth() const override {
    robot::RobotState state;
    state.stamp_ns = now_ns_;
    if (!chair_) {
      std::copy(data_->qpos, data_->qpos + n_, state.q.begin());
      std::copy(data_->qvel, data_->qvel + n_, state.qd.begin());
      return state;
    }
    const double yaw = Heading();
    state.q = {data_->qpos[0], data_->qpos[1], yaw - turns_};
    state.qd = {std::cos(yaw) * data_->qvel[0] + std::sin(yaw) * data_->qvel[1], data_->qvel[5]};
    return state;
  }

  void set_wearer_torque(const robot::Joints& torque) override { wearer_ = torque; }
  robot::Joints interaction() const override { return wearer_; }

 private:
  double Heading() const {
    const double* q = data_->qpos + 3;
    return std::atan2(2 * (q[0] * q[3] + q[1] * q[2]), 1 - 2 * (q[2] * q[2] + q[3] * q[3]));
  }

  /// Moves the drive's set speed toward the acting command (or to rest) and hands it to the motors.
  void DriveSpeeds() {
    const bool valid = inbox_.Valid(physics_ns_);
    const robot::Joints target = valid ? inbox_.acting() : robot::Joints{};
    double ramp_s = 0;
    for (int i = 0; i < n_; ++i) {
      const bool slowing = std::abs(target[i]) < std::abs(set_[i]) && target[i] * set_[i] >= 0;
      const double rate = slowing ? robot_->limits().brake[i] : robot_->limits().command_rate[i];
      ramp_s = std::max(ramp_s, std::abs(target[i] - set_[i]) / rate);
    }
    if (valid) ramp_s *= kRampShare;
    const double share = ramp_s > 0 ? std::min(1.0, model_->opt.timestep / ramp_s) : 1.0;
    for (int i = 0; i < n_; ++i) set_[i] += share * (target[i] - set_[i]);
    if (chair_) {
      // The drive controller has the wheels' speed from its motors and the turn rate from a gyro.
      const robot::RobotState now = Truth();
      const double v = set_[0] + kDriveGain * (set_[0] - now.qd[0]);
      const double w = set_[1] + kDriveGain * (set_[1] - now.qd[1]);
      data_->ctrl[0] = (v - half_track_m_ * w) / wheel_radius_m_;
      data_->ctrl[1] = (v + half_track_m_ * w) / wheel_radius_m_;
      return;
    }
    std::copy(set_.begin(), set_.begin() + n_, data_->ctrl);
    // Gravity, Coriolis and the set acceleration are fed forward by the arm's own controller.
    mj_fwdPosition(model_.get(), data_.get());
    mj_fwdVelocity(model_.get(), data_.get());
    std::copy(data_->qfrc_bias, data_->qfrc_bias + n_, data_->qfrc_applied);
  }

  void DriveTorques() {
    // Without a valid command the drive brakes by itself, once a control period.
    if (inbox_.Valid(physics_ns_)) {
      set_ = inbox_.acting();
    } else {
      set_ = robot_->Brake(Truth(), set_);
    }
    for (int i = 0; i < n_; ++i) {
      data_->ctrl[i] = set_[i];
      data_->qfrc_applied[i] = wearer_[i];
    }
  }

  std::shared_ptr<const robot::RobotModel> robot_;
  ModelPtr model_;
  DataPtr data_;
  int n_ = 0;
  bool chair_ = false, torque_ = false;
  int64_t step_ns_ = 0, now_ns_ = 0, physics_ns_ = 0;
  Inbox inbox_;
  robot::Joints set_{}, wearer_{};
  double half_track_m_ = 0, wheel_radius_m_ = 0, turns_ = 0;
  std::vector<double> settled_;
};

}  // namespace

StatusOr<std::unique_ptr<MujocoPlant>> MujocoPlant::Create(
    std::shared_ptr<const robot::RobotModel> robot, const Scene* scene) {
  constexpr std::array<const char*, 3> kFiles = {"mujoco/wheelchair.xml", "mujoco/arm7.xml",
                                                 "mujoco/exoskeleton.xml"};
  SAFERL_ASSIGN_OR_RETURN(const std::string path,
                          FindData(kFiles[static_cast<size_t>(robot->kind())]));
  SAFERL_ASSIGN_OR_RETURN(std::string xml, ReadFile(path));
  xml = absl::StrReplaceAll(xml, {{"<!-- scene -->", SceneXml(scene)}});
  SAFERL_ASSIGN_OR_RETURN(ModelPtr model, Compile(path, xml));
  auto plant = std::make_unique<PhysicsPlant>(std::move(robot), std::move(model));
  SAFERL_RETURN_IF_ERROR(plant->Check(path));
  return plant;
}

}  // namespace saferl::sim
