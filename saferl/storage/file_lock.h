#pragma once
// A lock between programs: one holder of a file at a time. Gone when its program is, however that
// ended. RT: no. Source: flock(2).

#include <memory>
#include <string>

#include "saferl/base/status.h"

namespace saferl::storage {

class FileLock {
 public:
  /// Opens or makes the file, for its owner only.
  static StatusOr<std::unique_ptr<FileLock>> Open(const std::string& path);
  ~FileLock();
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;

  /// Waits at most wait_s, then kUnavailable.
  Status Acquire(double wait_s);
  void Release();

 private:
  FileLock(std::string path, int fd) : path_(std::move(path)), fd_(fd) {}
  const std::string path_;
  const int fd_;
};

}  // namespace saferl::storage
