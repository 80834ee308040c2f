#include "saferl/services/monitor/alerts.h"

#include <time.h>

#include <algorithm>
#include <chrono>
#include <deque>
#include <thread>

#include "saferl/base/clock.h"
#include "saferl/base/hash.h"
#include "saferl/base/json.h"
#include "saferl/base/log.h"
#include "saferl/base/text.h"
#include "saferl/net/http_client.h"

namespace saferl::services {
namespace {

using telemetry::Severity;

constexpr size_t kKeptOver = 256;

struct Row {
  const char* name;
  Severity severity;
};
constexpr std::array<Row, static_cast<size_t>(AlertName::kCount)> kRows = {{
    {"SafetyConstraintViolation", Severity::kCritical},
    {"SystemFailure", Severity::kCritical},
    {"HighErrorRate", Severity::kCritical},
    {"HighLatency", Severity::kCritical},
    {"HighResourceUtilisation", Severity::kWarning},
    {"ModelDrift", Severity::kWarning},
    {"SecurityAnomaly", Severity::kWarning},
    {"BackupFailure", Severity::kWarning},
}};

void WriteLabels(const Alert& alert, const std::string& source, JsonWriter* w) {
  w->Key("labels").BeginObject();
  w->Field("alertname", Name(alert.name)).Field("severity", Name(SeverityOf(alert.name)));
  w->Field("source", source);
  for (const auto& [key, value] : alert.labels) w->Field(key, value);
  w->EndObject();
  w->Key("annotations").BeginObject().Field("summary", alert.summary);
  w->Field("count", Cat(alert.count)).EndObject();
}

}  // namespace

std::string_view Name(AlertName name) {
  return name < AlertName::kCount ? kRows[static_cast<size_t>(name)].name : "unknown";
}
Severity SeverityOf(AlertName name) {
  return name < AlertName::kCount ? kRows[static_cast<size_t>(name)].severity : Severity::kCritical;
}

std::string TimeText(int64_t wall_ns) {
  const time_t seconds = wall_ns / kNanosPerSecond;
  tm parts{};
  gmtime_r(&seconds, &parts);
  char text[40];
  const size_t n = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
  std::string millis = Cat(wall_ns % kNanosPerSecond / 1'000'000);
  millis.insert(0, 3 - std::min<size_t>(3, millis.size()), '0');
  return Cat(std::string_view(text, n), ".", millis, "Z");
}

std::string WebhookBody(const std::vector<Alert>& alerts, const std::string& source) {
  const bool firing =
      std::any_of(alerts.begin(), alerts.end(), [](const Alert& a) { return a.ends_wall_ns == 0; });
  JsonWriter w;
  w.BeginObject().Field("version", "4").Field("groupKey", source).Field("truncatedAlerts", 0);
  w.Field("status", firing ? "firing" : "resolved").Field("receiver", "saferl");
  for (const char* map : {"groupLabels", "commonLabels", "commonAnnotations"})
    w.Key(map).BeginObject().EndObject();
  w.Field("externalURL", "").Key("alerts").BeginArray();
  for (const Alert& alert : alerts) {
    std::string identity(Name(alert.name));
    for (const auto& [key, value] : alert.labels) identity += Cat("\n", key, "=", value);
    w.BeginObject().Field("status", alert.ends_wall_ns == 0 ? "firing" : "resolved");
    WriteLabels(alert, source, &w);
    w.Field("startsAt", TimeText(alert.starts_wall_ns));
    w.Field("endsAt", alert.ends_wall_ns == 0 ? std::string("0001-01-01T00:00:00Z")
                                              : TimeText(alert.ends_wall_ns));
    w.Field("generatorURL", "").Field("fingerprint", Sha256Hex(identity).substr(0, 16));
    w.EndObject();
  }
  return w.EndArray().EndObject().Take();
}

std::string AlertmanagerBody(const std::vector<Alert>& alerts, const std::string& source,
                             int64_t ends_wall_ns) {
  JsonWriter w;
  w.BeginArray();
  for (const Alert& alert : alerts) {
    w.BeginObject();
    WriteLabels(alert, source, &w);
    w.Field("startsAt", TimeText(alert.starts_wall_ns));
    w.Field("endsAt", TimeText(alert.ends_wall_ns == 0 ? ends_wall_ns : alert.ends_wall_ns));
    w.EndObject();
  }
  return w.EndArray().Take();
}

/// One receiver: gathers what changed, sends it, tries again.
class Alerts::Channel {
 public:
  Channel(bool webhook, const AlertOptions& options, telemetry::NotificationMetrics* metrics)
      : webhook_(webhook),
        options_(options),
        url_(webhook ? options.webhook_url : Cat(options.alertmanager_url, "/api/v2/alerts")),
        metrics_(metrics) {
    net::ClientOptions client;
    client.timeout_s = options.timeout_s;
    client.max_body_bytes = 1 << 20;
    client_ = std::make_unique<net::HttpClient>(client);
    thread_ = std::thread([this] { Run(); });
  }
  ~Channel() {
    {
      const std::lock_guard lock(mutex_);
      stop_ = true;
    }
    wake_.notify_all();
    thread_.join();
  }

