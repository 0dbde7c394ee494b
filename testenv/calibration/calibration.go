// Package calibration measures how often the drift measures call two samples of
// one distribution different: the p-values of package measure on simulated
// nulls, over sizes, numbers of categories and shapes. A rate is only as exact
// as its number of nulls; the bars of the figures stay where they are, so a
// short run may miss one by chance.
package calibration

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"

	"github.com/plumbline-slo/plumbline/analyze/drift/measure"
	"github.com/plumbline-slo/plumbline/storage/grid"
	"github.com/plumbline-slo/plumbline/testenv/figure"
)

// Shape names a distribution over categories.
type Shape string

// The shapes.
const (
	// Even gives all categories the same share.
	Even Shape = "even"
	// Zipf gives the i-th a share proportional to 1/i.
	Zipf Shape = "zipf"
	// Geometric halves the share ten times from the first to the last.
	Geometric Shape = "geometric"
	// Atom gives half of all to the first, the rest evenly to the others.
	Atom Shape = "atom"
)

// shares returns the k shares of the shape.
func (s Shape) shares(k int) []float64 {
	shares, sum := make([]float64, k), 0.0
	for i := range shares {
		switch s {
		case Zipf:
			shares[i] = 1 / float64(i+1)
		case Geometric:
			shares[i] = math.Exp2(-10 * float64(i) / float64(max(1, k-1)))
		case Atom:
			shares[i] = 1
			if i == 0 {
				shares[i] = float64(k - 1)
			}
		default:
			shares[i] = 1
		}
		sum += shares[i]
	}
	for i := range shares {
		shares[i] /= sum
	}
	return shares
}

// Config says what is simulated.
type Config struct {
	// Sizes are those of the reference; the current sample has each of Ratios
	// times as many events.
	Sizes, Ratios []int
	// Categories are the numbers of categories.
	Categories []int
	Shapes     []Shape
	// Nulls is the number of pairs of samples for each combination.
	Nulls int
	Seed  uint64
}

// Full is the whole grid: 200 combinations of 10,000 nulls.
func Full() Config {
	return Config{Sizes: []int{100, 1_000, 10_000, 100_000, 1_000_000}, Ratios: []int{1, 10},
		Categories: []int{2, 5, 20, 100, 1_000}, Shapes: []Shape{Even, Zipf, Geometric, Atom}, Nulls: 10_000}
}

// Short is what CI runs.
func Short() Config {
	return Config{Sizes: []int{100, 10_000}, Ratios: []int{1, 10},
		Categories: []int{2, 20, 100}, Shapes: []Shape{Even, Zipf}, Nulls: 1_000}
}

// Cell is one combination with its rates, from 0 to 1, by measure.
type Cell struct {
	Size, Current, Categories int
	Shape                     Shape
	// Five and One are the shares of nulls with a p-value of at most 5 % and
	// 1 %, Alarms those with an alarm at the default least effect and 1 %.
	Five, One, Alarms map[measure.ID]float64
	// Dense says that every category is expected at least five times in both
	// samples and that there are more than two: the exact test then attains its
	// level.
	Dense bool
}

func (c Cell) String() string {
	return fmt.Sprintf("n=%d m=%d K=%d %s", c.Size, c.Current, c.Categories, c.Shape)
}

// Run simulates every combination on all processors and returns them in order;
// each has a seed of its own, so the order of work changes nothing. done is
// called after each, from one goroutine at a time.
func Run(ctx context.Context, c Config, done func(Cell)) ([]Cell, error) {
	var cells []Cell
	for _, n := range c.Sizes {
		for _, ratio := range c.Ratios {
			for _, k := range c.Categories {
				for _, s := range c.Shapes {
					cells = append(cells, Cell{Size: n, Current: n * ratio, Categories: k, Shape: s})
				}
			}
		}
	}
	var (
		workers sync.WaitGroup
		lock    sync.Mutex
		failed  error
		next    = make(chan int)
	)
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for i := range next {
				err := cells[i].simulate(ctx, c.Nulls, c.Seed+uint64(i))
				lock.Lock()
				if err == nil {
					done(cells[i])
				} else if failed == nil {
					failed = fmt.Errorf("calibrate %s: %w", cells[i], err)
				}
				lock.Unlock()
			}
		})
	}
	for i := range cells {
		next <- i
	}
	close(next)
	workers.Wait()
	return cells, failed
}

