#pragma once
// RolloutAgent: the robots of this process as parties to rollouts. Sessions of the policy inference
// service get their leases from it, and what they did becomes evidence; so does what the safety
// monitor finds at the robot of this machine.
//
// One thread reads the active rollouts every `period_s`, renews leases when they are due or the
// rollout has changed, runs the shadow's ticks, and reports sums every `report_s`: one report for
// all sessions of a rollout and arm. A report that could not be written is sent again as it is;
// what happens meanwhile adds up. While the database is away leases end and sessions are on the
// stable version by themselves. Errors: logged once until the next success. Safe from any thread.
// RT: no; nothing here is waited for by a tick.

#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "saferl/registry/rollouts_store.h"
#include "saferl/services/inference/model_host.h"
#include "saferl/services/rollouts/evidence_store.h"
#include "saferl/services/rollouts/seat.h"
#include "saferl/services/safety_counts.h"

namespace saferl::services {

struct RolloutAgentOptions {
  std::string node = "this-machine";  ///< who reports
  double period_s = 0.2;              ///< between looks at the rollouts
  double report_s = 1;
};

class RolloutAgent {
 public:
  /// All must outlive Stop().
  RolloutAgent(registry::Store* store, EvidenceStore* evidence, const ModelHost* models,
               const RolloutAgentOptions& options);
  ~RolloutAgent();
  /// Gets the shadows' decisions; null: nobody does. Before Start(); must outlive Stop().
  SafetyCounts* safety_counts = nullptr;

  /// Reads the rollouts once, then goes on with a thread.
  void Start();
  /// The last sums are reported.
  void Stop();

  /// A seat for a new session: no I/O, the rollout is what was read last.
  std::shared_ptr<RolloutSeat> Sit(const std::string& robot, const std::string& model,
                                   const std::string& episode);
  /// A seat has something to do.
  void Wake();
  /// From the monitor: one decision of the robot of this machine, by the policy that made it.
  void Judged(const control::Decision& decision, bool violation);

  /// What the thread does; `now_ns`: CLOCK_MONOTONIC. For tests, before Start().
  Status Turn(int64_t now_ns);

 private:
  struct Active {
    registry::Rollout rollout;
    std::string to_digest, from_digest;
  };
  struct Seated {
    std::shared_ptr<RolloutSeat> seat;
    int64_t due_ns = 0;
    int64_t seen_ns = -1;  ///< the rollout's last change that was asked about
    SafetyCounts::Memory shadow = {};
    bool ended = false;
  };
  void Run();
  Status ReadRollouts();
  Status Renew(Seated* seated, int64_t now_ns);
  void Shadows();
  void Collect();
  void Add(const std::string& rollout, int64_t version, const ArmCounts& counts);
  void MakeReports();
  Status Send();
  Status Report();
  SeatRollout RolloutOf(const std::string& model) const;

  registry::Store* store_;
  registry::RolloutStore rollouts_;
  EvidenceStore* evidence_;
  const ModelHost* models_;
  const RolloutAgentOptions options_;
  const std::string epoch_;  ///< of this process: report ids are its own

  mutable std::mutex mutex_;
  std::condition_variable wake_;
  bool woken_ = false, stopping_ = false;
  std::map<std::string, Active> active_;  ///< by model
  std::vector<Seated> new_seats_;
  std::map<uint64_t, ArmCounter> judged_;  ///< by policy id; the robot of this machine
  Attribution judged_doing_;
  int64_t judged_ns_ = 0;

  // The thread's.
  std::vector<Seated> seats_;
  std::map<std::pair<std::string, int64_t>, ArmCounts> sums_;  ///< by rollout and version
  std::vector<RobotReport> unsent_;
  int64_t reported_ns_ = 0;
  uint64_t reports_ = 0;
  std::thread thread_;
};

}  // namespace saferl::services
