package budget

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/plumbline-slo/plumbline/analyze/dialect"
	"github.com/plumbline-slo/plumbline/testenv/figure"
)

// peerRows is the events a day of the features that peers watch, peerReference
// the rows of their reference: evenly from the days of the training set.
const peerRows, peerReference = 1_000, 5_600

// Peers returns how often Evidently and NannyML, as package dialect computes
// them, alarm on the quiet days of a scenario at their defaults: per feature and
// day, and what that makes of a model of 50 features in a quarter.
func Peers(ctx context.Context, s Scenario, features int, seed uint64) ([]figure.Figure, error) {
	var evidently, nanny, days float64
	for i := range features {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		f := newFeature(s, rand.New(rand.NewPCG(seed, uint64(i))))
		var rows []float64
		for d := range trained {
			f.next()
			rows = append(rows, f.values(d, peerReference/trained)...)
		}
		reference := dialect.Numeric(rows)
		chunks, err := dialect.NannyMLChunking(len(rows))
		if err != nil {
			return nil, fmt.Errorf("chunks of the reference: %w", err)
		}
		js, err := dialect.FitNannyMLDrift(reference, dialect.JensenShannon, chunks)
		if err != nil {
			return nil, fmt.Errorf("fit NannyML: %w", err)
		}
		for d := range month {
			f.next()
			current := dialect.Numeric(f.values(trained+d, peerRows))
			score, err := dialect.EvidentlyScore(reference, current, dialect.EvidentlyDefault(reference, current))
			if err != nil {
				return nil, fmt.Errorf("score by Evidently: %w", err)
			}
			count(&evidently, score.Alert)
			count(&nanny, js.Score(current).Alert)
			days++
		}
	}
	const quarter = 50 * 91.3
	return []figure.Figure{
		beside(s.Name+": alarms a model-quarter of 50 features, Evidently's default", evidently/days*quarter, "alarms"),
		beside(s.Name+": alarms a model-quarter of 50 features, NannyML's Jensen-Shannon", nanny/days*quarter, "alarms"),
	}, nil
}

// values returns about n values of a day as they are, bursts together.
func (f *feature) values(day, n int) []float64 {
	mean := f.level
	if day%7 >= 5 {
		mean += f.s.Week
	}
	var values []float64
	for h := range hours {
		wave := math.Sin(2 * math.Pi * (float64(h) + 0.5) / hours)
		for range poisson(f.r, float64(n)/hours/float64(f.s.Burst)*(1+f.s.Traffic*wave)) {
			v := mean + f.s.Season*wave + f.r.NormFloat64()
			for range f.s.Burst {
				values = append(values, v)
			}
		}
	}
	return values
}
