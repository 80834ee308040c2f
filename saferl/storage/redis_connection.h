#pragma once
// One connection to Redis: connects, authenticates, asks, reads. Every wait is bounded.
//
// Not thread-safe. After an error the connection is useless. Errors: kUnavailable (no answer in
// time as well), kPermissionDenied (ACL). RT: no.

#include <memory>
#include <string>
#include <string_view>

#include "saferl/net/client_stream.h"
#include "saferl/storage/cache.h"
#include "saferl/storage/resp.h"

namespace saferl::storage {

/// How to reach a server; made once, checked at once.
class RedisAddress {
 public:
  /// kInvalidArgument: the URL or a PEM file.
  static StatusOr<std::unique_ptr<RedisAddress>> Parse(const CacheOptions& options);

  double timeout_s() const { return timeout_s_; }

 private:
  friend class RedisConnection;
  std::unique_ptr<net::Connector> connector_;
  std::string user_, password_, database_;
  double timeout_s_ = 1;
};

class RedisConnection {
 public:
  static StatusOr<std::unique_ptr<RedisConnection>> Connect(const RedisAddress& address);

  Status Send(std::string_view commands, const Deadline& deadline);
  /// The next answer (of any kind, errors too).
  StatusOr<RespValue> Receive(const Deadline& deadline);
  /// The same; empty when wake_fd became readable first, kDeadlineExceeded when nothing came: then
  /// the connection is as good as before.
  StatusOr<std::optional<RespValue>> Receive(const Deadline& deadline, int wake_fd);
  /// No answer is due and none has come.
  bool Quiet() const { return reader_.empty() && stream_->Quiet(); }

 private:
  explicit RedisConnection(std::unique_ptr<net::ClientStream> stream)
      : stream_(std::move(stream)) {}
  std::unique_ptr<net::ClientStream> stream_;
  RespReader reader_;
};

/// The status that Redis' error answer stands for; OK for every other kind.
Status RedisError(const RespValue& answer);

}  // namespace saferl::storage
