package dashboards_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/plumbline-slo/plumbline/analyze/drift/measure"
	"github.com/plumbline-slo/plumbline/dashboards"
	"github.com/plumbline-slo/plumbline/storage/grid"
)

// debugWorld is a world whose dashboard is the one for debugging.
func debugWorld(t *testing.T, opts ...dashboards.Option) world {
	t.Helper()
	w := newWorld(t)
	w.b = parse(t, generate(t, dashboards.DebugUID, opts...))
	return w
}

// answer runs the first query of a panel over the dashboard's range.
func (w world) answer(t *testing.T, title string, models ...string) []row {
	t.Helper()
	i := slices.IndexFunc(w.b.Panels, func(p panel) bool { return strings.HasPrefix(p.Title, title) })
	if i < 0 {
		t.Fatalf("no panel %q", title)
	}
	_, rows := queryOver(t.Context(), t, w.conn, w.b.Panels[i].Targets[0].RawSQL, w.b.span(t), w.now, models...)
	return rows
}

// spelled joins columns of each row.
func spelled(rows []row, columns ...string) []string {
	var out []string
	for _, r := range rows {
		parts := make([]string, len(columns))
		for i, c := range columns {
			parts[i] = fmt.Sprint(r[c])
		}
		out = append(out, strings.Join(parts, " | "))
	}
	return out
}

func hold(t *testing.T, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s:\ngot  %s\nwant %s", what, strings.Join(got, "\n     "), strings.Join(want, "\n     "))
	}
}

// serving inserts a request of deploys: model, deploy, stage and age in seconds.
func (w world) serving(t *testing.T, rows string) {
	t.Helper()
	w.add(t.Context(), t, `INSERT INTO series_minute (model, deploy_hash, stage, series, grid, time, count)
		SELECT f.1, f.2, f.3, 'requests', '', toDateTime({now:Int64} - f.4), 1 FROM (SELECT arrayJoin([`+rows+`]) AS f)`)
}

// Of each feature, deploy and reference the measure that moved most counts, and what says
// nothing has no number; breaches stand first, then what is missing.
func TestInputsThatMovedStandFirst(t *testing.T) {
	w := debugWorld(t)
	w.add(t.Context(), t, `INSERT INTO findings (at, signal, model, deploy_hash, stage, segment, feature, reference, window, measure, value, null_mean, effect, p, verdict, assumes)
		SELECT toDateTime64({now:Int64} - f.1, 3), 'drift', 'm', f.2, f.3, f.4, f.5, f.6, '1d', f.7, f.8, 0.1, f.8 - 0.1, 0.001, f.9, 'why'
		FROM (SELECT arrayJoin([
			(60, 'd', 'production', '', 'a', 'training', 'psi', 0.2, 'ok'), (60, 'd', 'production', '', 'a', 'training', 'tvd', 0.19, 'ok'),
			(60, 'd', 'production', '', 'b', 'training', 'psi', 0.5, 'breach'), (120, 'd', 'production', '', 'b', 'training', 'psi', 9., 'ok'),
			(60, 'd', 'canary', '', 'b', 'training', 'psi', 0.9, 'breach'),
			(60, 'd', 'production', '', 'c', 'training', 'psi', 8., 'insufficient'), (60, 'd', 'production', '', '', 'previous-deploy', '', nan, 'missing'),
			(60, 'd', 'production', 'region=eu', 'e', 'training', 'psi', 7., 'breach'), (1200, 'd', 'production', '', 'g', 'training', 'psi', 7., 'breach')]) AS f)`)
	w.serving(t, `('m', 'd', 'production', 60), ('m', 'dark', 'production', 60), ('m', 'gone', 'production', 1200), ('unwatched', 'x', 'production', 60)`)
	hold(t, "inputs", spelled(w.answer(t, "Which input moved?", "m", "unwatched"), "verdict", "model", "feature", "deploy", "measure", "value", "beyond"), []string{
		"breach | m | b | d canary | psi | 0.9 | 0.8", "breach | m | b | d | psi | 0.5 | 0.4",
		"missing | m | (all) | d |  | <nil> | <nil>", "missing | m | (all) | dark |  | <nil> | <nil>", "missing | unwatched | (all) |  |  | <nil> | <nil>",
		"ok | m | a | d | tvd | 0.19 | 0.09", "insufficient | m | c | d | psi | <nil> | <nil>",
	})
	// The variable offers what came, and what is in breach first.
	w.add(t.Context(), t, `INSERT INTO series_hour (model, deploy_hash, stage, segment, series, grid, time, count)
		SELECT 'm', 'd', f.2, '', f.1, 'f8', toStartOfHour(toDateTime({now:Int64} - f.3)), 1
		FROM (SELECT arrayJoin([('feature:a', 'production', 0), ('feature:b', 'production', 90000), ('feature:gone', 'production', 200000), ('feature:c', 'training', 0), ('score', 'production', 0), ('feature:in\\verse', 'production', 0)]) AS f)`)
	w.add(t.Context(), t, `INSERT INTO categories_hour (model, deploy_hash, stage, segment, series, time, value, kind, count)
		SELECT 'm', 'd', 'production', '', arrayJoin(['feature:a', 'feature:z', 'predicted']), toStartOfHour(toDateTime({now:Int64})), 'x', 0, 1`)
	for _, q := range everyQuery(w.b) {
		if q.where == "variable feature" {
			_, rows := queryOver(t.Context(), t, w.conn, q.sql, w.b.span(t), w.now, "m")
			hold(t, "features", spelled(rows, "feature"), []string{"b", "a", "z"})
		}
	}
}

