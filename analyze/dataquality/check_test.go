package dataquality

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/storage/grid"
)

var start = time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)

// numbers counts values as the rollups do; NaN and infinities apart.
func numbers(requests uint64, values ...float64) Sample {
	s := Sample{Requests: requests, Deliveries: requests, Min: math.Inf(1), Max: math.Inf(-1)}
	counts := map[int32]uint64{}
	for _, v := range values {
		switch {
		case math.IsNaN(v):
			s.NaNs++
		case math.IsInf(v, 0):
			s.Infs++
		default:
			counts[grid.Bucket(v)]++
			s.Sum, s.Min, s.Max = s.Sum+v, min(s.Min, v), max(s.Max, v)
		}
	}
	for b := range counts {
		s.Buckets = append(s.Buckets, b)
	}
	sortBuckets(s.Buckets)
	for _, b := range s.Buckets {
		s.Counts = append(s.Counts, counts[b])
	}
	return s
}

func sortBuckets(b []int32) {
	for i := range b {
		for j := i; j > 0 && b[j-1] > b[j]; j-- {
			b[j-1], b[j] = b[j], b[j-1]
		}
	}
}

func texts(requests uint64, values map[string]uint64) Sample {
	return Sample{Requests: requests, Deliveries: requests, Values: values}
}

func normal(r *rand.Rand, n int, mean float64) []float64 {
	values := make([]float64, n)
	for i := range values {
		values[i] = mean + r.NormFloat64()
	}
	return values
}

// hours is a timeline in which the feature changes every hour, but for the last
// so many.
func hours(n, stale int) Timeline {
	t := Timeline{Now: start.Add(time.Duration(n-24) * time.Hour), Closed: start.Add(time.Duration(n) * time.Hour)}
	for i := range n {
		at := start.Add(time.Duration(i) * time.Hour)
		t.Hours = append(t.Hours, Hour{At: at, Changed: i < n-stale, Max: float64(at.Unix() + 1800)})
	}
	return t
}

// TestEachCheckSeesItsFault breaks a healthy feature in one way at a time: the
// checks named are in breach, and no other.
func TestEachCheckSeesItsFault(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	healthy := func() Pair {
		return Pair{Feature: "f", Now: numbers(2000, normal(r, 2000, 10)...), Reference: numbers(5000, normal(r, 5000, 10)...), Timeline: hours(192, 0)}
	}
	classes := func() Pair {
		return Pair{Feature: "f", Now: texts(2000, map[string]uint64{"a": 1000, "b": 1000}), Reference: texts(5000, map[string]uint64{"a": 2500, "b": 2500}), Timeline: hours(192, 0)}
	}
	tests := []struct {
		name  string
		pair  func() Pair
		fault func(*Pair)
		want  string
	}{
		{"healthy", healthy, func(*Pair) {}, ""},
		{"healthy classes", classes, func(*Pair) {}, ""},
		{"nulls", healthy, func(p *Pair) { p.Now = numbers(2000, normal(r, 1900, 10)...); p.Now.Nulls = 100 }, "null_share"},
		{"NaN", healthy, func(p *Pair) { p.Now = numbers(2000, append(normal(r, 1950, 10), nans(50, math.NaN())...)...) }, "nan_share"},
		{"infinite", healthy, func(p *Pair) { p.Now = numbers(2000, append(normal(r, 1950, 10), nans(50, math.Inf(1))...)...) }, "infinite_share"},
		{"missing", healthy, func(p *Pair) { p.Now = numbers(2000, normal(r, 1500, 10)...) }, "missing_share"},
		{"gone", healthy, func(p *Pair) { p.Now = numbers(2000) }, "missing_share"},
		{"new", healthy, func(p *Pair) { p.Reference = numbers(5000) }, "new_feature"},
		{"few nulls do not matter", healthy, func(p *Pair) { p.Now = numbers(2000, normal(r, 1980, 10)...); p.Now.Nulls = 20 }, ""},
		{"fewer nulls are no fault", healthy, func(p *Pair) { p.Reference.Nulls = 3000; p.Reference.Requests = 8000 }, ""},
		{"shifted", healthy, func(p *Pair) { p.Now = numbers(2000, normal(r, 2000, 10.5)...) }, "mean p50 p95"},
		{"shifted as usual at this hour", healthy, func(p *Pair) {
			p.Now = numbers(2000, normal(r, 2000, 10.5)...)
			p.Whole, p.Usual = p.Now, numbers(2000, normal(r, 2000, 10.5)...)
		}, ""},
		{"shifted in parts of hours alone", healthy, func(p *Pair) {
			p.Now = numbers(2000, normal(r, 2000, 10.5)...)
			p.Whole, p.Usual = numbers(1000, normal(r, 1000, 10)...), numbers(2000, normal(r, 2000, 10)...)
		}, ""},
		{"shifted unlike the same hours", healthy, func(p *Pair) {
			p.Now = numbers(2000, normal(r, 2000, 10.5)...)
			p.Whole, p.Usual = p.Now, numbers(2000, normal(r, 2000, 10)...)
		}, "mean p50 p95"},
		{"another unit", healthy, func(p *Pair) { p.Now = numbers(2000, normal(r, 2000, 1000)...) }, "out_of_range_share mean p50 p95"},
		{"constant", healthy, func(p *Pair) {
			p.Now, p.Timeline = numbers(2000, nans(2000, 10)...), hours(192, 24)
		}, "p95 constant_share freshness"},
		{"constant as at every hour", healthy, func(p *Pair) {
			p.Now = numbers(2000, nans(2000, 10)...)
			p.Whole, p.Usual = p.Now, p.Now
			for i := range p.Timeline.Hours {
				p.Timeline.Hours[i].Changed = i%48 == 0
			}
		}, ""},
		{"stale", classes, func(p *Pair) { p.Timeline = hours(192, 12) }, "freshness"},
		{"stale for too short to matter", classes, func(p *Pair) { p.Timeline = hours(192, 5) }, ""},
		{"many new categories", classes, func(p *Pair) {
			for i := range 200 {
				p.Now.Values[fmt.Sprint(i)] = 1
			}
		}, "cardinality"},
		{"one category", classes, func(p *Pair) { p.Now = texts(2000, map[string]uint64{"a": 2000}) }, "cardinality constant_share"},
		{"features computed long ago", healthy, func(p *Pair) {
			p.Feature = FeatureTimestamp
			for i := range 24 {
				p.Timeline.Hours[192-24+i].Max = float64(start.Unix())
			}
		}, "feature_age"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := tt.pair()
			tt.fault(&p)
			if got := breaches(Judge([]Pair{p}, DefaultOptions())[0]); got != tt.want {
				t.Errorf("in breach: %q, want %q", got, tt.want)
			}
		})
	}
}

