package dashboards_test

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/dashboards"
)

// lifecycle is a world that is asked through the lifecycle dashboard.
func lifecycle(t *testing.T, opts ...dashboards.Option) world {
	t.Helper()
	w := newWorld(t)
	w.b = parse(t, generate(t, dashboards.LifecycleUID, opts...))
	return w
}

// overQuarter runs a query of the panel with the title over 90 days.
func (w world) overQuarter(t *testing.T, title string, target int, models ...string) []row {
	t.Helper()
	i := slices.IndexFunc(w.b.Panels, func(p panel) bool { return p.Title == title })
	if i < 0 {
		t.Fatalf("no panel %q", title)
	}
	_, rows := queryOver(t.Context(), t, w.conn, w.b.Panels[i].Targets[target].RawSQL, 90*24*time.Hour, w.now, models...)
	return rows
}

// cells are the values of some columns of a row, in order.
func cells(r row, columns ...string) string {
	var out []any
	for _, c := range columns {
		switch v := r[c].(type) {
		case float64:
			out = append(out, math.Round(v*1e4)/1e4)
		default:
			out = append(out, v)
		}
	}
	return fmt.Sprintln(out...)
}

func check(t *testing.T, rows []row, columns []string, want ...[]any) {
	t.Helper()
	got := []string{}
	for _, r := range rows {
		got = append(got, cells(r, columns...))
	}
	wanted := []string{}
	for _, values := range want {
		wanted = append(wanted, fmt.Sprintln(values...))
	}
	if !slices.Equal(got, wanted) {
		t.Errorf("of %v:\ngot  %q\nwant %q", columns, got, wanted)
	}
}

// serving fills tables with a model whose deploy came back, with a canary and a shadow, one
// whose newest deploy does not answer, and one that was just deployed.
func serving(t *testing.T) world {
	w := lifecycle(t)
	w.add(t.Context(), t, `INSERT INTO deployments (model, deploy_hash, stage, ts, version)
		SELECT d.1, d.2, d.3, toDateTime64({now:Int64} - d.4, 3), d.5
		FROM (SELECT arrayJoin([('m', 'a', 'production', 30 * 86400, 'v1'), ('m', 'b', 'production', 10 * 86400, 'v2'), ('m', 'a', 'production', 2 * 86400, 'v1'), ('m', 'a', 'production', 3600, 'v1'),
			('m', 's', 'shadow', 7200, 'v3'), ('m', 't', 'training', 60, 'v4'),
			('n', 'y', 'production', 5 * 86400, 'v1'), ('n', 'x', 'production', 18000, 'v2'), ('q', 'new', 'production', 600, 'v1')]) AS d)`)
	w.add(t.Context(), t, `INSERT INTO series_hour (model, deploy_hash, stage, segment, series, grid, time, count)
		SELECT d.1, d.2, d.3, segment, 'requests', 'g', toStartOfHour(toDateTime({now:Int64})) - d.4 * 3600, d.5
		FROM (SELECT arrayJoin([('m', 'a', 'production', 720, 9), ('m', 'a', 'production', 0, 60), ('m', 'b', 'production', 20, 30), ('m', 'c', 'canary', 1, 10), ('m', 's', 'shadow', 0, 70), ('m', 't', 'training', 0, 5),
			('m', 'long ago', 'production', 30, 5), ('n', 'y', 'production', 23, 3), ('n', 'y', 'production', 0, 1)]) AS d)
		ARRAY JOIN ['', 'region=eu'] AS segment`)
	return w
}

