package benchpage

import (
	"context"
	"fmt"
	"io"
	"math"
	"slices"
	"sync"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/testenv/fakepagerduty"
	"github.com/plumbline-slo/plumbline/testenv/figure"
)

// pages notes when each trigger arrives at the fake PagerDuty.
type pages struct {
	server *fakepagerduty.Server

	mu sync.Mutex
	at map[plumbline.Model][]time.Time
}

func newPages(server *fakepagerduty.Server) *pages {
	return &pages{server: server, at: make(map[plumbline.Model][]time.Time)}
}

// watch notes what arrives until ctx is done, whose error it returns.
func (p *pages) watch(ctx context.Context) error {
	seen := 0
	for {
		var events []fakepagerduty.Event
		err := p.server.WaitEvents(ctx, func(all []fakepagerduty.Event) bool {
			events = all[seen:]
			return len(events) > 0
		})
		if err != nil {
			return err
		}
		now := time.Now()
		seen += len(events)
		p.mu.Lock()
		for _, e := range events {
			if e.Action == "trigger" {
				p.at[plumbline.Model(e.Payload.Group)] = append(p.at[plumbline.Model(e.Payload.Group)], now)
			}
		}
		p.mu.Unlock()
	}
}

// models is how many models were paged for.
func (p *pages) models() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.at)
}

// outcome is what became of the faults.
type outcome struct {
	excess                            []float64 // seconds, sorted
	closed                            []float64 // of the same faults: seconds from the first bad event on
	uncrossed, missed, doubled, wrong int
	achieved, took                    float64
}

// judge compares the pages with what was due. A page of a model that does not fail,
// or before its fault crossed, is a false one; a second one of the same model is
// doubled.
func (p *pages) judge(all []*endpoint) outcome {
	p.mu.Lock()
	defer p.mu.Unlock()
	var o outcome
	for _, e := range all {
		got := p.at[e.model]
		switch {
		case !e.fails:
			o.wrong += len(got)
			continue
		case e.crossed.IsZero():
			o.uncrossed++
			o.wrong += len(got)
			continue
		case len(got) == 0:
			o.missed++
			continue
		}
		o.doubled += len(got) - 1
		if got[0].Before(e.crossed) {
			o.wrong++
			continue
		}
		o.excess = append(o.excess, got[0].Sub(e.crossed).Seconds())
		o.closed = append(o.closed, e.crossed.Sub(e.began).Seconds())
	}
	slices.Sort(o.excess)
	slices.Sort(o.closed)
	return o
}

// quantile is the least value that this share of the values does not exceed.
func quantile(sorted []float64, share float64) float64 {
	if len(sorted) == 0 {
		return math.NaN()
	}
	return sorted[max(int(math.Ceil(share*float64(len(sorted))))-1, 0)]
}

// goal is how long after the closed form 99 of 100 pages have to be there.
const goal = 10

// figures are what is published.
func (o outcome) figures(options Options) []figure.Figure {
	const name = "page: "
	return []figure.Figure{
		ungoaled(name+"excess over the closed form, p50", quantile(o.excess, 0.5), "s"),
		figure.AtMost(name+"excess over the closed form, p99", quantile(o.excess, 0.99), "s", goal),
		ungoaled(name+"excess over the closed form, max", quantile(o.excess, 1), "s"),
		figure.AtLeast(name+"faults paged", float64(len(o.excess)), "", float64(options.Faults)),
		figure.Exactly(name+"pages missed", float64(o.missed+o.uncrossed), "", 0),
		figure.Exactly(name+"pages doubled", float64(o.doubled), "", 0),
		figure.Exactly(name+"false pages", float64(o.wrong), "", 0),
		figure.AtLeast(name+"events a second", o.achieved, "1/s", math.Floor(0.99*float64(options.Rate))),
		figure.AtMost(name+"length of the run", o.took, "s", 600),
	}
}

func ungoaled(name string, value float64, unit string) figure.Figure {
	return figure.Figure{Name: name, Value: value, Unit: unit, Goal: "none", Met: true}
}

// describe says in words what the closed form was.
func (o outcome) describe(table io.Writer) {
	fmt.Fprintf(table, "from a fault's first bad event to the event that crosses: %.0f s to %.0f s, median %.0f s\n",
		quantile(o.closed, 0), quantile(o.closed, 1), quantile(o.closed, 0.5))
}
