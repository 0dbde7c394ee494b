// Package promapi serves the part of Prometheus' HTTP API that Grafana's built-in
// Prometheus source asks for: query, query_range, series, labels, label values,
// metadata, rules, alerts and buildinfo; and federate, by which another Prometheus
// gets the series that the generated rules read.
//
// Its series are the findings in ClickHouse: each SLO's bad shares under the names
// that its rules use, and every finding as plumbline_finding. What the rules
// record of the last hour, ALERTS among it, comes from the evaluator's memory.
// Queries run on Prometheus' own engine, bounded in number, time and samples.
//
// The package only reads, and decides nothing.
package promapi
