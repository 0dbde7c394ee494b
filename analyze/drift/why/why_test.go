package why

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/analyze/drift"
	"github.com/plumbline-slo/plumbline/analyze/drift/measure"
	"github.com/plumbline-slo/plumbline/storage/grid"
)

// additive are the measures that are sums over cells.
func additive() []measure.ID {
	return []measure.ID{measure.PSI, measure.KL, measure.JS, measure.Hellinger, measure.ChiSquare, measure.TVD}
}

// The sum of the parts is the distance that package measure computes.
func TestPartsAddUpToTheMeasure(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		cells := measure.Cells{}
		for range 2 + random.IntN(12) {
			cells.Reference = append(cells.Reference, random.Uint64N(1000)*random.Uint64N(2))
			cells.Current = append(cells.Current, random.Uint64N(50)*random.Uint64N(2))
		}
		cells.Reference[0], cells.Current[1] = 7, 3
		for _, id := range additive() {
			c, err := newChange(id, cells.Reference, cells.Current)
			if err != nil {
				t.Fatal(err)
			}
			o := measure.DefaultOptions()
			results, err := cells.Compare(o, id)
			if err != nil {
				t.Fatal(err)
			}
			want := results[0].Value
			if id == measure.JS || id == measure.Hellinger {
				want *= want
			}
			if got := c.value(); math.Abs(got-want) > 1e-12*(1+want) {
				t.Fatalf("%s of %v is %v, the parts add up to %v", id, cells, want, got)
			}
			for i := range cells.Reference {
				if c.part(i) < -1e-15 {
					t.Fatalf("%s: cell %d of %v has the part %v", id, i, cells, c.part(i))
				}
			}
		}
	}
}

// The values are Python's, for p, q = [.5,.3,.2], [.2,.3,.5] as counts of 1000
// and 100:
//
//	sum((b-a)*log(b/a) for a,b in zip(p,q)), sum(b*log(b/a) for a,b in zip(p,q))
//	sum((a*log2(2*a/(a+b))+b*log2(2*b/(a+b)))/2 for a,b in zip(p,q)), sum((a**.5-b**.5)**2 for a,b in zip(p,q))/2
//	sum((a-b)**2/((1000*a+100*b)/1100) for a,b in zip(p,q)), sum(abs(a-b) for a,b in zip(p,q))/2
func TestValuesEqualPython(t *testing.T) {
	for id, want := range map[measure.ID]float64{
		measure.PSI: 0.549774439124493, measure.KL: 0.27488721956224654, measure.JS: 0.09581560200335831,
		measure.Hellinger: 0.06754446796632417, measure.ChiSquare: 0.5863846153846154, measure.TVD: 0.3,
	} {
		c, err := newChange(id, []uint64{500, 300, 200}, []uint64{20, 30, 50})
		if err != nil {
			t.Fatal(err)
		}
		if got := c.value(); math.Abs(got-want) > 1e-12 {
			t.Errorf("%s is %.16g, want %.16g", id, got, want)
		}
	}
	if _, err := newChange(measure.KS, []uint64{1}, []uint64{2}); err == nil {
		t.Error("ks is taken apart")
	}
}

func numbers(n int, draw func() float64) drift.Sample {
	counts := map[int32]uint64{}
	for range n {
		counts[grid.Bucket(draw())]++
	}
	var buckets []int32
	var each []uint64
	for b, c := range counts {
		buckets, each = append(buckets, b), append(each, c)
	}
	h, err := drift.NewHistogram(buckets, each)
	if err != nil {
		panic(err)
	}
	return drift.Sample{Numbers: h}
}

func merge(samples ...drift.Sample) drift.Sample {
	var all drift.Sample
	for _, s := range samples {
		all.Numbers = all.Numbers.Merge(s.Numbers)
	}
	return all
}

// world is a reference and a window of three deploys, 24 hours and three
// regions, where what is planted moves amounts up.
type world struct {
	hours   [24]drift.Sample
	deploys map[plumbline.DeployHash]drift.Sample
	regions map[string]Sides
	all     drift.Sample
	before  drift.Sample
}

func newWorld(random *rand.Rand, size int, planted func(deploy string, hour int, region string) bool) world {
	w := world{deploys: map[plumbline.DeployHash]drift.Sample{}, regions: map[string]Sides{}}
	usual := func() float64 { return 100 * math.Exp(random.NormFloat64()) }
	moved := func() float64 { return 500 + 100*random.Float64() }
	for i, region := range []string{"eu", "us", ""} {
		reference := numbers(size*20*(i+1), usual)
		w.before = merge(w.before, reference)
		side := Sides{Reference: reference}
		for _, deploy := range []plumbline.DeployHash{"a", "b", "c"} {
			for hour := range w.hours {
				draw := usual
				if planted(string(deploy), hour, region) {
					draw = moved
				}
				s := numbers(size/8*(i+1), draw)
				w.hours[hour] = merge(w.hours[hour], s)
				w.deploys[deploy] = merge(w.deploys[deploy], s)
				side.Current = merge(side.Current, s)
				w.all = merge(w.all, s)
			}
		}
		if region != "" {
			w.regions[region] = side
		}
	}
	return w
}

