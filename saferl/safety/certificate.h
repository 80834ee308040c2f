#pragma once
// The certificate of a command: every constraint's margin along its whole braking manoeuvre.
//
// A command is proved when its state is recoverable: braking at the rated deceleration, started
// within the reaction time, keeps every constraint until rest, against everything that people could
// do meanwhile. The sweep comes from RobotModel::Predict, each constraint judges all of it, and the
// worst margin decides: >= 0 is proved, anything else (NaN included) is not.
//
// RT: yes. Total. Cost: one Predict and one Margin per constraint.
// Source: DESIGN section 6; docs/safety.md, theorem 1.

#include <array>

#include "saferl/safety/filter.h"

namespace saferl::safety {

/// Fills the situation from one observation: placement, people with their growth, static shapes
/// near the robot. `candidate` is left as it is.
void AssembleSituation(const SafetyModel& model, const robot::Observation& observation,
                       int64_t now_ns, const robot::Joints& previous, Situation* situation);

using Margins = std::array<double, kNumConstraints>;

/// Margin of every constraint of model.proof over the manoeuvre of situation.candidate (+inf for
/// the others); returns the worst, NaN when any is NaN.
double ProofMargins(const SafetyModel& model, const Situation& situation,
                    const robot::Manoeuvre& manoeuvre, Margins* margins);

/// Predicts the sweep of `candidate` into `manoeuvre`, judges it, and says whether it is proved.
/// With `first_failure` it stops at the first constraint that is not kept, which is left there as
/// an index into model.proof and comes first next time: only its margin is then told, the others
/// are +inf. A command that is proved has all its margins either way.
bool Prove(const SafetyModel& model, const robot::Joints& candidate, Situation* situation,
           robot::Manoeuvre* manoeuvre, Margins* margins, size_t* first_failure = nullptr);

}  // namespace saferl::safety
