#include "saferl/cli/bench_common.h"

#include <algorithm>
#include <vector>

#include "saferl/base/clock.h"

namespace saferl::cli {
namespace {

double Micros(int64_t nanos) { return static_cast<double>(nanos) * 1e-3; }

/// A chain of dependent additions that no compiler removes.
void Spin(int64_t turns) {
  volatile double x = 1;
  for (int64_t i = 0; i < turns; ++i) x = x + 1e-9;
}

int64_t TimeSpin(int64_t turns) {
  const int64_t start = Nanos();
  Spin(turns);
  return Nanos() - start;
}

}  // namespace

void WritePercentiles(const Histogram& histogram, JsonWriter* w) {
  w->Field("p50_us", Micros(histogram.p50())).Field("p99_us", Micros(histogram.p99()));
  w->Field("p99_9_us", Micros(histogram.p99_9())).Field("max_us", Micros(histogram.max()));
}

void PercentileRow(const std::string& name, const Histogram& histogram, Table* table) {
  table->Row({name, Significant(Micros(histogram.p50())), Significant(Micros(histogram.p99())),
              Significant(Micros(histogram.p99_9())), Significant(Micros(histogram.max()))});
}

Histogram NoiseFloor(int64_t length_ns, int runs) {
  int64_t probe = TimeSpin(10'000);
  for (int i = 0; i < 20; ++i) probe = std::min(probe, TimeSpin(10'000));
  const int64_t turns = std::max<int64_t>(1, length_ns * 10'000 / std::max<int64_t>(1, probe));
  std::vector<int64_t> times(static_cast<size_t>(runs));
  for (int64_t& time : times) time = TimeSpin(turns);
  const int64_t least = *std::min_element(times.begin(), times.end());
  Histogram noise;
  for (int64_t time : times) noise.Record(time - least);
  return noise;
}

void WriteNoise(const Histogram& noise, JsonWriter* w) {
  w->Field("noise_floor_us", Micros(noise.p99_9())).Key("noise_floor").BeginObject();
  WritePercentiles(noise, w);
  w->EndObject();
}

}  // namespace saferl::cli
