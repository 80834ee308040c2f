#include "saferl/services/monitor/drift_watch.h"

#include <chrono>
#include <cmath>

#include "saferl/base/clock.h"
#include "saferl/base/text.h"

namespace saferl::services {
namespace {

constexpr const char* kTest = "batch_means";

double Rounded(double value) { return std::round(value * 100) / 100; }

std::string Summary(const policy::DriftReport& report) {
  std::string text =
      Cat(report.group, " differs from its reference in ", report.samples, " samples");
  for (const policy::DriftFinding& f : report.findings)
    text += Cat("; ", f.feature, ": mean off by ", Rounded(f.shift), " deviations, deviation ",
                Rounded(f.spread), " of the reference's");
  return text;
}

}  // namespace

DriftWatch::DriftWatch(const ModelHost* models, telemetry::Metrics* metrics, Alerts* alerts,
                       double every_s)
    : models_(models), metrics_(metrics), alerts_(alerts), every_s_(every_s), thread_([this] {
        Run();
      }) {}

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

void DriftWatch::Turn() {
  const std::lock_guard lock(turn_);
  const auto models = models_->Matching("", "");
  if (!models.ok()) return;
  std::map<Key, std::map<std::string, Group>> before = std::exchange(known_, {});
  for (const std::shared_ptr<const ServedModel>& model : *models) {
    if (model->drift == nullptr) continue;
    const Key key = {model->name, model->version};
    if (auto node = before.extract(key); !node.empty()) known_.insert(std::move(node));
    model->drift->Collect();
    for (const policy::DriftReport& report : model->drift->Reports())
      Tell(key, report, &known_[key][report.group]);
  }
  for (auto& [key, groups] : before) {  // unloaded
    for (auto& [name, group] : groups) {
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
  if (model.drift == nullptr) return;
  w->Key("drift").BeginArray();
  for (const policy::DriftReport& report : model.drift->Reports()) {
    w->BeginObject().Field("feature_group", report.group);
    w->Field("state", report.drifting ? "drifting" : report.learning ? "learning" : "none");
    w->Field("p", report.p).Field("statistic", report.statistic).Field("samples", report.samples);
    w->Key("features").BeginArray();
    for (const policy::DriftFinding& f : report.findings) {
      w->BeginObject().Field("name", f.feature).Field("shift", f.shift);
      w->Field("spread", f.spread).Field("p", f.p).EndObject();
    }
    w->EndArray().EndObject();
  }
  w->EndArray();
}

}  // namespace saferl::services
