/* A fake libnvidia-ml.so.1 for nvml_test.cc: two devices, and the environment says which call fails
   with which code (FAKE_NVML_POWER=3). Built a second time without nvmlDeviceGetPowerUsage. The
   real library comes with NVIDIA's driver alone; bench/gpu_serving asks that one. */
#include <stdlib.h>
#include <string.h>

typedef struct {
  unsigned int gpu, memory;
} Utilization;
typedef struct {
  unsigned long long total, free, used;
} Memory;

static const char* const kUuids[] = {"GPU-00000000-fake", "GPU-11111111-fake"};
static int running;

static int Says(const char* variable) {
  const char* text = getenv(variable);
  return text == NULL ? 0 : atoi(text);
}

int nvmlInit_v2(void) {
  const int code = Says("FAKE_NVML_INIT");
  if (code == 0) ++running;
  return code;
}
int nvmlShutdown(void) {
  --running;
  return 0;
}
int FakeNvmlRunning(void) { return running; }
const char* nvmlErrorString(int code) { return code == 2 ? "Invalid Argument" : "Fake Error"; }

int nvmlDeviceGetHandleByIndex_v2(unsigned int index, void** device) {
  if (index > 1) return 2;
  *device = (void*)&kUuids[index];
  return 0;
}
int nvmlDeviceGetHandleByUUID(const char* uuid, void** device) {
  for (int i = 0; i < 2; ++i) {
    if (strcmp(uuid, kUuids[i]) == 0) {
      *device = (void*)&kUuids[i];
      return 0;
    }
  }
  return 6;
}
int nvmlDeviceGetUUID(void* device, char* text, unsigned int length) {
  const char* uuid = *(const char* const*)device;
  if (strlen(uuid) >= length) return 7;
  strcpy(text, uuid);
  return Says("FAKE_NVML_UUID");
}
int nvmlDeviceGetUtilizationRates(void* device, Utilization* out) {
  out->gpu = device == (void*)&kUuids[0] ? 37 : 4;
  out->memory = 90;
  return Says("FAKE_NVML_UTILIZATION");
}
int nvmlDeviceGetMemoryInfo(void* device, Memory* out) {
  (void)device;
  out->total = 85899345920ULL;
  out->free = 64424509440ULL;
  out->used = 21474836480ULL;
  return Says("FAKE_NVML_MEMORY");
}
#ifndef FAKE_NVML_WITHOUT_POWER
int nvmlDeviceGetPowerUsage(void* device, unsigned int* mw) {
  (void)device;
  *mw = 123450;
  return Says("FAKE_NVML_POWER");
}
#endif
