package dashboards_test

import (
	"context"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/prometheus/common/model"

	plumbline "github.com/plumbline-slo/plumbline"
	metrics "github.com/plumbline-slo/plumbline/analyze/quality/metric"
	"github.com/plumbline-slo/plumbline/dashboards"
	"github.com/plumbline-slo/plumbline/dashboards/internal/seed"
	"github.com/plumbline-slo/plumbline/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }

// named is a query of the dashboard with where it stands.
type named struct {
	where, kind string
	sql         string
}

func everyQuery(b board) []named {
	var all []named
	for _, p := range b.Panels {
		for _, q := range p.Targets {
			all = append(all, named{where: fmt.Sprintf("%d %s %s", p.ID, p.Title, q.RefID), kind: p.Type, sql: q.RawSQL})
		}
	}
	for _, a := range b.Annotations.List {
		all = append(all, named{where: "annotation " + a.Name, kind: "annotation", sql: a.Target.RawSQL})
	}
	for _, v := range b.Templating.List {
		if query, ok := v.Query.(map[string]any); ok {
			all = append(all, named{where: "variable " + v.Name, kind: "variable", sql: query["rawSql"].(string)})
		}
	}
	return all
}

// row is a result row with null as nil.
type row map[string]any

// query asks of the day that ends at to.
func query(ctx context.Context, t *testing.T, conn driver.Conn, sql string, to time.Time, models ...string) ([]string, []row) {
	t.Helper()
	return queryOver(ctx, t, conn, sql, 24*time.Hour, to, models...)
}

// queryOver asks of a range that ends at to.
func queryOver(ctx context.Context, t *testing.T, conn driver.Conn, sql string, span time.Duration, to time.Time, models ...string) ([]string, []row) {
	t.Helper()
	expanded, args := expand(sql, to.Add(-span), to, models, time.Minute)
	rows, err := conn.Query(ctx, expanded, args...)
	if err != nil {
		t.Fatalf("%v\n%s", err, expanded)
	}
	defer rows.Close()
	var out []row
	for rows.Next() {
		cells := make([]any, len(rows.Columns()))
		for i, column := range rows.ColumnTypes() {
			cells[i] = reflect.New(column.ScanType()).Interface()
		}
		if err := rows.Scan(cells...); err != nil {
			t.Fatal(err)
		}
		r := row{}
		for i, name := range rows.Columns() {
			value := reflect.ValueOf(cells[i]).Elem()
			if value.Kind() == reflect.Pointer && value.IsNil() {
				r[name] = nil
				continue
			}
			r[name] = reflect.Indirect(value).Interface()
		}
		out = append(out, r)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return rows.Columns(), out
}

var wantColumns = map[string][]string{
	"timeseries": {"time", "metric", "value"},
	"stat":       {"metric", "value"},
	"annotation": {"time", "text", "tags"},
}

// reader connects as Grafana should: as the embedded engine's read-only user, who
// may neither write nor use table functions.
func reader(t *testing.T, env *testenv.Env) driver.Conn {
	t.Helper()
	if env.Engine == nil {
		return env.DB.Conn()
	}
	connect, err := clickhouse.ParseDSN(env.Engine.ReadDSN())
	if err != nil {
		t.Fatal(err)
	}
	connect.Auth.Database = env.DB.Database()
	conn, err := clickhouse.Open(connect)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	})
	return conn
}

// TestEveryQueryIsProven runs every query of the dashboards against the seeded
// world and holds its columns and that it returns rows.
func TestEveryQueryIsProven(t *testing.T) {
	env := testenv.Start(t, testenv.Setup{})
	conn := env.DB.Conn()
	now := time.Now().Truncate(time.Minute)
	if err := seed.Fill(t.Context(), conn, now); err != nil {
		t.Fatal(err)
	}
	conn = reader(t, env)
	for _, g := range every(t, options()...) {
		b := parse(t, g.JSON)
		for _, q := range everyQuery(b) {
			t.Run(g.Name+" "+q.where, func(t *testing.T) {
				columns, rows := queryOver(t.Context(), t, conn, q.sql, b.span(t), now, seed.Model, seed.Odd)
				if len(rows) == 0 {
					t.Fatalf("no rows:\n%s", q.sql)
				}
				if want := wantColumns[q.kind]; want != nil && !slices.Equal(columns, want) {
					t.Errorf("columns %v, want %v", columns, want)
				}
				checkTimes(t, rows, b.span(t), now)
			})
		}
		t.Run(g.Name+" of one model", func(t *testing.T) { checkOtherModel(t, b, conn, now) })
	}
	b := parse(t, onCall(t, options()...))
	t.Run("values", func(t *testing.T) { checkValues(t, b, conn, now) })
	t.Run("windows", func(t *testing.T) { checkWindows(t, b, conn, now) })
}

