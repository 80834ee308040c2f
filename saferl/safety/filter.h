#pragma once
// The Filter: the nearest command that is proved safe.
//
//   1. QP: minimise |u - wanted|^2_W subject to actuator limits and the constraints' rows (gentle)
//   2. verify: does every constraint hold along the braking manoeuvre of u, to rest? (safe)
//   3. if not: search between u and the braking command (search.h), verifying each (bounded)
//   4. if none: the stored plan's next step, proved at an earlier tick (always there)
//
// Theorem 1 (docs/safety.md): after one verified tick there is always a proved command. A filter
// that never verified anything yet returns the standstill command, which is proved for a resting
// robot. RT: Filter() yes. SafetyModel::Load/Validate no. Errors: none; the worst case is the
// stored plan, and `reason` says so.

#include <array>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "saferl/base/status.h"
#include "saferl/math/qp.h"
#include "saferl/robot/robot_model.h"
#include "saferl/safety/constraint.h"
#include "saferl/safety/mode.h"

namespace saferl::safety {

/// Const after Load: the robot, its constraints and the assumptions about people. Copyable cheaply
/// by parts.
struct SafetyModel {
  std::shared_ptr<const robot::RobotModel> robot;
  HumanModel human;
  double lidar_error_m = 0.02;  ///< |measured - true| of a lidar point
  double lidar_fill_m = 0.03;   ///< added around each hit: unseen gap between beams
  math::Vec3 p_BLidar;          ///< lidar's origin in the body frame [m]
  double base_radius_m = 0;     ///< circle around a wheeled base's footprint, else 0
  std::array<bool, static_cast<size_t>(robot::Region::kCount)>
      by_contact{};  ///< regions whose contact is limited in speed instead of avoided
  robot::Joints interaction_max_nm{};     ///< torque on the wearer, per joint (exoskeleton) [Nm]
  double creep_reach_m = 0;               ///< how far a body point strays in the slowest sweep [m]
  std::vector<math::Capsule> keep_out_W;  ///< static shapes that are known beforehand (<= 32)
  std::vector<std::shared_ptr<const Constraint>> steering;  ///< constraints whose rows the QP gets
  std::vector<std::shared_ptr<const Constraint>>
      proof;               ///< constraints that certify; same list by default
  robot::Joints weight{};  ///< W's diagonal (n)
  int max_bisections = 8;  ///< most proofs of one search between braking and the wish

  /// Fails unless every assumption and every constraint that the robot kind needs is present and
  /// positive.
  Status Validate() const;
};

/// The proved fallback: brake along the path of the last proved command. Written by Filter().
struct StoredPlan {
  bool proved = false;
  int64_t proved_at_ns = 0;
  double stop_time_s = 0;  ///< of the manoeuvre that was proved
  int steps_taken = 0;     ///< braking steps executed since
};

/// How a command was justified.
enum class Proof : uint8_t {
  kNone,        ///< nothing proved yet: standstill only
  kFresh,       ///< this command's own manoeuvre was verified this tick
  kStoredPlan,  ///< the next step of the plan verified earlier
};

struct FilterData {
  math::QpProblem problem;
  math::QpWorkspace workspace;
  math::QpSolution solution;
  Situation situation;
  RowSet rows;
  robot::Manoeuvre manoeuvre;
  robot::Joints previous{};  ///< last command that left (written by Commit)
  StoredPlan plan;
};

struct FilterResult {
  robot::Joints command{};
  Proof proof = Proof::kNone;
  Reason reason = Reason::kNone;
  bool intervened = false;  ///< command differs from the wish as clamped to limits and rate
  uint8_t bisections = 0;   ///< proofs that the search took
  uint16_t qp_iterations = 0;
  uint16_t n_rows = 0;
  math::QpStatus qp_status = math::QpStatus::kSolved;
  double distortion = 0;  ///< |command - clamped wish|_W
  double stop_time_s = 0;
  std::array<double, kNumConstraints>
      margin{};  ///< of the chosen command; +inf where not applicable
};

/// One pass. `mode` >= kControlledStop skips 1-3 and brakes by plan; kHold replaces `wanted` by
/// standstill.
FilterResult Filter(const SafetyModel& model, const robot::Observation& observation, int64_t now_ns,
                    const robot::Joints& wanted, Mode mode, FilterData* data);

/// Tells the filter which command really left (the gate may have changed it). Call once per tick,
/// after the gate.
void Commit(const robot::Joints& sent, FilterData* data);

/// Reads data/robots/<name>.yaml (or a path): the robot and its safety section. Validates.
/// `overrides` reach the robot part ("reaction_s", ...) and the safety part
/// ("safety.human.error_m", ...) and skip Validate: only provers' mutants and tests pass any.
StatusOr<std::shared_ptr<const SafetyModel>> LoadSafetyModel(
    const std::string& name_or_path, std::span<const robot::Override> overrides = {});

}  // namespace saferl::safety
