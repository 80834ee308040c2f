#include "saferl/storage/cache_memory.h"

#include <charconv>
#include <condition_variable>
#include <deque>
#include <list>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <utility>

#include "saferl/base/clock.h"
#include "saferl/base/text.h"
#include "saferl/storage/cache_check.h"
#include "saferl/storage/subscribers.h"

namespace saferl::storage {
namespace {

/// Messages that wait for their receivers; the oldest go when they are more than this, or together
/// larger than the cache.
constexpr size_t kMaxWaiting = 4096;

class MemoryCache final : public Cache {
 public:
  MemoryCache(size_t memory_bytes, std::function<int64_t()> now_ns)
      : memory_bytes_(memory_bytes),
        now_ns_(std::move(now_ns)),
        messenger_([this] { Deliver(); }) {}
  ~MemoryCache() override {
    {
      const std::lock_guard<std::mutex> lock(message_mutex_);
      stop_ = true;
    }
    message_waits_.notify_one();
    messenger_.join();
  }

  StatusOr<std::optional<std::string>> Get(std::string_view key) override;
  Status Set(std::string_view key, std::string_view value, double ttl_s) override;
  Status Delete(std::string_view key) override;
  StatusOr<int64_t> Add(std::string_view key, int64_t delta, double ttl_s) override;
  Status Publish(std::string_view channel, std::string_view message) override;
  StatusOr<std::unique_ptr<Subscription>> Subscribe(
      std::string_view channel, std::function<void(std::string_view)> receive) override;
  Status Check() override { return absl::OkStatus(); }
  std::string_view kind() const override { return "memory"; }

 private:
  struct Entry {
    std::string key, value;
    int64_t until_ns = 0;
    size_t bytes() const { return key.size() + value.size() + kCacheEntryBytes; }
  };
  using Order = std::list<Entry>;  ///< most recently used first

  Order::iterator Find(std::string_view key);
  void Erase(Order::iterator entry);
  Status Insert(Entry entry);
  std::pair<Subscribers::Listeners, std::string> PopMessage();
  void Deliver();

  const size_t memory_bytes_;
  const std::function<int64_t()> now_ns_;
  std::mutex mutex_;
  Order order_;
  std::unordered_map<std::string_view, Order::iterator> index_;  ///< keys live in order_
  size_t bytes_ = 0;

  Subscribers subscribers_;
  std::mutex message_mutex_;
  std::condition_variable message_waits_;
  std::deque<std::pair<Subscribers::Listeners, std::string>> messages_;
  size_t message_bytes_ = 0;
  bool stop_ = false;
  std::thread messenger_;
};

/// The living entry, now the most recently used; end() when there is none.
MemoryCache::Order::iterator MemoryCache::Find(std::string_view key) {
  const auto found = index_.find(key);
  if (found == index_.end()) return order_.end();
  const Order::iterator entry = found->second;
  if (now_ns_() >= entry->until_ns) {
    Erase(entry);
    return order_.end();
  }
  order_.splice(order_.begin(), order_, entry);
  return entry;
}

void MemoryCache::Erase(Order::iterator entry) {
  bytes_ -= entry->bytes();
  index_.erase(entry->key);
  order_.erase(entry);
}

/// Of a key that is not there.
Status MemoryCache::Insert(Entry entry) {
  if (entry.bytes() > memory_bytes_) {
    return absl::ResourceExhaustedError(Cat("cache value of ", entry.value.size(),
                                            " bytes: more than memory_bytes ", memory_bytes_,
                                            " holds; give the cache more"));
  }
  bytes_ += entry.bytes();
  order_.push_front(std::move(entry));
  index_[order_.front().key] = order_.begin();
  while (bytes_ > memory_bytes_) Erase(std::prev(order_.end()));
  return absl::OkStatus();
}

StatusOr<std::optional<std::string>> MemoryCache::Get(std::string_view key) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const Order::iterator entry = Find(key);
  if (entry == order_.end()) return std::optional<std::string>();
  return std::optional<std::string>(entry->value);
}

Status MemoryCache::Set(std::string_view key, std::string_view value, double ttl_s) {
  SAFERL_RETURN_IF_ERROR(CheckTtl(ttl_s));
  const std::lock_guard<std::mutex> lock(mutex_);
  if (const Order::iterator old = Find(key); old != order_.end()) Erase(old);
  return Insert({std::string(key), std::string(value), now_ns_() + FromSeconds(ttl_s)});
}

Status MemoryCache::Delete(std::string_view key) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (const Order::iterator entry = Find(key); entry != order_.end()) Erase(entry);
  return absl::OkStatus();
}

StatusOr<int64_t> MemoryCache::Add(std::string_view key, int64_t delta, double ttl_s) {
  SAFERL_RETURN_IF_ERROR(CheckTtl(ttl_s));
  const std::lock_guard<std::mutex> lock(mutex_);
  int64_t sum = 0;
  Entry next{std::string(key), "", now_ns_() + FromSeconds(ttl_s)};
  const Order::iterator old = Find(key);
  if (old != order_.end()) {
    const char* end = old->value.data() + old->value.size();
    const auto [stopped, error] = std::from_chars(old->value.data(), end, sum);
    if (error != std::errc() || stopped != end) {
      return absl::FailedPreconditionError("cache counter: its value is no integer; delete it");
    }
    next.until_ns = old->until_ns;
  }
  if (__builtin_add_overflow(sum, delta, &sum)) {
    return absl::OutOfRangeError("cache counter: beyond 64 bits; delete it");
  }
  next.value = Cat(sum);
  if (old != order_.end()) Erase(old);
  SAFERL_RETURN_IF_ERROR(Insert(std::move(next)));
  return sum;
}

Status MemoryCache::Publish(std::string_view channel, std::string_view message) {
  {
    const std::lock_guard<std::mutex> lock(message_mutex_);
    Subscribers::Listeners listeners = subscribers_.Of(channel);
    if (listeners.empty()) return absl::OkStatus();
    messages_.emplace_back(std::move(listeners), message);
    message_bytes_ += message.size();
    while (messages_.size() > kMaxWaiting || message_bytes_ > memory_bytes_) PopMessage();
  }
  message_waits_.notify_one();
  return absl::OkStatus();
}

StatusOr<std::unique_ptr<Cache::Subscription>> MemoryCache::Subscribe(
    std::string_view channel, std::function<void(std::string_view)> receive) {
  std::shared_ptr<Subscribers::Entry> entry;
  std::unique_ptr<Subscription> subscription =
      subscribers_.Add(channel, std::move(receive), &entry);
  entry->active = true;
  return subscription;
}

std::pair<Subscribers::Listeners, std::string> MemoryCache::PopMessage() {
  std::pair<Subscribers::Listeners, std::string> front = std::move(messages_.front());
  messages_.pop_front();
  message_bytes_ -= front.second.size();
  return front;
}

void MemoryCache::Deliver() {
  std::unique_lock<std::mutex> lock(message_mutex_);
  while (true) {
    message_waits_.wait(lock, [this] { return stop_ || !messages_.empty(); });
    if (stop_) return;
    {
      const auto [listeners, message] = PopMessage();
      lock.unlock();
      Subscribers::Dispatch(listeners, message);
    }
    lock.lock();
  }
}

}  // namespace

std::unique_ptr<Cache> NewMemoryCache(size_t memory_bytes, std::function<int64_t()> now_ns) {
  return std::make_unique<MemoryCache>(memory_bytes, std::move(now_ns));
}

}  // namespace saferl::storage
