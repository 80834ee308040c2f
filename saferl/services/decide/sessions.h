#pragma once
// Sessions: one robot's Tick between requests. A robot's first request makes its session (robot
// type, policy, settings that the robot side tightens); the next ones continue it: warm start, last
// command, belief, latches.
//
// Bounded: at most `max_sessions`; above it, and after `ttl_s` of silence, the longest unused goes.
// A stop that is latched does not go with it: the robot's next session starts in that stop and
// needs the person's acknowledgement, as if it had never ended; Restore() brings those of an
// earlier process (latch_store.h). A session that starts while its robot moves starts as saferl_rt
// does: nothing is proved yet, so the robot is told to stand still. A model that is replaced or
// whose alias moves is taken over between two ticks; one that is unloaded stays with the sessions
// that use it. While a rollout of the model is active, sessions that asked for no version or for
// "champion" run what their seat says (rollouts/seat.h): a version that is taken back is gone with
// the next tick. Errors: kInvalidArgument (type, model, limits, shapes), kNotFound, kAborted (the
// session was made with other parameters), kResourceExhausted. Safe from any thread; ticks of
// different robots run at the same time, of one robot one after the other. RT: the Tick is.

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "saferl/base/status.h"
#include "saferl/control/tick.h"
#include "saferl/services/decide/decide_message.h"
#include "saferl/services/inference/model_host.h"
#include "saferl/services/safety_counts.h"

namespace saferl::services {

class RolloutSeat;  // rollouts/seat.h

inline constexpr uint64_t kKeyFrameTicks = 256;

/// What a session was made from, and what it is now.
struct SessionInfo {
  std::string id, robot, type, model, version;  ///< version: as asked for (may be an alias)
  std::string served_version;                   ///< the one that runs
  std::string policy_sha256;
  uint64_t ticks = 0;
  safety::Mode mode = safety::Mode::kNominal;
  safety::Reason reason = safety::Reason::kNone;
  int64_t created_ns = 0, used_ns = 0;  ///< wall clock
};

struct SessionParameters {
  std::string robot, type, model, version;
  std::vector<std::pair<std::string, double>> limits;
};

class Session {
 public:
  Session(SessionInfo info, control::TickModel model, std::shared_ptr<const ServedModel> served);
  const robot::RobotModel& robot() const { return *model_.safety->robot; }
  SessionInfo info() const;

 private:
  friend class Sessions;
  mutable std::mutex mutex_;
  SessionInfo info_;
  SessionParameters parameters_;
  control::TickModel model_;
  std::shared_ptr<const ServedModel> served_, refused_;
  std::shared_ptr<policy::DriftStream> drift_;  ///< of served_; null without
  SafetyCounts::Memory counted_;
  std::shared_ptr<RolloutSeat> seat_;  ///< where a rollout may decide which version it runs
  std::unique_ptr<control::TickData, void (*)(control::TickData*)> data_;
  bool ended_ = false;
  int64_t used_ns_ = 0;  ///< monotonic; the table's lock
};

struct SessionOptions {
  size_t max_sessions = 256;
  double ttl_s = 600;
  std::string robots_dir;  ///< searched for TYPE.yaml before the files that come with saferl
};

/// One decision as it left.
struct Decided {
  std::shared_ptr<const Session> session;  ///< for its robot()
  DecisionHead head;
  control::Decision decision;
  uint64_t tick = 0;  ///< of its session, from 1
};

class Sessions {
 public:
  Sessions(SessionOptions options, const ModelHost* models)
      : options_(std::move(options)), models_(models) {}

  /// Called before every tick, on its thread, with its input: must not wait.
  std::function<void(const std::string& robot, control::TickInput* input)> before_tick;
  /// Called after every tick, on its thread: must not wait.
  std::function<void(const Decided&)> on_decision;
  /// Called before a session's first tick, every kKeyFrameTicks ticks and with every other model:
  /// what the Tick will start from.
  std::function<void(const SessionInfo&, uint64_t next, const control::TickModel&,
                     const control::TickData&)>
      on_frame;
  /// A seat for a session that leaves its version to the registry; called when it is made.
  std::function<std::shared_ptr<RolloutSeat>(const SessionInfo&)> seat_for;
  /// A seat has a tick for the shadow; on the tick's thread: must not wait.
  std::function<void()> on_shadow;
  /// Called in the tick in which a robot's stop is latched, or (nullopt) acknowledged, on its
  /// thread: must not wait.
  std::function<void(const std::string& robot, std::optional<safety::Reason>)> on_latch;
  /// Stops that were latched before this process. Before the first session.
  void Restore(const std::map<std::string, safety::Reason, std::less<>>& latched) {
    const std::lock_guard lock(mutex_);
    latched_.insert(latched.begin(), latched.end());
  }

  /// Counts what robots did; null: nobody does.
  SafetyCounts* safety_counts = nullptr;

  /// Finds or makes the robot's session and runs one tick. `transport`: how the request came.
  StatusOr<std::unique_ptr<Decided>> Decide(
      const DecideRequest& request, telemetry::Transport transport = telemetry::Transport::kHttp);

  /// kAlreadyExists when the robot has one.
  StatusOr<SessionInfo> Create(const SessionParameters& parameters);
  StatusOr<SessionInfo> Find(const std::string& robot) const;
  /// Ends it; a latched stop stays with the robot.
  Status End(const std::string& robot);
  std::vector<SessionInfo> List();  ///< by robot
  /// Ends what was silent for longer than ttl_s; so does whatever looks at the sessions or makes
  /// one.
  void EndSilent(int64_t now_ns);
  size_t size() const;
  /// The robot of a type, as sessions use it.
  StatusOr<std::shared_ptr<const robot::RobotModel>> RobotOf(const std::string& type);

 private:
  StatusOr<std::shared_ptr<Session>> Get(const DecideRequest& request);
  StatusOr<std::shared_ptr<Session>> Make(const SessionParameters& parameters);
  StatusOr<std::shared_ptr<Session>> Insert(std::shared_ptr<Session> session);
  StatusOr<std::shared_ptr<const safety::SafetyModel>> SafetyOf(const std::string& type);
  Status MakeRoom();
  bool IsSilent(const std::shared_ptr<Session>& session, int64_t now_ns) const;
  void EndSilentNow(int64_t now_ns);
  void Count(Session* session, const control::Decision& decision, telemetry::Transport transport,
             int64_t begin_ns) const;
  void Retire(Session* session);
  bool TakeModel(Session* session, const control::TickInput& input) const;
  std::shared_ptr<const ServedModel> Chosen(Session* session,
                                            const control::TickInput& input) const;

  const SessionOptions options_;
  const ModelHost* models_;
  mutable std::mutex mutex_;
  std::map<std::string, std::shared_ptr<Session>, std::less<>> by_robot_;
  /// Robots whose last session ended in a latched stop.
  std::map<std::string, safety::Reason, std::less<>> latched_;
  std::map<std::string, std::shared_ptr<const safety::SafetyModel>, std::less<>> types_;
};

}  // namespace saferl::services
