#include "saferl/sim/breach.h"

#include <algorithm>
#include <cmath>

namespace saferl::sim {
namespace {

constexpr int64_t kWindow_ns = 1'000'000'000;
constexpr double kRounding_m = 1e-6;

}  // namespace

bool BreachJudge::Shown(const robot::HumanPart& part) {
  std::deque<Sample>& past = past_[{part.person, part.track}];
  while (!past.empty() && part.stamp_ns - past.front().stamp_ns > kWindow_ns) past.pop_front();
  const double speed =
      robot::IsReaching(part.region) ? bounds_.reach_speed_m_s : bounds_.body_speed_m_s;
  const bool shown = std::ranges::any_of(past, [&](const Sample& old) {
    const double dt_s = 1e-9 * static_cast<double>(part.stamp_ns - old.stamp_ns);
    const double allowed = 2 * bounds_.error_m + speed * dt_s + kRounding_m;
    return math::Norm(part.capsule_W.a - old.a_W) > allowed ||
           math::Norm(part.capsule_W.b - old.b_W) > allowed;
  });
  past.push_back({part.stamp_ns, part.capsule_W.a, part.capsule_W.b});
  return shown;
}

void BreachJudge::Add(int64_t delay_ticks, bool answered, BreachCount* count) {
  ++count->breaches;
  count->answered += answered && delay_ticks <= 1;
  count->delay_ticks_sum += delay_ticks;
  count->worst_delay_ticks = std::max(count->worst_delay_ticks, delay_ticks);
}

void BreachJudge::Tick(std::span<const robot::HumanPart> measured, bool stopped) {
  bool shown = false;
  for (const robot::HumanPart& part : measured) shown = Shown(part) || shown;
  if (open_ && !shown && stopped_) {
    Add(delay_ticks_, true, &count_);
    open_ = false;
  }
  if (shown && !open_) {
    open_ = true;
    stopped_ = false;
    waited_ticks_ = delay_ticks_ = 0;
  }
  if (!open_) return;
  if (stopped) {
    stopped_ = true;
    waited_ticks_ = 0;
  } else {
    delay_ticks_ = std::max(delay_ticks_, ++waited_ticks_);
  }
}

BreachCount BreachJudge::Count() const {
  BreachCount count = count_;
  if (open_) Add(delay_ticks_, stopped_, &count);
  return count;
}

}  // namespace saferl::sim
