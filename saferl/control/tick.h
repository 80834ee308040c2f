#pragma once
// One control tick: Observation -> Proposals -> Blend -> Filter -> Gate -> Command, one Decision.
//
// Straight down, no callback, no clock read but for stage times. All that is not in TickModel or
// TickData comes in through TickInput, and TickInput is logged: replaying the log gives the same
// commands bit for bit.
// RT: Tick() yes: no allocation, no lock, no system call, no exception, bounded loops.
// Errors: none. Bad input ends in a safe command in the same tick, with its Reason.
// Cost: `saferl bench tick`.

#include <array>
#include <cstdint>
#include <memory>

#include "saferl/control/arbitration.h"
#include "saferl/control/features.h"
#include "saferl/control/input_check.h"
#include "saferl/control/intent.h"
#include "saferl/control/proposal.h"
#include "saferl/policy/policy.h"
#include "saferl/robot/types.h"
#include "saferl/safety/assumptions.h"
#include "saferl/safety/filter.h"
#include "saferl/safety/gate.h"
#include "saferl/safety/latch.h"
#include "saferl/safety/mode.h"

namespace saferl::control {

struct TickInput {
  int64_t now_ns = 0;
  uint64_t sequence = 0;
  robot::Observation observation;
  HumanInput human;
  ExternalProposal policy;
  Goals goals;
  bool stop_requested = false;  ///< operator or monitor
  bool lease_ok = true;         ///< the safety monitor's lease (true when none is required)
};

/// Const while ticks run. A new policy is a new TickModel, swapped between ticks.
struct TickModel {
  std::shared_ptr<const safety::SafetyModel> safety;
  std::shared_ptr<const policy::Policy> policy;  ///< may be null: the person alone
  FeatureModel features;
  IntentModel intent;
  ArbitrationModel arbitration;
  TickLimits limits;
  safety::LatchModel latch;
  safety::AssumptionModel assumptions;
  bool time_stages = true;  ///< fills Decision::stage_ns: eight clock reads, about 0.2 us
};

/// A model with defaults for everything but the two parts, checked. `policy` may be null; otherwise
/// its schema must fit the robot's features and commands.
StatusOr<TickModel> MakeTickModel(std::shared_ptr<const safety::SafetyModel> safety,
                                  std::shared_ptr<const policy::Policy> policy);
/// Ages of twice to five periods, never above what the robot's braking proof assumes.
TickLimits DefaultTickLimits(const robot::RobotModel& robot);
/// Every age positive and no longer than proved for, weights in range, the policy made for this
/// robot.
Status Validate(const TickModel& model);
/// First 8 bytes of the package's SHA-256; 0 for none.
uint64_t PolicyId(const policy::Policy* policy);

enum class Stage : uint8_t { kCheck, kPolicy, kIntent, kBlend, kFilter, kGate, kRecord, kCount };
inline constexpr int kNumStages = static_cast<int>(Stage::kCount);

/// The record of one tick. Fixed size, trivially copyable; docs/formats/decision_log.md.
struct Decision {
  TickInput input;
  robot::Joints policy_u{};  ///< policy's proposal; zero when none
  bool policy_used = false;
  double authority = 0;  ///< policy's share in the blend, [0, 1]
  std::array<double, kMaxGoals> belief{};
  robot::Joints blended{};  ///< what the filter was asked for
  safety::FilterResult filter;
  safety::Command command;  ///< what left
  bool gate_passed = true;
  std::array<uint32_t, kNumStages> stage_ns{};
  uint64_t policy_id = 0;  ///< first 8 bytes of the package's SHA-256
};

/// State between ticks, owned by the caller: filter, intent, authority, mode latches, last stamps.
/// See tick.cc.
struct TickData;

/// Allocates and zeroes everything; the only place of this room's hot path that may allocate.
std::unique_ptr<TickData, void (*)(TickData*)> Prepare(const TickModel& model);

/// One pass. Writes `decision`; the command to send is decision->command.
void Tick(const TickModel& model, const TickInput& input, TickData* data, Decision* decision);

/// Measured at rest, as well as it can be measured, and told to be. An exoskeleton rests when it is
/// no slower for sure after a stop. `previous`: the last command that left. RT: yes.
bool AtRest(const robot::RobotModel& robot, const robot::Observation& observation,
            const robot::Joints& previous);

}  // namespace saferl::control