func TestWhatServesAndWhatWasDeployed(t *testing.T) {
	w := serving(t)
	const day = 86400
	check(t, w.overQuarter(t, "What serves now, and is it what was deployed?", 0, "m", "n", "q"), []string{"says", "model", "stage", "deploy_hash", "share", "requests", "age", "version"},
		[]any{"was deployed, and does not answer", "n", "production", "x", 0.0, 0, 18000, "v2"},
		[]any{"serves, and no deployment event told of it", "m", "canary", "c", 0.1, 10, 3600 + 1800, ""},
		[]any{"serves, though x was deployed after it", "n", "production", "y", 1.0, 4, 5 * day, "v1"},
		[]any{"serves", "m", "production", "a", 0.6, 60, 30 * day, "v1"},
		[]any{"serves", "m", "shadow", "s", nil, 70, 7200, "v3"},
		[]any{"was just deployed, and does not answer yet", "q", "production", "new", nil, 0, 600, "v1"},
		[]any{"answers no more", "m", "production", "b", 0.3, 30, 10 * day, "v2"})
	since := w.overQuarter(t, "What serves now, and is it what was deployed?", 0, "m")[1]
	if got := w.now.Sub(since["since"].(time.Time)); since["deploy_hash"] != "a" || got != 2*day*time.Second {
		t.Errorf("a deploy that came back serves since %v, want 2 days: %v", got, since)
	}
	check(t, w.overQuarter(t, "How old is what serves? Oldest deploy in production", 0, "m", "n", "q"), []string{"metric", "value"},
		[]any{"q", nil}, []any{"m a", 30.0 * day}, []any{"n y", 5.0 * day})
	check(t, w.overQuarter(t, "How long ago was the last deploy?", 0, "m", "n", "never"), []string{"metric", "value"},
		[]any{"never", nil}, []any{"m a", 2.0 * day}, []any{"n x", 18000.0})
}

// Users were answered by production and canary; each model's shares are its own.
func TestShareOfAnswers(t *testing.T) {
	w := serving(t)
	got := map[string]float64{}
	for _, r := range w.overQuarter(t, "Who answers? Share of a model's requests by deploy and day", 0, "m", "n") {
		got[r["metric"].(string)] = r["value"].(float64)
		if _, ok := r["value"].(float64); !ok || r["time"].(time.Time).After(w.now) {
			t.Errorf("%v", r)
		}
	}
	// Half past one: 20 hours ago was yesterday.
	for name, want := range map[string]float64{"m a": 60. / 70, "m c canary": 10. / 70, "m b": 30. / 35, "m long ago": 5. / 35, "n y": 1} {
		if !near(got[name], want) {
			t.Errorf("%s answered %v, want %v", name, got[name], want)
		}
	}
	if len(got) != 5 {
		t.Errorf("lines %v", got)
	}
}

// outcomes adds what is known of an hour that began some hours ago, as the join writes it:
// again once more is known, which replaces what was, and for a segment.
func (w world) outcomes(t *testing.T, hour int, model, deploy, stage string, labels, correct int) {
	t.Helper()
	for version := range 2 {
		w.add(t.Context(), t, fmt.Sprintf(`INSERT INTO outcome_hours (model, deploy_hash, stage, segment, time, known, predicted, label, count, correct, rows, squares, version)
			SELECT '%s', '%s', '%s', segment, toStartOfHour(toDateTime({now:Int64})) - %d * 3600, toStartOfHour(toDateTime({now:Int64})), 'yes', o.1, o.2, o.3, o.2, o.2, %d
			FROM (SELECT arrayJoin(['', 'region=eu']) AS segment, arrayJoin([('yes', %d, %d), ('no', %d, 0)]) AS o)`,
			model, deploy, stage, hour, version, correct*version+1-version, correct*version, (labels-correct)*version))
	}
}

func (w world) requests(t *testing.T, hour int, model, deploy, stage string, count int) {
	t.Helper()
	w.add(t.Context(), t, fmt.Sprintf(`INSERT INTO series_hour (model, deploy_hash, stage, segment, series, grid, time, count)
		SELECT '%s', '%s', '%s', segment, 'requests', 'g', toStartOfHour(toDateTime({now:Int64})) - %d * 3600, %d FROM (SELECT arrayJoin(['', 'region=eu']) AS segment)`, model, deploy, stage, hour, count))
}

// wilson is the 95 % interval of a share.
func wilson(p, n float64) (low, high float64) {
	const z = 1.959964
	middle, half := p+z*z/(2*n), z*math.Sqrt(p*(1-p)/n+z*z/(4*n*n))
	return (middle - half) / (1 + z*z/n), (middle + half) / (1 + z*z/n)
}

