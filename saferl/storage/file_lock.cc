#include "saferl/storage/file_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "saferl/base/clock.h"
#include "saferl/base/file.h"
#include "saferl/base/text.h"

namespace saferl::storage {

StatusOr<std::unique_ptr<FileLock>> FileLock::Open(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) return ErrnoStatus(errno, path, "cannot open");
  return std::unique_ptr<FileLock>(new FileLock(path, fd));
}

FileLock::~FileLock() { ::close(fd_); }

Status FileLock::Acquire(double wait_s) {
  // flock has no time limit of its own: look again, first soon, then every 5 ms.
  const Deadline deadline = Deadline::After(FromSeconds(wait_s));
  int64_t pause_ns = 50'000;
  while (::flock(fd_, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK && errno != EINTR) return ErrnoStatus(errno, path_, "cannot lock");
    if (deadline.Passed()) {
      return absl::UnavailableError(
          Cat(path_, ": another program has been writing for ", wait_s, " s; try again or end it"));
    }
    const timespec pause{0, std::min(pause_ns, deadline.Left(Nanos()))};
    ::nanosleep(&pause, nullptr);
    pause_ns = std::min<int64_t>(pause_ns * 2, 5'000'000);
  }
  return absl::OkStatus();
}

void FileLock::Release() { ::flock(fd_, LOCK_UN); }

}  // namespace saferl::storage
