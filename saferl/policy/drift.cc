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
constexpr size_t kLeastOfStream = 4;  // blocks; half of them is enough, as of least_blocks
// Of observations whose unit nobody knows: a deviation below a thousandth of the mean is more than
// sums of floats can tell.
constexpr double kLeastOfMean = 1e-3, kLeastAnything = 1e-6;
// Shares of the error rate: most of it to the shift, and to the later of the looks.
constexpr double kShiftShare = 0.7, kSpreadShare = 0.1, kStuckShare = 0.1, kStreamShare = 0.1;

}  // namespace

DriftStream::DriftStream(std::shared_ptr<const Scale> scale, int block, std::string name)
    : scale_(std::move(scale)),
      block_(block),
      name_(std::move(name)),
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

DriftDetector::DriftDetector(DriftShape shape, const DriftOptions& options)
    : options_(options),
      names_(std::move(shape.observation)),
      repeated_(std::move(shape.repeated)) {
  auto scale = std::make_shared<DriftStream::Scale>();
  scale->n_obs = names_.size();
  scale->n_act = shape.action.size();
  scale->clip = shape.clip;
  scale->shift = std::move(shape.offset);
  scale->shift.push_back(0);
  scale->inverse = std::move(shape.inverse);
  scale->inverse.push_back(1);
  for (std::string& name : shape.action) names_.push_back(std::move(name));
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
  add("observation", scale->n_obs, !shape.normalised, kLeastAnything);
  add("action", scale->n_act, true, kLeastAction);
  add("shield", 1, true, kLeastShield);
  const auto blocks = static_cast<size_t>(options_.blocks);
  references_.resize(names_.size());
  window_.resize(blocks * DriftStream::kRows * names_.size());
  previous_.resize(blocks);
  owner_.resize(blocks);
  moving_.resize(blocks);
  means_.resize(blocks);
  squares_.resize(blocks);
  links_.resize(blocks);
  place_.resize(blocks);
  scale_ = std::move(scale);
}

std::shared_ptr<DriftStream> DriftDetector::AddStream(std::string name) {
  const std::shared_ptr<DriftStream> stream(
      new DriftStream(scale_, options_.block, std::move(name)));
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
  if (stream->owner_ < 0) {
    stream->owner_ = static_cast<int>(owners_.size());
    owners_.push_back(stream->name());
  }
  owner_[at] = stream->owner_;
  stream->last_ = count_++;
  if (count_ % options_.least_blocks != 0) return;
  for (Group& group : groups_) Look(&group);
  if (count_ < options_.blocks) return;
  for (const std::shared_ptr<DriftStream>& each : streams_) each->last_ = each->owner_ = -1;
  owners_.clear();
  count_ = 0;
  ++windows_;
}

double DriftDetector::StuckPValue(size_t feature, Chosen chosen) const {
  const size_t n = names_.size();
  int moving = 0, flat = 0;
  for (int b = begin_; b < count_; ++b) {
    if (!moving_[b] || !chosen.Takes(owner_[b])) continue;
    const float* block = Block(b);
    ++moving;
    flat +=
        block[DriftStream::kRange * n + feature] == 0 &&
        !std::ranges::binary_search(repeated_[feature], block[DriftStream::kFirst * n + feature]);
  }
  return moving == 0 ? 1 : SignPValue(flat, moving);
}

size_t DriftDetector::Gather(size_t feature, Chosen chosen) {
  const size_t n = names_.size();
  size_t known = 0;
  for (int b = begin_; b < count_; ++b) {
    const float* block = Block(b);
    place_[b] = -1;
    if (std::isnan(block[feature]) || !chosen.Takes(owner_[b])) continue;
    place_[b] = static_cast<int>(known);
    means_[known] = block[feature];
    squares_[known] = block[DriftStream::kSquare * n + feature];
    links_[known++] = previous_[b] < begin_ ? -1 : place_[previous_[b]];
  }
  return known;
}

/// One feature in the window so far, its three tests joined.
void DriftDetector::Test(const Group& group, size_t feature, Chosen chosen, DriftFinding* finding) {
  finding->feature = names_[feature];
  const size_t blocks = Gather(feature, chosen);
  const size_t least = chosen.owner < 0 || chosen.fault ? static_cast<size_t>(options_.least_blocks)
                                                        : kLeastOfStream;
  if (2 * blocks < least) return;
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
  const double shift_p =
      ShiftPValue(finding->shift / error,
                  (chosen.fault ? options_.least_stream_shift : options_.least_shift) / error,
                  std::min(mean.dof, reference.dof));
  const double most = options_.most_spread * unit;
  const double above = (square.mean - most * most) / std::sqrt(square.variance);
  const double spread_p = chosen.fault ? 1 : StudentUpperTail(above, square.dof);
  const double stuck_p = group.learned ? 1 : StuckPValue(feature, chosen);
  finding->p =
      std::min({1.0, shift_p / kShiftShare, spread_p / kSpreadShare, stuck_p / kStuckShare});
}

