package alarm

import (
	"math"
	"testing"

	"github.com/plumbline-slo/plumbline/analyze/drift/measure"
)

// The latest blocks do not count once there is a history, and one block counts
// at most 6.63 times what was expected of it.
func TestHistoryIsSlowToLearn(t *testing.T) {
	d := newDetector(t, config(1_000_000))
	for i := range 40 {
		d.Step(psiBlock(i, 0.01))
	}
	before, _ := d.null(psiBlock(40, 0))
	if math.Abs(before.blocks-26) > 1e-12 {
		t.Fatalf("%v blocks count after 40, want 26", before.blocks)
	}
	// 26 blocks of .01, each worth a third, and the guess of .025 worth 8.
	if want := (8*0.025 + 26*0.01/3) / (8 + 26.0/3); math.Abs(before.level-want) > 1e-12 {
		t.Errorf("level %v, want %v", before.level, want)
	}
	for i := 40; i < 54; i++ {
		if v := d.Step(psiBlock(i, 0.3)); v.Status != Suspect {
			t.Fatalf("day %d: %+v", i, v)
		}
	}
	after, _ := d.null(psiBlock(54, 0))
	if after.blocks != 40 || after.level > before.level {
		t.Errorf("after fourteen days of change: level %v from %v blocks", after.level, after.blocks)
	}
	d.Step(psiBlock(54, 0.3))
	later, _ := d.null(psiBlock(55, 0))
	if got, most := later.level*later.student-after.level*after.student, outlier*(before.level+before.noise*before.freedom)/3; got > most*1.01 {
		t.Errorf("one day of change adds %v to the history, want at most %v", got, most)
	}
}

// A guess that history contradicts gives way to it, one that it does not
// contradict keeps its weight.
func TestGuessYieldsToHistory(t *testing.T) {
	for _, c := range []struct{ past, low, high float64 }{{0.25, 0.24, 0.25}, {0.001, 0.005, 0.02}} {
		d := newDetector(t, config(1_000_000))
		for i := range 60 {
			d.Prime(psiBlock(i, c.past))
		}
		n, _ := d.null(psiBlock(60, 0))
		if n.level < c.low || n.level > c.high {
			t.Errorf("a past of %v: level %v, want between %v and %v", c.past, n.level, c.low, c.high)
		}
	}
}

// A block of the reference itself lies nearer to it: with 28 of them, worth 4.94
// independent ones, by (1 - 1/4.94) / (1 + 1/4.94).
func TestPrimeWithinTheReference(t *testing.T) {
	apart, within := newDetector(t, config(1)), newDetector(t, config(1))
	b := psiBlock(0, 0.01)
	apart.Prime(b)
	b.Within = 28
	within.Prime(b)
	ratio := within.State().History.Recent[0] / apart.State().History.Recent[0]
	if b := 28 * 0.3 / 1.7; math.Abs(ratio-(b+1)/(b-1)) > 1e-9 {
		t.Errorf("ratio %v, want %v", ratio, (b+1)/(b-1))
	}
	if outside(1) != 3 || outside(0) != 1 {
		t.Errorf("one block: %v, none: %v", outside(1), outside(0))
	}
}

// Squares of norms and roots, sums as they are; the noise of roots by the mean
// of their square: for PSI, (k)(1/n + 1/m) spread over k directions.
func TestNullInSquaredUnits(t *testing.T) {
	d := newDetector(t, config(1))
	sum, ok := d.null(psiBlock(0, 0.096))
	if !ok || math.Abs(sum.energy-0.1) > 1e-12 || math.Abs(sum.noise*sum.freedom-0.004) > 1e-12 || sum.effect != 0.1 {
		t.Errorf("PSI: %+v", sum)
	}
	b := psiBlock(0, 0)
	// Two samples of 1,000 in 20 cells: Hellinger^2 = noise/8 chi-square(19).
	b.Result = measure.Result{Measure: measure.Hellinger, Value: 0.2, NullMean: math.Sqrt(0.002/8*19) * math.Sqrt(rootMean(measure.Hellinger, 19)), MinEffect: 0.1, Method: measure.Asymptotic}
	root, _ := d.null(b)
	if math.Abs(root.energy-0.04) > 1e-12 || math.Abs(root.noise-0.002/8) > 1e-12 || math.Abs(root.effect-0.01) > 1e-12 {
		t.Errorf("Hellinger: %+v", root)
	}
	// scipy 1.17.1: the squared integral of stats.kstwobign.sf over that of 2 x sf.
	if got := rootMean(measure.KS, 2); math.Abs(got-0.9175976650617711) > 1e-9 {
		t.Errorf("KS: %v", got)
	}
	// The mean of the root of chi-square with 1 and 2 degrees of freedom is
	// sqrt(2/pi) and sqrt(pi/2).
	if a, b := rootMean(measure.JS, 1), rootMean(measure.JS, 2); math.Abs(a-2/math.Pi) > 1e-12 || math.Abs(b-math.Pi/4) > 1e-12 {
		t.Errorf("roots of chi-square: %v, %v", a, b)
	}
}
