// Event streams and WebSockets: one task reads what the peer says, one sends what the queue holds.
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <vector>

#include "saferl/net/connection_client.h"

namespace saferl::net {

Task<bool> Client::RunStream(std::shared_ptr<Request> request, const Route& route) {
  if (route.websocket) {
    if (const auto error = CheckUpgrade(*request)) {
      Response response = server_.dispatcher.Error(*request, error->status, error->detail);
      if (error->status == 426) {
        response.headers.Set("Upgrade", "websocket");
        response.headers.Set("Sec-WebSocket-Version", "13");
      }
      co_return co_await Answer(*request, &route, std::move(response), true);
    }
  }
  stream_ = MakeStream(route);
  auto job = std::make_shared<PoolJob>();
  job->work = [this, self = shared_from_this(), stream = stream_, request, &route] {
    server_.dispatcher.Open(route, stream, *request);
  };
  Wait opened = Wait::kDone;
  if (route.run == Run::kInline) {
    job->work();
  } else {
    opened = co_await OnPool(route, job, request->deadline_ns);
  }
  if (opened != Wait::kDone) {
    stream_->Detach();
    stream_.reset();
    if (opened == Wait::kAborted) co_return false;
    Response busy = server_.dispatcher.Error(*request, opened == Wait::kFull ? 503 : 504,
                                             "the server is busy; try again later");
    co_return co_await Answer(*request, &route, std::move(busy), true);
  }
  const std::string head = stream_->Head(*request);
  const bool sent = co_await Send(head);
  if (sent) {
    next_ping_ns_ = After(server_.options.stream_ping_s);
    reading_stream_ = true;
    asio::co_spawn(loop_, ReadStream(shared_from_this()), SayException);
    co_await WriteStream();
  }
  stream_->Detach();
  error_code ignored;
  socket_.close(ignored);
  wake_.expires_at(kForever);
  while (reading_stream_) co_await wake_.async_wait(kResult);
  if (stream_->on_close) stream_->on_close();
  stream_->on_message = nullptr;
  stream_->on_close = nullptr;
  Tell(*request, &route, route.websocket ? 101 : 200);
  stream_.reset();
  co_return false;
}

std::shared_ptr<StreamQueue> Client::MakeStream(const Route& route) {
  const auto wake = [weak = weak_from_this(), loop = &loop_] {
    asio::post(*loop, [weak] {
      const auto self = weak.lock();
      if (self == nullptr) return;
      error_code ignored;
      if (self->stream_ != nullptr && self->stream_->overflowed()) self->socket_.close(ignored);
      self->wake_.cancel();
    });
  };
  const auto kind = route.websocket                     ? StreamQueue::Kind::kWebSocket
                    : reader_.head().minor_version == 1 ? StreamQueue::Kind::kChunkedEvents
                                                        : StreamQueue::Kind::kEvents;
  return std::make_shared<StreamQueue>(
      kind,
      StreamQueue::Limits{.queued_bytes = server_.options.max_stream_queue_bytes,
                          .message_bytes = route.max_body_bytes},
      wake);
}

/// Sends what the queue holds until it is closed and empty, or the peer is gone.
Task<void> Client::WriteStream() {
  std::string bytes;
  while (!aborted_ && stream_->Take(&bytes)) {
    if (!bytes.empty()) {
      const bool sent = co_await Send(bytes);
      if (!sent) co_return;
      continue;
    }
    if (!reading_stream_) break;
    wake_.expires_at(kForever);
    co_await wake_.async_wait(kResult);
  }
  if (aborted_ || stream_->overflowed()) co_return;
  bytes = stream_->End(server_.draining ? close_code::kGoingAway : close_code::kNormal);
  if (!bytes.empty()) {
    const bool sent = co_await Send(bytes);
    if (!sent) co_return;
  }
  // The peer's turn to close; what it still says is read by ReadStream and thrown away.
  error_code ignored;
  if (!stream_->is_websocket()) socket_.shutdown(Socket::shutdown_send, ignored);
  wake_.expires_after(std::chrono::milliseconds(static_cast<int>(kLinger_s * 1000)));
  while (reading_stream_ && !aborted_) {
    auto [error] = co_await wake_.async_wait(kResult);
    if (!error) break;
  }
}

Task<void> Client::ReadStream(std::shared_ptr<Client> self) {
  while (true) {
    std::string_view bytes = unread();
    const bool open = stream_->Receive(&bytes);
    begin_ = end_ - bytes.size();
    if (!open) {
      if (stream_->malformed()) ++server_.tally.malformed;
      break;
    }
    if (stream_->is_websocket()) read_deadline_ns_ = After(server_.options.idle_timeout_s);
    const bool filled = co_await Fill();
    if (!filled) break;
  }
  read_deadline_ns_ = kNever;
  reading_stream_ = false;
  stream_->Close();
  self->wake_.cancel();
}

}  // namespace saferl::net
