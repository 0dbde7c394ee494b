package ingest_test

import (
	"strings"
	"testing"
	"time"

	"github.com/plumbline-slo/plumbline/ingest"
	"github.com/plumbline-slo/plumbline/ingest/privacy"
	"github.com/plumbline-slo/plumbline/testenv"
)

// A batch that was begun under a sample, or that a replay has stored in part, is
// no less so when the process that finishes it dies too: the next one does not
// take what is stored for all there was.
func TestSampledBatchOutlivesItsSecondOwner(t *testing.T) {
	deletes := func(string) fault { return refuse }
	stored := 0
	inserts := func(_ int, query string) fault {
		if strings.Contains(query, "`predictions`") {
			stored++
			if stored > 1 {
				return refuse
			}
		}
		return pass
	}
	for name, second := range map[string]func(p *proxy){
		"that deletes the sample": func(p *proxy) { p.alter = deletes },
		"that stores it anew":     func(p *proxy) { p.decide = inserts },
	} {
		t.Run(name, func(t *testing.T) {
			env := testenv.Start(t, testenv.Setup{Kafka: true})
			p, db := startProxy(t, env)
			cfg := testConfig(env)
			cfg.Partitions = 1
			cfg.Privacy.Models = []privacy.Policy{{Model: "fraud", RawRate: 0.3}}
			if err := ingest.EnsureTopics(t.Context(), cfg); err != nil {
				t.Fatal(err)
			}
			// Events of several days make the raw rows several statements, of which
			// the second owner gets one through.
			want := produce(t, env, cfg, options(71, 200))
			p.reset(func(_ int, query string) fault {
				if strings.Contains(query, "`series_minute`") {
					return refuse
				}
				return pass
			})
			stop := start(t, cfg, ingest.Dependencies{DB: db})
			p.await(t)
			stop()
			cfg.Privacy = privacy.Config{}
			p.reset(func(int, string) fault { return pass })
			p.mu.Lock()
			second(p)
			p.mu.Unlock()
			stop = start(t, cfg, ingest.Dependencies{DB: db})
			p.await(t)
			stop()
			p.reset(func(int, string) fault { return pass })
			cfg.Limits.MaxFeatures = 999
			start(t, cfg, ingest.Dependencies{DB: db})
			until(t, env, committedEvents, uint64(want.Predictions+want.Dead+want.Labels))
			check(t, env, want, everything(time.Now()))
			if got := count(t, env, "SELECT sum(count) FROM series_minute WHERE series = 'requests' AND model != ''"); got != uint64(want.Predictions) {
				t.Errorf("%d predictions by minute, want %d", got, want.Predictions)
			}
		})
	}
}
