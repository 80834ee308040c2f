#include "saferl/storage/redis_pipeline.h"

#include <utility>

#include "saferl/base/clock.h"

namespace saferl::storage {

RedisPipeline::RedisPipeline(const RedisAddress* address)
    : address_(address), breaker_({}, static_cast<uint64_t>(Nanos())) {}

StatusOr<std::vector<RespValue>> RedisPipeline::Call(std::string commands, size_t count) {
  Waiting own{.commands = std::move(commands), .count = count};
  std::unique_lock<std::mutex> lock(mutex_);
  waiting_.push_back(&own);
  while (!own.done) {
    if (busy_) {
      done_.wait(lock);
      continue;
    }
    busy_ = true;
    const std::vector<Waiting*> batch = std::exchange(waiting_, {});
    lock.unlock();
    const Status status = Exchange(batch);
    lock.lock();
    for (Waiting* call : batch) {
      if (call->answers.size() < call->count) call->status = status;
      call->done = true;
    }
    busy_ = false;
    done_.notify_all();
  }
  if (!own.status.ok()) return own.status;
  return std::move(own.answers);
}

/// Fills the answers as they come; an error is that of those without all of theirs.
Status RedisPipeline::Exchange(const std::vector<Waiting*>& batch) {
  if (!breaker_.Allow(Nanos())) return last_failure_;
  const auto exchange = [&]() -> Status {
    if (connection_ != nullptr && !connection_->Quiet()) connection_.reset();
    if (connection_ == nullptr) {
      SAFERL_ASSIGN_OR_RETURN(connection_, RedisConnection::Connect(*address_));
    }
    std::string commands;
    for (const Waiting* call : batch) commands += call->commands;
    const Deadline deadline = Deadline::After(FromSeconds(address_->timeout_s()));
    SAFERL_RETURN_IF_ERROR(connection_->Send(commands, deadline));
    for (Waiting* call : batch) {
      while (call->answers.size() < call->count) {
        SAFERL_ASSIGN_OR_RETURN(RespValue answer, connection_->Receive(deadline));
        call->answers.push_back(std::move(answer));
      }
    }
    return absl::OkStatus();
  };
  Status status = exchange();
  if (status.ok()) {
    breaker_.Worked();
  } else {
    connection_.reset();
    last_failure_ = status;
    breaker_.Failed(Nanos());
  }
  return status;
}

}  // namespace saferl::storage
