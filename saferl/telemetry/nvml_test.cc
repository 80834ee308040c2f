// GPU metrics over a fake of the driver's library (tests/fake_nvml): a machine that runs tests has
// no GPU. bench/gpu_serving reads them on one that has.
#include "saferl/telemetry/nvml.h"

#include <dlfcn.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "saferl/base/file.h"
#include "saferl/base/log.h"
#include "saferl/base/text.h"
#include "saferl/telemetry/gpu_metrics.h"

namespace saferl::telemetry {
namespace {

using testing::HasSubstr;
using testing::Not;

const std::string kFake = SAFERL_BINARY_DIR "/libsaferl_fake_nvml.so";
const std::string kOlder = SAFERL_BINARY_DIR "/libsaferl_fake_nvml_older.so";
constexpr const char* kVariables[] = {"FAKE_NVML_INIT",        "FAKE_NVML_UUID",
                                      "FAKE_NVML_UTILIZATION", "FAKE_NVML_MEMORY",
                                      "FAKE_NVML_POWER",       "CUDA_VISIBLE_DEVICES"};

class NvmlTest : public testing::Test {
 protected:
  void SetUp() override {
    for (const char* variable : kVariables) ::unsetenv(variable);
    ASSERT_TRUE(ConfigureLog(LogLevel::kInfo, log_).ok());
  }
  void TearDown() override {
    for (const char* variable : kVariables) ::unsetenv(variable);
    EXPECT_TRUE(ConfigureLog(LogLevel::kInfo, "").ok());
    std::filesystem::remove(log_);
  }
  /// What was logged so far.
  std::string Logged() const {
    EXPECT_TRUE(ConfigureLog(LogLevel::kInfo, log_).ok());  // flushes, goes on behind
    return ReadFile(log_).value_or("");
  }
  static std::string Why(const std::string& library, int device) {
    const auto opened = Nvml::Open(library, device);
    EXPECT_TRUE(absl::IsFailedPrecondition(opened.status())) << opened.status();
    EXPECT_THAT(std::string(opened.status().message()), HasSubstr("INFERENCE_GPU"));
    return std::string(opened.status().message());
  }
  const std::string log_ = Cat(testing::TempDir(), "saferl_nvml_log_", ::getpid());
};

size_t Lines(const std::string& text, const std::string& with) {
  size_t n = 0;
  for (size_t at = text.find(with); at != text.npos; at = text.find(with, at + 1)) ++n;
  return n;
}

TEST_F(NvmlTest, AScrapeShowsTheDeviceUnderTritonsNames) {
  Metrics metrics;
  AddGpuMetrics(metrics, 0, kFake);
  const std::string text = metrics.Text();
  EXPECT_THAT(text, HasSubstr("nv_gpu_utilization{gpu_uuid=\"GPU-00000000-fake\"} 0.37\n"));
  EXPECT_THAT(text, HasSubstr("nv_gpu_power_usage{gpu_uuid=\"GPU-00000000-fake\"} 123.45\n"));
  for (const auto& [name, bytes] :
       {std::pair{"total", 85899345920.0}, std::pair{"used", 21474836480.0}}) {
    const std::string series =
        Cat("nv_gpu_memory_", name, "_bytes{gpu_uuid=\"GPU-00000000-fake\"} ");
    const size_t at = text.find(series);
    ASSERT_NE(at, text.npos) << text;
    EXPECT_EQ(std::strtod(text.c_str() + at + series.size(), nullptr), bytes);
  }
  EXPECT_EQ(Logged(), "");
}

TEST_F(NvmlTest, ADeviceIsCountedAsCudaCountsIt) {
  EXPECT_EQ((*Nvml::Open(kFake, 1))->uuid(), "GPU-11111111-fake");
  ::setenv("CUDA_VISIBLE_DEVICES", "1,0", 1);
  EXPECT_EQ((*Nvml::Open(kFake, 0))->uuid(), "GPU-11111111-fake");
  EXPECT_EQ((*Nvml::Open(kFake, 1))->uuid(), "GPU-00000000-fake");
  ::setenv("CUDA_VISIBLE_DEVICES", "GPU-11111111-fake", 1);
  EXPECT_EQ((*Nvml::Open(kFake, 0))->uuid(), "GPU-11111111-fake");
  EXPECT_THAT(Why(kFake, 1), HasSubstr("not in CUDA_VISIBLE_DEVICES"));
  ::setenv("CUDA_VISIBLE_DEVICES", "", 1);  // CUDA then sees none
  EXPECT_THAT(Why(kFake, 0), HasSubstr("not in CUDA_VISIBLE_DEVICES"));
  ::setenv("CUDA_VISIBLE_DEVICES", "GPU-2", 1);
  EXPECT_THAT(Why(kFake, 0), HasSubstr("no device 'GPU-2' (Fake Error, code 6)"));
}

TEST_F(NvmlTest, SaysWhatIsMissingAndWhatToDo) {
  EXPECT_THAT(Why("/nowhere/libnvidia-ml.so.1", 0), HasSubstr("/nowhere/libnvidia-ml.so.1"));
  EXPECT_THAT(Why("libm.so.6", 0), HasSubstr("'libm.so.6' has no nvmlInit_v2"));
  EXPECT_THAT(Why(kOlder, 0), HasSubstr("has no nvmlDeviceGetPowerUsage"));
  EXPECT_THAT(Why(kFake, 2), HasSubstr("no device '2' (Invalid Argument, code 2)"));
  ::setenv("FAKE_NVML_INIT", "9", 1);
  EXPECT_THAT(Why(kFake, 0), HasSubstr("does not start (Fake Error, code 9)"));
  ::unsetenv("FAKE_NVML_INIT");
  ::setenv("FAKE_NVML_UUID", "999", 1);
  EXPECT_THAT(Why(kFake, 0), HasSubstr("does not tell its UUID (Fake Error, code 999)"));
}

TEST_F(NvmlTest, WhatIsStartedIsEnded) {
  const auto running =
      reinterpret_cast<int (*)()>(::dlsym(::dlopen(kFake.c_str(), RTLD_NOW), "FakeNvmlRunning"));
  ASSERT_NE(running, nullptr);
  EXPECT_EQ(running(), 0);
  {
    const auto gpu = Nvml::Open(kFake, 0);
    EXPECT_EQ(running(), 1);
    EXPECT_FALSE(Nvml::Open(kFake, 2).ok());
    EXPECT_EQ(running(), 1);
  }
  EXPECT_EQ(running(), 0);
}

TEST_F(NvmlTest, WithoutTheLibraryThereIsOneWarningAndTheRestIsShown) {
  Metrics metrics;
  metrics.NewGauge("other", "Other").Set(1);
  AddGpuMetrics(metrics, 0, "/nowhere/libnvidia-ml.so.1");
  AddGpuMetrics(metrics, -1, kFake);
  for (int i = 0; i < 3; ++i) {
    EXPECT_THAT(metrics.Text(), HasSubstr("other 1\n"));
    EXPECT_THAT(metrics.Text(), Not(HasSubstr("nv_gpu")));
  }
  EXPECT_EQ(Lines(Logged(), "\n"), 1u) << Logged();
  EXPECT_THAT(Logged(), HasSubstr("\"level\":\"warning\""));
  EXPECT_THAT(Logged(), HasSubstr("no GPU metrics"));
}

TEST_F(NvmlTest, AValueThatADeviceDoesNotHaveIsAbsentAlone) {
  Metrics metrics;
  AddGpuMetrics(metrics, 0, kFake);
  ::setenv("FAKE_NVML_POWER", "3", 1);
  EXPECT_THAT(metrics.Text(), HasSubstr("nv_gpu_utilization{"));
  EXPECT_THAT(metrics.Text(), Not(HasSubstr("nv_gpu_power_usage{")));
  ::setenv("FAKE_NVML_UTILIZATION", "4", 1);
  EXPECT_THAT(metrics.Text(), Not(HasSubstr("nv_gpu_utilization{")));
  EXPECT_THAT(metrics.Text(), HasSubstr("nv_gpu_memory_used_bytes{"));
  EXPECT_EQ(Logged(), "");
}

TEST_F(NvmlTest, ADeviceThatFallsSilentTakesItsMetricsAlongAndBringsThemBack) {
  Metrics metrics;
  AddGpuMetrics(metrics, 0, kFake);
  EXPECT_THAT(metrics.Text(), HasSubstr("nv_gpu_utilization{"));
  for (const char* call : {"FAKE_NVML_UTILIZATION", "FAKE_NVML_MEMORY", "FAKE_NVML_POWER"}) {
    ::setenv(call, "15", 1);  // NVML_ERROR_GPU_IS_LOST
    for (int i = 0; i < 3; ++i) EXPECT_THAT(metrics.Text(), Not(HasSubstr("nv_gpu_")));
    ::unsetenv(call);
    EXPECT_THAT(metrics.Text(), HasSubstr("nv_gpu_utilization{"));
  }
  EXPECT_EQ(Lines(Logged(), "no GPU metrics any more"), 3u) << Logged();
  EXPECT_EQ(Lines(Logged(), "GPU metrics again"), 3u);
  EXPECT_THAT(Logged(), HasSubstr("code 15"));
}

}  // namespace
}  // namespace saferl::telemetry
