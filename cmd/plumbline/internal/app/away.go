package app

import (
	"context"
	"fmt"
	"time"

	"github.com/plumbline-slo/plumbline/storage"
)

// awaitClickHouse returns when ClickHouse answers and has the tables.
func (a *App) awaitClickHouse(ctx context.Context, parts *stack) error {
	if a.engine != nil {
		waiting, cancel := context.WithCancel(ctx)
		defer cancel()
		answers := make(chan error, 1)
		go func() { answers <- a.engine.WaitReady(waiting) }()
		select {
		case err := <-answers:
			if err != nil {
				return fmt.Errorf("embedded clickhouse: %w", err)
			}
		case err := <-parts.died:
			return err
		}
	}
	if err := a.whileAway(ctx, parts, "ClickHouse", storage.Away, a.db.Migrate); err != nil {
		return err
	}
	close(a.stored)
	return nil
}

// whileAway does what needs a server that may be away, until it is there. A service
// that ended instead would tell nobody of the incidents that are open, and take no
// acknowledgement. The watchdog pages for what stands still meanwhile.
func (a *App) whileAway(ctx context.Context, parts *stack, server string, away func(error) bool, do func(context.Context) error) error {
	defer a.away.Store(nil)
	for {
		err := do(ctx)
		if err == nil || !away(err) || ctx.Err() != nil {
			return err
		}
		a.away.Store(&err)
		a.log.Error(server+" is away, and is asked again", "error", err, "in", awayRetry)
		select {
		case <-time.After(awayRetry):
		case err := <-parts.died:
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// awayRetry is how often a server that is away at the start is asked.
const awayRetry = 2 * time.Second
