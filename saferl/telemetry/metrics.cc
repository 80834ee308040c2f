#include "saferl/telemetry/metrics.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <limits>

#include "saferl/base/text.h"
#include "saferl/telemetry/metrics_registry.h"

namespace saferl::telemetry {
namespace internal {

constinit thread_local uint32_t thread_shard = kNoShard;

namespace {

/// Which shards have an owner. Lives as long as the process: threads end late.
struct ShardOwners {
  std::mutex mutex;
  std::array<bool, kShared> taken{};
  std::atomic<uint32_t> high = 0;  // shards below were used at some time
};
ShardOwners& Owners() {
  static ShardOwners* owners = new ShardOwners;
  return *owners;
}

/// Gives the shard back when its thread ends. What the thread records later still goes somewhere.
struct Lease {
  uint32_t shard = kShared;
  ~Lease() {
    thread_shard = kShared;
    if (shard == kShared) return;
    const std::lock_guard lock(Owners().mutex);  // the next owner sees this one's counts
    Owners().taken[shard] = false;
  }
};

[[noreturn]] void Misuse(std::string_view name, std::string_view what) {
  std::fprintf(stderr, "Metrics: %.*s: %.*s\n", static_cast<int>(name.size()), name.data(),
               static_cast<int>(what.size()), what.data());
  std::abort();
}

bool IsName(std::string_view text, bool colon) {
  const auto letter = [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (colon && c == ':');
  };
  return !text.empty() && letter(text[0]) &&
         std::ranges::all_of(text, [&](char c) { return letter(c) || (c >= '0' && c <= '9'); });
}

void CheckName(Kind kind, std::string_view name) {
  if (!IsName(name, true)) Misuse(name, "is no metric name; use [a-zA-Z_:][a-zA-Z0-9_:]*");
  if ((kind == Kind::kCounter) != name.ends_with("_total")) {
    Misuse(name, "counters end in _total, and only they");
  }
  for (const char* suffix : {"_bucket", "_count", "_sum"}) {
    if (name.ends_with(suffix)) Misuse(name, "ends like a histogram's own lines; rename it");
  }
}

void CheckLabels(Kind kind, std::string_view name, const Labels& sorted) {
  for (size_t i = 0; i < sorted.size(); ++i) {
    const std::string& label = sorted[i].first;
    if (!IsName(label, false) || label.starts_with("__")) {
      Misuse(name, Cat("'", label, "' is no label name; use [a-zA-Z_][a-zA-Z0-9_]*"));
    }
    if (kind == Kind::kHistogram && label == "le") Misuse(name, "label le belongs to the buckets");
    if (i > 0 && label == sorted[i - 1].first) Misuse(name, Cat("label ", label, " given twice"));
  }
}

void CheckBounds(std::string_view name, std::span<const double> bounds) {
  if (bounds.empty() || bounds.size() + 2 > kShardCells) Misuse(name, "give 1 to 510 buckets");
  for (size_t i = 0; i < bounds.size(); ++i) {
    if (!std::isfinite(bounds[i]) || (i > 0 && bounds[i] <= bounds[i - 1])) {
      Misuse(name, "buckets must be finite and rise");
    }
  }
}

std::vector<double> Padded(std::span<const double> bounds) {
  std::vector<double> padded(bounds.begin(), bounds.end());
  if (padded.size() % 2 != 0) padded.push_back(std::numeric_limits<double>::infinity());
  return padded;
}

/// Two doubles in one register, and what comparing them gives: -1 for true (GCC, clang).
using Pair = double __attribute__((vector_size(16), may_alias));
using PairMask = int64_t __attribute__((vector_size(16)));

}  // namespace

uint32_t TakeShard() {
  thread_local Lease lease;
  ShardOwners& owners = Owners();
  const std::lock_guard lock(owners.mutex);
  const auto free = std::ranges::find(owners.taken, false);
  if (free != owners.taken.end()) {
    *free = true;
    lease.shard = static_cast<uint32_t>(free - owners.taken.begin());
    owners.high.store(std::max(owners.high.load(), lease.shard + 1));
  }
  return thread_shard = lease.shard;
}

void AddReal(Cell& cell, double x, bool shared) {
  uint64_t old = cell.load(std::memory_order_relaxed);
  const auto sum = [&] { return std::bit_cast<uint64_t>(std::bit_cast<double>(old) + x); };
  if (!shared) {
    cell.store(sum(), std::memory_order_relaxed);
  } else {
    while (!cell.compare_exchange_weak(old, sum(), std::memory_order_relaxed)) {
    }
  }
}

uint64_t SumOf(const Cell* cell) {
  const uint32_t high = Owners().high.load();
  uint64_t sum = cell[kShared * kStride].load(std::memory_order_relaxed);
  for (uint32_t s = 0; s < high; ++s) sum += cell[s * kStride].load(std::memory_order_relaxed);
  return sum;
}

double RealSumOf(const Cell* cell) {
  double sum = 0;
  for (uint32_t s = 0; s < kShards; ++s) {
    sum += std::bit_cast<double>(cell[s * kStride].load(std::memory_order_relaxed));
  }
  return sum;
}

Cell* CellPool::Take(size_t n) {
  if (used_ + n > kShardCells) {
    blocks_.push_back(std::make_unique<Block>());
    used_ = 0;
  }
  Cell* cells = blocks_.back()->cells + used_;
  used_ += n;
  return cells;
}

}  // namespace internal

using internal::Kind;

uint64_t Counter::Value() const { return internal::SumOf(cell_); }

void Histogram::Observe(double x) {
  const uint32_t shard = internal::Shard();
  const bool shared = shard == internal::kShared;
  internal::Cell* cells = cells_ + shard * internal::kStride;
  // How many bounds x is not at most, two compared at a time: no branch to mispredict, no chain of
  // loads. The padding of +Inf counts for NaN only, which belongs past the last bound.
  const internal::Pair value = {x, x};
  internal::PairMask below = {0, 0};
  for (uint32_t i = 0; i < padded_; i += 2) {
    below += ~(*reinterpret_cast<const internal::Pair*>(bounds_ + i) >= value);
  }
  const int64_t bucket = std::min<int64_t>(-(below[0] + below[1]), n_);
  internal::Add(cells[bucket], 1, shared);
  internal::AddReal(cells[n_ + 1], std::isfinite(x) ? x : 0, shared);
}

uint64_t Histogram::Count() const {
  uint64_t count = 0;
  for (uint32_t i = 0; i <= n_; ++i) count += internal::SumOf(cells_ + i);
  return count;
}
double Histogram::Sum() const { return internal::RealSumOf(cells_ + n_ + 1); }

std::span<const double> LatencyBuckets() {
  static constexpr double kBuckets[] = {250e-9, 500e-9, 1e-6,   2.5e-6, 5e-6, 10e-6,  25e-6,
                                        50e-6,  100e-6, 250e-6, 500e-6, 1e-3, 2.5e-3, 5e-3,
                                        10e-3,  25e-3,  50e-3,  0.1,    0.25, 0.5,    1,
                                        2,      2.5,    5,      10};
  return kBuckets;
}

std::span<const double> SizeBuckets() {
  static constexpr double kBuckets[] = {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024};
  return kBuckets;
}

Metrics::Metrics(size_t max_series) : impl_(std::make_unique<Impl>()) {
  impl_->max_series = max_series;
  impl_->overflow = &NewCounter("saferl_metrics_overflow_total",
                                "Registrations that share a series for want of room");
}
Metrics::~Metrics() = default;

internal::Family& Metrics::Impl::FamilyOf(Kind kind, std::string_view name, std::string_view help,
                                          const Labels& labels, std::span<const double> bounds,
                                          double per_unit) {
  std::vector<std::string> label_names;
  for (const auto& label : labels) label_names.push_back(label.first);
  const auto found = families.find(name);
  if (found == families.end()) {
    internal::CheckName(kind, name);
    internal::CheckLabels(kind, name, labels);
    if (kind == Kind::kHistogram) internal::CheckBounds(name, bounds);
    if (help.empty()) internal::Misuse(name, "needs a help text");
    if (!(per_unit > 0)) internal::Misuse(name, "per_unit must be above 0");
    internal::Family family{.kind = kind,
                            .help = std::string(help),
                            .label_names = std::move(label_names),
                            .bounds = {bounds.begin(), bounds.end()},
                            .padded_bounds = internal::Padded(bounds),
                            .per_unit = per_unit,
                            .series = {}};
    return families.emplace(name, std::move(family)).first->second;
  }
  internal::Family& family = found->second;
  if (family.kind != kind) internal::Misuse(name, "is registered as another type");
  if (family.label_names != label_names) internal::Misuse(name, "has other label names");
  if (!std::ranges::equal(family.bounds, bounds)) internal::Misuse(name, "has other buckets");
  if (family.per_unit != per_unit) internal::Misuse(name, "has another unit");
  return family;
}

internal::Series& Metrics::Impl::Register(Kind kind, std::string_view name, std::string_view help,
                                          Labels labels, std::span<const double> bounds,
                                          double per_unit) {
  std::ranges::sort(labels);
  const std::lock_guard lock(mutex);
  internal::Family& family = FamilyOf(kind, name, help, labels, bounds, per_unit);
  std::string text = internal::LabelText(labels);
  if (!family.series.contains(text) && family.series.size() >= max_series) {
    overflow->Add();
    for (auto& label : labels) label.second = "_other";
    text = internal::LabelText(labels);
  }
  const auto [it, is_new] = family.series.try_emplace(text);
  internal::Series& series = it->second;
  if (is_new) {
    series.prefixes = internal::Prefixes(kind, name, text, family.bounds);
    if (kind == Kind::kGauge) {
      series.gauge.emplace();
    } else {
      series.cells = pool.Take(kind == Kind::kCounter ? 1 : family.bounds.size() + 2);
      if (kind == Kind::kCounter) series.counter.emplace(series.cells);
      if (kind == Kind::kHistogram)
        series.histogram.emplace(series.cells, family.padded_bounds, family.bounds.size());
    }
  }
  return series;
}

Counter& Metrics::NewCounter(std::string_view name, std::string_view help, const Labels& labels,
                             double per_unit) {
  return *impl_->Register(Kind::kCounter, name, help, labels, {}, per_unit).counter;
}
Gauge& Metrics::NewGauge(std::string_view name, std::string_view help, const Labels& labels) {
  return *impl_->Register(Kind::kGauge, name, help, labels, {}, 1).gauge;
}
Histogram& Metrics::NewHistogram(std::string_view name, std::string_view help,
                                 std::span<const double> buckets, const Labels& labels) {
  return *impl_->Register(Kind::kHistogram, name, help, labels, buckets, 1).histogram;
}

void Metrics::Remove(std::string_view name, Labels labels) {
  std::ranges::sort(labels);
  const std::lock_guard lock(impl_->mutex);
  const auto family = impl_->families.find(name);
  if (family == impl_->families.end()) return;
  if (family->second.kind != Kind::kGauge) internal::Misuse(name, "only gauges can be removed");
  family->second.series.erase(internal::LabelText(labels));
}

void Metrics::OnScrape(std::function<void()> update) {
  const std::lock_guard lock(impl_->mutex);
  impl_->hooks.push_back(std::move(update));
}

std::string Metrics::Text(TextFormat format) const {
  std::vector<std::function<void()>> hooks;
  {
    const std::lock_guard lock(impl_->mutex);
    hooks = impl_->hooks;  // called unlocked: they may register
  }
  for (const auto& hook : hooks) hook();
  std::string out;
  const std::lock_guard lock(impl_->mutex);
  for (const auto& [name, family] : impl_->families) {
    internal::WriteFamily(name, family, format, &out);
  }
  if (format == TextFormat::kOpenMetrics) out += "# EOF\n";
  return out;
}

}  // namespace saferl::telemetry
