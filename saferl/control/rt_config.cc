#include "saferl/control/rt_config.h"

#include "saferl/base/clock.h"
#include "saferl/base/config.h"
#include "saferl/base/file.h"
#include "saferl/base/text.h"
#include "saferl/base/yaml.h"

namespace saferl::control {

template <class V>
void RtLimitsConfig::Visit(V& v, RtLimitsConfig& c) {
  v.Field("max_people_age_s", c.max_people_age_s,
          {.doc = "people tracker silent for longer: stop", .unit = "s", .min = 0.001, .max = 1});
  v.Field("max_lidar_age_s", c.max_lidar_age_s,
          {.doc = "lidar silent for longer: stop", .unit = "s", .min = 0.001, .max = 1});
  v.Field("max_human_age_s", c.max_human_age_s,
          {.doc = "person's device silent for longer: hold", .unit = "s", .min = 0.001, .max = 1});
  v.Field("max_policy_age_s", c.max_policy_age_s,
          {.doc = "external policy silent for longer: the person alone",
           .unit = "s",
           .min = 0.001,
           .max = 1});
  v.Field("slip_window_s", c.slip_window_s,
          {.doc = "two slips within this time: stop", .unit = "s", .min = 0.01, .max = 60});
  v.Field("degraded_speed", c.degraded_speed,
          {.doc = "share of the command limits in Degraded", .unit = "1", .min = 0, .max = 1});
}

template <class V>
void RtArbitrationConfig::Visit(V& v, RtArbitrationConfig& c) {
  v.Field("method", c.method,
          {.doc = "how the policy's share is chosen",
           .names = {"confidence", "safety", "value", "hindsight", "need"}});
  v.Field("authority_cap", c.authority_cap,
          {.doc = "the policy never gets more", .unit = "1", .min = 0, .max = 1});
  v.Field("confidence_gain", c.confidence_gain,
          {.doc = "authority per confidence", .unit = "1", .min = 0, .max = 100});
  v.Field("confidence_threshold", c.confidence_threshold,
          {.doc = "confidence below which nothing is assisted", .unit = "1", .min = 0, .max = 1});
  v.Field("need_full", c.need_full,
          {.doc = "method need: seconds lost per second that earn full authority",
           .unit = "1",
           .min = 0.001,
           .max = 10});
  v.Field("need_memory_s", c.need_memory_s,
          {.doc = "method need: how long losses count", .unit = "s", .min = 0.01, .max = 600});
  v.Field("value_slack", c.value_slack,
          {.doc = "method value: 1 never intervenes", .unit = "1", .min = 0, .max = 1});
  v.Field("effort_weight_s", c.effort_weight_s,
          {.doc = "method hindsight: cost of a full departure", .unit = "s", .min = 0, .max = 100});
  v.Field("rise_per_s", c.rise_per_s,
          {.doc = "how fast authority rises", .unit = "1/s", .min = 0.001, .max = 1000});
  v.Field("fall_per_s", c.fall_per_s,
          {.doc = "how fast it falls", .unit = "1/s", .min = 0.001, .max = 1000});
  v.Field("dwell_s", c.dwell_s,
          {.doc = "least pause between two assistances", .unit = "s", .min = 0, .max = 60});
}

template <class V>
void RtRealtimeConfig::Visit(V& v, RtRealtimeConfig& c) {
  const std::vector<std::string> words = {"require", "warn", "off"};
  v.Field("fifo", c.fifo, {.doc = "SCHED_FIFO", .names = words});
  v.Field("fifo_priority", c.fifo_priority, {.doc = "its priority", .min = 1, .max = 99});
  v.Field("lock_memory", c.lock_memory, {.doc = "mlockall", .names = words});
  v.Field("affinity", c.affinity, {.doc = "one processor for the loop", .names = words});
  v.Field("processor", c.processor, {.doc = "which one", .min = 0, .max = 1023});
  v.Field("awake", c.awake,
          {.doc = "idle processors wake at once (/dev/cpu_dma_latency); costs power; auto: warn at "
                  "periods up to 2 ms, else off",
           .names = {"require", "warn", "off", "auto"}});
  v.Field("early_s", c.early_s,
          {.doc = "awake so long before a tick is due, to rehearse it and to spin; 0: woken when "
                  "it is",
           .unit = "s",
           .min = 0,
           .max = 0.001});
}

template <class V>
void RtConfig::Visit(V& v, RtConfig& c) {
  v.Field("robot", c.robot, {.doc = "name in data/robots, or a path"});
  v.Field("policy", c.policy, {.doc = "policy package, or off: the person alone"});
  v.Field("shm", c.shm, {.doc = "shared memory file"});
  v.Field("pacing", c.pacing, {.doc = "who gives the beat", .names = {"timer", "robot"}});
  v.Field("observation_clock", c.observation_clock,
          {.doc = "time is the observation's stamp (pacing: robot)"});
  v.Field("lease_s", c.lease_s,
          {.doc = "safety monitor silent for longer: stop; off: none is required",
           .unit = "s",
           .min = 0.01,
           .max = 2});
  v.Field("log", c.log, {.doc = "decision log, or off"});
  v.Field("black_box", c.black_box, {.doc = "folder for what led to a stop, or off"});
  v.Field("black_box_ticks", c.black_box_ticks, {.doc = "ticks kept", .min = 20, .max = 100000});
  v.Field("human", c.human, {.doc = "person's input: shm, evdev:/dev/input/eventN or trace:FILE"});
  v.Field("realtime", c.realtime, {.doc = "what the operating system must grant"});
  v.Field("limits", c.limits, {.doc = "ages and windows"});
  v.Field("arbitration", c.arbitration, {.doc = "the policy's share"});
}

StatusOr<RtConfig> LoadRtConfig(const std::string& path) {
  SAFERL_ASSIGN_OR_RETURN(const std::string text, ReadFile(path, ParseLimits().max_bytes));
  return ReadRtConfig(text, path);
}

StatusOr<RtConfig> ReadRtConfig(const std::string& text, const std::string& path) {
  SAFERL_ASSIGN_OR_RETURN(const Node node, ParseYaml(text, path));
  SAFERL_ASSIGN_OR_RETURN(RtConfig config, config::Read<RtConfig>(node));
  if (config.observation_clock && config.pacing != Pacing::kRobot)
    return absl::InvalidArgumentError(
        Cat(path, ": observation_clock: needs 'pacing: robot'; set both or neither"));
  if (config.human != "shm" && !config.human.starts_with(kStickPrefix) &&
      !config.human.starts_with(kTracePrefix))
    return absl::InvalidArgumentError(
        Cat(path, ": human: '", config.human,
            "' is not a source; write shm, evdev:/dev/input/eventN or trace:FILE"));
  return config;
}

StatusOr<TickModel> MakeTickModel(const RtConfig& config) {
  SAFERL_ASSIGN_OR_RETURN(const auto safety, safety::LoadSafetyModel(config.robot));
  std::shared_ptr<const policy::Policy> policy;
  if (config.policy != "off") {
    SAFERL_ASSIGN_OR_RETURN(policy, policy::LoadPolicy(config.policy));
  }
  SAFERL_ASSIGN_OR_RETURN(TickModel model, MakeTickModel(safety, policy));
  const RtLimitsConfig& limits = config.limits;
  model.limits.max_people_age_ns = FromSeconds(limits.max_people_age_s);
  model.limits.max_lidar_age_ns = FromSeconds(limits.max_lidar_age_s);
  model.limits.max_human_age_ns = FromSeconds(limits.max_human_age_s);
  model.limits.max_policy_age_ns = FromSeconds(limits.max_policy_age_s);
  model.limits.slip_window_ns = FromSeconds(limits.slip_window_s);
  model.limits.degraded_speed = limits.degraded_speed;
  const RtArbitrationConfig& a = config.arbitration;
  model.arbitration.method = a.method;
  model.arbitration.authority_cap = a.authority_cap;
  model.arbitration.confidence_gain = a.confidence_gain;
  model.arbitration.confidence_threshold = a.confidence_threshold;
  model.arbitration.need_full = a.need_full;
  model.arbitration.need_memory_s = a.need_memory_s;
  model.arbitration.value_slack = a.value_slack;
  model.arbitration.effort_weight_s = a.effort_weight_s;
  model.arbitration.rise_per_s = a.rise_per_s;
  model.arbitration.fall_per_s = a.fall_per_s;
  model.arbitration.dwell_s = a.dwell_s;
  SAFERL_RETURN_IF_ERROR(Validate(model));
  return model;
}

RtSettings Settings(const RtRealtimeConfig& config, int64_t period_ns) {
  Requirement awake = Requirement::kOff;
  switch (config.awake) {
    case Awake::kRequire:
      awake = Requirement::kRequire;
      break;
    case Awake::kWarn:
      awake = Requirement::kWarn;
      break;
    case Awake::kOff:
      break;
    case Awake::kAuto:
      if (period_ns <= kAwakePeriodNs) awake = Requirement::kWarn;
      break;
  }
  return {config.fifo,     config.fifo_priority, config.lock_memory,
          config.affinity, config.processor,     awake};
}

}  // namespace saferl::control
