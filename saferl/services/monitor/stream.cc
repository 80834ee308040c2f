#include "saferl/services/monitor/stream.h"

#include <time.h>

#include <algorithm>

#include "saferl/base/clock.h"
#include "saferl/base/json.h"

namespace saferl::services {
namespace {

constexpr int64_t kLook_ns = 200'000'000;  // how often the robot's program is looked after

class ShmSource final : public DecisionSource {
 public:
  explicit ShmSource(std::unique_ptr<control::MonitorLink> link)
      : link_(std::move(link)),
        pause_ns_(std::clamp<int64_t>(link_->period_ns() / 4, 200'000, 2'000'000)) {}

  Got Next(int64_t wait_ns, control::Decision* decision) override {
    const int64_t until = Nanos() + wait_ns;
    while (true) {
      const auto got = link_->Next(decision);
      if (got == control::MonitorLink::Got::kDecision) return Got::kDecision;
      if (got == control::MonitorLink::Got::kLost) return Got::kLost;
      const int64_t now = Nanos();
      if (now >= looked_ns_ + kLook_ns) {
        looked_ns_ = now;
        if (link_->Gone()) return Got::kEnded;
      }
      if (now >= until) return Got::kNothing;
      const timespec pause{0, static_cast<long>(std::min(pause_ns_, until - now))};
      nanosleep(&pause, nullptr);
    }
  }
  uint64_t lost() const override { return link_->lost(); }
  StreamInfo info() const override {
    return {link_->robot(), {link_->n(), link_->pose()}, link_->period_ns()};
  }
  bool has_say() const override { return true; }
  uint64_t waiting() const override { return link_->waiting(); }
  void Grant(int64_t now_ns, int64_t until_ns) override { link_->Grant(now_ns, until_ns); }
  void Stop(int64_t now_ns) override { link_->Stop(now_ns); }

 private:
  std::unique_ptr<control::MonitorLink> link_;
  int64_t pause_ns_, looked_ns_ = 0;
};

}  // namespace

StatusOr<std::unique_ptr<DecisionSource>> OpenShm(const std::string& path) {
  SAFERL_ASSIGN_OR_RETURN(auto link, control::MonitorLink::Attach(path));
  return std::make_unique<ShmSource>(std::move(link));
}

void DecisionHub::SetRobot(const StreamInfo& info) {
  const std::lock_guard lock(mutex_);
  shape_ = info.shape;
  hello_ = JsonWriter()
               .BeginObject()
               .Field("robot", info.robot)
               .Field("n", info.shape.n)
               .Field("pose", info.shape.pose)
               .Field("period_ns", info.period_ns)
               .EndObject()
               .Take();
  for (const auto& stream : streams_) stream->Close();
  streams_.clear();
}

void DecisionHub::Add(std::shared_ptr<net::Stream> stream) {
  const std::lock_guard lock(mutex_);
  if (hello_.empty()) {  // no robot yet: the peer tries again later
    stream->Close();
    return;
  }
  stream->Send("", hello_);
  streams_.push_back(std::move(stream));
}

void DecisionHub::Send(const control::Decision& decision) {
  const std::lock_guard lock(mutex_);
  if (streams_.empty()) return;
  buffer_.clear();
  control::EncodeDecision(shape_, decision, &buffer_);
  std::erase_if(streams_, [this](const auto& stream) { return !stream->SendBinary(buffer_); });
}

size_t DecisionHub::subscribers() const {
  const std::lock_guard lock(mutex_);
  return streams_.size();
}

}  // namespace saferl::services
