#pragma once
// Drift of a served policy: does what it sees and does differ from what it was made for?
//
//   DriftDetector drift(policy->spec(), DriftOptions());
//   std::shared_ptr<DriftStream> robot = drift.AddStream();   // one per robot, when it begins
//   robot->Record(observation, action, changed ? 1 : 0);      // every tick
//   drift.Collect();                                          // elsewhere, once a second
//   for (const DriftReport& group : drift.Reports()) ...
//
// Groups of features, each with a reference:
//   observation  the normaliser's mean and deviation in the package: all that training saw; where
//                there is none (0 and 1 throughout), learned as for the action
//   action       the policy's answer, in units of action_scale; the package tells no moments of it,
//                so the first full window that was ever seen of it is the reference
//   shield       1 where the filter changed the wish, else 0, kUnknown where there was no filter;
//                reference as for the action
// What was learned is taken out with Learned() and given back with Restore() (drift_reference.h).
// A stream sums its samples to blocks; `blocks` of them from all streams are a window, which is
// looked at as a whole, in halves, quarters and so on down to `least_blocks`, each part as soon as
// it is there. Per feature four tests:
//   shift   |mean - reference| is no more than least_shift deviations
//   spread  the deviation is no more than most_spread times the reference's
//   stream  one stream's own mean is no more than least_stream_shift deviations off, and it is not
//           stuck: a fault of one robot drowns in the mean of many and in how much they differ
//   stuck   (observation) it changes in half of the blocks in which half of the others do; values
//           that the package's golden observations repeat (a range's cap, nobody there) are exempt
// A window in which a feature moves through less than half of the reference's deviation, because
// the robot stood or did one thing, counts as less, down to a single sample of the reference.
// Errors of means know the autocorrelation (drift_statistics.h); Benjamini-Hochberg's procedure
// joins the features of a group; looks share the error rate. So a group without drift is called
// drifting at most once in `expected_run_windows` windows. It stays drifting until `clear_windows`
// full windows in a row have p >= 10 / expected_run_windows. A finding names the stream whose
// blocks differ most, with a p-value of its own blocks alone and one of all others': a fault of one
// robot reads "0.00001, others 0.4". These two decide nothing. Units: samples are ticks; shifts in
// deviations of the reference. Memory: fixed at construction and per stream. Threads: each stream
// one recorder; the rest from any thread, not RT. RT: Record yes: no allocation, lock, wait or
// system call. Cost: drift_bench. Errors: samples of another size are left out.

#include <atomic>
#include <limits>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "saferl/policy/drift_reference.h"
#include "saferl/policy/drift_shape.h"

namespace saferl::policy {

struct DriftOptions {
  int block = 256;           ///< samples
  int blocks = 256;          ///< of a window: 65536 samples, 22 minutes of one robot at 50 Hz
  int least_blocks = 32;     ///< of a look, 8192 samples; `blocks` is a power of two times this
  double least_shift = 0.5;  ///< [deviations] a smaller one is no drift, however certain
  double least_stream_shift = 2;  ///< [deviations] of one stream: robots differ in where they work
  double most_spread = 2;         ///< [times the reference's deviation]
  double expected_run_windows = 1000;  ///< between false alarms of a group
  int clear_windows = 2;
  double most_correlation = 0.97;  ///< of blocks that is believed
};

struct DriftFinding {
  std::string feature;  ///< "name" or "name[2]"
  double shift = 0;     ///< of the mean [deviations of the reference]
  double spread = 0;    ///< deviation / the reference's
  double p = 1;         ///< adjusted
  std::string stream;   ///< whose blocks differ most; empty: streams without names, or only one
  double stream_shift = 0;
  double stream_p = 1;  ///< of its blocks alone, times the number of streams
  double others_p = 1;  ///< of all others'
};

struct DriftReport {
  std::string group;
  double p = 1;           ///< of no drift, in the last full window or, if less, the present one
  double statistic = 0;   ///< its largest shift
  uint64_t samples = 0;   ///< in that window
  bool learning = false;  ///< there is no reference yet
  bool drifting = false;
  std::vector<DriftFinding> findings;  ///< at or below the level, most significant first; 8 at most
};

/// One recorder's samples. Made by DriftDetector::AddStream; it may outlive the detector.
class DriftStream {
 public:
  static constexpr float kUnknown = std::numeric_limits<float>::quiet_NaN();
  void Record(std::span<const float> observation, std::span<const float> action, float changed);
  /// Of several threads whichever comes first; the others' samples are left out, nobody waits.
  void TryRecord(std::span<const float> observation, std::span<const float> action);

