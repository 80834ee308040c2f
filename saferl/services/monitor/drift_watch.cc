#include "saferl/services/monitor/drift_watch.h"

#include <fmt/format.h>

#include <chrono>
#include <cmath>
#include <filesystem>
#include <system_error>

#include "saferl/base/clock.h"
#include "saferl/base/file.h"
#include "saferl/base/log.h"
#include "saferl/base/text.h"

namespace saferl::services {
namespace {

constexpr const char* kTest = "batch_means";

double Rounded(double value) { return std::round(value * 100) / 100; }

constexpr double kClearP = 0.01;

/// ", robot chair-3 alone off by 6.1 (p 1e-05, others 0.4)".
std::string Whose(const policy::DriftFinding& f) {
  if (f.stream.empty()) return "";
  const bool alone = f.stream_p <= kClearP && f.others_p > kClearP;
  return fmt::format(", {}robot {}{} off by {} (p {:.2g}, others {:.2g})",
                     alone ? "" : "most of all ", f.stream, alone ? " alone" : "",
                     Rounded(f.stream_shift), f.stream_p, f.others_p);
}

std::string Summary(const policy::DriftReport& report) {
  std::string text =
      Cat(report.group, " differs from its reference in ", report.samples, " samples");
  for (const policy::DriftFinding& f : report.findings)
    text += Cat("; ", f.feature, ": mean off by ", Rounded(f.shift), " deviations, deviation ",
                Rounded(f.spread), " of the reference's", Whose(f));
  return text;
}

}  // namespace

DriftWatch::DriftWatch(const ModelHost* models, telemetry::Metrics* metrics, Alerts* alerts,
                       std::string directory, double every_s)
    : models_(models),
      metrics_(metrics),
      alerts_(alerts),
      directory_(std::move(directory)),
      every_s_(every_s),
      thread_([this] { Run(); }) {}

DriftWatch::~DriftWatch() {
  {
    const std::lock_guard lock(mutex_);
    end_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void DriftWatch::Tell(const Key& key, const policy::DriftReport& report, Group* group) {
  if (group->metrics == nullptr)
    group->metrics = std::make_unique<telemetry::DriftMetrics>(*metrics_, key.first, key.second,
                                                               kTest, report.group);
  group->metrics->p_value.Set(report.p);
  group->metrics->statistic.Set(report.statistic);
  group->metrics->window_samples.Set(static_cast<double>(report.samples));
  if (report.drifting == group->on) return;
  group->on = report.drifting;
  const AlertLabels labels = {
      {"model", key.first}, {"version", key.second}, {"feature_group", report.group}};
  if (group->on) {
    alerts_->Raise(AlertName::kModelDrift, labels, Summary(report));
  } else {
    alerts_->Resolve(AlertName::kModelDrift, labels);
  }
}

std::string DriftWatch::PathOf(const ServedModel& model) const {
  return Cat(directory_, "/", model.sha256, ".drift");
}

/// What a detector of the same bytes has learned before.
void DriftWatch::Recall(const ServedModel& model, Known* known) {
  if (directory_.empty()) return;
  const std::string path = PathOf(model);
  std::error_code missing;
  if (!std::filesystem::exists(path, missing)) return;
  const auto restore = [&]() -> Status {
    SAFERL_ASSIGN_OR_RETURN(const std::string bytes, ReadFile(path));
    SAFERL_ASSIGN_OR_RETURN(const auto reference, policy::DecodeDriftReference(bytes, path));
    if (reference.policy != model.sha256)
      return absl::InvalidArgumentError(Cat(path, ": is of policy ", reference.policy));
    SAFERL_RETURN_IF_ERROR(model.drift->Restore(reference));
    known->kept = reference.groups.size();
    return absl::OkStatus();
  };
  if (const Status restored = restore(); !restored.ok())
    Log(LogLevel::kWarning, "drift reference not read: it is learned anew",
        {{"model", model.name}, {"version", model.version}, {"why", Cat(restored.message())}});
}

void DriftWatch::Keep(const ServedModel& model, Known* known) {
  if (directory_.empty()) return;
  policy::DriftReference reference = model.drift->Learned();
  if (reference.groups.size() <= known->kept) return;
  reference.policy = model.sha256;
  std::error_code failed;
  std::filesystem::create_directories(directory_, failed);
  const Status written = WriteFileAtomic(PathOf(model), policy::EncodeDriftReference(reference));
  if (written.ok()) {
    known->kept = reference.groups.size();
  } else if (!known->kept_bad) {
    Log(LogLevel::kWarning, "drift reference not kept: a restart learns it anew",
        {{"model", model.name}, {"version", model.version}, {"why", Cat(written.message())}});
  }
  known->kept_bad = !written.ok();
}

void DriftWatch::Turn() {
  const std::lock_guard lock(turn_);
  const auto models = models_->Matching("", "");
  if (!models.ok()) return;
  std::map<Key, Known> before = std::exchange(known_, {});
  for (const std::shared_ptr<const ServedModel>& model : *models) {
    if (model->drift == nullptr) continue;
    const Key key = {model->name, model->version};
    if (auto node = before.extract(key); !node.empty()) known_.insert(std::move(node));
    Known& known = known_[key];
    if (known.model.lock() != model) {
      known.model = model;
      known.kept = 0;
      Recall(*model, &known);
    }
    model->drift->Collect();
    Keep(*model, &known);
    for (const policy::DriftReport& report : model->drift->Reports())
      Tell(key, report, &known.groups[report.group]);
  }
  for (auto& [key, known] : before) {  // unloaded
    for (auto& [name, group] : known.groups) {
      group.metrics->Remove();
      if (group.on)
        alerts_->Resolve(AlertName::kModelDrift,
                         {{"model", key.first}, {"version", key.second}, {"feature_group", name}});
    }
  }
}

void DriftWatch::Run() {
  std::unique_lock lock(mutex_);
  while (!end_) {
    lock.unlock();
    Turn();
    lock.lock();
    changed_.wait_for(lock, std::chrono::nanoseconds(FromSeconds(every_s_)),
                      [this] { return end_; });
  }
}

void WriteDrift(const ServedModel& model, JsonWriter* w) {
  if (model.drift == nullptr) {
    w->Field("no_drift", model.no_drift);
    return;
  }
  w->Key("drift").BeginArray();
  for (const policy::DriftReport& report : model.drift->Reports()) {
    w->BeginObject().Field("feature_group", report.group);
    w->Field("state", report.drifting ? "drifting" : report.learning ? "learning" : "none");
    w->Field("p", report.p).Field("statistic", report.statistic).Field("samples", report.samples);
    w->Key("features").BeginArray();
    for (const policy::DriftFinding& f : report.findings) {
      w->BeginObject().Field("name", f.feature).Field("shift", f.shift);
      w->Field("spread", f.spread).Field("p", f.p);
      if (!f.stream.empty())
        w->Field("robot", f.stream)
            .Field("robot_shift", f.stream_shift)
            .Field("robot_p", f.stream_p)
            .Field("others_p", f.others_p);
      w->EndObject();
    }
    w->EndArray().EndObject();
  }
  w->EndArray();
}

}  // namespace saferl::services
