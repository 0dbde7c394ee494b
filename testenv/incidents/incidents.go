package incidents

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/plumbline-slo/plumbline/testenv/figure"
)

// Options of a run.
type Options struct {
	// Incidents is how many are scripted.
	Incidents int
	// Kills is how many processes are killed with kill -9; 0 disturbs in the
	// order of the replay instead.
	Kills int
	// Length is how long an incident burns, Every how often one begins.
	Length, Every time.Duration
	// Pause is the time between two disturbances, on average.
	Pause time.Duration
	// Seed makes a chaos run's choices repeatable; 0 takes a random one.
	Seed uint64
	// Text receives what a person reads.
	Text io.Writer
}

// DefaultReplay is 100 incidents in about five minutes. An incident burns longer
// than a failover takes: a page that is over before anybody evaluates is none.
func DefaultReplay() Options {
	return Options{Incidents: 100, Length: 30 * time.Second, Every: 2 * time.Second, Pause: 4 * time.Second}
}

// DefaultChaos is 300 kills in about thirteen minutes: every process dies every ten
// seconds, and needs about three to work again.
func DefaultChaos() Options {
	return Options{Incidents: 120, Kills: 300, Length: 90 * time.Second, Every: 5 * time.Second, Pause: 2 * time.Second}
}

// patience bounds what a run waits for at its end; it is no expectation.
const patience = 5 * time.Minute

// Run plays the incidents, disturbs, and counts. The error tells only that it
// could not be measured.
func Run(ctx context.Context, o Options) (figures []figure.Figure, err error) {
	if o.Seed == 0 {
		o.Seed = rand.Uint64()
	}
	w, err := newWorld(modelNames())
	if err != nil {
		return nil, fmt.Errorf("incidents: %w", err)
	}
	defer w.close()
	if err := w.start(ctx); err != nil {
		return nil, fmt.Errorf("incidents: %w\n%s", err, w.log())
	}
	fmt.Fprintf(o.Text, "incidents: %d incidents, %d kills, seed %d\n", o.Incidents, o.Kills, o.Seed)
	r := &run{world: w, Options: o, random: rand.New(rand.NewPCG(o.Seed, 1))}
	if err := r.play(ctx); err != nil {
		return nil, fmt.Errorf("incidents: %w\n%s", err, w.log())
	}
	return r.count(ctx)
}

// run is one run under way.
type run struct {
	*world
	Options
	random    *rand.Rand // of the disturbing goroutine alone
	incidents []incident

	mu       sync.Mutex
	acked    map[string]string // key -> who
	silenced map[string]string // key -> silence id
	kills    int
	restarts int
}

// play begins the incidents one after the other while the processes are
// disturbed, and returns when all of it is over and told.
func (r *run) play(ctx context.Context) error {
	r.acked, r.silenced = make(map[string]string), make(map[string]string)
	for n := range r.Incidents {
		r.incidents = append(r.incidents, scripted(n, r.Length))
	}
	playing, stop := context.WithCancel(ctx)
	var actors, disturber sync.WaitGroup
	var disturbed error
	disturber.Go(func() { disturbed = r.disturb(playing) })
	for _, i := range r.incidents {
		actors.Go(func() { i.play(ctx, r.truth) })
		if r.Kills > 0 {
			actors.Go(func() { r.person(ctx, i) })
		}
		select {
		case <-time.After(r.Every):
		case <-ctx.Done():
		}
	}
	actors.Wait()
	if r.Kills == 0 {
		stop()
	}
	disturber.Wait() // a chaos run ends with its last kill
	stop()
	if err := errors.Join(disturbed, ctx.Err()); err != nil {
		return err
	}
	if err := r.until(ctx, patience, "everything is resolved", r.resolved); err != nil {
		fmt.Fprintf(r.Text, "  %v; counting all the same\n%s\n", err, r.log())
	}
	// What would be told twice would be told when a forgotten alert ends.
	select {
	case <-time.After(2*peerTimeout + 2*time.Second):
	case <-ctx.Done():
	}
	return ctx.Err()
}

// disturb kills, stops and starts processes until ctx is done or the kills are.
func (r *run) disturb(ctx context.Context) error {
	all := r.processes()
	for n := 0; ; n++ {
		pause := r.Pause/2 + time.Duration(r.random.Int64N(int64(r.Pause)))
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return nil
		}
		if r.Kills > 0 && n >= r.Kills {
			return nil
		}
		p, down := all[n%len(all)], time.Duration(0)
		if r.Kills > 0 {
			p, down = all[r.random.IntN(len(all))], time.Duration(r.random.Int64N(int64(700*time.Millisecond)))
		}
		if r.Kills > 0 || n/len(all)%2 == 0 {
			p.kill()
			r.kills++
		} else {
			p.stop()
		}
		r.restarts++
		select {
		case <-time.After(down):
		case <-ctx.Done():
		}
		if err := p.start(); err != nil {
			return err
		}
		if r.Kills > 0 && r.kills%25 == 0 {
			fmt.Fprintf(r.Text, "  %d kills, %d pages, %d acknowledgements, %d silences\n", r.kills, len(r.pagerduty.Alerts()), r.count1(r.acked), r.count1(r.silenced))
		}
	}
}

func (r *run) count1(m map[string]string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(m)
}

// log is the end of what the processes said.
func (w *world) log() string {
	text, err := os.ReadFile(filepath.Join(w.dir, "children.log"))
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-8000):])
}
