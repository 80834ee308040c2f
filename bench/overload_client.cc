// The load of bench/overload: an open loop of clients with a connection each, like robots. Requests
// fall due evenly at a fixed rate, whatever the server does, for one client after the other; what
// falls due while the client still waits for its last answer is given up.
//
//   overload_client PORT small|batch RATE SECONDS REST_RATE REST_SECONDS CONNECTIONS DEADLINE_MS
//
// RATE 0 is a closed loop: every connection asks again as soon as it has its answer. After SECONDS
// the rate falls to REST_RATE. `small` is one observation as JSON for the model "tiny", `batch` 128
// as raw tensors for "wide"; both tell the server their deadline. Prints one JSON object:
//   offered, sent, good (200 within the deadline), late, refused, given_up, failed   requests
//   good_per_s, p50_us, p99_us      of the first part; times of all that were answered 200
//   rest                            p50 [us] of every 100 ms of the second part, null where none
//   stop_http, stop_websocket       beside it all, stops pressed at 50 Hz on POST /inference and on
//                                   its WebSocket: asked, stopped, p50_us, p99_us, worst_us
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "saferl/base/clock.h"
#include "saferl/base/json.h"
#include "saferl/base/text.h"
#include "saferl/control/workload.h"
#include "saferl/net/http_client.h"
#include "saferl/net/worker_pool.h"
#include "saferl/net/ws_client.h"
#include "saferl/safety/filter.h"
#include "saferl/services/decide/decide_message.h"

namespace {

using saferl::Cat;
using saferl::Nanos;

constexpr int kRows = 128;
constexpr int64_t kWindow_ns = 100'000'000;

struct Options {
  int port = 0;
  bool batch = false;
  double rate = 0, seconds = 0, rest_rate = 0, rest_seconds = 0;
  int connections = 0;
  int64_t deadline_ns = 0;
};

std::string Message(const Options& options) {
  const int64_t timeout_us = options.deadline_ns / 1000;
  std::string json, raw;
  if (options.batch) {
    const std::vector<float> values(static_cast<size_t>(kRows) * 48, 0.3F);
    raw.assign(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float));
    json = Cat(R"({"parameters":{"binary_data_output":true,"timeout":)", timeout_us,
               R"(},"inputs":[{"name":"observation","shape":[)", kRows,
               R"(,48],"datatype":"FP32","parameters":{"binary_data_size":)", raw.size(), "}}]}");
  } else {
    json = Cat(R"({"parameters":{"timeout":)", timeout_us,
               R"(},"inputs":[{"name":"observation","shape":[1,48],"datatype":"FP32","data":[)");
    for (int i = 0; i < 48; ++i) json += i > 0 ? ",0.3" : "0.3";
    json += "]}]}";
  }
  const std::string header =
      options.batch ? Cat("Inference-Header-Content-Length: ", json.size(), "\r\n") : "";
  return Cat("POST /v2/models/", options.batch ? "wide" : "tiny",
             "/infer HTTP/1.1\r\nHost: x\r\nContent-Length: ", json.size() + raw.size(), "\r\n",
             header, "\r\n", json, raw);
}

struct Part {
  int64_t sent = 0, good = 0, late = 0, refused = 0, given_up = 0, failed = 0;
  std::vector<double> us;
};

struct Connection {
  int fd = -1;
  bool busy = false;
  int64_t due_ns = 0;
  size_t sent = 0;
  std::string in;
};

class Load {
 public:
  explicit Load(const Options& options)
      : options_(options), message_(Message(options)), epoll_(epoll_create1(EPOLL_CLOEXEC)) {
    connections_.resize(static_cast<size_t>(options.connections));
    for (Connection& connection : connections_) Open(&connection);
  }
  ~Load() {
    for (Connection& connection : connections_) Close(&connection);
    close(epoll_);
  }
  Load(const Load&) = delete;

