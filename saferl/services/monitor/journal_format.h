#pragma once
// The safety monitor's journal as text: entries that hold each other in a chain of SHA-256.
//
//   file   journal-<first sequence, 12 digits>.log
//   head   saferl-journal 1 <first sequence> <hash before it>
//   entry  <sequence> <wall clock, ns> <kind> <JSON> <hash>
// hash = SHA-256 in hexadecimal of: hash before, a newline, the entry's text up to the blank before
// its hash. The hash before the first entry is 64 zeros. Sequences grow by one, across files too.
// The file `head` holds the last synced sequence and hash: entries cut off at the end show by it.
//
// RT: no. Errors: what is wrong with which entry of which file; nothing is repaired here.
// Source: docs/formats/journal.md.

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "saferl/base/status.h"

namespace saferl::services {

inline constexpr size_t kMaxEntryBytes = 64 << 10;
extern const char kFirstHash[65];

struct JournalEntry {
  uint64_t sequence = 0;
  int64_t wall_ns = 0;
  std::string kind;  ///< [a-z_]{1,32}
  std::string json;  ///< one JSON value, one line
  std::string hash;
};

/// The entry's line with its hash, newline included; sets entry->hash.
std::string EncodeEntry(const std::string& hash_before, JournalEntry* entry);
/// A line without its newline. Checks form and hash.
StatusOr<JournalEntry> DecodeEntry(std::string_view line, const std::string& hash_before);

/// What one file holds up to its first bad line.
struct JournalFile {
  uint64_t first = 0;       ///< sequence of its first entry
  std::string hash_before;  ///< as its head says
  std::vector<JournalEntry> entries;
  size_t good_bytes = 0;  ///< up to the end of the last good line
  Status problem;         ///< what is wrong after that
  bool cut = false;       ///< the problem is a last line without its newline
};
/// `name` for messages.
JournalFile ParseJournal(std::string_view bytes, std::string_view name);

struct JournalReport {
  uint64_t first = 0, last = 0;  ///< sequences; 0: no entry
  std::string hash;              ///< of the last entry
  uint64_t files = 0;
  size_t torn_bytes = 0;  ///< an entry that was being written when the writer died; not a problem
  std::string torn_file;
  Status problem;  ///< the first thing that is wrong
};
/// Every file of the folder, oldest first. `each` sees every good entry, in order.
JournalReport ReadJournal(const std::string& folder,
                          const std::function<void(const JournalEntry&)>& each = {});
/// Names of the journal's files in the folder, oldest first.
StatusOr<std::vector<std::string>> JournalFiles(const std::string& folder);
std::string JournalFileName(uint64_t first);

}  // namespace saferl::services
