package ask

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/analyze/drift"
)

// Config says what an Asker keeps.
type Config struct {
	// KeepFor is how long a reference that was read is used again. Default 10
	// min: events that come in late for a past window show after that. The closed
	// hours of the window in question are kept as long, and are used again only
	// while nothing was added to them. 0 keeps nothing.
	KeepFor time.Duration `yaml:"keep_for"`
	// KeepCounts bounds what is kept, in counts of a bucket, of 12 bytes each. A
	// category costs its text and 64 bytes of them. Default 4 million: 48 MB.
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

// windows keeps windows that were read, the one that was not used for longest to
// be dropped first: a training set outlives the windows of a day that is asked
// about once.
type windows struct {
	cfg Config

	mu    sync.Mutex
	kept  map[string]keptWindow
	order []string // of kept, by when they were last used
	size  int
}

// keptWindow is a window, or the closed hours of one.
type keptWindow struct {
	window drift.Window
	closed *drift.Closed
	at     time.Time
	size   int
}

// get returns a window that was kept less than KeepFor ago.
func (c *windows) get(key string, now time.Time) (drift.Window, bool) {
	k, ok := c.find(key, now)
	return k.window, ok
}

// find returns what was kept less than KeepFor ago.
func (c *windows) find(key string, now time.Time) (keptWindow, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	k, ok := c.kept[key]
	if !ok || !c.fresh(k, now) {
		return keptWindow{}, false
	}
	if i := slices.Index(c.order, key); i >= 0 {
		c.order = append(slices.Delete(c.order, i, i+1), key)
	}
	return k, true
}

// forget drops the windows of a model.
func (c *windows) forget(model plumbline.Model) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.order = slices.DeleteFunc(c.order, func(key string) bool {
		if !strings.HasPrefix(key, prefixOf(model)) {
			return false
		}
		c.size -= c.kept[key].size
		delete(c.kept, key)
		return true
	})
}

// prefixOf is what the keys of a model begin with.
func prefixOf(model plumbline.Model) string { return fmt.Sprintf("%q ", string(model)) }

func (c *windows) fresh(k keptWindow, now time.Time) bool {
	return now.Sub(k.at) < c.cfg.KeepFor && !now.Before(k.at)
}

// put keeps a window.
func (c *windows) put(key string, w drift.Window, now time.Time) {
	c.keep(key, keptWindow{window: w, at: now, size: sizeOf(key, w)})
}

// keep keeps what fits at all, and drops what is too old to be used.
func (c *windows) keep(key string, k keptWindow) {
	if c.cfg.KeepFor == 0 || k.size > c.cfg.KeepCounts {
		return
	}
	now := k.at
	c.mu.Lock()
	defer c.mu.Unlock()
	c.order = slices.DeleteFunc(c.order, func(other string) bool {
		old := c.kept[other]
		if other != key && c.fresh(old, now) {
			return false
		}
		c.size -= old.size
		delete(c.kept, other)
		return true
	})
	c.order, c.size = append(c.order, key), c.size+k.size
	c.kept[key] = k
	for c.size > c.cfg.KeepCounts {
		oldest := c.order[0]
		c.order = c.order[1:]
		c.size -= c.kept[oldest].size
		delete(c.kept, oldest)
	}
}

// What a window takes in memory, in bytes beside its texts; maps are rounded to
// what an entry takes between two growths (Go 1.26: a category 51 to 71 with a
// text of 16).
const (
	bucketBytes   = 12 // an int32 and a uint64
	categoryBytes = 64
	seriesBytes   = 256
	windowBytes   = 256
)

// sizeOf is what a window takes, its key included, in buckets.
func sizeOf(key string, w drift.Window) int {
	bytes := windowBytes + len(key) + 8*len(w.Each)
	for f, s := range w.Features {
		bytes += len(f) + sampleBytes(s)
	}
	for o, s := range w.Outputs {
		bytes += len(o) + sampleBytes(s)
	}
	return (bytes + bucketBytes - 1) / bucketBytes
}

func sampleBytes(s drift.Sample) int {
	bytes := seriesBytes + bucketBytes*len(s.Numbers.Buckets)
	for value := range s.Values {
		bytes += categoryBytes + len(value)
	}
	return bytes
}

// keyOfQueries names what queries read; %q keeps names of producers apart.
func keyOfQueries(queries ...drift.Query) string {
	var key strings.Builder
	for _, q := range queries {
		fmt.Fprintf(&key, "%q %q %q %q %q %d %d;", q.Model, q.Deploys, q.Stage, q.Segment, q.Series, q.From.Unix(), q.To.Unix())
	}
	return key.String()
}
