package analyze

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/analyze/burn/budget"
)

// What budgets rest on, by how they are counted.
const (
	assumesBudgetOfEvents = "every event counts once it has come in, of all deploys together"
	assumesBudgetOfLabels = "labels that are not in yet have spent nothing"
	assumesBudgetOfParts  = "parts burn their own budgets, and are weighed as the objective says"
)

func budgetsOf(conn budget.Querier, objectives []plumbline.Objective) budget.Reader {
	r := budget.Reader{Conn: conn, Patience: patience, SLOs: make(map[plumbline.SLOName]plumbline.SLO, len(objectives))}
	for _, o := range objectives {
		r.SLOs[o.SLO.Name] = o.SLO
	}
	return r
}

// pauseBudgets leaves nine tenths of the time to others, as far as rules do not lose
// sight of what was found.
func (r *Runner) pauseBudgets(took time.Duration) time.Duration {
	return max(r.cfg.BudgetInterval-took, min(9*took, mostPause-took), 0)
}

// lookBudgets says of every objective what is left of the budget of its period.
func (r *Runner) lookBudgets(ctx context.Context, now time.Time, keep keeper) error {
	slos := make([]plumbline.SLO, len(r.objectives))
	for i, o := range r.objectives {
		slos[i] = o.SLO
	}
	spent, err := r.budgets.All(ctx, slos, now.Truncate(time.Minute))
	var findings []Finding
	for _, slo := range slos {
		of, ok := spent[slo.Name]
		if !ok {
			continue // the error says why
		}
		found := []Finding{budgetFinding(slo, of)}
		if slo.SLI.Is(plumbline.SLIQuality) {
			r.cfg.withhold(found)
		}
		findings = append(findings, found...)
	}
	return errors.Join(err, keep(findings))
}

// budgetFinding says what is left of one budget. Of a period that was not seen as a
// whole it says what that part would leave, and that it is not enough to judge by.
func budgetFinding(slo plumbline.SLO, spent budget.Spent) Finding {
	f := newFinding(plumbline.SignalBudget, plumbline.MeasureBudgetLeft)
	f.Model, f.SLO, f.Deploy, f.Stage = slo.Model, slo.Name, slo.Deploy, plumbline.StageProduction
	f.Window, f.Period, f.WindowEnd, f.Count = slo.Period, slo.PeriodName(), spent.End, spent.Total
	if !countsWhole(slo) {
		f.Count = 0 // thousandths are no events
	}
	f.Value, f.Coverage, f.Assumes = spent.Left(slo.Target), spent.Seen(), assumesBudgetOfEvents
	switch {
	case slo.SLI.Is(plumbline.SLIComposite):
		f.Assumes = assumesBudgetOfParts
	case slo.SLI.Is(plumbline.SLIQuality):
		f.Assumes = assumesBudgetOfLabels
	}
	switch {
	case math.IsNaN(f.Value):
		f.Verdict = plumbline.VerdictMissing
	case !spent.Known():
		f.Verdict = plumbline.VerdictInsufficient
		f.Assumes = fmt.Sprintf("nothing was counted before %s, of a period from %s on; %s", spent.First.UTC().Format(time.RFC3339), spent.From.UTC().Format(time.RFC3339), f.Assumes)
	case f.Value > 0:
		f.Verdict = plumbline.VerdictOK
	default:
		f.Verdict = plumbline.VerdictBreach
	}
	return f
}
