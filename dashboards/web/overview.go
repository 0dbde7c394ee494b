package web

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
)

type overview struct {
	section
	Now        time.Time
	GrafanaURL string
	Models     []modelRow
	Incidents  int
	Service    []troubleRow
}

// stateCount is how many models are in a state.
type stateCount struct {
	State state
	N     int
}

// Counts says how many models are in each state that any is in, worst first.
func (o overview) Counts() []stateCount {
	var counts []stateCount
	for _, m := range o.Models { // sorted by state
		if len(counts) == 0 || counts[len(counts)-1].State != m.State {
			counts = append(counts, stateCount{State: m.State})
		}
		counts[len(counts)-1].N++
	}
	return counts
}

// modelRow is one model on the first page.
type modelRow struct {
	Name     string
	Owner    string
	Declared bool
	// Hour is the number of production predictions of the last hour; nil is no data.
	Hour *uint64
	// Last is the newest of them in 90 days; zero is none.
	Last     time.Time
	Accuracy *float64
	// Partial says that there is no Accuracy, but Bounds of it.
	Partial  bool
	Bounds   *bounds
	Coverage *float64
	Labelled int64
	Pair     *burnPair
	HasSLO   bool
	// Budget is that of the SLO with least left, nil if none was judged.
	Budget *budgetView
	// Silent is an SLO of which nothing is known, empty if there is none.
	Silent string
	// NeverAlerts says that Silent is on the accuracy of a model with partial feedback.
	NeverAlerts bool
	// CountsLabels says that an SLO of the model is on accuracy.
	CountsLabels bool
	// Incidents are those that are open, what most needs somebody first.
	Incidents []incidentRow
	State     state
	Why       string
}

func (p *Page) overview(ctx context.Context, now time.Time) overview {
	view := overview{Now: now, GrafanaURL: p.cfg.GrafanaURL}
	traffic := read[trafficRow](ctx, p, &view.section, "traffic", at(now))
	quality := read[qualityRow](ctx, p, &view.section, "quality", at(now))
	burns := read[burnRow](ctx, p, &view.section, "burns", at(now), forModel(""))
	budgets := read[budgetRow](ctx, p, &view.section, "budgets", at(now), forModel(""))
	incidents := read[incidentRow](ctx, p, &view.section, "incidents", at(now), forModel(""))
	view.Incidents = len(incidents)
	view.Service = read[troubleRow](ctx, p, &view.section, "service", at(now))
	for _, name := range p.models(traffic, quality, burns, incidents) {
		row := p.modelRow(name, traffic, quality, burns, incidents)
		row.Budget = leastLeft(p.cfg.budgets(name, budgets))
		row.State, row.Why = row.judge(now)
		if view.Err != nil {
			// What is left of the page may look complete and is not.
			row.State, row.Why = stateMissing, "a query failed"
		}
		view.Models = append(view.Models, row)
	}
	slices.SortStableFunc(view.Models, func(a, b modelRow) int {
		return cmp.Or(cmp.Compare(a.State.rank(), b.State.rank()), cmp.Compare(a.urgency(), b.urgency()), cmp.Compare(a.Name, b.Name))
	})
	return view
}

// models returns every model that is declared or has left a trace.
func (p *Page) models(traffic []trafficRow, quality []qualityRow, burns []burnRow, incidents []incidentRow) []string {
	names := p.cfg.declared()
	for _, r := range traffic {
		names = append(names, r.Model)
	}
	for _, r := range quality {
		names = append(names, r.Model)
	}
	for _, r := range burns {
		names = append(names, r.Model)
	}
	for _, r := range incidents {
		names = append(names, r.Model)
	}
	slices.Sort(names)
	names = slices.Compact(names)
	return slices.DeleteFunc(names, func(name string) bool { return name == "" })
}

