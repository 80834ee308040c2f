#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/input.h>
#include <linux/uinput.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <filesystem>

#include "saferl/base/clock.h"
#include "saferl/base/random.h"
#include "saferl/control/human_input/evdev.h"
#include "saferl/control/human_input/trace.h"

namespace saferl::control {
namespace {

class EvdevTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(pipe(ends_.data()), 0);
    model_.full = {1.2, 1.5};
    stick_ = EvdevStick::FromDescriptor(ends_[0], model_, 0, 1000);
  }
  void TearDown() override {
    if (ends_[1] >= 0) close(ends_[1]);
  }
  void Send(uint16_t type, uint16_t code, int32_t value) {
    input_event event{};
    event.type = type;
    event.code = code;
    event.value = value;
    ASSERT_EQ(write(ends_[1], &event, sizeof event), static_cast<ssize_t>(sizeof event));
  }
  void Unplug() {
    close(ends_[1]);
    ends_[1] = -1;
  }
  std::array<int, 2> ends_{-1, -1};
  StickModel model_;
  std::unique_ptr<EvdevStick> stick_;
};

TEST_F(EvdevTest, FullDeflectionIsTheFullCommand) {
  Send(EV_ABS, ABS_Y, 0);  // forward
  Send(EV_ABS, ABS_X, 1000);
  Send(EV_SYN, SYN_REPORT, 0);
  const HumanInput& input = stick_->Poll(77);
  EXPECT_DOUBLE_EQ(input.u[0], 1.2);
  EXPECT_DOUBLE_EQ(input.u[1], -1.5);  // right is a negative turn
  EXPECT_EQ(input.stamp_ns, 77);
}

TEST_F(EvdevTest, TheDeadZoneIsSilentAndTheTravelBeginsAtZeroOutsideIt) {
  for (int value = 0; value <= 1000; ++value) {
    Send(EV_ABS, ABS_Y, value);
    const double u = stick_->Poll(1).u[0];
    const double deflection = -(2.0 * value / 1000 - 1);
    if (std::abs(deflection) <= model_.dead_zone) {
      EXPECT_EQ(u, 0) << value;
    } else {
      EXPECT_NEAR(u, std::copysign((std::abs(deflection) - 0.08) / 0.92 * 1.2, deflection), 1e-9)
          << value;
    }
  }
}

TEST_F(EvdevTest, AHeldStickStaysFreshWithoutEvents) {
  Send(EV_ABS, ABS_Y, 0);
  stick_->Poll(100);
  const HumanInput& later = stick_->Poll(900);
  EXPECT_EQ(later.stamp_ns, 900);
  EXPECT_DOUBLE_EQ(later.u[0], 1.2);
}

TEST_F(EvdevTest, UnpluggedItGrowsStaleAndAPressedStopStaysPressed) {
  Send(EV_KEY, BTN_TRIGGER, 1);
  stick_->Poll(100);
  Unplug();
  const HumanInput& after = stick_->Poll(200);
  EXPECT_FALSE(stick_->connected());
  EXPECT_EQ(after.stamp_ns, 100);
  EXPECT_TRUE(after.stop);
  EXPECT_EQ(stick_->Poll(300).stamp_ns, 100);
}

TEST_F(EvdevTest, ButtonsAndArrowKeys) {
  Send(EV_KEY, KEY_UP, 1);
  Send(EV_KEY, KEY_LEFT, 1);
  Send(EV_KEY, KEY_ENTER, 1);
  HumanInput input = stick_->Poll(1);
  EXPECT_DOUBLE_EQ(input.u[0], 1.2);
  EXPECT_DOUBLE_EQ(input.u[1], 1.5);
  EXPECT_TRUE(input.acknowledge);
  Send(EV_KEY, KEY_UP, 2);  // autorepeat changes nothing
  Send(EV_KEY, KEY_UP, 0);
  Send(EV_KEY, KEY_SPACE, 1);
  input = stick_->Poll(2);
  EXPECT_EQ(input.u[0], 0);
  EXPECT_TRUE(input.stop);
}

TEST_F(EvdevTest, AnEnablingDeviceMustBeHeld) {
  model_.needs_enable = true;
  std::array<int, 2> other;
  ASSERT_EQ(pipe(other.data()), 0);
  auto stick = EvdevStick::FromDescriptor(other[0], model_, 0, 1000);
  EXPECT_FALSE(stick->Poll(1).enabled);
  input_event event{};
  event.type = EV_KEY;
  event.code = BTN_TOP;
  event.value = 1;
  ASSERT_GT(write(other[1], &event, sizeof event), 0);
  EXPECT_TRUE(stick->Poll(2).enabled);
  close(other[1]);
  EXPECT_FALSE([&] {
    stick->Poll(3);
    return stick->connected();
  }());
}