var start = time.Date(2026, 5, 14, 0, 0, 0, 0, time.UTC)

func (w world) question(id measure.ID) Question {
	slots := map[time.Time]drift.Sample{}
	for h, s := range w.hours {
		slots[start.Add(time.Duration(h)*time.Hour)] = s
	}
	return Question{
		Series: "feature:amount", Measure: id, Reference: w.before, Current: w.all,
		Parts: Parts{Deploys: w.deploys, Slots: slots, SlotLength: time.Hour, Segments: map[string]map[string]Sides{"region": w.regions}},
	}
}

func shares(parts []Part) (sum float64) {
	for _, p := range parts {
		sum += p.Share
	}
	return sum
}

// Whatever was planted, every list of shares adds up to 1, and the planted part
// has the greatest.
func TestSharesAddUpAndThePlantedCauseLeads(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for round := range 6 {
		deploy, region, from := []string{"a", "b", "c"}[random.IntN(3)], []string{"eu", "us"}[random.IntN(2)], random.IntN(18)
		planted := []func(string, int, string) bool{
			func(d string, _ int, _ string) bool { return d == deploy },
			func(_ string, h int, _ string) bool { return h >= from && h < from+6 },
			func(_ string, _ int, r string) bool { return r == region },
		}[round%3]
		w := newWorld(random, 240, planted)
		for _, id := range additive() {
			report, err := Explain([]Question{w.question(id)})
			if err != nil {
				t.Fatal(err)
			}
			f := report.Series[0]
			var moved float64
			for _, m := range f.Moves {
				moved += m.Share
			}
			if math.Abs(moved-1) > 1e-9 || math.Abs(f.Share-1) > 1e-12 || len(f.Divisions) != 3 {
				t.Fatalf("%s: moves add up to %v, features to %v, %d divisions", id, moved, f.Share, len(f.Divisions))
			}
			for _, d := range append(f.Divisions, report.Divisions...) {
				if math.Abs(shares(d.Parts)-1) > 1e-9 {
					t.Fatalf("%s by %s: shares add up to %v", id, d.By, shares(d.Parts))
				}
			}
			switch round % 3 {
			case 0:
				if p := f.Divisions[0].Parts[0]; p.Name != deploy || p.Share < .8 {
					t.Errorf("%s: deploy %q was planted, found %+v", id, deploy, p)
				}
			case 1:
				if f.Run.From != start.Add(time.Duration(from)*time.Hour) || f.Run.To != f.Run.From.Add(6*time.Hour) || f.Run.Share < .8 || f.Run.Whole {
					t.Errorf("%s: planted from hour %d, found %+v", id, from, f.Run)
				}
			case 2:
				if p := f.Divisions[2].Parts[0]; p.Name != region || p.Share < .8 || math.Abs(p.Mix) > .2 {
					t.Errorf("%s: region %q was planted, found %+v", id, region, p)
				}
			}
			if round%3 != 1 && !f.Run.Whole {
				t.Errorf("%s: nothing was planted in time, found %+v", id, f.Run)
			}
		}
	}
}

// The attribution against the integral it is defined by: the gradient along
// the line from all parts as the reference to all parts as they are.
func TestDivisionIsTheIntegratedGradient(t *testing.T) {
	reference := []uint64{500, 300, 200}
	groups := []group{
		{"a", make([]uint64, 3), []uint64{10, 40, 50}},
		{"b", make([]uint64, 3), []uint64{105, 60, 35}},
	}
	c, err := newChange(measure.PSI, reference, sum(groups, func(g group) []uint64 { return g.current }))
	if err != nil {
		t.Fatal(err)
	}
	// PSI of p + sum of d[g] (w q[g] - w p) at d.
	weights := []float64{1. / 3, 2. / 3}
	psi := func(d []float64) float64 {
		v := 0.0
		for i := range reference {
			p := float64(reference[i]) / 1000
			q := p
			for g := range groups {
				q += d[g] * weights[g] * (float64(groups[g].current[i])/total(groups[g].current) - p)
			}
			v += (q - p) * math.Log(q/p)
		}
		return v
	}
	const steps, h = 2000, 1e-6
	parts := c.divide(groups, nil)
	for g := range groups {
		integral := 0.0
		for s := range steps {
			x := (float64(s) + .5) / steps
			up, down := []float64{x, x}, []float64{x, x}
			up[g], down[g] = x+h, x-h
			integral += (psi(up) - psi(down)) / (2 * h) / steps
		}
		if got := parts[g].Share * c.value(); math.Abs(got-integral) > 1e-6 {
			t.Errorf("part %s carries %v, the integral is %v", groups[g].name, got, integral)
		}
	}
}

