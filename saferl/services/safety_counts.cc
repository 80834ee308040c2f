#include "saferl/services/safety_counts.h"

#include <string>
#include <vector>

#include "saferl/base/clock.h"

namespace saferl::services {
namespace {

using safety::Reason;

std::vector<std::string> Names() {
  std::vector<std::string> names;
  for (int id = 0; id < safety::kNumConstraints; ++id)
    names.emplace_back(Name(static_cast<safety::ConstraintId>(id)));
  names.emplace_back("measured");
  names.emplace_back("gate");
  names.emplace_back("tracking");
  return names;
}

std::array<bool, SafetyCounts::kConstraints> BrokenIn(const control::Decision& decision) {
  std::array<bool, SafetyCounts::kConstraints> broken{};
  broken[SafetyCounts::kGate] = !decision.gate_passed;
  for (const Reason reason : {decision.command.reason, decision.filter.reason}) {
    if (reason == Reason::kConstraintViolated) broken[SafetyCounts::kMeasured] = true;
    if (reason == Reason::kGateRejected) broken[SafetyCounts::kGate] = true;
    if (reason == Reason::kTrackingError || reason == Reason::kBrakeFade)
      broken[SafetyCounts::kTracking] = true;
  }
  return broken;
}

/// The one that the command is left nearest to, each in its own unit.
size_t NearestConstraint(const control::Decision& decision) {
  const auto& margin = decision.filter.margin;
  size_t nearest = 0;
  for (size_t id = 1; id < margin.size(); ++id)
    if (margin[id] < margin[nearest]) nearest = id;
  return nearest;
}

}  // namespace

SafetyCounts::SafetyCounts(telemetry::Metrics* metrics) : metrics_(*metrics, Names()) {}

void SafetyCounts::Count(const control::Decision& decision, telemetry::Arm arm, Memory* memory) {
  const int64_t now_ns = decision.input.now_ns;
  const int64_t passed = memory->now_ns == 0 ? 0 : Elapsed(memory->now_ns, now_ns);
  memory->now_ns = now_ns;
  if (passed > 0 && passed <= kNanosPerSecond)
    metrics_.ExposureNanos(arm).Add(static_cast<uint64_t>(passed));
  if (decision.filter.intervened)
    metrics_.ShieldInterventions(NearestConstraint(decision), arm).Add();
  const bool stop = decision.input.human.stop;
  if (stop && !memory->stop) metrics_.Stops(arm).Add();
  memory->stop = stop;
  const std::array<bool, kConstraints> broken = BrokenIn(decision);
  for (size_t c = 0; c < kConstraints; ++c) {
    if (!broken[c] || memory->broken[c]) continue;
    const auto severity =
        c == kTracking ? telemetry::Severity::kWarning : telemetry::Severity::kCritical;
    metrics_.Violations(c, severity, arm).Add();
  }
  memory->broken = broken;
}

}  // namespace saferl::services
