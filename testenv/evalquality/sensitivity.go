package evalquality

import (
	"context"
	"fmt"
	"math"

	"github.com/plumbline-slo/plumbline/analyze/estimate"
	"github.com/plumbline-slo/plumbline/testenv/figure"
)

// other is a study with one of its choices made otherwise.
type other struct {
	name   string
	change func(*Config)
}

// others are the choices that no data makes: figures that lean on one of them are
// luck, whoever made it and whatever was in sight.
func others() []other {
	out := []other{{"as it is", func(*Config) {}}}
	for _, strata := range []int{1, 2, 3, 4, 6, 7, 8, 10} {
		out = append(out, other{fmt.Sprintf("%d strata", strata), func(c *Config) { c.Strata = strata }})
	}
	return append(out,
		other{"the prior nearest to 95 % on the reference", func(c *Config) { c.Tolerated = 0 }},
		other{"the least prior within 2 points of 95 % on the reference", func(c *Config) { c.Tolerated = 0.02 }},
		other{"the service's prior", func(c *Config) { c.PriorLabels = estimate.DefaultConfig().PriorLabels }},
		other{"spread of 0 at least", func(c *Config) { c.FloorSpread = 0 }},
		other{"spread of .05 at least", func(c *Config) { c.FloorSpread = 0.05 }},
	)
}

// Sensitivity runs the study once for each of its choices made otherwise. No figure
// has a goal. Beside each stands what the reference's own windows say of it, which
// is all that one could have chosen by.
func Sensitivity(ctx context.Context, name string, w *World, c Config, delays bool) ([]figure.Figure, error) {
	var out []figure.Figure
	for _, o := range others() {
		changed := c
		o.change(&changed)
		r, err := runStudy(ctx, w, changed, delays)
		if err != nil {
			return nil, fmt.Errorf("%s, %s: %w", name, o.name, err)
		}
		say := func(what string, value float64, unit string) {
			out = append(out, plain(fmt.Sprintf("%s, %s: %s", name, o.name, what), value, unit))
		}
		if delays {
			e := ErrorsOf(r.Delayed, estimated)
			say("bias", e.Bias, "points")
			say("MAE", e.MAE, "points")
			say("MAE on the reference's own windows", r.Study.rehearsed(), "points")
		}
		for _, f := range r.randomFigures() {
			if f.Name == "coverage"+r.sampleName() || f.Name == "width over Wilson's"+r.sampleName() {
				say(f.Name, f.Value, f.Unit)
			}
		}
	}
	return out, nil
}

// rehearsed is the mean absolute error, in points, over the reference's own windows,
// each by a model of the others.
func (s *Study) rehearsed() float64 {
	sum := 0.0
	for _, p := range s.past {
		sum += 100 * math.Abs(p.Value-p.Truth)
	}
	return sum / float64(len(s.past))
}
