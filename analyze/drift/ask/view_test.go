package ask

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/ClickHouse/clickhouse-go/v2"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/analyze/drift/measure"
	"github.com/plumbline-slo/plumbline/storage"
)

// viewed is what the view drift says of one feature.
type viewed struct {
	reference, count uint64
	by               map[measure.ID]float64
}

// inView are the measures that the view has.
func inView() []measure.ID { return []measure.ID{measure.PSI, measure.JS, measure.TVD, measure.KS} }

// asView asks the view what a reference of one window or deploy says.
func asView(t *testing.T, db *storage.DB, q Question, r Resolved) map[string]viewed {
	t.Helper()
	const layout = "2006-01-02 15:04:05"
	ref := r.Queries[0]
	since, until, deploy := "1970-01-01 00:00:00", "2100-01-01 00:00:00", ""
	if !ref.From.IsZero() {
		since, until = ref.From.Format(layout), ref.To.Format(layout)
	}
	if len(ref.Deploys) > 0 {
		deploy = string(ref.Deploys[0])
	}
	rows, err := db.Conn().Query(t.Context(), `SELECT feature, reference_count, count, psi, js, tvd, ks FROM drift(model = {model:String}, segment = {segment:String},
  stage = 'production', deploy = '', since = {since:String}, until = {until:String},
  reference_stage = {reference_stage:String}, reference_deploy = {reference_deploy:String}, reference_since = {reference_since:String}, reference_until = {reference_until:String})`,
		clickhouse.Named("model", string(q.Model)), clickhouse.Named("segment", string(q.Segment)), clickhouse.Named("since", q.From.Format(layout)), clickhouse.Named("until", q.To.Format(layout)),
		clickhouse.Named("reference_stage", string(ref.Stage)), clickhouse.Named("reference_deploy", deploy), clickhouse.Named("reference_since", since), clickhouse.Named("reference_until", until))
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	all := map[string]viewed{}
	for rows.Next() {
		var (
			feature          string
			v                viewed
			psi, js, tvd, ks float64
		)
		if err := rows.Scan(&feature, &v.reference, &v.count, &psi, &js, &tvd, &ks); err != nil {
			t.Fatal(err)
		}
		v.by = map[measure.ID]float64{measure.PSI: psi, measure.JS: js, measure.TVD: tvd, measure.KS: ks}
		all[feature] = v
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// The view and Go are two ways to the same numbers.
func sameAsView(t *testing.T, db *storage.DB, q Question, a Answer) {
	t.Helper()
	compared := 0
	for _, r := range a.References {
		if len(r.Queries) != 1 || r.Missing != "" {
			continue
		}
		view := asView(t, db, q, r)
		for _, row := range a.Rows {
			if row.Reference != r.Asked.String() || row.Feature == "" || !slices.Contains(inView(), row.Measure) {
				continue
			}
			v, ok := view[string(row.Feature)]
			if want := v.by[row.Measure]; !ok || math.Abs(want-row.Value) > 1e-12 && row.Verdict != plumbline.VerdictMissing || row.Verdict == plumbline.VerdictMissing && !math.IsNaN(want) {
				t.Errorf("%s against %s by %s: %v (%s), the view says %v, %v", row.Feature, r.Asked, row.Measure, row.Value, row.Why, want, ok)
			}
			compared++
		}
	}
	if compared < 8 {
		t.Errorf("only %d numbers were compared", compared)
	}
}

// Odd samples: values that are whole numbers, negative or the same, features
// that come, go, or change their type, categories over and under the cap.
func TestViewOfOddSamples(t *testing.T) {
	db := startDB(t)
	random := rand.New(rand.NewPCG(7, 8))
	r := newRollups("odd")
	hour := end.Add(-day)
	for side, stage := range []plumbline.Stage{plumbline.StageTraining, plumbline.StageProduction} {
		key := func(series plumbline.Series) seriesKey {
			return seriesKey{deploy: "v1", stage: stage, series: series, hour: hour.Unix()}
		}
		requests := key(plumbline.SeriesRequests)
		r.series[requests] = &seriesRow{count: 1000, rows: 1000}
		for _, numbers := range []struct {
			feature string
			value   func() float64
		}{
			{"normal", func() float64 { return random.NormFloat64() + float64(side) }}, {"whole", func() float64 { return float64(random.IntN(7) - 3 + side) }},
			{"same", func() float64 { return 5 }}, {"log", func() float64 { return math.Exp(2 * random.NormFloat64()) }},
		} {
			r.fill(key(plumbline.Series("feature:"+numbers.feature)), 900, numbers.value)
		}
		r.fill(key(plumbline.Series("feature:only"+string(stage))), 500, random.NormFloat64)
		for i := range 40 {
			k := key("feature:words")
			k.grid = ""
			r.kinds[categoryKey{k, string(rune('A' + (i+side*3)%45)), 0}] = 1 + random.Uint64N(30)
			k.series = "feature:capped"
			r.kinds[categoryKey{k, string(rune('A' + i + side)), 0}] = 1 + random.Uint64N(9)
			r.kinds[categoryKey{k, "", 2}] = 17
			r.kinds[categoryKey{k, "", 1}] = 3
			k.series = "feature:rare"
			r.kinds[categoryKey{k, string(rune('A' + i + side*7)), 0}] = 1 + uint64(i%5)
			k.series = "feature:few"
			r.kinds[categoryKey{k, string(rune('A' + i%20 + side*7)), 0}] = 1 + uint64(i%3)
		}
		mixed := key("feature:mixed")
		if side == 0 {
			r.fill(mixed, 300, random.NormFloat64)
			continue
		}
		mixed.grid = ""
		r.kinds[categoryKey{mixed, "text", 0}] = 200
	}
	r.store(t, db)
	q := Question{Model: "odd", From: hour, To: end, References: references(t, "training"), Measures: inView()}
	a, err := newAsker(t, db.Conn()).Ask(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	if all := a.series(q); len(all) != 11 {
		t.Errorf("series %v", all)
	}
	sameAsView(t, db, q, a)
	if r := a.row(t, "feature:onlyproduction", "training", measure.PSI); r.Verdict != plumbline.VerdictMissing || !strings.HasPrefix(r.Why, "not in the training set") {
		t.Errorf("a feature that the training set lacks: %+v", r)
	}
	if r := a.row(t, "feature:onlytraining", "training", measure.PSI); r.Verdict != plumbline.VerdictBreach || r.After != "100 %: no prediction has it" {
		t.Errorf("a feature that no prediction has: %+v", r)
	}
}
