// Package ask answers any question about quality on known labels: the metrics of
// one model in a window, of all traffic, a deploy or a segment, as known at any
// time, each with an interval; the gaps between protected segments; and what a
// drop is made of.
//
// A [Declaration] says what a model's answers mean: its task, positive class,
// values, protected segments. A [Question] names what is asked, [Params] is it
// as text for the command line and for HTTP, [Handler] serves it. What cannot be
// said is a row, too: insufficient or missing, and why. It is never healthy.
//
// Shares of labels come from rollups; everything else is computed on demand from
// the labelled predictions of the window (view labelled), within bounds. The
// package guesses no label that is not in, writes nothing, and pages nobody.
package ask