func round(v float64) float64 { return math.Round(v*1e4) / 1e4 }

func deployed(t *testing.T, opts ...dashboards.Option) world {
	w := lifecycle(t, opts...)
	w.add(t.Context(), t, `INSERT INTO deployments (model, deploy_hash, stage, ts)
		SELECT 'm', d.1, 'production', toDateTime64({now:Int64} - d.2, 3) FROM (SELECT arrayJoin([('a', 864000), ('b', 432000), ('b', 400000), ('a', 172800), ('c', 86400)]) AS d)`)
	for _, o := range []struct {
		hour                      int
		deploy, stage             string
		asked, labels, labelRight int
	}{
		{200, "a", "production", 1000, 500, 450}, {100, "b", "production", 400, 400, 240}, {100, "b", "canary", 50, 50, 0},
		{40, "a", "production", 1000, 300, 270}, {10, "c", "production", 200, 19, 19},
	} {
		w.requests(t, o.hour, "m", o.deploy, o.stage, o.asked)
		w.outcomes(t, o.hour, "m", o.deploy, o.stage, o.labels, o.labelRight)
	}
	// b was paged for twice, once after a ticket; one incident is older than the range, one the
	// endpoint's, one a ticket.
	for _, incident := range []string{"'1', 'b', 'ticket', 360000, 1", "'1', 'b', 'page', 360000, 2", "'2', 'b', 'page', 350000, 1", "'3', 'b', 'page', 9000000, 1", "'4', '', 'page', 1000, 1", "'5', 'c', 'ticket', 1000, 1"} {
		w.add(t.Context(), t, `INSERT INTO incidents (incident, key, model, deploy_hash, slo, severity, opened, escalated, resolved, version)
			SELECT i.1, 'k', 'm', i.2, 's', i.3, toDateTime64({now:Int64} - i.4, 3), toDateTime64(0, 3), toDateTime64(0, 3), i.5 FROM (SELECT (`+incident+`) AS i)`)
	}
	return w
}

func TestWhatDeploysWereWorth(t *testing.T) {
	const title, withheld = "What was each deploy worth?", "withheld: the model decides what gets a label"
	columns := []string{"deploy_hash", "requests", "coverage", "accuracy", "low", "high", "than_former", "says", "pages", "tickets", "followed_by"}
	lowA, highA := wilson(0.9, 800)
	lowB, highB := wilson(0.6, 400)
	check(t, deployed(t).overQuarter(t, title, 0, "m"), columns,
		[]any{"c", 200, 0.095, nil, nil, nil, nil, "insufficient: fewer than 20 labels", 0, 1, ""},
		[]any{"b", 400, 1.0, 0.6, round(lowB), round(highB), -0.3, "worse than before", 2, 0, "rolled back to a"},
		[]any{"a", 2000, 0.4, 0.9, round(lowA), round(highA), nil, "nothing before it to compare with", 0, 0, "c"})
	check(t, deployed(t, dashboards.WithPartial("m")).overQuarter(t, title, 0, "m"), columns,
		[]any{"c", 200, 0.095, nil, 0.095, 1.0, nil, withheld, 0, 1, ""},
		[]any{"b", 400, 1.0, nil, 0.6, 0.6, nil, withheld, 2, 0, "rolled back to a"},
		[]any{"a", 2000, 0.4, nil, 0.36, 0.96, nil, withheld, 0, 0, "c"})
}

