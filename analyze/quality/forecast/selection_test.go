package forecast_test

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/analyze/quality/forecast"
)

// waiting is a world of sixty days in which scores mean what they say, and a label
// takes what it is told to.
func waiting(seed uint64, takes func(r *rand.Rand, truth bool) time.Duration) world {
	r := rand.New(rand.NewPCG(seed, 9))
	var w world
	for at := now.Truncate(day).Add(-60 * day); at.Before(now); at = at.Add(3 * time.Minute) {
		c := call{at: at, deploy: "v1", score: 0.05 + 0.9*r.Float64()}
		c.called, c.truth = c.score > 0.8, r.Float64() < c.score
		c.known = at.Add(takes(r, c.truth))
		w.calls = append(w.calls, c)
	}
	return w
}

// Labels that come whenever they like calibrate from the first one on. Those that
// come the sooner for what they say wait for the others, and contradict nothing
// before those are in.
func TestLabelsThatAreSelectedAreFound(t *testing.T) {
	at := now.Truncate(day)
	whenever := waiting(1, func(r *rand.Rand, _ bool) time.Duration { return time.Duration(r.IntN(240)) * time.Hour })
	a := ask(t, forecaster(whenever), forecast.Question{End: at, Window: day})
	if a.Fit.Selection.Differs() || !a.Fit.Cut.Equal(at.Add(-day)) || !a.Fit.Immature || a.Contradiction.Suspected {
		t.Errorf("labels that come whenever they like: %+v, cut %s: %v", a.Fit.Selection, a.Fit.Cut, a.Contradiction)
	}
	if says := strings.Join(a.Assumes, "; "); !strings.Contains(says, "of labels that were waited for, those that took longer than 4.5 days differ by ") {
		t.Error(says)
	}

	// Who was defrauded complains within hours; who was not never says so, and is
	// taken for honest after a week.
	fraud := waiting(2, func(r *rand.Rand, truth bool) time.Duration {
		if truth {
			return time.Duration(r.IntN(6)) * time.Hour
		}
		return time.Duration(7*24+r.IntN(24)) * time.Hour
	})
	a = ask(t, forecaster(fraud), forecast.Question{End: at, Window: day})
	if a.Estimate.Value != a.Estimate.Expected || !a.Record.Proven || !a.LeftOut {
		t.Errorf("labels of which the bad come first made of %.4f what is %.4f; %s", a.Estimate.Expected, a.Estimate.Value, a.Record.Says)
	}
	if !a.Fit.Selection.Differs() || a.Fit.Cut.After(at.Add(-7*day)) || a.Fit.Immature {
		t.Errorf("labels of which the bad come first: %+v, cut %s", a.Fit.Selection, a.Fit.Cut)
	}
	if a.Estimate.Known*3 < a.Estimate.Predictions || a.Contradiction.Suspected || a.ContradictionEnd.After(at.Add(-7*day)) {
		t.Errorf("with %d of %d labels in: %+v of the window that ends at %s", a.Estimate.Known, a.Estimate.Predictions, a.Contradiction, a.ContradictionEnd)
	}
	says := strings.Join(a.Assumes, "; ")
	if !strings.Contains(says, "labels come the sooner for what they say: of labels that were waited for, those that took longer than ") || !strings.Contains(says, " are left out until most of their age are") || strings.Contains(says, "does not depend on what it says") {
		t.Error(says)
	}
}

// However long the good labels take, and the window is, those that came first neither
// move the estimate nor contradict it.
func TestSelectedLabelsMoveNothing(t *testing.T) {
	at := now.Truncate(day)
	for name, c := range map[string]struct {
		window      time.Duration
		least, more int // hours that good labels take
	}{
		"a day":                  {day, 168, 24},
		"an hour's windows":      {6 * time.Hour, 168, 24},
		"good within the window": {7 * day, 36, 24},
		"just beyond it":         {7 * day, 150, 24},
		"never a mature window":  {day, 600, 24},
		"a month":                {28 * day, 168, 24},
		"most of the window":     {7 * day, 20, 6},
		"most of the month":      {28 * day, 96, 24},
	} {
		w := waiting(4, func(r *rand.Rand, truth bool) time.Duration {
			if truth {
				return time.Duration(r.IntN(6)) * time.Hour
			}
			return time.Duration(c.least+r.IntN(c.more)) * time.Hour
		})
		right, n := 0., 0.
		for _, call := range w.between(at.Add(-c.window), at) {
			if n++; call.called == call.truth {
				right++
			}
		}
		a := ask(t, forecaster(w), forecast.Question{End: at, Window: c.window})
		if off := math.Abs(a.Estimate.Value - right/n); !a.LeftOut || a.Contradiction.Suspected || !a.Record.Proven && a.Record.Windows >= 10 || off > 3*a.Estimate.Error {
			t.Errorf("%s: %.4f of %.4f with %d of %d labels in, left out %v, %s; %s", name, a.Estimate.Value, right/n, a.Estimate.Known, a.Estimate.Predictions, a.LeftOut, a.Contradiction.Says, strings.Join(a.Assumes, "; "))
		}
	}
}

// Who complains where the model erred is as often of the one class as of the other.
func TestLabelsOfErrorsThatComeFirstAreFound(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 9))
	w := waiting(5, func(*rand.Rand, bool) time.Duration { return 0 })
	for i := range w.calls {
		c := &w.calls[i]
		c.called = c.score > 0.5
		if c.known = c.at.Add(time.Duration(r.IntN(6)) * time.Hour); c.called == c.truth {
			c.known = c.at.Add(time.Duration(7*24+r.IntN(24)) * time.Hour)
		}
	}
	a := ask(t, forecaster(w), forecast.Question{End: now.Truncate(day), Window: day})
	if !a.LeftOut || !a.Record.Proven || a.Contradiction.Suspected || a.Estimate.Value < 0.65 {
		t.Errorf("%+v, %s, %s", a.Fit.Selection, a.Record.Says, a.Contradiction.Says)
	}
}

// A deploy of three days has labels of its own to calibrate on, but not if they are
// those that came the sooner for what they say: nearly all of them are bad.
func TestANewDeployIsNotCalibratedOnSelectedLabels(t *testing.T) {
	at := now.Truncate(day)
	for name, c := range map[string]struct {
		takes  func(r *rand.Rand, truth bool) time.Duration
		deploy plumbline.DeployHash
	}{
		"whenever": {func(r *rand.Rand, _ bool) time.Duration { return time.Duration(r.IntN(100)) * time.Hour }, "v2"},
		"bad first": {func(r *rand.Rand, truth bool) time.Duration {
			if truth || r.IntN(10) == 0 {
				return time.Duration(r.IntN(6)) * time.Hour
			}
			return time.Duration(7*24+r.IntN(24)) * time.Hour
		}, ""},
	} {
		w := waiting(3, c.takes)
		for i := range w.calls {
			if !w.calls[i].at.Before(at.Add(-3 * day)) {
				w.calls[i].deploy = "v2"
			}
		}
		a := ask(t, forecaster(w), forecast.Question{End: at, Window: day, Deploy: "v2"})
		if a.Fit.Deploy != c.deploy || a.Fit.Labelled < 200 {
			t.Errorf("%s: calibrated on %d labels of deploy %q, want of %q: %+v", name, a.Fit.Labelled, a.Fit.Deploy, c.deploy, a.Fit.Selection)
		}
		if a.Estimate.Value < 0.5 {
			t.Errorf("%s: accuracy %.3f", name, a.Estimate.Value)
		}
	}
}
