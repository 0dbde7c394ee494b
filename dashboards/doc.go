// Package dashboards generates the Grafana dashboards, one a file: executive
// answers whether promises are kept and what that costs, on-call which model is
// wrong, since when, and what explains it (from the catalogue of signals), debug
// which input, slice, deploy or pipe it is, lifecycle what each deploy was worth and
// what may follow it. They are written as files for Grafana's provisioning or pushed
// by HTTP; nobody edits them in a browser.
//
// Every panel is one query, in a file under sql/ or in the catalogue, and the
// package's tests run each of them against a real engine. Missing data stays
// missing: no query turns an absent row into 0 or 100 %.
//
// It may import the root package and nothing else of ours; the page in the
// binary is dashboards/web.
package dashboards
