#include "saferl/services/monitor/journal_format.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <optional>

#include "saferl/base/file.h"
#include "saferl/base/hash.h"
#include "saferl/base/text.h"

namespace saferl::services {
namespace {

constexpr std::string_view kMagic = "saferl-journal 1 ";
constexpr size_t kHashSize = 64;
constexpr size_t kMaxFileBytes = size_t{256} << 20;

bool IsHash(std::string_view text) {
  return text.size() == kHashSize && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

bool IsKind(std::string_view text) {
  return !text.empty() && text.size() <= 32 && std::all_of(text.begin(), text.end(), [](char c) {
    return c == '_' || (c >= 'a' && c <= 'z');
  });
}

/// The shortest decimal form only: two texts never mean the same number.
template <class T>
std::optional<T> Number(std::string_view text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || Cat(value) != text)
    return std::nullopt;
  return value;
}

std::string_view Word(std::string_view* text) {
  const size_t end = std::min(text->find(' '), text->size());
  const std::string_view word = text->substr(0, end);
  text->remove_prefix(std::min(end + 1, text->size()));
  return word;
}

std::string HashOf(std::string_view before, std::string_view text) {
  Sha256 hash;
  hash.Update(before).Update("\n").Update(text);
  return ToHex(hash.Finish());
}

/// "<sequence> <hash>" of the last sync, when the file is there.
StatusOr<std::optional<std::pair<uint64_t, std::string>>> ReadHead(const std::string& folder) {
  const std::string path = (std::filesystem::path(folder) / "head").string();
  if (!FileExists(path)) return std::nullopt;
  SAFERL_ASSIGN_OR_RETURN(const std::string text, ReadFile(path, 1024));
  std::string_view rest = text;
  const auto sequence = Number<uint64_t>(Word(&rest));
  if (!sequence || rest.size() != kHashSize + 1 || rest.back() != '\n' ||
      !IsHash(rest.substr(0, kHashSize)))
    return absl::DataLossError(Cat(path, ": is not '<sequence> <hash>'; it was changed"));
  return std::pair{*sequence, std::string(rest.substr(0, kHashSize))};
}

}  // namespace

const char kFirstHash[65] = "0000000000000000000000000000000000000000000000000000000000000000";

std::string EncodeEntry(const std::string& hash_before, JournalEntry* entry) {
  const std::string text =
      Cat(entry->sequence, " ", entry->wall_ns, " ", entry->kind, " ", entry->json);
  entry->hash = HashOf(hash_before, text);
  return Cat(text, " ", entry->hash, "\n");
}

StatusOr<JournalEntry> DecodeEntry(std::string_view line, const std::string& hash_before) {
  const auto bad = [](const char* what) {
    return absl::DataLossError(Cat("the entry has no valid ", what, "; it was changed"));
  };
  if (line.size() < kHashSize + 1 || line[line.size() - kHashSize - 1] != ' ') return bad("hash");
  const std::string_view hash = line.substr(line.size() - kHashSize);
  const std::string_view text = line.substr(0, line.size() - kHashSize - 1);
  std::string_view rest = text;
  const auto sequence = Number<uint64_t>(Word(&rest));
  const auto wall = Number<int64_t>(Word(&rest));
  const std::string_view kind = Word(&rest);
  if (!IsHash(hash)) return bad("hash");
  if (!sequence || *sequence == 0) return bad("sequence number");
  if (!wall) return bad("time");
  if (!IsKind(kind)) return bad("kind");
  if (rest.empty()) return bad("content");
  if (HashOf(hash_before, text) != hash)
    return absl::DataLossError(Cat("entry ", *sequence,
                                   " does not follow from the one before: it was changed, or "
                                   "others were removed or moved"));
  return JournalEntry{*sequence, *wall, std::string(kind), std::string(rest), std::string(hash)};
}

JournalFile ParseJournal(std::string_view bytes, std::string_view name) {
  JournalFile file;
  int number = 0;
  const auto fail = [&](std::string_view what) {
    file.problem = absl::DataLossError(Cat(name, ":", number, ": ", what));
  };
  std::string before;
  while (!bytes.empty()) {
    ++number;
    const size_t end = bytes.find('\n');
    if (end == std::string_view::npos) {
      file.cut = true;
      fail(Cat("the last line has no end (", bytes.size(), " bytes)"));
      return file;
    }
    const std::string_view line = bytes.substr(0, end);
    if (number == 1) {
      std::string_view rest = line;
      const bool magic = rest.starts_with(kMagic);
      rest.remove_prefix(magic ? kMagic.size() : 0);
      const auto first = Number<uint64_t>(Word(&rest));
      if (!magic || !first || *first == 0 || !IsHash(rest)) {
        fail("is not the head of a journal file");
        return file;
      }
      file.first = *first;
      file.hash_before = before = std::string(rest);
    } else {
      StatusOr<JournalEntry> entry = DecodeEntry(line, before);
      if (!entry.ok()) {
        fail(Cat(entry.status().message()));
        return file;
      }
      const uint64_t due = file.first + file.entries.size();
      if (entry->sequence != due) {
        fail(Cat("entry ", entry->sequence, " stands where ", due, " belongs"));
        return file;
      }
      before = entry->hash;
      file.entries.push_back(*std::move(entry));
    }
    bytes.remove_prefix(end + 1);
    file.good_bytes += end + 1;
  }
  if (number == 0) {
    file.cut = true;
    fail("is empty");
  }
  return file;
}

std::string JournalFileName(uint64_t first) {
  std::string digits = Cat(first);
  digits.insert(0, digits.size() < 12 ? 12 - digits.size() : 0, '0');
  return Cat("journal-", digits, ".log");
}

StatusOr<std::vector<std::string>> JournalFiles(const std::string& folder) {
  std::vector<std::string> names;
  std::error_code error;
  for (const auto& file : std::filesystem::directory_iterator(folder, error)) {
    const std::string name = file.path().filename().string();
    if (name.starts_with("journal-") && name.ends_with(".log")) names.push_back(name);
  }
  if (error)
    return absl::NotFoundError(
        Cat(folder, ": ", error.message(), "; give the folder of a journal"));
  std::sort(names.begin(), names.end());
  return names;
}

JournalReport ReadJournal(const std::string& folder,
                          const std::function<void(const JournalEntry&)>& each) {
  JournalReport report;
  report.hash = kFirstHash;
  const auto fail = [&report](Status status) {
    if (report.problem.ok()) report.problem = std::move(status);
  };
  const StatusOr<std::vector<std::string>> names = JournalFiles(folder);
  const auto head = ReadHead(folder);
  if (!names.ok() || !head.ok()) {
    fail(names.ok() ? head.status() : names.status());
    return report;
  }
  if (!*head && !names->empty()) {
    fail(absl::DataLossError(Cat(folder, ": the file 'head' is missing; it was removed")));
    return report;
  }
  bool head_seen = !*head || (*head)->first == 0;
  uint64_t pruned = 0;
  for (const std::string& name : *names) {
    const std::string path = (std::filesystem::path(folder) / name).string();
    const StatusOr<std::string> bytes = ReadFile(path, kMaxFileBytes);
    if (!bytes.ok()) {
      fail(bytes.status());
      return report;
    }
    ++report.files;
    const bool newest = name == names->back();
    const JournalFile file = ParseJournal(*bytes, path);
    if (file.first != 0) {
      const bool oldest = report.files == 1;
      if (name != JournalFileName(file.first))
        fail(
            absl::DataLossError(Cat(path, ": begins with entry ", file.first, "; it was renamed")));
      if (!oldest && (file.first != report.last + 1 || file.hash_before != report.hash))
        fail(absl::DataLossError(Cat(path, ": begins with entry ", file.first,
                                     " but the file before"
                                     " ends with ",
                                     report.last, ": a file or entries are missing")));
      if (oldest) {
        report.first = file.first;
        report.last = file.first - 1;
        report.hash = file.hash_before;
        if (file.first == 1 && file.hash_before != kFirstHash)
          fail(absl::DataLossError(Cat(path, ": its first hash is not zero")));
      }
      for (const JournalEntry& entry : file.entries) {
        report.last = entry.sequence;
        report.hash = entry.hash;
        if (entry.kind == "pruned")
          pruned = std::max(pruned, Number<uint64_t>(entry.json).value_or(0));
        if (*head && entry.sequence == (*head)->first) {
          head_seen = true;
          if (entry.hash != (*head)->second)
            fail(
                absl::DataLossError(Cat(path, ": entry ", entry.sequence,
                                        " is not the one that was synced: the end was rewritten")));
        }
        if (each && report.problem.ok()) each(entry);
      }
    }
    if (file.problem.ok()) continue;
    // What was never synced may be half there; what was synced may not.
    if (newest && (file.cut || head_seen)) {
      report.torn_bytes = bytes->size() - file.good_bytes;
      report.torn_file = path;
    } else {
      fail(file.problem);
    }
  }
  if (!head_seen)
    fail(absl::DataLossError(Cat(folder, ": ends with entry ", report.last, " but entry ",
                                 (*head)->first, " was written: the end is missing")));
  if (report.first > pruned + 1)
    fail(absl::DataLossError(Cat(folder, ": begins with entry ", report.first,
                                 " and nothing says that older ones were given up")));
  return report;
}

}  // namespace saferl::services
