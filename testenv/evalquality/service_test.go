package evalquality

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/analyze"
	"github.com/plumbline-slo/plumbline/storage"
	"github.com/plumbline-slo/plumbline/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }

func startDB(t *testing.T) *storage.DB {
	t.Helper()
	return testenv.Start(t, testenv.Setup{Storage: func(c *storage.Config) {
		const decades = 20 * 365 * day
		c.Retention = storage.Retention{Raw: decades, Minutes: decades, Hours: decades}
	}}).DB
}

// short is a made-up world of a few weeks, with labels up to six days late.
func short(t *testing.T) *World {
	t.Helper()
	rng := rand.New(rand.NewPCG(3, 4))
	rows := func(from, to int) (out []Row) {
		for at := float64(from); at < float64(to); at += 1. / 100 {
			lead := 6 * rng.Float64() * rng.Float64()
			score := rng.Float64()
			out = append(out, Row{At: at, Score: score, Chosen: score > 0.5, Driver: lead, truth: rng.Float64() < score*(1-lead/12), knownAt: at + lead})
		}
		return out
	}
	w, err := NewWorld(rows(17000, 17018), rows(17018, 17046))
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// What the service says on a day, with all that ever happens stored, is what it says
// where nothing later is, and what it says when all is counted.
func TestTheServiceDoesNotLookAhead(t *testing.T) {
	db, w := startDB(t), short(t)
	c := DefaultConfig()
	c.WindowDays, c.StepDays, c.TuneDraws, c.Sample = 7, 7, 5, 0.05
	r, err := RunService(t.Context(), "made up", w, c, db, t.Logf)
	if err != nil {
		t.Fatal(err)
	}
	told := r.Looked[0].Told
	if len(told) != 4 || len(r.Looked) != 2 {
		t.Fatalf("%d windows, %d histories", len(told), len(r.Looked))
	}
	const last = 17039
	ask := func(model plumbline.Model, by float64) []Told {
		if by > 0 {
			if err := w.Store(t.Context(), db, model, by); err != nil {
				t.Fatal(err)
			}
		}
		s := Service{DB: db, Model: model, History: analyze.DefaultConfig().EstimateHistory, Windows: []float64{7}, StepDays: 7}
		said, err := s.Run(t.Context(), w, last)
		if err != nil {
			t.Fatal(err)
		}
		return said
	}
	want := told[:3]
	if got := ask("cut", last); want[2].End != last || want[2].Why != "" || !alike(got, want) {
		t.Errorf("with nothing later said\n%+v\nwant\n%+v", got, want)
	}
	if got := ask("watched", 0); !alike(got, want) { // all of it was counted, for the longest history
		t.Errorf("with all counted said\n%+v\nwant\n%+v", got, want)
	}
	if less := ask("less", last-1); alike(less, want) {
		t.Error("the last day changes nothing")
	}
	values := map[string]float64{}
	for _, f := range r.Figures() {
		if _, twice := values[f.Name]; twice || !strings.HasPrefix(f.Name, "made up: ") {
			t.Errorf("%q is printed, twice %v", f.Name, twice)
		}
		values[f.Name] = f.Value
	}
	const of = "made up: service that looks back 90 days, 7 days at their end, "
	if ours, labels := values[of+"MAE of the estimate"], values[of+"MAE of labels only"]; !(ours > 0 && ours < 6 && labels > 0) {
		t.Errorf("the service is wrong by %g points, labels alone by %g", ours, labels)
	}
}

// alike compares what was said but for the rounding of sums, whose order is the
// engine's.
func alike(a, b []Told) bool {
	if len(a) != len(b) {
		return false
	}
	for i, x := range a {
		y := b[i]
		for _, pair := range [][2]*float64{{&x.Value.Value, &y.Value.Value}, {&x.Low, &y.Low}, {&x.High, &y.High}} {
			if !(math.Abs(*pair[0]-*pair[1]) < 1e-9) && !(math.IsNaN(*pair[0]) && math.IsNaN(*pair[1])) {
				return false
			}
			*pair[0], *pair[1] = 0, 0
		}
		if fmt.Sprintf("%+v", x) != fmt.Sprintf("%+v", y) {
			return false
		}
	}
	return true
}
