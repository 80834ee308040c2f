#include "saferl/storage/redis_connection.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "saferl/base/text.h"

namespace saferl::storage {
namespace {

Status BadUrl() {
  return absl::InvalidArgumentError(
      "cache url: not redis://HOST:PORT/NUMBER (rediss: with TLS); correct it; user and password "
      "have fields of their own");
}

/// A decimal number in [0, most], nothing else.
bool ParseNumber(std::string_view text, int most, int* number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *number);
  return error == std::errc() && end == text.data() + text.size() && *number >= 0 &&
         *number <= most;
}

}  // namespace

Status RedisError(const RespValue& answer) {
  if (answer.kind != RespValue::Kind::kError) return absl::OkStatus();
  const std::string_view text = answer.text;
  const std::string message = Cat("redis: ", text.substr(0, 200));
  const auto starts = [&](std::initializer_list<std::string_view> words) {
    return std::ranges::any_of(words,
                               [&](std::string_view word) { return text.starts_with(word); });
  };
  if (starts({"NOPERM", "NOAUTH", "WRONGPASS", "ERR AUTH", "ERR invalid password"})) {
    return absl::PermissionDeniedError(
        Cat(message, "; check the user, its password and its ACL rules"));
  }
  if (starts({"OOM"})) return absl::ResourceExhaustedError(message);
  if (starts({"WRONGTYPE", "ERR value is not an integer"})) {
    return absl::FailedPreconditionError(message);
  }
  if (starts({"ERR increment or decrement would overflow"})) return absl::OutOfRangeError(message);
  if (starts({"LOADING", "BUSY", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN", "READONLY", "MISCONF",
              "NOREPLICAS", "ERR max number of clients"})) {
    return absl::UnavailableError(message);
  }
  return absl::InternalError(message);
}

StatusOr<std::unique_ptr<RedisAddress>> RedisAddress::Parse(const CacheOptions& options) {
  std::string_view url = options.url;
  net::ClientStreamOptions stream{
      .ca_file = options.ca_file, .cert_file = options.cert_file, .key_file = options.key_file};
  stream.tls = url.starts_with("rediss://");
  if (!stream.tls && !url.starts_with("redis://")) return BadUrl();
  url.remove_prefix(url.find("//") + 2);
  const size_t slash = std::min(url.find('/'), url.size());
  int database = 0;
  if (slash + 1 < url.size() && !ParseNumber(url.substr(slash + 1), 65535, &database)) {
    return BadUrl();
  }
  std::string_view host = url.substr(0, slash);
  const size_t colon = host.rfind(':');
  if (colon == std::string_view::npos || host.find('@') != std::string_view::npos ||
      !ParseNumber(host.substr(colon + 1), 65535, &stream.port) || stream.port == 0) {
    return BadUrl();
  }
  host = host.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  if (host.empty()) return BadUrl();
  if (!(options.timeout_s > 0 && options.timeout_s <= 3600)) {
    return absl::InvalidArgumentError(
        Cat("cache timeout_s: ", options.timeout_s, " is outside (0, 3600]; give seconds"));
  }
  stream.host = host;
  auto address = std::make_unique<RedisAddress>();
  SAFERL_ASSIGN_OR_RETURN(address->connector_, net::Connector::Create(std::move(stream)));
  address->user_ = options.user;
  address->password_ = options.password;
  address->database_ = Cat(database);
  address->timeout_s_ = options.timeout_s;
  return address;
}

StatusOr<std::unique_ptr<RedisConnection>> RedisConnection::Connect(const RedisAddress& address) {
  const Deadline deadline = Deadline::After(FromSeconds(address.timeout_s_));
  StatusOr<std::unique_ptr<net::ClientStream>> stream = address.connector_->Connect(deadline);
  if (absl::IsDeadlineExceeded(stream.status())) {
    return absl::UnavailableError(Cat("redis: ", stream.status().message()));
  }
  if (!stream.ok()) return stream.status();
  std::unique_ptr<RedisConnection> connection(new RedisConnection(*std::move(stream)));
  std::string hello;
  int answers = 1;
  if (!address.password_.empty()) {
    hello = address.user_.empty() ? RespCommand({"AUTH", address.password_})
                                  : RespCommand({"AUTH", address.user_, address.password_});
    ++answers;
  }
  // Always a question: its answer shows that the server accepts us (a TLS 1.3 client learns of a
  // refused certificate only when it reads).
  hello += RespCommand({"SELECT", address.database_});
  SAFERL_RETURN_IF_ERROR(connection->Send(hello, deadline));
  for (int i = 0; i < answers; ++i) {
    SAFERL_ASSIGN_OR_RETURN(const RespValue answer, connection->Receive(deadline));
    SAFERL_RETURN_IF_ERROR(RedisError(answer));
  }
  return connection;
}

Status RedisConnection::Send(std::string_view commands, const Deadline& deadline) {
  const Status sent = stream_->Write(commands, deadline);
  if (sent.ok()) return sent;
  return absl::UnavailableError(Cat("redis: ", sent.message()));
}

StatusOr<std::optional<RespValue>> RedisConnection::Receive(const Deadline& deadline, int wake_fd) {
  std::string bytes;
  while (true) {
    SAFERL_ASSIGN_OR_RETURN(std::optional<RespValue> value, reader_.Next());
    if (value.has_value()) return value;
    bytes.clear();
    const Status read = stream_->Read(&bytes, deadline, wake_fd);
    if (!read.ok()) return Status(read.code(), Cat("redis: ", read.message()));
    if (bytes.empty()) return value;
    reader_.Feed(bytes);
  }
}

StatusOr<RespValue> RedisConnection::Receive(const Deadline& deadline) {
  StatusOr<std::optional<RespValue>> value = Receive(deadline, -1);
  if (!value.ok()) return absl::UnavailableError(value.status().message());
  return **std::move(value);  // without a wake_fd there is always one
}

}  // namespace saferl::storage
