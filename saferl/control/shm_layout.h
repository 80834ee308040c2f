/* Shared memory between saferl_rt, the robot's driver and everyone else on this machine. C11 and
 * C++. After the channels follows the decision stream: a ring of everything that each tick knew and
 * sent, for whoever judges or records it (saferl/control/monitor_link.h).
 *
 * One file (by custom in /dev/shm), created by saferl_rt, mapped by the others. It holds one header
 * and six channels, each with one writer and any number of readers that never make it wait:
 *
 * - observation: the robot's driver to saferl_rt
 * - human: stick or keys to saferl_rt
 * - goals: a user interface to saferl_rt
 * - proposal: another process' policy to saferl_rt
 * - request: the safety monitor to saferl_rt
 * - command: saferl_rt to the driver, and to whoever watches
 *
 * A channel is a sequence lock: even = stable, odd = being written. A writer that dies half-way
 * leaves it odd: readers keep their last good copy, which grows stale, which ends in a stop. A
 * reader may also sleep until the next record; a writer wakes it, which is the only system call of
 * `put`, made only while somebody sleeps on that channel.
 *
 * Units: SI; stamps are ns of CLOCK_MONOTONIC. Little endian, natural alignment;
 * docs/formats/shared_memory.md. RT: all functions but attach: yes (bounded, no lock). A receiver
 * of commands brakes by itself once saferl_valid() says no: see examples/robot_driver.c.
 */
#pragma once

#if !defined(__cplusplus) && !defined(_DEFAULT_SOURCE)
#define _DEFAULT_SOURCE /* include this header first */
#endif

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
  SAFERL_SHM_VERSION = 3,
  SAFERL_MAX_DOF = 8,
  SAFERL_MAX_PARTS = 32,
  SAFERL_MAX_LIDAR = 360,
  SAFERL_MAX_GOALS = 8,
  SAFERL_STREAM_SLOTS = 512
};
#define SAFERL_SHM_MAGIC 0x314d48534c464153ULL /* "SAFLSHM1" */

/* Modes, in order of severity: saferl/safety/mode.h. */
enum {
  SAFERL_NOMINAL,
  SAFERL_DEGRADED,
  SAFERL_HOLD,
  SAFERL_CONTROLLED_STOP,
  SAFERL_PROTECTIVE_STOP
};

typedef struct saferl_part {   /* one measured body part: a capsule in the world frame */
  double a[3], b[3], radius_m; /* [m] */
  int64_t stamp_ns;
  uint8_t region; /* saferl::robot::Region; 0 = pedestrian */
  uint8_t person;
  uint16_t track;
  uint32_t reserved;
} saferl_part;

typedef struct saferl_observation {
  int64_t stamp_ns;
  uint64_t sequence; /* grows by one with every record */
  int64_t state_stamp_ns;
  double q[SAFERL_MAX_DOF], qd[SAFERL_MAX_DOF];
  double interaction[SAFERL_MAX_DOF]; /* exoskeleton [Nm] */
  int64_t people_stamp_ns, lidar_stamp_ns;
  int32_t n_parts, n_lidar;
  saferl_part parts[SAFERL_MAX_PARTS];
  float lidar_m[SAFERL_MAX_LIDAR]; /* beam i at -pi + 2 pi i / n_lidar; +inf = nothing */
} saferl_observation;

typedef struct saferl_human {
  int64_t stamp_ns;
  uint64_t sequence;
  double u[SAFERL_MAX_DOF]; /* in the robot's command unit */
  uint8_t enabled, stop, acknowledge, reserved[5];
} saferl_human;

typedef struct saferl_goals {
  int32_t n, reserved;
  double p[SAFERL_MAX_GOALS][3]; /* [m] */
} saferl_goals;

typedef struct saferl_proposal {
  int64_t stamp_ns;
  double u[SAFERL_MAX_DOF];
  uint8_t present, reserved[7];
} saferl_proposal;

typedef struct saferl_request {
  int64_t stamp_ns;       /* when it was written */
  int64_t lease_until_ns; /* the robot may move until then; never longer than its own lease_s */
  uint8_t stop, reserved[7];
} saferl_request;

typedef struct saferl_command {
  int64_t issued_ns, valid_for_ns;
  uint64_t sequence;
  uint64_t observation_sequence; /* the observation that it answers */
  double u[SAFERL_MAX_DOF];
  double authority; /* the policy's share, [0, 1] */
  uint8_t mode, reason, intervened, reserved[5];
} saferl_command;

