#pragma once
// What metrics.cc registers and metrics_text.cc writes. Private to the room. RT: no.

#include <map>
#include <mutex>
#include <optional>

#include "saferl/telemetry/metrics.h"

namespace saferl::telemetry::internal {

enum class Kind : uint8_t { kCounter, kGauge, kHistogram };

/// One set of labels of a name. `prefixes` are its lines up to the number: one, or for a histogram
/// one per bucket, then the sum's and the count's.
struct Series {
  std::vector<std::string> prefixes;
  std::optional<Counter> counter;
  std::optional<Gauge> gauge;
  std::optional<Histogram> histogram;
  Cell* cells = nullptr;
};

struct Family {
  Kind kind = Kind::kCounter;
  std::string help;
  std::vector<std::string> label_names;       // sorted
  std::vector<double> bounds, padded_bounds;  // padded with +Inf to an even number
  double per_unit = 1;
  std::map<std::string, Series> series;  // by the text of the labels
};

/// Cells of every shard, zero, in blocks that never move.
class CellPool {
 public:
  Cell* Take(size_t n);

 private:
  struct Block {
    alignas(64) Cell cells[kShards * kStride];
  };
  std::vector<std::unique_ptr<Block>> blocks_;
  size_t used_ = kShardCells;
};

uint64_t SumOf(const Cell* cell);
double RealSumOf(const Cell* cell);

/// Sorted labels as they stand between braces: a="1",b="2".
std::string LabelText(const Labels& labels);
std::vector<std::string> Prefixes(Kind kind, std::string_view name, std::string_view label_text,
                                  std::span<const double> bounds);
void WriteFamily(const std::string& name, const Family& family, TextFormat format,
                 std::string* out);

}  // namespace saferl::telemetry::internal

namespace saferl::telemetry {

struct Metrics::Impl {
  internal::Series& Register(internal::Kind kind, std::string_view name, std::string_view help,
                             Labels labels, std::span<const double> bounds, double per_unit);
  internal::Family& FamilyOf(internal::Kind kind, std::string_view name, std::string_view help,
                             const Labels& labels, std::span<const double> bounds, double per_unit);

  size_t max_series = 0;
  mutable std::mutex mutex;  // guards what follows; recording never takes it
  std::map<std::string, internal::Family, std::less<>> families;
  internal::CellPool pool;
  std::vector<std::function<void()>> hooks;
  Counter* overflow = nullptr;
};

}  // namespace saferl::telemetry
