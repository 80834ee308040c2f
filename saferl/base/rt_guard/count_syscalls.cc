#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>

#include "saferl/base/file.h"
#include "saferl/base/rt_guard/rt_guard.h"
#include "saferl/base/text.h"

namespace saferl {
namespace {

/// Shared with the parent: written without any system call.
struct Report {
  std::atomic<int64_t> calls{0};
  std::atomic<int> first{-1};
  std::atomic<int> filter_error{0};
  std::atomic<bool> finished{false};
};

Report* report = nullptr;

#if defined(__x86_64__)
constexpr uint32_t kArch = AUDIT_ARCH_X86_64;
void SetResult(ucontext_t* context, int value) { context->uc_mcontext.gregs[REG_RAX] = value; }
#elif defined(__aarch64__)
constexpr uint32_t kArch = AUDIT_ARCH_AARCH64;
void SetResult(ucontext_t* context, int value) {
  context->uc_mcontext.regs[0] = static_cast<uint64_t>(static_cast<int64_t>(value));
}
#endif

void OnTrap(int, siginfo_t* info, void* context) {
  if (report->calls.fetch_add(1) == 0) report->first.store(info->si_syscall);
  SetResult(static_cast<ucontext_t*>(context), -ENOSYS);
}

/// Allows the exit, the return from the trap's handler, the clock and sleep; traps the rest. 0 or
/// errno.
int InstallFilter() {
  constexpr std::array<uint32_t, 6> kAllowed = {__NR_exit_group,      __NR_exit,
                                                __NR_rt_sigreturn,    __NR_clock_gettime,
                                                __NR_clock_nanosleep, __NR_nanosleep};
  std::array<sock_filter, 5 + 2 * kAllowed.size()> code;
  size_t n = 0;
  code[n++] = BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, arch));
  code[n++] = BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, kArch, 1, 0);
  code[n++] = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP);
  code[n++] = BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr));
  for (const uint32_t number : kAllowed) {
    code[n++] = BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1);
    code[n++] = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
  }
  code[n++] = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP);

  struct sigaction action{};
  action.sa_sigaction = OnTrap;
  action.sa_flags = SA_SIGINFO | SA_NODEFER;
  if (sigaction(SIGSYS, &action, nullptr) != 0) return errno;
  const sock_fprog program = {static_cast<unsigned short>(n), code.data()};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return errno;
  return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0 ? 0 : errno;
}

}  // namespace

StatusOr<SyscallCount> CountSyscalls(const std::function<void()>& fn) {
  if (!kRtCounting) {
    fn();
    return SyscallCount();
  }
  void* shared =
      mmap(nullptr, sizeof(Report), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED) return ErrnoStatus(errno, "shared memory", "cannot map");
  report = new (shared) Report;
  const pid_t child = fork();
  if (child < 0) {
    munmap(shared, sizeof(Report));
    return ErrnoStatus(errno, "process", "cannot fork");
  }
  if (child == 0) {
    const int error = InstallFilter();
    report->filter_error.store(error);
    if (error == 0) {
      fn();
      report->finished.store(true);
    }
    _exit(0);
  }
  int state = 0;
  while (waitpid(child, &state, 0) < 0 && errno == EINTR) {
  }
  const SyscallCount result{report->calls.load(), report->first.load()};
  const int error = report->filter_error.load();
  const bool finished = report->finished.load();
  munmap(shared, sizeof(Report));
  if (error != 0) return ErrnoStatus(error, "seccomp", "cannot install the filter");
  if (!finished) {
    return absl::UnavailableError(Cat("the traced function died (wait status ", state, ") after ",
                                      result.calls, " system calls"));
  }
  return result;
}

}  // namespace saferl
