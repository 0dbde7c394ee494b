package estimate_test

import (
	"math"
	"testing"
	"time"

	"github.com/plumbline-slo/plumbline/analyze/estimate"
)

// The values are Kaplan and Meier's product and Greenwood's sum by hand in numpy:
//
//	n=60; i=np.arange(n); d=(i*i*7+3*i)%41+1; known=(i%4)!=0
//	for t in np.unique(d[known]): r=(d>=t).sum(); e=((d==t)&known).sum(); S*=1-e/r; g+=e/r/(r-e)
//
// and lifelines' KaplanMeierFitter().fit(d, known) says the same.
func TestCurveEqualsKaplanMeier(t *testing.T) {
	var waits []estimate.Wait
	for i := range 60 {
		waits = append(waits, estimate.Wait{Delay: time.Duration((i*i*7+3*i)%41+1) * time.Hour, Known: i%4 != 0, Count: 1})
	}
	c := estimate.NewCurve(waits)
	for hours, want := range map[int]float64{0: 0, 5: 0.0672514619883039, 10: 0.0672514619883039, 20: 0.2684325192065129, 30: 0.6303659044411856, 41: 0.9069069685259282} {
		near(t, "the share", c.Share(time.Duration(hours)*time.Hour), want, 1e-12)
	}
	near(t, "Greenwood's error", c.Error(19*time.Hour), 0.05652192294652432, 1e-12)
	near(t, "Greenwood's error", c.Error(20*time.Hour), 0.059454557302886575, 1e-12)
	near(t, "before the first label", c.Error(0), 0, 0)
}

const day = 24 * time.Hour

// Of 1000 predictions 800 get a label, uniformly within 10 days; the oldest have
// been looked at for the given number of days.
func late(looked int) []estimate.Wait {
	var waits []estimate.Wait
	for i := range 1000 {
		age, delay := time.Duration(1+i%looked)*day, time.Duration(1+i%10)*day
		if i%5 != 0 && delay <= age {
			waits = append(waits, estimate.Wait{Delay: delay, Known: true, Count: 1})
		} else {
			waits = append(waits, estimate.Wait{Delay: age, Count: 1})
		}
	}
	return waits
}

func TestShareThatNeverComes(t *testing.T) {
	c := estimate.NewCurve(late(37))
	near(t, "never", c.Never(), 0.2, 0.03)
	if !c.Settled() {
		t.Error("27 days without a label settle nothing")
	}
	if early := estimate.NewCurve(late(7)); early.Settled() {
		t.Errorf("labels still come, and %g are said never to", early.Never())
	}
	if none := estimate.NewCurve(nil); !math.IsNaN(none.Ever()) || none.Settled() {
		t.Error("no predictions say something")
	}
	dead := estimate.NewCurve([]estimate.Wait{{Delay: 9 * day, Count: 100}})
	if dead.Ever() != 0 || dead.Settled() {
		t.Errorf("a label pipeline that never delivered: ever %g, settled %v", dead.Ever(), dead.Settled())
	}
}

func TestMaturityCountsWhatWillCome(t *testing.T) {
	curves := map[estimate.Stratum]estimate.Curve{0: estimate.NewCurve(late(37))}
	ever := curves[0].Ever()
	fresh := estimate.Maturity([]estimate.Batch{{Waiting: 100}}, curves)
	near(t, "labels ever, of fresh predictions", fresh.Ever, 100*ever, 1e-9)
	near(t, "their maturity", fresh.Maturity, 0, 0)
	waited := estimate.Maturity([]estimate.Batch{{Age: 5 * day, Waiting: 100}}, curves)
	by5 := curves[0].Share(5 * day)
	near(t, "labels ever, of predictions that have waited for 5 days", waited.Ever, 100*(ever-by5)/(1-by5), 1e-9)
	old := estimate.Maturity([]estimate.Batch{{Age: 30 * day, Known: 80, Waiting: 20}}, curves)
	near(t, "maturity once nothing comes any more", old.Maturity, 1, 1e-12)
	if !old.Settled {
		t.Error("not settled")
	}
	unknown := estimate.Maturity([]estimate.Batch{{Stratum: 9, Known: 1, Waiting: 1}}, curves)
	if unknown.Settled || unknown.Maturity != 0.5 {
		t.Errorf("a stratum without a curve: %+v", unknown)
	}
	if none := estimate.Maturity(nil, curves); !math.IsNaN(none.Maturity) {
		t.Errorf("no predictions have maturity %g", none.Maturity)
	}
}

func TestMatureInIsTheFirstDayOfEnough(t *testing.T) {
	curves := map[estimate.Stratum]estimate.Curve{0: estimate.NewCurve(late(37))}
	batches := []estimate.Batch{{Waiting: 100}, {Age: 4 * day, Known: 30, Waiting: 70}}
	in, reached := estimate.MatureIn(0.9, batches, curves)
	if !reached {
		t.Fatal("never mature")
	}
	share := func(later time.Duration) float64 {
		known, ever := 30.0, 30.0
		for _, b := range batches {
			c := curves[0]
			before := c.Share(b.Age)
			known += float64(b.Waiting) * (c.Share(b.Age+later) - before) / (1 - before)
			ever += float64(b.Waiting) * (c.Ever() - before) / (1 - before)
		}
		return known / ever
	}
	if share(in) < 0.9-1e-9 || share(in-1) >= 0.9 {
		t.Errorf("in %s: %g are in, a moment before %g", in, share(in), share(in-1))
	}
	if in, reached := estimate.MatureIn(0.9, []estimate.Batch{{Age: 30 * day, Known: 9}}, curves); !reached || in != 0 {
		t.Errorf("mature already: %s, %v", in, reached)
	}
	if _, reached := estimate.MatureIn(0.9, []estimate.Batch{{Stratum: 9, Waiting: 5}}, curves); reached {
		t.Error("labels are promised without a curve")
	}
}

func TestCutsKeepEqualValuesTogether(t *testing.T) {
	cuts, err := estimate.CutStrata([]float64{1, 1, 1, 1, 2, 3, 4, 5, math.NaN()}, 4)
	if err != nil {
		t.Fatal(err)
	}
	if cuts.Of(1) != 0 || cuts.Of(5) != estimate.Stratum(len(cuts)) || cuts.Of(math.NaN()) != estimate.Stratum(len(cuts)+1) || cuts.Len() != len(cuts)+2 {
		t.Errorf("cuts %v: %d, %d, %d", cuts, cuts.Of(1), cuts.Of(5), cuts.Of(math.NaN()))
	}
	if _, err := estimate.CutStrata([]float64{math.NaN()}, 3); err == nil {
		t.Error("no values are cut")
	}
}
