package dashboards

import (
	"embed"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"

	plumbline "github.com/plumbline-slo/plumbline"
)

// OnCallUID is the stable identifier of the on-call dashboard, which is also in
// its address: /d/plumbline-on-call.
const OnCallUID = "plumbline-on-call"

// GeneratedTag marks every dashboard of ours. Write removes only files that
// carry it.
const GeneratedTag = "plumbline-generated"

//go:embed sql/*.sql
var statements embed.FS

// generator turns settings into dashboards.
type generator struct{ settings }

// OnCall returns the JSON of the on-call dashboard: the four numbers of a first
// look, what is in breach, one panel for each signal of the catalogue, and what
// past alarms were worth.
func OnCall(opts ...Option) ([]byte, error) {
	s, err := newSettings(opts)
	if err != nil {
		return nil, err
	}
	return generator{s}.onCall()
}

func (g generator) onCall() ([]byte, error) {
	builder := dashboard.NewDashboardBuilder("Plumbline on call: which model is wrong, and why").
		Uid(OnCallUID).
		Description("Generated from the catalogue of signals; changes made here are overwritten. Start at the top left: how near the worst burn is to a page.").
		Tags([]string{"plumbline", "on-call", GeneratedTag}).
		Readonly().Timezone("utc").Tooltip(dashboard.DashboardCursorSyncCrosshair).
		Time("now-24h", "now").Refresh("1m").
		Timepicker(dashboard.NewTimePickerBuilder().RefreshIntervals([]string{"30s", "1m", "5m", "15m"})).
		WithVariable(dashboard.NewDatasourceVariableBuilder(datasourceVariable).
			Label("ClickHouse").Description("Data source whose default database holds Plumbline's tables.").Type(clickhousePlugin)).
		WithVariable(g.modelVariable()).
		WithVariable(g.windowVariable()).
		Annotation(g.deployMarkers()).
		Link(link("Plumbline's page", g.page+"/")).
		Link(link("Runbooks", g.runbooks+"/"))
	for _, p := range g.firstLook() {
		builder = builder.WithPanel(p)
	}
	for _, p := range g.tables() {
		builder = builder.WithPanel(p)
	}
	builder = builder.WithRow(dashboard.NewRowBuilder("Since when, and what explains it?"))
	for _, p := range g.signalPanels(plumbline.Signals()) {
		builder = builder.WithPanel(p)
	}
	builder = builder.WithRow(dashboard.NewRowBuilder("Were past alarms worth it?"))
	for _, p := range g.lastLook() {
		builder = builder.WithPanel(p)
	}
	built, err := builder.Build()
	if err != nil {
		return nil, fmt.Errorf("build dashboard %s: %w", OnCallUID, err)
	}
	numberPanels(built.Panels)
	keepInSight(&built)
	text, err := json.MarshalIndent(built, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encode dashboard %s: %w", OnCallUID, err)
	}
	return append(text, '\n'), nil
}

// sql returns a statement of the folder sql, ready for Grafana.
func (g generator) sql(name string) string {
	text, err := statements.ReadFile("sql/" + name + ".sql")
	if err != nil {
		// The name is a literal of this package and the file is compiled in.
		panic(err)
	}
	return g.grafana(string(text))
}

// grafana fills in the objectives, the models with partial feedback, the measures that
// are shares and what is said of a deploy that serves no more, and turns $model into a quoted list: right for one value and for
// many.
func (g generator) grafana(sql string) string {
	return strings.NewReplacer(
		"$objectives", objectivesSQL(g.objectives),
		"$partial", modelsSQL(g.partial),
		"$shares", "["+plumbline.ShareMeasuresSQL+"]",
		"$elsewhere", quoteSQL(plumbline.AssumesElsewhere),
		"$model", "${model:singlequote}",
		"$window", "${window:singlequote}",
	).Replace(strings.TrimSpace(sql))
}

