package ask

import (
	"cmp"
	"context"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/analyze/drift"
	"github.com/plumbline-slo/plumbline/analyze/drift/alarm"
	"github.com/plumbline-slo/plumbline/analyze/drift/measure"
)

const (
	// pastWindows is how many windows auto looks back on.
	pastWindows = 14
	// pastStep is the least time between the ends of two of them: with an odd
	// number of hours they meet every hour of the day.
	pastStep = 13 * time.Hour
	// pastSeries is how many series it looks at, spread over their names.
	pastSeries = 12
)

// candidates are the references that auto chooses from, the simplest first.
func candidates() []Reference {
	return []Reference{{Kind: Sliding, Length: defaultSliding}, {Kind: SameHours, Length: defaultSameHours}, {Kind: PreviousDeploy}}
}

// choices keeps what auto chose, for the day it holds.
type choices struct {
	mu   sync.Mutex
	made map[string]alarm.Choice
}

// maxChoices bounds what is kept.
const maxChoices = 1024

func (c *choices) get(key string) (alarm.Choice, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	choice, ok := c.made[key]
	return choice, ok
}

func (c *choices) put(key string, choice alarm.Choice) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.made) >= maxChoices {
		clear(c.made)
	}
	c.made[key] = choice
}

// forget drops the choices of a model.
func (c *choices) forget(model plumbline.Model) {
	c.mu.Lock()
	defer c.mu.Unlock()
	maps.DeleteFunc(c.made, func(key string, _ alarm.Choice) bool { return strings.HasPrefix(key, prefixOf(model)) })
}

// choose returns the choice of auto. It rests on windows that ended before the
// day (UTC) in which the window in question ends, so it is the same for every
// window that ends that day.
func (a *Asker) choose(ctx context.Context, q Question, t *timeline) (alarm.Choice, error) {
	midnight := q.To.Add(-time.Hour).Truncate(day)
	length := q.To.Sub(q.From)
	key := keyOf(q, midnight, length)
	if choice, ok := a.choices.get(key); ok {
		return choice, nil
	}
	past := make([]alarm.Candidate, len(candidates()))
	for i, r := range candidates() {
		past[i].Kind = r.String()
	}
	p := q
	p.Measures, p.Series = []measure.ID{measure.PSI}, nil
	for i := range pastWindows {
		p.To = midnight.Add(-time.Duration(i) * max(pastStep, length))
		p.From = p.To.Add(-length)
		distances, err := a.pastDistances(ctx, &p, t)
		if err != nil {
			return alarm.Choice{}, err
		}
		for k, d := range distances {
			past[k].Past = append(past[k].Past, alarm.Past{End: p.To, Distance: d})
		}
	}
	choice, err := alarm.Auto(midnight, past)
	if err != nil {
		return alarm.Choice{}, err
	}
	a.choices.put(key, choice)
	return choice, nil
}

// pastDistances returns the distance of one past window from each candidate as
// it stood then. The first window with traffic says which series are looked at.
func (a *Asker) pastDistances(ctx context.Context, p *Question, t *timeline) ([]float64, error) {
	distances := make([]float64, len(candidates()))
	for i := range distances {
		distances[i] = math.NaN()
	}
	earlier, err := t.until(ctx, p.To)
	if err != nil {
		return nil, err
	}
	current, err := a.reader.Read(ctx, p.query())
	if err != nil || current.Requests == 0 {
		return distances, err
	}
	if len(p.Series) == 0 {
		p.Series = spread(current.Series(), pastSeries)
	}
	for i, r := range candidates() {
		out := Resolved{Asked: r, Chosen: r}
		if err := out.place(ctx, *p, earlier); err != nil {
			return nil, err
		}
		if out.Missing != "" {
			continue
		}
		if out.Window, err = a.reader.Sum(ctx, out.Queries...); err != nil {
			return nil, err
		}
		out.judge(*p)
		if distances[i], err = medianEffect(*p, out, current); err != nil {
			return nil, err
		}
	}
	return distances, nil
}

// medianEffect is the median over the series of the debiased distance in least
// effects.
func medianEffect(p Question, r Resolved, current drift.Window) (float64, error) {
	a := Answer{Current: current, References: []Resolved{r}}
	var effects []float64
	for _, s := range p.Series {
		rows, err := a.rows(p, s)
		if err != nil {
			return 0, err
		}
		for _, row := range rows {
			if e := row.Effect(); !math.IsNaN(e) {
				effects = append(effects, e)
			}
		}
	}
	if len(effects) == 0 {
		return math.NaN(), nil
	}
	slices.SortFunc(effects, cmp.Compare[float64])
	n := len(effects)
	return (effects[(n-1)/2] + effects[n/2]) / 2, nil
}

// spread returns at most n of the series, evenly over their order.
func spread(all []plumbline.Series, n int) []plumbline.Series {
	if len(all) <= n {
		return all
	}
	some := make([]plumbline.Series, n)
	for i := range some {
		some[i] = all[i*len(all)/n]
	}
	return some
}

// keyOf names what a choice depends on.
func keyOf(q Question, midnight time.Time, length time.Duration) string {
	shape := drift.Query{Model: q.Model, Deploys: q.Deploys, Stage: q.Stage, Segment: q.Segment, From: midnight, To: midnight.Add(length)}
	return keyOfQueries(shape)
}
