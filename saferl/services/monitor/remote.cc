#include "saferl/services/monitor/remote.h"

#include <utility>

#include "saferl/base/clock.h"
#include "saferl/base/json.h"
#include "saferl/base/log.h"
#include "saferl/base/text.h"

namespace saferl::services {
namespace {

constexpr int64_t kPing_ns = kNanosPerSecond / 2, kDead_ns = 2 * kNanosPerSecond;
constexpr int kMostParts = 64;

struct Hello {
  StreamInfo info;
  std::string session, epoch;
  uint64_t serial = 0;
};

StatusOr<Hello> ParseHello(std::string_view text) {
  const StatusOr<Node> node = ParseJson(text, "stream");
  if (!node.ok() || !node->is_map()) return absl::InvalidArgumentError("stream: not our protocol");
  if (const Node* error = node->Find("error"); error != nullptr)
    return absl::UnavailableError(Cat("the service says: ", error->text()));
  Hello hello;
  const auto text_of = [&node](const char* name, std::string* to) {
    const Node* value = node->Find(name);
    if (value != nullptr && value->is_scalar()) *to = value->text();
    return !to->empty();
  };
  const auto number_of = [&node](const char* name, int64_t least, int64_t most) -> int64_t {
    const Node* value = node->Find(name);
    const int64_t number = value == nullptr ? -1 : value->AsInt64().value_or(-1);
    return number < least || number > most ? -1 : number;
  };
  hello.info.shape.n = static_cast<int>(number_of("n", 1, kMostParts));
  hello.info.shape.pose = static_cast<int>(number_of("pose", 1, kMostParts));
  hello.info.period_ns = number_of("period_ns", 1, kNanosPerSecond);
  const int64_t serial = number_of("serial", 1, INT64_MAX);
  if (!text_of("robot", &hello.info.robot) || !text_of("session", &hello.session) ||
      !text_of("epoch", &hello.epoch) || hello.info.shape.n < 0 || hello.info.shape.pose < 0 ||
      hello.info.period_ns < 0 || serial < 0)
    return absl::InvalidArgumentError("stream: its first message is not that of /monitor/stream");
  hello.serial = static_cast<uint64_t>(serial);
  return hello;
}

class RemoteSource final : public DecisionSource {
 public:
  RemoteSource(std::unique_ptr<net::WsClient> client, RemoteMemory* memory)
      : client_(std::move(client)), memory_(memory) {}

  /// Waits for the robot's first words.
  Status Begin(const Deadline& deadline) {
    bool binary = false;
    SAFERL_ASSIGN_OR_RETURN(const bool got, client_->Next(deadline, &message_, &binary));
    if (!got) return absl::UnavailableError("the robot sends nothing yet");
    if (binary) return absl::InvalidArgumentError("stream: a decision before its robot");
    SAFERL_RETURN_IF_ERROR(Take(message_));
    if (memory_->epoch == epoch_ && next_ > memory_->serial + 1 && memory_->connections > 0)
      lost_ = next_ - memory_->serial - 1;
    memory_->epoch = epoch_;
    ++memory_->connections;
    return absl::OkStatus();
  }

  Got Next(int64_t wait_ns, control::Decision* decision) override {
    if (held_) return Give(decision);
    const int64_t now = Nanos();
    if (now - pinged_ns_ >= kPing_ns) {
      pinged_ns_ = now;
      if (const Status sent = client_->Ping(); !sent.ok()) return End(sent);
    }
    bool binary = false;
    const StatusOr<bool> got = client_->Next(Deadline::At(now + wait_ns), &message_, &binary);
    if (!got.ok()) return End(got.status());
    if (!*got)
      return Nanos() - client_->heard_ns() > kDead_ns
                 ? End(absl::UnavailableError("nothing comes, not even the answer to a ping"))
                 : Got::kNothing;
    if (!binary) {
      const Status taken = Take(message_);
      return taken.ok() ? Got::kAnother : End(taken);
    }
    return Look(decision);
  }
  uint64_t lost() const override { return lost_; }
  StreamInfo info() const override { return info_; }
  bool has_say() const override { return true; }
  uint64_t waiting() const override { return 0; }  // what waits is old, and old grants give nothing
  void Grant(int64_t, int64_t until_ns) override {
    if (until_ns == 0) return Say(R"({"clear":true})");
    if (granted_ == memory_->serial) return;  // nothing new was judged
    granted_ = memory_->serial;
    Say(JsonWriter().BeginObject().Field("grant", granted_).EndObject().Take());
  }
  void Stop(int64_t) override { Say(R"({"stop":true})"); }

 private:
  Status Take(std::string_view text) {
    SAFERL_ASSIGN_OR_RETURN(const Hello hello, ParseHello(text));
    info_ = hello.info;
    epoch_ = hello.epoch;
    if (next_ == 0) next_ = hello.serial;
    return absl::OkStatus();
  }
  /// The message is a decision: give it, or say first that others are missing.
  Got Look(control::Decision* decision) {
    if (message_.size() < 8) return End(absl::InvalidArgumentError("stream: a decision too short"));
    serial_ = 0;
    for (size_t i = 0; i < 8; ++i)
      serial_ |= static_cast<uint64_t>(static_cast<unsigned char>(message_[i])) << 8 * i;
    held_ = true;
    if (serial_ > next_) {
      lost_ += serial_ - next_;
      return Got::kLost;
    }
    return Give(decision);
  }
  Got Give(control::Decision* decision) {
    held_ = false;
    const Status decoded =
        control::DecodeDecision(info_.shape, std::string_view(message_).substr(8), decision);
    if (!decoded.ok()) return End(decoded);
    // The robot may number its ticks with gaps (newer ones overtake); the service's serial has
    // none.
    decision->command.sequence += serial_ - decision->input.sequence;
    decision->input.sequence = serial_;
    next_ = serial_ + 1;
    memory_->serial = serial_;
    return Got::kDecision;
  }
  Got End(const Status& why) {
    Log(LogLevel::kWarning, "the robot's service is lost", {{"why", Cat(why.message())}});
    return Got::kEnded;
  }
  void Say(std::string_view text) {
    // A connection that takes no word is found dead by Next; the robot stops by its lease.
    if (const Status sent = client_->Send(text); !sent.ok())
      Log(LogLevel::kWarning, "no word reaches the robot's service",
          {{"why", Cat(sent.message())}});
  }

  std::unique_ptr<net::WsClient> client_;
  RemoteMemory* memory_;
  StreamInfo info_;
  std::string message_, epoch_;
  bool held_ = false;
  uint64_t serial_ = 0, next_ = 0, lost_ = 0, granted_ = 0;
  int64_t pinged_ns_ = 0;
};

}  // namespace

StatusOr<std::unique_ptr<DecisionSource>> OpenRemote(const net::WsClientOptions& options,
                                                     RemoteMemory* memory) {
  SAFERL_ASSIGN_OR_RETURN(auto client, net::WsClient::Connect(options));
  auto source = std::make_unique<RemoteSource>(std::move(client), memory);
  SAFERL_RETURN_IF_ERROR(source->Begin(Deadline::After(FromSeconds(options.connect_timeout_s))));
  return source;
}

}  // namespace saferl::services
