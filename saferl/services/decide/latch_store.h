#pragma once
// Latched stops of network sessions, kept: a stop that nobody acknowledged outlives the process.
//
// Open() reads what was latched before the first tick is served. From then on the control path only
// leaves a word here (Set, from on_latch) and never waits for the database: a writer thread stores
// the latest word of each robot, and tries again until it is stored. A stop whose row was not yet
// written when the process was killed is not remembered: that window is one commit long, and as
// long as the database is away, which an error in the log and saferl_latches_waiting say.
// The row goes after the acknowledgement took effect: a crash in between leaves the robot stopped.
// Errors: the database's, at Open. Safe from any thread. RT: no.

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "saferl/safety/mode.h"
#include "saferl/storage/database.h"
#include "saferl/telemetry/decide_metrics.h"

namespace saferl::services {

using LatchedStops = std::map<std::string, safety::Reason, std::less<>>;  ///< by robot

class LatchStore {
 public:
  static StatusOr<std::unique_ptr<LatchStore>> Open(storage::Database* database,
                                                    telemetry::Metrics* metrics);
  ~LatchStore();  ///< stores what waits, or says in the log what it could not
  LatchStore(const LatchStore&) = delete;
  LatchStore& operator=(const LatchStore&) = delete;

  /// What was latched when the store was opened.
  const LatchedStops& loaded() const { return loaded_; }
  /// The robot's stop is latched for this reason, or (nullopt) was acknowledged. Does not wait.
  void Set(const std::string& robot, std::optional<safety::Reason> reason);
  /// Waits until everything that Set() was told before is stored.
  void Flush();

 private:
  using Words = std::map<std::string, std::optional<safety::Reason>>;
  LatchStore(storage::Database* database, telemetry::Metrics* metrics)
      : database_(database), metrics_(*metrics) {}
  Status Load();
  Status Store(const Words& words);
  void Write();

  storage::Database* database_;
  telemetry::LatchMetrics metrics_;
  LatchedStops loaded_;
  std::mutex mutex_;
  std::condition_variable changed_, stored_;
  Words waiting_;
  bool writing_ = false, stopping_ = false;
  std::thread writer_;
};

}  // namespace saferl::services
