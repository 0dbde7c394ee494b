package ingest_test

import (
	"strings"
	"testing"
	"time"

	"github.com/plumbline-slo/plumbline/ingest"
	"github.com/plumbline-slo/plumbline/testenv"
)

// A ClickHouse that is killed after it has noted a statement's token and before
// it has made the rows visible refuses that token ever after, with the answer of
// a success. Rows that are deleted behind its token leave the same state.
func TestTokenWithoutRowsLosesNothing(t *testing.T) {
	// The first table of each pair lost its rows, the second got none yet.
	for lost, next := range map[string]string{
		"predictions": "series_hour", "series_hour": "series_minute", "series_minute": "categories_hour",
		"categories_hour": "batches", "labels": "batches",
	} {
		t.Run(lost, func(t *testing.T) {
			env := testenv.Start(t, testenv.Setup{Kafka: true})
			p, db := startProxy(t, env)
			p.reset(func(_ int, query string) fault {
				if strings.Contains(query, "`"+next+"`") {
					return refuse
				}
				return pass
			})
			cfg := testConfig(env)
			cfg.Partitions = 1
			if err := ingest.EnsureTopics(t.Context(), cfg); err != nil {
				t.Fatal(err)
			}
			want := produce(t, env, cfg, options(40, 300))
			stop := start(t, cfg, ingest.Dependencies{DB: db})
			atLeast(t, env, "SELECT count() FROM "+lost, 1)
			p.await(t)
			stop()
			if err := env.DB.Conn().Exec(t.Context(), "ALTER TABLE "+lost+" DELETE WHERE 1 SETTINGS mutations_sync = 2"); err != nil {
				t.Fatal(err)
			}
			p.reset(func(int, string) fault { return pass })
			start(t, cfg, ingest.Dependencies{DB: db})
			until(t, env, committedEvents, uint64(want.Predictions+want.Dead+want.Labels))
			check(t, env, want, everything(time.Now()))
		})
	}
}
