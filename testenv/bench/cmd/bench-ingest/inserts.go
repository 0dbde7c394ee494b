package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/plumbline-slo/plumbline/testenv/bench"
)

// insert is one INSERT as ingest sent it: Arrow bytes and all settings.
type insert struct {
	path, query string
	header      http.Header
	body        []byte
}

// raw reports whether it inserts raw rows. Only the statement tells: the
// deduplication token of every table names the topic.
func (i insert) raw() bool {
	parameters, err := url.ParseQuery(i.query)
	return err == nil && strings.Contains(parameters.Get("query"), "`predictions`")
}

// tap is an HTTP proxy before the engine that keeps every INSERT.
type tap struct {
	server  *httptest.Server
	mu      sync.Mutex
	inserts []insert
}

func newTap(dsn string) (*tap, string, error) {
	target, err := url.Parse(dsn)
	if err != nil {
		return nil, "", err
	}
	t := &tap{}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.Out.URL.Scheme, r.Out.URL.Host, r.Out.Host = target.Scheme, target.Host, target.Host
	}}
	t.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Query().Get("query"), "INSERT INTO") {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				http.Error(w, err.Error(), http.StatusBadGateway)
				return
			}
			r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
			t.mu.Lock()
			t.inserts = append(t.inserts, insert{r.URL.Path, withoutSession(r.URL), r.Header.Clone(), body})
			t.mu.Unlock()
		}
		proxy.ServeHTTP(w, r)
	}))
	through := *target
	through.Host = strings.TrimPrefix(t.server.URL, "http://")
	return t, through.String(), nil
}

// withoutSession returns the parameters of a request but those of its session,
// which fences a former owner of the partition and is closed by then.
func withoutSession(u *url.URL) string {
	parameters := u.Query()
	for _, name := range []string{"session_id", "session_check", "session_timeout"} {
		parameters.Del(name)
	}
	return parameters.Encode()
}

// capture lets ingest store the events of a format once and returns its INSERTs,
// in their order.
func (w *world) capture(ctx context.Context, format string) ([]insert, error) {
	db, drop, err := w.database(ctx, captureDatabase)
	if err != nil {
		return nil, err
	}
	t, dsn, err := newTap(w.engine.DSN())
	if err != nil {
		return nil, err
	}
	defer t.server.Close()
	j := w.job(format, "capture-"+format, captureDatabase)
	j.DSN = dsn
	child, err := bench.Spawn(ctx, "ours", j)
	if err != nil {
		return nil, err
	}
	if _, err := awaitDone(child); err != nil {
		return nil, err
	}
	if err := child.Close(); err != nil {
		return nil, err
	}
	if err := w.check(ctx, db, "predictions"); err != nil {
		return nil, err
	}
	return t.inserts, drop()
}

const captureDatabase = "bench_capture"

// inFlight returns the size of two batches, which is how many of a partition
// ingest holds at once, in MiB: twice the largest INSERT of raw rows.
func inFlight(inserts []insert) float64 {
	largest := 0
	for _, i := range inserts {
		if i.raw() {
			largest = max(largest, len(i.body))
		}
	}
	return 2 * float64(largest) / (1 << 20)
}

// replay sends the INSERTs that pass to another database and returns the
// engine's CPU time.
func (w *world) replay(ctx context.Context, inserts []insert, database string, pass func(insert) bool) (time.Duration, error) {
	target, err := url.Parse(w.engine.DSN())
	if err != nil {
		return 0, err
	}
	before, err := bench.CPU(w.engine.ChildPID())
	if err != nil {
		return 0, err
	}
	for _, i := range inserts {
		if !pass(i) {
			continue
		}
		u := url.URL{Scheme: target.Scheme, Host: target.Host, Path: i.path, RawQuery: strings.ReplaceAll(i.query, captureDatabase, database)}
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), bytes.NewReader(i.body))
		if err != nil {
			return 0, err
		}
		req.Header = i.header.Clone()
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			return 0, fmt.Errorf("repeat an insert: %w", err)
		}
		answer, err := io.ReadAll(res.Body)
		if err = errors.Join(err, res.Body.Close()); err == nil && res.StatusCode != http.StatusOK {
			err = errors.New(string(answer))
		}
		if err != nil {
			return 0, fmt.Errorf("repeat an insert: %s: %w", res.Status, err)
		}
	}
	after, err := bench.CPU(w.engine.ChildPID())
	return after - before, err
}