 private:
  friend class DriftDetector;
  static constexpr uint32_t kWaiting = 16;  ///< blocks for Collect; further ones are dropped
  struct Scale {
    size_t n_obs = 0, n_act = 0;
    float clip = 10;
    std::vector<float> shift, inverse;  ///< observation, action, shield
  };
  enum Row : size_t { kMean, kSquare, kFirst, kRange, kRows };
  DriftStream(std::shared_ptr<const Scale> scale, int block, std::string name);
  void Add(std::span<const float> values, size_t offset);
  void Push();
  const std::string& name() const { return name_; }
  size_t size() const { return scale_->shift.size(); }
  float* Slot(uint32_t at) { return slots_.data() + (at % kWaiting) * kRows * size(); }

  const std::shared_ptr<const Scale> scale_;
  const int block_;
  const std::string name_;
  int n_ = 0;
  std::vector<float> sums_;   ///< kRows x size
  std::vector<float> slots_;  ///< kWaiting x kRows x size
  std::atomic_flag busy_;
  std::atomic<uint32_t> pushed_{0}, popped_{0};
  std::atomic<bool> gap_{false};
  int last_ = -1;   ///< Collect's: its latest block in the window
  int owner_ = -1;  ///< Collect's: its place among the window's streams
};

class DriftDetector {
 public:
  DriftDetector(const PolicySpec& spec, const DriftOptions& options)
      : DriftDetector(ShapeOf(spec), options) {}
  DriftDetector(DriftShape shape, const DriftOptions& options);
  /// `name`: of the robot, for findings.
  std::shared_ptr<DriftStream> AddStream(std::string name = "");
  /// Takes what the streams have, looks when it is time to; forgets streams that nobody holds.
  void Collect();
  std::vector<DriftReport> Reports() const;
  /// Full windows so far.
  uint64_t windows() const;
  /// Every group that is learned and not learning any more; `policy` is the caller's to fill in.
  DriftReference Learned() const;
  /// Takes what another detector of the same policy has learned; all of it or, on an error, none.
  /// Groups that have learned here keep what they have. kInvalidArgument: other groups or features.
  Status Restore(const DriftReference& reference);

 private:
  struct Verdict {
    double p = 1, statistic = 0;
    uint64_t samples = 0;
    std::vector<DriftFinding> findings;
  };
  struct Group {
    std::string name;
    size_t begin = 0, end = 0;
    bool learned = false;
    double least_deviation = 0;
    bool learning = false, drifting = false;
    int calm = 0;         ///< full windows
    Verdict window, now;  ///< of the last full window; of this one, the look that tells most
  };
  struct Reference {
    double mean = 0, variance = 0, dof = 1e9, deviation = 1;
  };
  void AddBlock(DriftStream* stream, const float* block);
  void Look(Group* group);
  Verdict Judge(const Group& group);
  const float* Block(int b) const {
    return window_.data() + static_cast<size_t>(b) * DriftStream::kRows * names_.size();
  }
  /// Blocks of one stream, or of all others.
  struct Chosen {
    int owner = -1;  ///< -1: all blocks
    bool others = false;
    bool fault = false;  ///< only what no robot's surroundings explain
    bool Takes(int of) const { return owner < 0 || (of == owner) != others; }
  };
  /// Of the chosen blocks from begin_ on that know the feature: means, squares, links; their
  /// number.
  size_t Gather(size_t feature, Chosen chosen);
  void Test(const Group& group, size_t feature, Chosen chosen, DriftFinding* finding);
  double FaultPValue(const Group& group, size_t feature);
  void NameStream(const Group& group, size_t feature, DriftFinding* finding);
  double StuckPValue(size_t feature, Chosen chosen) const;
  void Learn(Group* group);
  double level() const { return 1 / options_.expected_run_windows; }

  const DriftOptions options_;
  std::shared_ptr<const DriftStream::Scale> scale_;
  std::vector<std::string> names_;
  std::vector<std::vector<float>> repeated_;  ///< by observation feature
  mutable std::mutex mutex_;
  std::vector<std::shared_ptr<DriftStream>> streams_;
  std::vector<Group> groups_;
  std::vector<Reference> references_;
  std::vector<float> window_;            ///< blocks x kRows x features
  std::vector<int> previous_;            ///< by block
  std::vector<int> owner_;               ///< by block: into owners_
  std::vector<std::string> owners_;      ///< names of the window's streams
  std::vector<bool> moving_;             ///< by block
  std::vector<double> means_, squares_;  ///< Gather's
  std::vector<int> links_, place_;
  int begin_ = 0, count_ = 0;
  uint64_t windows_ = 0;
};

}  // namespace saferl::policy