func (g generator) modelVariable() cog.Builder[dashboard.VariableModel] {
	sql := g.sql("models")
	all := dashboard.VariableOption{
		Selected: ptr(true),
		Text:     dashboard.StringOrArrayOfString{ArrayOfString: []string{"All"}},
		Value:    dashboard.StringOrArrayOfString{ArrayOfString: []string{"$__all"}},
	}
	// "All" has no value of its own: Grafana then lists every model, which is
	// what IN takes.
	return dashboard.NewQueryVariableBuilder("model").Label("Model").
		Description("Models that answered within 90 days, and those that have an SLO.").
		Datasource(datasourceRef()).
		Query(dashboard.StringOrMap{Map: map[string]any{"editorType": "sql", "rawSql": sql, "refId": "model"}}).
		Definition(sql).
		Refresh(dashboard.VariableRefreshOnDashboardLoad).Sort(dashboard.VariableSortAlphabeticalAsc).
		Multi(true).IncludeAll(true).AllowCustomValue(false).Current(all)
}

// windowVariable lets one window of the declared metrics be chosen. It has no
// current value: Grafana then takes the first of the query, which is the longest.
func (g generator) windowVariable() cog.Builder[dashboard.VariableModel] {
	sql := g.sql("windows")
	return dashboard.NewQueryVariableBuilder("window").Label("Window of metrics").
		Description("Window over which the declared metrics of quality are measured, the longest first.").
		Datasource(datasourceRef()).
		Query(dashboard.StringOrMap{Map: map[string]any{"editorType": "sql", "rawSql": sql, "refId": "window"}}).
		Definition(sql).
		Refresh(dashboard.VariableRefreshOnDashboardLoad).Sort(dashboard.VariableSortDisabled).
		Multi(false).IncludeAll(false).AllowCustomValue(false)
}

func (g generator) deployMarkers() cog.Builder[dashboard.AnnotationQuery] {
	return dashboard.NewAnnotationQueryBuilder().Name("Deploys").Datasource(datasourceRef()).
		Enable(true).IconColor("blue").Target(tableQuery("deploys", g.sql("deploys")))
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
	perModel := dashboard.DynamicConfigValue{Id: "links", Value: []map[string]any{{
		"title": "Open the model's page", "targetBlank": true,
		"url": g.page + "/models/${__data.fields.model:percentencode}",
	}}}
	breach := tablePanel(text{
		title:       "What is in breach or missing now?",
		description: "Latest finding of every series within 10 minutes, where it is in breach or missing, and every SLO of which no window says anything. Low and high are the ends of its 95 % interval. An empty table means that everything was looked at, and is within bounds but for what too few events say nothing of.",
		unit:        "none",
	}, g.sql("breach")).Span(16).
		OverrideByName("verdict", verdictColors()).
		OverrideByName("model", []dashboard.DynamicConfigValue{perModel}).
		OverrideByRegexp("/^(value|low|high)$/", []dashboard.DynamicConfigValue{{Id: "decimals", Value: 3}}).
		OverrideByName("coverage", []dashboard.DynamicConfigValue{{Id: "unit", Value: "percentunit"}, {Id: "decimals", Value: 0}}).
		OverrideByName("at", []dashboard.DynamicConfigValue{{Id: "unit", Value: "dateTimeAsIso"}})
	notices := tablePanel(text{
		title:       "What has Plumbline done and noticed?",
		description: "Notices in the time range: pages sent, partitions parked, new epochs. Newest first.",
		unit:        "none",
	}, g.sql("notices")).Span(8).
		OverrideByName("at", []dashboard.DynamicConfigValue{{Id: "unit", Value: "dateTimeAsIso"}}).
		OverrideByName("model", []dashboard.DynamicConfigValue{perModel})
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

// numberPanels gives panels the ids that links and alerts refer to, in reading
// order; the SDK leaves them out.
func numberPanels(panels []dashboard.PanelOrRowPanel) {
	for i := range panels {
		switch id := uint32(i + 1); {
		case panels[i].Panel != nil:
			panels[i].Panel.Id = ptr(id)
		case panels[i].RowPanel != nil:
			panels[i].RowPanel.Id = id
		}
	}
}

// keepInSight undoes the SDK's default of putting links and the annotation
// switch into a menu: whoever is paged must see them.
func keepInSight(d *dashboard.Dashboard) {
	for i := range d.Links {
		d.Links[i].Placement = nil
	}
	for i := range d.Annotations.List {
		d.Annotations.List[i].Placement = nil
	}
}
