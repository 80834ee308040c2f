#pragma once
// For tests: robots that ask for leases, run what they may and leave evidence, on one simulated
// clock; and a database that fails at a chosen write. RT: no.

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "saferl/base/clock.h"
#include "saferl/base/text.h"
#include "saferl/services/rollouts/controller.h"
#include "saferl/services/rollouts/lease.h"
#include "saferl/storage/database.h"

namespace saferl::services::testing {

/// Every write of the registry is one Transact(): Apply, Renew and TakeControl are one each.
class FaultyDatabase : public storage::Database {
 public:
  enum class Fault { kNone, kThrowBefore, kThrowAfter, kStatusBefore, kStatusAfter };
  explicit FaultyDatabase(storage::Database* below) : below_(below) {}
  /// The `at`-th write from now, counted from 1.
  void Arm(Fault fault, int at) {
    fault_ = fault;
    at_ = at;
    writes_ = 0;
  }
  int writes() const { return writes_; }

  using Database::Query;
  StatusOr<storage::Rows> Query(std::string_view sql,
                                std::span<const storage::Value> parameters) override {
    return below_->Query(sql, parameters);
  }
  Status Transact(const Body& body) override {
    const Fault fault = ++writes_ == at_ ? fault_ : Fault::kNone;
    if (fault == Fault::kThrowBefore) throw std::runtime_error("killed");
    if (fault == Fault::kStatusBefore) return absl::UnavailableError("server away");
    Status status = below_->Transact(body);
    if (fault == Fault::kThrowAfter) throw std::runtime_error("killed");
    if (fault == Fault::kStatusAfter) return absl::UnknownError("written or not");
    return status;
  }
  Status TransactExclusively(std::string_view name, const Body& body) override {
    return below_->TransactExclusively(name, body);
  }
  Status Check() override { return below_->Check(); }
  Status CheckIntegrity() override { return below_->CheckIntegrity(); }
  std::string_view kind() const override { return below_->kind(); }

 private:
  storage::Database* below_;
  Fault fault_ = Fault::kNone;
  int at_ = 0, writes_ = 0;
};

struct Robot {
  std::string name;
  RolloutLease lease;
  int64_t offset_ns = 0;  ///< of its clock
  double rate = 1;        ///< of its clock
  bool reachable = true;
  bool alive = true;
  int64_t runs = 0;  ///< in this tick
  int64_t Clock(int64_t now) const {
    return offset_ns + static_cast<int64_t>(rate * static_cast<double>(now));
  }
};

/// Counts what the robots ran. Bad events come with the version: `bad_per_tick` of the new one.
class WorldEvidence : public Evidence {
 public:
  void Tick(const std::vector<Robot>& robots, int64_t to, int64_t now, double tick_s) {
    Row row{.at_ns = now};
    for (const Robot& robot : robots) {
      if (!robot.alive) continue;
      (robot.runs == to ? row.canary : row.stable) += 1;
      if (shadows && robot.runs != to) row.canary += 1;  // what it would have done
    }
    row.hours = tick_s / 3600;
    rows_.push_back(row);
  }
  StatusOr<ArmEvidence> Read(const registry::Rollout& /*rollout*/, int64_t since_ns) override {
    if (!available) return absl::UnavailableError("no evidence");
    ArmEvidence all;
    for (const Row& row : rows_) {
      if (row.at_ns < since_ns) continue;
      all.canary_h += row.canary * row.hours;
      all.stable_h += row.stable * row.hours;
      if (row.canary > 0) all.canary_ns = row.at_ns;
      if (row.stable > 0) all.stable_ns = row.at_ns;
      if (row.canary + row.stable == 0) continue;
      EvidenceSlice slice;
      slice.canary_share = static_cast<double>(row.canary) / (row.canary + row.stable);
      slice.canary[static_cast<size_t>(kind)] = int64_t{row.canary} * bad_per_tick;
      all.slices.push_back(slice);
    }
    return all;
  }
  bool available = true;
  bool shadows = false;  ///< every robot computes the new version beside its own
  int bad_per_tick = 0;
  BadKind kind = BadKind::kViolation;

 private:
  struct Row {
    int64_t at_ns = 0;
    int canary = 0, stable = 0;
    double hours = 0;
  };
  std::vector<Row> rows_;
};

}  // namespace saferl::services::testing
