#include "tests/crash/harness.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "saferl/base/clock.h"
#include "saferl/base/file.h"
#include "saferl/base/text.h"

#ifndef SAFERL_RECORD_LIBRARY
#error "SAFERL_RECORD_LIBRARY names the library of record.c"
#endif

namespace saferl::crash {
namespace {

namespace fs = std::filesystem;
constexpr int kAckFd = 9;
constexpr int kKillsInOnePlace = 50;

/// A run of the program. `environment` is added to the parent's.
StatusOr<pid_t> Start(std::vector<std::string> argv, std::vector<std::string> environment,
                      int ack_fd) {
  for (char** e = environ; *e != nullptr; ++e) environment.emplace_back(*e);
  environment.push_back(Cat("ACK_FD=", kAckFd));
  std::vector<char*> arguments, variables;
  for (std::string& word : argv) arguments.push_back(word.data());
  for (std::string& word : environment) variables.push_back(word.data());
  arguments.push_back(nullptr);
  variables.push_back(nullptr);
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent || ::dup2(ack_fd, kAckFd) != kAckFd) ::_exit(98);
    ::execve(arguments[0], arguments.data(), variables.data());
    ::_exit(99);
  }
  if (pid < 0) return absl::UnavailableError("fork failed");
  return pid;
}

int WaitFor(pid_t pid) {
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return status;
}

