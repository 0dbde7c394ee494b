// Package forecast says what the quality of a window will be once its labels are
// in, as it could be known at an hour: history's counts as known then, put through
// analyze/estimate.
//
// Everything it says of an hour is a function of what was known before it. The
// calibration of a day is fitted to labels that were known when the day began, of
// predictions older than the window it is used on, and then stays. Answers of the
// past are computed again from the same, so a back-test needs no memory of what
// was said, and a restart forgets nothing.
//
// The package writes nothing and raises no alert.
package forecast
