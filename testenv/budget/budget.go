package budget

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"sync"
	"time"

	"github.com/plumbline-slo/plumbline/analyze/drift/alarm"
	"github.com/plumbline-slo/plumbline/testenv/figure"
)

// Config says how much quiet life is simulated.
type Config struct {
	// Quarters is the number of models, each watched for three months of 30
	// days.
	Quarters int
	// Features of a model, each watched by two measures against two references.
	Features int
	// Volumes are the events a day, taken in turn by the models.
	Volumes []float64
	Seed    uint64
}

// Full is 1,002 months of 50 features.
func Full() Config {
	return Config{Quarters: 334, Features: 50, Volumes: []float64{300, 3_000, 30_000}, Seed: 1}
}

// Short is what CI runs.
func Short() Config {
	return Config{Quarters: 12, Features: 50, Volumes: []float64{300, 3_000, 30_000}, Seed: 1}
}

// months of a quarter.
const months = 3

// Tally is what the quiet months of a scenario brought.
type Tally struct {
	Scenario Scenario
	Quarters int
	// Tickets are false tickets by start.
	Tickets map[Start]int
	// Naive are the alarms if every day of every stream is judged on its own at
	// p <= 1 % and the least effect.
	Naive int
}

// Start says what a detector knew when it began.
type Start string

// The starts.
const (
	// Primed: the days of the training set are known quiet blocks.
	Primed Start = "history"
	// Cold: nothing is known but the training set as a whole.
	Cold Start = "cold start"
	// Learnt: the first week is taken as quiet and opens no ticket, and nobody
	// looks at how counts vary within a day.
	Learnt Start = "first week learnt"
)

// Starts returns the starts.
func Starts() []Start { return []Start{Primed, Cold, Learnt} }

// Run simulates the quiet quarters of a scenario on all processors.
func Run(ctx context.Context, c Config, s Scenario) (Tally, error) {
	t := Tally{Scenario: s, Quarters: c.Quarters, Tickets: map[Start]int{}}
	var (
		workers sync.WaitGroup
		lock    sync.Mutex
		failed  error
		next    = make(chan int)
	)
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for i := range next {
				tickets, naive, err := c.quarter(ctx, s, i)
				lock.Lock()
				for start, n := range tickets {
					t.Tickets[start] += n
				}
				t.Naive += naive
				if failed == nil {
					failed = err
				}
				lock.Unlock()
			}
		})
	}
	for i := range c.Quarters {
		next <- i
	}
	close(next)
	workers.Wait()
	if failed != nil {
		return Tally{}, fmt.Errorf("simulate %s: %w", s.Name, failed)
	}
	return t, nil
}

// quarter simulates one model.
func (c Config) quarter(ctx context.Context, s Scenario, model int) (map[Start]int, int, error) {
	r := rand.New(rand.NewPCG(c.Seed, uint64(model)))
	volumes := s.volumes(r, c.Volumes[model%len(c.Volumes)], trained+months*month)
	tickets, naive := map[Start]int{}, 0
	for range c.Features {
		if err := ctx.Err(); err != nil {
			return nil, 0, err
		}
		life, err := newLife(s, r, volumes, c.Features)
		if err != nil {
			return nil, 0, err
		}
		for range months * month {
			for _, seen := range life.step(0) {
				if seen.verdict.Status == alarm.Opened {
					tickets[seen.watch.start]++
				}
			}
			naive += life.naive()
		}
	}
	return tickets, naive, nil
}

// volumes returns the expected events of so many days: log-normal with an
// autoregressive level.
func (s Scenario) volumes(r *rand.Rand, base float64, days int) []float64 {
	volumes, level := make([]float64, days), s.Volume*r.NormFloat64()
	for i := range volumes {
		level = s.Carry*level + s.Volume*math.Sqrt(1-s.Carry*s.Carry)*r.NormFloat64()
		volumes[i] = base * math.Exp(level)
	}
	return volumes
}

// Streams returns the number of streams of a model.
func (c Config) Streams() int { return c.Features * len(watched()) * len(references()) }

// Figures returns what the goal is about and what stands beside it. With goal
// false the tickets are printed against the budget all the same, but under the
// name of a life beyond the goal.
func (t Tally) Figures(goal bool) []figure.Figure {
	var all []figure.Figure
	for _, start := range Starts() {
		n := t.Tickets[start]
		name := fmt.Sprintf("%s, %s: false tickets a model-quarter", t.Scenario.Name, start)
		upper := PoissonUpper(n) / float64(t.Quarters)
		seen := beside(name, float64(n)/float64(t.Quarters), "tickets")
		bound := figure.AtMost(name+", upper 95 % bound", upper, "tickets", 1)
		if !goal {
			bound.Name, bound.Goal, bound.Met = bound.Name+" (beyond the goal)", "none", true
		}
		all = append(all, seen, bound)
	}
	return append(all, beside(t.Scenario.Name+": alarms a model-quarter of each day on its own at 1 %", float64(t.Naive)/float64(t.Quarters), "alarms"))
}

// PoissonUpper returns the upper 95 % confidence bound of the mean of a Poisson
// variable of which n were seen: half the 95 % point of chi-square with 2(n+1)
// degrees of freedom (Garwood 1936), by halving on the distribution function.
func PoissonUpper(n int) float64 {
	atMost := func(mean float64) float64 {
		sum := 0.0
		for k := range n + 1 {
			sum += math.Exp(float64(k)*math.Log(mean) - mean - lnFactorial(float64(k)))
		}
		return sum
	}
	low, high := float64(n)+1e-9, float64(n)+10+5*math.Sqrt(float64(n)+1)
	for high-low > 1e-9*high {
		if m := (low + high) / 2; atMost(m) > 0.05 {
			low = m
		} else {
			high = m
		}
	}
	return high
}

const day = 24 * time.Hour
