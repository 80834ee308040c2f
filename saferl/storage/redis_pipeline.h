#pragma once
// Many threads, one connection to Redis: whoever finds it free sends all commands that wait in one
// write and hands out the answers; the others wait for theirs. A breaker answers while the server
// is away, and connects again by itself.
//
// Waiting is bounded: the exchange under way, then one's own, each at most timeout_s for connecting
// and timeout_s for the answers. A command whose answer did not come may have run. RT: no.

#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "saferl/storage/breaker.h"
#include "saferl/storage/redis_connection.h"

namespace saferl::storage {

class RedisPipeline {
 public:
  explicit RedisPipeline(const RedisAddress* address);
  /// `commands` as RESP that yields `count` answers.
  StatusOr<std::vector<RespValue>> Call(std::string commands, size_t count);

 private:
  struct Waiting {
    std::string commands;
    size_t count = 0;
    std::vector<RespValue> answers = {};
    Status status = absl::OkStatus();
    bool done = false;
  };
  Status Exchange(const std::vector<Waiting*>& batch);

  const RedisAddress* const address_;
  std::mutex mutex_;
  std::condition_variable done_;
  std::vector<Waiting*> waiting_;
  bool busy_ = false;  ///< somebody exchanges; the members below are theirs
  std::unique_ptr<RedisConnection> connection_;
  Breaker breaker_;
  Status last_failure_;
};

}  // namespace saferl::storage
