#include "saferl/services/monitor/journal.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <filesystem>

#include "saferl/base/file.h"
#include "saferl/base/json.h"
#include "saferl/base/log.h"
#include "saferl/base/text.h"

namespace saferl::services {
namespace {

constexpr auto kRetry = std::chrono::seconds(1);

std::string In(const std::string& folder, const std::string& name) {
  return (std::filesystem::path(folder) / name).string();
}

Status WriteAll(int fd, std::string_view bytes, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return ErrnoStatus(errno, path, "cannot write the journal");
    bytes.remove_prefix(static_cast<size_t>(n));
  }
  return absl::OkStatus();
}

Status SyncFolder(const std::string& folder) {
  const int fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return ErrnoStatus(errno, folder, "cannot open the journal's folder");
  const int failed = ::fsync(fd);
  const int error = errno;
  ::close(fd);
  return failed == 0 ? absl::OkStatus() : ErrnoStatus(error, folder, "cannot sync the folder");
}

}  // namespace

StatusOr<std::unique_ptr<Journal>> Journal::Open(
    const JournalOptions& options, const std::function<void(const JournalEntry&)>& replay) {
  std::error_code error;
  std::filesystem::create_directories(options.folder, error);
  if (error)
    return absl::UnavailableError(
        Cat(options.folder, ": ", error.message(), "; name a folder you may write"));
  std::unique_ptr<Journal> journal(new Journal(options));
  const std::string lock = In(options.folder, "lock");
  journal->lock_fd_ = ::open(lock.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (journal->lock_fd_ < 0) return ErrnoStatus(errno, lock, "cannot open the lock");
  if (::flock(journal->lock_fd_, LOCK_EX | LOCK_NB) != 0)
    return absl::FailedPreconditionError(
        Cat(options.folder, ": another process writes this journal; stop it"));
  const JournalReport report = ReadJournal(options.folder, replay);
  if (!report.problem.ok())
    return absl::DataLossError(Cat(report.problem.message(),
                                   "; keep the folder as evidence, move it away and start again"));
  SAFERL_RETURN_IF_ERROR(journal->Continue(report));
  journal->thread_ = std::thread([self = journal.get()] { self->Run(); });
  if (report.torn_bytes > 0) {
    const std::string json =
        JsonWriter().BeginObject().Field("bytes", report.torn_bytes).EndObject().Take();
    SAFERL_RETURN_IF_ERROR(journal->Append("torn", json));
  }
  return journal;
}

Journal::~Journal() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  work_.notify_all();
  if (thread_.joinable()) thread_.join();
  CloseFile();
  if (lock_fd_ >= 0) ::close(lock_fd_);
}

void Journal::CloseFile() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

/// Cuts what is torn; goes on in the newest file while there is room in it.
Status Journal::Continue(const JournalReport& report) {
  last_ = synced_ = report.last;
  hash_ = synced_hash_ = report.hash;
  SAFERL_ASSIGN_OR_RETURN(const std::vector<std::string> names, JournalFiles(options_.folder));
  if (names.empty())
    return WriteFileAtomic(In(options_.folder, "head"), Cat("0 ", kFirstHash, "\n"));
  path_ = In(options_.folder, names.back());
  if (!report.torn_file.empty()) {  // also one that was created and never got its head
    const auto size = std::filesystem::file_size(path_);
    const size_t good = size - report.torn_bytes;
    if (good == 0) {  // not even its head was whole
      if (::unlink(path_.c_str()) != 0) return ErrnoStatus(errno, path_, "cannot remove");
      return SyncFolder(options_.folder);
    }
    if (::truncate(path_.c_str(), static_cast<off_t>(good)) != 0)
      return ErrnoStatus(errno, path_, "cannot cut off the torn entry");
  }
  fd_ = ::open(path_.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC);
  if (fd_ < 0) return ErrnoStatus(errno, path_, "cannot open the journal");
  good_bytes_ = std::filesystem::file_size(path_);
  return absl::OkStatus();
}

Status Journal::NewFile() {
  CloseFile();
  path_ = In(options_.folder, JournalFileName(last_ + 1));
  fd_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
  if (fd_ < 0) return ErrnoStatus(errno, path_, "cannot create the journal");
  const std::string head = Cat("saferl-journal 1 ", last_ + 1, " ", hash_, "\n");
  Status status = WriteAll(fd_, head, path_);
  if (status.ok()) status = SyncFolder(options_.folder);
  good_bytes_ = head.size();
  if (!status.ok()) CloseFile();
  return status;
}