  void Run() {
    start_ns_ = Nanos();
    rest_ns_ = start_ns_ + saferl::FromSeconds(options_.seconds);
    end_ns_ = rest_ns_ + saferl::FromSeconds(options_.rest_seconds);
    next_due_ns_ = start_ns_;
    const int64_t stop = end_ns_ + options_.deadline_ns + kWindow_ns;
    for (int64_t now = Nanos(); now < stop && (now < end_ns_ || busy_ > 0); now = Nanos()) {
      FallDue(now);
      Wait(now);
    }
    loaded_.failed += busy_;
  }

  std::string Report(std::string_view http, std::string_view websocket) {
    saferl::JsonWriter w;
    std::sort(loaded_.us.begin(), loaded_.us.end());
    const auto at = [this](double q) {
      return loaded_.us.empty()
                 ? 0.0
                 : loaded_.us[static_cast<size_t>(q * static_cast<double>(loaded_.us.size() - 1))];
    };
    w.BeginObject().Field("offered", offered_).Field("sent", loaded_.sent);
    w.Field("good", loaded_.good).Field("late", loaded_.late).Field("refused", loaded_.refused);
    w.Field("given_up", loaded_.given_up).Field("failed", loaded_.failed);
    w.Field("good_per_s", static_cast<double>(loaded_.good) / options_.seconds);
    w.Field("p50_us", at(0.5)).Field("p99_us", at(0.99)).Key("rest").BeginArray();
    for (std::vector<double>& window : rest_) {
      if (window.empty()) {
        w.Null();
        continue;
      }
      const auto middle = window.begin() + static_cast<ptrdiff_t>(window.size() / 2);
      std::nth_element(window.begin(), middle, window.end());
      w.Value(*middle);
    }
    w.EndArray().Key("stop_http").Raw(http).Key("stop_websocket").Raw(websocket);
    return w.EndObject().Take();
  }

