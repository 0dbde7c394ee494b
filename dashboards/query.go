package dashboards

import (
	"reflect"

	"github.com/grafana/grafana-foundation-sdk/go/cog/variants"
	"github.com/grafana/grafana-foundation-sdk/go/common"
)

const (
	// clickhousePlugin is the id of Grafana's ClickHouse data source plugin;
	// pluginVersion keeps it from migrating the query as one of version 3.
	clickhousePlugin = "grafana-clickhouse-datasource"
	pluginVersion    = "4.0.0"
	// datasourceVariable is the template variable every query goes through.
	datasourceVariable = "datasource"
)

// Formats of a result, as the plugin numbers them.
const (
	formatTimeSeries = 0
	formatTable      = 1
)

// clickhouseQuery is a query of the ClickHouse plugin, version 4, for which
// the SDK has no type.
type clickhouseQuery struct {
	RefID         string               `json:"refId"`
	Datasource    common.DataSourceRef `json:"datasource"`
	EditorType    string               `json:"editorType"`
	RawSQL        string               `json:"rawSql"`
	Format        int                  `json:"format"`
	QueryType     string               `json:"queryType"`
	PluginVersion string               `json:"pluginVersion"`
}

var _ variants.Dataquery = clickhouseQuery{}

// ImplementsDataqueryVariant marks the type for the SDK.
func (clickhouseQuery) ImplementsDataqueryVariant() {}

// DataqueryType returns the plugin's id.
func (clickhouseQuery) DataqueryType() string { return clickhousePlugin }

// Equals reports whether other is the same query.
func (q clickhouseQuery) Equals(other variants.Dataquery) bool { return reflect.DeepEqual(q, other) }

// Validate has nothing to refuse: the constructors below set every field.
func (clickhouseQuery) Validate() error { return nil }

// Build makes the query its own builder, which is what panels take.
func (q clickhouseQuery) Build() (variants.Dataquery, error) { return q, nil }

func newQuery(refID, sql string, format int) clickhouseQuery {
	kind := "timeseries"
	if format == formatTable {
		kind = "table"
	}
	return clickhouseQuery{
		RefID: refID, Datasource: datasourceRef(), EditorType: "sql", RawSQL: sql,
		Format: format, QueryType: kind, PluginVersion: pluginVersion,
	}
}

func seriesQuery(refID, sql string) clickhouseQuery { return newQuery(refID, sql, formatTimeSeries) }
func tableQuery(refID, sql string) clickhouseQuery  { return newQuery(refID, sql, formatTable) }

func datasourceRef() common.DataSourceRef {
	plugin, uid := clickhousePlugin, "${"+datasourceVariable+"}"
	return common.DataSourceRef{Type: &plugin, Uid: &uid}
}