/// Of "no stream is at fault by itself".
double DriftDetector::FaultPValue(const Group& group, size_t feature) {
  if (owners_.size() < 2) return 1;
  double least = 1;
  for (int owner = 0; owner < static_cast<int>(owners_.size()); ++owner) {
    DriftFinding own;
    Test(group, feature, {.owner = owner, .fault = true}, &own);
    least = std::min(least, own.p);
  }
  return std::min(1.0, least * static_cast<double>(owners_.size()) / kStreamShare);
}

/// The stream whose blocks differ most, and what is left without it.
void DriftDetector::NameStream(const Group& group, size_t feature, DriftFinding* finding) {
  if (owners_.size() < 2) return;
  int most = -1;
  DriftFinding best;
  for (int owner = 0; owner < static_cast<int>(owners_.size()); ++owner) {
    DriftFinding own;
    Test(group, feature, {.owner = owner}, &own);
    const bool worse =
        own.p < best.p || (own.p == best.p && std::abs(own.shift) > std::abs(best.shift));
    if (owners_[static_cast<size_t>(owner)].empty() || !worse) continue;
    most = owner;
    best = own;
  }
  if (most < 0) return;
  DriftFinding others;
  Test(group, feature, {.owner = most, .others = true}, &others);
  finding->stream = owners_[static_cast<size_t>(most)];
  finding->stream_shift = best.shift;
  finding->stream_p = std::min(1.0, best.p * static_cast<double>(owners_.size()));
  finding->others_p = others.p;
}

void DriftDetector::Learn(Group* group) {
  for (size_t f = group->begin; f < group->end; ++f) {
    const size_t blocks = Gather(f, {});
    if (blocks < static_cast<size_t>(options_.least_blocks)) return;
    const MeanEstimate mean =
        EstimateMean({means_.data(), blocks}, {links_.data(), blocks}, options_.most_correlation);
    double variance = -mean.mean * mean.mean;
    for (size_t b = 0; b < blocks; ++b) variance += squares_[b] / static_cast<double>(blocks);
    const double of_mean = group->begin == 0 ? kLeastOfMean * std::abs(mean.mean) : 0;
    references_[f] = {
        mean.mean, mean.variance, mean.dof,
        std::max({group->least_deviation, of_mean, std::sqrt(std::max(0.0, variance))})};
  }
  group->learning = false;
}

DriftDetector::Verdict DriftDetector::Judge(const Group& group) {
  Verdict verdict;
  std::vector<DriftFinding>& findings = verdict.findings;
  findings.resize(group.end - group.begin);
  std::vector<double> p;
  for (size_t i = 0; i < findings.size(); ++i) {
    Test(group, group.begin + i, {}, &findings[i]);
    p.push_back(std::min(findings[i].p, FaultPValue(group, group.begin + i)));
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
  for (DriftFinding& finding : findings) {
    size_t feature = group.begin;
    while (names_[feature] != finding.feature) ++feature;
    NameStream(group, feature, &finding);
  }
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

DriftReference DriftDetector::Learned() const {
  const std::lock_guard lock(mutex_);
  DriftReference reference;
  for (const Group& group : groups_) {
    if (!group.learned || group.learning) continue;
    DriftReference::Group& out = reference.groups.emplace_back();
    out.name = group.name;
    for (size_t f = group.begin; f < group.end; ++f) {
      const Reference& r = references_[f];
      out.features.push_back({names_[f], r.mean, r.variance, r.dof, r.deviation});
    }
  }
  return reference;
}

Status DriftDetector::Restore(const DriftReference& reference) {
  const std::lock_guard lock(mutex_);
  const auto group_of = [this](const std::string& name) {
    return std::ranges::find_if(groups_,
                                [&](const Group& g) { return g.learned && g.name == name; });
  };
  for (const DriftReference::Group& from : reference.groups) {
    const auto group = group_of(from.name);
    bool fits = group != groups_.end() && from.features.size() == group->end - group->begin;
    for (size_t i = 0; fits && i < from.features.size(); ++i)
      fits = from.features[i].name == names_[group->begin + i];
    if (!fits)
      return absl::InvalidArgumentError(
          Cat("drift reference: group '", from.name, "' is not this policy's; learn it again"));
  }
  for (const DriftReference::Group& from : reference.groups) {
    const auto group = group_of(from.name);
    if (!group->learning) continue;
    for (size_t i = 0; i < from.features.size(); ++i) {
      const DriftReference::Feature& f = from.features[i];
      references_[group->begin + i] = {f.mean, f.variance, f.dof, f.deviation};
    }
    group->learning = false;
  }
  return absl::OkStatus();
}

}  // namespace saferl::policy
