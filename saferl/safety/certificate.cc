#include "saferl/safety/certificate.h"

#include <limits>

#include "saferl/safety/constraints/rows.h"

namespace saferl::safety {

double ProofMargins(const SafetyModel& model, const Situation& situation,
                    const robot::Manoeuvre& manoeuvre,
                    std::array<double, kNumConstraints>* margins) {
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
           robot::Manoeuvre* manoeuvre, std::array<double, kNumConstraints>* margins) {
  situation->candidate = candidate;
  situation->robot->Predict(situation->observation->robot, situation->previous, candidate,
                            manoeuvre);
  return ProofMargins(model, *situation, *manoeuvre, margins) >= 0;
}

}  // namespace saferl::safety
