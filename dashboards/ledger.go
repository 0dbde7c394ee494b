package dashboards

import (
	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"

	plumbline "github.com/plumbline-slo/plumbline"
)

// lastLook is the bottom of the dashboard: what past alarms were worth.
func (g generator) lastLook() []cog.Builder[dashboard.Panel] {
	precision := statPanel(text{
		title:       "Were past alarms right?",
		description: "Of the quality and drift alarms of 90 days that the labels of their windows have judged, the share that was right. Alarms whose labels are not in yet are left out. No data: none is judged.",
		unit:        "percentunit",
	}, steps([]string{colorBreach, colorWarn, colorOK}, 0.5, 0.8), g.sql("alarm_precision")).Span(8)
	early := statPanel(text{
		title:       "How early were they? Median lead over labels",
		description: "How long before the labels of its window said so an alarm of 90 days that was right came; negative: after them. No data: none was right, or none is judged.",
		unit:        "s",
	}, steps([]string{colorPlain}), g.sql("alarm_lead")).Span(8)
	rollback := statPanel(text{
		title:       "Do drifts lead to rollbacks?",
		description: "Of the drift alarms of 90 days, suspected concept drift among them, the share after which an earlier deploy came back within a week. No data: there was no drift alarm.",
		unit:        "percentunit",
	}, steps([]string{colorPlain}), g.sql("drift_rollback")).Span(8)
	ledger := tablePanel(text{
		title:       "What became of past alarms?",
		description: "Alarms of 90 days with the quality of what they claimed, by the labels that came in later: true was right, false was wrong, undecided cannot be told yet, and the last column says why. An empty table means that there was none.",
		unit:        "none",
	}, g.sql("ledger")).Span(24).
		OverrideByName("truth", truthColors()).
		OverrideByRegexp("/^(quality|target)$/", []dashboard.DynamicConfigValue{{Id: "decimals", Value: 3}}).
		OverrideByName("coverage", shown("percentunit", 0)).
		OverrideByName("lead_s", []dashboard.DynamicConfigValue{{Id: "unit", Value: "s"}}).
		OverrideByName("at", []dashboard.DynamicConfigValue{{Id: "unit", Value: "dateTimeAsIso"}})
	return []cog.Builder[dashboard.Panel]{precision, early, rollback, ledger}
}

// truthColors paints the cells of a column truth.
func truthColors() []dashboard.DynamicConfigValue {
	return wordColors(map[string]string{plumbline.TruthTrue: colorOK, plumbline.TruthFalse: colorBreach, plumbline.TruthUndecided: colorMissing}, 90)
}
