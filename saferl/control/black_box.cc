#include "saferl/control/black_box.h"

#include <algorithm>

namespace saferl::control {

BlackBox::BlackBox(int capacity, int after) : after_(std::clamp(after, 0, capacity / 2)) {
  for (Half& half : half_) half.slot.resize(static_cast<size_t>(std::max(capacity, 2)));
}

void BlackBox::Record(const Decision& decision) {
  Half& half = half_[active_];
  half.slot[static_cast<size_t>(half.next)] = decision;
  half.next = half.next + 1 == static_cast<int>(half.slot.size()) ? 0 : half.next + 1;
  half.used = std::min(half.used + 1, static_cast<int>(half.slot.size()));

  const bool stop = decision.command.mode >= safety::Mode::kControlledStop;
  if (stop && !stopped_ && countdown_ < 0) countdown_ = after_;
  stopped_ = stop;
  if (countdown_ < 0 || countdown_-- > 0) return;
  if (frozen_.load(std::memory_order_acquire) >= 0) {
    missed_.store(missed_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    return;
  }
  frozen_.store(active_, std::memory_order_release);
  active_ = 1 - active_;
  half_[active_].next = half_[active_].used = 0;
}

std::vector<const Decision*> BlackBox::Frozen() const {
  const Half& half = half_[frozen_.load(std::memory_order_acquire)];
  std::vector<const Decision*> decisions;
  const int size = static_cast<int>(half.slot.size());
  for (int i = 0; i < half.used; ++i)
    decisions.push_back(&half.slot[static_cast<size_t>((half.next - half.used + i + size) % size)]);
  return decisions;
}

void BlackBox::Release() { frozen_.store(-1, std::memory_order_release); }

Status BlackBox::Dump(const std::string& path, const DecisionLogInfo& info,
                      const robot::RobotModel& robot) {
  SAFERL_ASSIGN_OR_RETURN(const auto log, DecisionLogWriter::Create(path, info, robot));
  for (const Decision* decision : Frozen()) SAFERL_RETURN_IF_ERROR(log->Write(*decision));
  SAFERL_RETURN_IF_ERROR(log->Close());
  Release();
  return absl::OkStatus();
}

}  // namespace saferl::control
