#pragma once
// A wheelchair that is moved by a session without pause, on a thread of its own, while its rollout
// is given to it and taken back: how many of its ticks run the new version after the stable one
// was pointed to. For tests and benches. RT: no.
//
//   RollbackDrive drive;
//   ASSERT_TRUE(drive.Start().ok());
//   const auto taken = drive.TakeBack([&](RolloutSeat* seat) { ...the stable version... });
//   EXPECT_LE(taken->ticks, 1);
//
// A tick counts when it had not ended at the moment the flip returned and ran the new version: the
// one that was under way (at most 1), and any that began afterwards (none may).

#include <atomic>
#include <functional>
#include <memory>
#include <thread>

#include "saferl/base/clock.h"
#include "saferl/base/text.h"
#include "saferl/control/workload.h"
#include "saferl/policy/package.h"
#include "saferl/services/decide/sessions.h"
#include "saferl/services/rollouts/seat.h"

namespace saferl::services {

class RollbackDrive {
 public:
  static constexpr int64_t kNew = 2, kStable = 1;
  static constexpr int64_t kPatience_ns = 20 * kNanosPerSecond;
  struct Taken {
    int64_t ticks = 0;     ///< of the new version after the flip
    int64_t until_ns = 0;  ///< from the flip to the first tick of the stable version
  };
  using Flip = std::function<void(RolloutSeat* seat)>;

  ~RollbackDrive() {
    stop_ = true;
    if (thread_.joinable()) thread_.join();
  }
  Status Start() {
    SAFERL_ASSIGN_OR_RETURN(safety_, safety::LoadSafetyModel("wheelchair"));
    for (const int64_t version : {kStable, kNew}) {
      SAFERL_ASSIGN_OR_RETURN(
          const auto policy,
          control::MakeBenchPolicy(safety_->robot, 64, static_cast<uint64_t>(version)));
      SAFERL_ASSIGN_OR_RETURN(const std::string package, policy::EncodePackage(policy->spec()));
      SAFERL_RETURN_IF_ERROR(models_.Load("chair", Cat(version), package));
    }
    sessions_.seat_for = [this](const SessionInfo& info) {
      seat_ = std::make_shared<RolloutSeat>(info.robot, info.model, info.id,
                                            SeatRollout{kRollout, kNew, kStable});
      return seat_;
    };
    sessions_.on_shadow = [] {};
    SAFERL_RETURN_IF_ERROR(sessions_.Create({"r", "wheelchair", "chair", "", {}}).status());
    thread_ = std::thread([this] { Drive(); });
    return absl::OkStatus();
  }
  /// An answer that grants the new version for so long, or (0) none but the stable one.
  static LeaseAnswer Answer(double lease_s) {
    return {.version = lease_s > 0 ? kNew : kStable,
            .stable = kStable,
            .lease_s = lease_s,
            .rollout = kRollout};
  }
  static void Grant(RolloutSeat* seat, double lease_s) {
    seat->Hear(seat->Ask(Nanos()), Answer(lease_s));
  }
  /// Lets the robot run the new version and then takes it back by `flip` while it moves.
  /// kDeadlineExceeded when the new version or the stable one never came.
  StatusOr<Taken> TakeBack(const Flip& flip, double lease_s = 60) {
    const Deadline deadline = Deadline::After(kPatience_ns);
    while (ran_ != kNew) {  // it goes up where it stands
      if (deadline.Passed()) return absl::DeadlineExceededError("the new version was not taken up");
      Grant(seat_.get(), lease_s);
      std::this_thread::yield();
    }
    taken_ = {};
    flip(seat_.get());
    flipped_ns_ = Nanos();
    counting_ = true;
    while (counting_) {
      if (deadline.Passed()) return absl::DeadlineExceededError("the stable version did not come");
      std::this_thread::yield();
    }
    return taken_;
  }

 private:
  static constexpr const char* kRollout = "chair-2-x";

  void Drive() {
    control::Workload workload(safety_->robot);
    DecideRequest request;
    request.robot = "r";
    request.fixed_shape = true;
    for (int64_t tick = 0; !stop_; ++tick) {
      request.input = workload.Next();
      if (tick % 100 < 30) request.input.human.u = {};  // it stands
      const int64_t began_ns = Nanos();
      const auto decided = sessions_.Decide(request);
      if (!decided.ok()) return;
      workload.Apply((*decided)->decision.command);
      const int64_t version = (*decided)->head.version == Cat(kNew) ? kNew : kStable;
      ran_ = version;
      if (!counting_) continue;
      if (version == kNew) {
        ++taken_.ticks;
        continue;
      }
      taken_.until_ns = std::max<int64_t>(0, began_ns - flipped_ns_);
      counting_ = false;
    }
  }

  std::shared_ptr<const safety::SafetyModel> safety_;
  telemetry::Metrics metrics_;
  ModelHost models_{&metrics_, 1 << 24};
  Sessions sessions_{{.max_sessions = 2, .ttl_s = 600, .robots_dir = ""}, &models_};
  std::shared_ptr<RolloutSeat> seat_;
  std::atomic<int64_t> ran_ = 0;
  std::atomic<bool> counting_ = false, stop_ = false;
  Taken taken_;  ///< the driver's while counting_, else the caller's
  int64_t flipped_ns_ = 0;
  std::thread thread_;
};

}  // namespace saferl::services