/// One write, one sync. On an error the file is as it was before, or given up.
Status Journal::WriteGroup(const std::deque<Waiting>& group, uint64_t* sequence,
                           std::string* hash) {
  if (fd_ < 0 || good_bytes_ > options_.max_file_bytes) {
    SAFERL_RETURN_IF_ERROR(NewFile());
  }
  std::string bytes;
  *sequence = last_;
  *hash = hash_;
  for (const Waiting& waiting : group) {
    JournalEntry entry{++*sequence, waiting.wall_ns, waiting.kind, waiting.json, {}};
    bytes += EncodeEntry(*hash, &entry);
    *hash = entry.hash;
  }
  Status status = WriteAll(fd_, bytes, path_);
  const bool written = status.ok();
  if (written && ::fdatasync(fd_) != 0)
    status = ErrnoStatus(errno, path_, "cannot sync the journal");
  if (status.ok()) {
    good_bytes_ += bytes.size();
    return status;
  }
  const bool whole = ::ftruncate(fd_, static_cast<off_t>(good_bytes_)) == 0;
  if (written || !whole) CloseFile();  // after a failed sync a file's pages are not to be trusted
  return status;
}

/// Deletes the oldest files beyond max_files; the chain says so before.
Status Journal::Prune() {
  SAFERL_ASSIGN_OR_RETURN(const std::vector<std::string> names, JournalFiles(options_.folder));
  if (names.size() <= options_.max_files) return absl::OkStatus();
  const std::string& kept = names[names.size() - options_.max_files];
  SAFERL_ASSIGN_OR_RETURN(const std::string bytes,
                          ReadFile(In(options_.folder, kept), size_t{256} << 20));
  const uint64_t first = ParseJournal(bytes, kept).first;
  std::deque<Waiting> group(1);
  group[0].kind = "pruned";
  group[0].json = Cat(first - 1);
  group[0].wall_ns = WallNanos();
  uint64_t sequence = 0;
  std::string hash;
  SAFERL_RETURN_IF_ERROR(WriteGroup(group, &sequence, &hash));
  last_ = sequence;
  hash_ = hash;
  SAFERL_RETURN_IF_ERROR(
      WriteFileAtomic(In(options_.folder, "head"), Cat(last_, " ", hash_, "\n")));
  for (size_t i = 0; i + options_.max_files < names.size(); ++i)
    ::unlink(In(options_.folder, names[i]).c_str());
  return SyncFolder(options_.folder);
}

void Journal::Run() {
  std::unique_lock lock(mutex_);
  while (true) {
    work_.wait(lock, [this] { return stop_ || !queue_.empty(); });
    if (queue_.empty()) return;
    const std::deque<Waiting> group = queue_;
    lock.unlock();
    uint64_t sequence = 0;
    std::string hash;
    Status status = WriteGroup(group, &sequence, &hash);
    lock.lock();
    if (!status.ok()) {
      if (status_.ok())
        Log(LogLevel::kError, "journal cannot be written", {{"why", Cat(status.message())}});
      status_ = status;
      done_.notify_all();
      if (stop_) return;
      work_.wait_for(lock, kRetry, [this] { return stop_; });
      continue;
    }
    last_ = sequence;
    hash_ = hash;
    queue_.erase(queue_.begin(), queue_.begin() + static_cast<ptrdiff_t>(group.size()));
    acknowledged_ = group.back().ticket;
    synced_ = last_;
    synced_hash_ = hash_;
    status_ = absl::OkStatus();
    done_.notify_all();
    lock.unlock();
    status = WriteFileAtomic(In(options_.folder, "head"), Cat(last_, " ", hash_, "\n"));
    if (status.ok()) status = Prune();
    lock.lock();
    synced_ = last_;
    synced_hash_ = hash_;
    if (!status.ok()) status_ = status;
  }
}

bool Journal::Push(std::string_view kind, std::string_view json, uint64_t* ticket) {
  const std::lock_guard lock(mutex_);
  if (stop_ || queue_.size() >= options_.max_queue || json.size() > kMaxEntryBytes) {
    ++dropped_;
    return false;
  }
  *ticket = ++tickets_;
  queue_.push_back({std::string(kind), std::string(json), WallNanos(), *ticket});
  work_.notify_one();
  return true;
}

Status Journal::Append(std::string_view kind, std::string_view json, double wait_s) {
  uint64_t ticket = 0;
  if (!Push(kind, json, &ticket))
    return absl::ResourceExhaustedError(
        Cat(options_.folder, ": the journal's queue is full; look at the disk"));
  std::unique_lock lock(mutex_);
  if (done_.wait_for(lock, std::chrono::duration<double>(wait_s),
                     [&] { return acknowledged_ >= ticket; }))
    return absl::OkStatus();
  return absl::UnavailableError(
      Cat(options_.folder, ": the entry is not on the disk: ",
          status_.ok() ? "the disk is slow" : std::string(status_.message()),
          "; it may still be written"));
}

bool Journal::Post(std::string_view kind, std::string_view json) {
  uint64_t ticket = 0;
  return Push(kind, json, &ticket);
}

Journal::State Journal::state() const {
  const std::lock_guard lock(mutex_);
  return {synced_, synced_hash_, dropped_, queue_.size(), status_};
}

}  // namespace saferl::services
