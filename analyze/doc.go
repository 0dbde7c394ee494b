// Package analyze turns counts into findings: drift of every feature, quality
// with its coverage, and burn rates of the objectives, each with the number of
// events and the assumption it rests on. Findings are rows of one table, for
// SQL, dashboards and PromQL alike; Explain puts those that belong to one
// incident together.
//
// Runner looks at every model that has traffic, declared or not, and writes one
// batch of rows an interval. The maths is in the packages below: drift, quality
// and burn. The package reads rollups, cells and outcomes, writes findings, and
// does not decide what pages: that is for the rules.
package analyze
