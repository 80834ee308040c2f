#include "saferl/storage/redis_listener.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "saferl/base/clock.h"
#include "saferl/base/log.h"
#include "saferl/base/random.h"

namespace saferl::storage {
namespace {

constexpr double kFirstWaitS = 0.05, kMostWaitS = 2;

}  // namespace

RedisListener::RedisListener(const RedisAddress* address)
    : address_(address),
      wake_fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      subscribers_([this](const std::string& channel) { Unsubscribe(channel); }) {}

RedisListener::~RedisListener() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    stop_ = true;
  }
  Wake();
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
  ::close(wake_fd_);
}

void RedisListener::Wake() const {
  const uint64_t one = 1;
  (void)!::write(wake_fd_, &one, sizeof one);  // full means that it is awake already
}

/// Under mutex_.
void RedisListener::Command(std::string_view command, const std::string& channel,
                            Subscribers::Listeners listeners) {
  outgoing_ += RespCommand({command, channel});
  pending_.push_back({channel, std::move(listeners)});
}

/// Told by subscribers_, under its lock, when a channel has no listener any more.
void RedisListener::Unsubscribe(const std::string& channel) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (connected_) Command("UNSUBSCRIBE", channel, {});
  }
  Wake();
}

StatusOr<std::unique_ptr<Cache::Subscription>> RedisListener::Add(std::string_view channel,
                                                                  Subscribers::Receive receive) {
  std::shared_ptr<Subscribers::Entry> entry;
  std::unique_ptr<Cache::Subscription> subscription =
      subscribers_.Add(channel, std::move(receive), &entry);
  std::unique_lock<std::mutex> lock(mutex_);
  if (!thread_.joinable()) thread_ = std::thread([this] { Run(); });
  // Again for a channel that has listeners: Redis confirms it anew, which tells what came before.
  if (connected_) Command("SUBSCRIBE", std::string(channel), {entry});
  Wake();
  changed_.wait_for(lock, std::chrono::duration<double>(2 * address_->timeout_s()),
                    [&] { return entry->active || !entry->refused.ok(); });
  if (entry->active) return subscription;
  Status failure = absl::UnavailableError("redis: the subscription was not confirmed in time");
  if (!entry->refused.ok()) {
    failure = entry->refused;
  } else if (!last_failure_.ok()) {
    failure = last_failure_;
  }
  lock.unlock();  // the end of the subscription takes it again
  subscription.reset();
  return failure;
}

void RedisListener::Run() {
  Random random(static_cast<uint64_t>(Nanos()));
  double wait_s = kFirstWaitS;
  std::unique_lock<std::mutex> lock(mutex_);
  while (!stop_) {
    lock.unlock();
    StatusOr<std::unique_ptr<RedisConnection>> connection = RedisConnection::Connect(*address_);
    Status status = connection.status();
    if (status.ok()) {
      wait_s = kFirstWaitS;
      status = Listen(connection->get());
    }
    lock.lock();
    if (connected_) Log(LogLevel::kWarning, "redis: subscriptions lost; connecting again");
    connected_ = false;
    last_failure_ = status;
    changed_.wait_for(lock, std::chrono::duration<double>(wait_s * random.Uniform(0.5, 1.0)),
                      [this] { return stop_; });
    wait_s = std::min(2 * wait_s, kMostWaitS);
  }
}

/// Until the connection breaks (its error) or the end (OK).
Status RedisListener::Listen(RedisConnection* connection) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    outgoing_.clear();
    pending_.clear();
    connected_ = true;
  }
  // Not under mutex_: subscribers_ calls Unsubscribe with its own lock held. A channel that comes
  // in between is subscribed twice, which Redis answers twice.
  for (const std::string& channel : subscribers_.Channels()) {
    Subscribers::Listeners listeners = subscribers_.Of(channel);
    const std::lock_guard<std::mutex> lock(mutex_);
    Command("SUBSCRIBE", channel, std::move(listeners));
  }
  const int64_t timeout_ns = FromSeconds(address_->timeout_s());
  int64_t heard_ns = Nanos(), asked_ns = heard_ns;
  while (true) {
    const int64_t now_ns = Nanos();
    if (now_ns - heard_ns > 2 * timeout_ns) return absl::UnavailableError("redis: silent");
    uint64_t count = 0;
    (void)!::read(wake_fd_, &count, sizeof count);  // before looking what there is to do
    std::string outgoing;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      if (stop_) return absl::OkStatus();
      outgoing = std::exchange(outgoing_, {});
    }
    if (now_ns - std::max(heard_ns, asked_ns) >= timeout_ns) {
      outgoing += RespCommand({"PING"});
      asked_ns = now_ns;
    }
    SAFERL_RETURN_IF_ERROR(connection->Send(outgoing, Deadline::After(timeout_ns)));
    StatusOr<std::optional<RespValue>> push =
        connection->Receive(Deadline::After(timeout_ns), wake_fd_);
    if (absl::IsDeadlineExceeded(push.status())) continue;
    if (!push.ok()) return push.status();
    if (push->has_value()) {
      heard_ns = Nanos();
      Take(**push);
    }
  }
}

void RedisListener::Take(const RespValue& push) {
  const bool is_error = push.kind == RespValue::Kind::kError;
  if (!is_error && push.elements.size() != 3) return;  // a pong
  if (!is_error && push.elements[0].text == "message") {
    Subscribers::Dispatch(subscribers_.Of(push.elements[1].text), push.elements[2].text);
    return;
  }
  const std::lock_guard<std::mutex> lock(mutex_);
  if (pending_.empty()) return;
  for (const std::shared_ptr<Subscribers::Entry>& entry : pending_.front().listeners) {
    if (is_error) {
      entry->refused = RedisError(push);
    } else {
      entry->active = true;
    }
  }
  pending_.pop_front();
  changed_.notify_all();
}

}  // namespace saferl::storage
