package dashboards

import (
	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"

	plumbline "github.com/plumbline-slo/plumbline"
)

// OnCallUID is the stable identifier of the on-call dashboard, which is also in
// its address: /d/plumbline-on-call.
const OnCallUID = "plumbline-on-call"

// onCall is what whoever was paged opens: the four numbers of a first look, what is in
// breach, one panel for each signal of the catalogue, and what past alarms were worth.
func (g generator) onCall() board {
	return board{
		uid: OnCallUID, audience: "on-call",
		title:       "Plumbline on call: which model is wrong, and why",
		description: "Start at the top left: how near the worst burn is to a page.",
		from:        "now-24h", refresh: "1m",
		variables: []cog.Builder[dashboard.VariableModel]{g.modelVariable(), g.windowVariable()},
		sections: []section{
			{panels: g.firstLook()},
			{panels: g.tables()},
			{heading: "Since when, and what explains it?", panels: g.signalPanels(plumbline.Signals())},
			{heading: "Were past alarms worth it?", panels: g.lastLook()},
		},
	}
}

// firstLook is the top row: four answers before any line is read.
func (g generator) firstLook() []cog.Builder[dashboard.Panel] {
	burn := statPanel(text{
		title:       "How near is the worst burn to its alert?",
		description: "For the window pair that is nearest: the smaller of the long window's bad share (of labels the lower end of its 95 % interval) and the short window's, over the pair's threshold. At 100 % the alert fires; a page on events as they come stands at 99 % as long as noise alone may be it. No data: no SLO is declared, or no window could speak in the last 10 minutes.",
		unit:        "percentunit",
	}, steps([]string{colorOK, colorWarn, colorBreach}, 0.5, 1), g.sql("worst_burn")).
		Links([]cog.Builder[dashboard.DashboardLink]{link("Runbook: SLO burn", g.runbooks+"/slo-burn")})
	accuracy := statPanel(text{
		title:       "Did the last deploy make it worse?",
		description: "Accuracy over the labels that are in: the newest production deploy since it began to serve, against what served in the 24 hours before it. Of many models the greatest falls. Where a model decides itself which predictions ever get a label, the bounds between which its accuracy is, whatever the others are. Early labels are not a fair sample where some outcomes are known sooner than others.",
		unit:        "percentunit",
	}, steps([]string{colorPlain}), g.sql("accuracy_deploy"))
	coverage := statPanel(text{
		title:       "How many labels are in?",
		description: "Share of the predictions of the last 24 hours whose label is known. Under 30 % accuracy says little. No data: no prediction came in.",
		unit:        "percentunit",
	}, steps([]string{colorBreach, colorWarn, colorOK}, 0.05, 0.3), g.sql("coverage_now")).
		Links([]cog.Builder[dashboard.DashboardLink]{link("Runbook: label delay", g.runbooks+"/label-delay")})
	volume := statPanel(text{
		title:       "Is anybody asking? Predictions per minute",
		description: "Mean over the last five whole minutes of event time, of many models the quietest. No data: not one prediction arrived in them.",
		unit:        "short",
	}, steps([]string{colorPlain}), g.sql("volume_now"))
	return []cog.Builder[dashboard.Panel]{burn, accuracy, coverage, volume}
}

func (g generator) tables() []cog.Builder[dashboard.Panel] {
	perModel := cellLinks(map[string]any{"title": "Find what made it so", "targetBlank": true, "url": debugLink}, g.pageLink())
	breach := tablePanel(text{
		title:       "What is in breach or missing now?",
		description: "Latest finding of every series within 10 minutes, where it is in breach or missing, and every SLO of which no window says anything. Low and high are the ends of its 95 % interval. An empty table means that everything was looked at, and is within bounds but for what too few events say nothing of.",
		unit:        "none",
	}, g.sql("breach")).Span(16).
		OverrideByName("verdict", verdictColors()).
		OverrideByName("model", perModel).
		OverrideByRegexp("/^(value|low|high)$/", []dashboard.DynamicConfigValue{{Id: "decimals", Value: 3}}).
		OverrideByName("coverage", shown("percentunit", 0)).
		OverrideByName("at", []dashboard.DynamicConfigValue{{Id: "unit", Value: "dateTimeAsIso"}})
	notices := tablePanel(text{
		title:       "What has Plumbline done and noticed?",
		description: "Notices in the time range: pages sent, partitions parked, new epochs. Newest first.",
		unit:        "none",
	}, g.sql("notices")).Span(8).
		OverrideByName("at", []dashboard.DynamicConfigValue{{Id: "unit", Value: "dateTimeAsIso"}}).
		OverrideByName("model", perModel)
	return []cog.Builder[dashboard.Panel]{breach, notices}
}

