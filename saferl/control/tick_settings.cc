#include "saferl/control/tick_settings.h"

#include <charconv>

#include "saferl/base/text.h"

namespace saferl::control {

namespace {

/// One field list for both directions.
template <class Io, class M>
void Fields(Io& io, M& m) {
  io("limits.max_state_age_ns", m.limits.max_state_age_ns);
  io("limits.max_people_age_ns", m.limits.max_people_age_ns);
  io("limits.max_lidar_age_ns", m.limits.max_lidar_age_ns);
  io("limits.max_human_age_ns", m.limits.max_human_age_ns);
  io("limits.max_policy_age_ns", m.limits.max_policy_age_ns);
  io("limits.slip_window_ns", m.limits.slip_window_ns);
  io("limits.degraded_speed", m.limits.degraded_speed);
  io("latch.dwell_ns", m.latch.dwell_ns);
  io("assumptions.rate_tolerance", m.assumptions.rate_tolerance);
  io("assumptions.position_tolerance", m.assumptions.position_tolerance);
  io("intent.rationality_per_s", m.intent.rationality_per_s);
  io("intent.forgetting_per_s", m.intent.forgetting_per_s);
  io("intent.lookahead_s", m.intent.lookahead_s);
  io("intent.turn_weight", m.intent.turn_weight);
  io("intent.tool_speed_m_s", m.intent.tool_speed_m_s);
  io("intent.min_command", m.intent.min_command);
  io("arbitration.method", m.arbitration.method);
  io("arbitration.authority_cap", m.arbitration.authority_cap);
  io("arbitration.confidence_gain", m.arbitration.confidence_gain);
  io("arbitration.confidence_threshold", m.arbitration.confidence_threshold);
  io("arbitration.need_full", m.arbitration.need_full);
  io("arbitration.need_memory_s", m.arbitration.need_memory_s);
  io("arbitration.value_slack", m.arbitration.value_slack);
  io("arbitration.effort_weight_s", m.arbitration.effort_weight_s);
  io("arbitration.rise_per_s", m.arbitration.rise_per_s);
  io("arbitration.fall_per_s", m.arbitration.fall_per_s);
  io("arbitration.hysteresis", m.arbitration.hysteresis);
  io("arbitration.dwell_s", m.arbitration.dwell_s);
  io("arbitration.agree_cosine", m.arbitration.agree_cosine);
  io("arbitration.oppose_cosine", m.arbitration.oppose_cosine);
  io("arbitration.transfer_per_s", m.arbitration.transfer_per_s);
  io("arbitration.min_command", m.arbitration.min_command);
}

struct Printer {
  std::map<std::string, std::string> out;
  template <class T>
  void operator()(const char* key, const T& value) {
    out[key] = Cat(value);
  }
  void operator()(const char* key, const Arbitration& value) {
    out[key] = std::string(Name(value));
  }
};

struct Setter {
  const std::map<std::string, std::string>& in;
  size_t used = 0;
  Status status;

  const std::string* Find(const char* key) {
    const auto found = in.find(key);
    if (found == in.end()) {
      if (status.ok()) status = absl::InvalidArgumentError(Cat("settings: ", key, " is missing"));
      return nullptr;
    }
    ++used;
    return &found->second;
  }
  void Bad(const char* key, const std::string& text) {
    if (status.ok())
      status =
          absl::InvalidArgumentError(Cat("settings: ", key, ": '", text, "' is not a value of it"));
  }
  template <class T>
  void operator()(const char* key, T& value) {
    const std::string* text = Find(key);
    if (text == nullptr) return;
    const char* end = text->data() + text->size();
    const auto [stop, error] = std::from_chars(text->data(), end, value);
    if (error != std::errc() || stop != end) Bad(key, *text);
  }
  void operator()(const char* key, Arbitration& value) {
    const std::string* text = Find(key);
    if (text == nullptr) return;
    for (int i = 0; i < static_cast<int>(Arbitration::kCount); ++i) {
      if (Name(static_cast<Arbitration>(i)) != *text) continue;
      value = static_cast<Arbitration>(i);
      return;
    }
    Bad(key, *text);
  }
};

}  // namespace

std::map<std::string, std::string> TickSettings(const TickModel& model) {
  Printer printer;
  Fields(printer, model);
  return std::move(printer.out);
}

Status ApplyTickSettings(const std::map<std::string, std::string>& settings, TickModel* model) {
  Setter setter{settings, 0, absl::OkStatus()};
  Fields(setter, *model);
  SAFERL_RETURN_IF_ERROR(setter.status);
  if (setter.used != settings.size())
    return absl::InvalidArgumentError(
        "settings: the log names a setting that this program does not know; use the "
        "program version that wrote the log");
  return absl::OkStatus();
}

}  // namespace saferl::control
