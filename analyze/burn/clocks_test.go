package burn

import (
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
)

// What a replay makes of both clocks is what the generated rules do.
func TestBothClocksAreReplayed(t *testing.T) {
	pair := plumbline.WindowPair{Severity: plumbline.SeverityPage, Long: 6 * time.Hour, Short: 30 * time.Minute, Factor: 6}
	slow := plumbline.WindowPair{Severity: plumbline.SeverityTicket, Long: 24 * time.Hour, Short: 2 * time.Hour, Factor: 3}
	o := plumbline.Objective{SLO: plumbline.SLO{Name: "s", Model: "m", Target: .9}, Pairs: []plumbline.WindowPair{pair, slow}}
	now := origin.Add(48 * time.Hour)
	guess := func(verdict string, low, high, share, chance float64) *Nowcast {
		p, _ := NowcastPair(o)
		return &Nowcast{Pair: p, End: now, Threshold: .6, Verdict: verdict, Low: low, High: high, Long: Estimate{Share: share, Chance: chance}, Short: Estimate{Share: share}}
	}
	labels := func(verdict string, end time.Time) []Evaluation {
		return []Evaluation{{Pair: pair, Verdict: verdict, End: end}, {Pair: slow, Verdict: plumbline.VerdictOK, End: end}}
	}
	yesterday := now.Add(-20 * time.Hour)
	for name, tt := range map[string]struct {
		nowcast *Nowcast
		labels  []Evaluation
		want    []string
	}{
		"labels alone":                 {nil, labels(plumbline.VerdictBreach, yesterday), []string{"matured page"}},
		"an estimate that is proven":   {guess(plumbline.VerdictBreach, .7, .9, .8, .5), labels(plumbline.VerdictOK, yesterday), []string{"nowcast page"}},
		"one that is not":              {guess(plumbline.VerdictInsufficient, .7, .9, .8, .5), labels(plumbline.VerdictOK, yesterday), []string{"nowcast ticket"}},
		"labels tell of it already":    {guess(plumbline.VerdictBreach, .7, .9, .8, .5), labels(plumbline.VerdictOK, now), nil},
		"they do not tell enough":      {guess(plumbline.VerdictBreach, .7, .9, .8, .5), labels(plumbline.VerdictInsufficient, now), []string{"nowcast page"}},
		"the bound is within":          {guess(plumbline.VerdictOK, .5, .9, .8, .5), labels(plumbline.VerdictOK, yesterday), nil},
		"it is over":                   {guess(plumbline.VerdictOK, 0, .2, .1, .5), labels(plumbline.VerdictBreach, yesterday), []string{"matured ticket"}},
		"over, but not proven":         {guess(plumbline.VerdictInsufficient, 0, .2, .1, .5), labels(plumbline.VerdictBreach, yesterday), []string{"matured page"}},
		"over, but no label may deny":  {guess(plumbline.VerdictOK, 0, .2, .1, math.NaN()), labels(plumbline.VerdictBreach, yesterday), []string{"matured page"}},
		"over, but of the same window": {guess(plumbline.VerdictOK, 0, .2, .1, .5), labels(plumbline.VerdictBreach, now.Add(-time.Hour)), []string{"matured page"}},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			c := newClocks(o, "d", func(r Replayed) {
				if !r.Fires {
					t.Errorf("%+v ends", r)
				}
				got = append(got, fmt.Sprint(r.Clock, " ", r.Severity))
			})
			if tt.nowcast != nil {
				c.nowcast, c.estimated = *tt.nowcast, true
			}
			c.tick(now, tt.labels)
			c.tick(now.Add(time.Minute), tt.labels)
			if !slices.Equal(got, tt.want) {
				t.Errorf("%v, want %v", got, tt.want)
			}
			got = nil
			c.report = func(r Replayed) { got = append(got, fmt.Sprint(r.Clock, " ", r.Severity)) }
			c.estimated = false
			c.tick(now.Add(2*time.Minute), labels(plumbline.VerdictOK, yesterday))
			if !slices.Equal(got, tt.want) {
				t.Errorf("ended: %v, want %v", got, tt.want)
			}
		})
	}
}

// A condition of an SLO file that asks to be held for a while (alertAfter) is waited
// for as the `for` of its rule is: what interrupts it begins the wait anew.
func TestAConditionIsWaitedFor(t *testing.T) {
	pair := plumbline.WindowPair{Severity: plumbline.SeverityPage, Long: 6 * time.Hour, Short: 30 * time.Minute, Factor: 6, For: 3 * time.Minute}
	o := plumbline.Objective{SLO: plumbline.SLO{Name: "s", Model: "m", Target: .9}, Pairs: []plumbline.WindowPair{pair}}
	now := origin.Add(48 * time.Hour)
	var got []string
	c := newClocks(o, "d", func(r Replayed) { got = append(got, fmt.Sprint(r.At.Sub(now).Minutes(), " ", r.Fires)) })
	for minute, breach := range []bool{true, true, false, true, true, true, true, true, false} {
		e := Evaluation{Pair: pair, Verdict: plumbline.VerdictOK, End: now}
		if breach {
			e.Verdict = plumbline.VerdictBreach
		}
		c.tick(now.Add(time.Duration(minute)*time.Minute), []Evaluation{e})
	}
	if want := []string{"6 true", "8 false"}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}