// The query compares measures by their least effects as the catalogue has them.
func TestLeastEffectsAreTheCatalogues(t *testing.T) {
	sql := debugWorld(t).b.Panels[0].Targets[0].RawSQL
	var names, values []string
	for _, d := range measure.Table() {
		if !math.IsNaN(d.MinEffect) {
			names, values = append(names, "'"+string(d.ID)+"'"), append(values, fmt.Sprint(d.MinEffect))
		}
	}
	for _, want := range []string{"[" + strings.Join(names, ", ") + "]", "[" + strings.Join(values, ", ") + "]"} {
		if !strings.Contains(sql, want) {
			t.Errorf("no %s in\n%s", want, sql)
		}
	}
}

// Breaches of any check and shares of what should not come are told of, what says nothing
// is one row, and a model that nobody looks at is missing.
func TestChecksThatSayNothingAreOneRow(t *testing.T) {
	w := debugWorld(t)
	w.add(t.Context(), t, `INSERT INTO findings (at, signal, model, deploy_hash, stage, feature, reference, window, measure, value, null_mean, verdict, assumes)
		SELECT toDateTime64({now:Int64} - f.1, 3), 'data_quality', 'm', f.2, 'production', f.3, 'training', '1d', f.4, f.5, 0.01, f.6, 'too few'
		FROM (SELECT arrayJoin([(60, 'd', 'a', 'null_share', 0.3, 'breach'), (60, 'd', 'b', 'mean', 900., 'breach'), (60, 'd', 'c', 'null_share', 0.02, 'ok'), (60, 'd', 'c', 'nan_share', 0., 'ok'),
			(60, 'd', 'c', 'mean', 5., 'ok'), (60, 'd', 'c', 'constant_share', 0.5, 'ok'), (3000, 'd', '', 'duplicate_share', 0.04, 'breach'), (3000, 'd', 'c', 'missing_share', 0.9, 'breach'),
			(60, 'e', 'a', 'null_share', nan, 'insufficient'), (60, 'e', 'a', 'mean', nan, 'insufficient'), (60, 'e', 'b', 'mean', nan, 'insufficient')]) AS f)`)
	w.serving(t, `('m', 'd', 'production', 60), ('m', 'dark', 'production', 60), ('m', 'gone', 'production', 1200), ('unwatched', 'x', 'production', 60)`)
	hold(t, "soundness", spelled(w.answer(t, "Are the values sound?", "m", "unwatched"), "verdict", "model", "feature", "measure", "now", "usual", "deploy"), []string{
		"breach | m | a | null_share | 0.3 | 0.01 | d", "breach | m |  | duplicate_share | 0.04 | 0.01 | d", "breach | m | b | mean | 900 | 0.01 | d",
		"missing | m | (all) | no finding of features in 10 minutes: the deploy answers, and nothing looks at its events | <nil> | <nil> | dark",
		"missing | unwatched | (all) | no finding of features in 10 minutes: nothing looks at these events | <nil> | <nil> | ",
		"ok | m | c | null_share | 0.02 | 0.01 | d", "insufficient | m | (2 features) | checks that say nothing: 3, too few | <nil> | <nil> | e",
		"ok | m | (1 feature) | checks within bounds: 3 | <nil> | <nil> | d",
	})
}