// span is how long the range of time is that the dashboard opens with.
func (b board) span(t *testing.T) time.Duration {
	t.Helper()
	text, ok := strings.CutPrefix(b.Time.From, "now-")
	span, err := model.ParseDuration(text)
	if !ok || err != nil || b.Time.To != "now" {
		t.Fatalf("range %+v: %v", b.Time, err)
	}
	return time.Duration(span)
}

func checkTimes(t *testing.T, rows []row, span time.Duration, now time.Time) {
	t.Helper()
	for _, r := range rows {
		at, ok := r["time"].(time.Time)
		if ok && (at.Before(now.Add(-span-time.Hour)) || at.After(now)) {
			t.Errorf("a row at %s is out of the range that ends at %s", at, now)
		}
		if v, ok := r["value"].(float64); ok && (math.IsNaN(v) || math.IsInf(v, 0)) {
			t.Errorf("value %v cannot be drawn", v)
		}
	}
}

func metric(rows []row, name string) any {
	for _, r := range rows {
		if r["metric"] == name {
			return r["value"]
		}
	}
	return "no such metric"
}

func near(got any, want float64) bool {
	v, ok := got.(float64)
	return ok && math.Abs(v-want) < 1e-9
}

// checkValues compares the top row with what the seed's constants say.
func checkValues(t *testing.T, b board, conn driver.Conn, now time.Time) {
	models := []string{seed.Model, seed.Odd}
	top := func(i int) []row {
		_, rows := query(t.Context(), t, conn, b.Panels[i].Targets[0].RawSQL, now, models...)
		return rows
	}
	page := flights().Pairs[0].Threshold(flights().SLO.Target)
	if got := top(0)[0]; !near(got["value"], min(seed.BadShare1h-seed.HalfInterval, seed.BadShare5m)/page) {
		t.Errorf("worst burn %v, want %v of the threshold", got, (seed.BadShare1h-seed.HalfInterval)/page)
	}
	accuracy := top(1)
	if got := accuracy[0]["metric"]; got != seed.Model+" before" {
		t.Errorf("the model that fell does not stand first, but %v", got)
	}
	if got := metric(accuracy, seed.Model+" before"); !near(got, seed.AccuracyBefore) {
		t.Errorf("accuracy before the deploy %v, want %v", got, seed.AccuracyBefore)
	}
	if got := metric(accuracy, seed.Model+" "+seed.DeployNew+" now"); !near(got, seed.AccuracyAfter) {
		t.Errorf("accuracy now %v, want %v", got, seed.AccuracyAfter)
	}
	coverage := top(2)
	if got, ok := metric(coverage, seed.Model).(float64); !ok || got < 0.7 || got > float64(seed.Labelled)/seed.PerMinute {
		t.Errorf("coverage %v, want a little under 10 of 12", got)
	}
	if got := metric(coverage, seed.Odd); !near(got, 0) {
		t.Errorf("coverage of a model with traffic and no label %v, want 0", got)
	}
	volume := top(3)
	if metric(volume, seed.Model) != float64(seed.PerMinute) || metric(volume, seed.Odd) != float64(seed.OddPerMinute) {
		t.Errorf("predictions per minute %v", volume)
	}
	checkBreaches(t, top(4))
	checkDeclared(t, b, top)
	lines := map[int]map[string]float64{
		8:  {seed.Model + " " + seed.DeployOld: seed.AccuracyBefore, seed.Model + " " + seed.DeployNew: seed.AccuracyAfter},
		15: {seed.Model + " " + seed.DeployOld: seed.PerMinute, seed.Model + " " + seed.DeployNew: seed.PerMinute},
	}
	if left := top(13); !near(left[len(left)-1]["value"], seed.BudgetLeft) || left[0]["metric"] != seed.SLO+" 30d" {
		t.Errorf("%s: %v at last, want %v", b.Panels[13].Title, left[len(left)-1], seed.BudgetLeft)
	}
	for i, want := range lines {
		seen := map[string]bool{}
		for _, r := range top(i) {
			name := r["metric"].(string)
			if value, ok := want[name]; ok && !near(r["value"], value) {
				t.Errorf("%s: %v, want %v", b.Panels[i].Title, r, value)
			}
			seen[name] = true
		}
		for name := range want {
			if !seen[name] {
				t.Errorf("%s: no line %s", b.Panels[i].Title, name)
			}
		}
	}
}

