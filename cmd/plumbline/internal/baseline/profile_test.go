package baseline

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
)

// trainingSet has a column of each kind that the report remarks on.
func trainingSet() string {
	r := rand.New(rand.NewPCG(3, 4))
	var b strings.Builder
	b.WriteString("customer,year,created,amount,country,flag,nothing,score,y\n")
	for i := range 3000 {
		fmt.Fprintf(&b, "%d,%d,%d,%.2f,%s,1,,%.4f,%d\n", 5_000_000+7*i, 1990+r.IntN(35), 1_700_000_000+3600*r.IntN(20_000),
			math.Exp(r.NormFloat64()*2), []string{"de", "fr", ""}[r.IntN(3)], r.Float64(), r.IntN(2))
	}
	return b.String()
}

func TestReportGolden(t *testing.T) {
	var out bytes.Buffer
	o := testOptions(write(t, "train.csv", trainingSet()))
	o.Score, o.Label, o.Report = "score", "y", &out
	if _, err := Import(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	const golden = "testdata/report.txt"
	if *update {
		if err := os.WriteFile(golden, out.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got := out.String(); got != string(want) {
		t.Errorf("the report is\n%s, want\n%s (-update)", got, want)
	}
}

func profileOf(kind Kind, values ...float64) *profile {
	p := newProfile("x", "feature", kind)
	var v Vector
	for _, x := range values {
		if kind == KindInt {
			v.int(int64(x))
		} else {
			v.float(x)
		}
	}
	p.add(&v)
	return p
}

func series(n int, f func(i int) float64) []float64 {
	all := make([]float64, n)
	for i := range all {
		all[i] = f(i)
	}
	return all
}

func TestProposals(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	tests := []struct {
		name     string
		p        *profile
		resolved bool // without a proposal
		want     proposal
		fails    bool
	}{
		{"small integers", profileOf(KindInt, series(1000, func(i int) float64 { return float64(i % 500) })...), true, proposal{}, false},
		{"one repeated value", profileOf(KindFloat, series(1000, func(int) float64 { return 1e9 })...), true, proposal{}, false},
		{"years", profileOf(KindInt, series(1000, func(i int) float64 { return float64(1990 + i%30) })...), false, proposal{Offset: 1990, Scale: 1}, false},
		{"hours as unix times", profileOf(KindInt, series(5000, func(i int) float64 { return float64(1_600_000_000 + 3600*i) })...), false, proposal{Offset: 1_600_000_000, Scale: 3600}, false},
		{"a far outlier", profileOf(KindFloat, append(series(5000, func(int) float64 { return 1e6 + r.NormFloat64() }), 0)...), false, proposal{Offset: 1e6, Scale: 1}, false},
		{"two far heaps", profileOf(KindFloat, append(series(5000, func(int) float64 { return 1e6 + r.NormFloat64() }), series(5000, func(int) float64 { return r.NormFloat64() - 1e6 })...)...), false, proposal{}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			share, _ := tt.p.worst()
			if (share <= unresolvedShare) != tt.resolved {
				t.Fatalf("the fullest bucket holds %g", share)
			}
			if tt.resolved {
				return
			}
			got := tt.p.propose()
			if (got.Worst > unresolvedShare) != tt.fails {
				t.Errorf("after %+v", got)
			}
			if !tt.fails && (math.Abs(got.Offset-tt.want.Offset) > 1 || got.Scale != tt.want.Scale) {
				t.Errorf("proposed %+v, want %+v", got, tt.want)
			}
		})
	}
}

// The oracle counts each bucket by sorting, the profile by a map.
func TestWorstAgainstSorting(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for range 50 {
		n, spread := 1+r.IntN(3000), math.Exp(r.NormFloat64()*4)
		p := profileOf(KindFloat, series(n, func(int) float64 { return 100 + spread*math.Round(r.NormFloat64()*8)/8 })...)
		share, _ := p.worst()
		sorted := append([]float64(nil), p.sample...)
		slices.Sort(sorted)
		if want := worstOf(sorted, proposal{Scale: 1}); share != want {
			t.Fatalf("%d values: %g, sorted %g", n, share, want)
		}
	}
}

func TestDistinctValues(t *testing.T) {
	for _, n := range []int{1, 100, 1000, 50_000} {
		p := profileOf(KindInt, series(3*n, func(i int) float64 { return float64(i % n) })...)
		got := p.distinct.count()
		// Five standard deviations of the estimate.
		if math.Abs(got-float64(n)) > 5*float64(n)/math.Sqrt(sketchSize) || n <= sketchSize && got != float64(n) {
			t.Errorf("%d values are counted as %g", n, got)
		}
	}
}
