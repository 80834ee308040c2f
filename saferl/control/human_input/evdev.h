#pragma once
// A stick or keys at this machine, through Linux' evdev: events -> HumanInput in the robot's
// command unit.
//
// Axes X and Y (or the arrow keys) drive the first two command components; Y forward is +u0, X left
// is +u1 for a wheelchair. Buttons: BTN_TRIGGER / space = stop, BTN_THUMB / enter = acknowledge,
// BTN_TOP / left shift = enable where `needs_enable`. A dead zone removes the stick's rest noise;
// outside it the travel is rescaled to start at 0. A stick that is held still sends no events: as
// long as the device answers, Poll() stamps the input with `now_ns`. Unplugged, or a read error:
// the stamp stays, grows stale, and the Tick holds (kHumanStale). Units: command unit, ns. RT: no
// (read is a system call): poll it on a thread of its own, into a Mailbox. Errors: Open: kNotFound,
// kPermissionDenied, kInvalidArgument naming the device and what to do. Source:
// Documentation/input/event-codes.rst of the Linux kernel.

#include <cstdint>
#include <memory>
#include <string>

#include "saferl/base/status.h"
#include "saferl/control/proposal.h"
#include "saferl/robot/robot_model.h"

struct input_event;

namespace saferl::control {

struct StickModel {
  robot::Joints
      full{};  ///< command at full deflection of each axis (first two components are used)
  double dead_zone = 0.08;    ///< share of the travel around the middle
  bool needs_enable = false;  ///< the enabling button must be held
};

/// Full deflection = the robot's upper command limits.
StickModel StickFor(const robot::RobotModel& robot);

class EvdevStick {
 public:
  static StatusOr<std::unique_ptr<EvdevStick>> Open(const std::string& device,
                                                    const StickModel& model);
  /// The same on an open descriptor (a pipe in tests); axes range over [low, high]. Takes the
  /// descriptor.
  static std::unique_ptr<EvdevStick> FromDescriptor(int descriptor, const StickModel& model,
                                                    int low, int high);
  ~EvdevStick();
  EvdevStick(const EvdevStick&) = delete;
  EvdevStick& operator=(const EvdevStick&) = delete;

  /// Reads what has arrived (never blocks) and returns the input as of now.
  const HumanInput& Poll(int64_t now_ns);
  bool connected() const { return connected_; }

 private:
  struct Axis {
    int low = -32767, high = 32767;
    int value = 0;
    bool key_minus = false, key_plus = false;
    double Deflection(double dead_zone) const;
  };
  EvdevStick(int descriptor, const StickModel& model);
  void Handle(const input_event& event);
  void HandleKey(int code, bool down);
  void Neutral();
  void Resync();

  int descriptor_;
  StickModel model_;
  Axis x_, y_;
  bool connected_ = true, dropped_ = false, real_device_ = false;
  bool enable_held_ = false;
  HumanInput input_;
};

}  // namespace saferl::control