// checkWindows holds that the longest window stands first, which Grafana then takes.
func checkWindows(t *testing.T, b board, conn driver.Conn, now time.Time) {
	t.Helper()
	if got, want := offeredWindows(t, b, conn, now), []any{seed.LongestWindow, "6h", "1h"}; !slices.Equal(got, want) {
		t.Errorf("windows %v, want %v", got, want)
	}
}

func offeredWindows(t *testing.T, b board, conn driver.Conn, now time.Time) []any {
	t.Helper()
	var got []any
	for _, q := range everyQuery(b) {
		if q.where != "variable window" {
			continue
		}
		_, rows := query(t.Context(), t, conn, q.sql, now)
		for _, r := range rows {
			got = append(got, r["window"])
		}
	}
	return got
}

// TestWindowThatWasRemovedIsNotOffered holds that only windows which are still told of
// can be chosen, and those told of last where the service is silent.
func TestWindowThatWasRemovedIsNotOffered(t *testing.T) {
	env := testenv.Start(t, testenv.Setup{})
	conn, now := reader(t, env), time.Now()
	b := parse(t, onCall(t, options()...))
	for _, look := range []struct {
		ago            time.Duration
		windows        []string
		offeredAfterIt []any
	}{
		{5 * time.Hour, []string{"7d", "1h"}, []any{"7d", "1h"}},
		{3 * time.Hour, []string{"1h", "1d"}, []any{"1d", "1h"}},
		{time.Minute, []string{"6h", "1h"}, []any{"6h", "1h"}},
	} {
		for _, window := range look.windows {
			if err := env.DB.Conn().Exec(t.Context(), `INSERT INTO findings (at, signal, model, deploy_hash, stage, window, window_end, measure, value, low, high, verdict)
				SELECT {at:DateTime64(3)}, 'quality', 'm', 'd', 'production', {window:String}, {at:DateTime64(3)}, 'accuracy', 0.5, 0.4, 0.6, 'ok'`,
				clickhouse.Named("at", now.Add(-look.ago).UTC().Format("2006-01-02 15:04:05")), clickhouse.Named("window", window)); err != nil {
				t.Fatal(err)
			}
		}
		if got := offeredWindows(t, b, conn, now); !slices.Equal(got, look.offeredAfterIt) {
			t.Errorf("after the look of %s ago: windows %v, want %v", look.ago, got, look.offeredAfterIt)
		}
	}
}

// lines are the names of what a panel draws, with the first value of each.
func lines(rows []row) map[string]float64 {
	out := map[string]float64{}
	for _, r := range rows {
		if name := r["metric"].(string); out[name] == 0 {
			out[name] = r["value"].(float64)
		}
	}
	return out
}

// checkDeclared compares the panels of declared metrics and of estimates with the
// seed: shares apart from other units, with the ends of intervals, and no line of
// what is insufficient.
func checkDeclared(t *testing.T, b board, top func(int) []row) {
	t.Helper()
	now, before := seed.Model+" "+seed.DeployNew, seed.Model+" "+seed.DeployOld
	panels := map[string]struct {
		draws map[string]float64
		not   []string
	}{
		"Do the declared metrics hold? Shares such as recall, by deploy": {
			map[string]float64{before + " recall": seed.Recall, before + " recall at least": seed.Recall - 0.03, before + " recall at most": seed.Recall + 0.03, now + " precision": 0.74},
			[]string{"accuracy", "mae", "mcc", "missed_minutes", now + " recall"},
		},
		"Do the declared metrics hold? Errors and values, by deploy": {
			map[string]float64{now + " mae": seed.MeanError, now + " mae at most": seed.MeanError + 0.5, before + " mcc": 0.55, now + " missed_minutes": 210},
			[]string{"accuracy", "recall", "precision"},
		},
		"Is the model right now? Quality estimated before the labels": {
			map[string]float64{now + " specificity 1d": 0.88, now + " f1 1d, unproven": 0.71},
			[]string{"mae", "interval_record", " f1 1d$"},
		},
		"How wrong is the model now? Errors estimated before the labels": {
			map[string]float64{now + " mae 1d, unproven": seed.MeanError, now + " mae 1d, unproven at least": 0.9 * seed.MeanError},
			[]string{"accuracy", "interval_record"},
		},
	}
	for title, want := range panels {
		i := slices.IndexFunc(b.Panels, func(p panel) bool { return p.Title == title })
		got := lines(top(i))
		for name, value := range want.draws {
			if v, ok := got[name]; !ok || math.Abs(v/value-1) > 0.03 {
				t.Errorf("%s: %s is %v, want about %v, of %v", title, name, v, value, got)
			}
		}
		for name := range got {
			if slices.ContainsFunc(want.not, func(part string) bool { return strings.Contains(name+"$", part) }) {
				t.Errorf("%s draws %s", title, name)
			}
		}
	}
	i := slices.IndexFunc(b.Panels, func(p panel) bool { return p.Title == "What can be said of the declared metrics now?" })
	rows := top(i)
	first := rows[0]
	if first["verdict"] != "insufficient" || first["measure"] != "recall" || first["value"] != nil || first["low"] != nil || first["assumes"] != "too few labelled positives" {
		t.Errorf("what says nothing does not stand first, or with a number: %v", first)
	}
	if len(rows) != 5 || rows[1]["verdict"] != "ok" || rows[1]["value"] == nil || rows[1]["high"] == nil {
		t.Errorf("declared metrics of the deploy that serves: %v", rows)
	}
}

