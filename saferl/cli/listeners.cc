#include "saferl/cli/listeners.h"

#include <dirent.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <sstream>
#include <string>
#include <utility>

#include "saferl/base/file.h"
#include "saferl/base/text.h"

namespace saferl::cli {
namespace {

/// The sockets that a process has open, by inode.
StatusOr<std::vector<std::string>> SocketsOf(int pid) {
  const std::string folder = Cat("/proc/", pid, "/fd");
  DIR* dir = ::opendir(folder.c_str());
  if (dir == nullptr) {
    if (errno == ENOENT) {
      return absl::NotFoundError(Cat("process ", pid, ": does not exist; name one that runs"));
    }
    return ErrnoStatus(errno, folder, "cannot see its files");
  }
  std::vector<std::string> sockets;
  while (const dirent* entry = ::readdir(dir)) {
    char target[64];
    const std::string link = Cat(folder, "/", std::string_view(entry->d_name));
    const ssize_t n = ::readlink(link.c_str(), target, sizeof target);
    const std::string_view text(target, n < 0 ? 0 : static_cast<size_t>(n));
    if (text.starts_with("socket:[")) sockets.emplace_back(text.substr(8, text.size() - 9));
  }
  ::closedir(dir);
  return sockets;
}

/// Port and inode of every listening socket that `process` ("self", "4711") can see.
std::vector<std::pair<int, std::string>> Listening(std::string_view process) {
  std::vector<std::pair<int, std::string>> found;
  for (const std::string_view file : {"tcp", "tcp6"}) {
    std::istringstream table(ReadFile(Cat("/proc/", process, "/net/", file)).value_or(""));
    for (std::string line; std::getline(table, line);) {
      std::istringstream words(line);
      std::string
          word[10];  // sl, local, remote, state, queues, timer, retransmits, uid, timeout, inode
      for (std::string& w : word) words >> w;
      const std::string& local = word[1];
      if (word[3] != "0A" || local.find(':') == std::string::npos) continue;
      const std::string port = local.substr(local.rfind(':') + 1);
      found.emplace_back(static_cast<int>(std::strtoul(port.c_str(), nullptr, 16)), word[9]);
    }
  }
  return found;
}

}  // namespace

StatusOr<std::vector<int>> PortsOf(int pid) {
  SAFERL_ASSIGN_OR_RETURN(const std::vector<std::string> sockets, SocketsOf(pid));
  std::vector<int> ports;
  for (const auto& [port, inode] : Listening(Cat(pid))) {
    if (std::ranges::find(sockets, inode) != sockets.end()) ports.push_back(port);
  }
  if (ports.empty()) {
    return absl::NotFoundError(
        Cat("process ", pid, ": listens on no port; name a running service"));
  }
  return ports;
}

StatusOr<int> ProcessOn(int port) {
  std::vector<std::string> inodes;
  for (const auto& [number, inode] : Listening("self")) {
    if (number == port) inodes.push_back(inode);
  }
  DIR* dir = ::opendir("/proc");
  if (dir == nullptr) return ErrnoStatus(errno, "/proc", "cannot list processes");
  int found = 0;
  while (const dirent* entry = ::readdir(dir)) {
    const int pid = std::atoi(entry->d_name);
    if (pid <= 0 || found != 0 || inodes.empty()) continue;
    const StatusOr<std::vector<std::string>> sockets = SocketsOf(pid);
    if (sockets.ok() && std::ranges::find_first_of(*sockets, inodes) != sockets->end()) found = pid;
  }
  ::closedir(dir);
  if (found == 0) {
    return absl::NotFoundError(
        Cat("port ", port,
            ": no process of this user listens on it; start the service or give "
            "--pid"));
  }
  return found;
}

}  // namespace saferl::cli
