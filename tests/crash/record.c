// LD_PRELOAD library: writes down, in order, what a program does to the files of one directory tree
// (RECORD_DIRECTORY) and what it acknowledges (bytes written to the descriptor ACK_FD), into the
// file RECORD_TRACE. disk.h makes of it what a disk may hold after a power cut.
//
// The calls run as always, one at a time; only syncs return at once: the disk is never really cut,
// so that waiting for it would prove nothing. What is not recorded (stdio's own calls, for example)
// shows when the whole trace is compared with the directory.
//
// Record: u8 op, u64 inode, u64 a, u64 b, u32 size, bytes.
//   C create file (inode; a = directory; bytes = name)   D make directory (the same)
//   W write (a = offset)   T set size (a)   M mapped for writing: content unknown
//   S sync   R rename (a = from directory, b = to directory; bytes = from NUL to)
//   L link (a = directory)   U unlink (a = directory)   A acknowledgement
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static int trace = -1;
static int ack_fd = -1;
static char root[PATH_MAX];
static size_t root_size;

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static void Die(const char* what) {
  (void)!syscall(SYS_write, 2, what, strlen(what));
  _exit(97);
}

__attribute__((constructor)) static void Begin(void) {
  const char* directory = getenv("RECORD_DIRECTORY");
  const char* path = getenv("RECORD_TRACE");
  const char* ack = getenv("ACK_FD");
  if (!directory || !path || !ack) return;
  if (!realpath(directory, root)) Die("record: RECORD_DIRECTORY does not exist\n");
  root_size = strlen(root);
  ack_fd = atoi(ack);
  trace = (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (trace < 0) Die("record: cannot open RECORD_TRACE\n");
  unsetenv("LD_PRELOAD");  // its own children are not meant
}

static void Put(const void* data, size_t size) {
  const char* at = data;
  while (size > 0) {
    const long n = syscall(SYS_write, trace, at, size);
    if (n <= 0) Die("record: cannot write the trace\n");
    at += n;
    size -= (size_t)n;
  }
}

static void Emit(uint8_t op, uint64_t inode, uint64_t a, uint64_t b, const void* data,
                 size_t size) {
  const int saved = errno;
  char head[29];
  const uint32_t length = (uint32_t)size;
  head[0] = (char)op;
  memcpy(head + 1, &inode, 8);
  memcpy(head + 9, &a, 8);
  memcpy(head + 17, &b, 8);
  memcpy(head + 25, &length, 4);
  Put(head, sizeof head);
  Put(data, size);
  errno = saved;
}

static int Within(const char* path) {
  return strncmp(path, root, root_size) == 0 && (path[root_size] == 0 || path[root_size] == '/');
}

static int Recorded(int fd) {
  if (trace < 0 || fd < 0) return 0;
  const int saved = errno;
  char link[40], path[PATH_MAX];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  const ssize_t n = readlink(link, path, sizeof path - 1);
  errno = saved;
  if (n <= 0) return 0;
  path[n] = 0;
  return Within(path);
}

static uint64_t InodeOf(int fd) {
  struct stat info;
  if (fstat(fd, &info) != 0) Die("record: cannot inspect a file\n");
  return info.st_ino;
}

// A path as its directory's inode and its last name. 0 when it is not within the recorded tree.
struct Place {
  uint64_t directory;
  uint64_t inode;  // 0: nothing is there
  char name[NAME_MAX + 1];
};

static int Find(int at, const char* path, struct Place* place) {
  if (trace < 0) return 0;
  const int saved = errno;
  char whole[PATH_MAX], parent[PATH_MAX];
  if (path[0] == '/' || at == AT_FDCWD) {
    snprintf(whole, sizeof whole, "%s", path);
  } else {
    snprintf(whole, sizeof whole, "/proc/self/fd/%d/%s", at, path);
  }
  char* slash = strrchr(whole, '/');
  const char* name = slash ? slash + 1 : whole;
  if (strlen(name) > NAME_MAX) return 0;  // the call itself will refuse it
  memcpy(place->name, name, strlen(name) + 1);
  if (slash) *slash = 0;
  struct stat info;
  int found = 0;
  if (realpath(slash ? (slash == whole ? "/" : whole) : ".", parent) && Within(parent) &&
      stat(parent, &info) == 0) {
    place->directory = info.st_ino;
    char full[2 * PATH_MAX];
    snprintf(full, sizeof full, "%s/%s", parent, place->name);
    place->inode = lstat(full, &info) == 0 ? info.st_ino : 0;
    found = 1;
  }
  errno = saved;
  return found;
}

static int Open(int at, const char* path, int flags, mode_t mode) {
  struct Place place;
  if (trace < 0) return (int)syscall(SYS_openat, at, path, flags, mode);
  pthread_mutex_lock(&mutex);
  const int here = Find(at, path, &place);
  if (here && ((flags & O_TMPFILE) == O_TMPFILE || (flags & (O_SYNC | O_DSYNC)))) {
    Die("record: O_TMPFILE, O_SYNC and O_DSYNC are not known here\n");
  }
  const int fd = (int)syscall(SYS_openat, at, path, flags, mode);
  if (!here) {
    // Elsewhere: nothing to write down.
  } else if (fd >= 0 && place.inode == 0) {
    Emit('C', InodeOf(fd), place.directory, 0, place.name, strlen(place.name));
  } else if (fd >= 0 && (flags & O_TRUNC)) {
    Emit('T', InodeOf(fd), 0, 0, "", 0);
  }
  pthread_mutex_unlock(&mutex);
  return fd;
}

#define MODE()                   \
  mode_t mode = 0;               \
  if (flags & O_CREAT) {         \
    va_list list;                \
    va_start(list, flags);       \
    mode = va_arg(list, mode_t); \
    va_end(list);                \
  }

int open(const char* path, int flags, ...) {
  MODE();
  return Open(AT_FDCWD, path, flags, mode);
}
int open64(const char* path, int flags, ...) {
  MODE();
  return Open(AT_FDCWD, path, flags, mode);
}
int openat(int at, const char* path, int flags, ...) {
  MODE();
  return Open(at, path, flags, mode);
}
int openat64(int at, const char* path, int flags, ...) {
  MODE();
  return Open(at, path, flags, mode);
}
int creat(const char* path, mode_t mode) {
  return Open(AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC, mode);
}

static void Wrote(int fd, ssize_t n, const struct iovec* parts, int count, off_t at) {
  uint64_t inode = InodeOf(fd);
  for (int i = 0; i < count && n > 0; ++i) {
    const size_t size = parts[i].iov_len < (size_t)n ? parts[i].iov_len : (size_t)n;
    Emit('W', inode, (uint64_t)at, 0, parts[i].iov_base, size);
    at += (off_t)size;
    n -= (ssize_t)size;
  }
}

ssize_t write(int fd, const void* data, size_t size) {
  if (trace >= 0 && fd == ack_fd) {
    pthread_mutex_lock(&mutex);
    Emit('A', 0, 0, 0, data, size);
    pthread_mutex_unlock(&mutex);
    return (ssize_t)size;
  }
  if (!Recorded(fd)) return syscall(SYS_write, fd, data, size);
  pthread_mutex_lock(&mutex);
  const ssize_t n = syscall(SYS_write, fd, data, size);
  const struct iovec part = {(void*)data, size};
  if (n > 0) Wrote(fd, n, &part, 1, lseek(fd, 0, SEEK_CUR) - n);
  pthread_mutex_unlock(&mutex);
  return n;
}
ssize_t writev(int fd, const struct iovec* parts, int count) {
  if (!Recorded(fd)) return syscall(SYS_writev, fd, parts, count);
  pthread_mutex_lock(&mutex);
  const ssize_t n = syscall(SYS_writev, fd, parts, count);
  if (n > 0) Wrote(fd, n, parts, count, lseek(fd, 0, SEEK_CUR) - n);
  pthread_mutex_unlock(&mutex);
  return n;
}
ssize_t pwrite(int fd, const void* data, size_t size, off_t at) {
  if (!Recorded(fd)) return syscall(SYS_pwrite64, fd, data, size, at);
  pthread_mutex_lock(&mutex);
  const ssize_t n = syscall(SYS_pwrite64, fd, data, size, at);
  const struct iovec part = {(void*)data, size};
  if (n > 0) Wrote(fd, n, &part, 1, at);
  pthread_mutex_unlock(&mutex);
  return n;
}
ssize_t pwrite64(int fd, const void* data, size_t size, off_t at) {
  return pwrite(fd, data, size, at);
}
ssize_t pwritev(int fd, const struct iovec* parts, int count, off_t at) {
  if (!Recorded(fd)) return REAL(pwritev)(fd, parts, count, at);
  pthread_mutex_lock(&mutex);
  const ssize_t n = REAL(pwritev)(fd, parts, count, at);
  if (n > 0) Wrote(fd, n, parts, count, at);
  pthread_mutex_unlock(&mutex);
  return n;
}

int ftruncate(int fd, off_t size) {
  const int recorded = Recorded(fd);
  pthread_mutex_lock(&mutex);
  const int result = (int)syscall(SYS_ftruncate, fd, size);
  if (recorded && result == 0) Emit('T', InodeOf(fd), (uint64_t)size, 0, "", 0);
  pthread_mutex_unlock(&mutex);
  return result;
}
int ftruncate64(int fd, off_t size) { return ftruncate(fd, size); }
int posix_fallocate(int fd, off_t at, off_t size) {
  struct stat info;
  if (fstat(fd, &info) != 0) return errno;
  return at + size <= info.st_size || ftruncate(fd, at + size) == 0 ? 0 : errno;
}
int posix_fallocate64(int fd, off_t at, off_t size) { return posix_fallocate(fd, at, size); }
int fallocate(int fd, int mode, off_t at, off_t size) {
  if (Recorded(fd) && mode != 0) Die("record: this mode of fallocate is not known here\n");
  return (int)syscall(SYS_fallocate, fd, mode, at, size) == 0 && Recorded(fd)
             ? posix_fallocate(fd, at, size)
             : -1;
}

static int Sync(int fd) {
  if (!Recorded(fd)) return 0;
  pthread_mutex_lock(&mutex);
  Emit('S', InodeOf(fd), 0, 0, "", 0);
  pthread_mutex_unlock(&mutex);
  return 0;
}
int fsync(int fd) { return Sync(fd); }
int fdatasync(int fd) { return Sync(fd); }

void* mmap(void* where, size_t size, int protection, int flags, int fd, off_t at) {
  if (fd >= 0 && (flags & MAP_SHARED) && (protection & PROT_WRITE) && Recorded(fd)) {
    pthread_mutex_lock(&mutex);
    Emit('M', InodeOf(fd), 0, 0, "", 0);
    pthread_mutex_unlock(&mutex);
  }
  return (void*)syscall(SYS_mmap, where, size, protection, flags, fd, at);
}
void* mmap64(void* where, size_t size, int protection, int flags, int fd, off_t at) {
  return mmap(where, size, protection, flags, fd, at);
}

int renameat2(int from_at, const char* from, int to_at, const char* to, unsigned flags) {
  struct Place a, b;
  pthread_mutex_lock(&mutex);
  const int from_here = Find(from_at, from, &a), to_here = Find(to_at, to, &b);
  if (from_here != to_here || (from_here && (flags & ~(unsigned)RENAME_NOREPLACE))) {
    Die("record: a rename across the edge of the recorded tree, or an exchange\n");
  }
  const int result = (int)syscall(SYS_renameat2, from_at, from, to_at, to, flags);
  if (result == 0 && from_here) {
    char names[2 * NAME_MAX + 2];
    const size_t first = strlen(a.name) + 1, second = strlen(b.name);
    memcpy(names, a.name, first);
    memcpy(names + first, b.name, second);
    Emit('R', a.inode, a.directory, b.directory, names, first + second);
  }
  pthread_mutex_unlock(&mutex);
  return result;
}
int renameat(int from_at, const char* from, int to_at, const char* to) {
  return renameat2(from_at, from, to_at, to, 0);
}
int rename(const char* from, const char* to) { return renameat2(AT_FDCWD, from, AT_FDCWD, to, 0); }

int unlinkat(int at, const char* path, int flags) {
  struct Place place;
  pthread_mutex_lock(&mutex);
  const int here = Find(at, path, &place);
  const int result = (int)syscall(SYS_unlinkat, at, path, flags);
  if (result == 0 && here) {
    Emit('U', place.inode, place.directory, 0, place.name, strlen(place.name));
  }
  pthread_mutex_unlock(&mutex);
  return result;
}
int unlink(const char* path) { return unlinkat(AT_FDCWD, path, 0); }
int rmdir(const char* path) { return unlinkat(AT_FDCWD, path, AT_REMOVEDIR); }
int remove(const char* path) { return unlink(path) == 0 ? 0 : errno == EISDIR ? rmdir(path) : -1; }

int mkdirat(int at, const char* path, mode_t mode) {
  struct Place place;
  pthread_mutex_lock(&mutex);
  const int here = Find(at, path, &place);
  const int result = (int)syscall(SYS_mkdirat, at, path, mode);
  if (result == 0 && here && Find(at, path, &place)) {
    Emit('D', place.inode, place.directory, 0, place.name, strlen(place.name));
  }
  pthread_mutex_unlock(&mutex);
  return result;
}
int mkdir(const char* path, mode_t mode) { return mkdirat(AT_FDCWD, path, mode); }

int linkat(int from_at, const char* from, int to_at, const char* to, int flags) {
  struct Place place;
  pthread_mutex_lock(&mutex);
  const int result = (int)syscall(SYS_linkat, from_at, from, to_at, to, flags);
  if (result == 0 && Find(to_at, to, &place)) {
    Emit('L', place.inode, place.directory, 0, place.name, strlen(place.name));
  }
  pthread_mutex_unlock(&mutex);
  return result;
}
int link(const char* from, const char* to) { return linkat(AT_FDCWD, from, AT_FDCWD, to, 0); }
