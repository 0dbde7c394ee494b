// Package fairness compares how a binary model treats declared protected segments:
// demographic parity, equal opportunity, equalised odds and predictive parity, as
// differences and as ratios between two groups, each with an interval.
//
// It is pure mathematics on counts, imports no reader, and passes no judgement: a
// gap with an interval is a number, and whether it may be is for its owner to say
// in an objective. A group with too few events is insufficient, never equal.
package fairness
