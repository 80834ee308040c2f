// The only file that knows NVML's C API.
#include "saferl/telemetry/nvml.h"

#include <dlfcn.h>

#include <charconv>
#include <cstdlib>

#include "saferl/base/json.h"
#include "saferl/base/text.h"

namespace saferl::telemetry {
namespace {

using Device = void*;  // nvmlDevice_t
using Code = int;      // nvmlReturn_t
constexpr Code kSuccess = 0, kNotSupported = 3, kNoPermission = 4;

struct Utilization {  // nvmlUtilization_t [%]
  unsigned int gpu, memory;
};
struct Memory {  // nvmlMemory_t [bytes]
  unsigned long long total, free, used;
};

struct Api {
  Code (*init)() = nullptr;
  Code (*shutdown)() = nullptr;
  const char* (*error_text)(Code) = nullptr;
  Code (*by_index)(unsigned int index, Device* device) = nullptr;
  Code (*by_uuid)(const char* uuid, Device* device) = nullptr;
  Code (*uuid)(Device, char* text, unsigned int length) = nullptr;
  Code (*utilization)(Device, Utilization*) = nullptr;
  Code (*memory)(Device, Memory*) = nullptr;
  Code (*power)(Device, unsigned int* mw) = nullptr;
};

Status Missing(std::string_view why) {
  return absl::FailedPreconditionError(
      Cat("NVML: ", why,
          "; install the NVIDIA driver (in a container: start it with the GPU, `--gpus`), or set "
          "inference.gpu (INFERENCE_GPU) to off"));
}

StatusOr<Api> TakeApi(void* library, const std::string& name) {
  Api api;
  std::string missing;
  const auto take = [&](const char* symbol, auto* function) {
    *function =
        reinterpret_cast<std::remove_pointer_t<decltype(function)>>(::dlsym(library, symbol));
    if (*function == nullptr && missing.empty()) missing = symbol;
  };
  take("nvmlInit_v2", &api.init);
  take("nvmlShutdown", &api.shutdown);
  take("nvmlErrorString", &api.error_text);
  take("nvmlDeviceGetHandleByIndex_v2", &api.by_index);
  take("nvmlDeviceGetHandleByUUID", &api.by_uuid);
  take("nvmlDeviceGetUUID", &api.uuid);
  take("nvmlDeviceGetUtilizationRates", &api.utilization);
  take("nvmlDeviceGetMemoryInfo", &api.memory);
  take("nvmlDeviceGetPowerUsage", &api.power);
  if (!missing.empty()) return Missing(Cat("'", name, "' has no ", missing));
  return api;
}

/// Entry `device` of CUDA_VISIBLE_DEVICES: a number or a UUID; without the variable the number.
StatusOr<std::string> Visible(int device) {
  const char* variable = std::getenv("CUDA_VISIBLE_DEVICES");
  if (variable == nullptr) return Cat(device);
  std::string_view rest = variable;
  for (int i = 0; !rest.empty(); ++i) {
    const size_t comma = rest.find(',');
    if (i == device) return std::string(rest.substr(0, comma));
    rest.remove_prefix(comma == rest.npos ? rest.size() : comma + 1);
  }
  return Missing(Cat("device ", device, " is not in CUDA_VISIBLE_DEVICES"));
}

class Gpu final : public Nvml {
 public:
  explicit Gpu(const Api& api) : api_(api) {}
  ~Gpu() override {
    if (started_) api_.shutdown();
  }

  Status Start(int device) {
    SAFERL_ASSIGN_OR_RETURN(const std::string name, Visible(device));
    if (const Code code = api_.init(); code != kSuccess)
      return Missing(Cat("does not start (", Text(code), ")"));
    started_ = true;
    unsigned int index = 0;
    const char* end = name.data() + name.size();
    const auto number = std::from_chars(name.data(), end, index);
    const Code code = number.ec == std::errc() && number.ptr == end
                          ? api_.by_index(index, &device_)
                          : api_.by_uuid(name.c_str(), &device_);
    if (code != kSuccess)
      return Missing(Cat("no device '", JsonEscape(name.substr(0, 80)), "' (", Text(code),
                         "); nvidia-smi -L lists those there are"));
    char uuid[97] = {};  // NVML_DEVICE_UUID_V2_BUFFER_SIZE is 96
    if (const Code said = api_.uuid(device_, uuid, sizeof uuid - 1); said != kSuccess)
      return Missing(Cat("device ", device, " does not tell its UUID (", Text(said), ")"));
    uuid_ = uuid;
    return absl::OkStatus();
  }

  StatusOr<GpuReading> Read() const override {
    GpuReading reading;
    Utilization busy{};
    SAFERL_ASSIGN_OR_RETURN(bool there, Has("utilization", api_.utilization(device_, &busy)));
    if (there) reading.utilization = busy.gpu / 100.0;
    Memory memory{};
    SAFERL_ASSIGN_OR_RETURN(there, Has("memory", api_.memory(device_, &memory)));
    if (there) {
      reading.memory_total_bytes = memory.total;
      reading.memory_used_bytes = memory.used;
    }
    unsigned int power_mw = 0;
    SAFERL_ASSIGN_OR_RETURN(there, Has("power", api_.power(device_, &power_mw)));
    if (there) reading.power_w = power_mw / 1000.0;
    return reading;
  }

 private:
  std::string Text(Code code) const {
    const char* text = api_.error_text(code);
    return Cat(text == nullptr ? "unknown" : text, ", code ", code);
  }

  StatusOr<bool> Has(std::string_view what, Code code) const {
    if (code == kSuccess) return true;
    if (code == kNotSupported || code == kNoPermission) return false;
    return absl::UnavailableError(Cat("NVML: ", uuid_, ": ", what, ": ", Text(code),
                                      "; look at the device with nvidia-smi and the kernel's log"));
  }

  const Api api_;
  bool started_ = false;
  Device device_ = nullptr;
};

}  // namespace

StatusOr<std::unique_ptr<const Nvml>> Nvml::Open(const std::string& library, int device) {
  // Stays loaded to the end of the process: the driver's library may have threads.
  void* opened = ::dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (opened == nullptr) return Missing(Cat("the library is not here (", ::dlerror(), ")"));
  SAFERL_ASSIGN_OR_RETURN(const Api api, TakeApi(opened, library));
  auto gpu = std::make_unique<Gpu>(api);
  SAFERL_RETURN_IF_ERROR(gpu->Start(device));
  return gpu;
}

}  // namespace saferl::telemetry
