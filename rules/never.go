package rules

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/analyze/drift/measure"
	"github.com/plumbline-slo/plumbline/analyze/quality/fairness"
)

// This file is about what is well written and could never do anything.

// neverFires says why a condition of an SLO can never fire, if so, in which field that
// is, and how to mend it.
func neverFires(slo plumbline.SLO, c plumbline.BurnCondition) (field, problem, fix string) {
	if c.Lookback < slo.SliceWindow {
		return "lookbackWindow",
			fmt.Sprintf("can never fire for SLO %s: no slice of %s fits into %s", slo.Name, plumbline.WindowName(slo.SliceWindow), plumbline.WindowName(c.Lookback)),
			fmt.Sprintf("lengthen its lookbackWindow to %s at least, or shorten timeSliceWindow", plumbline.WindowName(slo.SliceWindow))
	}
	if slo.Period > 0 && c.Lookback > slo.Period {
		return "lookbackWindow",
			fmt.Sprintf("is longer than the period of SLO %s (%s): bad events that its budget has forgotten would still alert", slo.Name, slo.PeriodName()),
			fmt.Sprintf("write a lookbackWindow of %s at most", plumbline.WindowName(slo.Period))
	}
	if bad := c.Factor * (1 - slo.Target); bad >= 1 {
		return "threshold",
			fmt.Sprintf("can never fire for SLO %s: a burn of %g asks for a bad share beyond %.3g at a target of %g", slo.Name, c.Factor, bad, slo.Target),
			fmt.Sprintf("lower its threshold below %.3g", 1/(1-slo.Target))
	}
	return "", "", ""
}

// noPairError says that no pair of an SLO can fire, and of each why.
type noPairError struct {
	slo     plumbline.SLO
	refused []Refused
}

const fixNoPair = "raise the target or lengthen the period"

func (e *noPairError) Error() string {
	return fmt.Sprintf("SLO %s: %s; %s", e.slo.Name, e.problem(), fixNoPair)
}

func (e *noPairError) problem() string {
	reasons := make([]string, len(e.refused))
	for i, r := range e.refused {
		reasons[i] = r.Reason
	}
	return fmt.Sprintf("no window pair can fire for %v over %s (%s)", e.slo.Target, plumbline.PeriodWords(e.slo.PeriodName()), strings.Join(reasons, ", "))
}

// fires reports the conditions of an SLO that can never fire, each where it stands, and
// an SLO for which no pair can.
func (o *object) fires(slo plumbline.SLO, objectives []objective, places []*object) {
	if slo.Inert != "" {
		return // nothing is derived of it
	}
	never := false
	for i, c := range slo.Conditions {
		if field, problem, fix := neverFires(slo, c); problem != "" {
			places[i].fail(field, problem, fix)
			never = true
		}
	}
	var none *noPairError
	if _, err := PairsFor(slo); never || !errors.As(err, &none) {
		return
	}
	at, key := o, "objectives"
	if len(slo.Parts) == 0 {
		at, key = objectives[0].object, "target"
		if at.has("targetPercent") {
			key = "targetPercent"
		}
	}
	at.fail(key, none.problem(), fixNoPair)
}

// measures are those of the findings that an SLI of a kind may bound.
func measures(k plumbline.SLIKind) (names []string) {
	switch k {
	case plumbline.SLIDrift:
		for _, d := range measure.Table() {
			names = append(names, string(d.ID))
		}
	case plumbline.SLIFairness:
		for _, suffix := range []string{"_gap", "_difference", "_ratio"} {
			for _, c := range fairness.Criteria() {
				names = append(names, string(c)+suffix)
			}
		}
	case plumbline.SLIKPI:
		names = []string{plumbline.MeasureKPI}
	}
	return names
}

// measure reads which measure of its findings an SLI bounds: any other has no findings,
// so that nothing would ever be known of the SLO.
func (f fields) measure(k plumbline.SLIKind) string {
	known := measures(k)
	fix := "write one of " + strings.Join(known, ", ")
	if k == plumbline.SLIKPI {
		fix = "write " + plumbline.MeasureKPI + ", and the name of the figure as " + f.key("feature")
	}
	m := f.required(f.key("measure"), fix)
	if strings.TrimSpace(m) != "" && !slices.Contains(known, m) {
		f.wrong("measure", fmt.Sprintf("%q is no measure of %s", m, k), fix)
	}
	return m
}
