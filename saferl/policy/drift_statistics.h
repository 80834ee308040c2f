#pragma once
// The tests behind drift.h: a mean whose samples depend on each other, and many of them at once.
//
// A mean's error is taken from the means of blocks of samples, whose own lag-1 autocorrelation
// lowers the number of blocks that count: r is estimated within streams, corrected for its bias and
// never below 0. Of a first-order process, sampled in blocks of any length, that errs to the safe
// side: the autocorrelation of its block means falls faster beyond lag 1 than r^k. Degrees of
// freedom are a third of the blocks that count: what is known of the variance when r is estimated
// too. What lasts longer than r^k says, because drives differ from each other, shows in the sums
// over runs of a 16th of the blocks, each within one stream: the larger of the two errors holds.
// What lasts longer than such a run is taken for drift. Units: those of the values. RT: no. Errors:
// none; less than two values give variance +inf. Source: batch means, Law & Kelton, "Confidence
// intervals for steady-state simulations" (1984); bias of r, Marriott & Pope (1954); Benjamini &
// Hochberg (1995), whose smallest adjusted value is Simes' test of all at once (1986).

#include <span>

namespace saferl::policy {

struct MeanEstimate {
  double mean = 0;
  double variance = 0;     ///< of the mean
  double dof = 1;          ///< degrees of freedom of `variance`
  double effective = 0;    ///< blocks that count
  double correlation = 0;  ///< lag 1, of the blocks
};
/// `previous[i]`: the position of the block before block i in its stream, or -1. No correlation
/// above `most_correlation` is believed.
MeanEstimate EstimateMean(std::span<const double> values, std::span<const int> previous,
                          double most_correlation);

/// P(T > t) for Student's t with `dof` degrees of freedom, a real number above 0.
double StudentUpperTail(double t, double dof);
/// P(|T + shift| > |t|), largest over |shift| <= most: of a standardised difference `t` when a true
/// one of up to `most` is no drift.
double ShiftPValue(double t, double most, double dof);
/// P(at least k of n) with probability 1/2 each.
double SignPValue(int k, int n);
/// Replaces every p-value by its adjusted one: reject those at or below q and at most a share q of
/// the rejected is wrong. The smallest is a p-value of "none differs".
void BenjaminiHochberg(std::span<double> p);

}  // namespace saferl::policy
