package alerting

import (
	"context"
	"time"
)

// Recorder keeps incidents as rows where people can query them. The rows of one
// incident replace each other, so that writing one twice does no harm.
type Recorder interface {
	RecordIncidents(ctx context.Context, incidents []Incident) error
}

const (
	// rowsTimeout bounds one write of rows, rowsAgain is after how long one that
	// did not succeed is tried again.
	rowsTimeout = 30 * time.Second
	rowsAgain   = 10 * time.Second
)

// recordRows writes what changed until ctx is done; what could not be written is
// written later, after a restart if need be: the ledger has it.
func (c *core) recordRows(ctx context.Context) {
	defer c.maintenances.Done()
	for {
		select {
		case <-c.incidents.changed:
		case <-ctx.Done():
			return
		}
		for !c.recordOnce(ctx) {
			select {
			case <-time.After(rowsAgain):
			case <-ctx.Done():
				return
			}
		}
	}
}

// recordOnce reports whether every row there is has been written.
func (c *core) recordOnce(ctx context.Context) bool {
	changed := c.incidents.takeDirty()
	if len(changed) == 0 || c.recorder == nil {
		return true
	}
	limited, cancel := context.WithTimeout(ctx, rowsTimeout)
	defer cancel()
	err := c.recorder.RecordIncidents(limited, changed)
	if err == nil {
		return true
	}
	c.incidents.giveBack(changed)
	if ctx.Err() == nil {
		c.metrics.journalFailures.Inc()
		c.logger.Warn("incidents were not written as rows and will be tried again", "incidents", len(changed), "err", err)
	}
	return false
}
