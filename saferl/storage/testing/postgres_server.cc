#include "saferl/storage/testing/postgres_server.h"

#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "saferl/base/clock.h"
#include "saferl/base/file.h"
#include "saferl/base/text.h"
#include "saferl/storage/testing/child_process.h"

namespace saferl::storage::testing {
namespace {

namespace fs = std::filesystem;

constexpr const char* kPrefix = "saferl-pg-";

/// The newest server that Debian has installed.
StatusOr<std::string> Programs() {
  for (int version = 20; version >= 14; --version) {
    const std::string directory = Cat("/usr/lib/postgresql/", version, "/bin");
    if (FileExists(directory + "/postgres")) return directory;
  }
  return absl::NotFoundError(
      "no PostgreSQL server of version 14 or later; run tools/install_deps test");
}

void Pause10ms() {
  const timespec pause{0, 10'000'000};
  ::nanosleep(&pause, nullptr);
}

/// What tests that were killed have left: directories whose program is no more.
void RemoveAbandoned(const fs::path& temporary) {
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(temporary, ignored)) {
    const std::string name = entry.path().filename();
    if (!name.starts_with(kPrefix)) continue;
    const pid_t owner = std::atoi(name.c_str() + std::string_view(kPrefix).size());
    if (owner > 0 && ::kill(owner, 0) != 0 && errno == ESRCH) fs::remove_all(entry, ignored);
  }
}

bool Gone(pid_t pid) {
  std::ifstream stat(Cat("/proc/", pid, "/stat"));
  std::string line;
  if (!std::getline(stat, line)) return true;
  const size_t end = line.rfind(')');
  return end != std::string::npos && line.substr(end).starts_with(") Z");
}

/// The parent of a process, 0 when it is gone.
pid_t ParentOf(pid_t pid) {
  std::ifstream stat(Cat("/proc/", pid, "/stat"));
  std::string line;
  std::getline(stat, line);
  const size_t end = line.rfind(')');
  return end == std::string::npos || end + 4 > line.size() ? 0 : std::atoi(line.c_str() + end + 4);
}

}  // namespace

StatusOr<std::unique_ptr<PostgresServer>> PostgresServer::Start(const Options& options) {
  const fs::path temporary = fs::temp_directory_path();
  RemoveAbandoned(temporary);
  std::string directory = temporary / Cat(kPrefix, ::getpid(), "-XXXXXX");
  if (::mkdtemp(directory.data()) == nullptr) return ErrnoStatus(errno, directory, "cannot make");
  std::unique_ptr<PostgresServer> server(new PostgresServer(directory, options));
  SAFERL_RETURN_IF_ERROR(server->Initialize());
  SAFERL_RETURN_IF_ERROR(server->Launch());
  return server;
}

StatusOr<PostgresServer*> PostgresServer::Shared() {
  static StatusOr<std::unique_ptr<PostgresServer>> shared = Start({});
  if (!shared.ok()) return shared.status();
  return shared->get();
}

PostgresServer::~PostgresServer() {
  Kill();  // nothing of it is kept
  std::error_code ignored;
  fs::remove_all(directory_, ignored);
}

Status PostgresServer::Initialize() {
  SAFERL_ASSIGN_OR_RETURN(const std::string programs, Programs());
  const std::string password = directory_ + "/password";
  SAFERL_RETURN_IF_ERROR(WriteFileAtomic(password, Cat(kPassword, "\n")));
  SAFERL_RETURN_IF_ERROR(GiveToServerUser(directory_));
  SAFERL_RETURN_IF_ERROR(GiveToServerUser(password));
  SAFERL_RETURN_IF_ERROR(RunChild(
      {programs + "/initdb", "-D", directory_ + "/data", "-U", "saferl", "--pwfile", password, "-A",
       "scram-sha-256", "-E", "UTF8", "--locale=C", "--no-sync", "--no-instructions"},
      {.user = ServerUser(), .log = directory_ + "/initdb.log", .directory = directory_}));
  return options_.tls ? MakeCertificate() : absl::OkStatus();
}

Status PostgresServer::MakeCertificate() {
  return RunChild({"/usr/bin/openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                   "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj",
                   "/CN=saferl test server", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout",
                   directory_ + "/server.key", "-out", ca_file()},
                  {.user = ServerUser(), .log = directory_ + "/tls.log", .directory = directory_});
}

