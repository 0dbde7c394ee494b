package dashboards_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/dashboards"
	"github.com/plumbline-slo/plumbline/testenv"
)

// world is tables that a test fills, and the dashboard that it asks.
type world struct {
	conn driver.Conn
	b    board
	now  time.Time
}

func newWorld(t *testing.T, objectives ...plumbline.Objective) world {
	t.Helper()
	env := testenv.Start(t, testenv.Setup{})
	// Half past one, yesterday: within every retention, and within an hour.
	now := time.Now().UTC().Truncate(24 * time.Hour).Add(-24*time.Hour + 13*time.Hour + 30*time.Minute)
	return world{env.DB.Conn(), parse(t, onCall(t, dashboards.WithObjectives(objectives...))), now}
}

// add runs an INSERT whose {now} is the world's.
func (w world) add(ctx context.Context, t *testing.T, statement string) {
	t.Helper()
	if err := w.conn.Exec(ctx, statement, clickhouse.Named("now", w.now.Unix())); err != nil {
		t.Fatalf("%v\n%s", err, statement)
	}
}

// ask runs the first query of the panel with the title.
func (w world) ask(t *testing.T, title string, models ...string) []row {
	t.Helper()
	i := slices.IndexFunc(w.b.Panels, func(p panel) bool { return p.Title == title })
	if i < 0 {
		t.Fatalf("no panel %q", title)
	}
	_, rows := query(t.Context(), t, w.conn, w.b.Panels[i].Targets[0].RawSQL, w.now, models...)
	return rows
}

// Of events as they come the alert compares the long window's share, of labels the lower
// end of its interval, and a page that noise may be does not fire.
func TestWorstBurnIsWhatTheAlertCompares(t *testing.T) {
	objective := func(kind plumbline.SLIKind, noise float64) plumbline.Objective {
		return plumbline.Objective{
			SLO:   plumbline.SLO{Name: "s", Model: "m", Owner: "o", Target: 0.99, Period: 28 * 24 * time.Hour, SLI: plumbline.SLI{Kind: kind}},
			Pairs: []plumbline.WindowPair{{Severity: plumbline.SeverityPage, Long: 6 * time.Hour, Short: 30 * time.Minute, Factor: 4, Noise: noise}},
		}
	}
	w := newWorld(t)
	w.add(t.Context(), t, `INSERT INTO findings (at, signal, model, deploy_hash, stage, slo, window, measure, value, low, p, verdict)
		SELECT toDateTime64({now:Int64} - 60, 3), 'burn', 'm', 'd', 'production', 's', f.1, 'bad_share', f.2, 0.02, f.3, 'ok'
		FROM (SELECT arrayJoin([('6h', 0.05, 1e-3), ('30m', 0.06, 1.)]) AS f)`)
	for name, tt := range map[string]struct {
		objective plumbline.Objective
		want      float64
	}{
		"events":          {objective(plumbline.SLILatency, 0), 1.25},
		"labels":          {objective(plumbline.SLIQuality, 1e-8), 0.5},
		"a page by noise": {objective(plumbline.SLISuccess, 1e-8), 0.99},
		"noise is not it": {objective(plumbline.SLISuccess, 1e-2), 1.25},
	} {
		w.b = parse(t, onCall(t, dashboards.WithObjectives(tt.objective)))
		if rows := w.ask(t, "How near is the worst burn to its alert?", "m"); len(rows) != 1 || !near(rows[0]["value"], tt.want) {
			t.Errorf("%s: %v, want %v", name, rows, tt.want)
		}
	}
}

// A panel shows eight numbers: a model that fell silent is among them.
func TestTheSilentStandFirst(t *testing.T) {
	w := newWorld(t)
	var models []string
	for i := range 20 {
		models = append(models, fmt.Sprintf("m%02d", i))
	}
	w.add(t.Context(), t, `INSERT INTO series_minute (model, deploy_hash, stage, series, grid, time, count)
		SELECT concat('m', leftPad(toString(number), 2, '0')), 'd', 'production', 'requests', 'g', toDateTime({now:Int64} - 120), 100 - number FROM numbers(19)`)
	rows := w.ask(t, "Is anybody asking? Predictions per minute", models...)
	if len(rows) != 20 || rows[0]["metric"] != "m19" || rows[0]["value"] != nil || rows[1]["metric"] != "m18" {
		t.Errorf("the silent model does not stand first: %v", rows)
	}
}

