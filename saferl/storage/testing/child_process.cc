#include "saferl/storage/testing/child_process.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>

#include "saferl/base/file.h"
#include "saferl/base/text.h"

namespace saferl::storage::testing {
namespace {

constexpr int kFirstPort = 15000, kPorts = 17000;

/// In the child: only calls that are safe between fork and exec.
[[noreturn]] void Become(char* const* argv, const passwd* user, int log, const char* directory,
                         int death_signal, pid_t parent) {
  if (user != nullptr && (::setgroups(0, nullptr) != 0 || ::setgid(user->pw_gid) != 0 ||
                          ::setuid(user->pw_uid) != 0)) {
    ::_exit(126);
  }
  // After the change of user, which clears it; the parent may have ended before.
  ::prctl(PR_SET_PDEATHSIG, death_signal);
  if (::getppid() != parent) ::_exit(126);
  if (directory != nullptr && ::chdir(directory) != 0) ::_exit(126);
  const int null = ::open("/dev/null", O_RDONLY);
  ::dup2(null, 0);
  ::dup2(log, 1);
  ::dup2(log, 2);
  ::execv(argv[0], argv);
  ::_exit(127);
}

}  // namespace

StatusOr<pid_t> StartChild(const std::vector<std::string>& argv, const ChildOptions& options) {
  const passwd* user = nullptr;
  if (::geteuid() == 0 && !options.user.empty()) {
    user = ::getpwnam(options.user.c_str());
    if (user == nullptr) return absl::NotFoundError(Cat("no user ", options.user));
  }
  std::vector<char*> arguments;
  for (const std::string& word : argv) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  const std::string log_path = options.log.empty() ? "/dev/null" : options.log;
  const int log = ::open(log_path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (log < 0) return ErrnoStatus(errno, log_path, "cannot open");
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid == 0) {
    Become(arguments.data(), user, log,
           options.directory.empty() ? nullptr : options.directory.c_str(), options.death_signal,
           parent);
  }
  ::close(log);
  if (pid < 0) return absl::UnavailableError("fork failed");
  return pid;
}

Status RunChild(const std::vector<std::string>& argv, const ChildOptions& options) {
  SAFERL_ASSIGN_OR_RETURN(const pid_t pid, StartChild(argv, options));
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return absl::OkStatus();
  std::string log;
  if (!options.log.empty()) {
    if (StatusOr<std::string> text = ReadFile(options.log); text.ok()) log = *std::move(text);
  }
  if (log.size() > 2000) log = log.substr(log.size() - 2000);
  return absl::InternalError(Cat(argv[0], " ended with status ", status, ": ", log));
}

StatusOr<int> FreePort() {
  // Each program starts at its own place, so that parallel ones seldom meet.
  static std::atomic<int> next{static_cast<int>(::getpid() % 1000) * 17};
  for (int tries = 0; tries < kPorts; ++tries) {
    const int port = kFirstPort + next.fetch_add(1) % kPorts;
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<uint16_t>(port));
    const bool free =
        fd >= 0 && ::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
    if (fd >= 0) ::close(fd);
    if (free) return port;
  }
  return absl::UnavailableError("no free port on 127.0.0.1");
}

std::string ServerUser() {
  if (::geteuid() != 0) return "";
  return ::getpwnam("postgres") != nullptr ? "postgres" : "nobody";
}

Status GiveToServerUser(const std::string& path) {
  const std::string name = ServerUser();
  if (name.empty()) return absl::OkStatus();
  const passwd* user = ::getpwnam(name.c_str());
  if (user == nullptr) return absl::NotFoundError(Cat("no user ", name));
  if (::chown(path.c_str(), user->pw_uid, user->pw_gid) != 0) {
    return ErrnoStatus(errno, path, "cannot give away");
  }
  return absl::OkStatus();
}

}  // namespace saferl::storage::testing