typedef struct saferl_decision { /* one tick: what it knew, what it sent, and why */
  uint64_t index;                /* position in the stream, from 1 */
  int64_t now_ns;
  uint64_t sequence; /* of the tick */
  uint64_t policy_id;
  uint8_t stop_requested, lease_ok, gate_passed, policy_used;
  uint8_t proof, filter_reason, reserved[2]; /* saferl/safety/filter.h */
  saferl_human human;
  saferl_command command;
  saferl_observation observation;
} saferl_decision;

#ifdef __cplusplus
#define SAFERL_ALIGN_64 alignas(64)
#else
#define SAFERL_ALIGN_64 _Alignas(64)
#endif
#define SAFERL_CHANNEL(type)       \
  struct {                         \
    SAFERL_ALIGN_64 uint64_t lock; \
    uint32_t sleepers, reserved0;  \
    uint64_t reserved[6];          \
    type value;                    \
  }

typedef struct saferl_shm {
  uint64_t magic; /* written last by the creator */
  uint32_t version, size;
  char robot[32]; /* zero-terminated */
  uint32_t kind, n;
  uint64_t period_ns;
  int64_t creator_pid;
  uint64_t reserved[7];
  SAFERL_CHANNEL(saferl_observation) observation;
  SAFERL_CHANNEL(saferl_human) human;
  SAFERL_CHANNEL(saferl_goals) goals;
  SAFERL_CHANNEL(saferl_proposal) proposal;
  SAFERL_CHANNEL(saferl_request) request;
  SAFERL_CHANNEL(saferl_command) command;
  /* Decision i lies in slot[i % SAFERL_STREAM_SLOTS] until decision i + SAFERL_STREAM_SLOTS. */
  SAFERL_ALIGN_64 uint64_t decisions; /* how many were ever written */
  uint64_t reserved_stream[7];
  SAFERL_CHANNEL(saferl_decision) slot[SAFERL_STREAM_SLOTS];
} saferl_shm;

/* How many sleep on the channel of this lock. */
static inline uint32_t* saferl_shm_sleepers(uint64_t* lock) { return (uint32_t*)(lock + 1); }

/* Writer of a channel: lock, copy, unlock, wake. `size` is a multiple of 8. Each word is released
 * after the odd lock, so that a reader who got a new word (acquire) also sees the odd or a newer
 * lock at its second look: no fence is needed. Unlocking and looking for sleepers is one order with
 * a sleeper's counting itself and the kernel's look at the lock: none sleeps through a record. */
static inline void saferl_shm_put(uint64_t* lock, void* to, const void* from, size_t size) {
  const uint64_t odd = __atomic_load_n(lock, __ATOMIC_RELAXED) | 1u;
  __atomic_store_n(lock, odd, __ATOMIC_RELAXED);
  for (size_t i = 0; i < size; i += 8) {
    uint64_t word;
    memcpy(&word, (const char*)from + i, 8);
    __atomic_store_n((uint64_t*)((char*)to + i), word, __ATOMIC_RELEASE);
  }
  __atomic_store_n(lock, odd + 1, __ATOMIC_SEQ_CST);
  if (__atomic_load_n(saferl_shm_sleepers(lock), __ATOMIC_SEQ_CST) != 0)
    syscall(SYS_futex, lock, FUTEX_WAKE, INT32_MAX, NULL, NULL, 0);
}

/* Reader of a channel: 1 = `to` holds a whole value; 0 = never written, or torn in all three
 * attempts. */
static inline int saferl_shm_get(const uint64_t* lock, const void* from, void* to, size_t size) {
  for (int attempt = 0; attempt < 3; ++attempt) {
    const uint64_t before = __atomic_load_n(lock, __ATOMIC_ACQUIRE);
    if (before == 0 || (before & 1u)) continue;
    for (size_t i = 0; i < size; i += 8) {
      const uint64_t word =
          __atomic_load_n((const uint64_t*)((const char*)from + i), __ATOMIC_ACQUIRE);
      memcpy((char*)to + i, &word, 8);
    }
    if (__atomic_load_n(lock, __ATOMIC_RELAXED) == before) return 1;
  }
  return 0;
}

/* The clock of every stamp. */
static inline int64_t saferl_now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