// New, vanished and empty groups, cells that only one side fills: the shares of
// any division add up.
func TestAnyDivisionAddsUp(t *testing.T) {
	random := rand.New(rand.NewPCG(9, 10))
	for range 300 {
		cells, groups := 2+random.IntN(6), []group{}
		some := func(n uint64) []uint64 {
			counts := make([]uint64, cells)
			for i := range counts {
				counts[i] = random.Uint64N(n) * random.Uint64N(2)
			}
			return counts
		}
		for g := range 1 + random.IntN(5) {
			one := group{fmt.Sprint(g), some(200), some(40)}
			switch random.IntN(4) {
			case 0:
				one.reference = make([]uint64, cells)
			case 1:
				one.current = make([]uint64, cells)
			}
			groups = append(groups, one)
		}
		reference, current := sum(groups, func(g group) []uint64 { return g.reference }), sum(groups, func(g group) []uint64 { return g.current })
		if total(reference) == 0 || total(current) == 0 {
			continue
		}
		for _, id := range additive() {
			c, err := newChange(id, reference, current)
			if err != nil {
				t.Fatal(err)
			}
			if c.value() < 1e-9 {
				continue
			}
			// TVD's slope jumps, so its parts are as large as the shares over the value.
			parts := c.divide(groups, nil)
			if got := shares(parts); math.Abs(got-1) > 1e-12*(1+1/c.value()) {
				t.Fatalf("%s of %v: shares %+v add up to %v", id, groups, parts, got)
			}
		}
	}
}

// A segment that was always different and only grew is mix; Kitagawa's own
// identity is checked by the sum.
func TestAGrowingSegmentIsMix(t *testing.T) {
	values := func(a, b uint64) drift.Sample { return drift.Sample{Values: map[string]uint64{"x": a, "y": b}} }
	q := Question{
		Series: "feature:kind", Measure: measure.PSI, Reference: values(900+10, 100+90), Current: values(450+50, 50+450),
		Parts: Parts{Segments: map[string]map[string]Sides{"region": {
			"eu": {Reference: values(10, 90), Current: values(50, 450)},
			"us": {Reference: values(900, 100), Current: values(450, 50)},
		}}},
	}
	report, err := Explain([]Question{q})
	if err != nil {
		t.Fatal(err)
	}
	d := report.Series[0].Divisions[0]
	for _, p := range d.Parts {
		if math.Abs(p.Share-p.Mix) > 1e-12 {
			t.Errorf("%+v moved within", p)
		}
	}
	if d.Parts[0].Name != "eu" || math.Abs(shares(d.Parts)-1) > 1e-12 {
		t.Errorf("%+v", d.Parts)
	}
	if words := strings.Join(report.Lines(), "\n"); !strings.Contains(words, `segment region "eu" carries`) || !strings.Contains(words, "50 % of the requests, which was 9.1 %") {
		t.Error(words)
	}
}

func TestMovesInWords(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	usual := numbers(20_000, func() float64 { return float64(random.IntN(600)) })
	moved := numbers(5000, func() float64 { return float64(501 + random.IntN(99)) })
	cases := map[string]struct {
		reference, current drift.Sample
		want               string
	}{
		"numbers go up":    {usual, merge(usual, moved, moved), "41 % of requests at 508 or more, was 15 %"},
		"nulls come":       {usual, drift.Sample{Numbers: usual.Numbers, Nulls: 2500}, "null in 11 % of requests, was 0 %"},
		"a word grows":     {drift.Sample{Values: map[string]uint64{"DE": 12, "FR": 88}}, drift.Sample{Values: map[string]uint64{"DE": 31, "FR": 69}}, `"DE" in 31 % of requests, was 12 %`},
		"a word is new":    {drift.Sample{Values: map[string]uint64{"DE": 100}}, drift.Sample{Values: map[string]uint64{"DE": 80, "XX": 20}}, "values the reference never had in 20 % of requests, was 0 %"},
		"the type changes": {drift.Sample{Values: map[string]uint64{"1": 100}}, moved, "a number in 100 % of requests, was 0 %"},
	}
	for name, test := range cases {
		report, err := Explain([]Question{{Series: "feature:amount", Measure: measure.PSI, Reference: test.reference, Current: test.current}})
		if err != nil {
			t.Fatal(err)
		}
		if got := report.Series[0].Words(); !strings.Contains(got, test.want) {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
	}
}

// The divisions against all there are.
func TestDivisionsAreTheBest(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 8))
	for range 50 {
		n := 1 + random.IntN(7)
		var worth [8][8]float64
		for from := range n {
			for to := from + 1; to <= n; to++ {
				worth[from][to] = random.Float64()
			}
		}
		kept := func(from, to int) float64 { return worth[from][to] }
		want := map[int]float64{}
		for cuts := range 1 << (n - 1) { // bit i cuts after cell i
			sum, from, pieces := 0.0, 0, 0
			for to := 1; to <= n; to++ {
				if to == n || cuts>>(to-1)&1 == 1 {
					sum, from, pieces = sum+kept(from, to), to, pieces+1
				}
			}
			want[pieces-1] = max(want[pieces-1], sum)
		}
		best, cut := divisions(n, n, kept)
		for k, v := range best {
			sum, to := 0.0, n
			for j := k; j >= 0; j-- {
				sum, to = sum+kept(cut[j][to], to), cut[j][to]
			}
			if math.Abs(v-want[k]) > 1e-12 || math.Abs(sum-v) > 1e-12 || to != 0 {
				t.Fatalf("%d of %d cells: best %v, its cuts %v down to %d, brute force %v", k+1, n, v, sum, to, want[k])
			}
		}
	}
}

