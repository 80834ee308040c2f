#include "saferl/services/decide/decide_stream.h"

#include <charconv>
#include <cstring>
#include <deque>

#include "saferl/base/json.h"
#include "saferl/base/text.h"
#include "saferl/control/shm.h"
#include "saferl/net/http_server.h"
#include "saferl/services/api/pagination.h"

namespace saferl::services {
namespace {

constexpr size_t kMostWaiting = 4;
constexpr size_t kMaxMessage = 64 << 10;
static_assert(sizeof(saferl_observation) == sizeof(robot::Observation));

std::vector<net::FieldSpec> StreamFields() {
  return {{.name = "silence_ms",
           .type = "integer",
           .doc = "silence that ends the stream; 20 to 60000, 500"},
          {.name = "robot", .type = "string", .doc = "of the binary form"},
          {.name = "type", .type = "string", .doc = "of the binary form"},
          {.name = "model", .type = "string", .doc = "of the binary form"},
          {.name = "version", .type = "string", .doc = "of the binary form"}};
}

std::string ErrorJson(int status, std::string_view detail) {
  JsonWriter w;
  w.BeginObject().Key("error").BeginObject().Field("status", status).Field("detail", detail);
  return w.EndObject().EndObject().Take();
}
std::string ErrorJson(const Status& status) {
  return ErrorJson(net::HttpStatus(status.code()), Cat(status.message()));
}

StatusOr<int64_t> ReadSilence(const net::Request& request) {
  SAFERL_RETURN_IF_ERROR(CheckQuery(request));
  const std::string* text = request.Query("silence_ms");
  return text == nullptr ? StatusOr<int64_t>(kSilence_ms) : ParseSilence(*text);
}

/// One open stream. The connection's thread receives, one thread of the pool at a time decides.
class ControlStream : public std::enable_shared_from_this<ControlStream> {
 public:
  ControlStream(const StreamParts& parts, const std::shared_ptr<net::Stream>& stream,
                const net::Request& request)
      : parts_(parts), stream_(stream) {
    const auto query = [&request](const char* name) {
      const std::string* value = request.Query(name);
      return value == nullptr ? std::string() : *value;
    };
    robot_ = query("robot");
    type_ = query("type");
    model_ = query("model");
    version_ = query("version");
    parts_.metrics->open.Add(1);
  }
  ~ControlStream() { parts_.metrics->open.Add(-1); }

  void Watch(int64_t silence_ms) {
    watch_ = parts_.watchdog->Add(silence_ms * 1'000'000, [weak = weak_from_this(), silence_ms] {
      const auto self = weak.lock();
      if (self == nullptr) return;
      self->parts_.metrics->silent.Add();
      self->Say(ErrorJson(408, Cat("silent for more than ", silence_ms,
                                   " ms: the stream ends; the robot stops by itself within "
                                   "valid_for_ns")));
      if (const auto stream = self->stream_.lock()) stream->Close();
    });
  }

  void Receive(std::string_view message, bool binary) {
    parts_.watchdog->Touch(watch_);
    bool start = false;
    {
      const std::lock_guard lock(mutex_);
      if (waiting_.size() == kMostWaiting) {
        waiting_.pop_front();
        ++overtaken_;
      }
      waiting_.emplace_back(std::string(message), binary);
      start = !running_;
      running_ = true;
    }
    if (!start) return;
    if (parts_.pool->TrySubmit([self = shared_from_this()] { self->DecideAll(); })) return;
    Say(ErrorJson(503, "too many streams wait; send the next observation"));
    const std::lock_guard lock(mutex_);
    waiting_.clear();
    running_ = false;
  }

  void Closed() {
    parts_.watchdog->Remove(watch_);
    const std::lock_guard lock(mutex_);
    waiting_.clear();
  }

 private:
  void Say(std::string_view text) {
    if (const auto stream = stream_.lock()) stream->Send("", text);
  }

  void DecideAll() {
    for (;;) {
      std::pair<std::string, bool> next;
      uint64_t overtaken = 0;
      {
        const std::lock_guard lock(mutex_);
        if (waiting_.empty()) {
          running_ = false;
          return;
        }
        next = std::move(waiting_.front());
        waiting_.pop_front();
        std::swap(overtaken, overtaken_);
      }
      if (overtaken > 0) {
        parts_.metrics->overtaken.Add(overtaken);
        Say(ErrorJson(503, Cat(overtaken, " ticks were overtaken by newer ones")));
      }
      Decide(next.first, next.second);
    }
  }

