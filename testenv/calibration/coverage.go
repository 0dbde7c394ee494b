package calibration

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/plumbline-slo/plumbline/analyze/drift/measure"
	"github.com/plumbline-slo/plumbline/testenv/figure"
)

// Truth is one pair of distributions whose distances are known.
type Truth struct {
	Name          string
	Size, Current int
	Pairs         int
	// Distance is the true one, Held the share of intervals that hold it.
	Distance, Held map[measure.ID]float64
	p, q           []float64
	cell           Cell
	buckets        []int32
}

// Truths returns pairs of distributions from equal to far apart: 8 and 20
// categories, and numbers shifted by parts of their standard deviation.
func (c Config) Truths() []Truth {
	var truths []Truth
	for _, size := range [][2]int{{2_000, 700}, {20_000, 20_000}} {
		for _, k := range []int{8, 20} {
			for _, far := range []float64{0, 0.1, 0.5, 1} {
				p := Geometric.shares(k)
				t := Truth{Name: fmt.Sprintf("n=%d m=%d K=%d, log shares off by %g", size[0], size[1], k, far),
					Size: size[0], Current: size[1], Pairs: c.Pairs, p: p, q: tilted(p, far),
					cell: Cell{Categories: k, Shape: Geometric}}
				_, t.buckets = t.cell.distribution()
				truths = append(truths, t)
			}
		}
		for _, kind := range []Kind{Normal, Zeros} {
			for _, far := range []float64{0, 0.1, 1} {
				t := Truth{Name: fmt.Sprintf("n=%d m=%d %s, shifted by %g sd", size[0], size[1], kind, far),
					Size: size[0], Current: size[1], Pairs: c.Pairs, cell: Cell{Kind: kind}}
				t.buckets, t.p = kind.buckets(0)
				t.q = onto(t.buckets, kind, far)
				truths = append(truths, t)
			}
		}
	}
	return truths
}

// tilted multiplies shares by the exponential of up to so much.
func tilted(p []float64, far float64) []float64 {
	q, sum := make([]float64, len(p)), 0.0
	for i := range p {
		q[i] = p[i] * math.Exp(far*math.Sin(float64(i)))
		sum += q[i]
	}
	for i := range q {
		q[i] /= sum
	}
	return q
}

// onto returns the shares of the shifted kind in the buckets, which hold all of
// it but a millionth.
func onto(buckets []int32, kind Kind, shift float64) []float64 {
	at, shares := kind.buckets(shift)
	of := map[int32]float64{}
	for i, b := range at {
		of[b] = shares[i]
	}
	q := make([]float64, len(buckets))
	for i, b := range buckets {
		q[i] = of[b]
	}
	return q
}

// Cover draws pairs of samples and fills in how many intervals hold the truth.
func Cover(ctx context.Context, seed uint64, truths []Truth) error {
	return parallel(len(truths), func(i int) error {
		if err := truths[i].simulate(ctx, seed); err != nil {
			return fmt.Errorf("intervals, %s: %w", truths[i].Name, err)
		}
		return nil
	})
}

func (t *Truth) simulate(ctx context.Context, seed uint64) error {
	o := measure.DefaultOptions()
	t.Distance, t.Held = map[measure.ID]float64{}, map[measure.ID]float64{}
	truth, err := t.cell.compare(o, t.buckets, great(t.p), great(t.q))
	if err != nil {
		return err
	}
	for _, r := range truth {
		t.Distance[r.Measure] = r.Value
	}
	random := rand.New(rand.NewChaCha8(key(seed, t.Name)))
	p, q := newSource(random, t.p), newSource(random, t.q)
	for range t.Pairs {
		if err := ctx.Err(); err != nil {
			return err
		}
		results, err := t.cell.compare(o, t.buckets, p.sample(t.Size), q.sample(t.Current))
		if err != nil {
			return err
		}
		for _, r := range results {
			d := t.Distance[r.Measure]
			t.Held[r.Measure] += met(r.Low <= d*(1+1e-6)+1e-9 && d <= r.High*(1+1e-6)) / float64(t.Pairs)
		}
	}
	return nil
}

// great returns counts of so many events that they have no noise. They are equal
// where the shares are.
func great(shares []float64) []uint64 {
	counts := make([]uint64, len(shares))
	for i, p := range shares {
		counts[i] = uint64(1e12 * p)
	}
	return counts
}

// CoverFigures returns, for each measure, the least share of intervals that hold
// the truth; errors as in Figures.
func CoverFigures(truths []Truth, errors float64) []figure.Figure {
	var figures []figure.Figure
	less := ""
	if errors > 0 {
		less = fmt.Sprintf(" within %g standard errors", errors)
	}
	for _, d := range measure.Table() {
		worst, at := math.Inf(1), ""
		for _, t := range truths {
			v, ok := t.Held[d.ID]
			v += errors * math.Sqrt(0.95*0.05/float64(t.Pairs))
			if ok && v < worst {
				worst, at = v, t.Name
			}
		}
		if at != "" {
			figures = append(figures, figure.AtLeast(fmt.Sprintf("%s, least coverage of 95 %% intervals%s (%s)", d.ID, less, at), 100*min(1, worst), "%", 94))
		}
	}
	return figures
}
