// Package fakehttp is what the fake HTTP services of the tests and the demo
// have in common: every request is recorded, and faults can be scripted (slow,
// refused, failing, cut off). It knows nothing of what the services do.
package fakehttp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// maxBody bounds how much of a request a fake reads; the largest real limit is
// PagerDuty's 512 KB.
const maxBody = 4 << 20

// Fault is what happens to one request instead of, or before, its answer. The
// zero Fault lets the request through.
type Fault struct {
	// Path limits the fault to requests whose path ends with it; empty means
	// every request. A fault waits in the script until its request comes, and
	// holds up no fault behind it.
	Path string
	// Delay passes before anything else happens, or until the client hangs up.
	Delay time.Duration
	// Hang holds the request until the client hangs up.
	Hang bool
	// Cut closes the connection without an answer.
	Cut bool
	// CutAfter lets the service do its work, then closes the connection: the
	// client cannot know that it was done.
	CutAfter bool
	// Status answers with this code; zero lets the request through.
	Status int
	// Location is where Status, a redirect, leads to.
	Location string
	// RetryAfter is sent in whole seconds with Status, if positive.
	RetryAfter time.Duration
	// Body is the body sent with Status.
	Body string
}

// Request is one request as it arrived.
type Request struct {
	At     time.Time
	Method string
	Path   string
	Header http.Header
	Body   []byte
}

// Server serves a handler on a loopback address, records the requests and
// plays the scripted faults. It is safe for concurrent use.
type Server struct {
	url  string
	http *http.Server
	done chan struct{}

	mu       sync.Mutex
	requests []Request
	faults   []Fault
	changed  chan struct{}
}

// Start listens on addr, for example "127.0.0.1:0", and serves next behind the
// recorder and the faults until Close.
func Start(addr string, next http.Handler) (*Server, error) {
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("start fake server on %s: %w", addr, err)
	}
	s := &Server{
		url:     "http://" + listener.Addr().String(),
		done:    make(chan struct{}),
		changed: make(chan struct{}),
	}
	s.http = &http.Server{Handler: s.record(next), ReadHeaderTimeout: 10 * time.Second}
	go func() {
		defer close(s.done)
		// Serve always returns an error; after Close it is ErrServerClosed, and
		// a listener that dies earlier shows as a refused connection.
		_ = s.http.Serve(listener)
	}()
	return s, nil
}

// URL returns the address as http://host:port.
func (s *Server) URL() string { return s.url }

// Close stops the server and drops its connections.
func (s *Server) Close() error {
	err := s.http.Close()
	<-s.done
	if err != nil && !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("close fake server: %w", err)
	}
	return nil
}

// Fail appends faults to the script: each of the next requests takes the first
// that is for its path.
func (s *Server) Fail(faults ...Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, faults...)
}

// Requests returns the requests so far, in the order of their arrival.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Request(nil), s.requests...)
}

// Changed wakes every Wait: services call it when their own state changed.
func (s *Server) Changed() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wake()
}

func (s *Server) wake() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// Wait blocks until ok returns true, asking again after each request and each
// Changed, or until the context ends; then it returns the context's error.
func (s *Server) Wait(ctx context.Context, ok func() bool) error {
	for {
		s.mu.Lock()
		changed := s.changed
		s.mu.Unlock()
		if ok() {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("wait for fake server %s: %w", s.url, ctx.Err())
		}
	}
}

func (s *Server) record(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(io.LimitReader(r.Body, maxBody))
		if err != nil {
			return // the client went away while sending
		}
		fault := s.arrived(Request{At: time.Now(), Method: r.Method, Path: r.URL.Path, Header: r.Header.Clone(), Body: body})
		if !fault.wait(r.Context()) {
			return
		}
		switch {
		case fault.Cut:
			panic(http.ErrAbortHandler)
		case fault.Status != 0:
			fault.answer(w)
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		if fault.CutAfter {
			next.ServeHTTP(discard{}, r)
			s.Changed()
			panic(http.ErrAbortHandler)
		}
		next.ServeHTTP(w, r)
		s.Changed()
	})
}

func (s *Server) arrived(r Request) Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = append(s.requests, r)
	var fault Fault
	for i, f := range s.faults {
		if strings.HasSuffix(r.Path, f.Path) {
			fault, s.faults = f, slices.Delete(s.faults, i, i+1)
			break
		}
	}
	s.wake()
	return fault
}

// wait returns false if the client hung up meanwhile.
func (f Fault) wait(ctx context.Context) bool {
	if f.Hang {
		<-ctx.Done()
		return false
	}
	if f.Delay <= 0 {
		return true
	}
	timer := time.NewTimer(f.Delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

func (f Fault) answer(w http.ResponseWriter) {
	if f.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(f.RetryAfter/time.Second)))
	}
	if f.Location != "" {
		w.Header().Set("Location", f.Location)
	}
	w.WriteHeader(f.Status)
	_, _ = io.WriteString(w, f.Body) // a client that went away needs no body
}

// discard is the answer nobody gets to see.
type discard struct{}

func (discard) Header() http.Header         { return make(http.Header) }
func (discard) Write(b []byte) (int, error) { return len(b), nil }
func (discard) WriteHeader(int)             {}
