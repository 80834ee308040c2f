#pragma once
// Subscriptions in Redis, on a connection and a thread of their own. When the connection breaks
// they are made again by themselves, with backoff; what was published meanwhile is lost.
//
// Add returns once the server has confirmed the channel, and its receiver hears what came after
// that. A server that no longer answers is noticed within three times timeout_s. RT: no.

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

#include "saferl/storage/redis_connection.h"
#include "saferl/storage/subscribers.h"

namespace saferl::storage {

class RedisListener {
 public:
  explicit RedisListener(const RedisAddress* address);
  ~RedisListener();
  RedisListener(const RedisListener&) = delete;
  RedisListener& operator=(const RedisListener&) = delete;

  StatusOr<std::unique_ptr<Cache::Subscription>> Add(std::string_view channel,
                                                     Subscribers::Receive receive);

 private:
  /// A command that the server has not answered yet, and who waits for that.
  struct Pending {
    std::string channel;
    Subscribers::Listeners listeners;
  };
  void Command(std::string_view command, const std::string& channel,
               Subscribers::Listeners listeners);
  void Unsubscribe(const std::string& channel);
  void Wake() const;
  void Run();
  Status Listen(RedisConnection* connection);
  void Take(const RespValue& push);

  const RedisAddress* const address_;
  const int wake_fd_;
  Subscribers subscribers_;

  std::mutex mutex_;
  std::condition_variable changed_;
  bool stop_ = false;
  bool connected_ = false;       ///< changes are commands; else they are made when connecting
  std::string outgoing_;         ///< commands for the thread to send
  std::deque<Pending> pending_;  ///< in the order of the commands
  Status last_failure_;
  std::thread thread_;
};

}  // namespace saferl::storage
