// Package rules turns SLO files into Prometheus rules and evaluates them with
// Prometheus' own engine over the findings in ClickHouse.
//
//	OpenSLO file   -> Parse       []plumbline.SLO, or errors with file, line, field and fix
//	target, period -> Pairs       burn-rate windows that can fire (windows.yml, data)
//	SLOs           -> Generate    a standard Prometheus rule file
//	findings       -> Samples     series with Sloth's names
//	rule files     -> Evaluator   rules.Manager: thresholds, for, alerts
//
// # The OpenSLO extension
//
// plumbline reads OpenSLO v1 documents of the kinds Service and SLO. What makes
// an event good is not a query but one of plumbline's own measures, so an SLO
// has no spec.indicator; annotations of its metadata say it instead:
//
//	plumbline.dev/sli: quality            label-delayed quality of predictions
//	plumbline.dev/measure: accuracy       a labelled prediction is good if correct
//	plumbline.dev/model: flight-delay     the model; spec.service if left out
//	plumbline.dev/min-coverage: "0.3"     least share of labels before it may speak
//	plumbline.dev/owner: ml-oncall        an entry of the owner registry
//	plumbline.dev/runbook: slo-burn       a page of docs/runbooks, or an address
//
// # What the package may not do
//
// It computes no statistics: ratios, intervals and coverage arrive as findings.
// It delivers nothing: alerts leave through the Notify function it is given. It
// never imports alerting, and alerting never imports it.
package rules