func (p *Page) modelRow(name string, traffic []trafficRow, quality []qualityRow, burns []burnRow, incidents []incidentRow) modelRow {
	row := modelRow{Name: name, Partial: p.cfg.partial(name)}
	row.Owner, row.Declared = p.cfg.ownerOf(name)
	for _, t := range traffic {
		if t.Model == name {
			if t.Last.Unix() > 0 { // or it answers in other stages only
				row.Last = t.Last
			}
			if t.Hour > 0 {
				row.Hour = &t.Hour
			}
		}
	}
	for _, q := range quality {
		if q.Model == name {
			row.Labelled = q.Labelled
			if row.Partial {
				row.Bounds = boundsOf(q.Correct, q.Labelled, q.Requests)
			} else {
				row.Accuracy = share(q.Correct, q.Labelled)
			}
			row.Coverage = share(min(q.Labelled, q.Requests), q.Requests)
		}
	}
	pairs := p.cfg.burnPairs(name, burns)
	row.HasSLO, row.Pair, row.Silent = len(pairs) > 0, worstPair(pairs), silentSLO(pairs)
	row.NeverAlerts = p.cfg.neverAlerts(name, row.Silent)
	row.CountsLabels = p.cfg.targetOf(name) != nil
	for _, i := range incidents {
		if i.Model == name {
			i.Runbook = p.cfg.runbookOf(i)
			row.Incidents = append(row.Incidents, i)
		}
	}
	slices.SortStableFunc(row.Incidents, func(a, b incidentRow) int { return cmp.Compare(a.rank(), b.rank()) })
	return row
}

// runbookOf names the page of what began an incident, an SLO's own where it has one. A
// page is a burn, whatever was a ticket before it, but for labels that stay away.
func (c Config) runbookOf(i incidentRow) string {
	switch {
	case i.Name == plumbline.AlertLabelsSilent:
		return plumbline.SLI{Kind: plumbline.SLILabelArrival}.Runbook()
	case i.Name == plumbline.AlertSLOMissing && i.Severity != plumbline.SeverityPage:
		return "slo-missing"
	case i.Name == plumbline.AlertConceptDrift:
		return "concept-drift"
	}
	for _, o := range c.Objectives {
		if string(o.SLO.Name) == i.SLO && string(o.SLO.Model) == i.Model {
			return cmp.Or(o.SLO.Runbook, o.SLO.SLI.Runbook())
		}
	}
	return plumbline.SLI{}.Runbook()
}

// Elsewhere reports whether the runbook is no page of ours.
func (i incidentRow) Elsewhere() bool {
	return strings.HasPrefix(i.Runbook, "https://") || strings.HasPrefix(i.Runbook, "http://")
}

// Incident is the one that most needs somebody, nil if none is open.
func (m modelRow) Incident() *incidentRow {
	if len(m.Incidents) == 0 {
		return nil
	}
	return &m.Incidents[0]
}

// urgency orders models of one state: a page that nobody has taken before one that
// somebody has, tickets behind them, and last what has no incident.
func (m modelRow) urgency() int {
	if i := m.Incident(); i != nil {
		return i.rank()
	}
	return 4
}

// Others is how many more are open.
func (m modelRow) Others() int { return max(len(m.Incidents)-1, 0) }

// judge says how the model is doing and why, the worst reason first. It is
// healthy only if everything was measured.
func (m modelRow) judge(now time.Time) (state, string) {
	switch {
	case len(m.Incidents) > 0:
		return stateBreach, "incident open"
	case m.Pair != nil && m.Pair.State == stateBreach:
		return stateBreach, fmt.Sprintf("%s burns beyond its %s threshold", m.Pair.SLO, m.Pair.Severity)
	case m.Last.IsZero():
		return stateMissing, "no production prediction in 90 days"
	case m.Hour == nil:
		return stateMissing, "no production prediction for " + ago(now, m.Last)
	case !m.Declared:
		return stateUndeclared, "stored and shown; nobody owns it and nothing alerts"
	case !m.HasSLO:
		return stateMissing, "no SLO is declared, so nothing can page"
	case m.NeverAlerts:
		return stateMissing, "SLO " + m.Silent + " never alerts: " + decidesItself
	case m.Silent != "":
		return stateMissing, "nothing known of " + m.Silent + " in 10 minutes"
	case m.Accuracy == nil && m.Bounds == nil && m.CountsLabels:
		return stateMissing, "no label for a prediction of 24 hours"
	case m.Pair.State == stateNear && m.Pair.Waits:
		return stateNear, fmt.Sprintf("%s is beyond its %s threshold, as noise may be", m.Pair.SLO, m.Pair.Severity)
	case m.Pair.State == stateNear:
		return stateNear, fmt.Sprintf("%s is over half way to its %s threshold", m.Pair.SLO, m.Pair.Severity)
	}
	return stateOK, ""
}
