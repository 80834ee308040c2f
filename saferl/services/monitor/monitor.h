#pragma once
// The safety monitor: reads every decision of a robot, judges it, and lets the robot move only
// while all is well.
//
// At the robot it attaches to the shared memory of saferl_rt and renews the lease; from afar it
// follows the decisions that an inference service makes for the robot, and its word goes back over
// the same connection (remote.h).
//   all is well            the lease is renewed, lease_s long, four times in that time
//   a finding              stop word first, then latch, journal, alert; in this order
//   latched                the stop word stands and no lease is given, through restarts too, until
//                          a person clears it with name and reason, which is written down first
//   silence, backlog,
//   judge not settled,
//   journal not writable    no lease is given (state().withheld says which)
//   this process dies, hangs or is suspended: no lease is renewed, the robot stops by itself
// Threads: one judges; journal and alert channels have their own and hold it up never.
// Units: SI. RT: no. Errors: Start: robot file, journal; a robot that does not run yet is waited
// for.

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "saferl/control/monitor_link.h"
#include "saferl/services/monitor/alerts.h"
#include "saferl/services/monitor/journal.h"
#include "saferl/services/monitor/judge.h"
#include "saferl/services/monitor/remote.h"
#include "saferl/services/monitor/stream.h"
#include "saferl/services/safety_counts.h"
#include "saferl/telemetry/monitor_metrics.h"

namespace saferl::services {

struct MonitorOptions {
  std::string shm;              ///< of the robot on this machine; empty: none
  net::WsClientOptions remote;  ///< /monitor/stream of a service elsewhere; no url: none
  std::string robot;            ///< robot file or name; empty: the name that the source tells
  double lease_s = 0.1;         ///< what is granted at a time
  double heartbeat_s = 0.25;    ///< no decision for longer: the robot is silent
  double checkpoint_s = 10;     ///< how often the journal tells how much was judged
  JudgeOptions judge;
  JournalOptions journal;
  AlertOptions alerts;
  /// Sees every decision with its verdict, on the judging thread: must not wait.
  std::function<void(const control::Decision&, const Verdict&)> on_judged = {};
};

struct MonitorState {
  std::string robot;  ///< empty: none attached
  bool attached = false, silent = false, settled = false, latched = false, granting = false;
  std::string why;       ///< of the latch
  std::string withheld;  ///< why no lease is given, where nothing is latched
  uint64_t judged = 0, lost = 0;
  double worst_margin = 0;  ///< of this run's proved commands; +inf where nothing moved
  int64_t latched_wall_ns = 0;
};

class Monitor {
 public:
  static StatusOr<std::unique_ptr<Monitor>> Start(const MonitorOptions& options,
                                                  telemetry::Metrics* metrics);
  ~Monitor();  ///< the robot's lease runs out
  Monitor(const Monitor&) = delete;
  Monitor& operator=(const Monitor&) = delete;

  /// Lets the robot move again. The entry is on the disk before it does. Errors: kInvalidArgument
  /// (no name, no reason), kFailedPrecondition (not latched), the journal's.
  Status Clear(std::string_view operator_name, std::string_view reason);
  /// Stops the robot and latches.
  Status OrderStop(std::string_view operator_name, std::string_view reason);
  MonitorState state() const;
  Journal::State journal() const { return journal_->state(); }
  Alerts& alerts() { return *alerts_; }
  DecisionHub& hub() { return hub_; }

 private:
  Monitor(const MonitorOptions& options, telemetry::Metrics* metrics);
  void Replay(const JournalEntry& entry);
  void Run();
  bool Attach();
  StatusOr<std::unique_ptr<DecisionSource>> Open();
  bool TakeRobot();
  void Detach(std::string_view why);
  void Drain(int64_t now_ns);
  void Judged(const control::Decision& decision, const Verdict& verdict);
  void Latch(std::string_view check, std::string_view detail, uint64_t sequence);
  void Grant(int64_t now_ns);
  void Silence(bool silent);
  void WatchJournal();
  std::string Withheld(bool behind) const;
  void Post(std::string_view kind, const std::string& json);
  AlertLabels RobotLabels(std::string_view key, std::string_view value) const;

  MonitorOptions options_;
  telemetry::MonitorMetrics metrics_;
  telemetry::ViolationMetrics findings_metrics_;
  SafetyCounts counts_;
  SafetyCounts::Memory counted_;  ///< of the robot that is watched
  telemetry::ControlMetrics control_;
  std::unique_ptr<Journal> journal_;
  std::unique_ptr<Alerts> alerts_;
  DecisionHub hub_;

  // The judging thread's.
  std::unique_ptr<DecisionSource> source_;
  std::unique_ptr<Judge> judge_;
  std::unique_ptr<control::Decision> decision_ = std::make_unique<control::Decision>();
  RemoteMemory memory_;
  int64_t attach_ns_ = 0, attach_pause_ns_ = 0, heard_ns_ = 0, granted_ns_ = 0, checkpoint_ns_ = 0,
          turn_ns_ = 0;
  uint64_t checkpoint_judged_ = 0;
  std::string journal_problem_;  ///< empty: it is written

  mutable std::mutex mutex_;
  MonitorState state_;
  uint64_t findings_ = 0;    ///< and stops that people ordered
  bool stop_asked_ = false;  ///< by a person: the judging thread gives the word at once
  bool clear_asked_ = false;
  std::atomic<bool> end_{false};
  std::thread thread_;
};

}  // namespace saferl::services
