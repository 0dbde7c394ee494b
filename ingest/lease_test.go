package ingest_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/plumbline-slo/plumbline/ingest"
	"github.com/plumbline-slo/plumbline/storage"
	"github.com/plumbline-slo/plumbline/testenv"
)

// lateDoor stands between ingest and ClickHouse and keeps the first INSERT into
// a table on its way until it is let go, whatever becomes of the one who sent
// it: that is what a process does which is stopped behind its last check, or a
// network that is slow.
type lateDoor struct {
	target *url.URL
	table  string

	once sync.Once
	held chan struct{} // closed when the statement is held
	let  chan struct{} // to be closed to let it go on
	done chan string   // gets ClickHouse's answer to it
}

func openLateDoor(t *testing.T, env *testenv.Env, table string, fence bool) (*lateDoor, *storage.DB) {
	t.Helper()
	target, err := url.Parse(env.DSN)
	if err != nil {
		t.Fatal(err)
	}
	d := &lateDoor{target: target, table: table, held: make(chan struct{}), let: make(chan struct{}), done: make(chan string, 1)}
	server := httptest.NewServer(d)
	t.Cleanup(server.Close)
	through := *target
	through.Host = strings.TrimPrefix(server.URL, "http://")
	cfg := storage.DefaultConfig()
	cfg.DSN, cfg.Database, cfg.Fence = through.String(), env.DB.Database(), fence
	db, err := storage.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return d, db
}

func (d *lateDoor) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	late := false
	if query := r.URL.Query().Get("query"); strings.HasPrefix(query, "INSERT") && strings.Contains(query, "`"+d.table+"`") {
		d.once.Do(func() { late = true })
	}
	out := r.Clone(context.WithoutCancel(r.Context()))
	out.URL.Scheme, out.URL.Host, out.Host, out.RequestURI = d.target.Scheme, d.target.Host, d.target.Host, ""
	out.Body, out.ContentLength = io.NopCloser(strings.NewReader(string(body))), int64(len(body))
	if late {
		close(d.held)
		<-d.let
	}
	answer, err := http.DefaultTransport.RoundTrip(out)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	defer answer.Body.Close()
	text, _ := io.ReadAll(answer.Body)
	if late {
		d.done <- string(text)
	}
	for k, v := range answer.Header {
		w.Header()[k] = v
	}
	w.WriteHeader(answer.StatusCode)
	_, _ = w.Write(text)
}

// A statement of a former owner that arrives at ClickHouse when the partition
// has another owner, who has finished the batch, and when the deduplication
// window remembers nothing of it. Without the fence it doubles its rows, which
// shows that the test would see it.
func TestStatementOfAFormerOwnerIsRefused(t *testing.T) {
	for _, table := range []string{"predictions", "categories_hour"} {
		for name, fence := range map[string]bool{"fenced": true, "not fenced": false} {
			t.Run(table+"/"+name, func(t *testing.T) {
				t.Parallel()
				env := testenv.Start(t, testenv.Setup{Kafka: true, Storage: func(c *storage.Config) { c.DedupWindow, c.Fence = 0, fence }})
				door, db := openLateDoor(t, env, table, fence)
				cfg := testConfig(env)
				cfg.Partitions = 1
				if err := ingest.EnsureTopics(t.Context(), cfg); err != nil {
					t.Fatal(err)
				}
				want := produce(t, env, cfg, options(50, 300))
				stop := start(t, cfg, ingest.Dependencies{DB: db})
				await(t, door.held, "a statement that is held")
				stop()
				start(t, cfg, ingest.Dependencies{DB: env.DB})
				until(t, env, committedEvents, uint64(want.Predictions+want.Dead+want.Labels))
				before := count(t, env, "SELECT count() FROM "+table)
				close(door.let)
				answer := <-door.done
				after := count(t, env, "SELECT count() FROM "+table)
				if !fence {
					if after == before {
						t.Errorf("%d rows before and after the late statement: the test proves nothing", before)
					}
					return
				}
				if !strings.Contains(answer, "SESSION_NOT_FOUND") || after != before {
					t.Errorf("%d rows before the late statement and %d after it; ClickHouse answered %q", before, after, answer)
				}
				check(t, env, want, everything(time.Now()))
			})
		}
	}
}

func await(t *testing.T, c <-chan struct{}, what string) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(30 * time.Second):
		t.Fatalf("no %s", what)
	}
}