// TestEveryMetricHasAPanelOfItsUnit holds that of every metric there is, declared or
// estimated, one panel draws it, shares in percent and no other.
func TestEveryMetricHasAPanelOfItsUnit(t *testing.T) {
	env := testenv.Start(t, testenv.Setup{})
	now := time.Now().Truncate(time.Minute)
	for _, d := range metrics.Table() {
		for _, signal := range []plumbline.SignalName{plumbline.SignalQuality, plumbline.SignalEstimatedQuality} {
			if err := env.DB.Conn().Exec(t.Context(), `INSERT INTO findings (at, signal, model, deploy_hash, stage, window, window_end, measure, value, low, high, verdict)
				SELECT {at:DateTime64(3)}, {signal:String}, 'm', 'd', 'production', '1d', {at:DateTime64(3)}, {measure:String}, 0.5, 0.4, 0.6, 'ok'`,
				clickhouse.Named("at", now.Add(-time.Minute).UTC().Format("2006-01-02 15:04:05")), clickhouse.Named("signal", string(signal)), clickhouse.Named("measure", string(d.ID))); err != nil {
				t.Fatal(err)
			}
		}
	}
	conn := reader(t, env)
	drawn := map[string][]string{}
	for _, p := range parse(t, onCall(t, options()...)).Panels {
		if p.Type != "timeseries" || !strings.Contains(p.Targets[0].RawSQL, "quality'") {
			continue
		}
		_, rows := query(t.Context(), t, conn, p.Targets[0].RawSQL, now, "m")
		for name := range lines(rows) {
			drawn[name] = append(drawn[name], p.FieldConfig.Defaults.Unit)
		}
	}
	for _, d := range metrics.Table() {
		want := []string{"none"}
		if strings.HasPrefix(d.Unit, "share") {
			want = []string{"percentunit"}
		}
		if got := drawn["m d "+string(d.ID)]; d.ID != metrics.Accuracy && !slices.Equal(got, want) {
			t.Errorf("declared %s, in %s, is drawn in %v, want %v", d.ID, d.Unit, got, want)
		}
		if got := drawn["m d "+string(d.ID)+" 1d"]; !slices.Equal(got, want) {
			t.Errorf("estimated %s, in %s, is drawn in %v, want %v", d.ID, d.Unit, got, want)
		}
	}
}