// Quantiles are those of the values, whatever their sign and grid: integers exactly, others
// to the width of a bucket, and of weeks in one bucket never beyond what was seen.
func TestQuantilesOfBuckets(t *testing.T) {
	w := debugWorld(t)
	insert := func(model, series, table, version string, least, greatest float64, buckets []int32) {
		counts := strings.TrimSuffix(strings.Repeat("1, ", len(buckets)), ", ")
		w.add(t.Context(), t, fmt.Sprintf(`INSERT INTO %s (model, deploy_hash, stage, segment, series, grid, time, count, min, max, hist)
			SELECT '%s', 'd', 'production', '', '%s', '%s', toStartOfHour(toDateTime({now:Int64})), %d, %g, %g, (%s, [%s])`,
			table, model, series, version, len(buckets), least, greatest, strings.ReplaceAll(fmt.Sprint(buckets), " ", ", "), counts))
	}
	full := func(values ...float64) (buckets []int32) {
		for _, v := range values {
			buckets = append(buckets, grid.Bucket(v))
		}
		return buckets
	}
	insert("integers", "feature:distance", "series_hour", "f8", -3, 511, full(-3, -2, 0, 1, 100, 511))
	insert("wide", "feature:distance", "series_hour", "f8", 1790000001, 1790000002, full(1790000001))
	insert("tail", "feature:distance", "series_hour", "f8", -1000.7, 0.3, full(-1000.7, -1e-9, 0.3))
	insert("share", "score", "series_minute", "o5", 0.2, 1, []int32{grid.ToCoarse(grid.OddsBucket(0.2)), grid.ToCoarse(grid.OddsBucket(0.9)), grid.ToCoarse(grid.OddsBucket(1))})
	insert("slow", "latency_ms", "series_minute", "f5", 3, 2000, []int32{grid.ToCoarse(grid.Bucket(3)), grid.ToCoarse(grid.Bucket(70)), grid.ToCoarse(grid.Bucket(2000))})
	for _, tt := range []struct {
		model, title, metric string
		want, within         float64
	}{
		{"integers", "Since when are its numbers", " d distance 5 %", -3, 0}, {"integers", "Since when are its numbers", " d distance median", 0, 0}, {"integers", "Since when are its numbers", " d distance 95 %", 511, 0},
		{"wide", "Since when are its numbers", " d distance median", 1790000001.5, 0.5},
		{"tail", "Since when are its numbers", " d distance 5 %", -1000.7, 2}, {"tail", "Since when are its numbers", " d distance median", -1e-9, 4e-12}, {"tail", "Since when are its numbers", " d distance 95 %", 0.3, 0.0006},
		{"share", "What is answered?", " d 5 %", 0.2, 0.003}, {"share", "What is answered?", " d median", 0.9, 0.002}, {"share", "What is answered?", " d 95 %", 1, 0},
		{"slow", "How fast are answers?", " d median", 70, 1.2}, {"slow", "How fast are answers?", " d 99 %", 2000, 32},
	} {
		got, ok := metric(w.answer(t, tt.title, tt.model), tt.model+tt.metric).(float64)
		if !ok || math.Abs(got-tt.want) > tt.within {
			t.Errorf("%s%s: %v, want %v within %v", tt.model, tt.metric, got, tt.want, tt.within)
		}
	}
}

// A feature that is not sent at all in an hour with requests is missing there, one that
// the model never sends is not drawn, and an hour without requests has no share.
func TestGapsOfAFeature(t *testing.T) {
	w := debugWorld(t)
	w.add(t.Context(), t, `INSERT INTO series_hour (model, deploy_hash, stage, segment, series, grid, time, count, nans)
		SELECT f.1, f.2, f.3, f.4, f.5, 'f8', toStartOfHour(toDateTime({now:Int64} - f.6)), f.7, f.8
		FROM (SELECT arrayJoin([('m', 'd', 'production', '', 'requests', 0, 100, 0), ('m', 'd', 'production', '', 'requests', 3600, 50, 0), ('m', 'd', 'production', 'region=eu', 'requests', 0, 40, 0),
			('m', 'e', 'shadow', '', 'requests', 0, 10, 0), ('other', 'x', 'production', '', 'requests', 0, 10, 0),
			('m', 'd', 'production', '', 'feature:distance', 0, 60, 5), ('m', 'd', 'production', 'region=eu', 'feature:distance', 0, 40, 0)]) AS f)`)
	w.add(t.Context(), t, `INSERT INTO categories_hour (model, deploy_hash, stage, segment, series, time, value, kind, count)
		SELECT 'm', 'd', 'production', '', 'feature:distance', toStartOfHour(toDateTime({now:Int64})), f.1, f.2, f.3 FROM (SELECT arrayJoin([('', 1, 20), ('far', 0, 5)]) AS f)`)
	hour := w.now.Truncate(time.Hour)
	var got []string
	for _, r := range w.answer(t, "Is it there?", "m", "other") {
		got = append(got, fmt.Sprintf("%v h %s %.2f", r["time"].(time.Time).Sub(hour).Hours(), r["metric"], r["value"]))
	}
	hold(t, "gaps", got, []string{
		"-1 h m d distance NaN or infinite 0.00", "-1 h m d distance missing 1.00", "-1 h m d distance null 0.00",
		"0 h m d distance NaN or infinite 0.05", "0 h m d distance missing 0.10", "0 h m d distance null 0.20",
		"0 h m e shadow distance NaN or infinite 0.00", "0 h m e shadow distance missing 1.00", "0 h m e shadow distance null 0.00",
	})
}

