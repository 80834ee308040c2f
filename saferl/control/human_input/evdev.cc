#include "saferl/control/human_input/evdev.h"

#include <fcntl.h>
#include <linux/input.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>

#include "saferl/base/file.h"
#include "saferl/base/text.h"

namespace saferl::control {

namespace {

constexpr int kEventsPerRead = 64;
constexpr int kReadsPerPoll = 16;  // a flood of events may not keep the caller

}  // namespace

StickModel StickFor(const robot::RobotModel& robot) {
  StickModel model;
  model.full = robot.limits().command_upper;
  return model;
}

double EvdevStick::Axis::Deflection(double dead_zone) const {
  double d = 0;
  if (high > low)
    d = 2.0 * (static_cast<double>(value) - low) / (static_cast<double>(high) - low) - 1.0;
  d = std::clamp(d, -1.0, 1.0);
  const double size = std::abs(d);
  d = size <= dead_zone ? 0.0 : std::copysign((size - dead_zone) / (1 - dead_zone), d);
  return std::clamp(d + (key_plus ? 1.0 : 0.0) - (key_minus ? 1.0 : 0.0), -1.0, 1.0);
}

EvdevStick::EvdevStick(int descriptor, const StickModel& model)
    : descriptor_(descriptor), model_(model) {
  Neutral();
}

EvdevStick::~EvdevStick() {
  if (descriptor_ >= 0) close(descriptor_);
}

StatusOr<std::unique_ptr<EvdevStick>> EvdevStick::Open(const std::string& device,
                                                       const StickModel& model) {
  const int descriptor = open(device.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  if (descriptor < 0) return ErrnoStatus(errno, device, "cannot open the input device");
  std::unique_ptr<EvdevStick> stick(new EvdevStick(descriptor, model));
  int version = 0;
  if (ioctl(descriptor, EVIOCGVERSION, &version) != 0)
    return absl::InvalidArgumentError(
        Cat(device, ": not an input device; give a /dev/input/eventN"));
  stick->real_device_ = true;
  input_absinfo info{};
  if (ioctl(descriptor, EVIOCGABS(ABS_X), &info) == 0) {
    stick->x_.low = info.minimum;
    stick->x_.high = info.maximum;
  }
  if (ioctl(descriptor, EVIOCGABS(ABS_Y), &info) == 0) {
    stick->y_.low = info.minimum;
    stick->y_.high = info.maximum;
  }
  stick->Resync();
  return stick;
}

std::unique_ptr<EvdevStick> EvdevStick::FromDescriptor(int descriptor, const StickModel& model,
                                                       int low, int high) {
  fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK);
  std::unique_ptr<EvdevStick> stick(new EvdevStick(descriptor, model));
  stick->x_.low = stick->y_.low = low;
  stick->x_.high = stick->y_.high = high;
  stick->Neutral();
  return stick;
}

/// Everything let go: what is not known counts as released.
void EvdevStick::Neutral() {
  for (Axis* axis : {&x_, &y_}) {
    axis->value = axis->low + (axis->high - axis->low) / 2;
    axis->key_minus = axis->key_plus = false;
  }
  enable_held_ = false;
  input_.acknowledge = false;
}

/// After lost events (SYN_DROPPED): ask the device where its axes and the stop button are now.
void EvdevStick::Resync() {
  Neutral();
  if (!real_device_) return;
  input_absinfo info{};
  if (ioctl(descriptor_, EVIOCGABS(ABS_X), &info) == 0) x_.value = info.value;
  if (ioctl(descriptor_, EVIOCGABS(ABS_Y), &info) == 0) y_.value = info.value;
  unsigned char keys[KEY_MAX / 8 + 1] = {};
  if (ioctl(descriptor_, EVIOCGKEY(sizeof keys), keys) < 0) return;
  for (int code : {BTN_TRIGGER, KEY_SPACE, BTN_THUMB, KEY_ENTER, BTN_TOP, KEY_LEFTSHIFT, KEY_UP,
                   KEY_DOWN, KEY_LEFT, KEY_RIGHT})
    if ((keys[code / 8] >> (code % 8) & 1) != 0) HandleKey(code, true);
}

void EvdevStick::HandleKey(int code, bool down) {
  switch (code) {
    case BTN_TRIGGER:
    case KEY_SPACE:
      input_.stop = down;
      break;
    case BTN_THUMB:
    case KEY_ENTER:
      input_.acknowledge = down;
      break;
    case BTN_TOP:
    case KEY_LEFTSHIFT:
      enable_held_ = down;
      break;
    case KEY_UP:
      y_.key_minus = down;  // evdev's Y grows toward the user
      break;
    case KEY_DOWN:
      y_.key_plus = down;
      break;
    case KEY_LEFT:
      x_.key_minus = down;
      break;
    case KEY_RIGHT:
      x_.key_plus = down;
      break;
    default:
      break;
  }
}

void EvdevStick::Handle(const input_event& event) {
  if (event.type == EV_SYN && event.code == SYN_DROPPED) dropped_ = true;
  if (event.type == EV_SYN && event.code == SYN_REPORT && dropped_) {
    dropped_ = false;
    Resync();
    return;
  }
  if (dropped_) return;  // half-told events until the next report
  if (event.type == EV_ABS && event.code == ABS_X) x_.value = event.value;
  if (event.type == EV_ABS && event.code == ABS_Y) y_.value = event.value;
  if (event.type == EV_KEY && event.value != 2) HandleKey(event.code, event.value != 0);
}

const HumanInput& EvdevStick::Poll(int64_t now_ns) {
  input_event events[kEventsPerRead];
  for (int k = 0; connected_ && k < kReadsPerPoll; ++k) {
    const ssize_t got = read(descriptor_, events, sizeof events);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) break;
    if (got <= 0 || got % static_cast<ssize_t>(sizeof(input_event)) != 0) {
      connected_ = false;
      Neutral();
      break;
    }
    for (size_t i = 0; i < static_cast<size_t>(got) / sizeof(input_event); ++i) Handle(events[i]);
  }
  if (!connected_) return input_;  // the old stamp: stale soon, and a pressed stop stays pressed
  input_.u = {};
  input_.u[0] = -y_.Deflection(model_.dead_zone) * model_.full[0];
  input_.u[1] = -x_.Deflection(model_.dead_zone) * model_.full[1];
  input_.enabled = !model_.needs_enable || enable_held_;
  input_.stamp_ns = now_ns;
  ++input_.sequence;
  return input_;
}

}  // namespace saferl::control