TEST_F(EvdevTest, LostEventsReleaseEverything) {
  Send(EV_ABS, ABS_Y, 0);
  stick_->Poll(1);
  Send(EV_SYN, SYN_DROPPED, 0);
  Send(EV_ABS, ABS_X, 0);  // half-told: not to be believed
  Send(EV_SYN, SYN_REPORT, 0);
  const HumanInput& input = stick_->Poll(2);
  EXPECT_NEAR(input.u[0], 0, 1e-12);
  EXPECT_NEAR(input.u[1], 0, 1e-12);
}

TEST_F(EvdevTest, HalfAnEventCountsAsUnplugged) {
  ASSERT_EQ(write(ends_[1], "abc", 3), 3);
  stick_->Poll(5);
  EXPECT_FALSE(stick_->connected());
}

TEST(Evdev, RefusesWhatIsNoInputDevice) {
  EXPECT_EQ(EvdevStick::Open("/no/such/device", {}).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(EvdevStick::Open("/dev/null", {}).status().code(), absl::StatusCode::kInvalidArgument);
}

/// A virtual stick made by the kernel's uinput; false where this machine has none.
class VirtualStick {
 public:
  bool Create() {
    descriptor_ = open("/dev/uinput", O_WRONLY | O_NONBLOCK | O_CLOEXEC);
    if (descriptor_ < 0) return false;
    uinput_setup setup{};
    std::strncpy(setup.name, "saferl test stick", sizeof setup.name - 1);
    uinput_abs_setup x{}, y{};
    x.code = ABS_X;
    y.code = ABS_Y;
    x.absinfo.maximum = y.absinfo.maximum = 255;
    x.absinfo.value = y.absinfo.value = 128;
    return ioctl(descriptor_, UI_SET_EVBIT, EV_ABS) == 0 &&
           ioctl(descriptor_, UI_SET_EVBIT, EV_KEY) == 0 &&
           ioctl(descriptor_, UI_SET_KEYBIT, BTN_TRIGGER) == 0 &&
           ioctl(descriptor_, UI_ABS_SETUP, &x) == 0 && ioctl(descriptor_, UI_ABS_SETUP, &y) == 0 &&
           ioctl(descriptor_, UI_DEV_SETUP, &setup) == 0 && ioctl(descriptor_, UI_DEV_CREATE) == 0;
  }
  ~VirtualStick() { Destroy(); }
  void Destroy() {
    if (descriptor_ >= 0) close(descriptor_);
    descriptor_ = -1;
  }
  std::string Node() const {
    char name[64] = {};
    if (ioctl(descriptor_, UI_GET_SYSNAME(sizeof name), name) < 0) return "";
    for (const auto& entry :
         std::filesystem::directory_iterator(std::string("/sys/devices/virtual/input/") + name))
      if (entry.path().filename().string().starts_with("event"))
        return "/dev/input/" + entry.path().filename().string();
    return "";
  }
  void Emit(uint16_t type, uint16_t code, int32_t value) const {
    input_event event{};
    event.type = type;
    event.code = code;
    event.value = value;
    EXPECT_EQ(write(descriptor_, &event, sizeof event), static_cast<ssize_t>(sizeof event));
  }

 private:
  int descriptor_ = -1;
};

// On a kernel without uinput this checks that Open says so; with it, the whole way from device to
// command.
TEST(Evdev, AVirtualDeviceDrives) {
  VirtualStick device;
  if (!device.Create()) {
    EXPECT_FALSE(EvdevStick::Open("/dev/uinput", {}).ok());
    return;
  }
  StickModel model;
  model.full = {1.0, 1.0};
  auto stick = EvdevStick::Open(device.Node(), model);
  ASSERT_TRUE(stick.ok()) << stick.status();
  device.Emit(EV_ABS, ABS_Y, 0);
  device.Emit(EV_SYN, SYN_REPORT, 0);
  const Deadline deadline = Deadline::After(2 * kNanosPerSecond);
  while ((*stick)->Poll(1).u[0] < 0.99 && !deadline.Passed()) {
  }
  EXPECT_NEAR((*stick)->Poll(1).u[0], 1.0, 1e-9);
  device.Destroy();
  while ((*stick)->connected() && !deadline.Passed()) (*stick)->Poll(2);
  EXPECT_FALSE((*stick)->connected());
}

TEST(HumanTraceTest, HoldsALineUntilTheNextAndThenGrowsStale) {
  const auto trace =
      HumanTrace::Parse("t_s,u0,u1,stop\n0,0,0,0\n0.5,0.3,-0.1,0\n1,0.4,0,1\n", "t.csv", 2);
  ASSERT_TRUE(trace.ok()) << trace.status();
  const int64_t start = 5 * kNanosPerSecond;
  EXPECT_EQ(trace->At(start + 499'999'999, start).u[0], 0);
  EXPECT_EQ(trace->At(start + 500'000'000, start).u[0], 0.3);
  EXPECT_EQ(trace->At(start + 900'000'000, start).stamp_ns, start + 900'000'000);
  EXPECT_TRUE(trace->At(start + 1'200'000'000, start).stop);
  EXPECT_EQ(trace->At(start + 9 * kNanosPerSecond, start).stamp_ns, start + 1'500'000'000);
  EXPECT_EQ(trace->At(start - 1, start).u[0], 0);
  EXPECT_DOUBLE_EQ(trace->duration_s(), 1);
}

TEST(HumanTraceTest, ASilentLineMakesTheInputGrowStaleUntilTheNext) {
  const auto trace =
      HumanTrace::Parse("t_s,u0,u1,silent\n0,1,0,0\n1,1,0,1\n1.2,1,0,1\n2,0.5,0,0\n", "t.csv", 2);
  ASSERT_TRUE(trace.ok()) << trace.status();
  EXPECT_EQ(trace->At(999'999'999, 0).stamp_ns, 999'999'999);
  EXPECT_EQ(trace->At(1'100'000'000, 0).stamp_ns, kNanosPerSecond);
  EXPECT_EQ(trace->At(1'900'000'000, 0).stamp_ns, kNanosPerSecond);
  EXPECT_EQ(trace->At(2'000'000'000, 0).stamp_ns, 2 * kNanosPerSecond);
}

TEST(HumanTraceTest, WhatWasAddedIsReadBackBitForBit) {
  Random random(3);
  HumanTrace trace(3);
  std::vector<HumanInput> said;
  HumanInput input;
  for (int64_t k = 0; k < 500; ++k) {
    if (random.Chance(0.3))
      for (int i = 0; i < 3; ++i) input.u[i] = random.Uniform(-2, 2);
    if (random.Chance(0.1)) input.stop = !input.stop;
    if (random.Chance(0.1)) input.acknowledge = !input.acknowledge;
    if (random.Chance(0.1)) input.enabled = !input.enabled;
    if (k == 0 || random.Chance(0.8)) input.stamp_ns = k * 20'000'000;
    said.push_back(input);
    trace.Add(k * 20'000'000, input);
  }
  const auto read = HumanTrace::Parse(trace.Text(), "t.csv", 3);
  ASSERT_TRUE(read.ok()) << read.status();
  for (int64_t k = 0; k < 500; ++k) {
    const HumanInput& was = said[static_cast<size_t>(k)];
    for (const HumanTrace* played : {static_cast<const HumanTrace*>(&trace), &*read}) {
      const HumanInput is = played->At(k * 20'000'000, 0);
      ASSERT_EQ(is.u, was.u) << k;
      ASSERT_EQ(is.stop, was.stop) << k;
      ASSERT_EQ(is.acknowledge, was.acknowledge) << k;
      ASSERT_EQ(is.enabled, was.enabled) << k;
      const int64_t now = k * 20'000'000, silent_ns = now - was.stamp_ns;
      // Silence counts from the first tick that heard nothing.
      ASSERT_EQ(now - is.stamp_ns, std::max<int64_t>(silent_ns - 20'000'000, 0)) << k;
    }
  }
}

TEST(HumanTraceTest, EveryMistakeNamesItsLine) {
  const struct {
    const char *text, *where;
  } cases[] = {
      {"", "no data lines"},
      {"t_s,u0,u1\n", "no data lines"},
      {"time,u0,u1\n0,0,0\n", "t.csv:1: column 1"},
      {"t_s,u0\n0,0\n", "t.csv:1: column 3"},
      {"t_s,u0,u1,speed\n0,0,0,0\n", "t.csv:1: column 4"},
      {"t_s,u0,u1\n0,0\n", "t.csv:2: has 2 values"},
      {"t_s,u0,u1\n0,0,nan\n", "t.csv:2: value 3"},
      {"t_s,u0,u1\n0,0,1e999\n", "t.csv:2: value 3"},
      {"t_s,u0,u1\n0,0,0x1\n", "t.csv:2: value 3"},
      {"t_s,u0,u1\n0,0,0\n0,0,0\n", "t.csv:3: t_s does not grow"},
      {"t_s,u0,u1\n-1,0,0\n", "t.csv:2: t_s = -1"},
      {"t_s,u0,u1,stop\n0,0,0,2\n", "t.csv:2: stop must be 0 or 1"},
      {"t_s,u0,u1\n0,0,0\n\n", "t.csv:3: has 1 values"},
  };
  for (const auto& c : cases) {
    const auto trace = HumanTrace::Parse(c.text, "t.csv", 2);
    ASSERT_FALSE(trace.ok()) << c.text;
    EXPECT_NE(trace.status().message().find(c.where), absl::string_view::npos) << trace.status();
  }
}

}  // namespace
}  // namespace saferl::control
