#pragma once
// The search for the proved command nearest to the wish, on the line from braking to the wish.
//
// Along that line each constraint's margin falls almost linearly within one tick's change of
// command. Where it is 0 between a proved command and one that is not is therefore guessed by the
// secant of the two (regula falsi), a little to the proved side, and the guess is proved like every
// other command: a wrong guess costs a proof and narrows the line, it lets nothing out. A guess
// that does not at least halve the line is followed by its middle, so that the search is never
// slower than bisection for long.
//
// Units: SI. RT: yes. Bounded by SafetyModel::max_bisections; ends as soon as the line is shorter
// than kCloseEnough of the whole. Source: Dowell and Jarratt (1971) for the safeguard's idea.

#include "saferl/safety/certificate.h"

namespace saferl::safety {

/// A command and what its proof said. One that is not proved tells only the margin that decided.
struct Judged {
  bool proved = false;
  robot::Joints u{};
  double stop_time_s = 0;
  Margins margin{};
};

class Search {
 public:
  Search(const SafetyModel& model, FilterData* data) : model_(model), data_(data) {}

  /// Proves `u`; a success replaces what was found when it is nearer to the wish. True when proved.
  bool Try(const robot::Joints& u);
  /// Between braking, proved last, and `to`, not proved: a proved command near the farthest.
  /// Returns how many were tried.
  int Between(const robot::Joints& to, const Margins& to_margin);

  /// Whether `u`, if proved, would replace what was found.
  bool Nearer(const robot::Joints& u) const;
  /// |u - wanted|_W.
  double Distance(const robot::Joints& u) const;

  const Judged& last() const { return last_; }
  const Judged& found() const { return found_; }

 private:
  const SafetyModel& model_;
  FilterData* data_;
  Judged last_, found_;
  double distance_ = 0;
  size_t first_failure_ = 0;
};

}  // namespace saferl::safety
