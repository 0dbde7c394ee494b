// Package estimate says what the labels that are not in yet will say: how many
// of them will come and when (Curve), and what a metric of a window will be once
// they have (Mean), with an interval and with what all of that assumes.
//
// The estimate has three parts. Labels that are in count as they are. The others
// are expected from the score, calibrated on labels of strictly earlier
// predictions (Model). And within each stratum of what drives the delay, labels
// that are in correct that expectation for those that are not: prediction-powered
// inference (Angelopoulos et al. 2023) on a finite population, for the estimand
// is the metric of this window's own predictions. A stratum without labels gets
// no correction and a wider interval.
//
// An interval is a promise, so it is checked: Judge holds past intervals, as they
// were known then, against what became of them, and widens the next where they
// did not hold. Labels that contradict the expectation are suspected concept
// drift (Contradict). Where only some predictions ever get a label by the model's
// own choice, there are Bounds and no estimate.
//
// The package is pure: it reads nothing, knows no clock, and raises no alert. It
// may not be given labels of the future; that is for its caller to see to.
package estimate