// A model has a thousand series: those of the chosen feature are found by the key.
func TestTheChosenFeatureIsReadByTheKey(t *testing.T) {
	w := debugWorld(t)
	w.add(t.Context(), t, `INSERT INTO series_hour (model, deploy_hash, stage, series, grid, time, count) SELECT 'm', 'd', 'production', 'feature:distance', 'f8', toStartOfHour(toDateTime({now:Int64})), 1`)
	w.add(t.Context(), t, `INSERT INTO categories_hour (model, deploy_hash, stage, series, time, value, kind, count) SELECT 'm', 'd', 'production', 'feature:distance', toStartOfHour(toDateTime({now:Int64})), 'x', 0, 1`)
	for _, p := range w.b.Panels {
		if len(p.Targets) == 0 || !strings.Contains(p.Targets[0].RawSQL, "${feature") {
			continue
		}
		_, plan := queryOver(t.Context(), t, w.conn, "EXPLAIN indexes = 1, distributed = 1 "+p.Targets[0].RawSQL, w.b.span(t), w.now, "m")
		if text := fmt.Sprint(plan); !strings.Contains(text, "series in 2-element set") {
			t.Errorf("%s does not look the series up:\n%s", p.Title, text)
		}
	}
}

// The eight most frequent values are drawn and the rest together; one that an hour has not
// is 0 there, and nulls are no value.
func TestCategoriesByHour(t *testing.T) {
	w := debugWorld(t)
	w.add(t.Context(), t, `INSERT INTO categories_hour (model, deploy_hash, stage, segment, series, time, value, kind, count)
		SELECT 'm', 'd', 'production', '', 'feature:origin', toStartOfHour(toDateTime({now:Int64} - f.1)), f.2, f.3, f.4
		FROM (SELECT arrayJoin([(0, 'a', 0, 60), (0, '', 1, 900), (0, '', 2, 10), (0, 'b', 0, 30), (3600, 'b', 0, 7), (3600, 'c', 0, 1), (3600, 'd', 0, 1), (3600, 'e', 0, 1), (3600, 'f', 0, 1), (3600, 'g', 0, 1), (3600, 'h', 0, 1), (3600, 'i', 0, 1), (3600, '', 0, 2)]) AS f)`)
	now := map[string]float64{}
	before := map[string]float64{}
	for _, r := range w.answer(t, "Since when are its values", "m") {
		side := now
		if r["time"].(time.Time).Before(w.now.Truncate(time.Hour)) {
			side = before
		}
		side[strings.TrimPrefix(r["metric"].(string), "m d origin ")] = r["value"].(float64)
	}
	if len(before) != 9 || !near(before["= b"], 7.0/16) || !near(before["= "], 2.0/16) || !near(before["= a"], 0) || !near(before["all others"], 2.0/16) {
		t.Errorf("an hour ago: %v", before)
	}
	if len(now) != 9 || !near(now["= a"], 0.6) || !near(now["= b"], 0.3) || !near(now["= c"], 0) || !near(now["all others"], 0.1) {
		t.Errorf("now: %v", now)
	}
}

// On a new installation there is neither a model nor a feature to choose: whatever Grafana
// puts in their place, nothing is drawn and nothing fails.
func TestNothingToDebug(t *testing.T) {
	w := debugWorld(t)
	for _, nothing := range []string{"", "''"} {
		blank := strings.NewReplacer("${model:singlequote}", nothing, "${feature:singlequote}", nothing)
		for _, q := range everyQuery(w.b) {
			_, rows := queryOver(t.Context(), t, w.conn, blank.Replace(q.sql), w.b.span(t), w.now)
			for _, r := range rows {
				if r["verdict"] != "missing" || r["value"] != nil {
					t.Errorf("%s: %v", q.where, r)
				}
			}
		}
	}
}

// One model at a time is read, so there is no All; what moved most is the feature that
// Grafana takes, and is asked for anew with another range.
func TestOneModelAndFeatureAtATime(t *testing.T) {
	raw := string(generate(t, dashboards.DebugUID))
	b := parse(t, []byte(raw))
	var got []string
	for _, v := range b.Templating.List {
		got = append(got, fmt.Sprintf("%s %t", v.Name, v.Multi))
	}
	hold(t, "variables", got, []string{"datasource false", "model false", "feature false"})
	if strings.Contains(raw, "$__all") || !strings.Contains(raw, `"refresh": 2`) || !strings.Contains(raw, `"sort": 0`) {
		t.Error("All can be chosen, or features are not asked for anew in their own order")
	}
}
