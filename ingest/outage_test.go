package ingest_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/plumbline-slo/plumbline/ingest"
	"github.com/plumbline-slo/plumbline/storage"
	"github.com/plumbline-slo/plumbline/testenv"
	"github.com/plumbline-slo/plumbline/testenv/address"
	"github.com/plumbline-slo/plumbline/testenv/broker"
	"github.com/plumbline-slo/plumbline/testenv/traffic"
)

// outageDoor stands between ingest and ClickHouse, which is gone while gone is
// set: every connection is cut without an answer, or hangs if hangs is set too.
type outageDoor struct {
	next    http.Handler
	gone    atomic.Bool
	hangs   atomic.Bool
	refused atomic.Int64
}

func (d *outageDoor) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if d.gone.Load() {
		d.refused.Add(1)
		if d.hangs.Load() {
			_, _ = io.Copy(io.Discard, r.Body) // or the server does not see the caller leave
			<-r.Context().Done()
		}
		panic(http.ErrAbortHandler)
	}
	d.next.ServeHTTP(w, r)
}

func openOutageDoor(t *testing.T, env *testenv.Env) (*outageDoor, *storage.DB) {
	t.Helper()
	target, err := url.Parse(env.DSN)
	if err != nil {
		t.Fatal(err)
	}
	through := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: target.Scheme, Host: target.Host})
	quiet := slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	through.ErrorLog = quiet
	d := &outageDoor{next: through}
	server := httptest.NewUnstartedServer(d)
	server.Config.ErrorLog = quiet
	server.Start()
	t.Cleanup(server.Close)
	dsn := *target
	dsn.Host = strings.TrimPrefix(server.URL, "http://")
	cfg := storage.DefaultConfig()
	cfg.DSN, cfg.Database = dsn.String(), env.DB.Database()
	db, err := storage.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return d, db
}

// assignments counts how often a member got its partitions.
type assignments struct {
	slog.Handler
	n atomic.Int64
}

func countAssignments() *assignments { return &assignments{Handler: logger().Handler()} }

func (a *assignments) Enabled(context.Context, slog.Level) bool { return true }

func (a *assignments) Handle(ctx context.Context, r slog.Record) error {
	if r.Message == "assigned" {
		a.n.Add(1)
	}
	return a.Handler.Handle(ctx, r)
}

// eventually polls until ok holds.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(5 * time.Minute)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-deadline:
			t.Fatalf("%s: not within five minutes", what)
		case <-tick.C:
		}
	}
}

// restartable is a broker that can be taken away and brought back on its data.
type restartable struct {
	cfg broker.Config
	mu  sync.Mutex
	b   *broker.Broker
}

// ownBroker gives the environment a broker of its own with short sessions.
func ownBroker(t *testing.T, env *testenv.Env) *restartable {
	t.Helper()
	if os.Getenv("PLUMBLINE_TEST_KAFKA") != "" {
		t.Skip("a real Kafka is not this test's to stop, and takes no sessions of a second")
	}
	reserved, err := address.Reserve()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = reserved.Release() }) // the test is over
	r := &restartable{cfg: broker.DefaultConfig()}
	r.cfg.DataDir, r.cfg.Listen, r.cfg.MinSession = t.TempDir(), reserved.Addr, time.Second
	r.start(t)
	t.Cleanup(r.stop)
	env.Brokers = []string{r.cfg.Listen}
	return r
}

