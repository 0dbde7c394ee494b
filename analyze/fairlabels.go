package analyze

import (
	"context"
	"fmt"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/analyze/burn"
	"github.com/plumbline-slo/plumbline/storage"
)

// fairLabels says from which share of a window's labels on they stand for the others,
// where they come the sooner for what they say. Of fraud the bad labels are in within
// hours: windows that ended where a third of all labels was in were of bad ones alone,
// and paged for it. It belongs to one goroutine.
type fairLabels struct {
	forecasts *forecasts
	days      map[fairKey]fairDay
}

type fairKey struct {
	model  plumbline.Model
	window time.Duration
}

// fairDay is what held on a day.
type fairDay struct {
	start time.Time
	share float64
}

func newFairLabels(cfg Config, db *storage.DB) *fairLabels {
	return &fairLabels{forecasts: newForecasts(cfg, db, nil), days: map[fairKey]fairDay{}}
}

// settling is how long after midnight a day's labels are known to be counted, so that
// a replay asks what the service could.
const settling = 2 * time.Hour

// objective returns an objective as it is to be evaluated at an instant: its windows
// wait for more labels where those that come first say something else. Where that
// cannot be looked up, or is not counted yet, what held last goes on.
func (l *fairLabels) objective(ctx context.Context, o plumbline.Objective, at time.Time) (plumbline.Objective, error) {
	m := l.forecasts.cfg.Models[o.SLO.Model]
	if !m.estimated() || m.Feedback.Partial() {
		return o, nil
	}
	window := time.Hour
	if pair, ok := burn.NowcastPair(o); ok {
		window = pair.Long
	}
	key, start := fairKey{o.SLO.Model, window}, at.Add(-settling).Truncate(day)
	known, ok := l.days[key]
	var err error
	if !ok || !known.start.Equal(start) {
		var counted bool
		var share float64
		if share, counted, err = l.share(ctx, o.SLO.Model, start, window); counted {
			known = fairDay{start, share}
			l.days[key] = known
		}
	}
	o.SLO.MinCoverage = max(o.SLO.MinCoverage, known.share)
	return o, err
}

// share asks what the service has counted of the model, and says whether it has, up
// to then. How it counts may have changed since, so that nothing else is kept.
func (l *fairLabels) share(ctx context.Context, model plumbline.Model, at time.Time, window time.Duration) (share float64, counted bool, err error) {
	f, err := l.forecasts.former(ctx, model)
	if err != nil || f.scope.Strata.Kind == "" || at.After(f.scope.To) {
		return 0, false, err
	}
	if window > l.forecasts.cfg.EstimateHistory/2 || !l.forecasts.nowcasted(f) {
		return 0, true, nil
	}
	if share, err = f.forecaster.FairShare(ctx, at, window); err != nil {
		return 0, false, fmt.Errorf("how labels of model %q are selected: %w", model, err)
	}
	return share, true, nil
}
