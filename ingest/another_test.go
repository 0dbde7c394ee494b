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
