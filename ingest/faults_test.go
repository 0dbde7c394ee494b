package ingest_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/plumbline-slo/plumbline/ingest"
	"github.com/plumbline-slo/plumbline/ingest/verify"
	"github.com/plumbline-slo/plumbline/storage"
	"github.com/plumbline-slo/plumbline/testenv"
	"github.com/plumbline-slo/plumbline/testenv/traffic"
)

// fault is what the proxy does with one INSERT.
type fault int

const (
	pass   fault = iota
	refuse       // answer 500, nothing applied
	lie          // apply it, answer 500
	tear         // apply it, cut the connection before the answer
	half         // send half the body on, cut the connection
	wrong        // answer 500 with an error that no retry mends
)

// proxy stands between ingest and ClickHouse and makes INSERTs fail as decide
// says, by their number and table, and an ALTER as alter says. SELECTs pass.
type proxy struct {
	target *url.URL

	mu      sync.Mutex
	decide  func(n int, query string) fault
	alter   func(query string) fault // nil passes all
	inserts int
	faults  int
	failed  chan struct{} // closed at the first fault since reset
	bare    []string      // statements that write without a log_comment, by which others see them running
}

func startProxy(t *testing.T, env *testenv.Env) (*proxy, *storage.DB) {
	t.Helper()
	target, err := url.Parse(env.DSN)
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{target: target}
	p.reset(func(int, string) fault { return pass })
	server := httptest.NewServer(p)
	t.Cleanup(server.Close)
	through := *target
	through.Host = strings.TrimPrefix(server.URL, "http://")
	cfg := storage.DefaultConfig()
	cfg.DSN, cfg.Database = through.String(), env.DB.Database()
	db, err := storage.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return p, db
}

func (p *proxy) reset(decide func(n int, query string) fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.decide, p.alter, p.inserts, p.failed = decide, nil, 0, make(chan struct{})
}

// await waits for the first fault since reset.
func (p *proxy) await(t *testing.T) {
	t.Helper()
	p.mu.Lock()
	failed := p.failed
	p.mu.Unlock()
	select {
	case <-failed:
	case <-time.After(5 * time.Minute):
		t.Fatal("no insert came that was to fail")
	}
}

func (p *proxy) see(query, comment string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	writes := strings.HasPrefix(query, "INSERT") || strings.HasPrefix(query, "ALTER")
	if writes && !strings.Contains(comment, "/") {
		p.bare = append(p.bare, query[:min(len(query), 60)])
	}
}

func (p *proxy) next(query string) fault {
	p.mu.Lock()
	defer p.mu.Unlock()
	f := pass
	switch {
	case strings.HasPrefix(query, "INSERT"):
		p.inserts++
		f = p.decide(p.inserts, query)
	case strings.HasPrefix(query, "ALTER") && p.alter != nil:
		f = p.alter(query)
	}
	if f != pass {
		p.faults++
		select {
		case <-p.failed:
		default:
			close(p.failed)
		}
	}
	return f
}

func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	query := r.URL.Query().Get("query")
	if query == "" {
		query = string(body[:min(len(body), 200)])
	}
	p.see(query, r.URL.Query().Get("log_comment"))
	f := p.next(strings.TrimSpace(query))
	if f == refuse {
		http.Error(w, "Code: 252. DB::Exception: Too many parts. (TOO_MANY_PARTS)", http.StatusInternalServerError)
		return
	}
	if f == wrong {
		http.Error(w, "Code: 16. DB::Exception: No such column x in table. (NO_SUCH_COLUMN_IN_TABLE)", http.StatusInternalServerError)
		return
	}
	out := r.Clone(r.Context())
	out.URL.Scheme, out.URL.Host, out.RequestURI = p.target.Scheme, p.target.Host, ""
	out.Host = p.target.Host
	out.Body, out.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	if f == half {
		out.Body, out.ContentLength = io.NopCloser(io.MultiReader(bytes.NewReader(body[:len(body)/2]), broken{})), -1
	}
	answer, err := http.DefaultTransport.RoundTrip(out)
	if err != nil || f == tear || f == half {
		panic(http.ErrAbortHandler)
	}
	defer answer.Body.Close()
	if f == lie {
		http.Error(w, "Code: 241. DB::Exception: Memory limit exceeded. (MEMORY_LIMIT_EXCEEDED)", http.StatusInternalServerError)
		return
	}
	for k, v := range answer.Header {
		w.Header()[k] = v
	}
	w.WriteHeader(answer.StatusCode)
	_, _ = io.Copy(w, answer.Body)
}

