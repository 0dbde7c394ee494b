package ask

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/plumbline-slo/plumbline/analyze/drift"
)

// Config says what an Asker keeps.
type Config struct {
	// KeepFor is how long a reference that was read is used again. Default 10
	// min: events that come in late for a past window show after that. 0 keeps
	// nothing.
	KeepFor time.Duration `yaml:"keep_for"`
	// KeepCounts bounds what is kept, in counts of buckets and categories, of
	// about 12 bytes each. Default 4 million.
	KeepCounts int `yaml:"keep_counts"`
}

// DefaultConfig returns the defaults that the fields name.
func DefaultConfig() Config { return Config{KeepFor: 10 * time.Minute, KeepCounts: 4_000_000} }

// Validate returns every mistake of the configuration, by field.
func (c Config) Validate() error {
	var errs []error
	if c.KeepFor < 0 {
		errs = append(errs, fmt.Errorf("keep_for: %s is negative", c.KeepFor))
	}
	if c.KeepCounts < 0 {
		errs = append(errs, fmt.Errorf("keep_counts: %d is negative", c.KeepCounts))
	}
	return errors.Join(errs...)
}

// windows keeps windows that were read, the oldest of them to be dropped first.
type windows struct {
	cfg Config

	mu    sync.Mutex
	kept  map[string]keptWindow
	order []string // of kept, by age
	size  int
}

type keptWindow struct {
	window drift.Window
	at     time.Time
	size   int
}

// get returns a window that was kept less than KeepFor ago.
func (c *windows) get(key string, now time.Time) (drift.Window, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	k, ok := c.kept[key]
	if !ok || now.Sub(k.at) >= c.cfg.KeepFor || now.Before(k.at) {
		return drift.Window{}, false
	}
	return k.window, true
}

// put keeps a window if it fits at all.
func (c *windows) put(key string, w drift.Window, now time.Time) {
	size := counts(w)
	if c.cfg.KeepFor == 0 || size > c.cfg.KeepCounts {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if old, ok := c.kept[key]; ok {
		c.size += size - old.size
	} else {
		c.size += size
		c.order = append(c.order, key)
	}
	c.kept[key] = keptWindow{window: w, at: now, size: size}
	for c.size > c.cfg.KeepCounts && len(c.order) > 0 {
		oldest := c.order[0]
		c.order = c.order[1:]
		c.size -= c.kept[oldest].size
		delete(c.kept, oldest)
	}
}

// counts is how many counts a window holds, and one for itself.
func counts(w drift.Window) int {
	n := 1
	for _, s := range w.Features {
		n += 1 + len(s.Numbers.Buckets) + len(s.Values)
	}
	for _, s := range w.Outputs {
		n += 1 + len(s.Numbers.Buckets) + len(s.Values)
	}
	return n
}

// keyOfQueries names what queries read; %q keeps names of producers apart.
func keyOfQueries(queries ...drift.Query) string {
	var key strings.Builder
	for _, q := range queries {
		fmt.Fprintf(&key, "%q %q %q %q %q %d %d;", q.Model, q.Deploys, q.Stage, q.Segment, q.Series, q.From.Unix(), q.To.Unix())
	}
	return key.String()
}