// A constant is the same however many values there are of it, though sums are decimals
// and quotients of them are not.
func TestAConstantDoesNotMove(t *testing.T) {
	for _, v := range []float64{0.1, 0.3, 19.99, 1.0 / 3, -1.1} {
		for n := uint64(100); n < 2000; n += 37 {
			constant := func(n uint64) Sample {
				s := numbers(n, nans(int(n), v)...)
				s.Sum = float64(n*uint64(math.Round(math.Abs(v)*1e9))) / 1e9 * math.Copysign(1, v) // as rollups hold it
				return s
			}
			p := Pair{Feature: "f", Now: constant(n), Reference: constant(5000), Timeline: hours(192, 0)}
			if got := breaches(Judge([]Pair{p}, DefaultOptions())[0]); got != "" {
				t.Fatalf("%d times %v, as ever, is in breach: %s", n, v, got)
			}
		}
	}
}

// Numbers that the sums of rollups round to nothing have a mean all the same.
func TestTheMeanOfSmallNumbers(t *testing.T) {
	small := func(r *rand.Rand, n int, mean float64) Sample {
		values := normal(r, n, mean)
		for i := range values {
			values[i] *= 1e-12
		}
		s := numbers(uint64(n), values...)
		s.Sum = 0
		return s
	}
	for mean, want := range map[float64]string{10: "", 10.5: "mean p50 p95"} {
		r := rand.New(rand.NewPCG(3, 3))
		p := Pair{Feature: "f", Now: small(r, 2000, mean), Reference: small(r, 5000, 10), Timeline: hours(192, 0)}
		results := Judge([]Pair{p}, DefaultOptions())[0]
		if got := breaches(results); got != want {
			t.Errorf("%v pico: in breach: %q, want %q", mean, got, want)
		}
		for _, found := range results {
			if found.Check.Measure == "mean" && math.Abs(found.Value/mean*1e12-1) > 0.01 {
				t.Errorf("mean of %v pico: %v", mean, found.Value)
			}
		}
	}
}

// Numbers so small that their squares are none do not move by that.
func TestTheMeanOfNextToNothing(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 4))
	sample := func(n int) Sample {
		values := normal(r, n, 10)
		for i := range values {
			values[i] *= 1e-300
		}
		s := numbers(uint64(n), values...)
		s.Sum = 0
		return s
	}
	p := Pair{Feature: "f", Now: sample(2000), Reference: sample(5000), Timeline: hours(192, 0)}
	if got := breaches(Judge([]Pair{p}, DefaultOptions())[0]); got != "" {
		t.Errorf("in breach: %s", got)
	}
}

