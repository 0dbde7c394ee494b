package flights

import (
	"os"
	"testing"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/rules"
)

// exampleSLO reads the objective of the example and its page pair, as derived.
func exampleSLO(t *testing.T) (plumbline.SLO, plumbline.WindowPair) {
	t.Helper()
	slos, err := rules.ParseFiles("../../../../examples/flights/slo.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if len(slos) != 1 {
		t.Fatalf("%d SLOs in the example, want 1", len(slos))
	}
	set, err := rules.PairsFor(slos[0])
	if err != nil {
		t.Fatal(err)
	}
	var pages []plumbline.WindowPair
	for _, p := range set.Pairs {
		if p.Severity == "page" {
			pages = append(pages, p.WindowPair)
		}
	}
	if len(pages) != 1 {
		t.Fatalf("the example has the page pairs %+v, want one", pages)
	}
	return slos[0], pages[0]
}

// The pair that these tests, README.md and slo.yaml speak of.
func TestExampleSLO(t *testing.T) {
	slo, pair := exampleSLO(t)
	if slo.Model != DefaultConfig(time.Time{}).Model || slo.Target != 0.7 || slo.MinCoverage != 0.3 {
		t.Errorf("%+v", slo)
	}
	if pair.Long != 6*time.Hour || pair.Short != 30*time.Minute || !near(pair.Threshold(slo.Target), 0.672, 1e-12) {
		t.Errorf("%+v, threshold %g", pair, pair.Threshold(slo.Target))
	}
}

// realReplay reads the real flights, which make data fetches.
func realReplay(t *testing.T) *Replay {
	t.Helper()
	path := os.Getenv("PLUMBLINE_FLIGHTS")
	if path == "" {
		t.Skip("PLUMBLINE_FLIGHTS does not name flights-3m.parquet: make data fetches it, make test sets the variable")
	}
	cfg := DefaultConfig(time.Date(2026, time.November, 21, 12, 0, 0, 0, time.UTC))
	data, err := Load(path, cfg.Spans()...)
	if err != nil {
		t.Fatal(err)
	}
	r, err := NewReplay(data, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// One test holds every claim about the real flights, because reading and
// training takes seconds under the race detector.
func TestRealFlights(t *testing.T) {
	r := realReplay(t)
	about := r.About()
	t.Run("model equals scikit-learn", func(t *testing.T) { checkRealModel(t, r) })
	t.Run("counts", func(t *testing.T) {
		// Counted with pandas on the same file.
		if about.Dropped != 0 || about.Model.Trained != 458_388 || len(about.Affected) != 71 || about.Flights != 272_794 {
			t.Errorf("%d dropped, %d trained, %d origins affected, %d flights", about.Dropped, about.Model.Trained, len(about.Affected), about.Flights)
		}
		facts := r.Oracle(r.cfg.Now)
		if facts.Counts.Predictions != 235_465 || facts.After.Predictions != 3184 || facts.Counts.Deployments != 2 || facts.Counts.Training != 114_597 {
			t.Errorf("%+v", facts)
		}
		if labels := facts.Counts.Labels; !near(float64(labels), 233_140, 20) {
			t.Errorf("%d labels are in, pandas counts 233,140", labels)
		}
	})
	t.Run("accuracy falls", func(t *testing.T) {
		before, after := r.finalAccuracy(r.cfg.Now)
		t.Logf("final: before %.4f, after %.4f", before.Accuracy(), after.Accuracy())
		known := r.Oracle(r.cfg.Now)
		t.Logf("known now: before %.4f of %d, after %.4f of %d", known.Before.Accuracy(), known.Before.Labelled, known.After.Accuracy(), known.After.Labelled)
		if before.Accuracy() < 0.78 || before.Accuracy()-after.Accuracy() < 0.15 {
			t.Errorf("accuracy %.4f before, %.4f after", before.Accuracy(), after.Accuracy())
		}
	})
	t.Run("burn pages after the fault and not before", func(t *testing.T) {
		slo, pair := exampleSLO(t)
		limit := pair.Threshold(slo.Target)
		good, faulty := r.Burn(slo, pair, r.cfg.Now)
		t.Logf("threshold %.3f: good peak %.3f (bound %.3f); faulty first %s before now, at now bound %.3f share %.3f short %.3f",
			limit, good.Peak, good.PeakBound, r.cfg.Now.Sub(faulty.First), faulty.Last.Bound, faulty.Last.LongShare(), faulty.Last.ShortShare())
		if good.PeakBound > limit-0.05 {
			t.Errorf("the good deploy's bound reaches %.3f, within 0.05 of %.3f", good.PeakBound, limit)
		}
		if now := min(faulty.Last.Bound, faulty.Last.ShortShare()); faulty.First.IsZero() || now < limit+0.05 {
			t.Errorf("the faulty deploy burns %.3f at now, first over %.3f at %s", now, limit, faulty.First)
		}
	})
}

// The wanted weights are scikit-learn 1.9.1's on the same flights:
// LogisticRegression(C=1, solver="newton-cg", tol=1e-9) on the standardised
// distance, its square, a tenth of its cube, and one-hot encoded origin,
// destination, hour and weekday.
func checkRealModel(t *testing.T, r *Replay) {
	m := r.model
	code := func(name string) int {
		for i, a := range r.data.airports {
			if a == name {
				return i
			}
		}
		t.Fatalf("no airport %s", name)
		return 0
	}
	origins, destinations := columnsBeforeAirports, columnsBeforeAirports+m.airports
	hour, weekday := destinations+m.airports, destinations+m.airports+hours
	for name, c := range map[string]struct{ got, want float64 }{
		"mean":      {m.mean, 728.079016030088},
		"deviation": {m.deviation, 572.8389053373556},
		"z":         {m.weights[columnZ], 0.014220542806141961},
		"z^2":       {m.weights[columnZ2], -0.09368147401807944},
		"z^3":       {m.weights[columnZ3], 0.15388867657438232},
		"ORD":       {m.weights[origins+code("ORD")], 0.10087351474038068},
		"ATL":       {m.weights[origins+code("ATL")], 0.13370008951385579},
		"to LGA":    {m.weights[destinations+code("LGA")], 0.6964244839554292},
		"hour 17":   {m.weights[hour+17], -0.024053643250999217},
		"hour 2":    {m.weights[hour+2], 1.5518164883107455},
		"Fri":       {m.weights[weekday+4], 0.4546476174737783},
	} {
		if !near(c.got, c.want, 2e-4) {
			t.Errorf("%s is %.6f, scikit-learn has %.6f", name, c.got, c.want)
		}
	}
}

// finalAccuracy tallies the predictions made by the given time with their final
// labels, whenever those arrive.
func (r *Replay) finalAccuracy(made time.Time) (before, after Tally) {
	f := r.oracle(made, 1<<31-1)
	return f.Before, f.After
}
