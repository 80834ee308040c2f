#include "saferl/net/connection.h"

#include <boost/asio/co_spawn.hpp>
#include <optional>

#include "saferl/base/log.h"
#include "saferl/base/text.h"
#include "saferl/net/connection_client.h"

namespace saferl::net {
namespace {

constexpr size_t kBodyBufferBytes = 64 << 10;
constexpr uint64_t kDiscardBytes = 64 << 10;  // of a body that an error makes useless
constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

}  // namespace

void SayException(const std::exception_ptr& error) {
  if (!error) return;
  try {
    std::rethrow_exception(error);
  } catch (const std::exception& e) {
    Log(LogLevel::kError, "a task of the server ended by an exception", {{"error", e.what()}});
  }
}

// ---------------------------------------------------------------- one request after the other

Task<void> Client::Run() {
  const auto self = shared_from_this();
  if (server_.tls != nullptr) {
    const bool secure = co_await Handshake();
    if (!secure) co_return;
  } else if (const auto take = server_.http2.load(); take != nullptr) {
    const bool http2 = co_await IsHttp2();
    if (http2) {
      ++server_.tally.http2;
      error_code error;
      const int fd = socket_.release(error);
      if (!error) (*take)(fd);
      co_return;
    }
  }
  co_await Requests(true);
}

Task<void> Client::Resume(Handover from) {
  const auto self = shared_from_this();
  moved_ = true;
  tls_ = std::move(from.tls);
  reader_ = std::move(from.reader);
  request_ = std::move(from.request);
  in_.resize(std::max(in_.size(), from.unread.size()));
  end_ = from.unread.copy(in_.data(), from.unread.size());
  idle_since_ns_ = 0;
  const bool more = co_await Serve(request_, *from.route, from.close);
  co_await Requests(more);
}

Task<void> Client::Requests(bool more) {
  while (more) {
    if (tls_ != nullptr) {
      more = co_await One();
      continue;
    }
    const bool idle = unread().empty();
    if (idle) {
      BeginIdle();
      auto [error] = co_await socket_.async_wait(Socket::wait_read, kResult);
      if (error) break;
    }
    const Quick quick = AnswerNow(idle);
    switch (quick) {
      case Quick::kSent:
        break;
      case Quick::kEnd:
        more = false;
        break;
      case Quick::kNot:
        more = co_await One();
        break;
      case Quick::kUnsent:
        more = co_await FinishAnswer(request_);
        break;
      case Quick::kWaits:
        more = co_await Await(request_, *answer_.route, std::move(late_), answer_.close);
        break;
      case Quick::kServe:
        more = co_await Serve(request_, *answer_.route, answer_.close);
        break;
    }
  }
  error_code ignored;
  socket_.close(ignored);
}

/// What the connections of a thread share for the moment that an answer takes: the next one finds
/// it in the caches, and an idle connection owns no buffer.
struct Client::Workspace {
  explicit Workspace(size_t max_header_bytes) : reader(max_header_bytes) {}
  std::vector<char> in = std::vector<char>(kBodyBufferBytes);
  std::string out;
  RequestReader reader;
  std::shared_ptr<Request> request = std::make_shared<Request>();
};

void Client::Swap(Workspace* workspace) {
  out_.swap(workspace->out);
  std::swap(reader_, workspace->reader);
  request_.swap(workspace->request);
}

/// Reads what has come, and answers the request if that can be done without a wait. `idle`: nothing
/// is in the buffer.
Client::Quick Client::AnswerNow(bool idle) {
  if (!idle) return AnswerWhole();
  thread_local Workspace workspace(server_.options.max_header_bytes);
  error_code error;
  const size_t n = socket_.read_some(asio::buffer(workspace.in), error);
  if (error == asio::error::would_block) return Quick::kSent;
  if (error) return Quick::kEnd;
  idle_since_ns_ = 0;
  begin_ = 0;
  end_ = n;
  in_.swap(workspace.in);
  Swap(&workspace);
  const Quick quick = AnswerWhole();
  in_.swap(workspace.in);
  if (begin_ < end_) {  // the rest is ours to keep
    if (in_.size() < end_ - begin_) in_.resize(std::max(end_ - begin_, kBufferBytes));
    std::copy(workspace.in.begin() + static_cast<ptrdiff_t>(begin_),
              workspace.in.begin() + static_cast<ptrdiff_t>(end_), in_.begin());
  }
  end_ -= begin_;
  begin_ = 0;
  if (quick == Quick::kSent) Swap(&workspace);
  return quick;
}

void Client::BeginIdle() {
  expired_ = false;
  idle_since_ns_ = Nanos();
  read_deadline_ns_ = idle_since_ns_ + FromSeconds(server_.options.idle_timeout_s);
}

/// The route of the request that lies in the buffer as a whole and that nothing is wrong with; the
/// request is then in request_ and out of the buffer. Null: nothing was taken, One reads it from
/// its start.
const Route* Client::WholeRequest() {
  Request* request = request_.get();
  const size_t start = begin_;
  reader_.Reset();
  request->received_ns = Nanos();
  begin_ += reader_.Put(unread());
  const RequestHead& head = reader_.head();
  const bool whole = reader_.state() == RequestReader::State::kDone ||
                     (reader_.state() == RequestReader::State::kBody && !head.chunked &&
                      *head.content_length <= unread().size());
  if (whole) {
    const Route* route = nullptr;
    request->peer = peer_;
    request->deadline_ns = request->received_ns + FromSeconds(server_.options.request_timeout_s);
    const auto early = server_.dispatcher.Head(&reader_.head(), request, &route);
    if (!early) {
      reader_.SetBodyLimit(route->max_body_bytes);
      if (reader_.state() == RequestReader::State::kBody) begin_ += reader_.Put(unread());
      if (reader_.state() == RequestReader::State::kDone &&
          !server_.dispatcher.Body(*route, &reader_.body(), request)) {
        return route;
      }
    }
  }
  begin_ = start;
  return nullptr;
}

/// kNot: One does it. kServe, kWaits, kUnsent: only Serve, Await, FinishAnswer is left to do.
Client::Quick Client::AnswerWhole() {
  const Route* route = WholeRequest();
  if (route == nullptr) return Quick::kNot;
  read_deadline_ns_ = kNever;
  sent_bytes_ = 0;
  const Request& request = *request_;
  const bool close = !reader_.head().keep_alive;
  answer_.route = route;
  answer_.close = close;
  if (route->run != Run::kInline || (!route->handler && !route->later)) return Quick::kServe;
  LaterOf later(this);
  std::optional<Response> response = server_.dispatcher.Call(*route, request, &later);
  if (!response) {
    late_ = std::move(later.answer);
    return Quick::kWaits;
  }
  Compose(request, route, *std::move(response), close);
  sent_bytes_ = out_.size();
  if (!WriteNow(&answer_.unsent) || !answer_.unsent.empty() || answer_.close) return Quick::kUnsent;
  Tell(request, route, answer_.status);
  return Quick::kSent;
}

/// False: the connection ends (and has been told so).
Task<bool> Client::One() {
  reader_.Reset();
  const std::shared_ptr<Request> request = request_;
  sent_bytes_ = 0;
  const bool head = co_await ReadHead(request.get());
  if (!head) co_return false;
  const Route* route = nullptr;
  request->peer = peer_;
  request->deadline_ns = request->received_ns + FromSeconds(server_.options.request_timeout_s);
  std::optional<Response> early = server_.dispatcher.Head(&reader_.head(), request.get(), &route);
  if (reader_.state() == RequestReader::State::kBody) {
    const bool waits = request->headers.Find("Expect") != nullptr && unread().empty();
    const bool skip = early && (waits || reader_.head().content_length.value_or(0) > kDiscardBytes);
    bool read = skip;
    if (waits && !early) {
      const bool sent = co_await Send(kContinue);
      if (!sent) co_return false;
    }
    if (!skip) read = co_await ReadBody(route, early.has_value());
    if (!read) {
      if (early) co_return co_await Answer(*request, route, std::move(*early), true);
      if (reader_.state() == RequestReader::State::kError) {
        co_return co_await Refuse(request.get(), route, reader_.error_status(),
                                  reader_.error_detail());
      }
      if (!expired_) co_return false;
      co_return co_await Refuse(request.get(), route, 408, "the body did not come in time");
    }
  }
  bool close = !reader_.head().keep_alive || reader_.state() != RequestReader::State::kDone;
  if (!early) early = server_.dispatcher.Body(*route, &reader_.body(), request.get());
  if (early) co_return co_await Answer(*request, route, std::move(*early), close);
  co_return co_await Serve(request, *route, close);
}

Task<bool> Client::Serve(std::shared_ptr<Request> request, const Route& route, bool close) {
  if (route.run == Run::kControl && !moved_) {
    HandOver(route, close);
    co_return false;
  }
  if (route.later) {
    LaterOf later(this);
    std::optional<Response> answer = server_.dispatcher.Call(route, *request, &later);
    if (answer) co_return co_await Answer(*request, &route, std::move(*answer), close);
    co_return co_await Await(request, route, std::move(later.answer), close);
  }
  if (route.handler) co_return co_await Respond(request, route, close);
  co_return co_await RunStream(request, route);
}

/// Robots' connections go on on a loop of their own, where nobody's requests lie before theirs.
void Client::HandOver(const Route& route, bool close) {
  error_code error;
  const int fd = socket_.release(error);
  if (error) return;
  server_.to_control({.fd = fd,
                      .tls = std::move(tls_),
                      .reader = std::move(reader_),
                      .request = request_,
                      .route = &route,
                      .close = close,
                      .unread = std::string(unread())});
}

Task<bool> Client::ReadHead(Request* request) {
  const ServerOptions& options = server_.options;
  if (unread().empty()) {
    BeginIdle();
    const bool filled = co_await Fill();
    if (!filled) co_return false;
    idle_since_ns_ = 0;
  }
  request->received_ns = Nanos();
  read_deadline_ns_ = request->received_ns + FromSeconds(options.header_timeout_s);
  while (true) {
    begin_ += reader_.Put(unread());
    if (reader_.state() != RequestReader::State::kHead) break;
    const bool filled = co_await Fill();
    if (filled) continue;
    if (expired_) co_await Refuse(request, nullptr, 408, "the header did not come in time");
    co_return false;
  }
  read_deadline_ns_ = kNever;
  if (reader_.state() != RequestReader::State::kError) co_return true;
  co_await Refuse(request, nullptr, reader_.error_status(), reader_.error_detail());
  co_return false;
}

Task<bool> Client::ReadBody(const Route* route, bool discard) {
  const ServerOptions& options = server_.options;
  reader_.SetBodyLimit(discard ? kDiscardBytes : route->max_body_bytes);
  const int64_t start_ns = Nanos();
  uint64_t taken = 0;
  while (true) {
    const size_t n = reader_.Put(unread());
    begin_ += n;
    taken += n;
    if (reader_.state() != RequestReader::State::kBody) break;
    if (n > 0 && !unread().empty()) continue;
    if (taken > kBufferBytes && in_.size() < kBodyBufferBytes) in_.resize(kBodyBufferBytes);
    read_deadline_ns_ =
        start_ns +
        FromSeconds(options.body_timeout_s + static_cast<double>(taken) / options.min_bytes_per_s);
    const bool filled = co_await Fill();
    if (!filled) break;
  }
  read_deadline_ns_ = kNever;
  co_return reader_.state() == RequestReader::State::kDone;
}

/// The answer to a message whose framing or time is in doubt; the connection ends.
Task<bool> Client::Refuse(Request* request, const Route* route, int status, std::string detail) {
  if (route == nullptr) {
    Dispatcher::Begin(request);
    request->peer = peer_;
  }
  if (status != 408) ++server_.tally.malformed;
  Response response = server_.dispatcher.Error(*request, status, detail);
  co_return co_await Answer(*request, route, std::move(response), true);
}

/// The answer's bytes into out_.
void Client::Compose(const Request& request, const Route* route, Response response, bool close) {
  answer_ = {
      .route = route, .status = response.status, .close = close || server_.draining, .unsent = {}};
  out_.clear();
  server_.dispatcher.Write(request, std::move(response),
                           {.close = answer_.close,
                            .minor_version = reader_.head().minor_version,
                            .received_ns = request.received_ns},
                           &out_);
  answer_.unsent = out_;
}

Task<bool> Client::Answer(const Request& request, const Route* route, Response response,
                          bool close) {
  Compose(request, route, std::move(response), close);
  const bool sent = co_await Send(out_);
  Tell(request, route, answer_.status);
  if (sent && answer_.close) co_await Linger();
  co_return sent && !answer_.close;
}

/// What AnswerNow left.
Task<bool> Client::FinishAnswer(std::shared_ptr<Request> request) {
  const bool sent = co_await SendRaw(answer_.unsent);
  Tell(*request, answer_.route, answer_.status);
  if (sent && answer_.close) co_await Linger();
  co_return sent && !answer_.close;
}

void Client::Tell(const Request& request, const Route* route, int status) {
  ++server_.tally.requests;
  if (!server_.observer) return;
  server_.observer({.request = &request,
                    .route = route,
                    .status = status,
                    .sent_bytes = sent_bytes_,
                    .duration_ns = Nanos() - request.received_ns});
}

// ---------------------------------------------------------------- time, drain, abort

void Client::Sweep(int64_t now_ns) {
  if (now_ns >= std::min(read_deadline_ns_, write_deadline_ns_)) {
    expired_ = true;
    ++server_.tally.timeouts;
    read_deadline_ns_ = write_deadline_ns_ = kNever;
    error_code ignored;
    socket_.cancel(ignored);
  }
  if (reading_stream_ && next_ping_ns_ != 0 && now_ns >= next_ping_ns_) {
    next_ping_ns_ = now_ns + FromSeconds(server_.options.stream_ping_s);
    stream_->Ping();
  }
  if (!server_.draining) return;
  if (stream_ != nullptr) stream_->Close();
  const double linger_s = std::min(kLinger_s, server_.options.drain_s / 4);
  if (idle_since_ns_ != 0 && now_ns - idle_since_ns_ > FromSeconds(linger_s)) {
    idle_since_ns_ = 0;
    error_code ignored;
    socket_.cancel(ignored);
  }
}

void Client::Abort() {
  aborted_ = true;
  error_code ignored;
  socket_.close(ignored);
  wake_.cancel();
}

void Connection::Create(ServerCore* core, asio::io_context* loop, Set* set, int fd) {
  const auto client = std::make_shared<Client>(core, loop, set, fd);
  asio::co_spawn(*loop, client->Run(), SayException);
}

void Connection::Adopt(ServerCore* core, asio::io_context* loop, Set* set, Handover from) {
  const auto client = std::make_shared<Client>(core, loop, set, from.fd);
  if (core->aborting) return client->Abort();
  asio::co_spawn(*loop, client->Resume(std::move(from)), SayException);
}

}  // namespace saferl::net