func (c *Cell) simulate(ctx context.Context, nulls int, seed uint64) error {
	r := rand.New(rand.NewPCG(seed, 1))
	shares := c.Shape.shares(c.Categories)
	c.Dense = c.Categories > 2 && slices.Min(shares)*float64(c.Size) >= 5
	c.Five, c.One, c.Alarms = map[measure.ID]float64{}, map[measure.ID]float64{}, map[measure.ID]float64{}
	buckets := make([]int32, c.Categories)
	for i := range buckets {
		// As numbers, the categories are neighbours on the grid.
		buckets[i] = grid.Bucket(1) + int32(i)
	}
	o, each := measure.DefaultOptions(), 1/float64(nulls)
	for range nulls {
		if err := ctx.Err(); err != nil {
			return err
		}
		p, q := multinomial(r, shares, c.Size), multinomial(r, shares, c.Current)
		results, err := measure.Cells{Reference: p, Current: q}.Compare(o)
		if err != nil {
			return err
		}
		numbers := measure.Numbers{Reference: measure.Histogram{Buckets: buckets, Counts: p}, Current: measure.Histogram{Buckets: buckets, Counts: q}}
		more, err := numbers.Compare(o, measure.KS, measure.CramerVonMises, measure.Wasserstein)
		if err != nil {
			return err
		}
		for _, res := range append(results, more...) {
			c.Five[res.Measure] += each * met(res.P <= 0.05)
			c.One[res.Measure] += each * met(res.P <= 0.01)
			c.Alarms[res.Measure] += each * met(res.Alarm)
		}
	}
	return nil
}

func met(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// Figures returns, for each measure, the greatest rate at 5 % and 1 % over all
// cells, the least over the dense ones, and the greatest excess of alarms over
// p-values. The worst cell stands in the name.
func Figures(cells []Cell) []figure.Figure {
	var figures []figure.Figure
	for _, d := range measure.Table() {
		id := d.ID
		if len(cells) == 0 || cells[0].Five == nil {
			continue
		}
		if _, ok := cells[0].Five[id]; !ok {
			continue
		}
		five := func(c Cell) float64 { return 100 * c.Five[id] }
		one := func(c Cell) float64 { return 100 * c.One[id] }
		v, at := extreme(cells, five, 1)
		figures = append(figures, figure.AtMost(fmt.Sprintf("%s, greatest rate at 5 %% (%s)", id, at), v, "%", 6))
		v, at = extreme(cells, one, 1)
		figures = append(figures, figure.AtMost(fmt.Sprintf("%s, greatest rate at 1 %% (%s)", id, at), v, "%", 1.5))
		dense := slices.DeleteFunc(slices.Clone(cells), func(c Cell) bool { return !c.Dense })
		if len(dense) > 0 {
			v, at = extreme(dense, five, -1)
			figures = append(figures, figure.AtLeast(fmt.Sprintf("%s, least rate at 5 %% (%s)", id, at), v, "%", 4))
			v, at = extreme(dense, one, -1)
			figures = append(figures, figure.AtLeast(fmt.Sprintf("%s, least rate at 1 %% (%s)", id, at), v, "%", 0.5))
		}
		v, at = extreme(cells, func(c Cell) float64 { return 100 * (c.Alarms[id] - c.One[id]) }, 1)
		figures = append(figures, figure.AtMost(fmt.Sprintf("%s, alarms beyond p-values (%s)", id, at), v, "%", 0))
	}
	return figures
}

// extreme returns the greatest (sign 1) or least (sign -1) value, and its cell.
func extreme(cells []Cell, of func(Cell) float64, sign float64) (float64, Cell) {
	worst := cells[0]
	for _, c := range cells {
		if sign*of(c) > sign*of(worst) {
			worst = c
		}
	}
	return of(worst), worst
}
