package dashboards

import (
	"embed"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"

	plumbline "github.com/plumbline-slo/plumbline"
)

// GeneratedTag marks every dashboard of ours. Write removes only files that
// carry it.
const GeneratedTag = "plumbline-generated"

//go:embed sql/*.sql
var statements embed.FS

// generator turns settings into dashboards.
type generator struct{ settings }

// board is a dashboard: what it has of its own. Every one has the data source, the
// deploys as marks and the links besides.
type board struct {
	// uid is in its address, audience a tag: whom it is for.
	uid, audience, title string
	// description says where to begin to read.
	description string
	// from is the begin of its range of time, which ends now; refresh is how often
	// the panels ask again.
	from, refresh string
	variables     []cog.Builder[dashboard.VariableModel]
	sections      []section
}

// section is panels below a heading, in reading order. The first has none.
type section struct {
	heading string
	panels  []cog.Builder[dashboard.Panel]
}

// boards returns the dashboards in the order of their links.
func (g generator) boards() []board {
	return []board{g.executive(), g.onCall(), g.debug(), g.lifecycle()}
}

// json returns a dashboard as Grafana takes it.
func (g generator) json(b board) ([]byte, error) {
	builder := dashboard.NewDashboardBuilder(b.title).
		Uid(b.uid).
		Description("Generated from the catalogue of signals; changes made here are overwritten. "+b.description).
		Tags([]string{"plumbline", b.audience, GeneratedTag}).
		Readonly().Timezone("utc").Tooltip(dashboard.DashboardCursorSyncCrosshair).
		Time(b.from, "now").Refresh(b.refresh).
		Timepicker(dashboard.NewTimePickerBuilder().RefreshIntervals([]string{"30s", "1m", "5m", "15m", "1h"})).
		WithVariable(dashboard.NewDatasourceVariableBuilder(datasourceVariable).
			Label("ClickHouse").Description("Data source whose default database holds Plumbline's tables.").Type(clickhousePlugin)).
		Annotation(g.deployMarkers()).
		// Each leads to the others, and keeps the models that were chosen.
		Link(dashboard.NewDashboardLinkBuilder("Plumbline").Type(dashboard.DashboardLinkTypeDashboards).
			Tags([]string{GeneratedTag}).Icon("dashboard").Tooltip("The other dashboards of Plumbline").IncludeVars(true)).
		Link(link("Plumbline's page", g.page+"/")).
		Link(link("Runbooks", g.runbooks+"/"))
	for _, v := range b.variables {
		builder = builder.WithVariable(v)
	}
	for _, s := range b.sections {
		if s.heading != "" {
			builder = builder.WithRow(dashboard.NewRowBuilder(s.heading))
		}
		for _, p := range s.panels {
			builder = builder.WithPanel(p)
		}
	}
	built, err := builder.Build()
	if err != nil {
		return nil, fmt.Errorf("build dashboard %s: %w", b.uid, err)
	}
	numberPanels(built.Panels)
	keepInSight(&built)
	text, err := json.MarshalIndent(built, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encode dashboard %s: %w", b.uid, err)
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

// grafana fills in the objectives by window pair and as promises, the models with partial
// feedback, the measures that are shares and what is said of a deploy that serves no more,
// and turns $model and $feature into quoted lists: right for one value and for many.
func (g generator) grafana(sql string) string {
	return strings.NewReplacer(
		"$objectives", objectivesSQL(g.objectives),
		"$promises", promisesSQL(g.objectives),
		"$partial", modelsSQL(g.partial),
		"$shares", "["+plumbline.ShareMeasuresSQL+"]",
		"$elsewhere", quoteSQL(plumbline.AssumesElsewhere),
		"$model", "${model:singlequote}",
		"$window", "${window:singlequote}",
		"$feature", "${feature:singlequote}",
	).Replace(strings.TrimSpace(sql))
}

// modelsDescription says which models can be chosen.
const modelsDescription = "Models that answered within 90 days, and those that have an SLO."

// queryVariable chooses one of what a statement of the folder sql returns, in its order.
func (g generator) queryVariable(name, label, description, query string) *dashboard.QueryVariableBuilder {
	sql := g.sql(query)
	return dashboard.NewQueryVariableBuilder(name).Label(label).Description(description).
		Datasource(datasourceRef()).
		Query(dashboard.StringOrMap{Map: map[string]any{"editorType": "sql", "rawSql": sql, "refId": name}}).
		Definition(sql).
		Refresh(dashboard.VariableRefreshOnDashboardLoad).Sort(dashboard.VariableSortDisabled).
		Multi(false).IncludeAll(false).AllowCustomValue(false)
}

func (g generator) modelVariable() cog.Builder[dashboard.VariableModel] {
	// "All" has no value of its own: Grafana then lists every model, which is
	// what IN takes.
	all := dashboard.VariableOption{
		Selected: ptr(true),
		Text:     dashboard.StringOrArrayOfString{ArrayOfString: []string{"All"}},
		Value:    dashboard.StringOrArrayOfString{ArrayOfString: []string{"$__all"}},
	}
	return g.queryVariable("model", "Model", modelsDescription, "models").
		Sort(dashboard.VariableSortAlphabeticalAsc).Multi(true).IncludeAll(true).Current(all)
}

// windowVariable lets one window of the declared metrics be chosen. It has no
// current value: Grafana then takes the first of the query, which is the longest.
func (g generator) windowVariable() cog.Builder[dashboard.VariableModel] {
	return g.queryVariable("window", "Window of metrics", "Window over which the declared metrics of quality are measured, the longest first.", "windows")
}

func (g generator) deployMarkers() cog.Builder[dashboard.AnnotationQuery] {
	return dashboard.NewAnnotationQueryBuilder().Name("Deploys").Datasource(datasourceRef()).
		Enable(true).IconColor("blue").Target(tableQuery("deploys", g.sql("deploys")))
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
