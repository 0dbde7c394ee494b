// Package calibration measures how often the drift measures call two samples of
// one distribution different, and how often their intervals hold the true
// distance: package measure on simulated samples, over sizes, numbers of
// categories, shapes, and kinds of numbers. It calls what the product calls and
// nothing beneath it.
package calibration

import (
	"context"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"

	"github.com/plumbline-slo/plumbline/analyze/drift/measure"
)

// Config says what is simulated.
type Config struct {
	// Sizes are those of the reference; the current sample has each of Ratios
	// times as many events.
	Sizes, Ratios []int
	// Categories are the numbers of categories.
	Categories []int
	Shapes     []Shape
	Kinds      []Kind
	// Nulls is the number of pairs of samples for each combination, Pairs that
	// for each true distance of the intervals.
	Nulls, Pairs int
	Seed         uint64
}

// Full is the whole grid: 200 combinations of categories and 50 of numbers, of
// 10,000 nulls each.
func Full() Config {
	return Config{Sizes: []int{100, 1_000, 10_000, 100_000, 1_000_000}, Ratios: []int{1, 10},
		Categories: []int{2, 5, 20, 100, 1_000}, Shapes: []Shape{Even, Zipf, Geometric, Atom},
		Kinds: []Kind{Normal, Lognormal, Rounded, Zeros, Spikes}, Nulls: 10_000, Pairs: 4_000}
}

// Short is what CI runs.
func Short() Config {
	return Config{Sizes: []int{100, 10_000}, Ratios: []int{1, 10},
		Categories: []int{2, 20, 1_000}, Shapes: []Shape{Even, Atom},
		Kinds: []Kind{Normal, Zeros}, Nulls: 150, Pairs: 200}
}

// Cell is one combination with its rates, from 0 to 1, by measure.
type Cell struct {
	Size, Current int
	// Categories and Shape are set, or Kind is.
	Categories int   `json:",omitempty"`
	Shape      Shape `json:",omitempty"`
	Kind       Kind  `json:",omitempty"`
	Nulls      int
	// Five and One are the shares of nulls with a p-value of at most 5 % and
	// 1 %, Alarms those with an alarm at the default least effect and 1 %.
	Five, One, Alarms map[measure.ID]float64
	// Limit holds the measures that a limit distribution judged, in some null at
	// least. The others were judged given the pooled counts, tie for tie: where
	// their rate is low the exact test's is no higher.
	Limit map[measure.ID]bool
	// Dense says that every category is expected at least five times in both
	// samples and that there are more than two, or that the numbers are many
	// and not tied: the exact test of a sum over cells then attains its level.
	Dense bool
}

func (c Cell) String() string {
	if c.Kind != "" {
		return fmt.Sprintf("n=%d m=%d %s", c.Size, c.Current, c.Kind)
	}
	return fmt.Sprintf("n=%d m=%d K=%d %s", c.Size, c.Current, c.Categories, c.Shape)
}

// Cells returns the combinations, without rates.
func (c Config) Cells() []Cell {
	var cells []Cell
	for _, n := range c.Sizes {
		for _, ratio := range c.Ratios {
			for _, k := range c.Categories {
				for _, s := range c.Shapes {
					cells = append(cells, Cell{Size: n, Current: n * ratio, Categories: k, Shape: s, Nulls: c.Nulls})
				}
			}
			for _, k := range c.Kinds {
				cells = append(cells, Cell{Size: n, Current: n * ratio, Kind: k, Nulls: c.Nulls})
			}
		}
	}
	return cells
}

// Run simulates the cells on all processors and fills in their rates; each has a
// seed of its own, from its name, so the order of work changes nothing. done is
// called after each, from one goroutine at a time.
func Run(ctx context.Context, seed uint64, cells []Cell, done func(Cell)) error {
	var lock sync.Mutex
	return parallel(len(cells), func(i int) error {
		if err := cells[i].simulate(ctx, seed); err != nil {
			return fmt.Errorf("calibrate %s: %w", cells[i], err)
		}
		lock.Lock()
		defer lock.Unlock()
		done(cells[i])
		return nil
	})
}

// parallel calls work for 0 to n-1 on all processors and returns the first
// error.
func parallel(n int, work func(i int) error) error {
	var (
		workers sync.WaitGroup
		lock    sync.Mutex
		failed  error
		next    = make(chan int)
	)
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for i := range next {
				if err := work(i); err != nil {
					lock.Lock()
					if failed == nil {
						failed = err
					}
					lock.Unlock()
				}
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	workers.Wait()
	return failed
}

// key is a seed of its own for what the name names.
func key(seed uint64, name string) (k [32]byte) {
	h := fnv.New128a()
	h.Write([]byte(name))
	binary.LittleEndian.PutUint64(k[:], seed)
	h.Sum(k[8:8])
	return k
}

func (c *Cell) simulate(ctx context.Context, seed uint64) error {
	shares, buckets := c.distribution()
	c.Dense = c.Categories > 2 && slices.Min(shares)*float64(c.Size) >= 5 ||
		(c.Kind == Normal || c.Kind == Lognormal) && c.Size >= 1000
	c.Five, c.One, c.Alarms = map[measure.ID]float64{}, map[measure.ID]float64{}, map[measure.ID]float64{}
	c.Limit = map[measure.ID]bool{}
	s := newSource(rand.New(rand.NewChaCha8(key(seed, c.String()))), shares)
	o, each := measure.DefaultOptions(), 1/float64(c.Nulls)
	o.PValueOnly = true
	for range c.Nulls {
		if err := ctx.Err(); err != nil {
			return err
		}
		results, err := c.compare(o, buckets, s.sample(c.Size), s.sample(c.Current))
		if err != nil {
			return err
		}
		for _, r := range results {
			c.Five[r.Measure] += each * met(r.P <= 0.05)
			c.One[r.Measure] += each * met(r.P <= 0.01)
			c.Alarms[r.Measure] += each * met(r.Alarm)
			// L-infinity multiplies the cells' exact probabilities, ties and all.
			if r.Method == measure.Asymptotic || r.Method == measure.Fitted && r.Measure != measure.LInfinity {
				c.Limit[r.Measure] = true
			}
		}
	}
	return nil
}

// distribution returns the shares of the categories, or of buckets.
func (c *Cell) distribution() (shares []float64, buckets []int32) {
	if c.Kind != "" {
		buckets, shares = c.Kind.buckets(0)
		return shares, buckets
	}
	return c.Shape.shares(c.Categories), nil
}

// compare returns every measure there is for the samples. Wasserstein in standard
// deviations stands for Wasserstein: the p-values are the same.
func (c *Cell) compare(o measure.Options, buckets []int32, p, q []uint64) ([]measure.Result, error) {
	if c.Kind != "" {
		numbers := measure.Numbers{Reference: measure.Histogram{Buckets: buckets, Counts: p}, Current: measure.Histogram{Buckets: buckets, Counts: q}}
		return numbers.Compare(o, measure.KS, measure.CramerVonMises, measure.WassersteinScale)
	}
	return measure.Cells{Reference: p, Current: q}.Compare(o)
}

func met(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
