package web

import (
	"cmp"
	"slices"

	plumbline "github.com/plumbline-slo/plumbline"
)

// budgetView is what is left of the error budget of one SLO's period.
type budgetView struct {
	SLO, Period string
	// Left is 1 of an untouched budget, 0 of one that is spent and less of one that is
	// overspent. Nil is no data.
	Left *float64
	// Counted is how many events, or slices of time, that is of; 0 is not told.
	Counted uint64
	State   state
	// Why says what the number rests on, or why there is none to judge by.
	Why string
}

// Spent reports a budget that is gone, which is worth a colour.
func (v budgetView) Spent() bool { return v.State == stateBreach }

// nearlySpent is what is left of a budget that is called close.
const nearlySpent = 0.25

// budgets puts what was said of budgets beside the objectives of a model, the worst
// first. An objective of which nothing was said has no data.
func (c Config) budgets(model string, rows []budgetRow) []budgetView {
	var views []budgetView
	for _, o := range c.Objectives {
		if string(o.SLO.Model) != model {
			continue
		}
		views = append(views, newBudgetView(o.SLO, rows))
	}
	slices.SortStableFunc(views, func(a, b budgetView) int { return cmp.Compare(a.State.rank(), b.State.rank()) })
	return views
}

func newBudgetView(slo plumbline.SLO, rows []budgetRow) budgetView {
	v := budgetView{SLO: string(slo.Name), Period: slo.PeriodName(), State: stateMissing, Why: "nothing was said of it in 10 minutes"}
	for _, r := range rows {
		if r.SLO != v.SLO || r.Model != string(slo.Model) {
			continue
		}
		v.Left, v.Counted, v.State, v.Why = finite(r.Left), r.Counted, stateOfVerdict(r.Verdict), r.Assumes
		if v.State == stateOK && r.Left < nearlySpent {
			v.State = stateNear
		}
	}
	return v
}

// leastLeft is the budget of which least is left, among those that were judged; nil if
// none was.
func leastLeft(views []budgetView) *budgetView {
	var least *budgetView
	for i := range views {
		v := &views[i]
		if v.Left != nil && v.State != stateMissing && (least == nil || *v.Left < *least.Left) {
			least = v
		}
	}
	return least
}