func (r *restartable) start(t *testing.T) {
	t.Helper()
	b, err := broker.New(r.cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Start(); err != nil {
		t.Fatal(err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.b = b
}

func (r *restartable) stop() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.b != nil {
		r.b.Close()
		r.b = nil
	}
}

// ClickHouse is gone for several sessions of the group while events keep coming:
// the partitions stay where they are, at most two batches of each are in
// memory, and everything is stored once when it is back.
func TestClickHouseGone(t *testing.T) {
	t.Run("cut", func(t *testing.T) { takeClickHouseAway(t, false, 30) })
	t.Run("hangs", func(t *testing.T) { takeClickHouseAway(t, true, 4) })
}

// A loaded machine may lose a session by itself. Then a longer outage is looked
// at with longer sessions: if it were ClickHouse's absence, those end too.
func takeClickHouseAway(t *testing.T, hangs bool, attempts int64) {
	t.Parallel()
	env := testenv.Start(t, testenv.Setup{Storage: func(c *storage.Config) { c.DedupWindow = 0 }})
	ownBroker(t, env)
	door, db := openOutageDoor(t, env)
	door.hangs.Store(hangs)
	cfg := testConfig(env)
	cfg.InsertTimeout, cfg.FlushRows = time.Second, 50
	if err := ingest.EnsureTopics(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	seen := newNotices()
	var want traffic.Expected
	for scale := int64(1); ; scale *= 2 {
		cfg.SessionTimeout = time.Duration(scale) * time.Second
		assigned := countAssignments()
		i, err := ingest.New(cfg, ingest.Dependencies{DB: db, Noticer: seen, Logger: slog.New(assigned)})
		if err != nil {
			t.Fatal(err)
		}
		buffers := ingest.CountBuffers(i, cfg.Topics.Predictions)
		stop := runIngester(t, i)
		want = plus(want, produce(t, env, cfg, options(uint64(100*scale), 100)))
		until(t, env, committedEvents, uint64(want.Predictions+want.Dead+want.Labels))
		before, generations := buffers.Load(), assigned.n.Load()
		door.gone.Store(true)
		for round := range int64(4) {
			want = plus(want, produce(t, env, cfg, options(uint64(100*scale+1+round), 400)))
			// A partition pauses for at most RetryMax between two attempts, and one
			// that hangs takes InsertTimeout: these add up to several sessions.
			enough := door.refused.Load() + attempts*scale
			eventually(t, "attempts while ClickHouse is gone", func() bool { return door.refused.Load() >= enough })
		}
		begun := buffers.Load() - before
		door.gone.Store(false)
		until(t, env, committedEvents, uint64(want.Predictions+want.Dead+want.Labels))
		rebalances := assigned.n.Load() - generations
		stop()
		if rebalances == 0 {
			if begun > int64(2*cfg.Partitions) {
				t.Errorf("%d batches were begun while none could be stored, want at most 2 a partition", begun)
			}
			break
		}
		if scale == 32 {
			t.Fatalf("%d rebalances while ClickHouse was gone, with sessions of %s, and some with any shorter", rebalances, cfg.SessionTimeout)
		}
	}
	seen.none(t)
	check(t, env, want, everything(time.Now()))
}

// runIngester is start for an Ingester that exists.
func runIngester(t *testing.T, i *ingest.Ingester) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- i.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("run: %v", err)
		}
	})
	t.Cleanup(stop)
	return stop
}

// The broker goes away in the middle of batches and comes back, twice. One of
// the failed attempts is made every half second: the group cannot be joined.
func TestBrokerGone(t *testing.T) {
	t.Parallel()
	env := testenv.Start(t, testenv.Setup{Storage: func(c *storage.Config) { c.DedupWindow = 0 }})
	kafka := ownBroker(t, env)
	cfg := testConfig(env)
	cfg.SessionTimeout, cfg.FlushRows = time.Second, 50
	if err := ingest.EnsureTopics(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	registry, seen := prometheus.NewRegistry(), newNotices()
	start(t, cfg, ingest.Dependencies{DB: env.DB, Registry: registry, Noticer: seen})
	var want traffic.Expected
	for round := range uint64(2) {
		stored := count(t, env, storedRows)
		want = plus(want, produce(t, env, cfg, options(90+round, 1500)))
		atLeast(t, env, storedRows, stored+200)
		kafka.stop()
		enough := failedAttempts(t, registry) + 6
		eventually(t, "attempts while the broker is gone", func() bool { return failedAttempts(t, registry) >= enough })
		kafka.start(t)
	}
	until(t, env, committedEvents, uint64(want.Predictions+want.Dead+want.Labels))
	seen.none(t)
	check(t, env, want, everything(time.Now()))
}

// failedAttempts is the sum of plumbline_ingest_retries_total.
func failedAttempts(t *testing.T, registry *prometheus.Registry) (n float64) {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != "plumbline_ingest_retries_total" {
			continue
		}
		for _, m := range f.GetMetric() {
			n += m.GetCounter().GetValue()
		}
	}
	return n
}

