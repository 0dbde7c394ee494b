package dashboards

import (
	"maps"
	"slices"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/stat"
	"github.com/grafana/grafana-foundation-sdk/go/table"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"

	plumbline "github.com/plumbline-slo/plumbline"
)

// noData is what a panel says where a number is missing.
const noData = "no data"

// Colours by meaning: missing data has one of its own, never the healthy one.
const (
	colorOK      = "green"
	colorWarn    = "orange"
	colorBreach  = "red"
	colorMissing = "purple"
	colorPlain   = "text"
)

// text is what every panel must say about itself.
type text struct {
	title       string
	description string
	unit        string
}

func ptr[T any](v T) *T { return &v }

// steps builds absolute thresholds: colours[i+1] begins at values[i].
func steps(colors []string, values ...float64) cog.Builder[dashboard.ThresholdsConfig] {
	list := []dashboard.Threshold{{Color: colors[0]}}
	for i, v := range values {
		list = append(list, dashboard.Threshold{Color: colors[i+1], Value: ptr(v)})
	}
	return dashboard.NewThresholdsConfigBuilder().Mode(dashboard.ThresholdsModeAbsolute).Steps(list)
}

// missingIsShown maps null and NaN to words in the colour of missing data.
func missingIsShown() []dashboard.ValueMapping {
	special := dashboard.NewSpecialValueMap()
	special.Options.Match = dashboard.SpecialValueMatchNullAndNan
	special.Options.Result = dashboard.ValueMappingResult{Text: ptr(noData), Color: ptr(colorMissing), Index: ptr(int32(0))}
	return []dashboard.ValueMapping{{SpecialValueMap: special}}
}

// statPanel shows one big number a row of the query: columns metric and value.
func statPanel(t text, thresholds cog.Builder[dashboard.ThresholdsConfig], sql string) *stat.PanelBuilder {
	return stat.NewPanelBuilder().
		Title(t.title).Description(t.description).Unit(t.unit).Decimals(1).
		Datasource(datasourceRef()).Height(6).Span(6).
		WithTarget(tableQuery("A", sql)).
		ReduceOptions(common.NewReduceDataOptionsBuilder().Values(true).Limit(8).Calcs([]string{"lastNotNull"}).Fields("")).
		Orientation(common.VizOrientationAuto).
		TextMode(common.BigValueTextModeValueAndName).
		ColorMode(common.BigValueColorModeValue).
		GraphMode(common.BigValueGraphModeNone).
		Thresholds(thresholds).
		Mappings(missingIsShown()).NoValue(noData)
}

// seriesPanel shows lines over time: columns time, metric and value. A gap in
// the data stays a gap once it is longer than maxGap, in milliseconds.
func seriesPanel(t text, maxGap float64, queries ...clickhouseQuery) *timeseries.PanelBuilder {
	p := timeseries.NewPanelBuilder().
		Title(t.title).Description(t.description).Unit(t.unit).
		Datasource(datasourceRef()).Height(9).Span(12).
		LineWidth(2).FillOpacity(0).ShowPoints(common.VisibilityModeAuto).PointSize(4).
		SpanNulls(common.BoolOrFloat64{Bool: ptr(false)}).
		InsertNulls(common.BoolOrFloat64{Float64: ptr(maxGap)}).
		Thresholds(steps([]string{colorPlain})).
		Legend(common.NewVizLegendOptionsBuilder().ShowLegend(true).
			DisplayMode(common.LegendDisplayModeTable).Placement(common.LegendPlacementBottom).
			Calcs([]string{"lastNotNull", "max"})).
		Tooltip(common.NewVizTooltipOptionsBuilder().Mode(common.TooltipDisplayModeMulti).Sort(common.SortOrderDescending)).
		NoValue(noData)
	for _, q := range queries {
		p = p.WithTarget(q)
	}
	return p
}

// dashedReference draws the series of query B, thresholds or targets, as
// dashed lines.
func dashedReference(p *timeseries.PanelBuilder) *timeseries.PanelBuilder {
	return p.OverrideByQuery("B", []dashboard.DynamicConfigValue{
		{Id: "custom.lineStyle", Value: map[string]any{"fill": "dash", "dash": []int{10, 10}}},
		{Id: "custom.lineWidth", Value: 1},
		{Id: "custom.showPoints", Value: string(common.VisibilityModeNever)},
		// The reference has a point at either end of the range only.
		{Id: "custom.insertNulls", Value: false},
		{Id: "custom.spanNulls", Value: true},
		{Id: "color", Value: map[string]any{"mode": string(dashboard.FieldColorModeIdFixed), "fixedColor": colorBreach}},
	})
}

