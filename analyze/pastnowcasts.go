package analyze

import (
	"context"
	"fmt"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/analyze/burn"
	"github.com/plumbline-slo/plumbline/analyze/quality/forecast"
	"github.com/plumbline-slo/plumbline/storage"
)

// PastNowcasts says what the nowcasts of objectives of quality were, hour by hour,
// from what the service has counted and was known then. It writes nothing. The
// strata are those that the service estimates by now; it may have had others. It
// is a burn.Nowcaster and belongs to one goroutine.
type PastNowcasts struct {
	forecasts *forecasts
	hours     map[modelHour]bool
	said      map[pastNowcast]burn.Nowcast
}

type modelHour struct {
	model plumbline.Model
	hour  int64
}

type pastNowcast struct {
	slo    plumbline.SLOName
	deploy plumbline.DeployHash
	hour   int64
}

// NewPastNowcasts returns those of objectives, of which only the ones of quality
// matter.
func NewPastNowcasts(cfg Config, db *storage.DB, objectives []plumbline.Objective) *PastNowcasts {
	return &PastNowcasts{forecasts: newForecasts(cfg, db, objectives), hours: map[modelHour]bool{}, said: map[pastNowcast]burn.Nowcast{}}
}

// At returns the nowcast of a deploy at a full hour, and false where there was
// none: the deploy did not serve, the model has no nowcasts, or the service has
// not counted that hour.
func (p *PastNowcasts) At(ctx context.Context, o plumbline.Objective, deploy plumbline.DeployHash, hour time.Time) (burn.Nowcast, bool, error) {
	of := modelHour{o.SLO.Model, hour.Unix()}
	if !p.hours[of] {
		if err := p.ask(ctx, o.SLO.Model, hour); err != nil {
			return burn.Nowcast{}, false, fmt.Errorf("nowcast of model %q at %s: %w", o.SLO.Model, hour.UTC().Format(time.RFC3339), err)
		}
		p.hours[of] = true
	}
	n, ok := p.said[pastNowcast{o.SLO.Name, deploy, hour.Unix()}]
	return n, ok, nil
}

// ask computes all nowcasts of a model at an hour.
func (p *PastNowcasts) ask(ctx context.Context, model plumbline.Model, hour time.Time) error {
	f := p.forecasts.models[model]
	if f == nil {
		var err error
		if f, err = p.forecasts.former(ctx, model); err != nil {
			return err
		}
		p.forecasts.models[model] = f
	}
	if f.scope.Strata.Kind == "" || !p.forecasts.nowcasted(f) {
		return nil
	}
	if hour.After(f.scope.To) {
		// Hours without predictions are not counted, and the service speaks on.
		if end, err := p.forecasts.reader.Newest(ctx, model, f.scope.To, hour); err != nil || !end.IsZero() {
			return err
		}
	}
	served, err := serving(ctx, p.forecasts.conn, model, hour)
	if err != nil {
		return err
	}
	for _, t := range served {
		all, err := p.forecasts.evaluate(ctx, f, t, hour)
		if err != nil {
			return err
		}
		for _, n := range all {
			p.said[pastNowcast{n.objective.SLO.Name, n.deploy, hour.Unix()}] = n.Nowcast
		}
	}
	f.forecaster.Forget(hour)
	return nil
}

// former returns what the service counted of a model last, and how; of no kind of
// strata where it counted nothing.
func (l *forecasts) former(ctx context.Context, model plumbline.Model) (*forecastOf, error) {
	scope, err := l.reader.Former(ctx, model)
	if err != nil {
		return nil, err
	}
	f := &forecastOf{}
	f.task, scope.Classes = l.cfg.Models[model].answers(scope.Classes)
	if f.task == forecast.Regression && l.cfg.Models[model].Task == "" && scope.Strata.Kind != "" {
		// What is counted names classes only where there are two.
		classes, err := l.reader.Classes(ctx, model, scope.To.Add(-classesOver), scope.To)
		if err != nil {
			return nil, err
		}
		if len(classes) > 0 {
			f.task = forecast.Classes
		}
	}
	f.scope = scope
	f.forecaster = forecast.New(l.cfg.forecast(model), l.reader, scope, f.task)
	return f, nil
}

var _ burn.Nowcaster = (*PastNowcasts)(nil)
