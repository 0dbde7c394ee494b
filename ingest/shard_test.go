package ingest_test

import (
	"fmt"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/plumbline-slo/plumbline/ingest"
	"github.com/plumbline-slo/plumbline/storage"
	"github.com/plumbline-slo/plumbline/testenv"
	"github.com/plumbline-slo/plumbline/testenv/traffic"
)

// twoShards are two engines that know nothing of each other, with a proxy
// before the first.
type twoShards struct {
	envs  [2]*testenv.Env // the first has the broker
	proxy *proxy          // before the first
	dsns  [2]string
}

// startShards runs two engines without deduplication: only looks and the fence
// are left.
func startShards(t *testing.T) *twoShards {
	t.Helper()
	s := &twoShards{}
	s.envs[0] = testenv.Start(t, testenv.Setup{Kafka: true, Storage: func(c *storage.Config) { c.DedupWindow = 0 }})
	name := s.envs[0].DB.Database()
	s.envs[1] = testenv.Start(t, testenv.Setup{Storage: func(c *storage.Config) { c.DedupWindow, c.Database = 0, name }})
	target, err := url.Parse(s.envs[0].DSN)
	if err != nil {
		t.Fatal(err)
	}
	s.proxy = &proxy{target: target}
	s.proxy.reset(func(int, string) fault { return pass })
	server := httptest.NewServer(s.proxy)
	t.Cleanup(server.Close)
	through := *target
	through.Host = strings.TrimPrefix(server.URL, "http://")
	s.dsns = [2]string{through.String(), s.envs[1].DSN}
	return s
}

