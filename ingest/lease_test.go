package ingest_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
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
	table  string // of the statement that is held
	// rewrite, if set, changes what is asked of ClickHouse, or answers itself.
	rewrite func(w http.ResponseWriter, query url.Values) (answered bool)
	another bool // give the server another id

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
	if d.another {
		body = []byte(strings.ReplaceAll(string(body), "serverUUID()", "'another'"))
	}
	out := r.Clone(context.WithoutCancel(r.Context()))
	out.URL.Scheme, out.URL.Host, out.Host, out.RequestURI = d.target.Scheme, d.target.Host, d.target.Host, ""
	out.Body, out.ContentLength = io.NopCloser(strings.NewReader(string(body))), int64(len(body))
	if d.rewrite != nil {
		query := out.URL.Query()
		if d.rewrite(w, query) {
			return
		}
		out.URL.RawQuery = query.Encode()
	}
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

// Where the former owner's session cannot be closed, it is left alone until it
// has expired, and then the late statement is refused all the same.
func TestSessionThatCannotBeClosedExpires(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for sessions to expire")
	}
	for _, another := range []bool{false, true} {
		t.Run(fmt.Sprint("another server ", another), func(t *testing.T) {
			t.Parallel()
			env := testenv.Start(t, testenv.Setup{Storage: func(c *storage.Config) { c.DedupWindow = 0 }})
			ownBroker(t, env)
			first, db := openLateDoor(t, env, "predictions", true)
			cfg := testConfig(env)
			cfg.Partitions, cfg.SessionTimeout = 1, time.Second
			if !another {
				cfg.SessionTimeout = 8 * time.Second // longer than the first takes to stop
			}
			if err := ingest.EnsureTopics(t.Context(), cfg); err != nil {
				t.Fatal(err)
			}
			want := produce(t, env, cfg, options(51, 200))
			stop := start(t, cfg, ingest.Dependencies{DB: db})
			await(t, first.held, "a statement that is held")
			stop()
			second, db := openLateDoor(t, env, "none", true)
			second.rewrite = func(_ http.ResponseWriter, query url.Values) bool {
				query.Del("close_session") // what no server knows changes nothing
				return false
			}
			second.another = another
			start(t, cfg, ingest.Dependencies{DB: db})
			until(t, env, committedEvents, uint64(want.Predictions+want.Dead+want.Labels))
			close(first.let)
			if answer := <-first.done; !strings.Contains(answer, "SESSION_NOT_FOUND") {
				t.Errorf("ClickHouse answered the late statement with %q", answer)
			}
			check(t, env, want, everything(time.Now()))
		})
	}
}

// Behind a load balancer a statement meets a server that does not know its
// session: the partition is parked and people are told what to do, rather than
// nothing being stored for ever in silence.
func TestLoadBalancerIsToldOf(t *testing.T) {
	env := testenv.Start(t, testenv.Setup{Kafka: true})
	door, db := openLateDoor(t, env, "none", true)
	var healed atomic.Bool
	door.rewrite = func(w http.ResponseWriter, query url.Values) bool {
		if healed.Load() || query.Get("session_check") != "1" || !strings.HasPrefix(query.Get("query"), "INSERT") {
			return false
		}
		w.Header().Set("X-ClickHouse-Exception-Code", "372")
		http.Error(w, "Code: 372. DB::Exception: Session not found (SESSION_NOT_FOUND)", http.StatusInternalServerError)
		return true
	}
	cfg := testConfig(env)
	if err := ingest.EnsureTopics(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	want := produce(t, env, cfg, options(52, 200))
	seen := newNotices()
	start(t, cfg, ingest.Dependencies{DB: db, Noticer: seen})
	seen.await(t, ingest.NoticeParked)
	seen.mu.Lock()
	text := seen.got[0].Text
	seen.mu.Unlock()
	if !strings.Contains(text, "load balancer") || !strings.Contains(text, "clickhouse.fence") {
		t.Errorf("notice: %s", text)
	}
	healed.Store(true)
	until(t, env, committedEvents, uint64(want.Predictions+want.Dead+want.Labels))
	check(t, env, want, everything(time.Now()))
}

func await(t *testing.T, c <-chan struct{}, what string) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(5 * time.Minute):
		t.Fatalf("no %s", what)
	}
}
