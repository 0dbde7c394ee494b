package ingest_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/plumbline-slo/plumbline/ingest"
	"github.com/plumbline-slo/plumbline/storage"
	"github.com/plumbline-slo/plumbline/testenv"
)

// A group that another ClickHouse was fed by in between, as when a backup is
// restored or a second service with an engine of its own runs for a while, goes on
// where each one's own batches end: both have everything, once.
func TestWhatThisClickHouseLacksIsReadAgain(t *testing.T) {
	for name, refused := range map[string]string{"nothing under way": "", "a batch under way": "`batches`"} {
		t.Run(name, func(t *testing.T) {
			env := testenv.Start(t, testenv.Setup{Kafka: true})
			other := another(t, env)
			p, db := startProxy(t, other)
			cfg := testConfig(env)
			if err := ingest.EnsureTopics(t.Context(), cfg); err != nil {
				t.Fatal(err)
			}
			all := produce(t, env, cfg, options(4, 300))
			seen := newNotices()
			stop := start(t, cfg, ingest.Dependencies{DB: env.DB, Noticer: seen})
			until(t, env, committedEvents, uint64(all.Predictions+all.Dead+all.Labels))
			stop()
			stop = start(t, cfg, ingest.Dependencies{DB: env.DB, Noticer: seen})
			all = plus(all, produce(t, env, cfg, options(5, 300)))
			until(t, env, committedEvents, uint64(all.Predictions+all.Dead+all.Labels))
			stop()
			seen.none(t)

			elsewhere := newNotices()
			stop = start(t, cfg, ingest.Dependencies{DB: db, Noticer: elsewhere})
			elsewhere.await(t, ingest.NoticeAhead)
			until(t, other, committedEvents, uint64(all.Predictions+all.Dead+all.Labels))
			if refused != "" {
				p.reset(func(_ int, query string) fault {
					if strings.Contains(query, refused) {
						return refuse
					}
					return pass
				})
			}
			there := all
			all = plus(all, produce(t, env, cfg, options(6, 300)))
			if refused == "" {
				there = all
				until(t, other, committedEvents, uint64(all.Predictions+all.Dead+all.Labels))
			} else {
				p.await(t)
			}
			stop()

			stop = start(t, cfg, ingest.Dependencies{DB: env.DB, Noticer: seen})
			until(t, env, committedEvents, uint64(all.Predictions+all.Dead+all.Labels))
			stop()
			check(t, env, all, everything(time.Now()))
			if refused == "" {
				seen.await(t, ingest.NoticeAhead)
				check(t, other, there, everything(time.Now()))
			}
		})
	}
}

// A ClickHouse that is behind reads again what another has, with the same group, and
// stops within a batch that ends beyond it. The other one finishes only what it lacks,
// and what it had begun itself. (It used to store the whole range, which cannot agree
// with what it has, and parked for ever.)
func TestBatchOfAClickHouseThatIsBehind(t *testing.T) {
	for name, amid := range map[string]bool{"nothing under way": false, "a batch under way": true} {
		t.Run(name, func(t *testing.T) {
			env := testenv.Start(t, testenv.Setup{Kafka: true})
			other := another(t, env)
			ahead, db := startProxy(t, env)
			behind, elsewhere := startProxy(t, other)
			cfg := testConfig(env)
			cfg.Partitions = 1
			if err := ingest.EnsureTopics(t.Context(), cfg); err != nil {
				t.Fatal(err)
			}
			all := produce(t, env, cfg, options(4, 300))
			stop := start(t, cfg, ingest.Dependencies{DB: db})
			until(t, env, committedEvents, uint64(all.Predictions+all.Dead+all.Labels))
			all = plus(all, produce(t, env, cfg, options(5, 300)))
			if amid {
				ahead.reset(refusesFrom("series_minute"))
				all = plus(all, produce(t, env, cfg, options(6, 300)))
				ahead.await(t)
			} else {
				until(t, env, committedEvents, uint64(all.Predictions+all.Dead+all.Labels))
			}
			stop()

			all = plus(all, produce(t, env, cfg, options(7, 300)))
			behind.reset(refusesFrom("categories_hour"))
			seen := newNotices()
			stop = start(t, cfg, ingest.Dependencies{DB: elsewhere, Noticer: seen})
			seen.await(t, ingest.NoticeAhead)
			behind.await(t)
			stop()

			ahead.reset(func(int, string) fault { return pass })
			seen = newNotices()
			stop = start(t, cfg, ingest.Dependencies{DB: db, Noticer: seen})
			seen.await(t, ingest.NoticeRewound)
			until(t, env, committedEvents, uint64(all.Predictions+all.Dead+all.Labels))
			stop()
			if text := seen.text(ingest.NoticeParked); text != "" {
				t.Error(text)
			}
			check(t, env, all, everything(time.Now()))
		})
	}
}