// config is of topics that exist. Their names are random, and with them on which shard
// a partition is: that all 16 are on one comes once in 32,768 (of four it was one in 8).
func (s *twoShards) config(t *testing.T) ingest.Config {
	t.Helper()
	cfg := testConfig(s.envs[0])
	cfg.Partitions = 8
	if err := ingest.EnsureTopics(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	return cfg
}

// open returns a DB of the named shards: a is the first engine, b the second.
func (s *twoShards) open(t *testing.T, names string) *storage.DB {
	t.Helper()
	cfg := storage.DefaultConfig()
	cfg.Database = s.envs[0].DB.Database()
	for _, name := range names {
		cfg.Shards = append(cfg.Shards, storage.Shard{Name: string(name), DSN: s.dsns[name-'a']})
	}
	db, err := storage.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// sum adds a count over both shards.
func (s *twoShards) sum(t *testing.T, query string) uint64 {
	t.Helper()
	return count(t, s.envs[0], query) + count(t, s.envs[1], query)
}

func (s *twoShards) until(t *testing.T, query string, want uint64) {
	t.Helper()
	deadline := time.After(5 * time.Minute)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		got := s.sum(t, query)
		if got == want {
			return
		}
		select {
		case <-deadline:
			t.Fatalf("%s = %d over both shards after five minutes, want %d", query, got, want)
		case <-tick.C:
		}
	}
}

// check compares what both shards hold together with what was produced, and the
// rollups of each with its raw rows.
func (s *twoShards) check(t *testing.T, want traffic.Expected) {
	t.Helper()
	for query, n := range map[string]int{
		"SELECT count() FROM predictions": want.Predictions,
		"SELECT count() FROM labels":      want.Labels,
		requests:                          want.Predictions,
		"SELECT sum(dead) FROM batches FINAL WHERE table IN ('predictions', 'labels')": want.Dead,
	} {
		if got := s.sum(t, query); got != uint64(n) {
			t.Errorf("%s = %d over both shards, want %d", query, got, n)
		}
	}
	for _, env := range s.envs {
		equal(t, env, everything(time.Now()))
		if n := count(t, env, "SELECT count() FROM (SELECT DISTINCT topic, partition, epoch FROM batches) WHERE (topic, partition, epoch) NOT IN (SELECT topic, partition, epoch FROM epochs)"); n != 0 {
			t.Errorf("%d partitions have batches on a shard that does not know their epoch", n)
		}
	}
}

// lieOnceThenRefuse applies the first INSERT into predictions with an error as
// its answer, and refuses all that follow.
func lieOnceThenRefuse() func(int, string) fault {
	applied := false
	return func(_ int, query string) fault {
		if applied {
			return refuse
		}
		if !strings.Contains(query, "`predictions`") {
			return pass
		}
		applied = true
		return lie
	}
}

// A partition's rows are on one shard, also when the ingester is killed in the
// middle of a batch and another finishes it.
func TestPartitionStaysOnItsShard(t *testing.T) {
	s := startShards(t)
	cfg := s.config(t)
	db := s.open(t, "ab")
	want := produce(t, s.envs[0], cfg, options(60, 800))
	s.proxy.reset(lieOnceThenRefuse())
	stop := start(t, cfg, ingest.Dependencies{DB: db})
	s.proxy.await(t)
	stop()
	s.proxy.reset(func(int, string) fault { return pass })
	start(t, cfg, ingest.Dependencies{DB: db})
	want = plus(want, produce(t, s.envs[0], cfg, options(61, 800)))
	s.until(t, committedEvents, uint64(want.Predictions+want.Dead+want.Labels))
	s.check(t, want)
	for _, table := range []string{"predictions", "labels"} {
		const partitions = "SELECT uniqExact(_partition) FROM "
		on := [2]uint64{count(t, s.envs[0], partitions+table), count(t, s.envs[1], partitions+table)}
		if on[0]+on[1] != uint64(cfg.Partitions) {
			t.Errorf("%s: %d partitions on the first shard and %d on the second, want %d together", table, on[0], on[1], cfg.Partitions)
		}
	}
	for i, env := range s.envs {
		if count(t, env, "SELECT uniqExact(_topic, _partition) FROM (SELECT _topic, _partition FROM predictions UNION ALL SELECT _topic, _partition FROM labels)") == 0 {
			t.Errorf("shard %d has no partition: the test proves nothing", i)
		}
	}
}

// A batch that was begun on a shard is finished there, whatever the shards are
// by then; the partition moves afterwards.
func TestBatchIsFinishedOnItsShard(t *testing.T) {
	s := startShards(t)
	cfg := s.config(t)
	want := produce(t, s.envs[0], cfg, options(62, 800))
	s.proxy.reset(lieOnceThenRefuse())
	stop := start(t, cfg, ingest.Dependencies{DB: s.open(t, "a")})
	s.proxy.await(t)
	stop()
	s.proxy.reset(func(int, string) fault { return pass })

	seen := newNotices()
	stop = start(t, cfg, ingest.Dependencies{DB: s.open(t, "b"), Noticer: seen})
	seen.await(t, ingest.NoticeParked) // a batch stands on a shard that is not there
	stop()

	start(t, cfg, ingest.Dependencies{DB: s.open(t, "ab")})
	s.until(t, committedEvents, uint64(want.Predictions+want.Dead+want.Labels))
	want = plus(want, produce(t, s.envs[0], cfg, options(63, 800)))
	s.until(t, committedEvents, uint64(want.Predictions+want.Dead+want.Labels))
	s.check(t, want)
	if count(t, s.envs[1], "SELECT count() FROM predictions")+count(t, s.envs[1], "SELECT count() FROM labels") == 0 {
		t.Error("the new shard has nothing: the test proves nothing")
	}
	if n := count(t, s.envs[1], "SELECT count() FROM batches") - count(t, s.envs[1], "SELECT uniqExact(topic, epoch, partition, first, table) FROM batches"); n != 0 {
		t.Errorf("%d batches twice on the new shard", n)
	}
}

// A partition that has moved to a new shard and is killed within its first batch there
// lacks nothing: what was complete before stands on the former shard. (The intent told
// it of the new one, which was then taken for lost, and everything was stored there too.)
func TestKilledInTheFirstBatchOnANewShard(t *testing.T) {
	s := startShards(t)
	cfg := s.config(t)
	want := produce(t, s.envs[0], cfg, options(64, 400))
	stop := start(t, cfg, ingest.Dependencies{DB: s.open(t, "b")})
	s.until(t, committedEvents, uint64(want.Predictions+want.Dead+want.Labels))
	stop()

	s.proxy.reset(refusesFrom("batches"))
	want = plus(want, produce(t, s.envs[0], cfg, options(65, 400)))
	stop = start(t, cfg, ingest.Dependencies{DB: s.open(t, "ba")})
	s.proxy.await(t)
	stop()
	s.proxy.reset(func(int, string) fault { return pass })

	seen := newNotices()
	stop = start(t, cfg, ingest.Dependencies{DB: s.open(t, "ba"), Noticer: seen})
	s.until(t, committedEvents, uint64(want.Predictions+want.Dead+want.Labels))
	stop()
	seen.none(t)
	s.check(t, want)
}

// A shard that comes back with an empty disk gets again what it had, and not what the
// partition has on the shard it moved from.
func TestShardThatLostItsDisk(t *testing.T) {
	s := startShards(t)
	cfg := s.config(t)
	var want traffic.Expected
	for n, shards := range []string{"b", "ba"} {
		want = plus(want, produce(t, s.envs[0], cfg, options(uint64(69+n), 400)))
		stop := start(t, cfg, ingest.Dependencies{DB: s.open(t, shards)})
		s.until(t, committedEvents, uint64(want.Predictions+want.Dead+want.Labels))
		stop()
	}
	if count(t, s.envs[0], "SELECT count() FROM batches") == 0 {
		t.Fatal("no partition has moved")
	}
	emptied(t, s.envs[0])

	seen := newNotices()
	stop := start(t, cfg, ingest.Dependencies{DB: s.open(t, "ba"), Noticer: seen})
	seen.await(t, ingest.NoticeAhead)
	s.until(t, committedEvents, uint64(want.Predictions+want.Dead+want.Labels))
	stop()
	s.check(t, want)
}

// emptied takes everything from an engine's tables.
func emptied(t *testing.T, env *testenv.Env) {
	t.Helper()
	rows, err := env.DB.Conn().Query(t.Context(), "SELECT name FROM system.tables WHERE database = currentDatabase() AND engine LIKE '%MergeTree'")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var table string
		if err := rows.Scan(&table); err != nil {
			t.Fatal(err)
		}
		if err := env.DB.Conn().Exec(t.Context(), "TRUNCATE TABLE "+table); err != nil {
			t.Fatal(err)
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
}

// A partition whose last batch turns out to be finished on its former shard goes on at
// home, and home knows its epoch: the next owner asks nobody else, and would name it
// anew once Kafka has dropped the first record.
func TestHomeKnowsTheEpoch(t *testing.T) {
	s := startShards(t)
	cfg := s.config(t)
	want := produce(t, s.envs[0], cfg, options(66, 400))
	stop := start(t, cfg, ingest.Dependencies{DB: s.open(t, "b")})
	s.until(t, committedEvents, uint64(want.Predictions+want.Dead+want.Labels))
	stop()
	commitBegunOn(t, s, cfg, "b")

	stop = start(t, cfg, ingest.Dependencies{DB: s.open(t, "ba")})
	want = plus(want, produce(t, s.envs[0], cfg, options(67, 400)))
	s.until(t, committedEvents, uint64(want.Predictions+want.Dead+want.Labels))
	stop()
	s.check(t, want)
	for _, topic := range []string{cfg.Topics.Predictions, cfg.Topics.Labels} {
		for p := range cfg.Partitions {
			deleteRecordsOf(t, s.envs[0], topic, p, 5)
		}
	}
	start(t, cfg, ingest.Dependencies{DB: s.open(t, "ba")})
	want = plus(want, produce(t, s.envs[0], cfg, options(68, 400)))
	s.until(t, committedEvents, uint64(want.Predictions+want.Dead+want.Labels))
	s.check(t, want)
}

// commitBegunOn takes the last commit of every partition back: the batch that is
// recorded last on the second shard is begun there, and no more.
func commitBegunOn(t *testing.T, s *twoShards, cfg ingest.Config, shard string) {
	t.Helper()
	rows, err := s.envs[1].DB.Conn().Query(t.Context(), "SELECT topic, partition, epoch, plan, first, last FROM batches ORDER BY first DESC LIMIT 1 BY topic, partition")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	commits := map[string][]kafka.OffsetCommit{}
	for rows.Next() {
		var topic, epoch, plan string
		var partition int32
		var first, last int64
		if err := rows.Scan(&topic, &partition, &epoch, &plan, &first, &last); err != nil {
			t.Fatal(err)
		}
		commits[topic] = append(commits[topic], kafka.OffsetCommit{Partition: int(partition), Offset: first,
			Metadata: fmt.Sprintf(`{"v":1,"epoch":%q,"last":%d,"plan":%q,"shard":%q}`, epoch, last, plan, shard)})
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	commit(t, s.envs[0], cfg, commits)
}
