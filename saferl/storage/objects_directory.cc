#include "saferl/storage/objects_directory.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <string>
#include <utility>
#include <vector>

#include "saferl/base/file.h"
#include "saferl/base/hash.h"
#include "saferl/base/text.h"
#include "saferl/net/trace_context.h"

namespace saferl::storage {
namespace {

constexpr int kFolder = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

class Fd {
 public:
  explicit Fd(int fd = -1) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Fd() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }
  bool ok() const { return fd_ >= 0; }

 private:
  int fd_;
};

bool WriteAll(int fd, std::string_view data) {
  while (!data.empty()) {
    const ssize_t n = ::write(fd, data.data(), data.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return false;
    data.remove_prefix(static_cast<size_t>(n));
  }
  return true;
}

/// The names in a folder, sorted.
StatusOr<std::vector<std::string>> Names(int folder, const std::string& path) {
  const int copy = ::openat(folder, ".", kFolder);
  DIR* stream = copy < 0 ? nullptr : ::fdopendir(copy);
  if (stream == nullptr) return ErrnoStatus(errno, path, "cannot list");
  std::vector<std::string> names;
  errno = 0;
  while (const dirent* entry = ::readdir(stream)) names.emplace_back(entry->d_name);
  const int error = errno;
  ::closedir(stream);
  if (error != 0) return ErrnoStatus(error, path, "cannot list");
  std::ranges::sort(names);
  return names;
}

/// Makes PATH and what is missing above it, each entry durable before the next.
Status MakeFolders(const std::string& path) {
  for (size_t end = path.find('/', 1);; end = path.find('/', end + 1)) {
    const std::string folder = path.substr(0, end);
    const bool made = ::mkdir(folder.c_str(), 0700) == 0;
    if (!made && errno != EEXIST) return ErrnoStatus(errno, folder, "cannot create");
    const bool last = end == std::string::npos;
    if (made || last) {  // the last one may be another process's, not yet durable
      const Fd parent(::open(Cat(folder, "/..").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
      if (made && !parent.ok()) return ErrnoStatus(errno, folder, "cannot open the parent of");
      if (parent.ok() && ::fsync(parent.get()) != 0) {
        return ErrnoStatus(errno, folder, "cannot sync the parent of");
      }
    }
    if (last) return absl::OkStatus();
  }
}

/// A file under PATH/tmp that this process holds; gone with the object unless it was renamed.
class Temporary {
 public:
  Temporary(int folder, Fd file, std::string name)
      : folder_(folder), file_(std::move(file)), name_(std::move(name)) {}
  Temporary(Temporary&&) = default;
  ~Temporary() {
    if (file_.ok()) ::unlinkat(folder_, name_.c_str(), 0);
  }
  int fd() const { return file_.get(); }
  bool MoveTo(int folder, const char* name) {
    if (::renameat(folder_, name_.c_str(), folder, name) != 0) return false;
    file_ = Fd();
    return true;
  }

 private:
  int folder_;
  Fd file_;
  std::string name_;
};

class DirectoryObjects final : public Objects {
 public:
  DirectoryObjects(std::string path, uint64_t max_bytes, Fd root, Fd tmp)
      : path_(std::move(path)),
        max_bytes_(max_bytes),
        root_(std::move(root)),
        tmp_(std::move(tmp)) {}

  StatusOr<std::string> Put(std::string_view bytes) override;
  StatusOr<std::string> Get(std::string_view sha256) override;
  StatusOr<bool> Has(std::string_view sha256) override;
  Status Delete(std::string_view sha256) override;
  Status List(const std::function<void(std::string_view, uint64_t)>& each) override;
  Status Check() override;
  std::string_view kind() const override { return "directory"; }

  Status RemoveLeftovers();

 private:
  Status Error(int error, std::string_view sha256, std::string_view what) const;
  StatusOr<Fd> Shard(std::string_view sha256, bool make);
  StatusOr<std::string> Read(int shard, std::string_view sha256) const;
  StatusOr<Temporary> NewTemporary();

  const std::string path_;
  const uint64_t max_bytes_;
  const Fd root_, tmp_;
  std::array<std::atomic<bool>, 256> durable_shard_{};
};

Status BadDigest(std::string_view sha256) {
  return absl::InvalidArgumentError(
      Cat("object '", sha256.substr(0, 80), "': no digest; give 64 lower-case hex digits"));
}

Status DirectoryObjects::Error(int error, std::string_view sha256, std::string_view what) const {
  const std::string place = Cat(path_, "/", sha256);
  if (error == ELOOP || error == ENOTDIR) {
    return absl::PermissionDeniedError(Cat(
        place, ": ", what, ": a symbolic link or a file of another kind lies there; remove it"));
  }
  return ErrnoStatus(error, place, what);
}

/// The folder of a digest; with `make`, there and durable in its parent.
StatusOr<Fd> DirectoryObjects::Shard(std::string_view sha256, bool make) {
  const std::string name(sha256.substr(0, 2));
  std::atomic<bool>& durable = durable_shard_[std::stoul(name, nullptr, 16)];
  if (make && !durable.load(std::memory_order_acquire)) {
    if (::mkdirat(root_.get(), name.c_str(), 0700) != 0 && errno != EEXIST) {
      return Error(errno == ENOENT ? EIO : errno, name, "cannot create");  // ENOENT: root is gone
    }
    if (::fsync(root_.get()) != 0) return Error(errno, name, "cannot sync the parent of");
    durable.store(true, std::memory_order_release);
  }
  Fd shard(::openat(root_.get(), name.c_str(), kFolder));
  if (!shard.ok()) return Error(errno, make ? name : std::string(sha256), "cannot open");
  return shard;
}

StatusOr<std::string> DirectoryObjects::Read(int shard, std::string_view sha256) const {
  const std::string name(sha256.substr(2));
  const Fd file(::openat(shard, name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (!file.ok()) return Error(errno, sha256, "cannot open");
  struct stat info{};
  if (::fstat(file.get(), &info) != 0) return Error(errno, sha256, "cannot inspect");
  if (!S_ISREG(info.st_mode)) return Error(ENOTDIR, sha256, "cannot read");
  if (static_cast<uint64_t>(info.st_size) > max_bytes_) {
    return absl::DataLossError(Cat(path_, "/", sha256, ": ", info.st_size, " bytes, more than the ",
                                   max_bytes_, " allowed; put it again"));
  }
  std::string bytes(static_cast<size_t>(info.st_size), '\0');
  size_t have = 0;
  while (have < bytes.size()) {
    const ssize_t n = ::read(file.get(), bytes.data() + have, bytes.size() - have);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return Error(errno, sha256, "cannot read");
    if (n == 0) break;  // cut short under us: the digest tells
    have += static_cast<size_t>(n);
  }
  bytes.resize(have);
  return bytes;
}

StatusOr<Temporary> DirectoryObjects::NewTemporary() {
  while (true) {
    // Never a name that was used before: a store that opens locks a leftover, then removes it by
    // its name, which must not have become another writer's meanwhile.
    std::string name = net::RandomHex(16);
    Fd file(::openat(tmp_.get(), name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                     0600));
    if (!file.ok() && errno == EEXIST) continue;
    if (!file.ok()) return Error(errno == ENOENT ? EIO : errno, "tmp", "cannot create a file in");
    Temporary temporary(tmp_.get(), std::move(file), std::move(name));
    if (::flock(temporary.fd(), LOCK_EX) != 0) return Error(errno, "tmp", "cannot lock a file in");
    struct stat info{};
    if (::fstat(temporary.fd(), &info) != 0) return Error(errno, "tmp", "cannot inspect a file in");
    // A store that opened between creation and lock took the file for a leftover: then a new one.
    if (info.st_nlink > 0) return temporary;
  }
}

StatusOr<std::string> DirectoryObjects::Put(std::string_view bytes) {
  if (bytes.size() > max_bytes_) {
    return absl::InvalidArgumentError(
        Cat("object of ", bytes.size(), " bytes: more than max_bytes ", max_bytes_, "; split it"));
  }
  std::string sha256 = Sha256Hex(bytes);
  SAFERL_ASSIGN_OR_RETURN(const Fd shard, Shard(sha256, /*make=*/true));
  const StatusOr<std::string> there = Read(shard.get(), sha256);
  if (!there.ok() || *there != bytes) {
    SAFERL_ASSIGN_OR_RETURN(Temporary file, NewTemporary());
    if (!WriteAll(file.fd(), bytes)) return Error(errno, sha256, "cannot write");
    if (::fsync(file.fd()) != 0) return Error(errno, sha256, "cannot sync");
    if (!file.MoveTo(shard.get(), sha256.substr(2).c_str())) {
      return Error(errno, sha256, "cannot rename to");
    }
  }
  // Also of what was there: its writer may not have come this far.
  if (::fsync(shard.get()) != 0) return Error(errno, sha256, "cannot sync the parent of");
  return sha256;
}

StatusOr<std::string> DirectoryObjects::Get(std::string_view sha256) {
  if (!IsDigest(sha256)) return BadDigest(sha256);
  SAFERL_ASSIGN_OR_RETURN(const Fd shard, Shard(sha256, /*make=*/false));
  SAFERL_ASSIGN_OR_RETURN(std::string bytes, Read(shard.get(), sha256));
  if (Sha256Hex(bytes) != sha256) {
    return absl::DataLossError(
        Cat(path_, "/", sha256, ": its bytes have another digest; put it again from a copy"));
  }
  return bytes;
}

StatusOr<bool> DirectoryObjects::Has(std::string_view sha256) {
  if (!IsDigest(sha256)) return BadDigest(sha256);
  StatusOr<Fd> shard = Shard(sha256, /*make=*/false);
  if (absl::IsNotFound(shard.status())) return false;
  if (!shard.ok()) return shard.status();
  struct stat info{};
  if (::fstatat(shard->get(), std::string(sha256.substr(2)).c_str(), &info, AT_SYMLINK_NOFOLLOW) !=
      0) {
    if (errno == ENOENT) return false;
    return Error(errno, sha256, "cannot inspect");
  }
  return S_ISREG(info.st_mode);
}

Status DirectoryObjects::Delete(std::string_view sha256) {
  if (!IsDigest(sha256)) return BadDigest(sha256);
  StatusOr<Fd> shard = Shard(sha256, /*make=*/false);
  if (absl::IsNotFound(shard.status())) return absl::OkStatus();
  if (!shard.ok()) return shard.status();
  if (::unlinkat(shard->get(), std::string(sha256.substr(2)).c_str(), 0) != 0 && errno != ENOENT) {
    return Error(errno, sha256, "cannot remove");
  }
  if (::fsync(shard->get()) != 0) return Error(errno, sha256, "cannot sync the parent of");
  return absl::OkStatus();
}

Status DirectoryObjects::List(const std::function<void(std::string_view, uint64_t)>& each) {
  SAFERL_ASSIGN_OR_RETURN(const std::vector<std::string> shards, Names(root_.get(), path_));
  for (const std::string& prefix : shards) {
    if (!IsDigest(prefix + std::string(62, '0'))) continue;
    const Fd shard(::openat(root_.get(), prefix.c_str(), kFolder));
    if (!shard.ok()) return Error(errno, prefix, "cannot list");
    SAFERL_ASSIGN_OR_RETURN(const std::vector<std::string> names,
                            Names(shard.get(), Cat(path_, "/", prefix)));
    for (const std::string& name : names) {
      struct stat info{};
      const std::string sha256 = prefix + name;
      if (IsDigest(sha256) &&
          ::fstatat(shard.get(), name.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0 &&
          S_ISREG(info.st_mode)) {
        each(sha256, static_cast<uint64_t>(info.st_size));
      }
    }
  }
  return absl::OkStatus();
}

Status DirectoryObjects::Check() {
  SAFERL_ASSIGN_OR_RETURN(const Temporary file, NewTemporary());
  const std::string block(4096, '\0');
  if (!WriteAll(file.fd(), block)) return Error(errno, "tmp", "cannot write to");
  return absl::OkStatus();
}

/// Of writers that died: files in tmp that nobody holds.
Status DirectoryObjects::RemoveLeftovers() {
  SAFERL_ASSIGN_OR_RETURN(const std::vector<std::string> names,
                          Names(tmp_.get(), Cat(path_, "/tmp")));
  for (const std::string& name : names) {
    if (name == "." || name == "..") continue;
    const Fd file(
        ::openat(tmp_.get(), name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    if (file.ok() && ::flock(file.get(), LOCK_EX | LOCK_NB) == 0) {
      ::unlinkat(tmp_.get(), name.c_str(), 0);
    }
  }
  return absl::OkStatus();
}

}  // namespace

StatusOr<std::unique_ptr<Objects>> OpenObjectsDirectory(const ObjectsOptions& options) {
  std::string path = options.url.substr(options.url.find(':') + 1);
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  if (path.empty()) return absl::InvalidArgumentError("objects url: dir: without a path; add one");
  SAFERL_RETURN_IF_ERROR(MakeFolders(path));
  Fd root(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!root.ok()) return ErrnoStatus(errno, path, "cannot open");
  if (::mkdirat(root.get(), "tmp", 0700) != 0 && errno != EEXIST) {
    return ErrnoStatus(errno, path, "cannot create tmp in");
  }
  Fd tmp(::openat(root.get(), "tmp", kFolder));
  if (!tmp.ok()) {
    return absl::PermissionDeniedError(Cat(path, "/tmp: no directory of ours; remove it"));
  }
  auto objects =
      std::make_unique<DirectoryObjects>(path, options.max_bytes, std::move(root), std::move(tmp));
  SAFERL_RETURN_IF_ERROR(objects->RemoveLeftovers());
  return objects;
}

}  // namespace saferl::storage
