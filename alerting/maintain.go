package alerting

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"
)

const (
	// upkeep is how often files are compacted, and how soon one that could not
	// be written is tried again.
	upkeep       = 15 * time.Minute
	upkeepBroken = 10 * time.Second
)

// heedFiles has a file that cannot be written wake the maintenance and stop the
// heartbeat.
func (c *core) heedFiles() {
	for _, file := range c.files {
		file.onBreak(c.wakeMaintenance)
	}
	c.beats.sound = c.writable
}

// wakeMaintenance has the files written anew at once: until it is, one that could
// not be written takes nothing, and nobody is paged of what it would not take.
func (c *core) wakeMaintenance() {
	select {
	case c.broke <- struct{}{}:
	default:
	}
}

// writable returns what keeps files from taking frames.
func (c *core) writable() error {
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(c.files)) {
		errs = append(errs, c.files[name].Err())
	}
	return errors.Join(errs...)
}

// maintain compacts until the context ends.
func (c *core) maintain(ctx context.Context) {
	defer c.maintenances.Done()
	timer := time.NewTimer(upkeep)
	defer timer.Stop()
	for {
		if err := c.weigh(ctx, gossipNear); err != nil {
			c.logger.Error("what is told to other replicas", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-c.broke:
			c.logger.Error("alerting state could not be written, and is written anew", "err", c.writable())
		case <-timer.C:
		}
		next := upkeep
		for name, err := range c.compact() {
			c.metrics.storageFailures.WithLabelValues(name).Inc()
			c.logger.Error("compact alerting state", "file", name, "err", err)
			next = upkeepBroken
		}
		timer.Reset(next)
	}
}

// compact forgets what is past the retention and rewrites the files, which also
// mends one that could not be written.
func (c *core) compact() map[string]error {
	errs := make(map[string]error)
	keep := func(name string, err error) {
		if err != nil {
			errs[name] = errors.Join(errs[name], err)
		}
	}
	_, err := c.nflog.log.GC()
	keep("nflog", err)
	keep("nflog", c.nflog.file.Replace(c.nflog.log.MarshalBinary))
	_, err = c.silences.GC()
	keep("silences", err)
	keep("silences", c.silenceFile.Replace(c.silences.MarshalBinary))
	for _, d := range c.durable {
		d.forget()
	}
	keep("terms", c.fence.file.Replace(c.fence.frames))
	keep("alerts", c.alerts.compact(time.Now().Add(-c.config.Retention)))
	keep("incidents", c.incidents.compact(time.Now().Add(-c.config.IncidentRetention)))
	return errs
}
