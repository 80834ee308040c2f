#pragma once
// Clearance of a whole manoeuvre to a set of capsules: what keep-out and separation have in common.
//
// RT: yes. Cost: one bounding test per shape, then Clearance per sample with the shapes that are
// near.

#include <span>

#include "saferl/safety/constraints/rows.h"

namespace saferl::safety {

/// Everything that the manoeuvre sweeps, as one ball or disc.
Bound SweepBound(const Situation& situation, const robot::Manoeuvre& manoeuvre);

/// Smallest distance between the swept body and the shapes, each grown by grown_m[i] (empty: not
/// grown); values above kReportedClearance_m are reported as that. NaN in, NaN out.
double SweepClearance(const Situation& situation, const robot::Manoeuvre& manoeuvre,
                      std::span<const math::Capsule> shapes, std::span<const double> grown_m);

}  // namespace saferl::safety