// A bump between two places that do not change is three runs; noise is one.
func TestRunsAreFew(t *testing.T) {
	cells, reference := []int{0, 1, 2, 3, 4, 5}, []uint64{1000, 1000, 1000, 1000, 1000, 1000}
	if got := runs(cells, reference, []uint64{900, 900, 2400, 2400, 900, 900}); fmt.Sprint(got) != "[[0 1] [2 3] [4 5]]" {
		t.Errorf("a bump: %v", got)
	}
	if got := runs(cells, reference, []uint64{1010, 980, 1020, 990, 1005, 995}); len(got) != 1 {
		t.Errorf("noise: %v", got)
	}
	if got := runs(nil, nil, nil); got != nil {
		t.Errorf("no numbers: %v", got)
	}
}

func TestBounds(t *testing.T) {
	for _, test := range []struct {
		from, to        float64
		lowest, highest bool
		want            string
	}{
		{501, 900, false, true, "at 501 or more"},
		{1, 500, true, false, "below 501"},
		{0, 3, true, false, "up to 3"},
		{0, 100, false, false, "at 0 or more and up to 100"},
		{3, 3, false, false, "at 3"},
		{-500, -20, false, false, "above -501 and at -20 or less"},
		{1, 2, true, true, "with a number"},
	} {
		if got := (axis{}).span(grid.Bucket(test.from), grid.Bucket(test.to), test.lowest, test.highest); got != test.want {
			t.Errorf("%v to %v: %q, want %q", test.from, test.to, got, test.want)
		}
	}
}

// Odds of 3 are a probability of .75.
func TestBoundsOfProbabilities(t *testing.T) {
	if got := (axis{odds: true}).span(grid.OddsBucket(.75), grid.OddsBucket(1), false, true); got != "at 0.75 or more" {
		t.Error(got)
	}
	if got := (axis{odds: true}).span(grid.OddsBucket(.5), grid.OddsBucket(.999999), false, false); got != "at 0.5 or more and below 1" {
		t.Error(got)
	}
}

func TestNothingMoved(t *testing.T) {
	s := drift.Sample{Values: map[string]uint64{"a": 5, "b": 5}}
	report, err := Explain([]Question{{Series: "feature:f", Measure: measure.PSI, Reference: s, Current: s, Parts: Parts{Deploys: map[plumbline.DeployHash]drift.Sample{"a": s}}}})
	if err != nil {
		t.Fatal(err)
	}
	if f := report.Series[0]; f.Share != 0 || len(f.Moves) != 0 || f.Words() != "" {
		t.Errorf("%+v", f)
	}
	if _, err := Explain([]Question{{Series: "feature:f", Measure: measure.PSI, Reference: s}}); err == nil || !strings.Contains(err.Error(), `"feature:f": 0 requests against 10`) {
		t.Errorf("an empty window: %v", err)
	}
	if report, err := Explain(nil); err != nil || len(report.Lines()) != 0 {
		t.Errorf("%+v, %v", report, err)
	}
}

func TestSeriesShareByWeight(t *testing.T) {
	a := drift.Sample{Values: map[string]uint64{"a": 500, "b": 500}}
	b := drift.Sample{Values: map[string]uint64{"a": 300, "b": 700}}
	var questions []Question
	for i, weight := range []float64{3, 1, -2} {
		questions = append(questions, Question{Series: plumbline.Feature(fmt.Sprint(i)).Series(), Measure: measure.PSI, Reference: a, Current: b, Weight: weight})
	}
	report, err := Explain(questions)
	if err != nil {
		t.Fatal(err)
	}
	if f := report.Series; f[0].Share != .75 || f[1].Share != .25 || f[2].Share != 0 {
		t.Errorf("%+v", f)
	}
}
