package dashboards

import (
	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/table"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"

	plumbline "github.com/plumbline-slo/plumbline"
)

// declaredPanels are the metrics that models declare: shares, what has a unit of its
// own, and what can be said of each now. Accuracy has its own panel, by hour.
func (g generator) declaredPanels() []cog.Builder[dashboard.Panel] {
	const drawn = " Dashed lines are the ends of the 95 % interval. Where too few labels are in there is no number and no line: the table below says why."
	shares := withEnds(seriesPanel(text{
		title:       "Do the declared metrics hold? Shares such as recall, by deploy",
		description: "Metrics of quality.metrics that are shares, over the labels that are in, by production deploy over the window chosen at the top." + drawn,
		unit:        "percentunit",
	}, gapFindings, seriesQuery("A", g.sql("declared_shares"))))
	others := ownScales(withEnds(seriesPanel(text{
		title:       "Do the declared metrics hold? Errors and values, by deploy",
		description: "Metrics of quality.metrics that are no shares, and those of a model's own SQL, by production deploy over the window chosen at the top. Errors are in the unit of the target; losses, correlations and R2, which have none, are on the right." + drawn,
		unit:        "none",
	}, gapFindings, seriesQuery("A", g.sql("declared_values")))))
	return []cog.Builder[dashboard.Panel]{shares, others, g.declaredNow()}
}

func (g generator) declaredNow() *table.PanelBuilder {
	return tablePanel(text{
		title:       "What can be said of the declared metrics now?",
		description: "Latest finding within an hour of every declared metric and production deploy over the window chosen at the top, those that say nothing first. Low and high are the ends of its 95 % interval, coverage is the share of predictions with a label. An empty table means that no metric is declared, or that none was measured in that hour.",
		unit:        "none",
	}, g.sql("declared_now")).Span(24).
		OverrideByName("verdict", verdictColors()).
		OverrideByRegexp("/^(value|low|high)$/", []dashboard.DynamicConfigValue{{Id: "decimals", Value: 3}}).
		OverrideByName("coverage", shown("percentunit", 0)).
		OverrideByName("at", []dashboard.DynamicConfigValue{{Id: "unit", Value: "dateTimeAsIso"}})
}

// estimatedErrors is what is estimated before labels and is no share: the errors of
// a regression.
func (g generator) estimatedErrors() *timeseries.PanelBuilder {
	return withEnds(seriesPanel(text{
		title:       "How wrong is the model now? Errors estimated before the labels",
		description: "Errors of a regression's predictions before their labels are in, in the unit of its target, with dashed ends of the 95 % interval. Unproven: not yet 10 matured windows held as promised, so that no page may rest on it. Owner: " + string(plumbline.OwnerModel) + ".",
		unit:        "none",
	}, gapFindings, seriesQuery("A", g.sql("estimated_errors")))).Span(8).Min(0).
		Links([]cog.Builder[dashboard.DashboardLink]{link("Runbook: concept-drift", g.runbooks+"/concept-drift")})
}

// withEnds draws the ends of intervals as thin lines that leave the legend to what
// they are the ends of.
func withEnds(p *timeseries.PanelBuilder) *timeseries.PanelBuilder {
	return p.OverrideByRegexp("/ at (least|most)$/", []dashboard.DynamicConfigValue{
		{Id: "custom.lineStyle", Value: map[string]any{"fill": "dash", "dash": []int{4, 6}}},
		{Id: "custom.lineWidth", Value: 1},
		{Id: "custom.showPoints", Value: "never"},
		{Id: "custom.hideFrom", Value: map[string]bool{"legend": true, "tooltip": false, "viz": false}},
		{Id: "color", Value: map[string]any{"mode": string(dashboard.FieldColorModeIdFixed), "fixedColor": colorPlain}},
	})
}

// ownScales puts what has no unit on an axis of its own, or an R2 of 0.9 would lie on
// the ground beside an error of 14 minutes. Grafana gives an axis to every label.
func ownScales(p *timeseries.PanelBuilder) *timeseries.PanelBuilder {
	return p.OverrideByRegexp("/ (mcc|multi_mcc|r2|(multi_)?(log_loss|brier))( at (least|most))?$/", []dashboard.DynamicConfigValue{
		{Id: "custom.axisPlacement", Value: "right"},
		{Id: "custom.axisLabel", Value: "no unit"},
	})
}
