#include "saferl/control/rt_settings.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "saferl/base/text.h"

namespace saferl::control {

namespace {

/// Turns a refusal into an error or a warning.
Status Refused(Requirement requirement, int error, const char* what, const char* next,
               RtGranted* granted) {
  const std::string text = Cat(what, ": ", std::strerror(error), "; ", next);
  if (requirement == Requirement::kRequire) return absl::PermissionDeniedError(text);
  granted->warnings.push_back(text);
  return absl::OkStatus();
}

}  // namespace

std::string RtGranted::Text() const {
  return Cat(
      "scheduling ", fifo_priority > 0 ? Cat("fifo ", fifo_priority) : std::string("ordinary"),
      ", memory ", memory_locked ? "locked" : "not locked", ", processor ",
      processor >= 0 ? Cat(processor) : std::string("any"), awake ? ", idle processors awake" : "");
}

StatusOr<RtGranted> ApplyRtSettings(const RtSettings& settings) {
  RtGranted granted;
  if (settings.affinity != Requirement::kOff) {
    cpu_set_t set;
    CPU_ZERO(&set);
    const bool possible = settings.processor >= 0 && settings.processor < CPU_SETSIZE;
    if (possible) CPU_SET(static_cast<size_t>(settings.processor), &set);
    const int error = possible ? pthread_setaffinity_np(pthread_self(), sizeof set, &set) : EINVAL;
    if (error == 0) {
      granted.processor = settings.processor;
    } else {
      SAFERL_RETURN_IF_ERROR(Refused(settings.affinity, error, "realtime.affinity",
                                     "choose a processor that this machine has, or 'affinity: off'",
                                     &granted));
    }
  }
  if (settings.lock_memory != Requirement::kOff) {
    if (mlockall(MCL_CURRENT | MCL_FUTURE) == 0) {
      granted.memory_locked = true;
    } else {
      SAFERL_RETURN_IF_ERROR(
          Refused(settings.lock_memory, errno, "realtime.lock_memory",
                  "raise 'ulimit -l' or grant CAP_IPC_LOCK, or 'lock_memory: warn'", &granted));
    }
  }
  if (settings.fifo != Requirement::kOff) {
    sched_param parameter{};
    parameter.sched_priority = settings.fifo_priority;
    const int error = pthread_setschedparam(pthread_self(), SCHED_FIFO, &parameter);
    if (error == 0) {
      granted.fifo_priority = settings.fifo_priority;
    } else {
      SAFERL_RETURN_IF_ERROR(Refused(settings.fifo, error, "realtime.fifo",
                                     "raise 'ulimit -r' or grant CAP_SYS_NICE, or 'fifo: warn'",
                                     &granted));
    }
  }
  if (settings.awake != Requirement::kOff) {
    // The kernel keeps the promise for as long as the descriptor is open: it is never closed.
    const int fd = open("/dev/cpu_dma_latency", O_WRONLY | O_CLOEXEC);
    const int32_t latency_us = 0;
    if (fd >= 0 && write(fd, &latency_us, sizeof latency_us) == sizeof latency_us) {
      granted.awake = true;
    } else {
      const int error = errno;
      if (fd >= 0) close(fd);
      SAFERL_RETURN_IF_ERROR(Refused(settings.awake, error, "realtime.awake",
                                     "grant write access to /dev/cpu_dma_latency, or 'awake: off'",
                                     &granted));
    }
  }
  return granted;
}

}  // namespace saferl::control