  void Decide(const std::string& message, bool binary) {
    StatusOr<DecideRequest> request = binary ? FromTick(message) : DecodeDecideRequest(message);
    if (!request.ok()) {
      Say(ErrorJson(request.status()));
      return;
    }
    if (binary) {
      request->robot = robot_;
      request->type = type_;
      request->model = model_;
      request->version = version_;
      if (!IsModelName(robot_)) {
        Say(ErrorJson(400,
                      "robot: the binary form takes it from the stream's "
                      "address; open /inference/stream?robot=NAME&type=TYPE"));
        return;
      }
    }
    const auto decided = parts_.sessions->Decide(*request, telemetry::Transport::kWebSocket);
    if (!decided.ok()) {
      Say(ErrorJson(decided.status()));
      return;
    }
    const Decided& d = **decided;
    if (binary) {
      if (const auto stream = stream_.lock()) stream->SendBinary(ToCommand(d.decision));
    } else {
      Say(EncodeDecisionJson(d.session->robot(), d.head, d.decision));
    }
  }

  const StreamParts parts_;
  const std::weak_ptr<net::Stream> stream_;
  std::string robot_, type_, model_, version_;
  uint64_t watch_ = 0;
  std::mutex mutex_;
  std::deque<std::pair<std::string, bool>> waiting_;
  uint64_t overtaken_ = 0;
  bool running_ = false;
};

void Open(const StreamParts& parts, const std::shared_ptr<net::Stream>& stream,
          const net::Request& request) {
  const StatusOr<int64_t> silence_ms = ReadSilence(request);
  if (!silence_ms.ok()) {
    stream->Send("", ErrorJson(silence_ms.status()));
    stream->Close();
    return;
  }
  auto control = std::make_shared<ControlStream>(parts, stream, request);
  control->Watch(*silence_ms);
  // The stream's callbacks own `control`; it holds the stream weakly.
  stream->on_message = [control](std::string_view message, bool binary) {
    control->Receive(message, binary);
  };
  stream->on_close = [control] { control->Closed(); };
}

}  // namespace

StatusOr<int64_t> ParseSilence(std::string_view text) {
  int64_t ms = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), ms);
  if (error != std::errc() || end != text.data() + text.size() || ms < kLeastSilence_ms ||
      ms > kMostSilence_ms)
    return absl::InvalidArgumentError(Cat("silence_ms: '", text.substr(0, 32), "' is not in ",
                                          kLeastSilence_ms, " to ", kMostSilence_ms));
  return ms;
}

StatusOr<DecideRequest> FromTick(std::string_view bytes) {
  saferl_tick tick;
  if (bytes.size() != sizeof tick)
    return absl::InvalidArgumentError(Cat("size: ", bytes.size(), " bytes; a saferl_tick has ",
                                          sizeof tick, ", see stream_layout.h"));
  std::memcpy(&tick, bytes.data(), sizeof tick);
  if (tick.version != 1 || tick.size != sizeof tick)
    return absl::InvalidArgumentError(
        Cat("version: ", tick.version, " of ", tick.size, " bytes; send version 1"));
  DecideRequest request;
  control::TickInput& in = request.input;
  in.now_ns = tick.now_ns;
  in.sequence = tick.sequence;
  request.has_sequence = true;
  std::memcpy(static_cast<void*>(&in.observation), &tick.observation, sizeof tick.observation);
  in.human.stamp_ns = tick.human.stamp_ns;
  in.human.sequence = tick.human.sequence;
  std::memcpy(in.human.u.data(), tick.human.u, sizeof tick.human.u);
  in.human.enabled = tick.human.enabled != 0;
  in.human.stop = tick.human.stop != 0;
  in.human.acknowledge = tick.human.acknowledge != 0;
  in.goals.n = tick.goals.n;
  for (size_t g = 0; g < SAFERL_MAX_GOALS; ++g)
    in.goals.p_W[g] = {tick.goals.p[g][0], tick.goals.p[g][1], tick.goals.p[g][2]};
  in.policy.present = tick.proposal.present != 0;
  in.policy.stamp_ns = tick.proposal.stamp_ns;
  std::memcpy(in.policy.u.data(), tick.proposal.u, sizeof tick.proposal.u);
  in.stop_requested = tick.stop_requested != 0;
  request.fixed_shape = true;
  return request;
}

std::string ToCommand(const control::Decision& decision) {
  const saferl_command out = control::CommandRecord(decision);
  return {reinterpret_cast<const char*>(&out), sizeof out};
}

void AddStreamRoute(const StreamParts& parts, net::Router* router) {
  net::Route route;
  route.pattern = "/inference/stream";
  route.operation_id = "decideStream";
  route.summary =
      "WebSocket: a tick a message, JSON or binary (saferl/services/decide/stream_layout.h)";
  route.tag = "decisions";
  route.query = StreamFields();
  route.max_body_bytes = kMaxMessage;
  route.run = net::Run::kControl;
  route.websocket = [parts](const std::shared_ptr<net::Stream>& stream,
                            const net::Request& request) { Open(parts, stream, request); };
  router->Add(std::move(route));
}

}  // namespace saferl::services