  void Tell(const Alert& alert) {
    const std::lock_guard lock(mutex_);
    const auto key = std::pair{alert.name, alert.labels};
    changed_[key] = alert;
    if (alert.ends_wall_ns == 0) {
      if (on_.empty()) repeat_ns_ = Nanos() + FromSeconds(options_.repeat_s);
      on_[key] = alert;
    } else {
      on_.erase(key);
    }
    if (gather_until_ns_ == 0) gather_until_ns_ = Nanos() + FromSeconds(options_.group_wait_s);
    wake_.notify_all();
  }

 private:
  void Enqueue(const std::vector<Alert>& alerts) {
    if (queue_.size() >= options_.max_queue) {
      queue_.pop_front();
      metrics_->dropped.Add();
    }
    queue_.push_back(alerts);
  }

  static std::vector<Alert> Values(const std::map<std::pair<AlertName, AlertLabels>, Alert>& map) {
    std::vector<Alert> all;
    for (const auto& [key, alert] : map) all.push_back(alert);
    return all;
  }

  /// Moves what is due into the queue; the time of the next due thing.
  int64_t Gather(int64_t now_ns) {
    if (gather_until_ns_ != 0 && (now_ns >= gather_until_ns_ || stop_)) {
      Enqueue(Values(changed_));
      changed_.clear();
      gather_until_ns_ = 0;
      repeat_ns_ = now_ns + FromSeconds(options_.repeat_s);
    }
    if (!on_.empty() && now_ns >= repeat_ns_) {
      if (queue_.empty()) Enqueue(Values(on_));
      repeat_ns_ = now_ns + FromSeconds(options_.repeat_s);
    }
    int64_t next = now_ns + kNanosPerSecond;
    if (gather_until_ns_ != 0) next = std::min(next, gather_until_ns_);
    if (!queue_.empty()) next = std::min(next, std::max(try_at_ns_, now_ns));
    return next;
  }

  bool Send(const std::vector<Alert>& alerts) {
    net::ClientRequest request;
    request.method = net::Method::kPost;
    request.url = url_;
    request.headers.Set("Content-Type", "application/json");
    request.body = webhook_ ? WebhookBody(alerts, options_.source)
                            : AlertmanagerBody(alerts, options_.source,
                                               WallNanos() + FromSeconds(3 * options_.repeat_s));
    const auto answer = client_->Send(request);
    const bool sent = answer.ok() && answer->status >= 200 && answer->status < 300;
    (sent ? metrics_->sent : metrics_->failed).Add();
    if (!sent && pause_s_ == options_.first_pause_s) {  // once, and without the address
      Log(LogLevel::kError, "alert not delivered",
          {{"channel", webhook_ ? "webhook" : "alertmanager"},
           {"why", answer.ok() ? Cat("HTTP ", answer->status)
                               : absl::StatusCodeToString(answer.status().code())}});
    }
    return sent;
  }

