#pragma once
// One robot, one decision, as JSON: what POST /inference, /inference/batch and the stream take and
// give. Fields and units: docs/inference.md.
//
// Strict: unknown and repeated fields, missing ones, wrong types, counts that do not fit the robot
// and numbers that are not finite are refused; the message names the field and the fix.
// Clock: all stamps are ns of the robot's own clock, `now_ns` among them: the server compares them
// with nothing else, so that two machines need not agree on the time.
// Errors: kInvalidArgument "field: problem; next step". RT: no (it allocates); the Tick that it
// feeds is. Cost: 10 us with 360 beams.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "saferl/base/status.h"
#include "saferl/control/tick.h"

namespace saferl::services {

/// How many numbers each list had, to be compared with the robot's.
struct InputCounts {
  int q = 0, qd = 0, interaction = -1, human = 0, proposal = -1;  ///< -1: the list was not there
};

struct DecideRequest {
  std::string robot;           ///< which robot: the session's key
  std::string type;            ///< "wheelchair", "arm7", ...; empty: the session's
  std::string model, version;  ///< the policy; empty model: the session's, or none
  /// Tick settings that the robot side tightens, by their names ("arbitration.authority_cap").
  std::vector<std::pair<std::string, double>> limits;
  control::TickInput input;
  bool has_sequence = false;  ///< else the session counts
  bool fixed_shape = false;   ///< a binary record: its lists have every place, counts say nothing
  InputCounts counts;
};

StatusOr<DecideRequest> DecodeDecideRequest(std::string_view body);
/// {"requests": [...]}: 1 to `most`, every robot once.
StatusOr<std::vector<DecideRequest>> DecodeDecideBatch(std::string_view body, int most);

/// The counts fit the robot's, and what the robot must have is there.
Status CheckShape(const robot::RobotModel& robot, const DecideRequest& request);

/// What a session adds to a Decision.
struct DecisionHead {
  std::string id, robot, type, session, model, version;
};
/// Until when the command counts that arrives at the robot: it was proved for reaction_s of delay.
int64_t ApplyByNs(const robot::RobotModel& robot, const safety::Command& command);
/// The answer, and what the API shows of a kept decision.
std::string EncodeDecisionJson(const robot::RobotModel& robot, const DecisionHead& head,
                               const control::Decision& decision);

/// What such an answer says of command, mode, reason, authority, blend, intervention, margins and
/// whether there was a proof; the rest of `decision` stays. Returns the policy's version; empty:
/// there was none. (decision_read.cc)
StatusOr<std::string> DecodeDecisionJson(std::string_view text, const robot::RobotModel& robot,
                                         control::Decision* decision);

/// The request that `input` would be: what `saferl example request` prints. `model`: the policy;
/// empty: none is named.
std::string EncodeDecideRequest(const robot::RobotModel& robot, const std::string& robot_id,
                                const control::TickInput& input, const std::string& model = "");

/// JSON schemas for the OpenAPI document.
std::string_view DecideRequestSchema();
std::string_view DecisionSchema();

/// The region that a request's word names.
std::optional<robot::Region> ParseRegion(std::string_view name);

}  // namespace saferl::services
