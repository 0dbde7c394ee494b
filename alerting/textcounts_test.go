package alerting_test

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/alerting"
)

// counting is an alert as the generated rules write it of events as they come: what
// they compare is the share itself.
func counting(changes map[string]string) alerting.Alert {
	a := example(plumbline.SeverityPage)
	for _, name := range []string{plumbline.AnnotationHighValue, plumbline.AnnotationCoverage, plumbline.AnnotationBudgetLeft} {
		delete(a.Annotations, name)
	}
	maps.Copy(a.Annotations, map[string]string{
		plumbline.AnnotationValue: "15.9%", plumbline.AnnotationLongValue: "15.9%", plumbline.AnnotationShortValue: "20%",
		plumbline.AnnotationTarget: "99%", plumbline.AnnotationBurnRate: "15.90", plumbline.AnnotationPeriod: "30d",
	})
	maps.Copy(a.Annotations, changes)
	return a
}

// The ticket of an SLO that nothing is known of says why, where that is known, and a
// burn and an end do not.
func TestATicketSaysWhyNothingIsKnown(t *testing.T) {
	ex := alerting.Explanation{Unknown: "it could not be counted: Unknown identifier `latenzy`"}
	says := func(a alerting.Alert) string {
		return alerting.RenderText(alerting.NewText([]alerting.Alert{a}, flights, ex, nil, noon))
	}
	missing := with(example(plumbline.SeverityTicket), plumbline.LabelAlert, plumbline.AlertSLOMissing)
	if text := says(missing); !strings.Contains(text, "Not known") || !strings.Contains(text, ex.Unknown) {
		t.Errorf("the ticket does not say %q:\n%s", ex.Unknown, text)
	}
	over := with(missing, plumbline.LabelSeverity, plumbline.SeverityTicket)
	over.EndsAt = noon.Add(-time.Minute)
	for _, other := range []alerting.Alert{example(plumbline.SeverityTicket), over} {
		if text := says(other); strings.Contains(text, "latenzy") {
			t.Errorf("it is told of what it is not about:\n%s", text)
		}
	}
}

// What counts events says the observed share, of how many, and nothing it does not
// know.
func TestAPageOfCounts(t *testing.T) {
	windows := []alerting.WindowShare{
		{Window: "1h", Bad: 0.159, Low: 0.138, High: 0.183, Events: 1000, What: "requests"},
		{Window: "5m", Bad: 0.2, Low: math.NaN(), High: math.NaN(), Events: 80, What: "requests"},
	}
	for name, c := range map[string]struct {
		change map[string]string
		ex     alerting.Explanation
		says   []string
		not    []string
	}{
		"all known": {
			nil, alerting.Explanation{Windows: windows, NoDrift: "no reference"},
			[]string{
				"15.9 % bad over 1h, 20 % over 5m, 15.9 times too fast", "159 of 1,000 requests over 1h, 16 of 80 over 5m",
				"lasts 1d 21h at this rate (between 1d 15h and 2d 4h)", "Drift is not known (no reference): look at the segments and the deploy.", "Alert since 2026",
			},
			[]string{"at least", "No feature drifted"},
		},
		"drift is measured": {nil, alerting.Explanation{}, []string{"No feature drifted: look at the segments"}, []string{"not known", "Counted", "between"}},
		"another moment": {nil, alerting.Explanation{Windows: []alerting.WindowShare{
			{Window: "1h", Bad: 0.3, Low: 0.28, High: 0.32, Events: 1000, What: "requests"}, {Window: "5m", Bad: 0.5, Low: 0.4, High: 0.6, Events: 80, What: "requests"},
		}}, []string{"lasts 1d 21h at this rate\n"}, []string{"Counted", "300 of", "40 of"}},
		"another moment of one": {nil, alerting.Explanation{Windows: []alerting.WindowShare{
			windows[0], {Window: "5m", Bad: 0.5, Low: 0.4, High: 0.6, Events: 80, What: "requests"},
		}}, []string{"159 of 1,000 requests over 1h"}, []string{"40 of"}},
		"no lower end above 0":   {nil, alerting.Explanation{Windows: []alerting.WindowShare{{Window: "1h", Bad: 0.159, High: 0.183}}}, []string{"(at least 1d 15h)"}, nil},
		"all of a few":           {map[string]string{plumbline.AnnotationValue: "100%", plumbline.AnnotationLongValue: "100%"}, alerting.Explanation{Windows: []alerting.WindowShare{{Window: "1h", Bad: 1, Low: 0.566, High: 1, Events: 5}}}, []string{"lasts 7h 12m at this rate (between 7h 12m and 12h 43m)", "5 of 5 over 1h"}, nil},
		"all of very many":       {map[string]string{plumbline.AnnotationValue: "100%", plumbline.AnnotationLongValue: "100%"}, alerting.Explanation{Windows: []alerting.WindowShare{{Window: "1h", Bad: 1, Low: 0.99999, High: 1}}}, []string{"lasts 7h 12m at this rate\n"}, nil},
		"a value alone":          {map[string]string{plumbline.AnnotationLongValue: ""}, alerting.Explanation{}, []string{"15.9 % bad, over 1h/5m"}, []string{"at least"}},
		"a calendar month":       {map[string]string{plumbline.AnnotationPeriod: "1M"}, alerting.Explanation{}, []string{"the whole error budget of a calendar month lasts 1d 21h"}, []string{"1M"}},
		"what is left of months": {map[string]string{plumbline.AnnotationPeriod: "3M"}, alerting.Explanation{Windows: []alerting.WindowShare{{Window: "3M", Bad: 0.005}}}, []string{"50 % of the error budget of 3 calendar months is left"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			page := alerting.RenderText(alerting.NewText([]alerting.Alert{counting(c.change)}, flights, c.ex, nil, noon))
			for _, want := range c.says {
				if !strings.Contains(page, want) {
					t.Errorf("the page does not say %q:\n%s", want, page)
				}
			}
			for _, wrong := range c.not {
				if strings.Contains(page, wrong) {
					t.Errorf("the page says %q:\n%s", wrong, page)
				}
			}
		})
	}
}