// Of numbers that came by less than a delivery of the usual weight nothing can be said, and
// no interval is without end.
func TestLessThanADelivery(t *testing.T) {
	light := numbers(100_000, 1, 2, 3)
	light.Deliveries = 100
	p := Pair{Feature: "f", Now: light, Reference: numbers(5000, normal(rand.New(rand.NewPCG(6, 6)), 5000, 10)...), Timeline: hours(192, 0)}
	for _, r := range Judge([]Pair{p}, DefaultOptions())[0] {
		if math.IsInf(r.Low, 0) || math.IsInf(r.High, 0) || math.IsInf(r.Value, 0) {
			t.Errorf("%s: %v in [%v, %v]", r.Check.Measure, r.Value, r.Low, r.High)
		}
		if name := r.Check.Measure; (name == "mean" || name == "p50") && r.Verdict != plumbline.VerdictInsufficient {
			t.Errorf("%s is %s", name, r.Verdict)
		}
	}
}

// A text tells no time, and is no features that are young enough.
func TestATextHasNoAge(t *testing.T) {
	p := Pair{Feature: FeatureTimestamp, Now: texts(1000, map[string]uint64{"now": 1000}), Reference: numbers(1000, 1), Timeline: hours(192, 0)}
	for i := range 24 {
		p.Timeline.Hours[192-24+i].Max = math.NaN()
	}
	for _, r := range Judge([]Pair{p}, DefaultOptions())[0] {
		if r.Check.Measure == "feature_age" && r.Verdict != plumbline.VerdictInsufficient {
			t.Errorf("the age of a text, %v, is %s", r.Value, r.Verdict)
		}
	}
}

// A job computes the features at minute five of an hour, every so many hours. At
// no minute is it late, before it ran in the hour under way or after; once it
// stands still, the closed hours say so.
func TestTheHourUnderWayIsNotOld(t *testing.T) {
	judge := func(every, late time.Duration, minute int) Result {
		end := start.Add(8*24*time.Hour + 2*time.Hour + time.Duration(minute)*time.Minute)
		p := Pair{Feature: FeatureTimestamp, Now: numbers(1000, 1), Reference: numbers(1000, 1),
			Timeline: Timeline{Now: end.Truncate(time.Hour).Add(-23 * time.Hour), Closed: end}}
		for at := start; at.Before(end); at = at.Add(time.Hour) {
			seen := at.Add(time.Hour) // the newest features of the hour are those at its end, or now
			if seen.After(end) {
				seen = end
			}
			ran := seen.Add(-late).Add(-2*time.Hour - 5*time.Minute).Truncate(every).Add(2*time.Hour + 5*time.Minute)
			p.Timeline.Hours = append(p.Timeline.Hours, Hour{At: at, Changed: true, Max: float64(ran.Unix())})
		}
		// The week before was in time.
		for i, h := range p.Timeline.Hours {
			if h.At.Before(p.Timeline.Now) {
				p.Timeline.Hours[i].Max += late.Seconds()
			}
		}
		for _, r := range Judge([]Pair{p}, DefaultOptions())[0] {
			if r.Check.Measure == "feature_age" {
				return r
			}
		}
		t.Fatal("feature_age was not judged")
		return Result{}
	}
	for _, every := range []time.Duration{time.Hour, 24 * time.Hour} {
		for minute := range 60 {
			if r := judge(every, 0, minute); r.Verdict != plumbline.VerdictOK || r.Value > every.Seconds() {
				t.Errorf("every %s, looked at in minute %d: %s, %v s old", every, minute, r.Verdict, r.Value)
			}
			if r := judge(every, 24*time.Hour, minute); r.Verdict != plumbline.VerdictBreach {
				t.Errorf("every %s, a day late, looked at in minute %d: %s", every, minute, r.Verdict)
			}
		}
	}
}

// A window none of whose hours is over says nothing of the age, and does not
// borrow an hour from before it.
func TestAWindowWithoutAClosedHourIsInsufficient(t *testing.T) {
	p := Pair{Feature: FeatureTimestamp, Now: numbers(1000, 1), Reference: numbers(1000, 1), Timeline: hours(192, 0)}
	p.Timeline.Now = p.Timeline.Hours[191].At
	p.Timeline.Closed = p.Timeline.Now.Add(time.Hour - time.Second)
	for _, r := range Judge([]Pair{p}, DefaultOptions())[0] {
		if r.Check.Measure == "feature_age" && (r.Verdict != plumbline.VerdictInsufficient || !math.IsNaN(r.Value)) {
			t.Errorf("age %v is %s, want none, insufficient", r.Value, r.Verdict)
		}
	}
}

func nans(n int, v float64) []float64 {
	values := make([]float64, n)
	for i := range values {
		values[i] = v
	}
	return values
}