// A ClickHouse that comes later names a topic by another record, once Kafka has dropped
// the first. The one before knows what it has all the same, and each tells what is lost
// to it. (It used to go back to Kafka's first offset in silence, and doubled the rest.)
func TestAnotherClickHouseNamesTheTopicOtherwise(t *testing.T) {
	for name, more := range map[string]bool{"nothing new meanwhile": false, "more events meanwhile": true} {
		t.Run(name, func(t *testing.T) {
			env := testenv.Start(t, testenv.Setup{Kafka: true})
			other := another(t, env)
			cfg := testConfig(env)
			cfg.Partitions = 1
			if err := ingest.EnsureTopics(t.Context(), cfg); err != nil {
				t.Fatal(err)
			}
			all := produce(t, env, cfg, options(4, 300))
			stop := start(t, cfg, ingest.Dependencies{DB: env.DB})
			until(t, env, committedEvents, uint64(all.Predictions+all.Dead+all.Labels))
			stop()
			const dropped = 20
			deleteRecords(t, env, cfg.Topics.Predictions, dropped)

			seen := newNotices()
			stop = start(t, cfg, ingest.Dependencies{DB: other.DB, Noticer: seen})
			seen.await(t, ingest.NoticeOffsetsLost)
			if text := seen.text(ingest.NoticeOffsetsLost); !strings.Contains(text, "the offsets 0 to 19 of "+cfg.Topics.Predictions+"/0") {
				t.Error(text)
			}
			until(t, other, committedEvents, uint64(all.Predictions+all.Dead+all.Labels-dropped))
			told := ingest.NoticeRewound
			if more {
				told = ingest.NoticeAhead
				all = plus(all, produce(t, env, cfg, options(5, 300)))
				until(t, other, committedEvents, uint64(all.Predictions+all.Dead+all.Labels-dropped))
			}
			stop()
			if text := seen.text(ingest.NoticeAhead); !strings.Contains(text, "nothing of it") {
				t.Error(text)
			}
			if a, b := count(t, env, predictionsEpoch), count(t, other, predictionsEpoch); a == b {
				t.Error("both name the topic alike: the test proves nothing")
			}

			seen = newNotices()
			stop = start(t, cfg, ingest.Dependencies{DB: env.DB, Noticer: seen})
			seen.await(t, told)
			all = plus(all, produce(t, env, cfg, options(6, 300)))
			until(t, env, committedEvents, uint64(all.Predictions+all.Dead+all.Labels))
			stop()
			if text := seen.text(ingest.NoticeOffsetsLost); text != "" {
				t.Error(text)
			}
			check(t, env, all, everything(time.Now()))
		})
	}
}

const predictionsEpoch = "SELECT cityHash64(argMax(epoch, seen)) FROM epochs WHERE topic LIKE 'predictions%'"

// another is the same environment with a database of its own.
func another(t *testing.T, env *testenv.Env) *testenv.Env {
	t.Helper()
	cfg := storage.DefaultConfig()
	cfg.DSN, cfg.Database = env.DSN, env.DB.Database()+"_other"
	db, err := storage.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Conn().Exec(context.Background(), "DROP DATABASE "+cfg.Database); err != nil {
			t.Error(err)
		}
		_ = db.Close() // it is dropped
	})
	other := *env
	other.DB = db
	return &other
}
