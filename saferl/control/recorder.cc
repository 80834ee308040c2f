#include "saferl/control/recorder.h"

#include <sys/stat.h>
#include <time.h>

#include <cerrno>

#include "saferl/base/file.h"
#include "saferl/base/text.h"

namespace saferl::control {

namespace {

constexpr long kPause_ns = 2'000'000;

}  // namespace

StatusOr<std::unique_ptr<Recorder>> Recorder::Start(
    const RecorderConfig& config, const DecisionLogInfo& info,
    std::shared_ptr<const robot::RobotModel> robot) {
  std::unique_ptr<Recorder> recorder(new Recorder(config.black_box_ticks));
  recorder->config_ = config;
  recorder->info_ = info;
  if (!config.log_path.empty()) {
    SAFERL_ASSIGN_OR_RETURN(recorder->log_,
                            DecisionLogWriter::Create(config.log_path, info, *robot));
  }
  if (!config.black_box_folder.empty() && mkdir(config.black_box_folder.c_str(), 0700) != 0 &&
      errno != EEXIST)
    return ErrnoStatus(errno, config.black_box_folder, "cannot make the black box's folder");
  recorder->robot_ = std::move(robot);
  recorder->thread_ = std::thread([self = recorder.get()] { self->Run(); });
  return recorder;
}

Recorder::~Recorder() {
  if (thread_.joinable()) (void)Stop();
}

void Recorder::Drain() {
  while (log_ != nullptr && ring_->Pop(popped_.get()))
    if (status_.ok()) status_ = log_->Write(*popped_);
  if (!box_.HasFrozen()) return;
  if (config_.black_box_folder.empty()) {
    box_.Release();
    return;
  }
  const uint64_t number = box_.Frozen().back()->input.sequence;
  const Status dumped =
      box_.Dump(Cat(config_.black_box_folder, "/stop_", number, ".mcap"), info_, *robot_);
  if (dumped.ok()) {
    dumps_.fetch_add(1, std::memory_order_relaxed);
  } else {
    if (status_.ok()) status_ = dumped;
    if (box_.HasFrozen()) box_.Release();
  }
}

void Recorder::Run() {
  while (!stop_.load(std::memory_order_acquire)) {
    Drain();
    timespec pause{0, kPause_ns};
    nanosleep(&pause, nullptr);
  }
  Drain();
}

Status Recorder::Stop() {
  stop_.store(true, std::memory_order_release);
  if (thread_.joinable()) thread_.join();
  if (log_ != nullptr) {
    const Status closed = log_->Close();
    if (status_.ok()) status_ = closed;
  }
  return status_;
}

}  // namespace saferl::control
