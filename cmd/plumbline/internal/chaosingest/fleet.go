package chaosingest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/plumbline-slo/plumbline/ingest"
)

// workers is how many processes share the partitions.
const workers = 3

// fleet are the worker processes of one scenario.
type fleet struct {
	orders  orders
	log     *os.File
	faults  *faults
	workers [workers]*worker
	// crashes counts the processes that ended without our doing.
	crashes atomic.Int64
}

// worker is one place in the fleet: a door, and the process behind it.
type worker struct {
	name  string
	fleet *fleet
	door  *door

	mu      sync.Mutex
	process *process // the latest
	stopped bool
}

// process is one life of a worker.
type process struct {
	cmd    *exec.Cmd
	pipe   io.Closer // its standard input: when it closes, the process ends
	killed atomic.Bool
	exited chan struct{}
}

func newFleet(target *url.URL, random *rand.Rand, log string, o orders) (*fleet, error) {
	file, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	f := &fleet{orders: o, log: file, faults: &faults{random: random}}
	for i := range f.workers {
		d, err := openDoor(target, f.faults)
		if err != nil {
			return nil, errors.Join(err, f.close())
		}
		f.workers[i] = &worker{name: fmt.Sprintf("worker %d", i), fleet: f, door: d}
	}
	return f, nil
}

// startAll starts every worker under a configuration.
func (f *fleet) startAll(ctx context.Context, cfg ingest.Config) error {
	f.orders.Ingest = cfg
	for _, w := range f.workers {
		if err := w.start(ctx); err != nil {
			return err
		}
	}
	return nil
}

// killAll ends every worker the hard way.
func (f *fleet) killAll() error {
	var errs []error
	for _, w := range f.workers {
		if w != nil {
			errs = append(errs, w.kill())
		}
	}
	return errors.Join(errs...)
}

// resume lets every stopped worker go on.
func (f *fleet) resume() error {
	var errs []error
	for _, w := range f.workers {
		errs = append(errs, w.goOn())
	}
	return errors.Join(errs...)
}

func (f *fleet) close() error {
	err := f.killAll()
	for _, w := range f.workers {
		if w != nil {
			w.door.close()
		}
	}
	return errors.Join(err, f.log.Close())
}

func (f *fleet) batches() (n int64) {
	for _, w := range f.workers {
		n += w.door.batches.Load()
	}
	return n
}

func (f *fleet) inserts() (n int64) {
	for _, w := range f.workers {
		n += w.door.inserts.Load()
	}
	return n
}

// start runs the worker's process.
func (w *worker) start(ctx context.Context) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	o := w.fleet.orders
	o.DSN = w.door.dsn()
	text, err := json.Marshal(o)
	if err != nil {
		return fmt.Errorf("orders of %s: %w", w.name, err)
	}
	p := &process{cmd: exec.CommandContext(ctx, self, "chaos-worker"), exited: make(chan struct{})}
	p.cmd.Stderr = w.fleet.log
	pipe, err := p.cmd.StdinPipe()
	if err != nil {
		return err
	}
	p.pipe = pipe
	if err := p.cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", w.name, err)
	}
	go func() {
		defer close(p.exited)
		if err := p.cmd.Wait(); !p.killed.Load() && ctx.Err() == nil {
			fmt.Fprintf(w.fleet.log, "%s ended by itself: %v\n", w.name, err)
			w.fleet.crashes.Add(1)
		}
	}()
	w.mu.Lock()
	w.process, w.stopped = p, false
	w.mu.Unlock()
	if _, err := pipe.Write(append(text, '\n')); err != nil && !p.killed.Load() {
		return fmt.Errorf("orders of %s: %w", w.name, err)
	}
	return nil
}

// signal sends a signal to the process, if there is one.
func (w *worker) signal(s syscall.Signal) (*process, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.process == nil {
		return nil, nil
	}
	if s == syscall.SIGKILL {
		w.process.killed.Store(true)
	}
	w.stopped = s == syscall.SIGSTOP
	if err := w.process.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return nil, fmt.Errorf("%s: %s: %w", w.name, s, err)
	}
	return w.process, nil
}

// kill ends the process the hard way and waits until it is gone.
func (w *worker) kill() error {
	p, err := w.signal(syscall.SIGKILL)
	if p == nil {
		return err
	}
	<-p.exited
	_ = p.pipe.Close() // Wait has closed it
	return nil
}

func (w *worker) stop() error {
	_, err := w.signal(syscall.SIGSTOP)
	return err
}

func (w *worker) goOn() error {
	_, err := w.signal(syscall.SIGCONT)
	return err
}

func (w *worker) isStopped() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.stopped
}

// logOf returns where the workers of a scenario write their logs.
func (a *arena) logOf(name string) string { return filepath.Join(a.dir, name+".log") }

// sleep waits for a time or the end of ctx.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