// deleteRecords drops the records of the first partition before an offset, as retention
// does.
func deleteRecords(t *testing.T, env *testenv.Env, topic string, before int64) {
	t.Helper()
	deleteRecordsOf(t, env, topic, 0, before)
}

func deleteRecordsOf(t *testing.T, env *testenv.Env, topic string, number int, before int64) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(env.Brokers...))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	req := kmsg.NewPtrDeleteRecordsRequest()
	req.TimeoutMillis = 10_000
	one := kmsg.NewDeleteRecordsRequestTopic()
	one.Topic = topic
	partition := kmsg.NewDeleteRecordsRequestTopicPartition()
	partition.Partition, partition.Offset = int32(number), before
	one.Partitions = append(one.Partitions, partition)
	req.Topics = append(req.Topics, one)
	resp, err := req.RequestWith(t.Context(), client)
	if err != nil {
		t.Fatal(err)
	}
	if p := resp.Topics[0].Partitions[0]; p.ErrorCode != 0 {
		t.Fatalf("delete records of %s before %d: code %d", topic, before, p.ErrorCode)
	}
}

// Records that Kafka drops before they are read are told of, whether the
// partition is being read or not, and what is left is stored.
func TestOffsetsLostAreNeverSilent(t *testing.T) {
	for _, running := range []bool{false, true} {
		t.Run(fmt.Sprint("running ", running), func(t *testing.T) {
			env := testenv.Start(t, testenv.Setup{Kafka: true, Storage: func(c *storage.Config) { c.DedupWindow = 0 }})
			door, db := openOutageDoor(t, env)
			cfg := testConfig(env)
			cfg.Partitions, cfg.FlushRows, cfg.FetchBytes = 1, 50, 8<<10
			if err := ingest.EnsureTopics(t.Context(), cfg); err != nil {
				t.Fatal(err)
			}
			seen := newNotices()
			stop := start(t, cfg, ingest.Dependencies{DB: db, Noticer: seen})
			want := produce(t, env, cfg, options(95, 100))
			until(t, env, committedEvents, uint64(want.Predictions+want.Dead+want.Labels))
			seen.none(t)
			door.gone.Store(true)
			if !running {
				stop()
			}
			// Many small record batches: what one fetch has brought cannot be lost.
			var late traffic.Expected
			for i := range uint64(20) {
				late = plus(late, produce(t, env, cfg, options(96+i, 50)))
			}
			end := int64(late.Predictions+late.Dead) + int64(want.Predictions+want.Dead)
			if running {
				eventually(t, "attempts", func() bool { return door.refused.Load() > 5 })
			}
			dropped := end - 100
			deleteRecords(t, env, cfg.Topics.Predictions, dropped)
			door.gone.Store(false)
			if !running {
				start(t, cfg, ingest.Dependencies{DB: db, Noticer: seen})
			}
			seen.await(t, ingest.NoticeOffsetsLost)
			const left = "SELECT toUInt64(max(last) + 1) FROM batches WHERE table = 'predictions'"
			eventually(t, "the rest is stored", func() bool { return count(t, env, left) >= uint64(end) })
			const stored = "SELECT count() FROM predictions WHERE _offset >= "
			if got := count(t, env, stored+fmt.Sprint(dropped)); got == 0 || got > 100 {
				t.Errorf("%d rows of the last 100 records", got)
			}
			if all, distinct := count(t, env, storedRows), count(t, env, "SELECT uniqExact(_epoch, _offset) FROM predictions"); all != distinct {
				t.Errorf("%d rows of %d records", all, distinct)
			}
			equal(t, env, everything(time.Now()))
		})
	}
}
