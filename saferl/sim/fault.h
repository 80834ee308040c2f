#pragma once
// Faults: what goes wrong around the Tick, at a stated time, for tests and scenarios. Applied to
// the TickInput after the sensors, or to the command on its way to the plant.
//
// Units: s. Errors: ParseFaultKind names all kinds. RT: no.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "saferl/base/status.h"
#include "saferl/control/tick.h"

namespace saferl::sim {

enum class FaultKind : uint8_t {
  kHumanSilent,     ///< the person's device sends nothing new
  kHumanNan,        ///< ... or nonsense
  kEnableReleased,  ///< the enabling device is let go
  kStopButton,      ///< the person presses stop
  kStopRequest,     ///< an operator asks for a stop
  kMonitorLost,     ///< the safety monitor's lease is gone
  kStateSilent,     ///< joint state stays at its last stamp and value
  kStateNan,
  kPeopleSilent,  ///< the people tracker stays at its last stamp
  kPeopleNan,
  kPeopleJump,  ///< every tracked person is reported 1.5 m away from where he is
  kLidarSilent,
  kLidarNan,
  kLidarFrozen,    ///< stamps run on, the ranges do not change
  kClockBackward,  ///< the record's stamp runs back
  kClockFuture,    ///< the state's stamp lies ahead of now
  kTickLate,       ///< ticks come 2.5 periods apart
  kPolicyNan,      ///< a proposal from outside that is no number
  kPolicyStale,    ///< a proposal from outside that never changes
  kDriveWeak,      ///< the robot does 60 % of what it is told
  kBrakeFade,      ///< the robot slows down at a third of the rated deceleration
  kCount,
};
inline constexpr int kNumFaultKinds = static_cast<int>(FaultKind::kCount);
std::string_view Name(FaultKind kind);
StatusOr<FaultKind> ParseFaultKind(std::string_view name);

struct Fault {
  FaultKind kind = FaultKind::kHumanSilent;
  double from_s = 0, for_s = 0;
  bool Active(double t_s) const { return t_s >= from_s && t_s < from_s + for_s; }
};

/// Changes what the Tick gets. `before` is the last input without faults of frozen sources.
void ApplyFaults(std::span<const Fault> faults, double t_s, const control::TickInput& before,
                 control::TickInput* input);

/// What the robot really does with `command` under faults of the drive. `acting` is what it did
/// before.
robot::Joints DriveFaults(std::span<const Fault> faults, double t_s, const robot::RobotModel& robot,
                          const robot::Joints& acting, const robot::Joints& command);

/// True while ticks come late.
bool TicksLate(std::span<const Fault> faults, double t_s);

}  // namespace saferl::sim
