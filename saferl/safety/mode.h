#pragma once
// The mode ladder and the reasons: what the robot is allowed to do at the moment, and why.
//
// Modes are merged by max(): the most severe demand wins. Each Reason has one demanded mode, one
// clear condition, one line here, one metric label and one test. RT: yes. Source: DESIGN section 4;
// IEC 60204-1 stop categories (Hold and ControlledStop: 2, ProtectiveStop: 1).

#include <cstdint>
#include <string_view>

namespace saferl::safety {

enum class Mode : uint8_t {
  kNominal,         ///< person and policy share control
  kDegraded,        ///< the person alone, slower
  kHold,            ///< slow gently to standstill and stay, until the cause is gone
  kControlledStop,  ///< rated braking along the proved path; clears by itself when inputs are
                    ///< healthy and at rest
  kProtectiveStop,  ///< rated braking, latched: a person must acknowledge at rest with healthy
                    ///< inputs
};

enum class Reason : uint8_t {
  kNone,              ///< nothing to report
  kPolicyLate,        ///< no fresh policy proposal: Degraded
  kPolicyInvalid,     ///< NaN, infinite or out-of-schema proposal: Degraded
  kHumanStale,        ///< the person's input is older than its limit: Hold
  kHumanInvalid,      ///< NaN or impossible input from the person's device: Hold
  kEnableReleased,    ///< three-position enabling device not held: Hold
  kStateStale,        ///< robot state too old: ControlledStop
  kStateInvalid,      ///< NaN or outside what the robot can be: ControlledStop
  kPeopleStale,       ///< people tracker silent: ControlledStop
  kPeopleInvalid,     ///< NaN or impossible body part: ControlledStop
  kLidarStale,        ///< lidar silent: ControlledStop
  kLidarInvalid,      ///< NaN or negative ranges: ControlledStop
  kClockBackward,     ///< a stamp ran backward: ControlledStop
  kClockFuture,       ///< a stamp lies in the future: ControlledStop
  kSensorFrozen,      ///< sequence or values stand still while they must not: ControlledStop
  kTickLate,          ///< this tick started more than a period late: ControlledStop
  kTickSlips,         ///< two slips within the window: ControlledStop
  kFilterInfeasible,  ///< no command near the wish could be certified; the stored plan ran: not a
                      ///< mode by itself
  kFilterRepeated,    ///< the stored plan ran for longer than one braking: ControlledStop
  kGateRejected,      ///< the last check refused the command: ControlledStop
  kPersonTooFast,     ///< a tracked part moved faster than v_h: ProtectiveStop
  kPersonJumped,      ///< a tracked part jumped further than v_h and epsilon allow: ProtectiveStop
  kTrackingError,     ///< the robot does not follow its commands within its stated error:
                      ///< ProtectiveStop
  kBrakeFade,         ///< braking is weaker than rated: ProtectiveStop
  kConstraintViolated,  ///< a constraint is measured as broken: ProtectiveStop
  kStopRequested,       ///< the person or an operator asked for a stop: ProtectiveStop
  kMonitorLost,         ///< the safety monitor's lease ran out (when required): ControlledStop
  kCount,
};

/// The mode that a reason demands.
Mode DemandedMode(Reason reason);
std::string_view Name(Mode mode);
std::string_view Name(Reason reason);
/// One line in plain words: what happened and how it clears.
std::string_view Describe(Reason reason);

}  // namespace saferl::safety
