#include "saferl/storage/cache_redis.h"

#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "saferl/base/text.h"
#include "saferl/storage/cache_check.h"
#include "saferl/storage/redis_connection.h"
#include "saferl/storage/redis_listener.h"
#include "saferl/storage/redis_pipeline.h"

namespace saferl::storage {
namespace {

std::string Milliseconds(double ttl_s) { return Cat(std::llround(std::ceil(ttl_s * 1000))); }

Status Unexpected(const RespValue& answer) {
  return absl::InternalError(
      Cat("redis: an answer of kind ", static_cast<int>(answer.kind), " that was not asked for"));
}

class RedisCache final : public Cache {
 public:
  explicit RedisCache(std::unique_ptr<RedisAddress> address)
      : address_(std::move(address)), pipeline_(address_.get()), listener_(address_.get()) {}

  StatusOr<std::optional<std::string>> Get(std::string_view key) override {
    SAFERL_ASSIGN_OR_RETURN(RespValue answer, Ask({"GET", key}));
    if (answer.kind == RespValue::Kind::kNil) return std::optional<std::string>();
    if (answer.kind != RespValue::Kind::kBytes) return Unexpected(answer);
    return std::optional<std::string>(std::move(answer.text));
  }

  Status Set(std::string_view key, std::string_view value, double ttl_s) override {
    SAFERL_RETURN_IF_ERROR(CheckTtl(ttl_s));
    SAFERL_RETURN_IF_ERROR(CheckSize(key.size() + value.size()));
    return Ask({"SET", key, value, "PX", Milliseconds(ttl_s)}).status();
  }

  Status Delete(std::string_view key) override { return Ask({"DEL", key}).status(); }

  /// A transaction, so that no counter is left without its end of life; NX: only of a new one.
  StatusOr<int64_t> Add(std::string_view key, int64_t delta, double ttl_s) override {
    SAFERL_RETURN_IF_ERROR(CheckTtl(ttl_s));
    SAFERL_ASSIGN_OR_RETURN(
        const std::vector<RespValue> answers,
        pipeline_.Call(RespCommand({"MULTI"}) + RespCommand({"INCRBY", key, Cat(delta)}) +
                           RespCommand({"PEXPIRE", key, Milliseconds(ttl_s), "NX"}) +
                           RespCommand({"EXEC"}),
                       4));
    for (const RespValue& answer : answers) SAFERL_RETURN_IF_ERROR(RedisError(answer));
    if (answers.back().elements.size() != 2) return Unexpected(answers.back());
    const RespValue& sum = answers.back().elements[0];
    SAFERL_RETURN_IF_ERROR(RedisError(sum));
    if (sum.kind != RespValue::Kind::kInteger) return Unexpected(sum);
    return sum.integer;
  }

  Status Publish(std::string_view channel, std::string_view message) override {
    SAFERL_RETURN_IF_ERROR(CheckSize(channel.size() + message.size()));
    return Ask({"PUBLISH", channel, message}).status();
  }

  StatusOr<std::unique_ptr<Subscription>> Subscribe(
      std::string_view channel, std::function<void(std::string_view)> receive) override {
    return listener_.Add(channel, std::move(receive));
  }

  Status Check() override { return Ask({"PING"}).status(); }
  std::string_view kind() const override { return "redis"; }

 private:
  StatusOr<RespValue> Ask(std::initializer_list<std::string_view> words) {
    SAFERL_ASSIGN_OR_RETURN(std::vector<RespValue> answers, pipeline_.Call(RespCommand(words), 1));
    SAFERL_RETURN_IF_ERROR(RedisError(answers[0]));
    return std::move(answers[0]);
  }

  static Status CheckSize(size_t size) {
    if (size < kMaxRespBytes / 2) return absl::OkStatus();
    return absl::ResourceExhaustedError(
        Cat("cache value of ", size, " bytes: more than ", kMaxRespBytes / 2, "; keep an object"));
  }

  const std::unique_ptr<RedisAddress> address_;
  RedisPipeline pipeline_;
  RedisListener listener_;
};

}  // namespace

StatusOr<std::unique_ptr<Cache>> OpenRedisCache(const CacheOptions& options) {
  SAFERL_ASSIGN_OR_RETURN(std::unique_ptr<RedisAddress> address, RedisAddress::Parse(options));
  return std::make_unique<RedisCache>(std::move(address));
}

}  // namespace saferl::storage
