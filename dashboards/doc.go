// Package dashboards generates the Grafana dashboards from the catalogue of
// signals: the on-call dashboard answers which model is wrong, since when, and
// what explains it. Dashboards are written as files for Grafana's provisioning
// or pushed by HTTP; nobody edits them in a browser.
//
// Every panel is one query, in a file under sql/ or in the catalogue, and the
// package's tests run each of them against a real engine. Missing data stays
// missing: no query turns an absent row into 0 or 100 %.
//
// It may import the root package and nothing else of ours; the page in the
// binary is dashboards/web.
package dashboards
