#pragma once
// What a disk may hold after a power cut, from the calls that a program made (record.c).
//
// Only what was synced is certain. Of everything else, each 512-byte sector of a file holds any of
// the contents it had since the last sync, independently of its neighbours; a file has any of the
// sizes it had; in one state of four, sectors of a grown file that were not written hold garbage.
// Of the changes of a directory since its last sync either the first few or any of them happened. A
// synced file is found only if its directory was synced too. What was mapped for writing holds
// garbage. A sector itself is never torn (SQLite's "powersafe overwrite", and what disks promise).
// RT: no. Source: Pillai et al., "All File Systems Are Not Created Equal" (OSDI 2014).

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "saferl/base/random.h"
#include "saferl/base/status.h"

namespace saferl::crash {

struct Call {
  char op = 0;
  uint64_t inode = 0, a = 0, b = 0;
  std::string_view bytes;
};
/// The calls of a trace, as views into it.
StatusOr<std::vector<Call>> ReadTrace(std::string_view trace);

/// Calls that are read as if they had not been made: a program with that mistake.
struct Mutant {
  bool no_file_sync = false;
  bool no_directory_sync = false;
};

class Disk {
 public:
  Disk(uint64_t root_inode, Mutant mutant) : mutant_(mutant) { numbers_[root_inode] = kRoot; }

  void Apply(const Call& call);
  /// Files by their path as the program saw them last; for the check of the recorder itself.
  std::map<std::string, std::string> Live() const;
  /// One state after a cut now: path -> content. Directories end in '/'.
  std::map<std::string, std::string> Cut(Random* random) const;

 private:
  struct Write {
    uint64_t at = 0;
    std::string_view bytes;
  };
  struct Change {  ///< of a file since its last sync: a write or a new size
    bool is_size = false;
    uint64_t size = 0;
    Write write;
  };
  struct File {
    std::string synced;
    std::string live;
    std::vector<Change> changes;
    bool mapped = false;
  };
  struct Entry {  ///< a change of a directory; inode 0 removes the name
    std::string name;
    uint64_t inode = 0;
    uint64_t group = 0;  ///< both halves of a rename within one directory happen or neither
  };
  struct Directory {
    std::map<std::string, uint64_t> synced, live;
    std::vector<Entry> changes;
  };

  void Change_(uint64_t directory, std::string name, uint64_t inode);
  static std::string ContentAfterCut(const File& file, bool garbage, Random* random);
  static std::map<std::string, uint64_t> NamesAfterCut(const Directory& directory, Random* random);

  static constexpr uint64_t kRoot = 1;
  const Mutant mutant_;
  std::map<uint64_t, File> files_;
  std::map<uint64_t, Directory> directories_;
  std::map<uint64_t, uint64_t> numbers_;  ///< inode -> the number of the file that has it now
  uint64_t last_number_ = kRoot;
  uint64_t group_ = 0;
};

/// Makes the files of a state below `directory`, which is emptied first.
Status WriteState(const std::map<std::string, std::string>& state, const std::string& directory);

}  // namespace saferl::crash
