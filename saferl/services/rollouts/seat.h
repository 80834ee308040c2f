#pragma once
// RolloutSeat: one session's place in the rollouts of its model. It says which version the next
// tick runs and counts what the ticks were like; agent.h fetches its leases and its counts.
//
// The session is a robot of lease.h whose episodes end at standstill: a grant is taken up while the
// robot stands, a version is taken back at once. While no rollout of the model is active the seat
// decides nothing and the session follows its alias.
// Bad events are counted, not bad ticks (ArmCounter), and those that happen beside every wall only
// where the policy had a part in them (attribution.h):
//   hard           a constraint is measured as broken; the gate refused a command
//   violations     the filter had to run the stored plan, with the policy's share; the robot did
//                  not follow or brake
//   interventions  the filter changed what the policy made of the person's wish; a person stopped
//                  the robot while the policy helped
//   deadlines      the policy or the tick came late, or the policy's answer was none
//   refusals       the person steered against what the policy proposed: its help was lost
// In the shadow the new version's tick runs in the agent's thread, from a copy of the Tick's memory
// before a real tick. One copy waits at a time; while it waits the others are not looked at and not
// counted as exposure.
// The control path takes a lock that the agent holds for a few assignments only, and never waits
// for I/O. RT: no. Units: ns of the process's monotonic clock; robot time for exposure.

#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "saferl/control/tick.h"
#include "saferl/services/rollouts/attribution.h"
#include "saferl/services/rollouts/evidence.h"
#include "saferl/services/rollouts/lease.h"
#include "saferl/telemetry/catalogue.h"

namespace saferl::services {

/// What robots did on one arm.
struct ArmCounts {
  double seconds = 0;
  BadCounts bad{};
  void Add(const ArmCounts& other);
};

/// Which kinds a decision shows, each once.
std::array<bool, kBadKinds> BadOf(const control::Decision& decision, const PolicyDoing& doing);

/// Makes events of bad ticks: gates take events for independent of each other, and a filter at the
/// edge of what is safe changes its mind from tick to tick, so that one approach to one wall is
/// dozens of beginnings. Bad ticks less than kQuiet_ns of robot time apart are one event: about
/// what a person takes to see and answer, and what a rated stop lasts. A kind that happens to
/// everybody for an instant counts once its bad ticks add up to kLeast_s: an eye-blink's correction
/// by the filter says nothing, half a second of it is felt. What goes on counts again after
/// kLongest_ns, so that a version that is bad all the time is not the one with fewest events.
/// Figures for these numbers: docs/rollouts.md.
class ArmCounter {
 public:
  static constexpr int64_t kQuiet_ns = kNanosPerSecond, kLongest_ns = 10 * kNanosPerSecond;
  static constexpr std::array<double, kBadKinds> kLeast_s = {0, 0, 0.5, 0, 1.0};
  /// A tick `seconds` long.
  void Count(const std::array<bool, kBadKinds>& bad, int64_t now_ns, double seconds);
  /// And starts anew; an event under way goes on.
  ArmCounts Take();

 private:
  struct Run {
    int64_t begin_ns = 0, last_ns = 0;
    double bad_s = 0;
    bool any = false, counted = false;
  };
  ArmCounts counts_;
  std::array<Run, kBadKinds> runs_{};
};

/// What is known of a model's active rollout.
struct SeatRollout {
  std::string id;  ///< empty: none
  int64_t to = 0, from = 0;
  bool operator==(const SeatRollout&) const = default;
};

class RolloutSeat {
 public:
  RolloutSeat(std::string robot, std::string model, std::string episode,
              const SeatRollout& rollout);
  ~RolloutSeat();
  const std::string& robot() const { return robot_; }
  const std::string& model() const { return model_; }
  const std::string& episode() const { return episode_; }

  // The session's, in the order of its ticks.
  struct Choice {
    bool decided = false;             ///< false: the session's alias
    int64_t version = 0, stable = 0;  ///< 0: none, the person alone
  };
  Choice Choose(int64_t now_ns, bool at_rest);
  /// Before the tick; true when the agent has something to do.
  bool Offer(const control::TickModel& model, const control::TickData& data,
             const control::TickInput& input);
  /// After the tick, which ran `version` as `model`: the arm that it was of.
  telemetry::Arm Count(int64_t version, const control::TickModel& model,
                       const control::Decision& decision);

  // The agent's.
  LeaseQuestion Ask(int64_t now_ns);
  void Hear(const LeaseQuestion& question, const LeaseAnswer& answer);
  SeatRollout rollout() const;
  /// Another rollout, or none: leases of the one before are over.
  void Set(const SeatRollout& rollout);
  /// Runs the copy that waits with another policy, if there is one; `look` gets its decision.
  void RunShadow(const std::shared_ptr<const policy::Policy>& policy,
                 const std::function<void(const control::Decision&)>& look = {});
  struct Counts {
    ArmCounts canary, stable;
  };
  Counts Take();

 private:
  struct Shadow;
  double Passed(int64_t now_ns);

  const std::string robot_, model_, episode_;
  mutable std::mutex mutex_;
  SeatRollout rollout_;
  RolloutLease lease_{0};
  ArmCounter canary_, stable_;
  Attribution doing_, shadow_doing_;          ///< the session's; the agent's
  int64_t last_ns_ = 0, shadow_last_ns_ = 0;  ///< the robot's clock
  std::atomic<bool> shadows_{false};          ///< the rollout is in its shadow phase
  std::atomic<bool> waits_{false};            ///< `shadow_` is the agent's, else the session's
  std::unique_ptr<Shadow> shadow_;            ///< made with the first shadow phase
};

}  // namespace saferl::services
