// The prover's report as JSON for machines and as lines for people.

#include <cmath>

#include "fmt/core.h"
#include "saferl/base/json.h"
#include "saferl/sim/prove.h"

namespace saferl::sim {
namespace {

/// JSON has no infinity.
std::string Number(double x) { return std::isfinite(x) ? fmt::format("{:.9g}", x) : "null"; }

}  // namespace

std::string ToJson(const ProveReport& report) {
  JsonWriter w;
  w.BeginObject().Field("robot", report.robot).Field("mutant", report.mutant);
  w.Field("ticks", report.ticks).Field("slots", report.slots);
  w.Field("violations", report.violations).Field("uncertified", report.uncertified);
  w.Field("certified", report.certified).Field("worst_margin", report.worst_margin);
  w.Field("interventions", report.interventions);
  if (report.violations > 0) {
    w.Field("first_violation_tick", report.first_violation_tick);
    w.Field("first_violation", report.first_violation);
  } else {
    w.Field("upper_bound_per_slot", report.UpperBoundPerSlot());
  }
  if (!report.first_uncertified.empty()) w.Field("first_uncertified", report.first_uncertified);
  return w.Field("ticks_per_s", std::round(report.ticks_per_s)).EndObject().Take();
}

std::string ToText(const ProveReport& r) {
  std::string out =
      fmt::format("robot {}{}: {} ticks in {} slots, {:.1f} s, {:.0f} ticks/s\n", r.robot,
                  r.mutant.empty() ? "" : fmt::format(", mutant {}", r.mutant), r.ticks, r.slots,
                  r.seconds, r.ticks_per_s);
  const double share = 100.0 / static_cast<double>(std::max<int64_t>(1, r.ticks));
  out += fmt::format(
      "  moving {:.1f} %, proved afresh {:.1f} %, stored plan {:.1f} %, intervened {:.1f} %\n",
      share * static_cast<double>(r.moving_ticks), share * static_cast<double>(r.fresh_ticks),
      share * static_cast<double>(r.plan_ticks), share * static_cast<double>(r.interventions));
  out += fmt::format("  violations {}{}\n", r.violations,
                     r.violations > 0 ? fmt::format(", first at tick {}: {}",
                                                    r.first_violation_tick, r.first_violation)
                                      : "");
  out += fmt::format("  uncertified {} (the certifier looked at {} ticks){}\n", r.uncertified,
                     r.certified,
                     r.first_uncertified.empty() ? "" : ", first: " + r.first_uncertified);
  out += "  least margins (in truth | as proved):\n";
  for (int i = 0; i < safety::kNumConstraints; ++i) {
    const double in_truth = r.true_margin[static_cast<size_t>(i)];
    const double proved = r.certified_margin[static_cast<size_t>(i)];
    if (!std::isfinite(in_truth) && !std::isfinite(proved)) continue;
    out +=
        fmt::format("    {:<18} {:>12} | {}\n", safety::Name(static_cast<safety::ConstraintId>(i)),
                    Number(in_truth), Number(proved));
  }
  if (r.violations == 0) {
    out += fmt::format(
        "  0 violations in {} slots: at most {:.3g} per slot, 95 % confidence (rule of three)\n",
        r.slots, r.UpperBoundPerSlot());
  }
  return out;
}

}  // namespace saferl::sim
