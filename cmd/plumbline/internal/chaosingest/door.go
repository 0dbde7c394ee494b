package chaosingest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"sync"
	"sync/atomic"
	"time"
)

// aboutToSend is the path of a door where a worker asks before each INSERT.
const aboutToSend = "/chaos/about-to-send"

// The shares of INSERTs that fail: refused before ClickHouse sees them, or
// applied and answered with an error.
const (
	refusedShare = 0.05
	falselyShare = 0.07
)

// point is a moment in the life of a statement.
type point int

const (
	before  point = iota // the worker has decided to send it
	arrived              // it is on its way to ClickHouse
	applied              // ClickHouse has applied it, the worker does not know
)

func (p point) String() string { return []string{"before", "under way", "applied"}[p] }

// trap does something to a worker at a moment of one of its statements. An empty
// table is any; the statement is the nth that matches.
type trap struct {
	at    point
	table string
	nth   int
	act   func()
	fired chan struct{} // closed after act
}

// door is how one worker reaches ClickHouse.
type door struct {
	target    *url.URL
	transport *http.Transport
	faults    *faults
	server    *http.Server
	addr      string

	inserts  atomic.Int64 // INSERTs that came
	underWay atomic.Int64 // INSERTs at ClickHouse now
	batches  atomic.Int64 // rows of batches that were inserted

	mu   sync.Mutex
	trap *trap
	// late is the table of the statement that a stopped worker has yet to send.
	late  string
	lates int // of these, how many came
}

// faults decides which statements fail. They are off until share is set.
type faults struct {
	on               atomic.Bool
	refused, falsely atomic.Int64

	mu     sync.Mutex
	random *rand.Rand
}

func openDoor(target *url.URL, f *faults) (*door, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("open a door to ClickHouse: %w", err)
	}
	d := &door{target: target, transport: &http.Transport{MaxIdleConnsPerHost: 64}, faults: f, addr: l.Addr().String()}
	d.server = &http.Server{Handler: d}
	go func() { _ = d.server.Serve(l) }() // ends when it is closed
	return d, nil
}

// dsn returns the address of ClickHouse through the door.
func (d *door) dsn() string {
	through := *d.target
	through.Host = d.addr
	return through.String()
}

func (d *door) close() {
	_ = d.server.Close() // what is still open belongs to killed workers
	d.transport.CloseIdleConnections()
}

// arm sets a trap, in place of the one before.
func (d *door) arm(t *trap) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.trap = t
}

// disarm takes the trap away and reports whether it was still there.
func (d *door) disarm(t *trap) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.trap != t {
		return false
	}
	d.trap = nil
	return true
}

// reach springs the trap if this is its moment.
func (d *door) reach(at point, table string) (sprung bool) {
	d.mu.Lock()
	if at == arrived && table == d.late {
		d.late = ""
		d.lates++
	}
	t := d.trap
	if t == nil || t.at != at || t.table != "" && t.table != table {
		d.mu.Unlock()
		return false
	}
	if t.nth--; t.nth > 0 {
		d.mu.Unlock()
		return false
	}
	d.trap = nil
	if at == before {
		d.late = table
	}
	d.mu.Unlock()
	t.act()
	close(t.fired)
	return true
}

// settled is how long the kernel may take to stop every thread of a process.
const settled = 20 * time.Millisecond

func (d *door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == aboutToSend {
		if d.reach(before, r.URL.Query().Get("table")) {
			time.Sleep(settled) // the answer must not overtake the signal
		}
		return
	}
	s, err := readStatement(r)
	if err != nil {
		panic(http.ErrAbortHandler) // its sender was killed
	}
	if s.table == "" {
		answer, err := s.send(r, d.target, d.transport)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		passOn(w, answer)
		return
	}
	d.insert(w, r, s)
}

func (d *door) insert(w http.ResponseWriter, r *http.Request, s statement) {
	d.inserts.Add(1)
	d.reach(arrived, s.table)
	f := d.faults.next()
	if f == refuse {
		http.Error(w, "Code: 252. DB::Exception: Too many parts. (TOO_MANY_PARTS)", http.StatusInternalServerError)
		return
	}
	d.underWay.Add(1)
	answer, err := s.send(r, d.target, d.transport)
	d.underWay.Add(-1)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if answer.StatusCode == http.StatusOK && s.table == "batches" {
		d.batches.Add(1)
	}
	d.reach(applied, s.table)
	switch f {
	case lie:
		_ = answer.Body.Close()
		http.Error(w, "Code: 241. DB::Exception: Memory limit exceeded. (MEMORY_LIMIT_EXCEEDED)", http.StatusInternalServerError)
	case tear:
		_ = answer.Body.Close()
		panic(http.ErrAbortHandler)
	default:
		passOn(w, answer)
	}
}

// fault is what becomes of one INSERT.
type fault int

const (
	pass   fault = iota
	refuse       // answered with an error, not applied
	lie          // applied, answered with an error
	tear         // applied, the connection is cut before the answer
)

func (f *faults) next() fault {
	if !f.on.Load() {
		return pass
	}
	f.mu.Lock()
	x := f.random.Float64()
	f.mu.Unlock()
	switch {
	case x < refusedShare:
		f.refused.Add(1)
		return refuse
	case x < refusedShare+falselyShare/2:
		f.falsely.Add(1)
		return lie
	case x < refusedShare+falselyShare:
		f.falsely.Add(1)
		return tear
	}
	return pass
}

// statement is one request to ClickHouse.
type statement struct {
	body  []byte
	table string // that an INSERT goes to, empty for anything else
}

var insertInto = regexp.MustCompile("^\\s*INSERT INTO (?:`?\\w+`?\\.)?`?(\\w+)`?")

func readStatement(r *http.Request) (s statement, err error) {
	if s.body, err = io.ReadAll(r.Body); err != nil {
		return s, err
	}
	query := r.URL.Query().Get("query")
	if query == "" {
		query = string(s.body[:min(len(s.body), 300)])
	}
	if found := insertInto.FindStringSubmatch(query); found != nil {
		s.table = found[1]
	}
	return s, nil
}

// send forwards the statement. It is not called back when its sender dies: what
// was sent, was sent.
func (s statement) send(r *http.Request, target *url.URL, transport *http.Transport) (*http.Response, error) {
	out := r.Clone(context.WithoutCancel(r.Context()))
	out.URL.Scheme, out.URL.Host, out.Host, out.RequestURI = target.Scheme, target.Host, target.Host, ""
	out.Body, out.ContentLength, out.TransferEncoding = io.NopCloser(bytes.NewReader(s.body)), int64(len(s.body)), nil
	return transport.RoundTrip(out)
}

func passOn(w http.ResponseWriter, answer *http.Response) {
	defer answer.Body.Close()
	for k, v := range answer.Header {
		w.Header()[k] = v
	}
	w.WriteHeader(answer.StatusCode)
	if _, err := io.Copy(w, answer.Body); err != nil {
		panic(http.ErrAbortHandler)
	}
}
