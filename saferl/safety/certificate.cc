#include "saferl/safety/certificate.h"

#include <limits>

#include "saferl/safety/constraints/rows.h"

namespace saferl::safety {

double ProofMargins(const SafetyModel& model, const Situation& situation,
                    const robot::Manoeuvre& manoeuvre, Margins* margins) {
  margins->fill(std::numeric_limits<double>::infinity());
  double worst = std::numeric_limits<double>::infinity();
  for (const auto& constraint : model.proof) {
    double& margin = (*margins)[static_cast<size_t>(constraint->id())];
    margin = MinOrNan(margin, constraint->Margin(situation, manoeuvre));
    worst = MinOrNan(worst, margin);
  }
  return situation.state_usable ? worst : std::numeric_limits<double>::quiet_NaN();
}

bool Prove(const SafetyModel& model, const robot::Joints& candidate, Situation* situation,
           robot::Manoeuvre* manoeuvre, Margins* margins, size_t* first_failure) {
  situation->candidate = candidate;
  situation->robot->Predict(situation->observation->robot, situation->previous, candidate,
                            manoeuvre);
  if (first_failure == nullptr) return ProofMargins(model, *situation, *manoeuvre, margins) >= 0;
  margins->fill(std::numeric_limits<double>::infinity());
  const size_t n = model.proof.size(), start = *first_failure < n ? *first_failure : 0;
  for (size_t i = 0; i < n; ++i) {
    // The constraint that failed last, then the others in their order.
    const size_t at = i == 0 ? start : (i <= start ? i - 1 : i);
    const Constraint& constraint = *model.proof[at];
    double& margin = (*margins)[static_cast<size_t>(constraint.id())];
    margin = MinOrNan(margin, constraint.Margin(*situation, *manoeuvre));
    if (margin >= 0) continue;
    *first_failure = at;
    return false;
  }
  return situation->state_usable;
}

}  // namespace saferl::safety
