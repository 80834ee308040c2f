#pragma once
// One client of the server: the class behind Connection. Internal: connection.cc reads, answers and
// keeps time, connection_socket.cc moves the bytes, connection_work.cc waits for handlers that work
// elsewhere, connection_stream.cc serves event streams and WebSockets.
//
// Everything runs on the thread of the connection's loop. RT: no.

#include <chrono>
#include <string>
#include <vector>

#include "saferl/base/clock.h"
#include "saferl/net/asio_names.h"
#include "saferl/net/connection.h"
#include "saferl/net/request_reader.h"
#include "saferl/net/stream_queue.h"

namespace saferl::net {

constexpr int64_t kNever = INT64_MAX;
constexpr auto kForever = std::chrono::steady_clock::time_point::max();
constexpr double kLinger_s = 1;
constexpr size_t kBufferBytes = 8 << 10;

inline int64_t After(double seconds) { return Nanos() + FromSeconds(seconds); }

/// Work of the pool, shared by the connection that waits and the thread that works.
struct PoolJob {
  std::function<void()> work;
  std::atomic<bool> abandoned{false};
  bool done = false;  ///< loop's thread
};

/// What a handler answers later.
struct LateAnswer {
  Response response;
  bool done = false;  ///< loop's thread
};

class Client final : public Connection, public std::enable_shared_from_this<Client> {
 public:
  Client(ServerCore* server, asio::io_context* loop, Set* set, int fd);
  ~Client() override;
  /// Serves a connection that was just accepted.
  Task<void> Run();
  /// Goes on with one that another loop handed over.
  Task<void> Resume(Handover from);
  void Sweep(int64_t now_ns) override;
  void Abort() override;

 private:
  enum class Wait : uint8_t { kDone, kTimeout, kFull, kAborted };
  enum class Quick : uint8_t { kNot, kSent, kUnsent, kWaits, kServe, kEnd };
  struct Workspace;
  struct LaterOf final : Later {
    explicit LaterOf(Client* of) : client(of) {}
    std::function<void(Response)> Take() override;
    Client* client;
    std::shared_ptr<LateAnswer> answer;
  };

  std::string_view unread() const { return {in_.data() + begin_, end_ - begin_}; }
  void BeginIdle();
  Quick AnswerNow(bool idle);
  Quick AnswerWhole();
  void Swap(Workspace* workspace);
  const Route* WholeRequest();
  Task<void> Requests(bool more);
  Task<bool> One();
  Task<bool> Serve(std::shared_ptr<Request> request, const Route& route, bool close);
  void HandOver(const Route& route, bool close);
  Task<bool> ReadHead(Request* request);
  Task<bool> ReadBody(const Route* route, bool discard);
  void Compose(const Request& request, const Route* route, Response response, bool close);
  Task<bool> Answer(const Request& request, const Route* route, Response response, bool close);
  Task<bool> FinishAnswer(std::shared_ptr<Request> request);
  Task<bool> Refuse(Request* request, const Route* route, int status, std::string detail);
  Task<bool> Respond(std::shared_ptr<Request> request, const Route& route, bool close);
  Task<bool> Await(std::shared_ptr<Request> request, const Route& route,
                   std::shared_ptr<LateAnswer> late, bool close);
  Task<Wait> OnPool(const Route& route, std::shared_ptr<PoolJob> job, int64_t deadline_ns);
  Task<bool> RunStream(std::shared_ptr<Request> request, const Route& route);
  Task<void> WriteStream();
  Task<void> ReadStream(std::shared_ptr<Client> self);
  std::shared_ptr<StreamQueue> MakeStream(const Route& route);
  Task<bool> IsHttp2();
  Task<bool> Handshake();
  Task<bool> Fill();
  Task<bool> Send(std::string_view bytes);
  bool WriteNow(std::string_view* bytes);
  Task<bool> SendRaw(std::string_view bytes);
  Task<void> Linger();
  void Tell(const Request& request, const Route* route, int status);

  ServerCore& server_;
  asio::io_context& loop_;
  Set& set_;
  Socket socket_;
  Timer wake_;  ///< waits for the pool and for stream bytes
  RequestReader reader_;
  std::unique_ptr<TlsSession> tls_;
  std::shared_ptr<Request> request_ = std::make_shared<Request>();
  std::vector<char> in_;
  size_t begin_ = 0, end_ = 0;
  std::string out_, cipher_, plain_, records_;
  struct {
    const Route* route = nullptr;
    int status = 0;
    bool close = false;
    std::string_view unsent;          ///< of out_
  } answer_;                          ///< in out_, of request_ or the one that Answer was given
  std::shared_ptr<LateAnswer> late_;  ///< of AnswerNow
  std::string peer_;
  int64_t read_deadline_ns_ = kNever, write_deadline_ns_ = kNever;
  int64_t idle_since_ns_ = 0;  ///< 0: in the middle of something
  uint64_t sent_bytes_ = 0;
  bool expired_ = false, aborted_ = false;
  bool moved_ = false;  ///< runs on the loop that it was handed to
  std::shared_ptr<StreamQueue> stream_;
  bool reading_stream_ = false;
  int64_t next_ping_ns_ = 0;
};

}  // namespace saferl::net
