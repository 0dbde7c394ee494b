package dashboards_test

import (
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	"github.com/plumbline-slo/plumbline/dashboards/internal/seed"
)

// Names of the query parameters that expand leaves in its SQL.
const (
	paramFrom   = "from"
	paramTo     = "to"
	paramModels = "models"
	paramWindow = "window"
	paramChosen = "features"
)

var (
	timeFilter   = regexp.MustCompile(`\$__timeFilter\(([^()]*)\)`)
	timeInterval = regexp.MustCompile(`\$__timeInterval\(([^()]*)\)`)
	window       = regexp.MustCompile(`\$\{window(?::[a-z]+)?\}`)
	modelList    = regexp.MustCompile(`[(\[]\s*(?:\$model\b|\$\{model(?::[a-z]+)?\})\s*[)\]]`)
	featureList  = regexp.MustCompile(`[(\[]\s*\$\{feature(?::[a-z]+)?\}\s*[)\]]`)
)

// expand does to a panel's SQL what Grafana and its ClickHouse plugin do before
// they send it: the macros $__fromTime, $__toTime, $__timeFilter(column),
// $__timeInterval(column) and $__interval_s, the variables $model and ${feature} as the
// whole of a list, and ${window} as the longest window of the seed. Times, models,
// features and the window become query parameters, to be sent with
// the returned arguments, so that no name a producer chose stands in SQL text.
// Times are cut to seconds, as the plugin does; an interval under a second
// counts as one.
func expand(sql string, from, to time.Time, models []string, interval time.Duration) (string, []any) {
	const (
		fromSQL  = "toDateTime({" + paramFrom + ":Int64})"
		toSQL    = "toDateTime({" + paramTo + ":Int64})"
		modelSQL = "{" + paramModels + ":Array(String)}"
	)
	seconds := strconv.FormatInt(max(int64(interval/time.Second), 1), 10)
	sql = timeFilter.ReplaceAllString(sql, "$1 >= "+fromSQL+" AND $1 <= "+toSQL)
	sql = timeInterval.ReplaceAllString(sql, "toStartOfInterval(toDateTime($1), INTERVAL "+seconds+" second)")
	sql = strings.NewReplacer("$__fromTime", fromSQL, "$__toTime", toSQL, "$__interval_s", seconds).Replace(sql)
	sql = modelList.ReplaceAllString(sql, modelSQL)
	sql = featureList.ReplaceAllString(sql, "{"+paramChosen+":Array(String)}")
	sql = window.ReplaceAllString(sql, "{"+paramWindow+":String}")

	values := []struct {
		name  string
		value any
	}{{paramFrom, from.Unix()}, {paramTo, to.Unix()}, {paramModels, models}, {paramWindow, seed.LongestWindow}, {paramChosen, []string{seed.Number, seed.Category}}}
	var args []any
	for _, v := range values {
		// A server refuses no spare parameter, but one that is left out of the
		// list cannot be mistaken for one in use.
		if strings.Contains(sql, "{"+v.name+":") {
			args = append(args, clickhouse.Named(v.name, v.value))
		}
	}
	return sql, args
}
