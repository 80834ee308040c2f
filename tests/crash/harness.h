#pragma once
// Two ways to end a program that writes, and the count of what it had acknowledged and lost.
//
// KillLoop kills it (SIGKILL) at random moments, 50 times over the same directory and then in the
// next; after each kill it looks for all that was ever acknowledged there. That
// shows recovery; it shows nothing about syncs, because the page cache outlives a process.
// PowerCuts records its calls once (record.c) and looks at many states in which a power cut may
// leave the disk (disk.h).
//
// The program: argv + directory + round. It writes the 8 bytes of a number to descriptor $ACK_FD
// after each number that it was told is safe, and ends by itself (PowerCuts) or is ended
// (KillLoop). RT: no.

#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "saferl/base/status.h"
#include "tests/crash/disk.h"

namespace saferl::crash {

struct Workload {
  std::vector<std::string> argv;
  /// Opens what is in the directory as after a start. Every acknowledged number must be there, and
  /// what is there must be whole. What is wrong otherwise.
  std::function<Status(const std::string& directory, const std::set<uint64_t>& acknowledged)>
      verify;
};

struct Report {
  int cuts = 0;
  int bad = 0;                  ///< ends after which verify failed
  uint64_t acknowledged = 0;    ///< numbers, over all rounds or in the whole record
  std::vector<double> ready_s;  ///< time that verify took, of each
  Status first_problem;
};

StatusOr<Report> KillLoop(const Workload& workload, int kills, uint64_t seed,
                          const std::string& directory);

/// The calls of one run of the program, kept for many power cuts.
class Recording {
 public:
  static StatusOr<Recording> Make(const Workload& workload, const std::string& directory);
  StatusOr<Report> PowerCuts(int cuts, uint64_t seed, Mutant mutant) const;
  /// Bytes written to a file of that name: whether the run came to where it should be cut.
  uint64_t BytesWritten(std::string_view name) const;

 private:
  Workload workload_;
  std::string directory_;
  std::string trace_;
  std::vector<Call> calls_;
  uint64_t root_inode_ = 0;
};

}  // namespace saferl::crash
