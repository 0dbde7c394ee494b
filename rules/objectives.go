package rules

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/plumbline-slo/plumbline"
)

// What noise may cost, a model and year, over all of its objectives and pairs: one
// false page. A ticket needs no evidence beyond the workbook's condition: its
// slowest pair is at a burn of 1, where an SLO that is just met is, and where no
// evidence against being met can be.
const (
	falsePagesPerYear = 1.0
	minutesPerYear    = 365.25 * 24 * 60
)

// longestEvidence is the longest window that evidence is looked for in.
const longestEvidence = 7 * 24 * time.Hour

// Objectives derives the window pairs of the SLOs, in the order of their names,
// and shares the noise allowed to a model among its pairs. Parts of composites
// are among them, without pairs of their own. An SLO for which no pair can fire
// is an error that says why, and so is an inert one.
func Objectives(slos []plumbline.SLO) ([]plumbline.Objective, error) {
	sorted := slices.Clone(slos)
	slices.SortFunc(sorted, func(a, b plumbline.SLO) int { return strings.Compare(string(a.Name), string(b.Name)) })
	all := make([]plumbline.Objective, 0, len(sorted))
	pages := make(map[plumbline.Model]int)
	var errs []error
	for i, slo := range sorted {
		switch {
		case i > 0 && sorted[i-1].Name == slo.Name:
			errs = append(errs, fmt.Errorf("SLO %s is given twice", slo.Name))
			continue
		case slo.Inert != "":
			errs = append(errs, fmt.Errorf("SLO %s: nothing would evaluate it: %s", slo.Name, slo.Inert))
			continue
		}
		o := plumbline.Objective{SLO: slo}
		if slo.PartOf == "" {
			set, err := PairsFor(slo)
			if err != nil {
				errs = append(errs, err)
				continue
			}
			for _, p := range set.Pairs {
				o.Pairs = append(o.Pairs, p.WindowPair)
				// A shadow pages nobody, so it must not make others page later.
				if p.Severity == plumbline.SeverityPage && !slo.Shadow {
					pages[slo.Model]++
				}
			}
		}
		all = append(all, o)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	table, err := Windows()
	if err != nil {
		return nil, err
	}
	for _, o := range all {
		for i, p := range o.Pairs {
			if p.Severity != plumbline.SeverityPage {
				continue
			}
			o.Pairs[i].Noise = falsePagesPerYear / minutesPerYear / float64(max(pages[o.SLO.Model], 1))
			o.Pairs[i].Evidence = table.evidence(p.Long)
		}
	}
	return all, nil
}

// evidence returns the windows in which evidence for a pair is looked for: its
// own and half of it, and the longer ones that little traffic needs.
func (t WindowTable) evidence(long time.Duration) []time.Duration {
	windows := []time.Duration{long}
	if half := long / 2; half%time.Minute == 0 {
		windows = []time.Duration{half, long}
	}
	for _, step := range t.Ladder {
		if step > long && step <= longestEvidence {
			windows = append(windows, step)
		}
	}
	return windows
}