// Labels and predictions are counted over the same hours: those of a batch that was
// answered a little over a day ago do not make up for today's that have none.
func TestCoverageCountsTheSameHours(t *testing.T) {
	w := newWorld(t)
	w.add(t.Context(), t, `INSERT INTO series_hour (model, deploy_hash, stage, series, grid, time, count)
		SELECT 'm', 'd', 'production', 'requests', 'g', toStartOfHour(toDateTime({now:Int64} - 86400 * number)), 100 FROM numbers(2)`)
	w.add(t.Context(), t, `INSERT INTO outcome_cells (model, deploy_hash, stage, time, known, labelled, correct, version)
		SELECT 'm', 'd', 'production', toDateTime({now:Int64} - 86400 - 600), toStartOfHour(toDateTime({now:Int64})), 100, 100, 1`)
	if rows := w.ask(t, "How many labels are in?", "m"); len(rows) != 1 || !near(rows[0]["value"], 0) {
		t.Errorf("coverage %v, want 0: today's predictions have no label", rows)
	}
}

// What a deploy that came back did before is no part of what it does now, whichever
// other models are looked at; that it is told of again changes nothing.
func TestAccuracyOfADeployThatCameBack(t *testing.T) {
	w := newWorld(t)
	w.add(t.Context(), t, `INSERT INTO deployments (model, deploy_hash, stage, ts)
		SELECT d.1, d.2, 'production', toDateTime64({now:Int64} - d.3, 3)
		FROM (SELECT arrayJoin([('m', 'good', 864000), ('m', 'bad', 20000), ('m', 'good', 7200), ('m', 'good', 300), ('old', 'first', 864000)]) AS d)`)
	w.add(t.Context(), t, `INSERT INTO outcome_cells (model, deploy_hash, stage, time, known, labelled, correct, version)
		SELECT 'm', d.1, 'production', toDateTime({now:Int64} - d.2), toStartOfHour(toDateTime({now:Int64})), 100, d.3, 1
		FROM (SELECT arrayJoin([('good', 400000, 0), ('good', 30000, 100), ('bad', 10000, 50), ('good', 600, 80)]) AS d)`)
	for _, models := range [][]string{{"m"}, {"m", "old"}} {
		rows := w.ask(t, "Did the last deploy make it worse?", models...)
		if got := metric(rows, "m good now"); !near(got, 0.8) {
			t.Errorf("%v: accuracy now %v, want that since the deploy came back: 0.8", models, got)
		}
		if got := metric(rows, "m before"); !near(got, 0.5) {
			t.Errorf("%v: accuracy before %v, want 0.5", models, got)
		}
	}
}

