#pragma once
// Which version a robot runs while a new one is rolled out: the robot's side, and the answers.
//
// RolloutLease (the robot) is pure: it knows no network and no clock but the times it is given. A
// grant counts from the moment the robot asked, by the robot's own clock, so neither a slow answer
// nor a clock that is set wrong lengthens it. When it ends, the next Version() is the stable one:
// a comparison and a copied number, nothing is asked or loaded.
//   - up only before the robot moves: a grant heard after StartMoving() waits for the next episode
//   - down at once, and then stable until the robot stands
//   - an answer that an older question got never undoes a newer one
// GrantLease (the registry's side) gives the new version only to robots of the cohort
// (registry::OnCanary). A robot that has a living lease on the new version stays noted with it:
// that it goes back counts only when the lease has ended, whatever order messages arrive in.
// Errors: GrantLease as RolloutStore; the robot then hears nothing and its lease ends.
// RT: Version() yes, the rest no.

#include <cstdint>
#include <string>

#include "saferl/registry/rollouts_store.h"

namespace saferl::services {

struct LeaseQuestion {
  uint64_t number = 0;  ///< grows with each question of a robot
  int64_t at_ns = 0;    ///< the robot's clock
  std::string episode;
};
inline constexpr double kRenew_s = 5;         ///< while nothing is rolled out
inline constexpr double kRenewsInALease = 4;  ///< so that three answers may be lost
struct LeaseAnswer {
  int64_t version = 0, stable = 0;  ///< 0: none, the robot stands still
  double lease_s = 0;               ///< of `version` where it is not the stable one
  double renew_s = kRenew_s;        ///< ask again after so long
  std::string rollout = {};         ///< empty: none is active
  int64_t shadow = 0;  ///< to be computed beside `version` and reported, moving nothing; 0: none
};

class RolloutLease {
 public:
  explicit RolloutLease(int64_t stable) : stable_(stable) {}
  /// The robot stands: from here it runs the stable version, until a grant for this episode.
  void BeginEpisode(const std::string& episode);
  LeaseQuestion Ask(int64_t now_ns);
  void Hear(const LeaseQuestion& question, const LeaseAnswer& answer);
  void StartMoving() { moving_ = true; }
  /// It stands within its episode: the next grant counts again.
  void Rest() { moving_ = false; }
  /// What this tick runs.
  int64_t Version(int64_t now_ns);
  int64_t stable() const { return stable_; }

 private:
  int64_t stable_, trial_ = 0;  ///< 0: none
  int64_t until_ns_ = 0;
  bool moving_ = false;
  uint64_t asked_ = 0, heard_ = 0;
  std::string episode_;
};

StatusOr<LeaseAnswer> GrantLease(registry::Store* store, const std::string& model,
                                 const std::string& robot, const std::string& episode);

}  // namespace saferl::services