/// Reads whole numbers until the end, or until `most` have come or the deadline has passed.
void ReadNumbers(int fd, size_t most, Deadline deadline, std::set<uint64_t>* out) {
  size_t count = 0;
  while (count < most) {
    pollfd waiting{fd, POLLIN, 0};
    const int64_t left_ms = (deadline.Left(Nanos()) + 999'999) / 1'000'000;
    if (::poll(&waiting, 1, static_cast<int>(std::min<int64_t>(left_ms, 100'000))) == 0) return;
    uint64_t number = 0;
    if (::read(fd, &number, sizeof number) != sizeof number) return;
    out->insert(number);
    ++count;
  }
}

Status VerifyTimed(const Workload& workload, const std::string& directory,
                   const std::set<uint64_t>& acknowledged, Report* report) {
  const int64_t from_ns = Nanos();
  Status status = workload.verify(directory, acknowledged);
  report->ready_s.push_back(Seconds(Nanos() - from_ns));
  ++report->cuts;
  if (!status.ok()) {
    ++report->bad;
    if (report->first_problem.ok()) report->first_problem = status;
  }
  return status;
}

}  // namespace

StatusOr<Report> KillLoop(const Workload& workload, int kills, uint64_t seed,
                          const std::string& directory) {
  Report report;
  Random random(seed);
  std::set<uint64_t> acknowledged;
  for (int round = 0; round < kills; ++round) {
    // A new place now and then: each look at all that was ever written would soon take most of the
    // time.
    const std::string place = Cat(directory, "/", round / kKillsInOnePlace);
    if (round % kKillsInOnePlace == 0) {
      std::error_code error;
      fs::remove_all(Cat(directory, "/", round / kKillsInOnePlace - 1), error);
      fs::create_directories(place, error);
      acknowledged.clear();
    }
    const size_t before = acknowledged.size();
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return ErrnoStatus(errno, "pipe", "cannot make");
    std::vector<std::string> argv = workload.argv;
    argv.push_back(place);
    argv.push_back(Cat(round));
    StatusOr<pid_t> pid = Start(argv, {}, ends[1]);
    ::close(ends[1]);
    if (!pid.ok()) return pid.status();
    // The moment: one round of eight early, while it still opens; else after some numbers and up to
    // 5 ms more, so that it falls anywhere within a commit.
    if (random.Chance(0.125)) {
      ReadNumbers(ends[0], 1, Deadline::After(FromSeconds(random.Uniform(0, 0.02))), &acknowledged);
    } else {
      ReadNumbers(ends[0], static_cast<size_t>(1 + random.Index(60)),
                  Deadline::After(FromSeconds(30)), &acknowledged);
      ReadNumbers(ends[0], SIZE_MAX, Deadline::After(FromSeconds(random.Uniform(0, 0.005))),
                  &acknowledged);
    }
    ::kill(*pid, SIGKILL);
    const int status = WaitFor(*pid);
    ReadNumbers(ends[0], SIZE_MAX, Deadline::After(FromSeconds(30)), &acknowledged);
    ::close(ends[0]);
    if (!WIFSIGNALED(status)) {
      return absl::InternalError(Cat(argv[0], " ended by itself, status ", status));
    }
    report.acknowledged += acknowledged.size() - before;
    (void)VerifyTimed(workload, place, acknowledged, &report);
  }
  return report;
}

StatusOr<Recording> Recording::Make(const Workload& workload, const std::string& directory) {
  Recording out;
  out.workload_ = workload;
  out.directory_ = directory;
  const std::string run = directory + "/run", trace = directory + "/trace";
  std::error_code error;
  fs::create_directories(run, error);
  struct stat info{};
  if (::stat(run.c_str(), &info) != 0) return ErrnoStatus(errno, run, "cannot inspect");
  out.root_inode_ = info.st_ino;
  const int null = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
  std::vector<std::string> argv = workload.argv;
  argv.push_back(run);
  argv.push_back("0");
  // AddressSanitizer wants to come first among preloaded libraries; the recorder only passes on.
  StatusOr<pid_t> pid = Start(argv,
                              {Cat("LD_PRELOAD=", SAFERL_RECORD_LIBRARY), "RECORD_DIRECTORY=" + run,
                               "RECORD_TRACE=" + trace, "ASAN_OPTIONS=verify_asan_link_order=0"},
                              null);
  ::close(null);
  if (!pid.ok()) return pid.status();
  const int status = WaitFor(*pid);
  if (status != 0) return absl::InternalError(Cat(argv[0], " ended with status ", status));
  SAFERL_ASSIGN_OR_RETURN(out.trace_, ReadFile(trace, size_t{1} << 30));
  SAFERL_ASSIGN_OR_RETURN(out.calls_, ReadTrace(out.trace_));

  // The recorder has missed nothing: played to the end, the trace is the directory.
  Disk disk(out.root_inode_, {});
  for (const Call& call : out.calls_) disk.Apply(call);
  std::map<std::string, std::string> live = disk.Live();
  size_t found = 0;
  for (const auto& entry : fs::recursive_directory_iterator(run)) {
    const std::string name = fs::relative(entry.path(), run).string();
    const auto known = live.find(entry.is_directory() ? name + "/" : name);
    ++found;
    if (known == live.end()) return absl::InternalError(Cat("recorder: missed ", name));
    if (entry.is_directory() || known->second == "mapped") continue;
    SAFERL_ASSIGN_OR_RETURN(const std::string content, ReadFile(entry.path(), size_t{1} << 30));
    if (content != known->second) {
      return absl::InternalError(Cat("recorder: missed a write to ", name));
    }
  }
  if (found != live.size()) return absl::InternalError("recorder: missed a removal");
  return out;
}

uint64_t Recording::BytesWritten(std::string_view name) const {
  std::set<uint64_t> inodes;
  uint64_t bytes = 0;
  for (const Call& call : calls_) {
    if (call.op == 'C' && call.bytes == name) inodes.insert(call.inode);
    if (call.op == 'W' && inodes.contains(call.inode)) bytes += call.bytes.size();
  }
  return bytes;
}

StatusOr<Report> Recording::PowerCuts(int cuts, uint64_t seed, Mutant mutant) const {
  Random random(seed);
  std::vector<size_t> moments;
  for (int i = 0; i < cuts; ++i) {
    moments.push_back(static_cast<size_t>(random.Index(static_cast<int>(calls_.size()) + 1)));
  }
  std::sort(moments.begin(), moments.end());
  Report report;
  Disk disk(root_inode_, mutant);
  std::set<uint64_t> acknowledged;
  size_t next = 0;
  for (const size_t moment : moments) {
    for (; next < moment; ++next) {
      const Call& call = calls_[next];
      disk.Apply(call);
      for (size_t at = 0; call.op == 'A' && at + 8 <= call.bytes.size(); at += 8) {
        uint64_t number = 0;
        std::memcpy(&number, call.bytes.data() + at, 8);
        acknowledged.insert(number);
      }
    }
    const std::string state = directory_ + "/state";
    SAFERL_RETURN_IF_ERROR(WriteState(disk.Cut(&random), state));
    (void)VerifyTimed(workload_, state, acknowledged, &report);
  }
  report.acknowledged = acknowledged.size();
  return report;
}

}  // namespace saferl::crash