// TestPartialFeedbackHasBoundsOnly holds that no panel draws what labels alone say of
// a model that decides itself who gets one, and that others are drawn as before.
func TestPartialFeedbackHasBoundsOnly(t *testing.T) {
	env := testenv.Start(t, testenv.Setup{})
	now := time.Now().Truncate(time.Minute)
	if err := seed.Fill(t.Context(), env.DB.Conn(), now); err != nil {
		t.Fatal(err)
	}
	conn := reader(t, env)
	b := parse(t, onCall(t, append(options(), dashboards.WithPartial(seed.Model, seed.Odd))...))
	ask := func(sql string) []row {
		_, rows := query(t.Context(), t, conn, sql, now, seed.Model, seed.Odd)
		return rows
	}
	// Ten of twelve ever get a label, and of those of the last hour none has.
	least, most := float64(seed.Labelled)/seed.PerMinute*seed.AccuracyBefore, 1-float64(seed.Labelled)/seed.PerMinute*(1-seed.AccuracyBefore)
	stat := ask(b.Panels[1].Targets[0].RawSQL)
	if low, high := metric(stat, seed.Model+" before, at least"), metric(stat, seed.Model+" before, at most"); !near(low, least) || !near(high, most) {
		t.Errorf("before the deploy accuracy is between %v and %v, want %v and %v", low, high, least, most)
	}
	low, _ := metric(stat, seed.Model+" "+seed.DeployNew+" now, at least").(float64)
	high, _ := metric(stat, seed.Model+" "+seed.DeployNew+" now, at most").(float64)
	if !(low > 0 && low < seed.AccuracyAfter && high > seed.AccuracyAfter && high < 1) || len(stat) != 4 {
		t.Errorf("now accuracy is between %v and %v, around %v, of %v", low, high, seed.AccuracyAfter, stat)
	}
	quality := b.Panels[8]
	if rows := ask(quality.Targets[0].RawSQL); len(rows) != 0 || len(quality.Targets) != 3 {
		t.Errorf("%s: %d queries, and the first draws %v", quality.Title, len(quality.Targets), rows)
	}
	// What labels alone say lies between the two of each hour. A bound alone may
	// happen to be what they say of another hour.
	bounds, between := map[string]bool{}, map[string]float64{}
	for _, r := range ask(quality.Targets[2].RawSQL) {
		name := r["metric"].(string)
		bounds[name] = true
		if line, is := strings.CutSuffix(name, " at most"); is {
			between[fmt.Sprint(line, r["time"])] += r["value"].(float64)
		} else if line, is := strings.CutSuffix(name, " at least"); is {
			between[fmt.Sprint(line, r["time"])] -= r["value"].(float64)
		} else {
			t.Errorf("%s draws what is no bound: %v", quality.Title, r)
		}
	}
	for line, width := range between {
		if width < 1-float64(seed.Labelled)/seed.PerMinute-1e-9 {
			t.Errorf("%s: %s has bounds %v apart, less than the share without labels", quality.Title, line, width)
		}
	}
	for _, name := range []string{seed.DeployOld + " at least", seed.DeployOld + " at most", seed.DeployNew + " at least", seed.DeployNew + " at most"} {
		if !bounds[seed.Model+" "+name] {
			t.Errorf("%s: no line %s in %v", quality.Title, name, bounds)
		}
	}
	if strings.Contains(quality.Targets[2].RawSQL, `\ $model`) {
		t.Error("a name can be read as a variable of Grafana")
	}
}

func checkBreaches(t *testing.T, breaches []row) {
	t.Helper()
	got := map[string]int{}
	for _, r := range breaches {
		got[fmt.Sprintf("%v %v %v", r["verdict"], r["model"], r["signal"])]++
	}
	want := map[string]int{
		"breach " + seed.Model + " burn":     2,
		"breach " + seed.Model + " drift":    1,
		"missing " + seed.Model + " quality": 1,
		"missing " + seed.Odd + " all":       1,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("in breach or missing: %v, want %v", got, want)
	}
}

// checkOtherModel holds that no panel shows a model that was not selected.
func checkOtherModel(t *testing.T, b board, conn driver.Conn, now time.Time) {
	for _, q := range everyQuery(b) {
		if q.kind == "variable" {
			continue
		}
		_, rows := queryOver(t.Context(), t, conn, q.sql, b.span(t), now, seed.Odd)
		for _, r := range rows {
			if text := fmt.Sprint(r); strings.Contains(text, seed.Model) {
				t.Errorf("%s shows another model: %s", q.where, text)
			}
		}
	}
}

// TestMissingStaysMissing runs every query against empty tables: no panel may
// show a number, and the table of breaches says that nothing watches the model.
func TestMissingStaysMissing(t *testing.T) {
	env := testenv.Start(t, testenv.Setup{})
	for _, g := range every(t, dashboards.WithPage("http://plumbline.example")) {
		b := parse(t, g.JSON)
		for _, q := range everyQuery(b) {
			_, rows := queryOver(t.Context(), t, env.DB.Conn(), q.sql, b.span(t), time.Now(), seed.Model)
			for _, r := range rows {
				if r["value"] != nil {
					t.Errorf("%s %s shows %v of no data", g.Name, q.where, r)
				}
			}
			if g.Name == dashboards.OnCallUID && strings.HasPrefix(q.where, "5 ") && (len(rows) != 1 || rows[0]["verdict"] != "missing") {
				t.Errorf("the table of breaches shows %v", rows)
			}
		}
	}
}
