#include "saferl/safety/filter.h"

#include <algorithm>
#include <cmath>

#include "saferl/safety/certificate.h"
#include "saferl/safety/constraints/constraints.h"

namespace saferl::safety {
namespace {

using robot::Joints;
using Margins = std::array<double, kNumConstraints>;

/// What the search has found: the best proved command so far.
struct Found {
  bool proved = false;
  Joints u{};
};

bool IsFinite(const Joints& u, int n) {
  for (int i = 0; i < n; ++i) {
    if (!std::isfinite(u[i])) return false;
  }
  return true;
}

double Distance(const SafetyModel& model, const Joints& a, const Joints& b) {
  double sum = 0;
  for (int i = 0; i < model.robot->n(); ++i) sum += model.weight[i] * (a[i] - b[i]) * (a[i] - b[i]);
  return std::sqrt(sum);
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

class Search {
 public:
  Search(const SafetyModel& model, FilterData* data, FilterResult* result)
      : model_(model), data_(data), result_(result) {}

  /// Proves `u`; a success replaces what was found when it is nearer to the wish.
  bool Try(const Joints& u) {
    last_ = u;
    last_proved_ = Prove(model_, u, &data_->situation, &data_->manoeuvre, &result_->margin);
    if (last_proved_) {
      const double distance = Distance(model_, u, data_->situation.wanted);
      if (!found_.proved || distance < distance_) {
        found_ = {true, u};
        distance_ = distance;
      }
    }
    return last_proved_;
  }

  /// Between `from`, proved, and `to`, not proved: the proved command farthest from `from`.
  void Bisect(Joints from, Joints to) {
    for (int k = 0; k < model_.max_bisections; ++k) {
      Joints middle{};
      for (int i = 0; i < model_.robot->n(); ++i) middle[i] = 0.5 * (from[i] + to[i]);
      (Try(middle) ? from : to) = middle;
      ++result_->bisections;
    }
  }

  /// Leaves manoeuvre and margins those of `u`.
  void Settle(const Joints& u) {
    if (!(last_ == u)) Try(u);
  }

  const Found& found() const { return found_; }

 private:
  const SafetyModel& model_;
  FilterData* data_;
  FilterResult* result_;
  Found found_;
  double distance_ = 0;
  Joints last_{};
  bool last_proved_ = false;
};

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
    const bool solved = SolveRows(model, lower, upper, data, &goal);
    result->qp_status = data->solution.status;
    result->qp_iterations = static_cast<uint16_t>(data->solution.iterations);
    if (solved && search->Try(goal)) return;
    if (!solved) goal = s.wanted;
  }
  if (!IsFinite(s.brake, n)) return;
  if (search->Try(s.brake)) search->Bisect(s.brake, goal);
  // Each component alone: turning in place where driving is not possible, and the reverse.
  for (int i = 0; i < n && n == 2; ++i) {
    Joints one = s.brake;
    one[i] = goal[i];
    if (!(one == goal) && !(one == s.brake)) search->Try(one);
  }
}

void UpdatePlan(bool fresh, int64_t now_ns, const robot::Manoeuvre& manoeuvre, StoredPlan* plan) {
  if (fresh) {
    *plan = {true, now_ns, manoeuvre.stop_time_s, 0};
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

  Search search(model, data, &result);
  if (mode < Mode::kControlledStop) {
    FindNear(model, data, &result, &search);
  } else {
    s.wanted = s.brake;
    search.Try(s.brake);
  }

  if (search.found().proved) {
    result.command = search.found().u;
    search.Settle(result.command);
    result.proof = Proof::kFresh;
  } else {
    result.command = data->plan.proved ? s.brake : Standstill(s);
    search.Settle(result.command);
    result.proof = data->plan.proved ? Proof::kStoredPlan : Proof::kNone;
    const double since_s = 1e-9 * static_cast<double>(now_ns - data->plan.proved_at_ns);
    const bool overdue = !(since_s <= data->plan.stop_time_s + model.robot->hold_s());
    const Reason found = overdue ? Reason::kFilterRepeated : Reason::kFilterInfeasible;
    result.reason = mode < Mode::kControlledStop ? found : Reason::kNone;
  }
  UpdatePlan(result.proof == Proof::kFresh, now_ns, data->manoeuvre, &data->plan);
  result.distortion = Distance(model, result.command, s.wanted);
  result.intervened = !(result.command == s.wanted);
  result.stop_time_s = data->manoeuvre.stop_time_s;
  return result;
}

void Commit(const Joints& sent, FilterData* data) { data->previous = sent; }

}  // namespace saferl::safety