// Longest gaps, in milliseconds, over which a line is drawn: findings come
// every few minutes, hourly cells every hour, the blocks of a detector every day.
const (
	gapFindings = 15 * 60_000
	gapHours    = 2 * 3_600_000
	gapMinutes  = 5 * 60_000
	gapBlocks   = 26 * 3_600_000
)

// signalPanels returns one panel for each signal, the first two half a screen wide,
// the others three to a row, and beside those of quality what has another unit.
func (g generator) signalPanels(signals []plumbline.Signal) []cog.Builder[dashboard.Panel] {
	var panels []cog.Builder[dashboard.Panel]
	for i, s := range signals {
		p := g.signalPanel(s)
		if i >= 2 {
			p = p.Span(8)
		}
		panels = append(panels, p)
		switch s.Name {
		case plumbline.SignalQuality:
			panels = append(panels, g.declaredPanels()...)
		case plumbline.SignalEstimatedQuality:
			panels = append(panels, g.estimatedErrors())
		}
	}
	return panels
}

func (g generator) signalPanel(s plumbline.Signal) *timeseries.PanelBuilder {
	description := s.Description + " Owner: " + string(s.Owner) + "."
	if s.Rule != "" {
		description += " Alert: " + s.Rule + "."
	} else {
		description += " No alert of its own: " + s.NoRule
	}
	t := text{title: s.Panel, description: description, unit: s.Unit}
	main := seriesQuery("A", g.grafana(s.SQL))
	var p *timeseries.PanelBuilder
	switch s.Name {
	case plumbline.SignalBurn:
		p = dashedReference(seriesPanel(t, gapFindings, main, seriesQuery("B", g.sql("burn_thresholds")))).Min(0)
	case plumbline.SignalQuality:
		queries := []clickhouseQuery{main, seriesQuery("B", g.sql("accuracy_targets"))}
		if len(g.partial) > 0 {
			queries = append(queries, seriesQuery("C", g.sql("accuracy_bounds")))
		}
		p = dashedReference(seriesPanel(t, gapHours, queries...)).AxisSoftMax(1)
	case plumbline.SignalDrift:
		p = seriesPanel(t, gapFindings, main).Min(0).
			Thresholds(steps([]string{colorOK, colorWarn, colorBreach}, 0.1, 0.25)).
			ThresholdsStyle(dashedThresholds())
	case plumbline.SignalPredictionDrift, plumbline.SignalLabelDrift, plumbline.SignalConceptDrift:
		// Beyond its noise a distance may be negative.
		p = seriesPanel(t, gapFindings, main)
	case plumbline.SignalConfidence, plumbline.SignalKPI:
		p = seriesPanel(t, gapFindings, main) // a figure may be below what is usual
	case plumbline.SignalBudget:
		// What is overspent is below 0. The mark is the budget that is spent.
		p = seriesPanel(t, gapFindings, main).AxisSoftMax(1).
			Thresholds(steps([]string{colorBreach, colorOK}, 0)).ThresholdsStyle(dashedThresholds())
	case plumbline.SignalDisagreement:
		p = seriesPanel(t, gapHours, main).Min(0)
	case plumbline.SignalExplanation:
		p = seriesPanel(t, gapHours, main).Min(0).Max(1)
	case plumbline.SignalDataQuality, plumbline.SignalFairness:
		p = seriesPanel(t, gapFindings, main).Min(0)
	case plumbline.SignalDriftAlarm:
		p = seriesPanel(t, gapBlocks, main).Min(0).
			Thresholds(steps([]string{colorOK, colorBreach}, 1)).ThresholdsStyle(dashedThresholds())
	case plumbline.SignalCoverage:
		p = seriesPanel(t, gapHours, main).Min(0).Max(1)
	default:
		p = seriesPanel(t, gapMinutes, main).Min(0)
	}
	if s.Runbook != "" {
		p = p.Links([]cog.Builder[dashboard.DashboardLink]{link("Runbook: "+s.Runbook, g.runbooks+"/"+s.Runbook)})
	}
	return p
}
