// Package history keeps and reads score_cells: how many predictions of each hour
// and stratum had which score, how many of their labels were known by when, and
// what those said. It is what delay curves, maturity and estimates before labels
// are computed from.
//
// Roll writes the table: every closed hour of predictions once, every closed hour
// of labels once, and again where the sources have changed since. So the cost of
// a look follows what is new and not what is stored. Reader reads it as known at
// any hour, and never hands out a label that was not known then.
//
// The package counts and sums. What the counts say of quality is for
// analyze/estimate to say, and what is done about it for analyze and rules.
package history
