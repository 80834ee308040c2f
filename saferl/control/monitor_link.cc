#include "saferl/control/monitor_link.h"

#include <signal.h>
#include <sys/file.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "saferl/base/file.h"
#include "saferl/base/text.h"

namespace saferl::control {

namespace {

/// A reader that is this close to being overwritten skips ahead.
constexpr uint64_t kGuard = 8;

void Unpack(const saferl_decision& from, Decision* to) {
  *to = Decision();
  TickInput& in = to->input;
  in.now_ns = from.now_ns;
  in.sequence = from.sequence;
  std::memcpy(static_cast<void*>(&in.observation), &from.observation, sizeof from.observation);
  in.human.stamp_ns = from.human.stamp_ns;
  in.human.sequence = from.human.sequence;
  std::memcpy(in.human.u.data(), from.human.u, sizeof from.human.u);
  in.human.enabled = from.human.enabled != 0;
  in.human.stop = from.human.stop != 0;
  in.human.acknowledge = from.human.acknowledge != 0;
  in.stop_requested = from.stop_requested != 0;
  in.lease_ok = from.lease_ok != 0;
  to->gate_passed = from.gate_passed != 0;
  to->policy_used = from.policy_used != 0;
  to->policy_id = from.policy_id;
  to->authority = from.command.authority;
  to->filter.proof = static_cast<safety::Proof>(from.proof);
  to->filter.reason = static_cast<safety::Reason>(from.filter_reason);
  to->filter.intervened = from.command.intervened != 0;
  to->command.issued_ns = from.command.issued_ns;
  to->command.valid_for_ns = from.command.valid_for_ns;
  to->command.sequence = from.command.sequence;
  std::memcpy(to->command.u.data(), from.command.u, sizeof from.command.u);
  to->command.mode = static_cast<safety::Mode>(from.command.mode);
  to->command.reason = static_cast<safety::Reason>(from.command.reason);
}

}  // namespace

StatusOr<std::unique_ptr<MonitorLink>> MonitorLink::Attach(const std::string& path) {
  std::unique_ptr<MonitorLink> link(new MonitorLink());
  link->path_ = path;
  link->fd_ = open(path.c_str(), O_RDWR | O_CLOEXEC);
  if (link->fd_ < 0) return ErrnoStatus(errno, path, "cannot open the robot's shared memory");
  if (flock(link->fd_, LOCK_EX | LOCK_NB) != 0)
    return absl::FailedPreconditionError(
        Cat(path, ": another safety monitor watches this robot; this one stands by"));
  struct stat status{};
  if (fstat(link->fd_, &status) != 0) return ErrnoStatus(errno, path, "cannot look at the file");
  link->inode_ = status.st_ino;
  link->shm_ = saferl_shm_attach(path.c_str());
  if (link->shm_ == nullptr) {
    if (errno == EPROTO)
      return absl::FailedPreconditionError(
          Cat(path,
              ": is not shared memory of this version; start saferl_rt and saferl of the "
              "same release"));
    return ErrnoStatus(errno, path, "cannot map the robot's shared memory");
  }
  if (link->Gone())
    return absl::NotFoundError(Cat(path, ": the saferl_rt that made it is gone; start it again"));
  // What was decided before is not judged: the certificate of a run begins where it is watched.
  link->next_ = __atomic_load_n(&link->shm_->decisions, __ATOMIC_ACQUIRE) + 1;
  return link;
}

MonitorLink::~MonitorLink() {
  if (shm_ != nullptr) munmap(shm_, sizeof *shm_);
  if (fd_ >= 0) close(fd_);
}

MonitorLink::Got MonitorLink::Next(Decision* decision) {
  const uint64_t written = __atomic_load_n(&shm_->decisions, __ATOMIC_ACQUIRE);
  if (next_ > written) return Got::kNothing;
  const auto& slot = shm_->slot[next_ % SAFERL_STREAM_SLOTS];
  const bool whole = written - next_ < SAFERL_STREAM_SLOTS - kGuard &&
                     saferl_shm_get(&slot.lock, &slot.value, &read_, sizeof read_) != 0 &&
                     read_.index == next_;
  if (!whole) {
    // All but the newest half of the ring is given up: reading goes on well ahead of the writer.
    const uint64_t keep = std::min<uint64_t>(written, SAFERL_STREAM_SLOTS / 2);
    const uint64_t from = std::max(next_ + 1, written - keep + 1);
    lost_ += from - next_;
    next_ = from;
    return Got::kLost;
  }
  ++next_;
  Unpack(read_, decision);
  return Got::kDecision;
}

void MonitorLink::Put(int64_t now_ns, int64_t until_ns, bool stop) {
  saferl_request request{};
  request.stamp_ns = now_ns;
  request.lease_until_ns = until_ns;
  request.stop = stop ? 1 : 0;
  SAFERL_PUT(shm_, request, &request);
}

bool MonitorLink::Gone() const {
  struct stat status{};
  if (stat(path_.c_str(), &status) != 0 || status.st_ino != inode_) return true;
  const auto pid = static_cast<pid_t>(shm_->creator_pid);
  return pid <= 0 || (kill(pid, 0) != 0 && errno == ESRCH);
}

}  // namespace saferl::control
