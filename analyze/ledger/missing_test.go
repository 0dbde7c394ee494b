package ledger

import (
	"math"
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// share is what is known of a window whose labels came one by one.
func share(labelled, correct int64) Cell {
	return Cell{Known: opened, Labelled: labelled, Correct: correct, Rows: labelled}
}

// Where labels are missing the worst case decides if it can, and it is said that they
// cannot change it; where they can, nothing is decided, however likely it is.
func TestTheWorstCaseDecidesWhereItCan(t *testing.T) {
	target, scores := Objective(0.95), promised(ShareCorrect, 0.5, 0.4, 0.6)
	for name, tt := range map[string]struct {
		promise   Promise
		cell      Cell
		truth     Truth
		low, high float64
		reason    string
	}{
		"all missing right, and a quarter are": {target, share(8500, 1000), TruthTrue, 0.1, 0.25, "1500 of 10000 labels are missing and cannot change it: whatever they say, it is 0.1 to 0.25 against a target of 0.95"},
		"501 are wrong":                        {target, share(600, 99), TruthTrue, 0.0099, 0.9499, "9400 of 10000 labels are missing and cannot change it"},
		"500 are wrong, the target may be met": {target, share(600, 100), TruthUndecided, 0.01, 0.95, "6 % of the labels are in, 90 % are needed: the others could make it either, 0.01 to 0.95 against a target of 0.95"},
		"enough are right":                     {target, share(9501, 9500), TruthFalse, 0.95, 0.9999, "499 of 10000 labels are missing and cannot change it"},
		"all that are in are right":            {target, share(8900, 8900), TruthUndecided, 0.89, 1, "89 % of the labels are in, 90 % are needed"},
		"worse than promised":                  {scores, share(7000, 900), TruthTrue, 0.09, 0.39, "3000 of 10000 labels are missing and cannot change it: whatever they say, it is 0.09 to 0.39 against 0.4 to 0.6, which scores promised"},
		"better than promised":                 {scores, share(7000, 6100), TruthTrue, 0.61, 0.91, "cannot change it"},
		"as promised":                          {scores, share(8500, 4300), TruthFalse, 0.43, 0.58, "cannot change it"},
		"as promised, or better":               {scores, share(8000, 4100), TruthUndecided, 0.41, 0.61, "the others could make it either, 0.41 to 0.61"},
		"too few whatever they say":            {scores, Cell{Known: opened, Labelled: 7000, Correct: 900, Rows: 29}, TruthUndecided, 0.09, 0.39, "29 labels are in, 30 are needed"},
	} {
		got := Judge(Alarm{Opened: opened, Promise: tt.promise}, 10_000, []Cell{tt.cell}, DefaultOptions())
		near := math.Abs(got.Low-tt.low) < 1e-12 && math.Abs(got.High-tt.high) < 1e-12
		if got.Coverage >= 0.9 { // the interval lies within
			near = got.Low > tt.low && got.High <= tt.high
		}
		if got.Truth != tt.truth || !near || !strings.Contains(got.Reason, tt.reason) || got.Matured.IsZero() != (tt.truth == TruthUndecided) {
			t.Errorf("%s: %+v, want %s within %g to %g because of %q", name, got, tt.truth, tt.low, tt.high, tt.reason)
		}
	}
}

// Errors have no greatest, so that missing labels may always make a mean error worse.
// They cannot make it less than if each of them said that there was none.
func TestErrorsAreBoundedBelow(t *testing.T) {
	mae := promised(MeanError, 5, 4.5, 5.5)
	for name, tt := range map[string]struct {
		loss  float64
		truth Truth
		low   float64
		says  string
	}{
		"worse if the others had none": {6000, TruthTrue, 6, "400 of 1000 labels are missing and cannot change it: whatever they say, it is at least 6 against 4.5 to 5.5, which scores promised"},
		"as bad as promised at least":  {5500, TruthUndecided, 5.5, "60 % of the labels are in, 90 % are needed: the others could make it either, at least 5.5"},
		"none so far":                  {0, TruthUndecided, 0, "at least 0"},
	} {
		cell := Cell{Known: opened, Labelled: 600, Rows: 600, Loss: tt.loss, Squares: tt.loss * tt.loss / 600}
		got := Judge(Alarm{Opened: opened, Promise: mae}, 1000, []Cell{cell}, DefaultOptions())
		if got.Truth != tt.truth || got.Low != tt.low || !math.IsInf(got.High, 1) || !strings.Contains(got.Reason, tt.says) {
			t.Errorf("%s: %+v, want %s because of %q", name, got, tt.truth, tt.says)
		}
	}
}

// Of small windows every way in which the missing labels may fall is looked at: a
// verdict is made exactly where all of them agree, and is the one they agree on. Some
// that are worse and some that are better than what was promised do not agree.
func TestBoundsEqualEveryCompletion(t *testing.T) {
	o := Options{Coverage: 1, MinLabelled: 1}
	verdicts := map[Truth]int{}
	for requests := int64(1); requests <= 9; requests++ {
		for labelled := int64(1); labelled <= requests; labelled++ {
			for correct := int64(0); correct <= labelled; correct++ {
				for low := 0.0; low <= 1; low += 0.125 {
					for high := low; high <= 1; high += 0.125 {
						p := promised(ShareCorrect, low, low, high)
						want := completed(p, requests, labelled, correct, o)
						got := Judge(Alarm{Opened: opened, Promise: p}, requests, []Cell{share(labelled, correct)}, o)
						if got.Truth != want {
							t.Fatalf("%d of %d labels, %d correct, against %s: %+v, want %s", labelled, requests, correct, p, got, want)
						}
						verdicts[want]++
					}
				}
			}
		}
	}
	for _, truth := range []Truth{TruthTrue, TruthFalse, TruthUndecided} {
		if verdicts[truth] < 1000 {
			t.Errorf("%d are %s: the test says little of it", verdicts[truth], truth)
		}
	}
}

// completed is what every completion says of a window, one bit a missing label.
func completed(p Promise, requests, labelled, correct int64, o Options) (all Truth) {
	var below, above bool
	for missing := range 1 << (requests - labelled) {
		right := correct
		for ; missing > 0; missing &= missing - 1 {
			right++
		}
		full := Judge(Alarm{Opened: opened, Promise: p}, requests, []Cell{share(requests, right)}, o)
		below, above = below || full.Quality < p.Low, above || full.Quality > p.High
		if all != "" && full.Truth != all || below && above {
			return TruthUndecided
		}
		all = full.Truth
	}
	return all
}

// What is decided by the worst case is never taken back, and matured when it was
// decided, whatever the labels say that come later; of errors as of shares.
func TestVerdictsByBoundsStand(t *testing.T) {
	r := rand.New(rand.NewPCG(19, 89))
	decided := map[Measure]int{}
	for round := range 600 {
		p := Objective(0.3 + 0.7*r.Float64())
		if low := r.Float64(); round%3 == 1 {
			p = promised(ShareCorrect, low, low, low+(1-low)*r.Float64())
		} else if round%3 == 2 {
			p = promised(MeanError, 5, 4, 6)
		}
		requests, quality := 40+r.IntN(300), r.Float64()
		label := func(hour, quality float64) Cell {
			loss, c := math.Round(100*r.ExpFloat64()*(1-quality))/8, Cell{Known: opened.Add(time.Duration(hour) * time.Hour), Labelled: 1, Rows: 1}
			if c.Loss, c.Squares = loss, loss*loss; r.Float64() < quality {
				c.Correct = 1
			}
			return c
		}
		var cells []Cell
		for n := range requests {
			cells = append(cells, label(float64(n)/7, quality))
			a := Alarm{Opened: opened, Promise: p}
			early := Judge(a, int64(requests), cells, DefaultOptions())
			if early.Truth == TruthUndecided || early.Coverage >= 0.9 {
				continue
			}
			decided[p.Measure]++
			for _, rest := range []float64{0, 1, r.Float64()} {
				full := append([]Cell(nil), cells...)
				for m := n + 1; m < requests; m++ {
					full = append(full, label(float64(m)/7, rest))
				}
				got := Judge(a, int64(requests), full, DefaultOptions())
				if got.Truth != early.Truth || !got.Matured.Equal(early.Matured) || got.Reason != "" || !strings.Contains(early.Reason, "cannot change it") {
					t.Fatalf("round %d: %d of %d labels said %+v, all %+v", round, n+1, requests, early, got)
				}
			}
			break
		}
	}
	if decided[ShareCorrect] < 200 || decided[MeanError] < 50 {
		t.Errorf("%v decided early: the test says little", decided)
	}
}

// Labels that are corrected or withdrawn are no missing ones: then the verdict is that
// of what is known now, and matured when that was first said.
func TestCorrectionsTakeVerdictsBack(t *testing.T) {
	a := Alarm{Opened: opened, Promise: Objective(0.9)}
	hour := func(h int, c Cell) Cell {
		c.Known = opened.Add(time.Duration(h) * time.Hour)
		return c
	}
	bad := hour(0, share(50, 0))
	for name, tt := range map[string]struct {
		cells   []Cell
		truth   Truth
		matured int
	}{
		"stands":                  {[]Cell{bad}, TruthTrue, 1},
		"corrected":               {[]Cell{bad, hour(2, Cell{Correct: 45})}, TruthUndecided, 0},
		"withdrawn":               {[]Cell{bad, hour(2, Cell{Labelled: -45, Rows: -45})}, TruthUndecided, 0},
		"corrected, then all are": {[]Cell{bad, hour(2, Cell{Correct: 45}), hour(5, share(50, 46))}, TruthFalse, 6},
		"corrected, and bad":      {[]Cell{bad, hour(2, Cell{Correct: 45}), hour(5, share(30, 10))}, TruthTrue, 6},
	} {
		got := Judge(a, 100, tt.cells, DefaultOptions())
		if got.Truth != tt.truth || tt.matured > 0 && !got.Matured.Equal(opened.Add(time.Duration(tt.matured)*time.Hour)) {
			t.Errorf("%s: %+v, want %s after %d hours", name, got, tt.truth, tt.matured)
		}
	}
}

// Labels that are declared a random sample are judged by the interval of the sample,
// however few of all they are; where that lies on both sides, they are too few.
func TestARandomSampleIsJudgedByItsInterval(t *testing.T) {
	o := DefaultOptions()
	o.Missing = MissingRandom
	for name, tt := range map[string]struct {
		promise Promise
		cell    Cell
		truth   Truth
		reason  string
	}{
		"bad":             {Objective(0.95), share(200, 120), TruthTrue, ""},
		"good":            {Objective(0.90), share(200, 198), TruthFalse, ""},
		"near":            {Objective(0.95), share(200, 188), TruthUndecided, "200 labels of a random sample are too few: they leave 0.8"},
		"few":             {Objective(0.95), share(29, 2), TruthUndecided, "29 labels are in, 30 are needed"},
		"none":            {Objective(0.95), Cell{}, TruthUndecided, "0 labels are in, 30 are needed"},
		"all of them bad": {Objective(0.95), share(10_000, 9_000), TruthTrue, ""},
		"errors":          {promised(MeanError, 5, 4.5, 5.5), Cell{Known: opened, Labelled: 200, Rows: 200, Loss: 1600, Squares: 200 * 68}, TruthTrue, ""},
		"errors, near":    {promised(MeanError, 5, 4.5, 5.5), Cell{Known: opened, Labelled: 200, Rows: 200, Loss: 1080, Squares: 200 * 40}, TruthUndecided, "200 labels of a random sample are too few"},
	} {
		got := Judge(Alarm{Opened: opened, Promise: tt.promise}, 10_000, []Cell{tt.cell}, o)
		if got.Truth != tt.truth || !strings.Contains(got.Reason, tt.reason) || (got.Reason == "") != (tt.truth != TruthUndecided) {
			t.Errorf("%s: %+v, want %s because of %q", name, got, tt.truth, tt.reason)
		}
		o := o
		if o.Missing = MissingLate; name != "all of them bad" && Judge(Alarm{Opened: opened, Promise: tt.promise}, 10_000, []Cell{tt.cell}, o).Truth != TruthUndecided {
			t.Errorf("%s: the same labels decide though none says that they are a random sample", name)
		}
	}
}

// splits are in how many ways a sample has each number of correct ones, and all of
// them: the hypergeometric distribution by counting.
func splits(all, correct, sample int64) (ways []*big.Int, total *big.Int) {
	total = new(big.Int).Binomial(all, sample)
	for c := range sample + 1 {
		way := new(big.Int).Binomial(correct, c)
		ways = append(ways, way.Mul(way, new(big.Int).Binomial(all-correct, sample-c)))
	}
	return ways, total
}

// chance is the share of the ways that keep says yes to.
func chance(ways []*big.Int, total *big.Int, keep func(c int64) bool) float64 {
	sum := new(big.Int)
	for c, way := range ways {
		if keep(int64(c)) {
			sum.Add(sum, way)
		}
	}
	f, _ := new(big.Rat).SetFrac(sum, total).Float64()
	return f
}

// The interval of a random sample has every number of correct predictions that is not
// too unlikely to give such a sample, by counting, and no other.
func TestTheIntervalOfASampleEqualsCounting(t *testing.T) {
	for _, size := range []struct{ all, sample int64 }{{1, 1}, {12, 5}, {40, 39}, {60, 30}, {97, 31}, {400, 20}} {
		ways, total := map[int64][]*big.Int{}, new(big.Int)
		for k := range size.all + 1 {
			ways[k], total = splits(size.all, k, size.sample)
		}
		for c := range size.sample + 1 {
			least, most := size.all, int64(0)
			for k := c; k <= size.all-(size.sample-c); k++ {
				if chance(ways[k], total, func(x int64) bool { return x >= c }) > 0.025 {
					least = min(least, k)
				}
				if chance(ways[k], total, func(x int64) bool { return x <= c }) > 0.025 {
					most = max(most, k)
				}
			}
			got := share(size.sample, c).drawn(size.all)
			want := span{float64(least) / float64(size.all), float64(most) / float64(size.all)}
			if got != want {
				t.Errorf("%d of %d drawn of %d: %v, want %v", c, size.sample, size.all, got, want)
			}
		}
	}
	// Of large samples it is the normal one, and it is had at once.
	got, half := share(1_000_000, 950_000).drawn(50_000_000), 1.96*math.Sqrt(0.95*0.05/1e6*0.98)
	if math.Abs(got.low-(0.95-half)) > 5e-6 || math.Abs(got.high-(0.95+half)) > 5e-6 {
		t.Errorf("a million labels: %v, want 0.95 +- %g", got, half)
	}
}

// Whatever the quality of a window is, a random sample of its labels decides wrongly at
// most once in forty times, by counting every sample.
func TestASampleSeldomDecidesWrongly(t *testing.T) {
	o := Options{Coverage: 0.9, MinLabelled: 5, Missing: MissingRandom}
	for _, target := range []float64{0.5, 0.8, 0.95, 0.99} {
		worst, decided := 0.0, 0.0
		const all, sample = 120, 45
		verdict := map[int64]Truth{}
		for c := range int64(sample) + 1 {
			verdict[c] = Judge(Alarm{Opened: opened, Promise: Objective(target)}, all, []Cell{share(sample, c)}, o).Truth
		}
		for k := range int64(all) + 1 {
			truth := TruthTrue
			if float64(k)/all >= target {
				truth = TruthFalse
			}
			ways, total := splits(all, k, sample)
			worst = max(worst, chance(ways, total, func(c int64) bool { return verdict[c] != TruthUndecided && verdict[c] != truth }))
			decided += chance(ways, total, func(c int64) bool { return verdict[c] == truth }) / (all + 1)
		}
		if worst > 0.025 || decided < 0.6 {
			t.Errorf("against %g: wrong up to %g of the time, right %g", target, worst, decided)
		}
	}
}

// Of requests that producers sampled, the sample of labels is as large as its rows.
func TestASampleOfASampleIsAsLargeAsItsRows(t *testing.T) {
	o := DefaultOptions()
	o.Missing = MissingRandom
	a := Alarm{Opened: opened, Promise: Objective(0.9)}
	one := Judge(a, 10_000, []Cell{share(100, 96)}, o)
	ten := Judge(a, 100_000, []Cell{{Known: opened, Labelled: 1000, Correct: 960, Rows: 100}}, o)
	odd := Judge(a, 100_000, []Cell{{Known: opened, Labelled: 1000, Correct: 963, Rows: 100}}, o)
	if one.Low != ten.Low || one.High != ten.High || one.Truth != ten.Truth {
		t.Errorf("ten requests a row: %+v, one: %+v", ten, one)
	}
	if odd.Low != ten.Low || odd.High <= ten.High {
		t.Errorf("a part of a row: %+v, want from %g to over %g", odd, ten.Low, ten.High)
	}
}

// The range that a row shows holds its quality, also where no whole number of
// predictions is that share, and where labels are counted before their requests.
func TestQualityLiesInItsRange(t *testing.T) {
	o := DefaultOptions()
	for _, o.Missing = range []Missing{MissingLate, MissingRandom, MissingChosen} {
		got := Judge(Alarm{Opened: opened, Promise: Objective(0.5)}, 100, []Cell{share(99, 98)}, o)
		if got.Low > got.Quality || got.High < got.Quality || got.Truth != TruthFalse {
			t.Errorf("%q, one of 100 is missing: %+v", o.Missing, got)
		}
		got = Judge(Alarm{Opened: opened, Promise: Objective(0.9)}, 50, []Cell{share(100, 45)}, o)
		if got.Low != 0.45 || got.High != 0.45 || got.Coverage != 1 || got.Truth != TruthTrue || got.Reason != "" {
			t.Errorf("%q, 100 labels of 50 requests: %+v", o.Missing, got)
		}
	}
}

// Where the model's own decisions take labels away, those that are in are no random
// choice, however many they are: only the worst case decides.
func TestChosenLabelsDecideByTheWorstCaseAlone(t *testing.T) {
	a, cells := Alarm{Opened: opened, Promise: Objective(0.9)}, []Cell{share(9500, 8600)}
	if late := Judge(a, 10_000, cells, DefaultOptions()); late.Truth != TruthFalse || late.Reason != "" {
		t.Errorf("late labels: %+v, want a window at its target by their interval", late)
	}
	o := DefaultOptions()
	o.Missing = MissingChosen
	if chosen := Judge(a, 10_000, cells, o); chosen.Truth != TruthUndecided || chosen.Reason != "the model's decisions choose which labels come: the others could make it either, 0.86 to 0.91 against a target of 0.9" {
		t.Errorf("chosen labels: %+v", chosen)
	}
	if bad := Judge(a, 10_000, []Cell{share(9500, 8000)}, o); bad.Truth != TruthTrue || !strings.Contains(bad.Reason, "cannot change it") {
		t.Errorf("chosen labels, bad whatever the others say: %+v", bad)
	}
}

// Labels that do not come any more make no verdict, for they may differ from those that
// came; what these alone would say is told.
func TestLabelsThatNeverCameAreTold(t *testing.T) {
	o := DefaultOptions()
	o.Awaited = opened.Add(8 * 24 * time.Hour)
	a := Alarm{Opened: opened, From: opened.Add(-2 * time.Hour), To: opened.Add(-time.Hour), Promise: Objective(0.9)}
	young := a
	young.To = o.Awaited
	for name, tt := range map[string]struct {
		alarm  Alarm
		cells  []Cell
		missed Missing
		reason string
	}{
		"right by those that came":  {a, []Cell{share(800, 704)}, MissingLate, "20 % of the labels never came, and could make it either, 0.704 to 0.904 against a target of 0.9; by those that came alone it would be right (0.88, 0.8699 to 0.8901)"},
		"wrong by those that came":  {a, []Cell{share(800, 760)}, MissingLate, "20 % of the labels never came, and could make it either, 0.76 to 0.96 against a target of 0.9; by those that came alone it would be wrong (0.95, "},
		"either by those that came": {a, []Cell{share(800, 720)}, MissingLate, "by those that came alone it could be either (0.9, "},
		"nearly all, chosen":        {a, []Cell{share(950, 860)}, MissingChosen, "5 % of the labels never came, and could make it either, 0.86 to 0.91 against a target of 0.9; by those that came alone it would be wrong (0.9053, "},
		"few":                       {a, []Cell{share(29, 2)}, MissingLate, "97 % of the labels never came: 29 labels are in, 30 are needed"},
		"none":                      {a, nil, MissingLate, "100 % of the labels never came: 0 labels are in, 30 are needed"},
		"one came since":            {a, []Cell{share(799, 760), {Known: o.Awaited.Add(-time.Minute), Labelled: 1, Rows: 1}}, MissingLate, "80 % of the labels are in, 90 % are needed: the others could make it either"},
		"predictions are younger":   {young, []Cell{share(800, 760)}, MissingLate, "80 % of the labels are in, 90 % are needed: the others could make it either"},
		"a random sample":           {a, []Cell{share(800, 720)}, MissingRandom, "800 labels of a random sample are too few: they leave 0.8"},
	} {
		o := o
		o.Missing = tt.missed
		if got := Judge(tt.alarm, 1000, tt.cells, o); got.Truth != TruthUndecided || !strings.Contains(got.Reason, tt.reason) {
			t.Errorf("%s: %+v, want undecided because of %q", name, got, tt.reason)
		}
	}
	if bad := Judge(a, 1000, []Cell{share(800, 300)}, o); bad.Truth != TruthTrue || !strings.Contains(bad.Reason, "200 of 1000 labels are missing and cannot change it") {
		t.Errorf("never came, and could not change it: %+v", bad)
	}
}