// By day a number needs 20 labels, and of partial feedback there are bounds alone.
func TestAccuracyAndCoverageByDay(t *testing.T) {
	const title = "Does it get worse as it ages? Accuracy by deploy and day"
	w := deployed(t)
	values := func(rows []row) map[string]float64 {
		out := map[string]float64{}
		for _, r := range rows {
			out[r["metric"].(string)] = round(r["value"].(float64))
		}
		return out
	}
	if got := values(w.overQuarter(t, title, 0, "m")); fmt.Sprint(got) != "map[m a:0.9 m b:0.6]" {
		t.Errorf("accuracy by day %v", got)
	}
	if got := w.overQuarter(t, title, 0, "m"); len(got) != 3 {
		t.Errorf("a served on two days, b on one: %v", got)
	}
	var shares []float64
	for _, r := range w.overQuarter(t, "When are labels in? Share of a day's predictions with one", 0, "m") {
		shares = append(shares, round(r["value"].(float64)))
	}
	if !slices.Equal(shares, []float64{0.5, 1, 0.3, 0.095}) {
		t.Errorf("coverage by day %v", shares)
	}
	w = deployed(t, dashboards.WithPartial("m"))
	if got := w.overQuarter(t, title, 0, "m"); len(got) != 0 {
		t.Errorf("accuracy of partial feedback is drawn: %v", got)
	}
	if got := values(w.overQuarter(t, title, 2, "m")); got["m a, no less than"] != 0.27 || got["m a, no more than"] != 0.97 || len(got) != 6 {
		t.Errorf("bounds by day %v", got)
	}
}

// A canary that got its traffic in a bad hour is held against that hour.
func TestTrialsAreComparedWithTheSameHours(t *testing.T) {
	w := lifecycle(t, dashboards.WithPartial("loans"))
	for _, o := range []struct {
		hour                 int
		model, deploy, stage string
		labels, right        int
	}{
		{1, "m", "a", "production", 900, 810}, {2, "m", "a", "production", 900, 450}, {3, "m", "a", "production", 100, 0},
		{1, "m", "fair", "canary", 20, 18}, {2, "m", "fair", "canary", 180, 90},
		{1, "m", "worse", "shadow", 900, 720}, {1, "m", "better", "canary", 400, 396},
		{1, "m", "few", "canary", 19, 0}, {30, "m", "alone", "canary", 100, 50}, {2, "m", "b", "production", 100, 50}, {2, "m", "b", "canary", 100, 50},
		{1, "loans", "a", "production", 100, 90}, {1, "loans", "c", "canary", 100, 10},
	} {
		w.requests(t, o.hour, o.model, o.deploy, o.stage, 2*o.labels)
		w.outcomes(t, o.hour, o.model, o.deploy, o.stage, o.labels, o.right)
	}
	ends := func(p, n, q, m float64) (low, high float64) {
		pLow, pHigh := wilson(p, n)
		qLow, qHigh := wilson(q, m)
		return round(p - q - math.Hypot(p-pLow, qHigh-q)), round(p - q + math.Hypot(pHigh-p, q-qLow))
	}
	// Of hour 2 b answered, too, in production: 1000 labels, half of them right.
	size := 200. * 200 / (20*20/900. + 180*180/1000.)
	fairLow, fairHigh := ends(0.54, 200, 0.54, size)
	worseLow, worseHigh := ends(0.8, 900, 0.9, 900)
	betterLow, betterHigh := ends(0.99, 400, 0.9, 900)
	sameLow, sameHigh := ends(0.5, 100, 0.5, 900)
	const title = "Is the canary or shadow right more often than production?"
	check(t, w.overQuarter(t, title, 0, "m", "loans"), []string{"says", "model", "stage", "deploy_hash", "labels_of_production", "accuracy", "production", "low", "high"},
		[]any{"worse", "m", "shadow", "worse", 900, 0.8, 0.9, worseLow, worseHigh},
		[]any{"no difference shown", "m", "canary", "fair", 1900, 0.54, 0.54, fairLow, fairHigh},
		[]any{"no difference shown", "m", "canary", "b", 900, 0.5, 0.5, sameLow, sameHigh},
		[]any{"better", "m", "canary", "better", 900, 0.99, 0.9, betterLow, betterHigh},
		[]any{"withheld: the model decides what gets a label", "loans", "canary", "c", 100, nil, nil, nil, nil},
		[]any{"insufficient: fewer than 20 labels on a side", "m", "canary", "few", 900, nil, nil, nil, nil},
		[]any{"missing: no labels of the same hours", "m", "canary", "alone", 0, nil, nil, nil, nil})
	if rows := w.overQuarter(t, title, 0, "loans"); len(rows) != 1 {
		t.Errorf("another model's trials: %v", rows)
	}
}

