#include "saferl/safety/filter.h"

#include <algorithm>
#include <cmath>

#include "saferl/base/clock.h"
#include "saferl/safety/constraints/constraints.h"
#include "saferl/safety/search.h"

namespace saferl::safety {
namespace {

using robot::Joints;

bool IsFinite(const Joints& u, int n) {
  for (int i = 0; i < n; ++i) {
    if (!std::isfinite(u[i])) return false;
  }
  return true;
}

/// Standing still: zero for a velocity robot, gravity held and motion damped for a torque robot.
Joints Standstill(const Situation& s) { return s.robot->Brake(s.observation->robot, {}); }

/// One comfortable step toward standing still; a torque robot damps at once.
Joints GentleStandstill(const Situation& s) {
  Joints u = Standstill(s);
  if (s.robot->kind() == robot::Kind::kExoskeleton) return u;
  for (int i = 0; i < s.robot->n(); ++i) {
    const double step = s.robot->limits().command_rate[i] * s.robot->period_s();
    u[i] = std::clamp(u[i], s.previous[i] - step, s.previous[i] + step);
  }
  return u;
}

/// The box that the command must stay in. Without the acceleration constraint only the limits
/// remain.
void CommandBox(const SafetyModel& model, const Situation& s, Joints* lower, Joints* upper) {
  bool rated = false;
  for (const auto& c : model.proof) rated = rated || c->id() == ConstraintId::kAcceleration;
  const robot::Limits& limits = model.robot->limits();
  for (int i = 0; i < model.robot->n(); ++i) {
    const CommandInterval next = NextCommand(*model.robot, s.previous[i], s.brake[i], i);
    (*lower)[i] = rated ? next.lower : limits.command_lower[i];
    (*upper)[i] = rated ? next.upper : limits.command_upper[i];
  }
}

bool Satisfies(const RowSet& rows, int n, const Joints& u) {
  for (int k = 0; k < rows.n; ++k) {
    double sum = 0;
    for (int i = 0; i < n; ++i) sum += rows.a[k][i] * u[i];
    if (!(sum <= rows.b[k])) return false;
  }
  return true;
}

/// The QP in y = sqrt(W) u, where its Hessian is the identity. False when it has no usable answer.
bool SolveRows(const SafetyModel& model, const Joints& lower, const Joints& upper, FilterData* data,
               Joints* u) {
  const int n = model.robot->n();
  math::QpProblem& p = data->problem;
  Joints root{};
  p.n = n;
  p.m = data->rows.n;
  p.identity_hessian = true;
  for (int i = 0; i < n; ++i) {
    root[i] = std::sqrt(model.weight[i]);
    p.f[i] = -root[i] * data->situation.wanted[i];
    p.lower[i] = root[i] * lower[i];
    p.upper[i] = root[i] * upper[i];
  }
  for (int k = 0; k < p.m; ++k) {
    double* row = p.row(k);
    for (int i = 0; i < n; ++i) row[i] = data->rows.a[k][i] / root[i];
    p.b[k] = data->rows.b[k];
  }
  math::SolveQp(p, &data->workspace, &data->solution);
  if (data->solution.status != math::QpStatus::kSolved) return false;
  *u = {};
  for (int i = 0; i < n; ++i)
    (*u)[i] = std::clamp(data->solution.x[i] / root[i], lower[i], upper[i]);
  return true;
}

/// Steps 1 to 3: a freshly proved command near the wish, if there is one.
void FindNear(const SafetyModel& model, FilterData* data, FilterResult* result, Search* search) {
  Situation& s = data->situation;
  const int n = model.robot->n();
  Joints lower{}, upper{};
  CommandBox(model, s, &lower, &upper);
  for (int i = 0; i < n; ++i) s.wanted[i] = std::clamp(s.wanted[i], lower[i], upper[i]);

  data->rows.n = 0;
  for (const auto& constraint : model.steering) constraint->AddRows(s, &data->rows);
  result->n_rows = static_cast<uint16_t>(data->rows.n);
  Joints goal = s.wanted;
  const bool free = Satisfies(data->rows, n, goal);
  if (free && search->Try(goal)) return;
  if (!free) {
    if (!SolveRows(model, lower, upper, data, &goal)) goal = s.wanted;
    result->qp_status = data->solution.status;
    result->qp_iterations = static_cast<uint16_t>(data->solution.iterations);
    if (search->Try(goal)) return;
  }
  const Margins goal_margin = search->last().margin;
  if (!IsFinite(s.brake, n)) return;
  if (search->Try(s.brake))
    result->bisections = static_cast<uint8_t>(search->Between(goal, goal_margin));
  // Each component alone: turning in place where driving is not possible, and the reverse.
  for (int i = 0; i < n && n == 2; ++i) {
    Joints one = s.brake;
    one[i] = goal[i];
    if (!(one == goal) && !(one == s.brake) && search->Nearer(one)) search->Try(one);
  }
}

void UpdatePlan(bool fresh, int64_t now_ns, double stop_time_s, StoredPlan* plan) {
  if (fresh) {
    *plan = {true, now_ns, stop_time_s, 0};
  } else {
    ++plan->steps_taken;
  }
}

}  // namespace

FilterResult Filter(const SafetyModel& model, const robot::Observation& observation, int64_t now_ns,
                    const Joints& wanted, Mode mode, FilterData* data) {
  FilterResult result;
  Situation& s = data->situation;
  const int n = model.robot->n();
  AssembleSituation(model, observation, now_ns, data->previous, &s);
  s.wanted = {};
  const bool usable = IsFinite(wanted, n) && mode < Mode::kHold;
  const Joints wish = usable ? wanted : GentleStandstill(s);
  std::copy_n(wish.begin(), n, s.wanted.begin());

  Search search(model, data);
  if (mode < Mode::kControlledStop) {
    FindNear(model, data, &result, &search);
  } else {
    s.wanted = s.brake;
    search.Try(s.brake);
  }

  if (search.found().proved) {
    result.command = search.found().u;
    result.margin = search.found().margin;
    result.stop_time_s = search.found().stop_time_s;
    result.proof = Proof::kFresh;
  } else {
    result.command = data->plan.proved ? s.brake : Standstill(s);
    Prove(model, result.command, &s, &data->manoeuvre, &result.margin);
    result.stop_time_s = data->manoeuvre.stop_time_s;
    result.proof = data->plan.proved ? Proof::kStoredPlan : Proof::kNone;
    const double since_s = Seconds(Elapsed(data->plan.proved_at_ns, now_ns));
    const bool overdue = !(since_s <= data->plan.stop_time_s + model.robot->hold_s());
    const Reason found = overdue ? Reason::kFilterRepeated : Reason::kFilterInfeasible;
    result.reason = mode < Mode::kControlledStop ? found : Reason::kNone;
  }
  UpdatePlan(result.proof == Proof::kFresh, now_ns, result.stop_time_s, &data->plan);
  result.distortion = search.Distance(result.command);
  result.intervened = !(result.command == s.wanted);
  return result;
}

void Commit(const Joints& sent, FilterData* data) { data->previous = sent; }

}  // namespace saferl::safety
