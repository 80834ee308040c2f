// Journal files: the parser is total; what it accepts is a chain that the writer would write again,
// byte for byte.
#include <cstdint>
#include <cstdlib>

#include "saferl/base/text.h"
#include "saferl/services/monitor/journal_format.h"

using saferl::services::EncodeEntry;
using saferl::services::JournalEntry;
using saferl::services::JournalFile;
using saferl::services::ParseJournal;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const JournalFile file = ParseJournal(bytes, "fuzz");
  if (file.good_bytes > size) std::abort();
  if (file.first == 0) return 0;
  std::string again = saferl::Cat("saferl-journal 1 ", file.first, " ", file.hash_before, "\n");
  std::string before = file.hash_before;
  for (JournalEntry entry : file.entries) {
    again += EncodeEntry(before, &entry);
    before = entry.hash;
  }
  if (again != bytes.substr(0, file.good_bytes)) std::abort();
  return 0;
}
