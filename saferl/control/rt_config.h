#pragma once
// The configuration of saferl_rt: one YAML file, every field with unit, range and default.
//
// data/config/saferl_rt.yaml is the documented example. `off` is a word. Unknown keys are errors.
// RT: no. Errors: kInvalidArgument "file:line: field: problem; next step".

#include <optional>
#include <string>
#include <string_view>

#include "saferl/base/status.h"
#include "saferl/control/arbitration.h"
#include "saferl/control/rt_loop.h"
#include "saferl/control/rt_settings.h"
#include "saferl/control/tick.h"

namespace saferl::control {

inline constexpr std::string_view kStickPrefix = "evdev:", kTracePrefix = "trace:";

struct RtLimitsConfig {
  double max_people_age_s = 0.2, max_lidar_age_s = 0.2;
  double max_human_age_s = 0.3, max_policy_age_s = 0.1;
  double slip_window_s = 1.0;
  double degraded_speed = 0.5;
  template <class V>
  static void Visit(V& v, RtLimitsConfig& c);
};

struct RtArbitrationConfig {
  Arbitration method = Arbitration::kNeed;
  double authority_cap = 0.8;
  double confidence_gain = 1.5, confidence_threshold = 0.2;
  double need_full = 0.2, need_memory_s = 4.0;
  double value_slack = 0.2, effort_weight_s = 0.05;
  double rise_per_s = 1.0, fall_per_s = 4.0;
  double dwell_s = 0.3;
  template <class V>
  static void Visit(V& v, RtArbitrationConfig& c);
};

/// auto: warn for a robot with a period of at most kAwakePeriodNs, off for a slower one.
enum class Awake : uint8_t { kRequire, kWarn, kOff, kAuto };
inline constexpr int64_t kAwakePeriodNs = 2'000'000;

struct RtRealtimeConfig {
  Requirement fifo = Requirement::kWarn;
  int fifo_priority = 80;
  Requirement lock_memory = Requirement::kWarn;
  Requirement affinity = Requirement::kOff;
  int processor = 0;
  Awake awake = Awake::kAuto;
  double early_s = 0.0001;
  template <class V>
  static void Visit(V& v, RtRealtimeConfig& c);
};

struct RtConfig {
  std::string robot = "wheelchair";  ///< name or path
  std::string policy = "off";        ///< path of a policy package, or off
  std::string shm = "/dev/shm/saferl";
  Pacing pacing = Pacing::kRobot;
  bool observation_clock = false;
  std::optional<double> lease_s = 0.2;  ///< off: no safety monitor is required
  std::string log = "off";              ///< path of the decision log, or off
  std::string black_box = "off";        ///< folder for what led to a stop, or off
  int black_box_ticks = 500;
  std::string human = "shm";  ///< shm, evdev:/dev/input/eventN or trace:FILE
  RtRealtimeConfig realtime;
  RtLimitsConfig limits;
  RtArbitrationConfig arbitration;
  template <class V>
  static void Visit(V& v, RtConfig& c);
};

StatusOr<RtConfig> LoadRtConfig(const std::string& path);
/// The same from a text; `path` begins the messages.
StatusOr<RtConfig> ReadRtConfig(const std::string& text, const std::string& path);

/// The model that the configuration asks for.
StatusOr<TickModel> MakeTickModel(const RtConfig& config);
RtSettings Settings(const RtRealtimeConfig& config, int64_t period_ns);

}  // namespace saferl::control
