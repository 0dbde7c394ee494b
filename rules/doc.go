// Package rules turns SLO files into Prometheus rules and evaluates them with
// Prometheus' own engine over the findings in ClickHouse.
//
//	OpenSLO files  -> ParseFiles  []plumbline.SLO, or errors with file, line, field and fix
//	SLOs           -> Objectives  each with the burn-rate windows that can fire (windows.yml, data)
//	SLOs           -> Generate    a standard Prometheus rule file
//	findings       -> Samples     series with Sloth's names
//	rule files     -> Evaluator   rules.Manager: thresholds, for, alerts
//
// # The OpenSLO extension
//
// ParseFiles reads OpenSLO v1: SLO, SLI, Service, AlertPolicy, AlertCondition,
// AlertNotificationTarget and DataSource. What makes an event good is said in one
// of three places: annotations of the SLO (plumbline.dev/sli and its like), an
// indicator whose thresholdMetric has a source of type plumbline, or a ratioMetric
// of type prometheus or clickhouse. docs/slo.md lists the fields; sliUses in
// sliparse.go says which kind takes which.
//
// # What the package may not do
//
// It computes no statistics: ratios, intervals and coverage arrive as findings.
// It delivers nothing: alerts leave through the Notify function it is given. It
// never imports alerting, and alerting never imports it.
package rules
