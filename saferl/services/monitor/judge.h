#pragma once
// The safety monitor's judge: looks at every decision and says what is wrong with it, by code that
// the Tick does not use.
//
// The robot file is read again by the certifier's own reader; margins are computed again from the
// raw observation (safety/certifier); what people did is judged by sim/breach.h; modes and reasons
// by a table of its own (judge.cc). Nothing that the filter says about itself counts.
//
// A run begins unsettled: the judge has to see a whole history of commands and one decision that it
// can certify before it calls anything proved. A robot that needs the monitor's lease is at rest
// until then.
// Units: SI, ns. RT: no. Errors: Create: the robot file's, naming file, line and field.
// Cost: docs/monitor.md.

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "saferl/base/status.h"
#include "saferl/control/tick.h"
#include "saferl/safety/certifier/certifier.h"
#include "saferl/safety/certifier/models.h"
#include "saferl/sim/breach.h"

namespace saferl::services {

enum class Check : uint8_t {
  kMargin,      ///< no proof can be found that braking from this command keeps every promise
  kFinite,      ///< a number that is none
  kLimit,       ///< beyond what the robot may be told
  kRate,        ///< changes faster than the robot may be told, and not toward rest
  kStamp,       ///< a time that runs backward, lies in the future, or lets a command live too long
  kStale,       ///< moves on a sensor's word that is too old
  kSequence,    ///< a decision is missing, or comes twice
  kLateTick,    ///< a tick came late and did not stop
  kMode,        ///< mode and reason contradict each other, or the mode and what the command does
  kUnheeded,    ///< a stop, a released enabling device or a lost lease without its mode
  kPersonFast,  ///< people moved faster than assumed and the robot did not stop
  kCount,
};
inline constexpr size_t kChecks = static_cast<size_t>(Check::kCount);
std::string_view Name(Check check);      ///< "margin": label of metrics and of the journal
std::string_view Describe(Check check);  ///< one line in plain words

struct JudgeOptions {
  double max_people_age_s = 0.25, max_lidar_age_s = 0.25;
};

struct Finding {
  Check check = Check::kMargin;
  std::string detail;  ///< the numbers
};

struct Verdict {
  bool settled = false;  ///< this and what led here is judged in full
  bool late = false;     ///< the tick came more than two periods after the last
  /// |time since the tick before - period|; negative: that one was not seen.
  int64_t jitter_ns = -1;
  safety::Certificate certificate;
  std::vector<Finding> findings;
};

class Judge {
 public:
  static StatusOr<std::unique_ptr<Judge>> Create(const std::string& robot,
                                                 const JudgeOptions& options);
  /// The next decision of the run.
  Verdict Look(const control::Decision& decision);
  /// `n` decisions were never seen: a finding of the next Look.
  void Missed(uint64_t n) { missed_ += n; }
  /// Another run begins: the robot's program was started again.
  void Reset();
  int64_t period_ns() const { return period_ns_; }

 private:
  Judge(const safety::certifier::RobotData& data,
        std::shared_ptr<const safety::CertifierModel> certifier, const JudgeOptions& options);
  bool CheckFinite(const control::Decision& d, Verdict* verdict) const;
  bool Usable(const robot::Observation& o) const;
  void Certify(const safety::TickRecord& record, Verdict* verdict);
  void CheckCommand(const control::Decision& d, const safety::TickRecord& record,
                    Verdict* verdict) const;
  void CheckStamps(const control::Decision& d, Verdict* verdict) const;
  void CheckAges(const control::Decision& d, Verdict* verdict) const;
  void CheckOrder(const control::Decision& d, Verdict* verdict);
  void CheckMode(const control::Decision& d, const safety::TickRecord& record,
                 Verdict* verdict) const;
  void CheckHeeded(const control::Decision& d, Verdict* verdict) const;
  void CheckPeople(const control::Decision& d, Verdict* verdict);

  safety::certifier::RobotData data_;
  std::shared_ptr<const safety::CertifierModel> certifier_;
  JudgeOptions options_;
  int64_t period_ns_ = 0, hold_ns_ = 0;

  // Of this run.
  int seen_ = 0;  ///< decisions, up to a whole history
  bool settled_ = false;
  uint64_t missed_ = 0, sequence_ = 0;
  int64_t now_ns_ = 0, observation_ns_ = 0;
  robot::Joints previous_{};
  robot::Observation trusted_;  ///< the last one fit to compute with
  safety::CertifierData chain_;
  std::unique_ptr<sim::BreachJudge> people_;
  int64_t people_delay_ = 1;  ///< the longest unanswered breach that was reported
  int64_t people_due_ns_ = 0;
};

}  // namespace saferl::services
