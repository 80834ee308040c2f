#pragma once
// What all benches print beside their figures: percentiles in microseconds and the machine's own
// noise floor.
//
// Noise floor: an empty loop of the same length as the measured work, timed the same way, in the
// same run; what it takes beyond its own minimum is the machine's, not ours. RT: no.

#include <string>

#include "saferl/base/histogram.h"
#include "saferl/base/json.h"
#include "saferl/base/table.h"

namespace saferl::cli {

/// "p50_us", "p99_us", "p99_9_us", "max_us" into an open object; the histogram holds ns.
void WritePercentiles(const Histogram& histogram, JsonWriter* w);
void PercentileRow(const std::string& name, const Histogram& histogram, Table* table);

/// Excess time of `runs` empty loops of about `length_ns` [ns].
Histogram NoiseFloor(int64_t length_ns, int runs);
/// "noise_floor_us" (p99.9) and "noise_floor": {percentiles} into an open object.
void WriteNoise(const Histogram& noise, JsonWriter* w);

}  // namespace saferl::cli