Status PostgresServer::Launch() {
  SAFERL_ASSIGN_OR_RETURN(const std::string programs, Programs());
  const std::string log = directory_ + "/server.log", status = directory_ + "/data/postmaster.pid";
  for (int attempt = 0; attempt < 5; ++attempt) {
    // The first port is kept: a server that comes back is found where it was.
    if (port_ == 0 || attempt > 0) {
      SAFERL_ASSIGN_OR_RETURN(port_, FreePort());
    }
    std::vector<std::string> argv = {programs + "/postgres",
                                     "-D",
                                     directory_ + "/data",
                                     "-p",
                                     Cat(port_),
                                     "-k",
                                     directory_,
                                     "-h",
                                     "127.0.0.1"};
    std::vector<std::string> settings = options_.settings;
    if (!options_.fsync) settings.emplace_back("fsync=off");
    if (options_.tls) {
      settings.insert(settings.end(), {"ssl=on", "ssl_cert_file=" + ca_file(),
                                       "ssl_key_file=" + directory_ + "/server.key",
                                       "ssl_min_protocol_version=TLSv1.3"});
    }
    for (const std::string& setting : settings) argv.insert(argv.end(), {"-c", setting});
    std::error_code ignored;
    fs::remove(status, ignored);
    // SIGQUIT: the server's processes end at once with it.
    SAFERL_ASSIGN_OR_RETURN(pid_, StartChild(argv, {.user = ServerUser(),
                                                    .log = log,
                                                    .directory = directory_,
                                                    .death_signal = SIGQUIT}));
    const Deadline deadline = Deadline::After(FromSeconds(60));
    while (!deadline.Passed()) {
      int ended = 0;
      if (::waitpid(pid_, &ended, WNOHANG) == pid_) break;  // the port was taken meanwhile
      const StatusOr<std::string> text = ReadFile(status);
      if (text.ok() && text->find("\nready") != std::string::npos) return absl::OkStatus();
      Pause10ms();
    }
  }
  pid_ = -1;
  const StatusOr<std::string> text = ReadFile(log);
  return absl::InternalError(Cat("PostgreSQL did not start: ", text.ok() ? *text : ""));
}

std::string PostgresServer::Url(const std::string& database, const std::string& query) const {
  return Cat("postgresql://saferl@127.0.0.1:", port_, "/", database, query);
}

StatusOr<std::string> PostgresServer::NewDatabase() {
  SAFERL_ASSIGN_OR_RETURN(const std::string programs, Programs());
  const std::string name = Cat("test_", ++databases_);
  ::setenv("PGPASSWORD", kPassword, 1);
  const Status made = RunChild(
      {programs + "/createdb", "-h", directory_, "-p", Cat(port_), "-U", "saferl", "-w", name},
      {.log = directory_ + "/createdb.log"});
  ::unsetenv("PGPASSWORD");
  SAFERL_RETURN_IF_ERROR(made);
  return Url(name);
}

std::vector<pid_t> PostgresServer::Processes() const {
  std::vector<pid_t> out = {pid_};
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator("/proc", ignored)) {
    const pid_t pid = std::atoi(entry.path().filename().c_str());
    if (pid > 0 && ParentOf(pid) == pid_) out.push_back(pid);
  }
  return out;
}

void PostgresServer::Signal(int signal) const {
  if (pid_ <= 0) return;
  // The parent first: it makes no new ones meanwhile.
  ::kill(pid_, signal);
  for (const pid_t pid : Processes()) {
    if (pid != pid_) ::kill(pid, signal);
  }
}

void PostgresServer::WaitUntilGone(const std::vector<pid_t>& processes) {
  ::waitpid(pid_, nullptr, 0);
  pid_ = -1;
  // A new server refuses to start while one of the old processes is there.
  const Deadline deadline = Deadline::After(FromSeconds(30));
  for (const pid_t pid : processes) {
    while (!Gone(pid) && !deadline.Passed()) Pause10ms();
  }
}

void PostgresServer::Pause() { Signal(SIGSTOP); }
void PostgresServer::Resume() { Signal(SIGCONT); }

void PostgresServer::Kill() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGSTOP);  // else it would clean up behind its first child
  const std::vector<pid_t> processes = Processes();
  for (const pid_t pid : processes) ::kill(pid, SIGKILL);
  WaitUntilGone(processes);
}

void PostgresServer::Stop() {
  if (pid_ <= 0) return;
  const std::vector<pid_t> processes = Processes();
  ::kill(pid_, SIGINT);
  WaitUntilGone(processes);
}

}  // namespace saferl::storage::testing
