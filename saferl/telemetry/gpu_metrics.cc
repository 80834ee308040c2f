#include "saferl/telemetry/gpu_metrics.h"

#include <mutex>

#include "saferl/base/log.h"
#include "saferl/base/text.h"
#include "saferl/telemetry/catalogue_table.h"

namespace saferl::telemetry {
namespace {

class GpuMetrics {
 public:
  GpuMetrics(Metrics& metrics, std::unique_ptr<const Nvml> nvml)
      : metrics_(metrics), nvml_(std::move(nvml)), labels_{{"gpu_uuid", nvml_->uuid()}} {}

  void Update() {
    const std::lock_guard lock(mutex_);  // two scrapes at once: one would remove the other's gauge
    const StatusOr<GpuReading> read = nvml_->Read();
    if (!read.ok() && answers_)
      Log(LogLevel::kWarning, "no GPU metrics any more", {{"why", Cat(read.status().message())}});
    if (read.ok() && !answers_) Log(LogLevel::kInfo, "GPU metrics again");
    answers_ = read.ok();
    const GpuReading now = read.value_or(GpuReading());
    const auto show = [this](const char* name, const auto& value) {
      if (value.has_value()) {
        MakeGauge(metrics_, name, labels_).Set(static_cast<double>(*value));
      } else {
        metrics_.Remove(name, labels_);
      }
    };
    show("nv_gpu_utilization", now.utilization);
    show("nv_gpu_memory_total_bytes", now.memory_total_bytes);
    show("nv_gpu_memory_used_bytes", now.memory_used_bytes);
    show("nv_gpu_power_usage", now.power_w);
  }

 private:
  Metrics& metrics_;
  const std::unique_ptr<const Nvml> nvml_;
  const Labels labels_;
  std::mutex mutex_;
  bool answers_ = true;
};

}  // namespace

void AddGpuMetrics(Metrics& metrics, int device, const std::string& library) {
  if (device < 0) return;
  StatusOr<std::unique_ptr<const Nvml>> nvml = Nvml::Open(library, device);
  if (!nvml.ok()) {
    Log(LogLevel::kWarning, "no GPU metrics", {{"why", Cat(nvml.status().message())}});
    return;
  }
  auto gpu = std::make_shared<GpuMetrics>(metrics, *std::move(nvml));
  metrics.OnScrape([gpu] { gpu->Update(); });
}

}  // namespace saferl::telemetry