func TestTrialsAnswerOtherwise(t *testing.T) {
	w := lifecycle(t)
	for _, o := range []struct {
		hour          int
		deploy, stage string
		count         int
	}{{1, "a", "production", 600}, {2, "a", "production", 100}, {9, "a", "production", 5000}, {1, "c", "canary", 100}, {2, "c", "canary", 100}, {2, "c", "production", 900}, {40, "lone", "shadow", 10}} {
		w.requests(t, o.hour, "m", o.deploy, o.stage, o.count)
	}
	w.add(t.Context(), t, `INSERT INTO categories_hour (model, deploy_hash, stage, segment, series, time, value, kind, count, rows)
		SELECT 'm', d.1, d.2, '', 'predicted', toStartOfHour(toDateTime({now:Int64})) - d.3 * 3600, d.4, 0, d.5, d.5
		FROM (SELECT arrayJoin([('a', 'production', 1, 'yes', 60), ('a', 'production', 1, 'no', 540), ('a', 'production', 2, 'yes', 90), ('a', 'production', 2, 'no', 10), ('a', 'production', 9, 'other', 5000),
			('c', 'canary', 1, 'yes', 10), ('c', 'canary', 1, 'no', 90), ('c', 'canary', 2, 'yes', 50), ('c', 'canary', 2, 'maybe', 50), ('c', 'production', 2, 'maybe', 900)]) AS d)`)
	w.add(t.Context(), t, `INSERT INTO series_hour (model, deploy_hash, stage, segment, series, grid, time, count, sum_nano)
		SELECT 'm', d.1, d.2, '', d.3, 'g', toStartOfHour(toDateTime({now:Int64})) - d.4 * 3600, d.5, toInt128(d.5 * d.6 * 1e9)
		FROM (SELECT arrayJoin([('a', 'production', 'latency_ms', 1, 600, 10.), ('a', 'production', 'latency_ms', 2, 100, 30.), ('c', 'canary', 'latency_ms', 1, 100, 12.), ('c', 'canary', 'latency_ms', 2, 100, 40.),
			('c', 'production', 'latency_ms', 2, 900, 99.), ('c', 'canary', 'score', 1, 100, 0.5)]) AS d)`)
	// Of 200 answers of the canary yes were 60, no 90 and maybe 50; production's of the same
	// hours, each worth 100, yes 10 + 90, no 90 + 10.
	noise := 0.0
	for _, share := range [][2]float64{{0.3, 0.5}, {0.45, 0.5}, {0.25, 0}} {
		p := (share[0]*200 + share[1]*700) / 900
		noise += math.Sqrt(2/math.Pi*p*(1-p)*(1/200.+1/700.)) / 2
	}
	check(t, w.overQuarter(t, "Does the canary or shadow answer otherwise, before labels say who is right?", 0, "m"),
		[]string{"deploy_hash", "requests", "requests_of_production", "moved", "noise", "latency", "latency_of_production", "score", "score_of_production", "answer"},
		[]any{"c", 200, 700.0, 0.25, round(noise), 26.0, 20.0, nil, nil, nil},
		[]any{"lone", 10, 0.0, nil, nil, nil, nil, nil, nil, nil})
}

