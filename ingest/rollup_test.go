package ingest_test

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/ingest"
	"github.com/plumbline-slo/plumbline/ingest/segment"
	"github.com/plumbline-slo/plumbline/ingest/verify"
	"github.com/plumbline-slo/plumbline/testenv"
	"github.com/plumbline-slo/plumbline/testenv/traffic"
)

// nastyNumber returns values from every corner of float64, as JSON writes them.
func nastyNumber(r *rand.Rand) string {
	switch r.IntN(12) {
	case 0:
		return []string{"NaN", "Infinity", "-Infinity", "0", "-0", "1e18", "-1e18", "1.0000000000000002e18", "1.7976931348623157e308", "5e-324", "-2.5e-9", "0.5e-9", "1.5e-9"}[r.IntN(13)]
	case 1, 2:
		v := math.Float64frombits(r.Uint64())
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return "1"
		}
		return fmt.Sprintf("%.17g", v)
	case 3:
		return fmt.Sprint(r.Int64N(2e18) - 1e18)
	case 4, 5:
		return fmt.Sprintf("%.17g", r.NormFloat64()*math.Pow(10, float64(r.IntN(20)-8)))
	}
	return fmt.Sprintf("%.17g", r.Float64())
}

// measured writes a whole number as a float64: beyond 2^53 it is refused otherwise,
// where it may be an identity.
func measured(number string) string {
	if strings.Trim(number, "-0123456789") == "" {
		return number + "e0"
	}
	return number
}

func nastyText(r *rand.Rand) string {
	switch r.IntN(8) {
	case 0:
		return strings.Repeat("x", 250+r.IntN(10))
	case 1:
		return strings.Repeat("é", 120+r.IntN(20)) + "z"
	case 2:
		return strings.Repeat("𝄞", 63) + strings.Repeat("a", r.IntN(8)) + "𝄞"
	case 3:
		return ""
	}
	return fmt.Sprintf("value %d 'quoted' \\ \"", r.IntN(30))
}

// nastyEvent returns a prediction event that may hold anything the schema
// allows.
func nastyEvent(r *rand.Rand, i int, at time.Time) []byte {
	fields := []string{
		fmt.Sprintf(`"prediction_id":"p%d"`, i), fmt.Sprintf(`"ts":%d`, at.UnixMilli()),
		fmt.Sprintf(`"model":"%s"`, []string{"odds", "number", "o'dd\\\\"}[r.IntN(3)]),
		fmt.Sprintf(`"deploy_hash":"d%d"`, r.IntN(2)), fmt.Sprintf(`"stage":"%s"`, []string{"production", "canary"}[r.IntN(2)]),
	}
	if r.IntN(3) > 0 {
		fields = append(fields, `"score":`+nastyNumber(r))
	}
	if r.IntN(3) > 0 {
		fields = append(fields, `"latency_ms":`+nastyNumber(r))
	}
	if r.IntN(2) > 0 {
		fields = append(fields, `"weight":`+[]string{"1", "10", "2.5", "1.0000000001", "1e9", "999999999.9999999", "7.125"}[r.IntN(7)])
	}
	if i%4 == 0 {
		fields = append(fields, `"propensity":0.125`)
	}
	fields = append(fields, []string{`"votes":["a","b","a"]`, `"scores":[0.1,0.4,0.7]`, `"disagreement":` + nastyNumber(r), `"votes":null`}[r.IntN(4)],
		[]string{`"explained":true`, `"explained":false`, `"explanation":{"f0":0.5}`, `"explanation":null`, `"explained":null`}[r.IntN(5)])
	text, _ := json.Marshal(strings.Repeat("c", 1+r.IntN(2)))
	fields = append(fields, `"predicted":`+[]string{string(text), "true", "null", measured(nastyNumber(r))}[r.IntN(4)])
	var segments []string
	for _, name := range []string{"region", "device", "else"} {
		text, _ := json.Marshal([]string{"eu", "value 3 'quoted' \\ \"", "other", fmt.Sprint("É\t", r.IntN(9))}[r.IntN(4)])
		if r.IntN(3) > 0 {
			segments = append(segments, fmt.Sprintf(`%q:%s`, name, text))
		}
	}
	fields = append(fields, `"segments":{`+strings.Join(segments, ",")+"}")
	var features []string
	for f := range 6 {
		text, _ := json.Marshal(nastyText(r))
		value := []string{nastyNumber(r), nastyNumber(r), string(text), "null", "false"}[r.IntN(5)]
		if r.IntN(4) > 0 {
			features = append(features, fmt.Sprintf(`"f%d":%s`, f, value))
		}
	}
	return []byte("{" + strings.Join(append(fields, `"features":{`+strings.Join(features, ",")+"}"), ",") + "}")
}

