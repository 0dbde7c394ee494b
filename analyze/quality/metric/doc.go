// Package metric says how good a model was, with an interval, from counts and
// columns whose labels are all known: binary and multi-class classification,
// regression, ranking, and what predictions were worth by a cost matrix. Each
// metric is declared once, in Table.
//
// It is pure mathematics: it reads nothing, knows no time, and does not guess
// labels that are not in (package estimate does). Where labels are too few for
// the interval's theory to hold, the answer is insufficient and there is no
// interval: no normal approximation stands in for events that were never seen.
package metric