func TestWhatTheInputIsComparedWith(t *testing.T) {
	w := lifecycle(t)
	w.add(t.Context(), t, `INSERT INTO series_hour (model, deploy_hash, stage, segment, series, grid, time, count)
		SELECT d.1, d.2, d.3, '', 'requests', 'g', toStartOfHour(toDateTime({now:Int64} - d.4)), 100
		FROM (SELECT arrayJoin([('own', 'a', 'training', 20000000), ('own', 'a', 'production', 7200), ('data', 'a', 'training', 9000), ('data', 'b', 'production', 9000), ('other', 'a', 'training', 9000), ('other', 'b', 'production', 9000),
			('untold', 'a', 'training', 9000), ('untold', 'b', 'production', 9000), ('two', 'a', 'training', 9000), ('two', 'b', 'training', 9000), ('two', 'b', 'production', 9000), ('idle', 'a', 'training', 9000), ('none', 'a', 'production', 9000),
			('back', 'a', 'training', 9000), ('back', 'a', 'production', 9000), ('back', 'b', 'production', 50000)]) AS d)`)
	w.add(t.Context(), t, `INSERT INTO deployments (model, deploy_hash, stage, ts, dataset_hash)
		SELECT d.1, d.2, 'production', toDateTime64({now:Int64} - 90000, 3), d.3 FROM (SELECT arrayJoin([('data', 'a', 'x'), ('data', 'b', 'x'), ('other', 'a', 'x'), ('other', 'b', 'y'), ('untold', 'b', 'y')]) AS d)`)
	check(t, w.overQuarter(t, "What is the input compared with, and is that what serves was trained on?", 0, "own", "data", "other", "untold", "two", "idle", "none", "back"), []string{"says", "model", "serves", "examples"},
		[]any{"2 training sets add up to one reference", "two", "b", 200},
		[]any{"imported for another deploy; no event tells of which data either was made", "untold", "b", 100},
		[]any{"missing: no training set is stored, nothing can drift from it", "none", "a", 0},
		[]any{"nothing served in the last 24 hours", "idle", "", 100},
		[]any{"what serves was trained on other data", "other", "b", 100},
		[]any{"it is what serves was trained on", "back", "a", 100},
		[]any{"it is what serves was trained on", "data", "b", 100},
		[]any{"it is what serves was trained on", "own", "a", 100})
}

// driftDays fills five closed days, the newest of which a new distance broke: a weekday is
// far from the training set on every day, what has a gap says nothing on the newest and
// keeps its ticket, and of what is young too few events came.
func driftDays(t *testing.T) world {
	w := lifecycle(t)
	w.add(t.Context(), t, `INSERT INTO drift_days (model, end, segment, series, reference, measure, version, value, null_mean, status, state)
		SELECT 'm', toStartOfDay(toDateTime({now:Int64})) - toIntervalDay(d.1), d.6, d.2, d.3, 'psi', 2, d.4, 0.01, d.5, if(d.2 = 'feature:gap', '{"detector":{"Open":true}}', '{}')
		FROM (SELECT arrayJoin([('weekday', [7.1, 7., 7.], 'quiet'), ('distance', [2.4, 0.02, 0.], 'open'), ('gap', [nan, 0.5, 0.1], 'insufficient'), ('young', [3., 1., 1.], 'insufficient')]) AS f, arrayJoin([0, 1, 2, 3, 4]) AS day,
			arrayJoin([(day, concat('feature:', f.1), 'training', f.2[least(day, 2) + 1], if(day = 0, f.3, 'quiet'), ''), (day, concat('feature:', f.1), 'same-hours:4w', 9., 'opened', ''), (day, 'score', 'training', 9., 'opened', ''),
				(day, 'feature:weekday', 'training', 9., 'opened', 'region=eu'), (day, 'requests', '', 0., '', '')]) AS d)`)
	// A newer look does not have it, and the other model is still learnt from.
	w.add(t.Context(), t, `INSERT INTO drift_days (model, end, series, reference, measure, version, value, null_mean, status)
		SELECT 'm', toStartOfDay(toDateTime({now:Int64})), 'feature:removed', 'training', 'psi', 1, 9, 0.01, 'opened'
		UNION ALL
		SELECT 'learns', toStartOfDay(toDateTime({now:Int64})), s, if(s = 'requests', '', 'training'), 'psi', 1, 0.1, 0.01, 'learnt' FROM (SELECT arrayJoin(['requests', 'feature:f']) AS s)`)
	return w
}

const (
	driftPanel   = "Is it drifting away from its training? The five inputs that moved most"
	ticketsPanel = "How many inputs have a drift worth a ticket?"
	openPanel    = "How many inputs have left the training set?"
)

