#include "saferl/policy/drift.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "saferl/base/text.h"
#include "saferl/policy/drift_statistics.h"

namespace saferl::policy {
namespace {

constexpr double kLeastAction = 0.1;  // of half the command's range
constexpr double kLeastShield = 0.2;  // so that half of it are 10 % of the ticks
constexpr double kNarrow = 0.5;       // a smaller deviation than this is not all of the reference
constexpr size_t kMostFindings = 8;
// Shares of the error rate: most of it to the shift, and to the later of the looks.
constexpr double kShiftShare = 0.8, kSpreadShare = 0.1, kStuckShare = 0.1;

std::vector<std::string> NamesOf(const std::vector<Field>& fields) {
  std::vector<std::string> names;
  for (const Field& field : fields) {
    for (int i = 0; i < field.size; ++i)
      names.push_back(field.size == 1 ? field.name : Cat(field.name, "[", i, "]"));
  }
  return names;
}

/// Values that more than one golden observation has, feature by feature.
std::vector<std::vector<float>> RepeatedIn(const PolicySpec& spec) {
  std::vector<std::vector<float>> repeated(static_cast<size_t>(spec.n_obs()));
  for (size_t f = 0; f < repeated.size(); ++f) {
    std::vector<float> values;
    for (const std::vector<float>& golden : spec.golden_observations) values.push_back(golden[f]);
    std::ranges::sort(values);
    for (size_t i = 1; i < values.size(); ++i) {
      if (values[i] == values[i - 1]) repeated[f].push_back(values[i]);
    }
  }
  return repeated;
}

}  // namespace

DriftStream::DriftStream(std::shared_ptr<const Scale> scale, int block)
    : scale_(std::move(scale)),
      block_(block),
      sums_(kRows * size()),
      slots_(kWaiting * kRows * size()) {}

void DriftStream::Add(std::span<const float> values, size_t offset) {
  const float clip = scale_->clip;
  const float *shift = scale_->shift.data() + offset, *inverse = scale_->inverse.data() + offset;
  float* mean = sums_.data() + kMean * size() + offset;
  float* square = sums_.data() + kSquare * size() + offset;
  float* first = sums_.data() + kFirst * size() + offset;
  float* range = sums_.data() + kRange * size() + offset;
  if (n_ == 0) std::ranges::copy(values, first);
  for (size_t i = 0; i < values.size(); ++i) {
    const float z = std::clamp((values[i] - shift[i]) * inverse[i], -clip, clip);
    mean[i] += z;
    square[i] += z * z;
    range[i] = std::max(range[i], std::abs(values[i] - first[i]));
  }
}

void DriftStream::Push() {
  const uint32_t at = pushed_.load(std::memory_order_relaxed);
  if (at - popped_.load(std::memory_order_acquire) < kWaiting) {
    const float scale = 1.0F / static_cast<float>(n_);
    for (size_t i = 0; i < 2 * size(); ++i) sums_[i] *= scale;  // mean and square
    std::ranges::copy(sums_, Slot(at));
    pushed_.store(at + 1, std::memory_order_release);
  } else {
    gap_.store(true, std::memory_order_relaxed);
  }
  std::ranges::fill(sums_, 0.0F);
  n_ = 0;
}

void DriftStream::Record(std::span<const float> observation, std::span<const float> action,
                         float changed) {
  if (observation.size() != scale_->n_obs || action.size() != scale_->n_act) return;
  Add(observation, 0);
  Add(action, scale_->n_obs);
  Add({&changed, 1}, scale_->n_obs + scale_->n_act);
  if (++n_ >= block_) Push();
}

void DriftStream::TryRecord(std::span<const float> observation, std::span<const float> action) {
  if (busy_.test_and_set(std::memory_order_acquire)) return;
  Record(observation, action, kUnknown);
  busy_.clear(std::memory_order_release);
}

DriftDetector::DriftDetector(const PolicySpec& spec, const DriftOptions& options)
    : options_(options), names_(NamesOf(spec.observation)), repeated_(RepeatedIn(spec)) {
  auto scale = std::make_shared<DriftStream::Scale>();
  scale->n_obs = static_cast<size_t>(spec.n_obs());
  scale->n_act = static_cast<size_t>(spec.n_act());
  scale->clip = spec.obs_clip;
  scale->shift = spec.obs_mean;
  scale->shift.insert(scale->shift.end(), spec.action_offset.begin(), spec.action_offset.end());
  scale->shift.push_back(0);
  for (const float deviation : spec.obs_std) scale->inverse.push_back(1 / deviation);
  for (const float unit : spec.action_scale)
    scale->inverse.push_back(unit == 0 ? 1.0F : 1 / std::abs(unit));
  scale->inverse.push_back(1);
  for (std::string& name : NamesOf(spec.action)) names_.push_back(std::move(name));
  names_.emplace_back("changed");
  const auto add = [this](const char* name, size_t n, bool learned, double least) {
    Group group;
    group.name = name;
    group.learning = group.learned = learned;
    group.begin = groups_.empty() ? 0 : groups_.back().end;
    group.end = group.begin + n;
    group.least_deviation = least;
    groups_.push_back(std::move(group));
  };
  add("observation", scale->n_obs, false, 0);
  add("action", scale->n_act, true, kLeastAction);
  add("shield", 1, true, kLeastShield);
  const auto blocks = static_cast<size_t>(options_.blocks);
  references_.resize(names_.size());
  window_.resize(blocks * DriftStream::kRows * names_.size());
  previous_.resize(blocks);
  moving_.resize(blocks);
  means_.resize(blocks);
  squares_.resize(blocks);
  links_.resize(blocks);
  place_.resize(blocks);
  scale_ = std::move(scale);
}

std::shared_ptr<DriftStream> DriftDetector::AddStream() {
  const std::shared_ptr<DriftStream> stream(new DriftStream(scale_, options_.block));
  const std::lock_guard lock(mutex_);
  streams_.push_back(stream);
  return stream;
}

void DriftDetector::Collect() {
  const std::lock_guard lock(mutex_);
  for (const std::shared_ptr<DriftStream>& stream : streams_) {
    const uint32_t pushed = stream->pushed_.load(std::memory_order_acquire);
    for (uint32_t at = stream->popped_.load(std::memory_order_relaxed); at != pushed; ++at) {
      AddBlock(stream.get(), stream->Slot(at));
      stream->popped_.store(at + 1, std::memory_order_release);
    }
    if (stream->gap_.exchange(false, std::memory_order_relaxed)) stream->last_ = -1;
  }
  std::erase_if(streams_, [](const auto& stream) { return stream.use_count() == 1; });
}

void DriftDetector::AddBlock(DriftStream* stream, const float* block) {
  const size_t n = names_.size(), at = static_cast<size_t>(count_), n_obs = scale_->n_obs;
  std::copy_n(block, DriftStream::kRows * n,
              window_.begin() + static_cast<ptrdiff_t>(at * DriftStream::kRows * n));
  const float* range = block + DriftStream::kRange * n;
  const auto moved = std::count_if(range, range + n_obs, [](float r) { return r > 0; });
  moving_[at] = 2 * static_cast<size_t>(moved) >= n_obs;
  previous_[at] = stream->last_;
  stream->last_ = count_++;
  if (count_ % options_.least_blocks != 0) return;
  for (Group& group : groups_) Look(&group);
  if (count_ < options_.blocks) return;
  for (const std::shared_ptr<DriftStream>& each : streams_) each->last_ = -1;
  count_ = 0;
  ++windows_;
}

double DriftDetector::StuckPValue(size_t feature) const {
  const size_t n = names_.size();
  int moving = 0, flat = 0;
  for (int b = begin_; b < count_; ++b) {
    if (!moving_[b]) continue;
    const float* block = Block(b);
    ++moving;
    flat +=
        block[DriftStream::kRange * n + feature] == 0 &&
        !std::ranges::binary_search(repeated_[feature], block[DriftStream::kFirst * n + feature]);
  }
  return moving == 0 ? 1 : SignPValue(flat, moving);
}

size_t DriftDetector::Gather(size_t feature) {
  const size_t n = names_.size();
  size_t known = 0;
  for (int b = begin_; b < count_; ++b) {
    const float* block = Block(b);
    place_[b] = -1;
    if (std::isnan(block[feature])) continue;
    place_[b] = static_cast<int>(known);
    means_[known] = block[feature];
    squares_[known] = block[DriftStream::kSquare * n + feature];
    links_[known++] = previous_[b] < begin_ ? -1 : place_[previous_[b]];
  }
  return known;
}

/// One feature in the window so far, its three tests joined.
void DriftDetector::Test(const Group& group, size_t feature, DriftFinding* finding) {
  finding->feature = names_[feature];
  const size_t blocks = Gather(feature);
  if (2 * blocks < static_cast<size_t>(options_.least_blocks)) return;
  const std::span means(means_.data(), blocks), squares(squares_.data(), blocks);
  const std::span links(links_.data(), blocks);
  const Reference& reference = references_[feature];
  const double unit = reference.deviation;
  const MeanEstimate mean = EstimateMean(means, links, options_.most_correlation);
  // From the second moments about 0 to those about the window's mean.
  for (size_t b = 0; b < blocks; ++b) squares[b] += mean.mean * (mean.mean - 2 * means[b]);
  const MeanEstimate square = EstimateMean(squares, links, options_.most_correlation);
  const double spread = std::sqrt(std::max(0.0, square.mean)) / unit;
  finding->shift = (mean.mean - reference.mean) / unit;
  finding->spread = spread;

  // Never surer than independent samples would be, nor than a narrow window allows.
  const double samples = static_cast<double>(blocks) * options_.block;
  const double own = std::max({mean.variance / (unit * unit), spread * spread / samples,
                               1 - spread * spread / (kNarrow * kNarrow)});
  const double error = std::sqrt(own + reference.variance / (unit * unit));
  const double shift_p = ShiftPValue(finding->shift / error, options_.least_shift / error,
                                     std::min(mean.dof, reference.dof));
  const double most = options_.most_spread * unit;
  const double above = (square.mean - most * most) / std::sqrt(square.variance);
  const double spread_p = StudentUpperTail(above, square.dof);
  const double stuck_p = group.learned ? 1 : StuckPValue(feature);
  finding->p =
      std::min({1.0, shift_p / kShiftShare, spread_p / kSpreadShare, stuck_p / kStuckShare});
}

void DriftDetector::Learn(Group* group) {
  for (size_t f = group->begin; f < group->end; ++f) {
    const size_t blocks = Gather(f);
    if (blocks < static_cast<size_t>(options_.least_blocks)) return;
    const MeanEstimate mean =
        EstimateMean({means_.data(), blocks}, {links_.data(), blocks}, options_.most_correlation);
    double variance = -mean.mean * mean.mean;
    for (size_t b = 0; b < blocks; ++b) variance += squares_[b] / static_cast<double>(blocks);
    references_[f] = {mean.mean, mean.variance, mean.dof,
                      std::max(group->least_deviation, std::sqrt(std::max(0.0, variance)))};
  }
  group->learning = false;
}

DriftDetector::Verdict DriftDetector::Judge(const Group& group) {
  Verdict verdict;
  std::vector<DriftFinding>& findings = verdict.findings;
  findings.resize(group.end - group.begin);
  std::vector<double> p;
  for (size_t i = 0; i < findings.size(); ++i) {
    Test(group, group.begin + i, &findings[i]);
    p.push_back(findings[i].p);
  }
  BenjaminiHochberg(p);
  // Of the error rate 1/2 to the look at the whole window, 1/4 to those at its halves, ...
  const int parts = options_.blocks / (count_ - begin_), looks = 2 * parts * parts;
  for (size_t i = 0; i < findings.size(); ++i) {
    findings[i].p = std::min(1.0, looks * p[i]);
    verdict.p = std::min(verdict.p, findings[i].p);
    verdict.statistic = std::max(verdict.statistic, std::abs(findings[i].shift));
  }
  verdict.samples = static_cast<uint64_t>(count_ - begin_) * static_cast<uint64_t>(options_.block);
  std::erase_if(findings, [this](const DriftFinding& f) { return f.p > level(); });
  std::ranges::sort(findings, [](const DriftFinding& a, const DriftFinding& b) {
    return a.p != b.p ? a.p < b.p : std::abs(a.shift) > std::abs(b.shift);
  });
  if (findings.size() > kMostFindings) findings.resize(kMostFindings);
  return verdict;
}

void DriftDetector::Look(Group* group) {
  const bool full = count_ == options_.blocks;
  begin_ = 0;
  if (group->learning) {
    if (full) Learn(group);
    return;
  }
  for (int blocks = options_.least_blocks; count_ % blocks == 0; blocks *= 2) {
    begin_ = count_ - blocks;
    if (Verdict verdict = Judge(*group); verdict.p <= group->now.p) group->now = std::move(verdict);
    if (blocks >= options_.blocks) break;
  }
  if (group->now.p <= level()) {
    group->drifting = true;
    group->calm = 0;
  }
  if (!full) return;
  group->window = std::exchange(group->now, {});
  group->calm = group->window.p >= 10 * level() ? group->calm + 1 : 0;
  if (group->calm >= options_.clear_windows) group->drifting = false;
}

std::vector<DriftReport> DriftDetector::Reports() const {
  const std::lock_guard lock(mutex_);
  std::vector<DriftReport> reports;
  for (const Group& group : groups_) {
    const Verdict& v =
        group.now.samples > 0 && group.now.p <= group.window.p ? group.now : group.window;
    reports.push_back(
        {group.name, v.p, v.statistic, v.samples, group.learning, group.drifting, v.findings});
  }
  return reports;
}

uint64_t DriftDetector::windows() const {
  const std::lock_guard lock(mutex_);
  return windows_;
}

}  // namespace saferl::policy