func breaches(results []Result) string {
	var names []string
	for _, r := range results {
		if r.Verdict == plumbline.VerdictBreach {
			names = append(names, r.Check.Measure)
		}
	}
	return strings.Join(names, " ")
}

func TestTooLittleIsInsufficientAndNothingIsMissing(t *testing.T) {
	few := Pair{Feature: "f", Now: numbers(30, normal(rand.New(rand.NewPCG(1, 1)), 30, 0)...), Reference: numbers(1000, normal(rand.New(rand.NewPCG(1, 2)), 1000, 0)...)}
	for _, r := range Judge([]Pair{few}, DefaultOptions())[0] {
		if r.Verdict != plumbline.VerdictInsufficient {
			t.Errorf("%s of 30 deliveries is %s", r.Check.Measure, r.Verdict)
		}
	}
	few.Reference = Sample{}
	for _, r := range Judge([]Pair{few}, DefaultOptions())[0] {
		if r.Verdict != plumbline.VerdictMissing {
			t.Errorf("%s without a reference is %s", r.Check.Measure, r.Verdict)
		}
	}
}

// A weight changes the size of a sample, not its shares.
func TestSampledDeliveriesKnowLess(t *testing.T) {
	p := Pair{Feature: "f", Now: Sample{Requests: 10_000, Deliveries: 10_000, Nulls: 500, Values: map[string]uint64{"a": 9500}},
		Reference: Sample{Requests: 10_000, Deliveries: 10_000, Values: map[string]uint64{"a": 10_000}}}
	whole := Judge([]Pair{p}, DefaultOptions())[0][0]
	p.Now.Deliveries = 100
	sampled := Judge([]Pair{p}, DefaultOptions())[0][0]
	if whole.Value != 0.05 || sampled.Value != 0.05 || !(sampled.P > 1000*whole.P) || sampled.Size != 100 {
		t.Errorf("whole %v p %v; of 100 deliveries %v p %v", whole.Value, whole.P, sampled.Value, sampled.P)
	}
}

// Quiet looks of 15 features: noise alone may put one look of a hundred in
// breach.
func TestQuietLooksAreQuiet(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	wrong := 0
	const looks = 40
	for range looks {
		var pairs []Pair
		for range 8 {
			n, m := 300+r.IntN(700), 120+r.IntN(400)
			p := Pair{Feature: "f", Now: numbers(uint64(m+7), normal(r, m, 0)...), Reference: numbers(uint64(n+9), normal(r, n, 0)...), Timeline: hours(192, r.IntN(2))}
			p.Now.Nulls, p.Reference.Nulls = 7, 9
			pairs = append(pairs, p, zipf(r, n, m))
		}
		for _, results := range Judge(pairs, DefaultOptions()) {
			if breaches(results) != "" {
				wrong++
			}
		}
	}
	if wrong > 2 {
		t.Errorf("%d features in breach in %d quiet looks", wrong, looks)
	}
}

// zipf is a feature of very many categories, most of them rare.
func zipf(r *rand.Rand, n, m int) Pair {
	z := rand.NewZipf(r, 1.1, 1, 10_000)
	draw := func(n int) Sample {
		values := map[string]uint64{}
		for range n {
			values[fmt.Sprint(z.Uint64())]++
		}
		return texts(uint64(n), values)
	}
	return Pair{Feature: "z", Now: draw(m), Reference: draw(n), Timeline: hours(192, 0)}
}

func TestTableIsComplete(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range Table() {
		if c.Measure == "" || seen[c.Measure] || !strings.HasSuffix(c.Doc, ".") || c.Test == "" || c.Unit == "" || c.EffectUnit == "" || c.MinEffect < 0 {
			t.Errorf("%+v is not declared in full, or twice", c)
		}
		seen[c.Measure] = true
	}
}

func TestOptionsSayEveryMistake(t *testing.T) {
	err := Options{Alpha: 2, MinEffect: map[string]float64{"nonsense": 1, "mean": -1}}.Validate()
	for _, want := range []string{"alpha 2", `"nonsense"`, "mean: -1"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not say %s", err, want)
		}
	}
	o := DefaultOptions()
	o.MinEffect = map[string]float64{"null_share": 0.5}
	p := Pair{Feature: "f", Now: Sample{Requests: 1000, Deliveries: 1000, Nulls: 300, Values: map[string]uint64{"a": 700}},
		Reference: texts(1000, map[string]uint64{"a": 1000})}
	if r := Judge([]Pair{p}, o)[0][0]; r.Verdict != plumbline.VerdictOK || r.Effect != 0.3 {
		t.Errorf("a least effect of .5 does not hold: %+v", r)
	}
}
