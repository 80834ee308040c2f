#pragma once
// Mutants: the filter's model with one term of the safety argument taken away. The plant, the
// people and the truth stay right, so that a prover with teeth must find a violation for each of
// them, in seconds.
//
// A mutant is a set of overrides of the robot's data (what the filter believes) and an edit of the
// loaded model (constraints taken out of proof and steering). RT: no. Errors: an unknown name, with
// the nearest known one. Source: DESIGN section 6, "Teeth".

#include <string>
#include <vector>

#include "saferl/base/status.h"
#include "saferl/robot/robot_model.h"
#include "saferl/safety/filter.h"

namespace saferl::sim {

struct Mutant {
  std::string name;                             ///< e.g. "no_epsilon"
  std::string what;                             ///< one line: the term that is gone
  std::vector<robot::Override> overrides = {};  ///< what the filter believes instead
  std::vector<safety::ConstraintId> drop = {};  ///< constraints taken out of proof and steering
  /// Numbers that plant, truth and filter get alike, so that a promise which others imply binds at
  /// all.
  std::vector<robot::Override> both = {};
  bool drop_proof = false;         ///< nothing is verified; steering stays
  bool no_braking_tail = false;    ///< only the first moment of every manoeuvre is verified
  bool no_gate = false;            ///< what the filter says leaves unchecked
  int64_t budget_ticks = 250'000;  ///< the prover must find a violation within this many
};

/// All mutants of a robot kind, in a fixed order.
const std::vector<Mutant>& Mutants(robot::Kind kind);
/// The mutant called `name`; the error names the nearest.
StatusOr<Mutant> FindMutant(robot::Kind kind, const std::string& name);
/// The filter's model with the mutant's edits. An empty mutant gives the real model.
StatusOr<std::shared_ptr<const safety::SafetyModel>> LoadMutated(const std::string& robot_name,
                                                                 const Mutant& mutant);

}  // namespace saferl::sim
