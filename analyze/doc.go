// Package analyze turns counts into findings: drift of every feature, answer and
// label, data quality, quality with its coverage, and burn rates of the
// objectives, each with the number of events and the assumption it rests on.
// Findings are rows of one table, for SQL, dashboards and PromQL alike; Explain
// puts those that belong to one incident together.
//
// Runner looks at every model that has traffic, declared or not, and writes one
// batch of rows an interval; drift, data quality and labels have intervals of
// their own, for rollups are by hour. A drift is a breach where it is beyond
// noise, beyond what matters, and beyond what the same hours always do; a ticket
// is for detectors over closed days to open, under a budget of false ones,
// and what they know is stored, so that they go on after a restart.
//
// The maths is in the packages below: drift, dataquality, concept, quality,
// estimate, proxy, burn and ledger. The package reads rollups, cells and outcomes,
// writes findings, and does not decide what pages: that is for the rules.
package analyze
