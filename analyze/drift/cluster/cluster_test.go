package cluster

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/analyze/drift/measure"
	"github.com/plumbline-slo/plumbline/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }

var midnight = time.Date(2026, 5, 14, 0, 0, 0, 0, time.UTC)

const (
	users   = 300
	perUser = 8
)

// rows are those of users, each with as many rows over the day: what is the
// user's own is the same on all of them.
func rows(r *rand.Rand) []map[string]any {
	var all []map[string]any
	for user := range users {
		own, country := r.NormFloat64(), []string{"DE", "FR", "US"}[user%3]
		for i := range perUser {
			all = append(all, map[string]any{
				"model": "m", "deploy_hash": "v1", "stage": "production", "prediction_id": fmt.Sprint(user, "/", i),
				"ts":         midnight.Add(-time.Duration(1+r.IntN(86399)) * time.Second).Format("2006-01-02 15:04:05.000"),
				"numbers":    map[string]float64{"own": own, "free": r.NormFloat64(), "user": float64(user)},
				"categories": map[string]string{"country": country, "word": []string{"a", "b"}[r.IntN(2)]},
				"segments":   map[string]string{"account": fmt.Sprint("u", user)}, "score": r.Float64(), "predicted": country,
			})
		}
	}
	return all
}

// With clusters of one size, n, within which all rows are alike, each design
// effect is n C/(C-1) exactly; where rows are independent it is about 1.
func TestEffectsOfRawRows(t *testing.T) {
	db := testenv.Start(t, testenv.Setup{Storage: testenv.KeepAll}).DB
	testenv.Insert(t, db, "predictions", rows(rand.New(rand.NewPCG(1, 2))))
	keeper := NewKeeper(Keys{"m": "account", "n": "account", "text": "country"}, db.Conn())
	e, declared, err := keeper.Effects(t.Context(), "m", plumbline.StageProduction, midnight.Add(5*time.Hour))
	if err != nil || !declared || e.Clusters != users || e.Rows != users*perUser || e.Size != perUser {
		t.Fatalf("%+v, %v, %v", e, declared, err)
	}
	const alike = float64(perUser) * users / (users - 1)
	for series, s := range map[plumbline.Series]bool{"feature:own": true, "feature:country": true, "predicted": true, "feature:free": false, "feature:word": false, "score": false} {
		got := e.Series[series]
		if s && (math.Abs(got.Mean-alike) > 1e-9 || math.Abs(got.Worst-alike) > 1e-9) || !s && (got.Mean > 1.1 || got.Worst > 1.5) {
			t.Errorf("%s: %+v, want %v alike", series, got, s)
		}
	}
	if again, _, err := keeper.Effects(t.Context(), "m", plumbline.StageProduction, midnight.Add(6*time.Hour)); err != nil || fmt.Sprint(again) != fmt.Sprint(e) {
		t.Errorf("another question of the day: %+v, %v", again, err)
	}
	// A feature serves as a key as well, a number too.
	if by, err := Read(t.Context(), db.Conn(), "user", "m", plumbline.StageProduction, midnight.Add(-day), midnight); err != nil || by.Size != perUser {
		t.Errorf("by a number: %+v, %v", by, err)
	}
	// Nobody has the key: every row is a cluster of its own.
	if by, err := Read(t.Context(), db.Conn(), "nothing", "m", plumbline.StageProduction, midnight.Add(-day), midnight); err != nil || by.Size != 1 || by.Clusters != users*perUser {
		t.Errorf("by nothing: %+v, %v", by, err)
	}
	if none, declared, err := keeper.Effects(t.Context(), "n", plumbline.StageProduction, midnight); err != nil || !declared || none.Known() || !strings.Contains(none.String(), "no raw rows tell") {
		t.Errorf("without rows: %+v, %v, %v", none, declared, err)
	}
	if _, declared, err := keeper.Effects(t.Context(), "other", plumbline.StageProduction, midnight); err != nil || declared {
		t.Errorf("a model without a key: %v, %v", declared, err)
	}
}

func TestOf(t *testing.T) {
	e := Effects{Key: "user", Clusters: 100, Size: 5, Series: map[plumbline.Series]Effect{"score": {Mean: 2, Worst: 3}}}
	for _, test := range []struct {
		series plumbline.Series
		id     measure.ID
		window time.Duration
		want   float64
	}{
		{"score", measure.PSI, day, 2}, {"score", measure.KS, day, 3}, {"score", measure.PSI, time.Hour, 2},
		{"score", measure.PSI, 3 * day, 4}, {"feature:unknown", measure.KS, day, 5},
	} {
		if got := e.Of(test.series, test.id, test.window); got != test.want {
			t.Errorf("%s %s %s: %v, want %v", test.series, test.id, test.window, got, test.want)
		}
	}
	e.Clusters = leastClusters - 1
	if got := e.Of("score", measure.PSI, day); got != e.Size {
		t.Errorf("of too few clusters %v, want their size", got)
	}
	e.grow(2)
	if got := e.Series["score"]; got.Mean != 5 || got.Worst != 9 {
		t.Errorf("grown from clusters of 2 to those of 5: %+v", got)
	}
}

// On clustered nulls PSI and KS are beyond 5 % about as often as they say with
// the effect, and far more often without.
func TestPValuesWithEffects(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	const trials, groups, cells = 300, 200, 6
	draw := func() ([]uint64, sums) {
		s := sums{cells: cells, x: make([]uint64, 2*cells-1), xx: make([]uint64, 2*cells-1), xn: make([]uint64, 2*cells-1)}
		for range groups {
			n := uint64(1 + r.IntN(12))
			x := make([]uint64, 2*cells-1)
			favourite := r.IntN(cells)
			for range n {
				cell := favourite
				if r.IntN(2) == 0 {
					cell = r.IntN(cells)
				}
				x[cell]++
				for below := cell; below < cells-1; below++ {
					x[cells+below]++
				}
			}
			s.clusters, s.rows, s.squares = s.clusters+1, s.rows+n, s.squares+n*n
			for j, v := range x {
				s.x[j], s.xx[j], s.xn[j] = s.x[j]+v, s.xx[j]+v*v, s.xn[j]+v*n
			}
		}
		return s.x[:cells], s
	}
	plain, widened, greatest := 0, 0, 0
	for range trials {
		before, _ := draw()
		now, s := draw()
		effect := s.effect()
		for i, o := range []float64{1, effect.Mean} {
			options := measure.DefaultOptions()
			options.Overdispersion = o
			results, err := measure.Cells{Reference: before, Current: now}.Compare(options, measure.PSI)
			if err != nil {
				t.Fatal(err)
			}
			if results[0].P <= .05 && i == 0 {
				plain++
			} else if results[0].P <= .05 {
				widened++
			}
		}
		options := measure.DefaultOptions()
		options.Overdispersion = effect.Worst
		histogram := func(counts []uint64) measure.Histogram {
			return measure.Histogram{Buckets: []int32{1, 2, 3, 4, 5, 6}, Counts: counts}
		}
		results, err := measure.Numbers{Reference: histogram(before), Current: histogram(now)}.Compare(options, measure.KS)
		if err != nil {
			t.Fatal(err)
		}
		if results[0].P <= .05 {
			greatest++
		}
	}
	// 15 are expected; 28 has a chance of 1 in 700.
	if widened > 28 || greatest > 28 || plain < 60 {
		t.Errorf("of %d nulls beyond 5 %%: %d with the effect, %d by KS, %d without", trials, widened, greatest, plain)
	}
	t.Logf("with the effect %d, by KS %d, without %d", widened, greatest, plain)
}
