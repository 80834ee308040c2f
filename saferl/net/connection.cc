#include "saferl/net/connection.h"

#include <netinet/tcp.h>
#include <sys/socket.h>

#include <boost/asio/co_spawn.hpp>
#include <cerrno>
#include <optional>

#include "saferl/base/log.h"
#include "saferl/base/text.h"
#include "saferl/net/connection_client.h"

namespace saferl::net {
namespace {

constexpr size_t kBufferBytes = 8 << 10, kBodyBufferBytes = 64 << 10;
constexpr uint64_t kDiscardBytes = 64 << 10;  // of a body that an error makes useless
constexpr size_t kLingerStep = 1 << 20;
constexpr int kUnsentBytes = 128 << 10;
constexpr std::string_view kHttp2Preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
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

// ---------------------------------------------------------------- bytes in and out

Client::Client(ServerCore* server, asio::io_context* loop, Set* set, int fd)
    : server_(*server),
      loop_(*loop),
      set_(*set),
      socket_(*loop),
      wake_(*loop),
      reader_(server->options.max_header_bytes) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
  error_code ignored;
  socket_.assign(address.ss_family == AF_INET6 ? asio::ip::tcp::v6() : asio::ip::tcp::v4(), fd,
                 ignored);
  socket_.non_blocking(true, ignored);
  socket_.set_option(asio::ip::tcp::no_delay(true), ignored);
  // What the peer's window has no room for waits here, not by the megabyte in the kernel.
  setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &kUnsentBytes, sizeof kUnsentBytes);
  const auto end = socket_.remote_endpoint(ignored);
  peer_ = end.address().is_v6() ? Cat("[", end.address().to_string(), "]:", end.port())
                                : Cat(end.address().to_string(), ":", end.port());
  idle_since_ns_ = Nanos();
  set_.insert(this);
}

Client::~Client() {
  set_.erase(this);
  server_.on_closed();
}

/// More bytes into the buffer. False: end, error or past the deadline (then expired_).
Task<bool> Client::Fill() {
  if (begin_ == end_) begin_ = end_ = 0;
  if (in_.empty()) in_.resize(kBufferBytes);
  if (end_ == in_.size()) {
    if (begin_ > 0) {
      std::copy(in_.begin() + static_cast<ptrdiff_t>(begin_), in_.end(), in_.begin());
      end_ -= begin_;
      begin_ = 0;
    } else {
      in_.resize(in_.size() * 2);
    }
  }
  expired_ = false;
  auto [error, n] =
      co_await socket_.async_read_some(asio::buffer(in_.data() + end_, in_.size() - end_), kResult);
  if (error) co_return false;
  if (tls_ == nullptr) {
    end_ += n;
    co_return true;
  }
  plain_.clear();
  cipher_.clear();
  const bool open = tls_->Receive({in_.data() + end_, n}, &plain_, &cipher_);
  if (stream_ != nullptr) {
    records_ += cipher_;  // another task is sending: they go first in its next batch
  } else if (!cipher_.empty()) {
    const bool sent = co_await SendRaw(cipher_);
    if (!sent) co_return false;
  }
  if (in_.size() - end_ < plain_.size()) in_.resize(end_ + plain_.size());
  std::copy(plain_.begin(), plain_.end(), in_.begin() + static_cast<ptrdiff_t>(end_));
  end_ += plain_.size();
  co_return open || !plain_.empty();  // what came before a close still counts
}

Task<bool> Client::Send(std::string_view bytes) {
  sent_bytes_ += bytes.size();
  if (tls_ == nullptr) co_return co_await SendRaw(bytes);
  std::string records;
  records.swap(records_);
  tls_->Send(bytes, &records);
  co_return co_await SendRaw(records);
}

/// Takes off `bytes` what the socket takes at once. False: the peer is gone.
bool Client::WriteNow(std::string_view* bytes) {
  error_code error;
  const size_t n = socket_.write_some(asio::buffer(bytes->data(), bytes->size()), error);
  if (error && error != asio::error::would_block) return false;
  bytes->remove_prefix(error ? 0 : n);
  return true;
}

Task<bool> Client::SendRaw(std::string_view bytes) {
  if (!WriteNow(&bytes)) co_return false;
  if (bytes.empty()) co_return true;
  const ServerOptions& options = server_.options;
  write_deadline_ns_ =
      After(options.write_timeout_s + static_cast<double>(bytes.size()) / options.min_bytes_per_s);
  while (!bytes.empty()) {
    auto [failed, more] =
        co_await socket_.async_write_some(asio::buffer(bytes.data(), bytes.size()), kResult);
    if (failed) break;
    bytes.remove_prefix(more);
  }
  write_deadline_ns_ = kNever;
  co_return bytes.empty();
}

/// Says that nothing more comes and takes what the peer still sends, so that the kernel does not
/// answer it with a reset that would destroy our last answer on its way.
Task<void> Client::Linger() {
  if (aborted_) co_return;
  if (tls_ != nullptr) {
    std::string alert;
    tls_->Close(&alert);
    if (!alert.empty()) co_await SendRaw(alert);
  }
  error_code ignored;
  socket_.shutdown(Socket::shutdown_send, ignored);
  idle_since_ns_ = Nanos();  // a drain does not wait longer for it than for one between requests
  const int64_t end_ns = After(server_.options.linger_s);
  for (uint64_t left = server_.options.max_linger_bytes; left > 0;) {
    read_deadline_ns_ = std::min(end_ns, After(kLinger_s));
    auto [error] = co_await socket_.async_wait(Socket::wait_read, kResult);
    if (error) break;
    // The kernel forgets them without a copy (tcp(7), MSG_TRUNC).
    const ssize_t n = recv(socket_.native_handle(), nullptr, kLingerStep, MSG_TRUNC | MSG_DONTWAIT);
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) break;
    if (n > 0) left -= std::min(left, static_cast<uint64_t>(n));
  }
  read_deadline_ns_ = kNever;
}

Task<bool> Client::IsHttp2() {
  read_deadline_ns_ = After(server_.options.header_timeout_s);
  while (true) {
    auto [error] = co_await socket_.async_wait(Socket::wait_read, kResult);
    if (error) co_return false;
    char bytes[kHttp2Preface.size()];
    const ssize_t n = recv(socket_.native_handle(), bytes, sizeof bytes, MSG_PEEK | MSG_DONTWAIT);
    if (n <= 0 || !kHttp2Preface.starts_with({bytes, static_cast<size_t>(n)})) co_return false;
    if (static_cast<size_t>(n) == kHttp2Preface.size()) co_return true;
    wake_.expires_after(std::chrono::milliseconds(2));  // a preface in pieces: look again
    co_await wake_.async_wait(kResult);
    if (expired_ || aborted_) co_return false;
  }
}

Task<bool> Client::Handshake() {
  tls_ = TlsSession::Create(*server_.tls);
  read_deadline_ns_ = After(server_.options.header_timeout_s);
  bool open = true;
  while (open && !tls_->established()) open = co_await Fill();
  co_return open;
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