func TestWhatMovedIsWhatIsNotUsual(t *testing.T) {
	w := driftDays(t)
	newest := map[string]float64{}
	rows := w.overQuarter(t, driftPanel, 0, "m", "learns")
	for _, r := range rows {
		newest[r["metric"].(string)] = round(r["value"].(float64))
	}
	// The last of each line: that of the newest day, but for what says nothing then.
	if want := map[string]float64{"m weekday": 0.1, "m distance": 2.4, "m gap": 0.4, "m young": 0, "learns f": 0}; !maps.Equal(newest, want) || len(rows) != 5+5+4+4+1 {
		t.Errorf("%d rows, the last are %v, want %v", len(rows), newest, want)
	}
	check(t, w.overQuarter(t, openPanel, 0, "m", "learns", "none"), []string{"metric", "value"}, []any{"learns", nil}, []any{"none", nil}, []any{"m", 2.0})
	check(t, w.overQuarter(t, ticketsPanel, 0, "m", "learns", "none"), []string{"metric", "value"}, []any{"m", 1.0}, []any{"m", 1.0}, []any{"m", 1.0}, []any{"m", 1.0}, []any{"m", 2.0})
}

// Days behind one that was looked at again are looked at again, too, and do not count until
// they are.
func TestDaysThatAreLookedAtAgain(t *testing.T) {
	w := driftDays(t)
	w.add(t.Context(), t, `INSERT INTO drift_days (model, end, series, reference, measure, version, value, null_mean, status)
		SELECT 'm', toStartOfDay(toDateTime({now:Int64})) - toIntervalDay(4), s, if(s = 'requests', '', 'training'), 'psi', 3, 0.3, 0.01, 'quiet' FROM (SELECT arrayJoin(['requests', 'feature:distance']) AS s)`)
	if rows := w.overQuarter(t, driftPanel, 0, "m"); len(rows) != 1 || rows[0]["metric"] != "m distance" {
		t.Errorf("days of another look are drawn: %v", rows)
	}
	check(t, w.overQuarter(t, openPanel, 0, "m"), []string{"metric", "value"}, []any{"m", nil})
	check(t, w.overQuarter(t, ticketsPanel, 0, "m"), []string{"metric", "value"}, []any{"m", 0.0})
}

// An estimate that is not proven says so, and what labels say has a number only where there
// are enough of them.
func TestEstimatesBesideTheTarget(t *testing.T) {
	target := func(name string, kind plumbline.SLIKind, share float64) plumbline.Objective {
		o := flights()
		o.SLO.Name, o.SLO.Model, o.SLO.SLI.Kind, o.SLO.Target = plumbline.SLOName(name), "m", kind, share
		return o
	}
	w := lifecycle(t, dashboards.WithObjectives(target("low", plumbline.SLIQuality, 0.8), target("high", plumbline.SLIQuality, 0.85), target("latency", plumbline.SLILatency, 0.999)))
	w.add(t.Context(), t, `INSERT INTO findings (at, signal, model, deploy_hash, stage, window, measure, value, low, high, coverage, verdict)
		SELECT toDateTime64({now:Int64} - f.1, 3), f.2, 'm', f.3, 'production', f.4, f.5, f.6, f.6 - 0.02, f.6 + 0.02, 0.4, f.7
		FROM (SELECT arrayJoin([(60, 'estimated_quality', 'b', '1d', 'accuracy', 0.7, 'insufficient'), (600, 'estimated_quality', 'b', '1d', 'accuracy', 0.9, 'ok'), (60, 'estimated_quality', 'a', '1d', 'accuracy', 0.86, 'ok'),
			(60, 'estimated_quality', 'a', '7d', 'accuracy', nan, 'insufficient'), (60, 'estimated_quality', 'a', '1d', 'interval_record', 0.9, 'ok'), (7200, 'estimated_quality', 'old', '1d', 'accuracy', 0.1, 'ok'), (60, 'estimated_quality', 'gone', '1d', 'accuracy', nan, 'missing'),
			(60, 'estimated_quality', 'r', '1d', 'mae', 14.2, 'ok'), (60, 'quality', 'a', '6h', 'accuracy', 0.88, 'ok'), (60, 'quality', 'a', '1h', 'accuracy', 0.1, 'ok'), (60, 'quality', 'a', '1d', 'accuracy', nan, 'insufficient'), (60, 'quality', 'b', '1d', 'accuracy', 0.5, 'insufficient'),
			(60, 'estimated_quality', 'c', '1d', 'accuracy', 0.97, 'ok'), (60, 'concept_drift', 'c', '1d', 'estimate_gap', -0.7, 'breach'), (60, 'concept_drift', 'a', '1d', 'estimate_gap', -0.01, 'ok'), (60, 'concept_drift', 'b', '7d', 'estimate_gap', -0.5, 'breach'), (60, 'quality', 'c', '1d', 'accuracy', 0.25, 'ok')]) AS f)`)
	check(t, w.overQuarter(t, "Is quality expected to hold? Estimates before the labels, against the target", 0, "m"), []string{"record", "deploy_hash", "window", "measure", "estimate", "high", "held", "target", "labels_say", "labels_of"},
		[]any{"contradicted by labels", "c", "1d", "accuracy", 0.97, 0.99, nil, 0.85, 0.25, "1d"},
		[]any{"unproven", "b", "1d", "accuracy", 0.7, 0.72, nil, 0.85, nil, ""},
		[]any{"proven", "a", "1d", "accuracy", 0.86, 0.88, 0.9, 0.85, 0.88, "6h"},
		[]any{"no estimate", "a", "7d", "accuracy", nil, nil, nil, 0.85, 0.88, "6h"},
		[]any{"proven", "r", "1d", "mae", 14.2, 14.22, nil, nil, nil, ""})
}

