//go:build linux && amd64

package engine

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// access is what a request may do.
type access uint8

const (
	accessFull    access = iota // everything the engine's grants allow
	accessRead                  // GET by the full user: reads, settings free
	accessAnalyst               // reads, capped, settings fixed
)

// connKey says which pooled connections are interchangeable: same access,
// database and names of settings. Values may differ for accessFull, where a
// SET aligns them; read-only connections cannot be changed any more, so their
// values are part of the key.
type connKey struct {
	access   access
	database string
	settings string
}

// conn is a pooled engine connection, used by one request at a time.
type conn struct {
	*native
	key      connKey
	settings map[string]string
	tag      string // begins the log_comment of its queries, to find them
	ends     bool   // not to be used again
}

// pool opens, keeps and limits engine connections. A connection costs about
// 0.2 ms to open and holds its settings, so those in use a moment ago serve
// the next request of the same kind.
type pool struct {
	lib      *library
	args     []string // of the first connection, repeated by all
	caps     Limits
	slots    chan struct{}
	maxIdle  int
	mu       sync.Mutex
	idle     []*conn // oldest first
	nextTag  int
	controls sync.Mutex
	control  *native // for KILL QUERY; keeps the engine alive too
}

func newPool(lib *library, args []string, caps Limits, maxOpen int) (*pool, error) {
	control, err := lib.open(args)
	if err != nil {
		return nil, err
	}
	return &pool{lib: lib, args: args, caps: caps, control: control, maxIdle: 16, slots: make(chan struct{}, maxOpen)}, nil
}

// acquire returns a connection to database with exactly these settings.
func (p *pool) acquire(ctx context.Context, a access, database string, settings map[string]string) (*conn, error) {
	select {
	case p.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, raise(codeTooManyQueries, "TOO_MANY_SIMULTANEOUS_QUERIES", "gave up waiting for a free engine connection: "+ctx.Err().Error())
	}
	c, err := p.take(a, database, settings)
	if err != nil {
		<-p.slots
	}
	return c, err
}

func (p *pool) take(a access, database string, settings map[string]string) (*conn, error) {
	key := keyOf(a, database, settings)
	p.mu.Lock()
	var c *conn
	for i := len(p.idle) - 1; i >= 0; i-- {
		if p.idle[i].key == key {
			c = p.idle[i]
			p.idle = slices.Delete(p.idle, i, i+1)
			break
		}
	}
	if c == nil {
		p.nextTag++
		c = &conn{key: key, tag: "plumbline-" + strconv.Itoa(p.nextTag) + " "}
	}
	p.mu.Unlock()
	if err := p.prepare(c, settings); err != nil {
		p.discard(c)
		return nil, err
	}
	return c, nil
}

func keyOf(a access, database string, settings map[string]string) connKey {
	names := slices.Sorted(maps.Keys(settings))
	if a != accessFull || settings["readonly"] != "" {
		for i, n := range names {
			names[i] = n + "=" + settings[n]
		}
	}
	return connKey{access: a, database: database, settings: strings.Join(names, "\x00")}
}

// prepare opens c if it is new and sets what differs from its last use.
func (p *pool) prepare(c *conn, settings map[string]string) error {
	if c.native == nil {
		n, err := p.lib.open(p.args)
		if err != nil {
			return err
		}
		c.native = n
		if c.key.database != "" {
			if err := c.exec("USE " + quoteName(c.key.database)); err != nil {
				return err
			}
		}
	}
	// Every time: compared with what was asked and not with what was granted, a cap
	// would look like a change, which a read-only connection refuses.
	settings = p.withCaps(c, settings)
	var set []string
	for _, name := range slices.SortedFunc(maps.Keys(settings), readonlyLast) {
		value := settings[name]
		if old, known := c.settings[name]; !known || old != value {
			sent := value
			if name == "log_comment" {
				sent = c.tag + value
			}
			set = append(set, name+" = "+quoteString(sent))
		}
	}
	if len(set) > 0 {
		if err := c.exec("SET " + strings.Join(set, ", ")); err != nil {
			return err
		}
	}
	c.settings = maps.Clone(settings)
	return nil
}

// withCaps adds what a connection of its kind always has.
func (p *pool) withCaps(c *conn, settings map[string]string) map[string]string {
	s := maps.Clone(settings)
	if s == nil {
		s = map[string]string{}
	}
	if _, ok := s["log_comment"]; !ok {
		s["log_comment"] = ""
	}
	switch c.key.access {
	case accessRead:
		if s["readonly"] == "" || s["readonly"] == "0" {
			s["readonly"] = "2"
		}
	case accessAnalyst:
		p.caps.apply(s)
		s["readonly"] = "1"
	}
	return s
}

// readonlyLast orders settings by name with readonly at the end, for nothing
// can be set after it.
func readonlyLast(a, b string) int {
	if (a == "readonly") != (b == "readonly") {
		if a == "readonly" {
			return 1
		}
		return -1
	}
	return cmp.Compare(a, b)
}

func (c *conn) exec(sql string) error {
	_, err := c.run(sql, "Null", nil, func([]byte) error { return nil })
	return err
}

// release gives c back.
func (p *pool) release(c *conn) {
	defer func() { <-p.slots }()
	if c.ends {
		p.discard(c)
		return
	}
	p.mu.Lock()
	p.idle = append(p.idle, c)
	var old *conn
	if len(p.idle) > p.maxIdle {
		old, p.idle = p.idle[0], slices.Delete(p.idle, 0, 1)
	}
	p.mu.Unlock()
	if old != nil {
		p.discard(old)
	}
}

func (p *pool) discard(c *conn) {
	if c.native != nil {
		c.native.close()
		c.native = nil
	}
}

// watch kills c's query when ctx ends, until the returned function is called,
// which waits for a kill under way: a kill that came late would hit the next
// query of the connection.
func (p *pool) watch(ctx context.Context, c *conn) (stop func()) {
	finished, killed := make(chan struct{}), make(chan struct{})
	unhook := context.AfterFunc(ctx, func() {
		defer close(killed)
		// Again and again, for the query may not be registered yet.
		for wait := 20 * time.Millisecond; ; wait = min(2*wait, time.Second) {
			select {
			case <-finished:
				return
			default:
				p.kill(c.tag)
			}
			select {
			case <-finished:
				return
			case <-time.After(wait):
			}
		}
	})
	return func() {
		close(finished)
		if !unhook() {
			<-killed
			c.ends = true
		}
	}
}

func (p *pool) kill(tag string) {
	p.controls.Lock()
	defer p.controls.Unlock()
	// The error, if any, is that the query is gone, which is what was wanted.
	_, _ = p.control.run("KILL QUERY WHERE startsWith(Settings['log_comment'], "+quoteString(tag)+") ASYNC", "Null", nil,
		func([]byte) error { return nil })
}

// ask runs a statement of our own on the control connection and returns its
// result as text.
func (p *pool) ask(sql string) (string, error) {
	p.controls.Lock()
	defer p.controls.Unlock()
	var out strings.Builder
	_, err := p.control.run(sql, "TSV", nil, func(b []byte) error { out.Write(b); return nil })
	if err != nil {
		return "", fmt.Errorf("engine: %s: %w", clip(sql, 60), err)
	}
	return strings.TrimSpace(out.String()), nil
}

// analyse has the engine's parser judge sql.
func (p *pool) analyse(sql string) (int, statementClass, error) {
	p.controls.Lock()
	defer p.controls.Unlock()
	return p.control.analyse(sql)
}
