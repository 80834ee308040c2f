#pragma once
// The last decisions of every robot, kept and replayable.
//
// Keep() takes a decision from the control path: it encodes it and leaves it in a bounded queue,
// and never waits for the database. A writer thread stores what is there in one transaction, and
// again until the database has it; what finds the queue full meanwhile, and what the end of the
// process finds unstored, is dropped and counted. Of each robot the last `keep_per_robot` stay.
// Replay: the Tick runs again from the last key frame before the decision (a copy of the Tick's
// whole memory, taken every kKeyFrameTicks ticks and at every change of the model) through every
// recorded input up to it, and each Decision is compared bit for bit. Key frames are of this
// process: they end with it, and the oldest go when they need more than `key_frame_bytes`.
// Errors: kNotFound, kFailedPrecondition (it cannot be replayed, and why), the database's. RT: no.

#include <atomic>
#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "saferl/services/decide/sessions.h"
#include "saferl/storage/database.h"
#include "saferl/telemetry/decide_metrics.h"

namespace saferl::services {

struct DecisionStoreOptions {
  int keep_per_robot = 2000;
  size_t queue = 4096;
  size_t key_frame_bytes = 64 << 20;
};

struct KeptDecision {
  DecisionHead head;
  uint64_t tick = 0;
  int64_t at_ns = 0;  ///< wall clock
  safety::Mode mode = safety::Mode::kNominal;
  safety::Reason reason = safety::Reason::kNone;
  std::string record;  ///< docs/formats/decision_log.md; empty in lists
};

struct DecisionFilter {
  std::string robot, session;
  std::optional<safety::Mode> mode;
  std::optional<safety::Reason> reason;
  int64_t from_ns = 0, to_ns = INT64_MAX;
};

/// What a replay found.
struct DecisionReplay {
  uint64_t ticks = 0;  ///< run again, the asked one last
  uint64_t first_tick = 0;
  uint64_t different = 0;
  uint64_t first_difference = 0;
  std::string difference;
};

class DecisionStore {
 public:
  static StatusOr<std::unique_ptr<DecisionStore>> Open(const DecisionStoreOptions& options,
                                                       storage::Database* database,
                                                       telemetry::Metrics* metrics);
  ~DecisionStore();
  /// From the control path, in the order of a session's ticks.
  void Keep(const Decided& decided);
  /// The Tick's memory before tick `next`.
  void KeepFrame(const SessionInfo& session, uint64_t next, const control::TickModel& model,
                 const control::TickData& data);
  /// Waits until everything that Keep() took before is stored, for as long as the database is away.
  void Flush();

  /// Newest first, at most `limit`, after the one with that time and id.
  StatusOr<std::vector<KeptDecision>> List(const DecisionFilter& filter, int limit,
                                           std::optional<std::pair<int64_t, std::string>> after);
  StatusOr<KeptDecision> Get(const std::string& id);
  StatusOr<DecisionReplay> Replay(const std::string& id);
  uint64_t kept() const { return metrics_.kept.Value(); }
  uint64_t dropped() const { return metrics_.dropped.Value(); }

 private:
  struct Frame {
    uint64_t next = 0;
    control::TickModel model;
    std::unique_ptr<control::TickData, void (*)(control::TickData*)> data{nullptr, nullptr};
  };
  DecisionStore(const DecisionStoreOptions& options, storage::Database* database,
                telemetry::Metrics* metrics);
  void Write();
  Status StorePatiently(const std::vector<KeptDecision>& batch);
  Status Store(const std::vector<KeptDecision>& batch);
  void Drop(size_t count, const Status& why);
  StatusOr<std::shared_ptr<const Frame>> FrameFor(const std::string& session, uint64_t tick);

  const DecisionStoreOptions options_;
  storage::Database* database_;
  telemetry::DecisionMetrics metrics_;
  std::mutex mutex_;
  std::condition_variable filled_, stored_, ended_;
  std::deque<KeptDecision> queue_;
  uint64_t taken_ = 0, done_ = 0;  ///< given to Keep(), and stored or given up
  bool stopping_ = false;
  std::map<std::string, int> since_pruned_;  ///< the writer's
  std::mutex frames_mutex_;
  std::map<std::string, std::vector<std::shared_ptr<const Frame>>> frames_;  ///< by session
  std::deque<std::pair<std::string, uint64_t>> frame_order_;                 ///< oldest first
  std::thread writer_;
};

}  // namespace saferl::services