  void Run() {
    std::unique_lock lock(mutex_);
    while (true) {
      const int64_t now = Nanos();
      const int64_t next = Gather(now);
      if (!queue_.empty() && (now >= try_at_ns_ || stop_)) {
        const std::vector<Alert> alerts = queue_.front();
        queue_.pop_front();
        lock.unlock();
        const bool sent = Send(alerts);
        lock.lock();
        if (sent) {
          pause_s_ = options_.first_pause_s;
          try_at_ns_ = 0;
        } else if (stop_) {
          return;
        } else {
          queue_.push_front(alerts);  // order stays; the newest is refused room before this one
          if (queue_.size() > options_.max_queue) {
            queue_.pop_back();
            metrics_->dropped.Add();
          }
          try_at_ns_ = Nanos() + FromSeconds(pause_s_);
          pause_s_ = std::min(2 * pause_s_, options_.longest_pause_s);
        }
        continue;
      }
      if (stop_) return;
      wake_.wait_for(lock, std::chrono::nanoseconds(std::max<int64_t>(next - now, 1'000'000)));
    }
  }

  const bool webhook_;
  const AlertOptions options_;
  const std::string url_;
  telemetry::NotificationMetrics* metrics_;
  std::unique_ptr<net::HttpClient> client_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::map<std::pair<AlertName, AlertLabels>, Alert> changed_, on_;
  std::deque<std::vector<Alert>> queue_;
  int64_t gather_until_ns_ = 0, repeat_ns_ = 0, try_at_ns_ = 0;
  double pause_s_ = options_.first_pause_s;
  bool stop_ = false;
  std::thread thread_;
};

Status Alerts::Check(const AlertOptions& options) {
  if (options.webhook_url.empty() && options.alertmanager_url.empty()) return absl::OkStatus();
  return net::HttpClient::Available();
}

Alerts::Alerts(const AlertOptions& options, telemetry::Metrics* metrics) : options_(options) {
  for (const bool webhook : {true, false}) {
    if ((webhook ? options.webhook_url : options.alertmanager_url).empty()) continue;
    notified_.push_back(std::make_unique<telemetry::NotificationMetrics>(
        *metrics, webhook ? "webhook" : "alertmanager"));
    channels_.push_back(std::make_unique<Channel>(webhook, options, notified_.back().get()));
  }
}

Alerts::~Alerts() = default;

void Alerts::Tell(const Alert& alert) {
  for (const auto& channel : channels_) channel->Tell(alert);
}

void Alerts::Raise(AlertName name, const AlertLabels& labels, std::string_view summary) {
  const std::lock_guard lock(mutex_);
  const auto [at, fresh] = on_.try_emplace({name, labels});
  if (!fresh) {
    ++at->second.count;
    return;
  }
  at->second = {name, labels, std::string(summary), WallNanos(), 0, 1};
  Log(SeverityOf(name) == Severity::kCritical ? LogLevel::kError : LogLevel::kWarning, "alert",
      {{"alert", Name(name)}, {"summary", summary}});
  Tell(at->second);
}

void Alerts::Resolve(AlertName name, const AlertLabels& labels) {
  const std::lock_guard lock(mutex_);
  const auto at = on_.find({name, labels});
  if (at == on_.end()) return;
  Alert alert = std::move(at->second);
  on_.erase(at);
  alert.ends_wall_ns = WallNanos();
  Log(LogLevel::kInfo, "alert over", {{"alert", Name(name)}, {"count", alert.count}});
  Tell(alert);
  over_.push_back(std::move(alert));
  if (over_.size() > kKeptOver) over_.erase(over_.begin());
}

std::vector<Alert> Alerts::List() const {
  const std::lock_guard lock(mutex_);
  std::vector<Alert> all;
  for (const auto& [key, alert] : on_) all.push_back(alert);
  std::sort(all.begin(), all.end(),
            [](const Alert& a, const Alert& b) { return a.starts_wall_ns > b.starts_wall_ns; });
  all.insert(all.end(), over_.rbegin(), over_.rend());
  return all;
}

size_t Alerts::active() const {
  const std::lock_guard lock(mutex_);
  return on_.size();
}

}  // namespace saferl::services
