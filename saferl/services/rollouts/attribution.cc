#include "saferl/services/rollouts/attribution.h"

#include "saferl/control/tick_data.h"

namespace saferl::services {
namespace {

/// After a longer gap the tick before is not this one's start.
constexpr int64_t kLongestTick_ns = kNanosPerSecond;

bool Within(int64_t before_ns, int64_t now_ns, int64_t most_ns) {
  const int64_t passed = Elapsed(before_ns, now_ns);
  return before_ns != 0 && passed >= 0 && passed <= most_ns;
}

bool Opposes(const control::TickModel& model, const control::Decision& d) {
  const robot::RobotModel& robot = *model.safety->robot;
  return d.command.mode == safety::Mode::kNominal &&
         control::CommandSize(robot, d.input.human.u) >= model.arbitration.min_command &&
         control::Agreement(robot, d.input.human.u, d.policy_u) <= model.arbitration.oppose_cosine;
}

}  // namespace

void Attribution::StartFrom(const control::TickData& data, int64_t now_ns) {
  previous_ = data.filter.previous;
  now_ns_ = now_ns;
}

bool Attribution::PersonAlonePasses(const control::TickModel& model, const control::Decision& d) {
  if (filter_ == nullptr) filter_ = std::make_unique<safety::FilterData>();
  filter_->previous = previous_;
  filter_->plan = {};
  return !safety::Filter(*model.safety, d.input.observation, d.input.now_ns, d.input.human.u,
                         safety::Mode::kNominal, filter_.get())
              .intervened;
}

PolicyDoing Attribution::Look(const control::TickModel* model, const control::Decision& d) {
  const int64_t now = d.input.now_ns;
  const bool follows = Within(now_ns_, now, kLongestTick_ns);
  const bool shares = d.policy_used && d.authority > 0;
  if (shares) shared_ns_ = now;
  PolicyDoing doing;
  doing.shared = Within(shared_ns_, now, kMemory_ns);
  if (shares && d.filter.intervened)
    doing.changed = model == nullptr || (follows && PersonAlonePasses(*model, d));
  const bool stopped = d.input.human.stop || d.command.reason == safety::Reason::kStopRequested;
  doing.changed = doing.changed || (stopped && doing.shared);
  doing.refused = model != nullptr && d.policy_used && Opposes(*model, d);
  previous_ = d.command.u;
  now_ns_ = now;
  return doing;
}

}  // namespace saferl::services
