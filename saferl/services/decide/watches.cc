#include "saferl/services/decide/watches.h"

#include <algorithm>
#include <vector>

#include "saferl/base/clock.h"
#include "saferl/base/json.h"
#include "saferl/base/log.h"
#include "saferl/base/text.h"
#include "saferl/control/decision_codec.h"
#include "saferl/net/http_server.h"
#include "saferl/net/trace_context.h"
#include "saferl/services/api/pagination.h"

namespace saferl::services {
namespace {

constexpr size_t kMostWatched = 4096;  // robots; their words outlive the connection
constexpr size_t kMostMade = 1024;
constexpr size_t kMaxMessage = 256;

std::vector<net::FieldSpec> Fields() {
  return {{.name = "robot", .type = "string", .doc = "whose decisions", .required = true}};
}

void Refuse(const std::shared_ptr<net::Stream>& stream, std::string_view why) {
  stream->Send("", JsonWriter().BeginObject().Field("error", why).EndObject().Take());
  stream->Close();
}

std::string Hello(const Decided& d, const std::string& epoch, uint64_t serial) {
  const robot::RobotModel& robot = d.session->robot();
  const control::DecisionShape shape = control::ShapeOf(robot);
  JsonWriter w;
  w.BeginObject().Field("id", d.head.robot).Field("robot", d.head.type);
  w.Field("session", d.head.session).Field("epoch", epoch).Field("serial", serial);
  w.Field("n", shape.n).Field("pose", shape.pose);
  return w.Field("period_ns", FromSeconds(robot.period_s())).EndObject().Take();
}

}  // namespace

Watches::Watches(const WatchOptions& options) : options_(options), epoch_(net::RandomHex(8)) {}

std::shared_ptr<Watches::Watch> Watches::Find(const std::string& robot) const {
  const std::lock_guard lock(mutex_);
  const auto found = watches_.find(robot);
  return found == watches_.end() ? nullptr : found->second;
}

void Watches::Apply(const std::string& robot, control::TickInput* input) {
  if (options_.required) input->lease_ok = false;
  if (!any_.load(std::memory_order_acquire)) return;
  const auto watch = Find(robot);
  if (watch == nullptr) return;
  const std::lock_guard lock(watch->mutex);
  if (watch->stop) input->stop_requested = true;
  if (options_.required || watch->granted) input->lease_ok = Nanos() <= watch->lease_until_ns;
}

void Watches::Tell(const Decided& decided) {
  if (!any_.load(std::memory_order_acquire)) return;
  const auto watch = Find(decided.head.robot);
  if (watch == nullptr) return;
  const int64_t now = Nanos();
  const std::lock_guard lock(watch->mutex);
  const uint64_t serial = ++watch->serial;
  watch->made.push_back({serial, now});
  while (watch->made.size() > kMostMade ||
         now - watch->made.front().at_ns > FromSeconds(options_.lease_s))
    watch->made.pop_front();
  if (watch->stream == nullptr) return;
  if (watch->told != decided.head.session) {
    watch->told = decided.head.session;
    watch->stream->Send("", Hello(decided, epoch_, serial));
  }
  watch->buffer.clear();
  for (int shift = 0; shift < 64; shift += 8)
    watch->buffer.push_back(static_cast<char>(serial >> shift));
  control::EncodeDecision(control::ShapeOf(decided.session->robot()), decided.decision,
                          &watch->buffer);
  if (!watch->stream->SendBinary(watch->buffer)) watch->stream = nullptr;
}

Status Watches::Hear(const std::string& robot, const net::Stream* stream,
                     std::string_view message) {
  const auto bad = [] {
    return absl::InvalidArgumentError(
        R"(message: not {"grant":SERIAL}, {"stop":true} or {"clear":true}; nothing else is heard)");
  };
  if (message.size() > kMaxMessage) return bad();
  const StatusOr<Node> node = ParseJson(message, "message");
  if (!node.ok() || !node->is_map() || node->entries().size() != 1) return bad();
  const Node::Entry& word = node->entries()[0];
  const bool yes = word.value.AsBool().value_or(false);
  const int64_t serial = word.value.AsInt64().value_or(-1);
  const bool grants = word.key == "grant" && serial >= 0;
  if (!grants && !((word.key == "stop" || word.key == "clear") && yes)) return bad();
  const auto watch = Find(robot);
  if (watch == nullptr) return absl::OkStatus();
  const std::lock_guard lock(watch->mutex);
  if (watch->stream.get() != stream) return absl::OkStatus();  // another has taken over
  if (!grants) {
    watch->stop = word.key == "stop";
    if (watch->stop) watch->lease_until_ns = 0;
    watch->word_ns = Nanos();
    return absl::OkStatus();
  }
  for (const Made& made : watch->made) {
    if (made.serial != static_cast<uint64_t>(serial)) continue;
    const int64_t until = made.at_ns + FromSeconds(options_.lease_s);
    watch->lease_until_ns = std::max(watch->lease_until_ns, until);
    watch->granted = true;
    watch->stop = false;
    watch->word_ns = Nanos();
  }
  return absl::OkStatus();
}

void Watches::Add(const std::string& robot, std::shared_ptr<net::Stream> stream) {
  std::shared_ptr<Watch> watch;
  {
    const std::lock_guard lock(mutex_);
    if (watches_.size() >= kMostWatched && !watches_.contains(robot))
      return Refuse(stream, "too many robots are watched here");
    auto& slot = watches_[robot];
    if (slot == nullptr) slot = std::make_shared<Watch>();
    watch = slot;
    any_.store(true, std::memory_order_release);
  }
  const std::lock_guard lock(watch->mutex);
  const int64_t now = Nanos();
  if (watch->stream != nullptr && watch->stream->open() &&
      now - watch->word_ns <= FromSeconds(options_.lease_s))
    return Refuse(stream, "another monitor watches this robot; try again later");
  if (watch->stream != nullptr) watch->stream->Close();
  watch->stream = std::move(stream);
  watch->told.clear();
  watch->word_ns = now;
}

void Watches::AddRoute(net::Router* router) {
  net::Route route;
  route.pattern = "/monitor/stream";
  route.operation_id = "watchRobot";
  route.summary =
      "WebSocket: a safety monitor elsewhere sees every decision of one robot, and "
      "grants or stops";
  route.tag = "decisions";
  route.query = Fields();
  route.max_body_bytes = kMaxMessage;
  route.websocket = [this](const std::shared_ptr<net::Stream>& stream,
                           const net::Request& request) {
    const Status known = CheckQuery(request);
    const std::string* robot = request.Query("robot");
    if (!known.ok() || robot == nullptr || !IsModelName(*robot))
      return Refuse(stream, "robot: missing or not a name; open /monitor/stream?robot=NAME");
    const net::Stream* raw = stream.get();
    stream->on_message = [this, raw, robot = *robot, weak = std::weak_ptr(stream)](
                             std::string_view message, bool) {
      const Status heard = Hear(robot, raw, message);
      const auto open = weak.lock();
      if (!heard.ok() && open != nullptr) Refuse(open, Cat(heard.message()));
    };
    stream->on_close = [this, raw, robot = *robot] {
      const auto watch = Find(robot);
      if (watch == nullptr) return;
      const std::lock_guard lock(watch->mutex);
      if (watch->stream.get() == raw) watch->stream = nullptr;
    };
    Add(*robot, stream);
  };
  router->Add(std::move(route));
}

}  // namespace saferl::services
