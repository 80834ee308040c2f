#include "saferl/base/rt_guard/rt_guard.h"

#include <dlfcn.h>
#include <pthread.h>
#include <sys/resource.h>

#include <cerrno>
#include <cstddef>
#include <cstdlib>

namespace saferl {
namespace {

// Initial-exec: reading them must never allocate.
[[gnu::tls_model("initial-exec")]] thread_local bool counting = false;
[[gnu::tls_model("initial-exec")]] thread_local int64_t allocations = 0;
[[gnu::tls_model("initial-exec")]] thread_local int64_t frees = 0;
[[gnu::tls_model("initial-exec")]] thread_local int64_t locks = 0;

int64_t PageFaults() {
  rusage usage{};
  getrusage(RUSAGE_THREAD, &usage);
  return usage.ru_minflt + usage.ru_majflt;
}

}  // namespace

RtScope::RtScope(RtCounts* counts) : counts_(counts), faults_before_(PageFaults()) {
  allocations = frees = locks = 0;
  counting = true;
}

RtScope::~RtScope() {
  counting = false;
  counts_->allocations += allocations;
  counts_->frees += frees;
  counts_->locks += locks;
  // A sanitizer's shadow memory faults wherever the program touches its own: not the code's faults.
  if (kRtCounting) counts_->page_faults += PageFaults() - faults_before_;
}

}  // namespace saferl

#ifndef SAFERL_SANITIZED

namespace {

void CountAllocation() {
  if (saferl::counting) ++saferl::allocations;
}

void CountLock() {
  if (saferl::counting) ++saferl::locks;
}

template <class Function>
Function* Next(const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

}  // namespace

// glibc's own names for the allocator; these definitions stand in front of it for the whole
// program.
extern "C" {
void* __libc_malloc(size_t size);
void* __libc_calloc(size_t count, size_t size);
void* __libc_realloc(void* old, size_t size);
void* __libc_memalign(size_t alignment, size_t size);
void __libc_free(void* pointer);

void* malloc(size_t size) {
  CountAllocation();
  return __libc_malloc(size);
}

void* calloc(size_t count, size_t size) {
  CountAllocation();
  return __libc_calloc(count, size);
}

void* realloc(void* old, size_t size) {
  CountAllocation();
  return __libc_realloc(old, size);
}

void* memalign(size_t alignment, size_t size) {
  CountAllocation();
  return __libc_memalign(alignment, size);
}

void* aligned_alloc(size_t alignment, size_t size) {
  CountAllocation();
  return __libc_memalign(alignment, size);
}

int posix_memalign(void** result, size_t alignment, size_t size) {
  CountAllocation();
  *result = __libc_memalign(alignment, size);
  return *result == nullptr ? ENOMEM : 0;
}

void free(void* pointer) {
  if (saferl::counting && pointer != nullptr) ++saferl::frees;
  __libc_free(pointer);
}

int pthread_mutex_lock(pthread_mutex_t* mutex) noexcept {
  static auto* const next = Next<int(pthread_mutex_t*)>("pthread_mutex_lock");
  CountLock();
  return next(mutex);
}

int pthread_mutex_trylock(pthread_mutex_t* mutex) noexcept {
  static auto* const next = Next<int(pthread_mutex_t*)>("pthread_mutex_trylock");
  CountLock();
  return next(mutex);
}

int pthread_rwlock_rdlock(pthread_rwlock_t* lock) noexcept {
  static auto* const next = Next<int(pthread_rwlock_t*)>("pthread_rwlock_rdlock");
  CountLock();
  return next(lock);
}

int pthread_rwlock_wrlock(pthread_rwlock_t* lock) noexcept {
  static auto* const next = Next<int(pthread_rwlock_t*)>("pthread_rwlock_wrlock");
  CountLock();
  return next(lock);
}
}  // extern "C"

#endif  // SAFERL_SANITIZED
