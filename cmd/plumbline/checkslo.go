package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/analyze/burn"
	"github.com/plumbline-slo/plumbline/rules"
)

// checkSLOs checks OpenSLO files as the service reads them, as one, and says of each
// file what its SLOs become.
func (c *cli) checkSLOs(files []string) error {
	checked := rules.CheckFiles(files...)
	var active []plumbline.SLO
	var errs []error
	for _, f := range checked {
		errs = append(errs, f.Err)
		active = append(active, f.SLOs...)
	}
	active = slices.DeleteFunc(active, func(s plumbline.SLO) bool { return s.Inert != "" })
	// Together: what noise may cost is shared among the SLOs of a model.
	all, err := rules.Objectives(active)
	errs = append(errs, err)
	objectives := make(map[plumbline.SLOName]plumbline.Objective, len(all))
	for _, o := range all {
		objectives[o.SLO.Name] = o
	}
	for _, f := range checked {
		if f.Err == nil && err == nil {
			fmt.Fprintf(c.stdout, "%s: ok: %s\n", f.Path, described(f.SLOs, objectives))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return usageError{err}
	}
	return nil
}

// described says in a line an SLO what it becomes. An SLO whose source nobody reads is
// correct, and is said to be inert.
func described(slos []plumbline.SLO, objectives map[plumbline.SLOName]plumbline.Objective) string {
	if len(slos) == 0 {
		return "no SLO of its own"
	}
	var lines []string
	for _, slo := range slos {
		switch {
		case slo.Inert != "":
			lines = append(lines, fmt.Sprintf("%s: correct OpenSLO that plumbline would refuse to serve: %s", slo.Name, slo.Inert))
		case slo.PartOf != "":
			lines = append(lines, fmt.Sprintf("%s (%s): part of %s at %g", slo.Name, slo.Model, slo.PartOf, slo.Target))
		default:
			lines = append(lines, fmt.Sprintf("%s (%s): %s", slo.Name, slo.Model, strings.Join(becomes(objectives[slo.Name]), "; ")))
		}
	}
	return strings.Join(lines, "\n  ")
}

// becomes says which pairs an objective has, and which of the workbook's were
// lengthened or left out.
func becomes(o plumbline.Objective) []string {
	var said []string
	for _, p := range o.Pairs {
		said = append(said, fmt.Sprintf("%s over %s and %s at burn %.3g", p.Severity, plumbline.WindowName(p.Long), plumbline.WindowName(p.Short), p.Factor))
	}
	if strict := strictTarget(o.SLO); strict != "" {
		said = append(said, strict)
	}
	if slow := sliced(o); slow != "" {
		said = append(said, slow)
	}
	set, err := rules.PairsFor(o.SLO)
	if err != nil {
		return said // it has pairs, so this cannot be
	}
	for _, p := range set.Pairs {
		if p.Rederived {
			said = append(said, "re-derived: "+p.Reason)
		}
	}
	for _, r := range set.Refused {
		said = append(said, "left out: "+r.Name+": "+strings.TrimPrefix(r.Reason, r.Name+": "))
	}
	return said
}

// strictest is how many events a bad one may stand among before a target is said to ask
// for more than most models answer in a period.
const strictest = 1e5

// strictTarget says of a target beyond five nines how many events its budget takes: of
// fewer a single bad one is more than all of it.
func strictTarget(slo plumbline.SLO) string {
	events := 1 / (1 - slo.Target)
	if events < strictest*(1+1e-6) || slo.Inert != "" {
		return ""
	}
	what := "event"
	if slo.SliceWindow > 0 {
		what = "slice"
	}
	return fmt.Sprintf("a target of %v allows one bad %s in %.0f: where fewer come in within %s, one spends more than the whole budget", slo.Target, what, events, plumbline.PeriodWords(slo.PeriodName()))
}

// sliced says of an SLO on slices of time how soon a total outage is paged: one thing
// is learnt a slice, and a page needs evidence, so that windows say little of it.
func sliced(o plumbline.Objective) string {
	slice := o.SLO.SliceWindow
	if slice == 0 {
		return ""
	}
	var first time.Duration
	for _, p := range o.Pairs {
		// Every slice of an outage is bad, so none is expected to be good by chance.
		took, ok := burn.EvidenceTime(o.SLO, p, float64(time.Hour)/float64(slice), 1, 0)
		if ok && p.Severity == plumbline.SeverityPage && (first == 0 || took < first) {
			first = took
		}
	}
	if first == 0 {
		return "a total outage is never paged"
	}
	count := (first + slice - 1) / slice
	after := strings.TrimSuffix((count * slice).String(), "0s") // of whole minutes
	return fmt.Sprintf("a total outage is paged after %s: %d slices of %s", after, count, plumbline.WindowName(slice))
}