// The table of breaches says which stage and reference a row is about, shows what is
// counted once an hour until it is counted again, and an SLO that nothing speaks for.
func TestTheTableOfBreachesIsWhole(t *testing.T) {
	silent, speaks := flights(), flights()
	silent.SLO.Name, silent.SLO.Model = "silent", "m"
	speaks.SLO.Name, speaks.SLO.Model = "speaks", "m"
	w := newWorld(t, silent, speaks)
	w.add(t.Context(), t, `INSERT INTO findings (at, signal, model, deploy_hash, stage, slo, feature, reference, window, measure, value, verdict)
		SELECT toDateTime64({now:Int64} - f.1, 3), f.2, 'm', 'd', f.3, f.4, f.5, f.6, '1h', f.7, 0.5, f.8
		FROM (SELECT arrayJoin([(60, 'burn', 'production', 'silent', '', '', 'bad_share', 'insufficient'), (60, 'burn', 'production', 'speaks', '', '', 'bad_share', 'ok'),
			(2400, 'data_quality', 'production', '', '', '', 'duplicate_share', 'breach'), (2400, 'drift', 'production', '', 'gone', 'training', 'psi', 'breach'),
			(60, 'drift', 'production', '', 'distance', 'training', 'psi', 'breach'), (60, 'drift', 'shadow', '', 'distance', 'same-hours:4w', 'psi', 'breach')]) AS f)`)
	var got []string
	for _, r := range w.ask(t, "What is in breach or missing now?", "m") {
		got = append(got, fmt.Sprint(r["verdict"], " ", r["signal"], " ", r["measure"], ": ", r["what"]))
	}
	want := []string{
		"breach data_quality duplicate_share: 1h", "breach drift psi: distance 1h against training", "breach drift psi: distance 1h shadow against same-hours:4w",
		"missing burn bad_share: silent: no window says anything",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// For days after a deploy the windows of the one before it are empty, one after the
// other: they are not missing, while others serve.
func TestADeployThatServesNoMoreIsNotMissing(t *testing.T) {
	w := newWorld(t)
	w.add(t.Context(), t, `INSERT INTO findings (at, signal, model, deploy_hash, stage, slo, window, measure, value, verdict, assumes)
		SELECT toDateTime64({now:Int64} - 60, 3), 'burn', 'm', f.1, 'production', 's', f.2, 'bad_share', nan, f.3, f.4
		FROM (SELECT arrayJoin([('old', '30m', 'missing', '`+plumbline.AssumesElsewhere+`'), ('old', '6h', 'missing', 'every event counts'), ('new', '6h', 'ok', ''), ('late', '6h', 'missing', 'every event counts')]) AS f)`)
	if rows := w.ask(t, "What is in breach or missing now?", "m"); len(rows) != 1 || rows[0]["deploy_hash"] != "late" {
		t.Errorf("missing: %v", rows)
	}
}

// What the newest look at an SLO does not speak of any more is over, a "missing" of the
// start and the burn of a deploy that was rolled back alike.
func TestTheNewestLookCounts(t *testing.T) {
	w := newWorld(t, flights())
	w.add(t.Context(), t, `INSERT INTO findings (at, signal, model, deploy_hash, stage, slo, window, measure, value, low, verdict)
		SELECT toDateTime64({now:Int64} - f.1, 3), 'burn', 'flight-delay', f.2, 'production', 'flight-delay-accuracy', window, 'bad_share', f.3, f.3, f.4
		FROM (SELECT arrayJoin([(300, '', nan, 'missing'), (200, 'rolled-back', 0.9, 'breach'), (60, 'serves', 0.03, 'ok')]) AS f, arrayJoin(['1h', '5m']) AS window)`)
	if rows := w.ask(t, "What is in breach or missing now?", "flight-delay"); len(rows) != 0 {
		t.Errorf("in breach or missing: %v", rows)
	}
	if rows := w.ask(t, "How near is the worst burn to its alert?", "flight-delay"); len(rows) != 1 || !near(rows[0]["value"], 0.1) {
		t.Errorf("worst burn %v, want that of the deploy that serves", rows)
	}
}

// Two windows, and two stages of one deploy, are lines of their own; how many tickets
// are open is no evidence.
func TestLinesAreOfOneWindowAndStage(t *testing.T) {
	w := newWorld(t)
	w.add(t.Context(), t, `INSERT INTO findings (at, signal, model, deploy_hash, stage, feature, reference, window, measure, value, effect, verdict)
		SELECT toDateTime64({now:Int64} - 60, 3), signal, 'm', 'd', stage, 'distance', 'training', window, 'psi', 1, 1, 'ok'
		FROM (SELECT arrayJoin(['drift', 'prediction_drift']) AS signal, arrayJoin(['production', 'canary']) AS stage, arrayJoin(['1h', '1d']) AS window)`)
	w.add(t.Context(), t, `INSERT INTO findings (at, signal, model, deploy_hash, stage, feature, reference, window, measure, value, verdict)
		SELECT toDateTime64({now:Int64} - 60, 3), 'drift_alarm', 'm', 'd', 'production', '', '', '1d', 'tickets', 3, 'breach'`)
	for title, want := range map[string]int{
		"Which input moved? PSI by feature against training": 4, "Do the answers move? Prediction drift beyond noise": 4, "Is a drift worth a ticket? Evidence, 1 opens one": 0,
	} {
		if got := lines(w.ask(t, title, "m")); len(got) != want {
			t.Errorf("%s: %d lines, want %d: %v", title, len(got), want, got)
		}
	}
}

// Of what every pod tells there is one mark, one of each deploy that comes, and one of
// the former when it comes back.
func TestPodsOfADeployAreOneMark(t *testing.T) {
	w := newWorld(t)
	w.add(t.Context(), t, `INSERT INTO deployments (model, deploy_hash, stage, ts, note)
		SELECT 'm', pod.1, pod.2, toDateTime64({now:Int64} - pod.3, 3), pod.4
		FROM (SELECT arrayJoin([('a', 'production', 90000, ''), ('a', 'production', 80000, ''), ('b', 'production', 3600, ''), ('b', 'production', 3590, ''), ('b', 'production', 3580, 'again'),
			('b', 'canary', 3585, ''), ('a', 'production', 600, ''), ('a', 'training', 500, '')]) AS pod)`)
	want := []string{"Deploy b of m 3600", "Deploy b of m 3585", "Deploy b of m: again 3580", "Deploy a of m 600"}
	_, rows := query(t.Context(), t, w.conn, w.b.Annotations.List[0].Target.RawSQL, w.now, "m")
	var got []string
	for _, r := range rows {
		got = append(got, fmt.Sprintf("%v %.0f", r["text"], w.now.Sub(r["time"].(time.Time)).Seconds()))
	}
	if !slices.Equal(got, want) {
		t.Errorf("marks %q, want %q", got, want)
	}
}

// On a new installation Grafana has no model to choose, and puts nothing where the
// models stand: that is no data, and no error.
func TestNoModelAtAll(t *testing.T) {
	w := newWorld(t, flights())
	blank := strings.NewReplacer("${model:singlequote}", "", "${window:singlequote}", "''")
	for _, q := range everyQuery(w.b) {
		_, rows := query(t.Context(), t, w.conn, blank.Replace(q.sql), w.now)
		if len(rows) != 0 && q.kind != "variable" {
			t.Errorf("%s: %v", q.where, rows)
		}
		if q.where == "variable model" && (len(rows) != 1 || rows[0]["model"] != string(flights().SLO.Model)) {
			t.Errorf("a model with an SLO that never answered cannot be chosen: %v", rows)
		}
	}
}
