#pragma once
// Journal: appends entries to the hash-chained journal (journal_format.h), grouped, synced.
//
// Policy: an entry is acknowledged after fdatasync; entries that wait are written and synced
// together. A file that a sync failed on is not synced again: the next file goes on from the last
// acknowledged entry. Disk errors are retried every second, bounded by the queue; Append gives up
// after its wait, Post never waits. Nothing here can hold up the judge.
// Open: a last entry that was being written when the writer died is cut off and an entry `torn`
// says so; any other damage is an error: the folder is to be moved away by a person.
// One writer at a time (a lock on the folder). RT: no. Thread-safe.
// Errors: kDataLoss (a damaged journal), kFailedPrecondition (another writer), kUnavailable and
// kResourceExhausted (disk, queue), each naming the path.

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "saferl/base/clock.h"
#include "saferl/services/monitor/journal_format.h"

namespace saferl::services {

struct JournalOptions {
  std::string folder;
  size_t max_file_bytes = size_t{16} << 20;
  size_t max_files = 64;  ///< older ones are deleted, after an entry `pruned` that says so
  size_t max_queue = 4096;
};

class Journal {
 public:
  /// `replay` sees every entry that is there.
  static StatusOr<std::unique_ptr<Journal>> Open(
      const JournalOptions& options, const std::function<void(const JournalEntry&)>& replay = {});
  ~Journal();
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;

  /// Returns when the entry is on the disk.
  Status Append(std::string_view kind, std::string_view json, double wait_s = 5);
  /// Leaves the entry to the writer. False: the queue is full, the entry is lost and counted.
  bool Post(std::string_view kind, std::string_view json);

  struct State {
    uint64_t sequence = 0;  ///< of the last synced entry
    std::string hash;       ///< its hash: written elsewhere, it proves what was there by then
    uint64_t dropped = 0;
    size_t waiting = 0;
    Status status;  ///< of the last write
  };
  State state() const;

 private:
  explicit Journal(const JournalOptions& options) : options_(options) {}
  struct Waiting {
    std::string kind, json;
    int64_t wall_ns = 0;
    uint64_t ticket = 0;
  };
  Status Continue(const JournalReport& report);
  Status NewFile();
  Status WriteGroup(const std::deque<Waiting>& group, uint64_t* sequence, std::string* hash);
  Status Prune();
  void CloseFile();
  void Run();
  bool Push(std::string_view kind, std::string_view json, uint64_t* ticket);

  JournalOptions options_;
  int lock_fd_ = -1;
  // The writer's.
  int fd_ = -1;
  std::string path_;
  size_t good_bytes_ = 0;
  uint64_t last_ = 0;
  std::string hash_;
  // Shared.
  mutable std::mutex mutex_;
  std::condition_variable work_, done_;
  std::deque<Waiting> queue_;
  uint64_t tickets_ = 0, acknowledged_ = 0, dropped_ = 0;
  uint64_t synced_ = 0;
  std::string synced_hash_;
  Status status_;
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace saferl::services
