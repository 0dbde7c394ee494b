package estimates_test

import (
	"encoding/json"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/cmd/plumbline/internal/estimates"
	"github.com/plumbline-slo/plumbline/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }

var (
	hour = time.Now().UTC().Truncate(time.Hour) // old findings are dropped
	now  = hour.Add(20 * time.Minute)
	nan  = math.NaN()
)

// said is a finding of a look that was so long ago.
type said struct {
	signal, model, deploy, window, measure, verdict, assumes string
	ago                                                      time.Duration
	end                                                      time.Time
	value, half                                              float64
}

// coverage of what says nothing is not known.
func (s said) coverage() float64 {
	if s.signal == "estimated_quality" && math.IsNaN(s.value) {
		return nan
	}
	return 0.4
}

func store(t *testing.T, conn driver.Conn, all ...said) {
	t.Helper()
	for _, s := range all {
		err := conn.Exec(t.Context(), `INSERT INTO findings (at, signal, model, deploy_hash, stage, window, window_end, measure, value, low, high, count, coverage, verdict, assumes)
			SELECT fromUnixTimestamp64Milli({at:Int64}), {signal:String}, {model:String}, {deploy:String}, 'production', {window:String}, fromUnixTimestamp64Milli({end:Int64}), {measure:String},
				{value:Float64}, {value:Float64} - {half:Float64}, {value:Float64} + {half:Float64}, 7200, {coverage:Float64}, {verdict:String}, {assumes:String}`,
			clickhouse.Named("at", now.Add(-s.ago).UnixMilli()), clickhouse.Named("end", s.end.UnixMilli()), clickhouse.Named("signal", s.signal), clickhouse.Named("model", s.model),
			clickhouse.Named("deploy", s.deploy), clickhouse.Named("window", s.window), clickhouse.Named("measure", s.measure), clickhouse.Named("value", s.value), clickhouse.Named("half", s.half), clickhouse.Named("coverage", s.coverage()),
			clickhouse.Named("verdict", s.verdict), clickhouse.Named("assumes", s.assumes))
		if err != nil {
			t.Fatal(err)
		}
	}
}

func serve(t *testing.T, conn driver.Conn, model string) {
	t.Helper()
	if err := conn.Exec(t.Context(), "INSERT INTO series_hour (model, deploy_hash, stage, segment, series, grid, time, count) SELECT {model:String}, 'd', 'production', '', 'requests', '', toDateTime({at:Int64}), 3",
		clickhouse.Named("model", model), clickhouse.Named("at", hour.Add(-time.Hour).Unix())); err != nil {
		t.Fatal(err)
	}
}

const minute = time.Minute

func TestRead(t *testing.T) {
	env := testenv.Start(t, testenv.Setup{})
	conn := env.DB.Conn()
	const signal = "estimated_quality"
	store(t, conn,
		said{signal, "m", "new", "7d", "accuracy", "ok", "scores mean what they meant", 10 * minute, hour, 0.8, 0.02},
		said{signal, "m", "new", "7d", "accuracy", "insufficient", "an older look", 70 * minute, hour.Add(-time.Hour), 0.7, 0.1},
		said{signal, "m", "new", "1d", "accuracy", "insufficient", "too few", 10 * minute, hour, nan, 0},
		said{signal, "m", "old", "7d", "accuracy", "ok", "", 5 * time.Hour, hour.Add(-4 * time.Hour), 0.6, 0.02},
		said{signal, "m", "gone", "7d", "accuracy", "ok", "", 40 * time.Hour, hour.Add(-40 * time.Hour), 0.5, 0.02},
		said{signal, "another", "new", "7d", "mae", "ok", "", minute, hour, 14, 1},
		said{"maturity", "m", "new", "1d", "labels_in", "ok", "", 10 * minute, hour, 0.3, 0.01},
		said{"maturity", "m", "new", "7d", "labels_in", "ok", "", 10 * minute, hour, 0.45, 0.01},
		said{"maturity", "m", "old", "7d", "labels_in", "ok", "", 10 * minute, hour, 0.9, 0.01},
		said{"maturity", "m", "new", "7d", "mature_in_seconds", "ok", "", 10 * minute, hour, 3600, 0},
	)
	q := estimates.Question{Model: "m", Interval: 5 * minute}
	a, err := estimates.Read(t.Context(), conn, q, now)
	if err != nil {
		t.Fatal(err)
	}
	if len(a.Estimates) != 3 {
		t.Fatalf("told %+v, want two of the deploy that serves, the shorter window first, and one of the one before", a.Estimates)
	}
	few, new7, old := a.Estimates[0], a.Estimates[1], a.Estimates[2]
	if few.Window != "1d" || !math.IsNaN(few.Value) || few.Verdict != "insufficient" || few.Assumes != "too few" || few.Stale || few.Maturity != 0.3 || few.LabelledShare != 0.4 {
		t.Errorf("of the day: %+v", few)
	}
	if new7.Value != 0.8 || new7.Verdict != "ok" || new7.Maturity != 0.45 || new7.LabelledShare != 0.4 || new7.Predictions != 7200 || new7.Age != 10*minute || new7.Stale || !new7.WindowEnd.Equal(hour) {
		t.Errorf("not the newest of the week: %+v", new7)
	}
	if old.Deploy != "old" || !old.Stale || old.Age != 5*time.Hour || !math.IsNaN(old.Maturity) {
		t.Errorf("the deploy before is not stale, or has the maturity of another window: %+v", old)
	}
	raw, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"value":null`, `"stale":true`, `"age_seconds":18000`, `"maturity":0.45`, `"window_end":"` + hour.Format(time.RFC3339) + `"`} {
		if !strings.Contains(string(raw), want) {
			t.Errorf("JSON lacks %s: %s", want, raw)
		}
	}
}

// TestReadOneLook holds that measures of which the newest look says nothing do not
// stand beside what it says: here the calibration of the day was lost.
func TestReadOneLook(t *testing.T) {
	env := testenv.Start(t, testenv.Setup{})
	conn := env.DB.Conn()
	for _, measure := range []string{"accuracy", "interval_record", "recall"} {
		for _, window := range []string{"1d", "7d"} {
			store(t, conn, said{"estimated_quality", "m", "d", window, measure, "ok", "scores mean what they meant", 25 * minute, hour.Add(-time.Hour), 0.8, 0.02})
		}
	}
	store(t, conn, said{"estimated_quality", "m", "d", "7d", "accuracy", "insufficient", "no calibration", 10 * minute, hour, nan, 0})
	a, err := estimates.Read(t.Context(), conn, estimates.Question{Model: "m", Interval: 5 * minute}, now)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range a.Estimates {
		got = append(got, e.Window+" "+e.Metric+" "+e.Verdict)
	}
	if want := []string{"1d accuracy ok", "1d interval_record ok", "1d recall ok", "7d accuracy insufficient"}; !slices.Equal(got, want) {
		t.Errorf("told %q, want %q", got, want)
	}
}

func TestReadOneOf(t *testing.T) {
	env := testenv.Start(t, testenv.Setup{})
	conn := env.DB.Conn()
	for _, measure := range []string{"accuracy", "recall"} {
		for _, window := range []string{"1d", "7d"} {
			store(t, conn, said{"estimated_quality", "m", "new", window, measure, "ok", "", minute, hour, 0.8, 0.02}, said{"estimated_quality", "m", "gone", window, measure, "ok", "", 72 * time.Hour, hour, 0.8, 0.02})
		}
	}
	serve(t, conn, "m")
	store(t, conn, said{"estimated_quality", "m", "young", "7d", "accuracy", "insufficient", "no calibration", 2 * 24 * time.Hour, hour, nan, 0})
	tests := []struct {
		name string
		q    estimates.Question
		n    int
		err  string
	}{
		{"window", estimates.Question{Windows: []string{"7d"}}, 2, ""},
		{"metric", estimates.Question{Windows: []string{"7d"}, Metrics: []string{"recall"}}, 1, ""},
		{"deploy that is gone", estimates.Question{Deploys: []string{"gone"}}, 4, ""},
		{"window of none", estimates.Question{Windows: []string{"3d"}}, 0, `no estimate of window 3d was told, of 1d, 7d was`},
		{"metric of none", estimates.Question{Metrics: []string{"recall", "roc_auc"}}, 0, `no estimate of metric roc_auc was told, of accuracy, recall was`},
		{"deploy that is gone beside one that serves", estimates.Question{Deploys: []string{"new", "gone", "new"}}, 8, ""},
		{"deploy of none beside one that serves", estimates.Question{Deploys: []string{"new", "typo"}}, 0, `no estimate of deploy typo was told, of new was`},
		{"deploy without the metric", estimates.Question{Deploys: []string{"new", "young"}, Windows: []string{"7d"}, Metrics: []string{"recall"}}, 0, `no estimate of window 7d, metric recall, deploy young was told, of new was`},
		{"deploy of none", estimates.Question{Deploys: []string{"other"}}, 0, `model "m", deploy other: no estimate was told; its newest prediction is of the hour from ` + hour.Add(-time.Hour).Format("2006-01-02 15:04")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.q.Model = "m"
			a, err := estimates.Read(t.Context(), conn, tt.q, now)
			if len(a.Estimates) != tt.n || (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
				t.Errorf("%d told, %v; want %d, %s", len(a.Estimates), err, tt.n, tt.err)
			}
		})
	}
}

func TestReadSaysWhyThereIsNone(t *testing.T) {
	env := testenv.Start(t, testenv.Setup{})
	conn := env.DB.Conn()
	serve(t, conn, "quiet")
	serve(t, conn, "counting")
	store(t, conn, said{"maturity", "counting", "", "1d", "labels_in", "insufficient", "the history is still being counted", minute, hour, nan, 0})
	for model, want := range map[plumbline.Model]string{
		"nobody":   "it has no prediction of stage production: is the name right?",
		"quiet":    "A running service tells one of every deploy that served in production within analyze.estimate_windows, once an hour of it is over and at most 5m0s",
		"counting": "at " + now.Add(-minute).Format("2006-01-02 15:04") + " the service said: the history is still being counted",
	} {
		_, err := estimates.Read(t.Context(), conn, estimates.Question{Model: model, Interval: 5 * minute}, now)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", model, err, want)
		}
	}
}
