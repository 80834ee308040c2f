#include "tests/crash/disk.h"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <set>

#include "saferl/base/text.h"

namespace saferl::crash {
namespace {

constexpr size_t kSector = 512;
constexpr size_t kHead = 29;

void Put(std::string* content, uint64_t at, std::string_view bytes) {
  if (content->size() < at + bytes.size()) content->resize(at + bytes.size());
  content->replace(at, bytes.size(), bytes);
}

void FillWithGarbage(std::string* content, size_t from, size_t to, Random* random) {
  for (size_t i = from; i < to; ++i) (*content)[i] = static_cast<char>(random->NextU64());
}

}  // namespace

StatusOr<std::vector<Call>> ReadTrace(std::string_view trace) {
  std::vector<Call> out;
  while (!trace.empty()) {
    uint32_t size = 0;
    Call call;
    if (trace.size() < kHead) return absl::DataLossError("trace: ends within a record");
    call.op = trace[0];
    std::memcpy(&call.inode, trace.data() + 1, 8);
    std::memcpy(&call.a, trace.data() + 9, 8);
    std::memcpy(&call.b, trace.data() + 17, 8);
    std::memcpy(&size, trace.data() + 25, 4);
    trace.remove_prefix(kHead);
    if (trace.size() < size) return absl::DataLossError("trace: ends within a record");
    call.bytes = trace.substr(0, size);
    trace.remove_prefix(size);
    out.push_back(call);
  }
  return out;
}

void Disk::Change_(uint64_t directory, std::string name, uint64_t inode) {
  Directory& d = directories_[directory];
  if (inode != 0) {
    d.live[name] = inode;
  } else {
    d.live.erase(name);
  }
  d.changes.push_back({std::move(name), inode, group_});
}

void Disk::Apply(const Call& recorded) {
  ++group_;
  // The kernel gives an inode's number away again; here each file keeps its own for ever.
  Call call = recorded;
  if (call.op == 'C' || call.op == 'D') numbers_[call.inode] = ++last_number_;
  for (uint64_t* inode : {&call.inode, &call.a, &call.b}) {
    const bool is_inode = inode == &call.inode || call.op == 'R' ||
                          (inode == &call.a && call.op != 'W' && call.op != 'T');
    if (const auto known = numbers_.find(*inode); is_inode && known != numbers_.end()) {
      *inode = known->second;
    }
  }
  switch (call.op) {
    case 'C':
      files_[call.inode] = {};
      Change_(call.a, std::string(call.bytes), call.inode);
      break;
    case 'D':
      directories_[call.inode] = {};
      Change_(call.a, std::string(call.bytes), call.inode);
      break;
    case 'L':
      Change_(call.a, std::string(call.bytes), call.inode);
      break;
    case 'U':
      Change_(call.a, std::string(call.bytes), 0);
      break;
    case 'R': {
      const size_t nul = call.bytes.find('\0');
      Change_(call.b, std::string(call.bytes.substr(nul + 1)), call.inode);
      Change_(call.a, std::string(call.bytes.substr(0, nul)), 0);
      break;
    }
    case 'W': {
      File& file = files_[call.inode];
      Put(&file.live, call.a, call.bytes);
      file.changes.push_back({.write = {call.a, call.bytes}});
      break;
    }
    case 'T': {
      File& file = files_[call.inode];
      file.live.resize(call.a);
      file.changes.push_back({.is_size = true, .size = call.a, .write = {}});
      break;
    }
    case 'M':
      files_[call.inode].mapped = true;
      break;
    case 'S':
      if (const auto d = directories_.find(call.inode);
          d != directories_.end() || call.inode == kRoot) {
        Directory& directory = directories_[call.inode];
        if (mutant_.no_directory_sync) break;
        directory.synced = directory.live;
        directory.changes.clear();
      } else if (!mutant_.no_file_sync) {
        File& file = files_[call.inode];
        for (const Change& change : file.changes) {
          if (change.is_size) {
            file.synced.resize(change.size);
          } else {
            Put(&file.synced, change.write.at, change.write.bytes);
          }
        }
        file.changes.clear();
      }
      break;
    default:
      break;  // 'A' is the harness's
  }
}

std::map<std::string, uint64_t> Disk::NamesAfterCut(const Directory& directory, Random* random) {
  std::map<std::string, uint64_t> names = directory.synced;
  const bool in_order = random->Chance(0.5);
  const int kept = random->Index(static_cast<int>(directory.changes.size()) + 1);
  std::map<uint64_t, bool> happened;
  int i = 0;
  for (const Entry& change : directory.changes) {
    const auto [choice, fresh] = happened.try_emplace(change.group, false);
    if (fresh) choice->second = in_order ? i < kept : random->Chance(0.5);
    ++i;
    if (!choice->second) continue;
    if (change.inode != 0) {
      names[change.name] = change.inode;
    } else {
      names.erase(change.name);
    }
  }
  return names;
}

std::string Disk::ContentAfterCut(const File& file, bool garbage, Random* random) {
  if (file.mapped) {
    std::string content(file.live.size(), '\0');
    FillWithGarbage(&content, 0, content.size(), random);
    return content;
  }
  if (file.changes.empty()) return file.synced;
  // Every content that each sector had, oldest first, by playing the changes once more.
  std::string play = file.synced;
  std::vector<uint64_t> sizes = {play.size()};
  std::map<size_t, std::vector<std::string>> versions;
  const auto keep = [&](size_t sector) {
    std::string content = play.substr(std::min(sector * kSector, play.size()), kSector);
    content.resize(kSector);
    versions[sector].push_back(std::move(content));
  };
  for (const Change& change : file.changes) {
    const uint64_t from =
        change.is_size ? std::min<uint64_t>(change.size, play.size()) : change.write.at;
    const uint64_t to =
        change.is_size ? std::max<uint64_t>(from, play.size()) : from + change.write.bytes.size();
    for (uint64_t s = from / kSector; s * kSector < to; ++s) {
      if (!versions.contains(s)) keep(s);
    }
    if (change.is_size) {
      play.resize(change.size);
    } else {
      Put(&play, change.write.at, change.write.bytes);
    }
    for (uint64_t s = from / kSector; s * kSector < to; ++s) keep(s);
    sizes.push_back(play.size());
  }
  std::string content = file.synced;
  content.resize(sizes[static_cast<size_t>(random->Index(static_cast<int>(sizes.size())))]);
  if (garbage && content.size() > file.synced.size()) {
    FillWithGarbage(&content, file.synced.size(), content.size(), random);
  }
  // One cut in four loses all that was not synced, one in four keeps nearly all of it.
  const int mood = random->Index(4);
  for (const auto& [sector, all] : versions) {
    if (sector * kSector >= content.size()) break;
    size_t pick = static_cast<size_t>(random->Index(static_cast<int>(all.size())));
    if (mood == 0) pick = 0;
    if (mood == 1 && random->Chance(0.97)) pick = all.size() - 1;
    if (pick == 0) continue;  // what the disk had: synced content, zeros or garbage
    Put(&content, sector * kSector,
        std::string_view(all[pick]).substr(0, content.size() - sector * kSector));
  }
  return content;
}

std::map<std::string, std::string> Disk::Live() const {
  std::map<std::string, std::string> out;
  const auto walk = [&](const auto& self, uint64_t inode, const std::string& path) -> void {
    const auto directory = directories_.find(inode);
    if (directory == directories_.end()) return;
    for (const auto& [name, child] : directory->second.live) {
      if (directories_.contains(child)) {
        out[path + name + "/"] = "";
        self(self, child, path + name + "/");
      } else {
        const File& file = files_.at(child);
        out[path + name] = file.mapped ? "mapped" : file.live;
      }
    }
  };
  walk(walk, kRoot, "");
  return out;
}

std::map<std::string, std::string> Disk::Cut(Random* random) const {
  std::map<std::string, std::string> out;
  std::set<uint64_t> seen;  // a directory is in one place, even where a rename lost one half
  std::map<uint64_t, std::string> contents;
  const bool garbage = random->Chance(0.25);
  const auto walk = [&](const auto& self, uint64_t inode, const std::string& path) -> void {
    const auto directory = directories_.find(inode);
    if (directory == directories_.end() || !seen.insert(inode).second) return;
    for (const auto& [name, child] : NamesAfterCut(directory->second, random)) {
      if (directories_.contains(child)) {
        out[path + name + "/"] = "";
        self(self, child, path + name + "/");
      } else {
        const auto [content, fresh] = contents.try_emplace(child);
        if (fresh) content->second = ContentAfterCut(files_.at(child), garbage, random);
        out[path + name] = content->second;
      }
    }
  };
  walk(walk, kRoot, "");
  return out;
}

Status WriteState(const std::map<std::string, std::string>& state, const std::string& directory) {
  namespace fs = std::filesystem;
  std::error_code error;
  fs::remove_all(directory, error);
  fs::create_directories(directory, error);
  for (const auto& [path, content] : state) {
    const fs::path at = fs::path(directory) / path;
    if (path.ends_with('/')) {
      fs::create_directories(at, error);
      continue;
    }
    std::ofstream file(at, std::ios::binary);
    file.write(content.data(), static_cast<std::streamsize>(content.size()));
    if (!file.flush()) return absl::UnavailableError(Cat(at.string(), ": cannot write a state"));
  }
  return absl::OkStatus();
}

}  // namespace saferl::crash