// nastySegments are declared for two of the models of nastyEvent.
func nastySegments() segment.Declared {
	return segment.Declared{
		"odds": {Segments: []segment.Segment{
			{Name: "region", Values: []string{"eu", "value 3 'quoted' \\ \""}}, {Name: "device", Values: []string{"value 3 'quoted' \\ \"", "absent"}},
			{Joint: []string{"device", "region"}}}},
		`o'dd\`: {Segments: []segment.Segment{{Name: "region", Values: []string{"eu"}}}},
	}
}

func TestRollupsEqualTheRecomputationInSQL(t *testing.T) {
	env := testenv.Start(t, testenv.Setup{Kafka: true})
	cfg := testConfig(env)
	cfg.ScoreKinds = map[plumbline.Model]ingest.ScoreKind{"number": ingest.ScoreNumber, `o'dd\`: ingest.ScoreNumber}
	cfg.FlushRows = 500
	cfg.Segments = nastySegments()
	if err := ingest.EnsureTopics(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(7, 7))
	now := time.Now()
	const n = 4000
	messages := make([]traffic.Message, n)
	for i := range messages {
		// Three months, out of order, so that a batch meets many partitions.
		at := now.Add(-time.Duration(r.Int64N(int64(70 * 24 * time.Hour))))
		if i%2 == 0 {
			at = now.Add(-time.Duration(r.Int64N(int64(5 * time.Minute))))
		}
		messages[i] = traffic.Message{Topic: cfg.Topics.Predictions, Key: fmt.Sprint(i), Value: nastyEvent(r, i, at), Time: now}
	}
	if err := env.Produce(t.Context(), messages, nil); err != nil {
		t.Fatal(err)
	}
	start(t, cfg, ingest.Dependencies{DB: env.DB})
	until(t, env, committedEvents, n)
	if got := count(t, env, "SELECT count() FROM predictions"); got != n {
		t.Fatalf("%d of %d nasty events are stored", got, n)
	}
	if got := count(t, env, "SELECT countIf(propensity = 0.125 AND NOT isNull(propensity)) FROM predictions"); got != n/4 {
		t.Errorf("%d propensities are stored, want %d", got, n/4)
	}
	opts := verify.Options{From: now.Add(-71 * 24 * time.Hour), To: now.Add(time.Hour), NumberModels: []plumbline.Model{"number", `o'dd\`}, Segments: cfg.Segments}
	report := equal(t, env, opts)
	for _, table := range report.Tables {
		if table.Keys < 1000 {
			t.Errorf("%s: only %d keys compared", table.Table, table.Keys)
		}
	}
	if report.HoursWithoutSegments > 0 {
		t.Errorf("the segments of %d hours were not compared", report.HoursWithoutSegments)
	}
	if n := count(t, env, "SELECT uniqExact(model, segment) FROM series_hour WHERE segment != ''"); n != 3+2+6+2 {
		t.Errorf("%d segments are counted, want 13", n)
	}
	// The check must be able to fail: one bit of one sum of one segment.
	if err := env.DB.Derived().Conn().Exec(t.Context(), `INSERT INTO `+env.DB.Local(plumbline.TableSeriesHour)+` (model, deploy_hash, stage, segment, series, grid, time, sum_nano, min, max)
SELECT model, deploy_hash, stage, segment, series, grid, time, 1, inf, -inf FROM series_hour WHERE model = 'odds' AND series = 'feature:f1' AND segment = 'region=eu' LIMIT 1`); err != nil {
		t.Fatal(err)
	}
	report, err := verify.Run(t.Context(), env.DB.Conn(), opts)
	if err != nil {
		t.Fatal(err)
	}
	if report.Equal() || report.Tables[0].Differing != 1 {
		t.Errorf("after one sum was changed by 1e-9 the verification says %+v", report)
	}
}

func equal(t *testing.T, env *testenv.Env, opts verify.Options) verify.Report {
	t.Helper()
	report, err := verify.Run(t.Context(), env.DB.Conn(), opts)
	if err != nil {
		t.Fatal(err)
	}
	for _, table := range report.Tables {
		if table.Differing > 0 {
			t.Errorf("%s: %d of %d keys differ:\n%s", table.Table, table.Differing, table.Keys, strings.Join(table.Differences, "\n"))
		}
	}
	if report.InFlight != 0 {
		t.Errorf("%d rows of incomplete batches", report.InFlight)
	}
	return report
}