// A month is as long as it is.
func TestTheLengthOfAMonth(t *testing.T) {
	for at, days := range map[time.Time]int{noon: 30, noon.AddDate(0, 1, 0): 31, time.Date(2028, 2, 29, 23, 0, 0, 0, time.UTC): 29} {
		a := counting(map[string]string{plumbline.AnnotationPeriod: "1M", plumbline.AnnotationLongValue: "1%", plumbline.AnnotationValue: "1%"})
		got, ok := alerting.NewText([]alerting.Alert{a}, flights, alerting.Explanation{}, nil, at).Exhaustion()
		if want := time.Duration(days) * 24 * time.Hour; !ok || (got.At-want).Abs() > time.Second {
			t.Errorf("%s: %s, want %s", at, got.At, want)
		}
	}
}

// Whatever rule and explainer say, and whenever: an interval holds its estimate.
func TestTheIntervalOfExhaustionHoldsItsEstimate(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	share := func() string { return []string{"", "NaN", fmt.Sprintf("%.4g%%", 100*r.Float64()), "100%"}[r.IntN(4)] }
	number := func() float64 { return []float64{0, 1, math.NaN(), r.Float64()}[r.IntN(4)] }
	intervals := 0
	for range 20000 {
		a := counting(map[string]string{
			plumbline.AnnotationValue: share(), plumbline.AnnotationLongValue: share(), plumbline.AnnotationHighValue: share(), plumbline.AnnotationTarget: share(),
		})
		ex := alerting.Explanation{Windows: []alerting.WindowShare{{Window: "1h", Bad: number(), Low: number(), High: number()}}}
		e, ok := alerting.NewText([]alerting.Alert{a}, flights, ex, nil, noon).Exhaustion()
		if ok && (e.Soonest > e.At || e.Latest > 0 && e.Latest < e.At) {
			t.Fatalf("%+v of %v and %+v", e, a.Annotations, ex.Windows)
		}
		if ok && e.Soonest > 0 && e.Latest > 0 {
			intervals++
		}
	}
	if intervals < 100 {
		t.Errorf("only %d intervals were looked at", intervals)
	}
}

// What the rule does not say of its windows, the explainer may.
func TestWindowsFillInWhatTheRuleLeftOut(t *testing.T) {
	a := example(plumbline.SeverityPage)
	delete(a.Annotations, plumbline.AnnotationHighValue)
	delete(a.Annotations, plumbline.AnnotationBudgetLeft)
	windows := []alerting.WindowShare{{Window: "60m", Bad: 0.412, Low: 0.37, High: 0.5}, {Window: "7d", Bad: 0.04, High: math.NaN()}, {Window: "?"}}
	text := alerting.NewText([]alerting.Alert{a}, flights, alerting.Explanation{Windows: windows}, nil, noon)
	if b := text.Burns[0]; b.High != (alerting.Known{V: 0.5, OK: true}) {
		t.Errorf("high %+v", b.High)
	}
	if b := text.Burns[0]; b.Low.V != 0.381 {
		t.Errorf("what the rule says goes before: low %+v", b.Low)
	}
	// 4 % bad of 10 % allowed.
	if left := text.BudgetLeft; !left.OK || math.Abs(left.V-0.6) > 1e-12 {
		t.Errorf("left %+v, want 0.6", left)
	}
	said := alerting.NewText([]alerting.Alert{example(plumbline.SeverityPage)}, flights, alerting.Explanation{Windows: windows}, nil, noon)
	if said.Burns[0].High.V != 0.445 || said.BudgetLeft.V != 0.61 {
		t.Errorf("what the rule says goes before: %+v, %+v", said.Burns[0].High, said.BudgetLeft)
	}
}
