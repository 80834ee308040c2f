#pragma once
// nv_gpu_utilization, nv_gpu_memory_total_bytes, nv_gpu_memory_used_bytes and nv_gpu_power_usage of
// the device that ONNX models run on, under the names that Triton gives them, read from NVML at
// each scrape. Without NVML or the device: one warning in the log, no such metrics, no error. A
// device that falls silent takes its metrics with it (a warning); they come back with it.
// RT: no. Errors: none.

#include "saferl/telemetry/metrics.h"
#include "saferl/telemetry/nvml.h"

namespace saferl::telemetry {

/// `device`: as inference.gpu; below 0: none, nothing is loaded.
void AddGpuMetrics(Metrics& metrics, int device, const std::string& library = kNvmlLibrary);

}  // namespace saferl::telemetry
