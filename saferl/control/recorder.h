#pragma once
// The recorder: takes Decisions from the real-time loop through a ring and writes the log and the
// black box's dumps on a thread of its own. The loop never waits for it: a full ring drops the
// decision and counts it.
//
// RT: Record yes; the rest no. Errors: Start: what creating the files may say; later disk errors
// end the recording,
//   are kept in status(), and change no command.

#include <atomic>
#include <memory>
#include <string>
#include <thread>

#include "saferl/base/ring.h"
#include "saferl/base/status.h"
#include "saferl/control/black_box.h"
#include "saferl/control/decision_log.h"

namespace saferl::control {

struct RecorderConfig {
  std::string log_path;          ///< empty: no log
  std::string black_box_folder;  ///< empty: no dumps
  int black_box_ticks = 500;
};

class Recorder {
 public:
  static StatusOr<std::unique_ptr<Recorder>> Start(const RecorderConfig& config,
                                                   const DecisionLogInfo& info,
                                                   std::shared_ptr<const robot::RobotModel> robot);
  ~Recorder();  ///< drains what is left and closes the log
  Recorder(const Recorder&) = delete;
  Recorder& operator=(const Recorder&) = delete;

  /// The loop's thread only.
  void Record(const Decision& decision) {
    if (log_ != nullptr) ring_->Push(decision);
    box_.Record(decision);
  }
  /// Ends the thread, closes the log; the first error that happened. The loop must have ended.
  Status Stop();
  uint64_t dropped() const { return ring_->dropped(); }
  uint64_t dumps() const { return dumps_.load(std::memory_order_relaxed); }

 private:
  explicit Recorder(int black_box_ticks) : box_(black_box_ticks) {}
  void Run();
  void Drain();
  static constexpr uint32_t kSlots = 1024;

  RecorderConfig config_;
  DecisionLogInfo info_;
  std::shared_ptr<const robot::RobotModel> robot_;
  std::unique_ptr<DecisionLogWriter> log_;
  std::unique_ptr<Ring<Decision, kSlots>> ring_ = std::make_unique<Ring<Decision, kSlots>>();
  std::unique_ptr<Decision> popped_ = std::make_unique<Decision>();
  BlackBox box_;
  Status status_;
  std::atomic<bool> stop_{false};
  std::atomic<uint64_t> dumps_{0};
  std::thread thread_;
};

}  // namespace saferl::control
