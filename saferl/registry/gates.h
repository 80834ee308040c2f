#pragma once
// Gates: may a new policy go on, must it go back, or is it too early to say? Anytime-valid: they
// may be looked at after every event, and the chance that a policy as good as the old one is ever
// rejected stays below alpha.
//
// RateGate compares two arms by the labels of bad events. While both arms have the same rate, an
// event falls on the canary with probability w, its share of the robots exposed at that moment. The
// gate bets against that with two halves of one stake:
//   a mixture over rate ratios 1.2 to 30 (never runs dry, finds small harm given time), and
//   a bet that copies the most powerful test of fixed length: its wealth is that test's chance to
//   reject, given what was seen (Doob's martingale), so that within `horizon` events nothing of the
//   fixed test's power is lost.
// Each is a martingale under equal rates; by Ville's inequality the sum passes 1/alpha with
// probability at most alpha. Acceptance is a bet of the same kind against "worse by accept_ratio".
//
// ShareGate bounds a share (errors, deadline misses, slow answers) by a limit instead.
// Units: events; shares in [0, 1]. Errors: a share of exposure outside of (0, 1) makes no bet. RT:
// no. Source: Ramdas et al., "Game-theoretic statistics and safe anytime-valid inference" (Stat.
// Sci.
//   2023); Lindon & Malek, arXiv 2011.03567 (counts); Shafer, "Testing by betting" (2021).

#include <array>
#include <cstdint>

namespace saferl::registry {

struct RateGateOptions {
  double alpha = 1e-3;         ///< chance to reject an equal policy, ever
  double accept_alpha = 0.05;  ///< chance to accept one that is worse by accept_ratio
  double accept_ratio = 2.0;   ///< rate ratio that must be ruled out before promotion
  int horizon = 200;           ///< events within which power matters most
};

class RateGate {
 public:
  explicit RateGate(const RateGateOptions& options = {});
  /// One bad event. `canary_share`: the canary's part of all robots exposed when it happened.
  void Event(bool on_canary, double canary_share) {
    Events(on_canary ? 1 : 0, on_canary ? 0 : 1, canary_share);
  }
  /// What happened in one stretch of time with one share, in any order: counted as if the canary's
  /// came last, and looked at once, which can only be slower to reject. The cost does not grow with
  /// the counts.
  void Events(int64_t canary, int64_t stable, double canary_share);
  bool rejects() const { return rejects_; }  ///< for ever, once it did
  bool accepts() const;                      ///< enough evidence that it is not worse
  double log_e() const;                      ///< of "worse"; rejects at -log(alpha)
  double log_e_fine() const;                 ///< of "not worse"; accepts at -log(accept_alpha)
  int64_t events() const { return events_; }
  int64_t canary_events() const { return canary_events_; }

 private:
  void BetFixed(int64_t canary, int64_t stable, double share);

  static constexpr int kRatios = 24, kFineRatios = 4;
  RateGateOptions options_;
  bool rejects_ = false;
  int64_t events_ = 0, canary_events_ = 0;
  std::array<double, kRatios> worse_{};     ///< log wealth of each ratio
  std::array<double, kFineRatios> fine_{};  ///< log wealth against "worse by accept_ratio"
  int critical_ = 0;                        ///< canary events at which the fixed test rejects
  double log_fixed_ = 0;                    ///< log wealth of the fixed test's copy
};

struct ShareGateOptions {
  double limit = 0.05;  ///< share of bad ones that is still allowed
  double alpha = 1e-3;
  double accept_alpha = 0.05;
  double accept_share = 1.0;  ///< accepts once the share is shown to be below accept_share * limit
};

class ShareGate {
 public:
  explicit ShareGate(const ShareGateOptions& options = {});
  void Add(bool bad);
  bool rejects() const { return rejects_; }
  bool accepts() const;
  double log_e() const;
  int64_t count() const { return count_; }

 private:
  static constexpr int kShares = 16;
  ShareGateOptions options_;
  bool rejects_ = false;
  int64_t count_ = 0;
  std::array<double, kShares> above_{}, below_{};
  std::array<double, kShares> above_bad_{}, above_good_{}, below_bad_{}, below_good_{};
};

/// Upper bound, at `confidence`, of a Poisson rate after `events` in `exposure`: what promotion has
/// shown even when nothing bad happened. 0 events at 95 %: 3 / exposure.
double RateUpperBound(int64_t events, double exposure, double confidence);

/// P(at least k of n), each with probability p.
double BinomialTail(int n, int k, double p);

}  // namespace saferl::registry