// broken is a body that ends in an error.
type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, fmt.Errorf("cut by the test") }

// check compares what is stored with what was produced.
func check(t *testing.T, env *testenv.Env, want traffic.Expected, opts verify.Options) {
	t.Helper()
	for query, n := range map[string]int{
		"SELECT count() FROM predictions":                                        want.Predictions,
		"SELECT uniqExact(_topic, _epoch, _partition, _offset) FROM predictions": want.Predictions,
		"SELECT count() FROM labels":                                             want.Labels,
		requests:                                                                 want.Predictions,
		"SELECT sum(count) FROM categories_hour WHERE series = 'feature:channel' AND model != ''": want.Predictions,
		"SELECT sum(dead) FROM batches FINAL WHERE table IN ('predictions', 'labels')":            want.Dead,
	} {
		if got := count(t, env, query); got != uint64(n) {
			t.Errorf("%s = %d, want %d", query, got, n)
		}
	}
	equal(t, env, opts)
}

func plus(a, b traffic.Expected) traffic.Expected {
	return traffic.Expected{Predictions: a.Predictions + b.Predictions, Labels: a.Labels + b.Labels, Dead: a.Dead + b.Dead}
}

// TestKilledAnywhere stops the ingester after its k-th insert, for every k, in
// every way an insert can fail, with deduplication turned off: only the looks are left.
func TestKilledAnywhere(t *testing.T) {
	env := testenv.Start(t, testenv.Setup{Kafka: true, Storage: func(c *storage.Config) { c.DedupWindow = 0 }})
	p, db := startProxy(t, env)
	cfg := testConfig(env)
	cfg.Partitions = 1
	if err := ingest.EnsureTopics(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	var want traffic.Expected
	round := func(k int, kind fault) {
		p.reset(func(n int, _ string) fault {
			switch {
			case n < k:
				return pass
			case n == k:
				return kind
			}
			return refuse
		})
		want = plus(want, produce(t, env, cfg, options(uint64(100*k+int(kind)), 60)))
		stop := start(t, cfg, ingest.Dependencies{DB: db})
		p.await(t)
		stop()
	}
	for k := 1; k <= 8; k++ {
		for _, kind := range []fault{refuse, lie, tear, half} {
			round(k, kind)
		}
	}
	p.reset(func(int, string) fault { return pass })
	start(t, cfg, ingest.Dependencies{DB: db})
	until(t, env, committedEvents, uint64(want.Predictions+want.Dead+want.Labels))
	check(t, env, want, verify.Options{From: now.Add(-60 * time.Hour), To: now.Add(time.Hour)})
	t.Logf("%d faults, %d events", p.faults, want.Predictions+want.Dead+want.Labels)
}

// TestFlakyInserts makes every third insert fail in turn in each way while the
// ingester goes on.
func TestFlakyInserts(t *testing.T) {
	env := testenv.Start(t, testenv.Setup{Kafka: true, Storage: func(c *storage.Config) { c.DedupWindow = 0 }})
	p, db := startProxy(t, env)
	p.reset(func(n int, _ string) fault {
		if n%3 == 0 {
			return fault(n/3%4) + refuse
		}
		return pass
	})
	cfg := testConfig(env)
	cfg.FlushRows = 200
	if err := ingest.EnsureTopics(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	want := produce(t, env, cfg, options(5, 3000))
	start(t, cfg, ingest.Dependencies{DB: db})
	until(t, env, committedEvents, uint64(want.Predictions+want.Dead+want.Labels))
	check(t, env, want, verify.Options{From: now.Add(-60 * time.Hour), To: now.Add(time.Hour)})
	if p.faults < 10 {
		t.Errorf("only %d faults", p.faults)
	}
}