 private:
  void Open(Connection* connection) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(options_.port));
    inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
    connection->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int one = 1;
    setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connect(connection->fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
      close(std::exchange(connection->fd, -1));
      return;
    }
    fcntl(connection->fd, F_SETFL, O_NONBLOCK);
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.ptr = connection;
    epoll_ctl(epoll_, EPOLL_CTL_ADD, connection->fd, &event);
  }
  void Close(Connection* connection) {
    if (connection->fd >= 0) close(std::exchange(connection->fd, -1));
  }
  /// The part that a request belongs to is where it fell due.
  Part& PartOf(int64_t due_ns) { return due_ns < rest_ns_ ? loaded_ : resting_; }

  void FallDue(int64_t now) {
    if (now >= end_ns_) return;
    const bool rest = now >= rest_ns_;
    const double rate = rest ? options_.rest_rate : options_.rate;
    if (rate == 0) {
      next_due_ns_ = now;
      for (Connection& connection : connections_) {
        if (!rest && !connection.busy) Ask(&connection, now);
      }
      return;
    }
    if (rest && next_due_ns_ < rest_ns_) next_due_ns_ = rest_ns_;
    const auto step = static_cast<int64_t>(1e9 / rate);
    for (; next_due_ns_ <= now; next_due_ns_ += step) {
      Connection* connection = &connections_[next_client_++ % connections_.size()];
      if (connection->busy) {
        ++PartOf(next_due_ns_).given_up;
        if (!rest) ++offered_;
      } else {
        Ask(connection, next_due_ns_);
      }
    }
  }

  void Ask(Connection* connection, int64_t due_ns) {
    if (due_ns < rest_ns_) ++offered_;
    ++PartOf(due_ns).sent;
    connection->due_ns = due_ns;
    connection->sent = 0;
    connection->busy = true;
    ++busy_;
    if (connection->fd < 0) Open(connection);
    Write(connection);
  }

  void Write(Connection* connection) {
    const ssize_t n = send(connection->fd, message_.data() + connection->sent,
                           message_.size() - connection->sent, MSG_NOSIGNAL);
    if (n < 0 && errno != EAGAIN) return Lost(connection);
    if (n > 0) connection->sent += static_cast<size_t>(n);
    if (connection->sent < message_.size()) Watch(connection, EPOLLIN | EPOLLOUT);
  }

  void Watch(Connection* connection, uint32_t events) {
    epoll_event event{};
    event.events = events;
    event.data.ptr = connection;
    epoll_ctl(epoll_, EPOLL_CTL_MOD, connection->fd, &event);
  }

  void Wait(int64_t now) {
    epoll_event events[256];
    const int64_t until = std::min(next_due_ns_, end_ns_) - now;
    const int ms = now < end_ns_ && until < 1'000'000 ? 0 : 1;
    const int n = epoll_wait(epoll_, events, 256, ms);
    for (int i = 0; i < n; ++i) {
      auto* connection = static_cast<Connection*>(events[i].data.ptr);
      if (connection->fd < 0) continue;
      if ((events[i].events & EPOLLOUT) != 0 && connection->busy) {
        Watch(connection, EPOLLIN);
        Write(connection);
      }
      if (connection->fd >= 0 && (events[i].events & ~static_cast<uint32_t>(EPOLLOUT)) != 0)
        Read(connection);
    }
  }

  void Read(Connection* connection) {
    char bytes[32 << 10];
    const ssize_t n = recv(connection->fd, bytes, sizeof bytes, 0);
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0) return Lost(connection);
    connection->in.append(bytes, static_cast<size_t>(n));
    const std::string_view in = connection->in;
    const size_t head = in.find("\r\n\r\n");
    if (head == std::string_view::npos) return;
    const size_t length = in.find("Content-Length: ");
    const size_t body =
        length < head ? std::strtoull(connection->in.c_str() + length + 16, nullptr, 10) : 0;
    if (in.size() < head + 4 + body) return;
    const int status = std::atoi(connection->in.c_str() + 9);
    const bool closes = in.substr(0, head).find("Connection: close") != std::string_view::npos;
    Answered(connection, status);
    if (closes) Close(connection);
  }

  void Answered(Connection* connection, int status) {
    const int64_t now = Nanos(), took = now - connection->due_ns;
    Part& part = PartOf(connection->due_ns);
    connection->in.clear();
    connection->busy = false;
    --busy_;
    if (status != 200) {
      ++(status == 429 || status == 503 || status == 504 ? part.refused : part.failed);
      return;
    }
    ++(took <= options_.deadline_ns ? part.good : part.late);
    const double us = 1e-3 * static_cast<double>(took);
    part.us.push_back(us);
    if (connection->due_ns < rest_ns_) return;
    const auto window = static_cast<size_t>((connection->due_ns - rest_ns_) / kWindow_ns);
    if (rest_.size() <= window) rest_.resize(window + 1);
    rest_[window].push_back(us);
  }

  void Lost(Connection* connection) {
    if (connection->busy) {
      ++PartOf(connection->due_ns).failed;
      connection->busy = false;
      --busy_;
    }
    connection->in.clear();
    Close(connection);
  }

  const Options options_;
  const std::string message_;
  const int epoll_;
  std::vector<Connection> connections_;
  size_t next_client_ = 0;
  int64_t busy_ = 0, offered_ = 0;
  int64_t start_ns_ = 0, rest_ns_ = 0, end_ns_ = 0, next_due_ns_ = 0;
  Part loaded_, resting_;
  std::vector<std::vector<double>> rest_;
};

