package ingest_test

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/plumbline-slo/plumbline/ingest"
	"github.com/plumbline-slo/plumbline/ingest/privacy"
	"github.com/plumbline-slo/plumbline/ingest/verify"
	"github.com/plumbline-slo/plumbline/storage"
	"github.com/plumbline-slo/plumbline/testenv"
	"github.com/plumbline-slo/plumbline/testenv/traffic"
)

// room is a RawGate that the test opens and closes.
type room struct{ full atomic.Bool }

func (r *room) RawAllowed() bool { return !r.full.Load() }

const (
	rawRows = "SELECT count() FROM predictions"
	// tornBatches are batches that have raw rows, and not all of them.
	tornBatches = "SELECT count() FROM batches FINAL WHERE table = 'predictions' AND rows NOT IN (0, events - dead)"
	// leftOut is what the batches say was stored without raw rows.
	leftOut = "SELECT sum(toUInt64(events - dead)) FROM batches FINAL WHERE table = 'predictions' AND rows = 0"
)

func value(t *testing.T, registry *prometheus.Registry, name string) (sum float64) {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			for _, m := range f.GetMetric() {
				sum += m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	return sum
}

func TestFullDiskLeavesOutRawRowsOnly(t *testing.T) {
	env := testenv.Start(t, testenv.Setup{Kafka: true})
	cfg := testConfig(env)
	if err := ingest.EnsureTopics(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	disk, seen, registry := new(room), newNotices(), prometheus.NewRegistry()
	disk.full.Store(true)
	start(t, cfg, ingest.Dependencies{DB: env.DB, Noticer: seen, Raw: disk, Registry: registry})
	old := options(31, 1000)
	old.Start, old.Span = now.Add(-20*24*time.Hour), 24*time.Hour
	without := produce(t, env, cfg, old)
	until(t, env, committedEvents, uint64(without.Predictions+without.Dead+without.Labels))
	seen.await(t, ingest.NoticeRawLeftOut)
	for query, n := range map[string]int{
		rawRows: 0, requests: without.Predictions, "SELECT count() FROM labels": without.Labels, leftOut: without.Predictions, tornBatches: 0,
	} {
		if got := count(t, env, query); got != uint64(n) {
			t.Errorf("while the disk is full: %s = %d, want %d", query, got, n)
		}
	}
	if got := value(t, registry, "plumbline_ingest_raw_left_out_total"); got != float64(without.Predictions) {
		t.Errorf("raw_left_out_total is %v, want %d", got, without.Predictions)
	}
	disk.full.Store(false)
	with := produce(t, env, cfg, options(32, 1000))
	until(t, env, rawRows, uint64(with.Predictions))
	until(t, env, requests, uint64(without.Predictions+with.Predictions))
	seen.await(t, ingest.NoticeRawStored)
	_, err := verify.Run(t.Context(), env.DB.Conn(), everything(now))
	if !errors.Is(err, verify.ErrIncomplete) || !strings.Contains(err.Error(), "left out because the disk was nearly full") {
		t.Errorf("verify a range without raw rows: %v", err)
	}
	until(t, env, committedEvents, uint64(without.Predictions+without.Dead+without.Labels+with.Predictions+with.Dead+with.Labels))
	equal(t, env, verify.Options{From: now.Add(-60 * time.Hour), To: now.Add(time.Hour)})
}

// What other topics than the usual one lose is told and counted as well.
func TestFullDiskIsToldOfEveryTopic(t *testing.T) {
	env := testenv.Start(t, testenv.Setup{Kafka: true})
	cfg := testConfig(env)
	mixed(t, env, &cfg, 20, time.Now()) // three predictions each, two of them in one of ten
	disk, seen, registry := new(room), newNotices(), prometheus.NewRegistry()
	disk.full.Store(true)
	start(t, cfg, ingest.Dependencies{DB: env.DB, Noticer: seen, Raw: disk, Registry: registry})
	seen.await(t, ingest.NoticeRawLeftOut)
	until(t, env, requests, 20*3-2)
	if got := count(t, env, rawRows); got != 0 {
		t.Errorf("%d raw rows while the disk is full", got)
	}
	eventually(t, "what is left out is counted", func() bool { return value(t, registry, "plumbline_ingest_raw_left_out_total") == 20*3-2 })
}

// TestGateMovesAtEveryInsert kills the ingester at its k-th insert and opens or
// closes the gate before it goes on, with deduplication turned off: whatever
// the order, rollups are exact and of every batch all raw rows are there or none.
func TestGateMovesAtEveryInsert(t *testing.T) {
	env := testenv.Start(t, testenv.Setup{Kafka: true, Storage: func(c *storage.Config) { c.DedupWindow = 0 }})
	p, db := startProxy(t, env)
	cfg := testConfig(env)
	cfg.Partitions = 1
	if err := ingest.EnsureTopics(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	disk := new(room)
	var want traffic.Expected
	round := 0
	for k := 1; k <= 6; k++ {
		for i, kind := range []fault{refuse, lie, refuse, tear, lie} {
			// Closed twice, open twice: a batch is finished with the gate as it
			// was begun, and the other way round. Five faults are prime to four.
			disk.full.Store(round%4 < 2)
			round++
			p.reset(func(n int, _ string) fault {
				switch {
				case n < k:
					return pass
				case n == k:
					return kind
				}
				return refuse
			})
			want = plus(want, produce(t, env, cfg, options(uint64(100*k+i), 60)))
			stop := start(t, cfg, ingest.Dependencies{DB: db, Raw: disk})
			select {
			case <-p.failed:
			case <-time.After(5 * time.Minute):
				t.Fatalf("insert %d never came", k)
			}
			stop()
		}
	}
	p.reset(func(int, string) fault { return pass })
	// Whichever batches the kills have left: some pass a closed gate whole, and
	// some an open one.
	for _, full := range []bool{true, false} {
		disk.full.Store(full)
		want = plus(want, produce(t, env, cfg, options(900, 60)))
		stop := start(t, cfg, ingest.Dependencies{DB: db, Raw: disk})
		until(t, env, committedEvents, uint64(want.Predictions+want.Dead+want.Labels))
		stop()
	}
	missing := count(t, env, leftOut)
	for query, n := range map[string]int{
		requests: want.Predictions, "SELECT count() FROM labels": want.Labels, tornBatches: 0,
		rawRows: want.Predictions - int(missing),
		"SELECT sum(rows) FROM batches FINAL WHERE table = 'predictions'":                         want.Predictions - int(missing),
		"SELECT sum(count) FROM categories_hour WHERE series = 'feature:channel' AND model != ''": want.Predictions,
	} {
		if got := count(t, env, query); got != uint64(n) {
			t.Errorf("%s = %d, want %d", query, got, n)
		}
	}
	if missing == 0 || missing == uint64(want.Predictions) {
		t.Errorf("%d of %d raw rows were left out: the gate was not tested both ways", missing, want.Predictions)
	}
}

// TestLeftOutBatchOfAnotherPlan begins a batch without raw rows and finishes it
// under another plan: nothing of it may be taken for a dead letter.
func TestLeftOutBatchOfAnotherPlan(t *testing.T) {
	for _, open := range []bool{true, false} {
		env := testenv.Start(t, testenv.Setup{Kafka: true})
		p, db := startProxy(t, env)
		p.reset(func(_ int, query string) fault {
			if strings.Contains(query, "`categories_hour`") {
				return refuse
			}
			return pass
		})
		cfg := testConfig(env)
		cfg.Partitions = 1
		if err := ingest.EnsureTopics(t.Context(), cfg); err != nil {
			t.Fatal(err)
		}
		want := produce(t, env, cfg, options(33, 500))
		disk := new(room)
		disk.full.Store(true)
		stop := start(t, cfg, ingest.Dependencies{DB: db, Raw: disk})
		<-p.failed
		stop()
		p.reset(func(int, string) fault { return pass })
		cfg.Limits.MaxFeatures = 999
		disk.full.Store(!open)
		seen := newNotices()
		start(t, cfg, ingest.Dependencies{DB: db, Noticer: seen, Raw: disk})
		seen.await(t, ingest.NoticePlanChanged)
		until(t, env, committedEvents, uint64(want.Predictions+want.Dead+want.Labels))
		raw := 0
		if open {
			raw = want.Predictions
		}
		for query, n := range map[string]int{
			requests: want.Predictions, rawRows: raw, tornBatches: 0,
			"SELECT sum(dead) FROM batches FINAL WHERE table IN ('predictions', 'labels')": want.Dead,
		} {
			if got := count(t, env, query); got != uint64(n) {
				t.Errorf("gate open %t: %s = %d, want %d", open, query, got, n)
			}
		}
	}
}

func TestParkedPartitionSaysWhenItGoesOn(t *testing.T) {
	env := testenv.Start(t, testenv.Setup{Kafka: true})
	p, db := startProxy(t, env)
	p.reset(func(_ int, query string) fault {
		if strings.Contains(query, "`labels`") {
			return wrong
		}
		return pass
	})
	cfg := testConfig(env)
	cfg.Partitions = 1
	if err := ingest.EnsureTopics(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	want := produce(t, env, cfg, options(34, 100))
	seen, registry := newNotices(), prometheus.NewRegistry()
	start(t, cfg, ingest.Dependencies{DB: db, Noticer: seen, Registry: registry})
	seen.await(t, ingest.NoticeParked)
	seen.await(t, ingest.NoticeParked) // tried again, and parked still
	if got := value(t, registry, "plumbline_ingest_parked"); got != 1 {
		t.Errorf("%v partitions are parked, want 1", got)
	}
	p.reset(func(int, string) fault { return pass })
	seen.await(t, ingest.NoticeUnparked)
	if got := value(t, registry, "plumbline_ingest_parked"); got != 0 {
		t.Errorf("%v partitions are parked after they went on", got)
	}
	until(t, env, committedEvents, uint64(want.Predictions+want.Dead+want.Labels))
	check(t, env, want, everything(time.Now()))
	seen.mu.Lock()
	defer seen.mu.Unlock()
	unparked := 0
	for _, n := range seen.got {
		if n.Kind == ingest.NoticeUnparked {
			unparked++
			if n.Object != cfg.Topics.Labels+"/0" {
				t.Errorf("%s goes on, which was not parked", n.Object)
			}
		}
	}
	if unparked != 1 {
		t.Errorf("%d notices that it goes on, want 1", unparked)
	}
}

// A commit that was lost with its intent doubles nothing where raw rows cannot
// tell what is stored: left out for the disk, or by a sample.
func TestLostIntentWithoutRawRows(t *testing.T) {
	for unfinished, rate := range map[string]float64{"series_hour": 0, "series_minute": 1e-9, "categories_hour": 0.5} {
		t.Run(fmt.Sprintf("%g, unfinished %s", rate, unfinished), func(t *testing.T) {
			env := testenv.Start(t, testenv.Setup{Kafka: true, Storage: func(c *storage.Config) { c.DedupWindow = 0 }})
			p, db := startProxy(t, env)
			cfg := testConfig(env)
			cfg.Partitions = 1
			disk := new(room)
			disk.full.Store(rate == 0)
			if rate > 0 {
				cfg.Privacy.Models = []privacy.Policy{{Model: "fraud", RawRate: privacy.Rate(rate)}}
			}
			if err := ingest.EnsureTopics(t.Context(), cfg); err != nil {
				t.Fatal(err)
			}
			applied := false
			p.reset(func(_ int, query string) fault {
				switch {
				case !strings.Contains(query, "`"+unfinished+"`"):
					return pass
				case applied:
					return refuse
				}
				applied = true
				return lie
			})
			want := produce(t, env, cfg, options(61, 300))
			stop := start(t, cfg, ingest.Dependencies{DB: db, Raw: disk})
			p.await(t)
			stop()
			p.reset(func(int, string) fault { return pass })
			commitAs(t, env, cfg, 0, "")
			start(t, cfg, ingest.Dependencies{DB: db, Raw: disk})
			want = plus(want, produce(t, env, cfg, options(62, 300)))
			until(t, env, committedEvents, uint64(want.Predictions+want.Dead+want.Labels))
			for query, n := range map[string]int{
				requests: want.Predictions,
				"SELECT sum(count) FROM series_minute WHERE series = 'requests' AND model != ''":              want.Predictions,
				"SELECT sum(count) FROM categories_hour WHERE series = 'feature:channel' AND model = 'fraud'": want.Predictions,
			} {
				if got := count(t, env, query); got != uint64(n) {
					t.Errorf("%s = %d, want %d", query, got, n)
				}
			}
		})
	}
}
