#include "saferl/safety/search.h"

#include <algorithm>
#include <cmath>

namespace saferl::safety {
namespace {

using robot::Joints;

constexpr double kCloseEnough = 1.0 / 32;  // of the line from braking to the wish
constexpr double kInside = 0.01;           // of what is left, kept off a guessed zero

/// Where the first margin is 0 on the way from `from` (0) to `to` (1), were they linear; NaN when
/// some margin does not say. One that is 0 at a proved command (a bound that braking itself uses
/// up) may stay so for a while: then the middle.
double SecantShare(const Margins& from, const Margins& to) {
  double share = 1;
  for (size_t c = 0; c < from.size(); ++c) {
    if (to[c] >= 0) continue;
    const double zero = from[c] == 0 ? 0.5 : from[c] / (from[c] - to[c]);
    if (!(zero >= share)) share = zero;
  }
  return share;
}

}  // namespace

double Search::Distance(const Joints& u) const {
  double sum = 0;
  for (int i = 0; i < model_.robot->n(); ++i) {
    const double off = u[i] - data_->situation.wanted[i];
    sum += model_.weight[i] * off * off;
  }
  return std::sqrt(sum);
}

bool Search::Try(const Joints& u) {
  last_.u = u;
  last_.proved =
      Prove(model_, u, &data_->situation, &data_->manoeuvre, &last_.margin, &first_failure_);
  last_.stop_time_s = data_->manoeuvre.stop_time_s;
  if (!last_.proved) return false;
  if (Nearer(u)) {
    found_ = last_;
    distance_ = Distance(u);
  }
  return true;
}

bool Search::Nearer(const Joints& u) const { return !found_.proved || Distance(u) < distance_; }

int Search::Between(const Joints& to, const Margins& to_margin) {
  const Joints brake = last_.u;
  Margins low_margin = last_.margin, high_margin = to_margin;
  double low = 0, high = 1;  // shares of the way from braking: proved, not proved
  bool slow = false;
  int tried = 0;
  while (tried < model_.max_bisections && high - low > kCloseEnough) {
    const double guess = SecantShare(low_margin, high_margin);
    double share = slow ? 0.5 : guess - kInside;
    // Not a number: a margin without a value at one end.
    if (!(share > 0.5 * kCloseEnough)) share = std::isnan(share) ? 0.5 : 0.5 * kCloseEnough;
    const double at = low + std::min(share, 1 - 0.5 * kCloseEnough) * (high - low);
    Joints u{};
    for (int i = 0; i < model_.robot->n(); ++i) u[i] = brake[i] + at * (to[i] - brake[i]);
    ++tried;
    const double before = high - low;
    slow = false;
    if (Try(u)) {
      low = at;
      low_margin = last_.margin;
      // Proved beyond the guessed zero: the guess was wrong, as where braking itself uses a bound
      // up. Otherwise the next guess may say that nothing much is left to gain.
      if (share > guess) {
        slow = true;
      } else if (SecantShare(low_margin, high_margin) * (high - low) < kCloseEnough) {
        break;
      }
    } else {
      high = at;
      high_margin = last_.margin;
    }
    slow = slow || high - low > 0.5 * before;
  }
  return tried;
}

}  // namespace saferl::safety