/// What a person who presses stop waits for the decision that obeys: asked every 20 ms until `end`,
/// by `ask`, which says whether it was one.
std::string Stops(const std::atomic<bool>& end,
                  const std::function<bool(const std::string& body)>& ask) {
  saferl::net::ComeFirst();  // in truth it has a machine of its own
  const auto safety = saferl::safety::LoadSafetyModel("exoskeleton");
  if (!safety.ok()) return "null";
  saferl::control::Workload workload((*safety)->robot);
  std::vector<double> us;
  int asked = 0;
  const int64_t start = Nanos();
  for (int64_t tick = 0; !end; ++tick) {
    const int64_t due = start + tick * 20'000'000;
    std::this_thread::sleep_for(std::chrono::nanoseconds(std::max<int64_t>(0, due - Nanos())));
    saferl::control::TickInput input = workload.Next();
    input.human.stop = true;
    const std::string body =
        saferl::services::EncodeDecideRequest(*(*safety)->robot, "bench", input);
    ++asked;
    const int64_t sent = Nanos();
    if (ask(body)) us.push_back(1e-3 * static_cast<double>(Nanos() - sent));
  }
  std::sort(us.begin(), us.end());
  const auto at = [&](double q) { return us[static_cast<size_t>(q * double(us.size() - 1))]; };
  saferl::JsonWriter w;
  w.BeginObject().Field("asked", asked).Field("stopped", us.size());
  if (!us.empty())
    w.Field("p50_us", at(0.5)).Field("p99_us", at(0.99)).Field("worst_us", us.back());
  return w.EndObject().Take();
}

bool Obeys(std::string_view answer) {
  return answer.find(R"("reason":"stop_requested")") != std::string_view::npos;
}

std::string StopsByHttp(int port, const std::atomic<bool>& end) {
  saferl::net::HttpClient client;
  return Stops(end, [&](const std::string& body) {
    saferl::net::ClientRequest request;
    request.method = saferl::net::Method::kPost;
    request.url = Cat("http://127.0.0.1:", port, "/inference");
    request.body = body;
    const auto answer = client.Send(request);
    return answer.ok() && answer->status == 200 && Obeys(answer->body);
  });
}

std::string StopsByWebSocket(int port, const std::atomic<bool>& end) {
  auto client = saferl::net::WsClient::Connect(
      {.url = Cat("ws://127.0.0.1:", port, "/inference/stream?silence_ms=60000")});
  if (!client.ok()) return "null";
  return Stops(end, [&](const std::string& body) {
    std::string answer;
    bool binary = false;
    if (!(*client)->Send(body).ok()) return false;
    return (*client)
               ->Next(saferl::Deadline::After(2'000'000'000), &answer, &binary)
               .value_or(false) &&
           Obeys(answer);
  });
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  if (argc == 9) {
    options.port = std::atoi(argv[1]);
    options.batch = std::string_view(argv[2]) == "batch";
    options.rate = std::atof(argv[3]);
    options.seconds = std::atof(argv[4]);
    options.rest_rate = std::atof(argv[5]);
    options.rest_seconds = std::atof(argv[6]);
    options.connections = std::atoi(argv[7]);
    options.deadline_ns = static_cast<int64_t>(1e6 * std::atof(argv[8]));
  }
  if (options.port <= 0 || !(options.seconds > 0 && options.seconds <= 60) ||
      !(options.rest_seconds >= 0 && options.rest_seconds <= 60) || options.connections < 1 ||
      options.connections > 1000 || options.deadline_ns <= 0) {
    std::fprintf(stderr,
                 "usage: %s PORT small|batch RATE SECONDS(..60) REST_RATE REST_SECONDS(..60) "
                 "CONNECTIONS(1..1000) DEADLINE_MS\n",
                 argv[0]);
    return 2;
  }
  std::atomic<bool> end{false};
  std::string http, websocket;
  std::thread beside([&] { http = StopsByHttp(options.port, end); });
  std::thread stream([&] { websocket = StopsByWebSocket(options.port, end); });
  Load load(options);
  load.Run();
  end = true;
  beside.join();
  stream.join();
  std::printf("%s\n", load.Report(http, websocket).c_str());
  return 0;
}