/* Tells the processor that this is a loop that waits. */
static inline void saferl_shm_relax(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

/* Waits for a record after the one with lock `seen`: spins for `spin_ns`, then sleeps in the
 * kernel. 1: it is there; 0: not until `until_ns`, or a signal came. A sleeper that dies costs the
 * writer a needless wake (0.2 us) with each record from then on, nothing else. */
static inline int saferl_shm_wait(uint64_t* lock, uint64_t seen, int64_t spin_ns,
                                  int64_t until_ns) {
  int64_t start = 0;
  int signalled = 0;
  for (;;) {
    uint64_t at = 0;
    for (int look = 0; look < 32; ++look) { /* a look is cheaper than the clock */
      at = __atomic_load_n(lock, __ATOMIC_ACQUIRE);
      if (at != seen && !(at & 1u)) return 1;
      if (spin_ns > 0) saferl_shm_relax();
    }
    const int64_t now = saferl_now_ns();
    if (start == 0) start = now;
    if (signalled || now >= until_ns) return 0;
    if (now - start < spin_ns) continue;
    struct timespec until;
    until.tv_sec = until_ns / INT64_C(1000000000);
    until.tv_nsec = until_ns % INT64_C(1000000000);
    __atomic_fetch_add(saferl_shm_sleepers(lock), 1, __ATOMIC_SEQ_CST);
    signalled = syscall(SYS_futex, lock, FUTEX_WAIT_BITSET, (uint32_t)at, &until, NULL,
                        FUTEX_BITSET_MATCH_ANY) != 0 &&
                errno == EINTR;
    __atomic_fetch_sub(saferl_shm_sleepers(lock), 1, __ATOMIC_SEQ_CST);
  }
}

/* SAFERL_PUT(shm, human, &value); ok = SAFERL_GET(shm, command, &value). `get` may leave a torn
 * value on 0. */
#define SAFERL_PUT(shm, channel, from) \
  saferl_shm_put(&(shm)->channel.lock, &(shm)->channel.value, (from), sizeof((shm)->channel.value))
#define SAFERL_GET(shm, channel, to) \
  saferl_shm_get(&(shm)->channel.lock, &(shm)->channel.value, (to), sizeof((shm)->channel.value))

/* Sleeps until then, for a loop of a fixed period. */
static inline void saferl_sleep_until(int64_t at_ns) {
  const struct timespec at = {at_ns / INT64_C(1000000000), at_ns % INT64_C(1000000000)};
  clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
}

/* seen = SAFERL_SEEN(shm, command); ...; SAFERL_WAIT(shm, command, seen, spin_ns, until_ns). */
#define SAFERL_SEEN(shm, channel) __atomic_load_n(&(shm)->channel.lock, __ATOMIC_ACQUIRE)
#define SAFERL_WAIT(shm, channel, seen, spin_ns, until_ns) \
  saferl_shm_wait(&(shm)->channel.lock, (seen), (spin_ns), (until_ns))

/* Whether a command may still be obeyed. Written so that no stamp can overflow: an age outside of
 * [0, valid_for_ns] is not valid. */
static inline int saferl_valid(const saferl_command* command) {
  const int64_t age = (int64_t)((uint64_t)saferl_now_ns() - (uint64_t)command->issued_ns);
  return age >= 0 && age <= command->valid_for_ns;
}

/* Maps the file that saferl_rt created. NULL with errno: ENOENT (not started), EPROTO (another
 * layout). */
static inline saferl_shm* saferl_shm_attach(const char* path) {
  const int fd = open(path, O_RDWR | O_CLOEXEC);
  struct stat status;
  if (fd < 0) return NULL;
  if (fstat(fd, &status) != 0 || status.st_size != (off_t)sizeof(saferl_shm)) {
    close(fd);
    errno = EPROTO;
    return NULL;
  }
  void* at = mmap(NULL, sizeof(saferl_shm), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  close(fd);
  if (at == MAP_FAILED) return NULL;
  saferl_shm* shm = (saferl_shm*)at;
  if (__atomic_load_n(&shm->magic, __ATOMIC_ACQUIRE) != SAFERL_SHM_MAGIC ||
      shm->version != SAFERL_SHM_VERSION || shm->size != sizeof(saferl_shm)) {
    munmap(at, sizeof(saferl_shm));
    errno = EPROTO;
    return NULL;
  }
  return shm;
}

#ifdef __cplusplus
} /* extern "C" */
#endif
