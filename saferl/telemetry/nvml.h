#pragma once
// Nvml: what one NVIDIA GPU says about itself: busy time, memory, power. The driver's library is
// loaded when it is asked for, never linked: a machine without a GPU has none.
//
// Devices are counted as CUDA counts them in this process: CUDA_VISIBLE_DEVICES is heeded. Without
// it NVML counts by bus, and CUDA the fastest first unless CUDA_DEVICE_ORDER=PCI_BUS_ID: set that
// where a machine has GPUs of several kinds.
// Units: bytes, watts, a share of time (0..1) of the driver's last sample period (1/6 to 1 s).
// Errors: kFailedPrecondition: no library, not one, no such device, and what to do. A value that a
// device does not have (power of a virtual one) is absent from the reading, no error; kUnavailable:
// the device does not answer any more. Threads: any. RT: no (calls the driver).
// Source: NVML API reference, device queries; struct layouts and codes as there.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "saferl/base/status.h"

namespace saferl::telemetry {

inline constexpr const char* kNvmlLibrary = "libnvidia-ml.so.1";

struct GpuReading {
  std::optional<double> utilization;  ///< 0..1
  std::optional<uint64_t> memory_total_bytes, memory_used_bytes;
  std::optional<double> power_w;
};

class Nvml {
 public:
  /// `device`: as inference.gpu, 0 or more.
  static StatusOr<std::unique_ptr<const Nvml>> Open(const std::string& library, int device);
  virtual ~Nvml() = default;
  const std::string& uuid() const { return uuid_; }
  virtual StatusOr<GpuReading> Read() const = 0;

 protected:
  std::string uuid_;
};

}  // namespace saferl::telemetry
