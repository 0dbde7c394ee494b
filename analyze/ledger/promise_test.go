package ledger

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

// promised is what scores promised of a window.
func promised(m Measure, value, low, high float64) Promise {
	return Promise{Measure: m, Value: value, Low: low, High: high, Scores: true}
}

// An alarm that scores are not to be believed was right if quality is not what they
// promised, whichever side it is on, and is nothing before enough labels are in.
func TestWhatScoresPromisedIsHeldAgainstLabels(t *testing.T) {
	accuracy, mae := promised(ShareCorrect, 0.9, 0.88, 0.92), promised(MeanError, 5, 4.5, 5.5)
	// Half of the errors are 2 less than the mean, half 2 more.
	errors := func(n int64, mean float64) Cell {
		return Cell{Known: opened, Labelled: n, Rows: n, Loss: float64(n) * mean, Squares: float64(n) * (mean*mean + 4)}
	}
	for name, tt := range map[string]struct {
		promise Promise
		cell    Cell
		truth   Truth
		reason  string
	}{
		"worse":                   {accuracy, share(1000, 860), TruthTrue, ""},
		"better":                  {accuracy, share(1000, 950), TruthTrue, ""},
		"as promised":             {accuracy, share(1000, 895), TruthFalse, ""},
		"at the lower end":        {accuracy, share(1000, 880), TruthFalse, ""},
		"at the upper end":        {accuracy, share(1000, 920), TruthFalse, ""},
		"just below":              {accuracy, share(1000, 879), TruthTrue, ""},
		"most labels, worse":      {accuracy, share(950, 770), TruthTrue, "50 of 1000 labels are missing and cannot change it"},
		"most labels, likely":     {accuracy, share(950, 831), TruthTrue, ""},
		"most labels, either":     {accuracy, share(950, 837), TruthUndecided, "against 0.88 to 0.92, which scores promised"},
		"too few of them":         {accuracy, share(890, 800), TruthUndecided, "89 % of the labels are in, 90 % are needed"},
		"few, whatever they say":  {accuracy, share(890, 500), TruthTrue, "110 of 1000 labels are missing and cannot change it"},
		"none":                    {accuracy, Cell{}, TruthUndecided, "0 labels are in, 30 are needed"},
		"greater errors":          {mae, errors(1000, 6), TruthTrue, ""},
		"smaller errors":          {mae, errors(950, 4), TruthTrue, ""},
		"errors as promised":      {mae, errors(950, 5), TruthFalse, ""},
		"errors, either":          {mae, errors(950, 5.51), TruthUndecided, "could make it either"},
		"errors of too few":       {mae, errors(800, 6), TruthUndecided, "80 % of the labels are in"},
		"great errors of few":     {mae, errors(800, 9), TruthTrue, "200 of 1000 labels are missing and cannot change it"},
		"errors that are all one": {mae, Cell{Known: opened, Labelled: 1000, Rows: 1000, Loss: 5000, Squares: 25000}, TruthFalse, ""},
	} {
		got := Judge(Alarm{Opened: opened, Promise: tt.promise}, 1000, []Cell{tt.cell}, DefaultOptions())
		if got.Truth != tt.truth || !strings.Contains(got.Reason, tt.reason) || (got.Reason == "") != (tt.reason == "") || got.Leads != (tt.truth == TruthTrue) {
			t.Errorf("%s: %+v, want %s because of %q", name, got, tt.truth, tt.reason)
		}
	}
	few := Judge(Alarm{Opened: opened, Promise: accuracy}, 20, []Cell{share(20, 2)}, DefaultOptions())
	if few.Truth != TruthUndecided || few.Reason != "20 labels are in, 30 are needed" {
		t.Errorf("20 of 20 labels: %+v", few)
	}
}

// Of mean errors, too, what is decided from a random share of the labels is seldom
// wrong.
func TestDecisionsAboutErrorsAreSeldomWrong(t *testing.T) {
	r := rand.New(rand.NewPCG(12, 4))
	const rounds, requests, in = 1500, 400, 364
	promise := promised(MeanError, 5, 4.7, 5.3)
	wrong, decided := 0, 0
	for range rounds {
		all := 0.0
		c := Cell{Known: opened, Labelled: in, Rows: in}
		for i := range requests {
			loss := 5.3 * r.ExpFloat64()
			if all += loss; i < in {
				c.Loss, c.Squares = c.Loss+loss, c.Squares+loss*loss
			}
		}
		got := Judge(Alarm{Opened: opened, Promise: promise}, requests, []Cell{c}, DefaultOptions())
		if got.Truth == TruthUndecided {
			continue
		}
		decided++
		if mean := all / requests; (got.Truth == TruthTrue) != (mean < promise.Low || mean > promise.High) {
			wrong++
		}
	}
	if decided < rounds/2 || float64(wrong) > 0.05*rounds {
		t.Errorf("%d of %d are decided, %d wrongly", decided, rounds, wrong)
	}
}

// A row says what it was judged by, and what was judged by nothing says that.
func TestARowSaysWhatWasPromised(t *testing.T) {
	for _, tt := range []struct {
		promise Promise
		want    [3]float64
	}{
		{Objective(0.9), [3]float64{0.9, 0.9, 1}},
		{promised(MeanError, 5, 4.5, 5.5), [3]float64{5, 4.5, 5.5}},
		{Promise{}, [3]float64{math.NaN(), math.NaN(), math.NaN()}},
	} {
		e := Entry{Alarm: Alarm{Promise: tt.promise}}
		for i, column := range []string{"target", "promised_low", "promised_high"} {
			if got, ok := e.number(column); !ok || got != tt.want[i] && !(math.IsNaN(got) && math.IsNaN(tt.want[i])) {
				t.Errorf("%s of %+v is %g, want %g", column, tt.promise, got, tt.want[i])
			}
		}
		other := e
		if other.Promise.Low += 0.1; !e.Same(e) || e.Same(other) {
			t.Errorf("%+v: another promise is the same entry, or the same one is not", tt.promise)
		}
	}
}
