// Package measure says how far apart two samples are, how far apart noise alone
// would put samples of these sizes, and between what bounds the true distance
// lies. It works on merged counts alone: of cells that were cut on the
// reference, or of buckets of the one grid.
//
// Every measure is declared once, in Table. A Result carries its value, the
// mean that the value has if nothing changed, the p-value, an interval of the
// true distance, and the assumption all of that rests on.
//
// The null hypothesis is that both samples were drawn from one distribution. It
// is judged given the pooled counts, which say all that is known of that
// distribution, so neither sample is taken as free of noise. Where counts are
// large the limit distributions serve (chi-square, Kolmogorov, Anderson and
// Darling); over many cells the moments of the null are computed and a gamma
// distribution has them; elsewhere the null is enumerated, or simulated from a
// fixed seed: the same counts always give the same result. Such a p-value takes
// half of what ties with the value (mid-p), but never so little that a test with
// great ties would exceed its level by more than a twentieth. docs/calibration.md
// says how often every measure errs.
//
// Intervals invert the test: they hold the distances that the samples do not
// refuse. For a sum over cells that is the noncentral chi-square, widened where
// the spread of the estimate so far from the null is greater; for a norm (TVD,
// L-infinity, KS, Cramér-von Mises, Wasserstein) it is the value plus and minus
// the noise's own quantile, by the triangle inequality, which is cautious.
//
// The package is pure. It reads nothing, and it decides no page: Result.Alarm
// says only that one distance is beyond noise and beyond what matters.
package measure
