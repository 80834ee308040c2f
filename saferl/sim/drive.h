#pragma once
// One drive: a simulated person and a policy take the wheelchair to a goal through a scene, in one
// of three ways. This is the loop behind the demo's table, `saferl drive` and the productivity
// figures.
//
//   kAlone    the person's command, limited only by what the motors can do
//   kBlended  person and policy blended, without the filter (what many systems ship)
//   kFull     the whole Tick: blend, filter, gate
//
// A drive ends at the goal, at the first collision, or when its time is up. A collision is touching
// while the chair moves; a pedestrian who walks up to a resting chair is none. The goals that the
// Tick sees are points `kAhead_m` on along the way to each place of the scene: a route planner
// knows the building, intent and policy choose among its suggestions. Units: SI; simulated time.
// Frames: W. RT: no. Deterministic: the same options give the same result, whatever the thread.
// Errors: the robot is no wheelchair, the policy does not fit it, a physics model that cannot be
// read, a log that cannot be written.

#include <array>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "saferl/base/status.h"
#include "saferl/control/arbitration.h"
#include "saferl/policy/policy.h"
#include "saferl/safety/filter.h"
#include "saferl/sim/person.h"
#include "saferl/sim/scene.h"

namespace saferl::sim {

enum class Assistance : uint8_t { kAlone, kBlended, kFull };
std::string_view Name(Assistance assistance);

struct DriveOptions {
  std::shared_ptr<const safety::SafetyModel> safety;
  std::shared_ptr<const policy::Policy> policy;  ///< null: the person alone decides
  Assistance assistance = Assistance::kFull;
  PersonKind person = PersonKind::kExpert;
  control::Arbitration arbitration = control::Arbitration::kConfidence;
  uint64_t seed = 0;  ///< of scene, person, noise and delays
  double max_time_s = 60;
  bool physics = true;   ///< MuJoCo; false: the closed-form plant
  bool trace = false;    ///< keep the frames
  std::string log_path;  ///< kFull: every Decision as MCAP; empty: none
  SceneOptions scene;
};

/// One picture of the drive, ten a second.
struct Frame {
  double t_s = 0;
  Pose2 chair;
  double v_m_s = 0, omega_rad_s = 0;                       ///< true rates
  std::array<double, 2> person_u{}, policy_u{}, sent_u{};  ///< (v, omega)
  double authority = 0;
  double margin_m = 0;  ///< worst distance margin of the proof; +inf: not applicable
  safety::Mode mode = safety::Mode::kNominal;
  safety::Reason reason = safety::Reason::kNone;
  bool intervened = false;
  std::vector<Point> people;
};

struct DriveResult {
  bool reached = false;
  bool collided = false;
  Contact::With with = Contact::With::kNothing;
  double time_s = 0;
  double path_m = 0;
  double min_separation_m = 0;  ///< to any pedestrian while moving; capped at 5
  int64_t ticks = 0;
  int64_t interventions = 0;  ///< ticks in which the filter changed the wish
  double distortion = 0;    ///< mean over ticks of |sent - person's|, each component over its limit
  double authority = 0;     ///< mean share of the policy
  int64_t stops = 0;        ///< times the mode rose to ControlledStop or above
  int64_t uncertified = 0;  ///< ticks without any proof; 0 is promised
  std::vector<Frame> frames;
};

StatusOr<DriveResult> Drive(const DriveOptions& options);

/// Results of the same options over seeds first .. first + count - 1, on `threads` threads; order
/// is by seed. `done` is called after each (from any thread, one at a time); may be empty.
StatusOr<std::vector<DriveResult>> DriveMany(const DriveOptions& options, uint64_t first_seed,
                                             int count, int threads,
                                             const std::function<void()>& done = {});

/// The scene that a drive with this seed takes place in.
std::shared_ptr<const Scene> DriveScene(const DriveOptions& options);

}  // namespace saferl::sim