func dashedThresholds() cog.Builder[common.GraphThresholdsStyleConfig] {
	return common.NewGraphThresholdsStyleConfigBuilder().Mode(common.GraphThresholdsStyleModeDashed)
}

func tablePanel(t text, sql string) *table.PanelBuilder {
	return table.NewPanelBuilder().
		Title(t.title).Description(t.description).Unit(t.unit).
		Datasource(datasourceRef()).Height(8).Span(12).
		WithTarget(tableQuery("A", sql)).
		ShowHeader(true).Filterable(true).CellHeight(common.TableCellHeightSm).
		Thresholds(steps([]string{colorPlain})).NoValue(noData)
}

// verdictColors paints the cells of a column verdict.
func verdictColors() []dashboard.DynamicConfigValue {
	return wordColors(map[string]string{
		plumbline.VerdictOK: colorOK, plumbline.VerdictBreach: colorBreach,
		plumbline.VerdictInsufficient: colorWarn, plumbline.VerdictMissing: colorMissing,
	}, 90)
}

// wordColors paints the cells of a column that holds one of few words.
func wordColors(colors map[string]string, width int) []dashboard.DynamicConfigValue {
	options := make(map[string]dashboard.ValueMappingResult, len(colors))
	for word, color := range colors {
		options[word] = dashboard.ValueMappingResult{Color: ptr(color), Text: ptr(word)}
	}
	return []dashboard.DynamicConfigValue{
		{Id: "custom.cellOptions", Value: map[string]any{"type": string(common.TableCellDisplayModeColorText)}},
		{Id: "mappings", Value: []any{dashboard.ValueMap{Type: dashboard.MappingTypeValueToText, Options: options}}},
		{Id: "custom.width", Value: width},
	}
}

// patternColors paints the cells of a column of words by what they begin with.
func patternColors(colors map[string]string, width int) []dashboard.DynamicConfigValue {
	var mappings []any
	for _, pattern := range slices.Sorted(maps.Keys(colors)) {
		mappings = append(mappings, dashboard.RegexMap{Type: dashboard.MappingTypeRegexToText, Options: dashboard.DashboardRegexMapOptions{
			Pattern: "/" + pattern + "/", Result: dashboard.ValueMappingResult{Color: ptr(colors[pattern])},
		}})
	}
	return []dashboard.DynamicConfigValue{
		{Id: "custom.cellOptions", Value: map[string]any{"type": string(common.TableCellDisplayModeColorText)}},
		{Id: "mappings", Value: mappings},
		{Id: "custom.width", Value: width},
	}
}

// shown are the settings of a column of a table: its unit and how many decimals it has.
func shown(unit string, decimals int) []dashboard.DynamicConfigValue {
	return []dashboard.DynamicConfigValue{{Id: "unit", Value: unit}, {Id: "decimals", Value: decimals}}
}

// narrow is the width of a column that holds one word or number.
func narrow(width int) dashboard.DynamicConfigValue {
	return dashboard.DynamicConfigValue{Id: "custom.width", Value: width}
}

// modelLink leads from a cell with a model's name to the model's page.
func (g generator) modelLink() []dashboard.DynamicConfigValue {
	return cellLinks(g.pageLink())
}

func (g generator) pageLink() map[string]any {
	return map[string]any{"title": "Open the model's page", "targetBlank": true, "url": g.page + "/models/${__data.fields.model:percentencode}"}
}

func cellLinks(links ...map[string]any) []dashboard.DynamicConfigValue {
	return []dashboard.DynamicConfigValue{{Id: "links", Value: links}}
}

// bars draws what is counted by day.
func bars(p *timeseries.PanelBuilder) *timeseries.PanelBuilder {
	return p.DrawStyle(common.GraphDrawStyleBars).FillOpacity(70).LineWidth(1).ShowPoints(common.VisibilityModeNever).Min(0).
		Stacking(common.NewStackingConfigBuilder().Mode(common.StackingModeNormal).Group("A"))
}

// link is a link that opens in a new tab: whoever is on call keeps the panel.
func link(title, url string) cog.Builder[dashboard.DashboardLink] {
	return dashboard.NewDashboardLinkBuilder(title).Type(dashboard.DashboardLinkTypeLink).
		Icon("external link").Tooltip(title).Url(url).TargetBlank(true)
}
