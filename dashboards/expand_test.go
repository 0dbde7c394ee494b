package dashboards_test

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
)

func TestExpand(t *testing.T) {
	from, to := time.Unix(1000, 900), time.Unix(2000, 0)
	models := []string{"a", "it's"}
	fromArg, toArg, modelsArg := clickhouse.Named("from", int64(1000)), clickhouse.Named("to", int64(2000)), clickhouse.Named("models", models)
	tests := []struct {
		name, sql, want string
		args            []any
	}{
		{"nothing", "SELECT 1", "SELECT 1", nil},
		{"range", "at >= $__fromTime AND at <= $__toTime", "at >= toDateTime({from:Int64}) AND at <= toDateTime({to:Int64})", []any{fromArg, toArg}},
		{"filter", "WHERE $__timeFilter(at)", "WHERE at >= toDateTime({from:Int64}) AND at <= toDateTime({to:Int64})", []any{fromArg, toArg}},
		{"interval", "$__timeInterval(ts) / $__interval_s", "toStartOfInterval(toDateTime(ts), INTERVAL 60 second) / 60", nil},
		{"model", "model IN ($model)", "model IN {models:Array(String)}", []any{modelsArg}},
		{"quoted model", "model IN (${model:singlequote})", "model IN {models:Array(String)}", []any{modelsArg}},
		{"array of models", "arrayJoin([${model:singlequote}])", "arrayJoin({models:Array(String)})", []any{modelsArg}},
		{"window", "window = ${window:singlequote}", "window = {window:String}", []any{clickhouse.Named("window", "1d")}},
		{"feature", "concat(f, [${feature:singlequote}])", "concat(f, {features:Array(String)})", []any{clickhouse.Named("features", []string{"distance", "origin"})}},
		{"another variable", "IN ($models)", "IN ($models)", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			sql, args := expand(tt.sql, from, to, models, time.Minute)
			if sql != tt.want {
				t.Errorf("got %s, want %s", sql, tt.want)
			}
			if !reflect.DeepEqual(args, tt.args) {
				t.Errorf("arguments %v, want %v", args, tt.args)
			}
		})
	}
}

func TestExpandIntervalIsAtLeastASecond(t *testing.T) {
	if sql, _ := expand("$__interval_s", time.Time{}, time.Time{}, nil, time.Millisecond); sql != "1" {
		t.Errorf("got %s", sql)
	}
}

// FuzzExpand holds that a model's name never reaches the text of a query.
func FuzzExpand(f *testing.F) {
	f.Add("SELECT 1 WHERE model IN ($model)", "flight-delay")
	f.Add("$__timeFilter(a) ${model:singlequote}", "') OR 1=1 --")
	f.Fuzz(func(t *testing.T, sql, model string) {
		marked := "\x00" + model + "\x00"
		expanded, _ := expand(strings.ReplaceAll(sql, "\x00", ""), time.Unix(0, 0), time.Unix(1, 0), []string{marked}, time.Second)
		if strings.Contains(expanded, marked) {
			t.Errorf("the model stands in %q", expanded)
		}
	})
}
