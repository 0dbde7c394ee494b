package plumbline

// Names of the generated alerts.
const (
	// AlertSLOBurn fires per model, deploy, SLO and window pair.
	AlertSLOBurn = "SLOBurn"
	// AlertSLOMissing is the ticket of a declared SLO that nothing is known of.
	AlertSLOMissing = "SLOMissing"
)

// Labels of every series and alert, and so the identity of an incident:
// (model, deploy_hash, slo).
const (
	// LabelAlert is the name of the alerting rule, which Prometheus sets.
	LabelAlert    = "alertname"
	LabelModel    = "model"
	LabelDeploy   = "deploy_hash"
	LabelSLO      = "slo"
	LabelSeverity = "severity"
	LabelOwner    = "owner"
	// LabelWindow is the long window of the pair that fired, for example 2h. It
	// keeps two pairs of one severity apart and is no part of the identity.
	LabelWindow = "window"
	// LabelClock tells alerts of the two clocks of a quality SLO apart, ClockNowcast
	// and ClockMatured, and is no part of the identity either.
	LabelClock = "clock"
	// LabelDatasetHash and LabelFeatureJob correlate alerts of different models:
	// what they share went wrong before either of them.
	LabelDatasetHash = "dataset_hash"
	LabelFeatureJob  = "feature_job"
	// LabelObject says what an alert about the service itself is about: a topic
	// partition, a data directory. Such an alert has no model; its identity is
	// (LabelAlert, object).
	LabelObject = "object"
)

// The clocks of a quality SLO: estimates up to now, and labels up to the time at
// which enough of them are in.
const (
	ClockNowcast = "nowcast"
	ClockMatured = "matured"
)

// Severities of an alert: levels of one incident.
const (
	SeverityPage   = "page"
	SeverityTicket = "ticket"
)

// Annotations of an alert that its text is made from.
const (
	AnnotationSummary = "summary"
	// AnnotationDescription says in full sentences what burns, how fast, and
	// what the alert rests on.
	AnnotationDescription = "description"
	AnnotationRunbook     = "runbook_url"
	AnnotationDashboard   = "dashboard_url"
	AnnotationPage        = "page_url"
	AnnotationSQL         = "sql"
	AnnotationBurnRate    = "burn_rate"
	// AnnotationValue is the number the rule compared with the threshold: of
	// labels the lower end of the long window's interval, of events as they come
	// the long window's share itself.
	AnnotationValue = "value"
	// AnnotationLongValue and AnnotationShortValue are the bad shares of the
	// long and the short window.
	AnnotationLongValue  = "long_value"
	AnnotationShortValue = "short_value"
	// AnnotationHighValue is the upper end of the long window's interval.
	AnnotationHighValue = "high_value"
	AnnotationThreshold = "threshold"
	AnnotationTarget    = "target"
	AnnotationWindows   = "windows"
	AnnotationPeriod    = "period"
	// AnnotationBudgetLeft is the share of the period's error budget that is
	// left; below 0 it is overspent.
	AnnotationBudgetLeft = "budget_left"
	AnnotationCoverage   = "coverage"
)
