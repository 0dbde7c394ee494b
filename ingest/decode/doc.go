// Package decode turns Kafka records into column slices, one row an event. It
// is the hot path of ingest: a hand-written JSON scanner without reflection,
// which interns names into per-batch dictionaries and allocates nothing per
// event once its buffers have grown.
//
// A decoder is strict. What it cannot store exactly it refuses with an *Error
// that says why, which field and what to do, and then the columns are as they
// were before: a bad event never changes its neighbours. It never fills in a
// silent default for a value of the wrong type.
//
// The dialect is JSON (RFC 8259) with two differences. The bare words NaN,
// Infinity and -Infinity are numbers wherever a measured number may stand
// (features, score, predicted, latency_ms), because Python's json module
// writes them and a pipeline that turns into NaN must be counted, not hidden. A
// label is not measured: one that is no finite number is refused.
// And a key that stands twice in one object is an error, since producers and
// readers disagree on which of the two counts.
//
// Decoding is a function of the record alone (never of the clock), because a
// range of offsets must decode to the same rows again after a crash.
//
// Of this module the package imports the root and secrets only: it may not know
// our tables or Kafka.
package decode