func TestWaitForLabels(t *testing.T) {
	w := lifecycle(t)
	w.add(t.Context(), t, `INSERT INTO findings (at, signal, model, deploy_hash, stage, feature, window, measure, value, verdict)
		SELECT toDateTime64({now:Int64} - f.1, 3), 'maturity', f.2, f.3, 'production', f.4, f.5, 'mature_in_seconds', f.6, f.7
		FROM (SELECT arrayJoin([(60, 'm', '', '', '1d', 7200., 'ok'), (900, 'm', '', '', '1d', 1., 'ok'), (30, 'm', 'a', '', '1d', 9e9, 'ok'), (60, 'm', '', 'all', '0s', 9e9, 'ok'), (60, 'm', '', '', '7d', 5., 'insufficient'),
			(900, 'late', '', '', '1d', 5., 'ok'), (60, 'late', '', '', '1d', nan, 'missing'), (7200, 'stale', '', '', '1d', 5., 'ok')]) AS f)`)
	check(t, w.overQuarter(t, "How long must a verdict wait for labels?", 0, "m", "late", "stale"), []string{"metric", "value"},
		[]any{"late", nil}, []any{"stale", nil}, []any{"m 1d", 7200.0})
}

// An event that was sent twice is one; a training set is no deploy.
func TestDeployEvents(t *testing.T) {
	w := serving(t)
	w.add(t.Context(), t, `INSERT INTO deployments (model, deploy_hash, stage, ts, version, known) SELECT 'n', 'x', 'production', toDateTime64({now:Int64} - 18000, 3), 'v2', toDateTime64({now:Int64}, 3)`)
	check(t, w.overQuarter(t, "What was deployed when, by whom, and why?", 0, "m", "n"), []string{"model", "deploy_hash", "stage"},
		[]any{"m", "a", "production"}, []any{"m", "s", "shadow"}, []any{"n", "x", "production"}, []any{"m", "a", "production"},
		[]any{"n", "y", "production"}, []any{"m", "b", "production"}, []any{"m", "a", "production"})
}

// Without any model Grafana puts nothing where the models stand: no data, and no error.
func TestLifecycleOfNoModelAtAll(t *testing.T) {
	w := lifecycle(t, dashboards.WithObjectives(flights()), dashboards.WithPartial("loans"))
	for _, q := range everyQuery(w.b) {
		if q.kind == "variable" {
			continue
		}
		_, rows := query(t.Context(), t, w.conn, strings.ReplaceAll(q.sql, "${model:singlequote}", ""), w.now)
		if len(rows) != 0 {
			t.Errorf("%s: %v", q.where, rows)
		}
	}
}
