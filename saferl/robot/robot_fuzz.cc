// Any text as a robot file: it loads and predicts, or is refused with a message that begins with
// the file's name.
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "saferl/base/data_path.h"
#include "saferl/robot/robot_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace saferl::robot;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  // In the folder of our robots, so that arm7.urdf is found beside it.
  static const std::string name = saferl::DataFolders().at(0) + "/robots/fuzz.yaml";
  const auto loaded = ReadRobot(text, name);
  if (!loaded.ok()) {
    if (loaded.status().message().find("fuzz.yaml:") == absl::string_view::npos) std::abort();
    return 0;
  }
  const RobotModel& robot = **loaded;
  RobotState state;
  Joints u{};
  for (int j = 0; j < robot.n(); ++j) u[j] = 0.5 * robot.limits().command_upper[j];
  Manoeuvre m;
  robot.Predict(state, u, robot.Brake(state, u), &m);
  if (m.n < 1 || m.n > kMaxSamples || !(m.stop_time_s >= 0)) std::abort();
  return 0;
}
