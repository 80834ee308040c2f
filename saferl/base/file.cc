#include "saferl/base/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <system_error>

#include "saferl/base/text.h"

namespace saferl {
namespace {

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }
  /// Closes now and says whether that worked.
  bool Close() {
    const int fd = fd_;
    fd_ = -1;
    return ::close(fd) == 0;
  }

 private:
  int fd_;
};

bool WriteAll(int fd, std::string_view data) {
  while (!data.empty()) {
    const ssize_t n = ::write(fd, data.data(), data.size());
    if (n < 0) {
      if (errno == EINTR) continue;
      return false;
    }
    data.remove_prefix(static_cast<size_t>(n));
  }
  return true;
}

}  // namespace

Status ErrnoStatus(int error, std::string_view path, std::string_view what) {
  const std::string reason = std::generic_category().message(error);
  const std::string head = Cat(path, ": ", what, ": ", reason);
  switch (error) {
    case ENOENT:
    case ENOTDIR:
      return absl::NotFoundError(Cat(head, "; check the path"));
    case EACCES:
    case EPERM:
    case EROFS:
      return absl::PermissionDeniedError(Cat(head, "; check who may read and write it"));
    case EISDIR:
      return absl::InvalidArgumentError(Cat(head, "; give a file, not a directory"));
    case ENOSPC:
    case EDQUOT:
      return absl::ResourceExhaustedError(Cat(head, "; free some space"));
    default:
      return absl::UnavailableError(Cat(head, "; check the disk"));
  }
}

StatusOr<std::string> ReadFile(const std::string& path, size_t max_bytes) {
  Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) return ErrnoStatus(errno, path, "cannot open");
  struct stat info{};
  if (::fstat(file.get(), &info) != 0) return ErrnoStatus(errno, path, "cannot inspect");
  if (S_ISDIR(info.st_mode)) return ErrnoStatus(EISDIR, path, "cannot read");
  std::string contents;
  if (info.st_size > 0 && static_cast<uint64_t>(info.st_size) <= max_bytes) {
    contents.reserve(static_cast<size_t>(info.st_size) + 1);
  }
  char buffer[1 << 16];
  while (true) {
    const ssize_t n = ::read(file.get(), buffer, sizeof buffer);
    if (n < 0) {
      if (errno == EINTR) continue;
      return ErrnoStatus(errno, path, "cannot read");
    }
    if (n == 0) return contents;
    if (contents.size() + static_cast<size_t>(n) > max_bytes) {
      return absl::InvalidArgumentError(
          Cat(path, ": larger than ", max_bytes, " bytes; give a smaller file"));
    }
    contents.append(buffer, static_cast<size_t>(n));
  }
}

Status WriteFileAtomic(const std::string& path, std::string_view contents) {
  static std::atomic<uint32_t> counter{0};
  const std::string temporary = Cat(path, ".tmp-", ::getpid(), "-", counter.fetch_add(1));
  Descriptor file(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
  if (file.get() < 0) return ErrnoStatus(errno, path, "cannot create");
  const auto fail = [&](std::string_view what) {
    const int error = errno;
    ::unlink(temporary.c_str());
    return ErrnoStatus(error, path, what);
  };
  if (!WriteAll(file.get(), contents)) return fail("cannot write");
  if (::fsync(file.get()) != 0) return fail("cannot sync");
  if (!file.Close()) return fail("cannot close");
  if (::rename(temporary.c_str(), path.c_str()) != 0) return fail("cannot replace");
  const size_t slash = path.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  Descriptor directory(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (directory.get() >= 0) ::fsync(directory.get());
  return absl::OkStatus();
}

bool FileExists(const std::string& path) { return ::access(path.c_str(), F_OK) == 0; }

}  // namespace saferl
