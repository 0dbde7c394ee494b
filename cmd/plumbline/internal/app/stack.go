package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
)

// stack owns every goroutine of the process: parts start in order, and stop in
// reverse, each awaited before the one below it is told to stop. A part that
// ends before it is told to ends the process.
type stack struct {
	log   *slog.Logger
	parts []running
	died  chan error
}

type running struct {
	name string
	stop context.CancelFunc
	done chan error
}

func newStack(log *slog.Logger) *stack { return &stack{log: log, died: make(chan error, 1)} }

// start runs a part in a goroutine of its own until stopAll.
func (s *stack) start(name string, run func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	p := running{name: name, stop: cancel, done: make(chan error, 1)}
	s.parts = append(s.parts, p)
	go func() {
		err := run(ctx)
		if ctx.Err() == nil {
			cause := err
			if cause == nil {
				cause = errors.New("ended by itself")
			}
			select {
			case s.died <- fmt.Errorf("%s: %w", name, cause):
			default: // another part died first; its error is the cause
			}
		}
		p.done <- err
	}()
	s.log.Debug("started", "part", name)
}

// wait returns when ctx is done, nil, or when a part has died, its error.
func (s *stack) wait(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case err := <-s.died:
		return err
	}
}

// stopAll stops every part, the last started first, and returns what they
// returned, less what known says already: the death of a part ends the process
// and is told once.
func (s *stack) stopAll(known error) error {
	var errs []error
	for i := len(s.parts) - 1; i >= 0; i-- {
		p := s.parts[i]
		p.stop()
		if err := <-p.done; err != nil && !errors.Is(err, context.Canceled) && !errors.Is(known, err) {
			errs = append(errs, fmt.Errorf("stop %s: %w", p.name, err))
		}
		s.log.Debug("stopped", "part", p.name)
	}
	return errors.Join(errs...)
}

// await waits for a part to be ready, or for any part to die.
func await(ctx context.Context, ready <-chan struct{}, parts *stack) error {
	select {
	case <-ready:
		return nil
	case err := <-parts.died:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}
