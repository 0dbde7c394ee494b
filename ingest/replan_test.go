package ingest_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/plumbline-slo/plumbline/ingest"
	"github.com/plumbline-slo/plumbline/testenv"
	"github.com/plumbline-slo/plumbline/testenv/traffic"
)

// refusesFrom lets what is sent before the first statement to a table pass and
// refuses that one and all after it, as a process dies there.
func refusesFrom(table string) func(int, string) fault {
	dead := false
	return func(_ int, query string) fault {
		dead = dead || strings.Contains(query, "`"+table+"`")
		if dead {
			return refuse
		}
		return pass
	}
}

// A second owner under the same plan dies too, or one whose plan had nothing
// stored yet that counts: the third has another plan that refuses half of the
// events, and must not store fewer of them, or more, than are counted. (A replay
// used to call its raw rows a sample always, so that the third stored them anew
// by its own plan beside rollups of the plan before.)
func TestThirdOwnerCountsWhatIsStored(t *testing.T) {
	for _, c := range []struct {
		name          string
		first, second string // the table at which the owner dies
		replans       bool   // whether the second owner has a plan of its own
	}{
		{"two deaths amid the rollups", "series_minute", "categories_hour", false},
		{"a death before them, and one amid them", "series_hour", "series_minute", false},
		{"three plans, nothing counted at first", "predictions", "series_minute", true},
		{"three plans, everything stored at first", "series_hour", "categories_hour", true},
		{"three plans, all but the record", "predictions", "batches", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			env := testenv.Start(t, testenv.Setup{Kafka: true})
			p, db := startProxy(t, env)
			cfg := testConfig(env)
			cfg.Partitions = 1
			if err := ingest.EnsureTopics(t.Context(), cfg); err != nil {
				t.Fatal(err)
			}
			events := options(83, 300)
			want := produce(t, env, cfg, events)
			for i, dies := range []string{c.first, c.second} {
				if i == 1 && c.replans {
					cfg.Limits.MaxFeatures = 999
				}
				p.reset(refusesFrom(dies))
				stop := start(t, cfg, ingest.Dependencies{DB: db})
				p.await(t)
				stop()
			}
			p.reset(func(int, string) fault { return pass })
			cfg.Limits.MaxBytes = medianSize(t, events)
			start(t, cfg, ingest.Dependencies{DB: db})
			until(t, env, committedEvents, uint64(want.Predictions+want.Dead+want.Labels))
			stored := count(t, env, rawRows)
			if stored == 0 {
				t.Error("no event is stored")
			}
			for _, query := range []string{
				"SELECT uniqExact(_offset) FROM predictions", requests,
				"SELECT sum(count) FROM series_minute WHERE series = 'requests' AND model != ''",
				"SELECT sum(count) FROM categories_hour WHERE series = 'feature:channel' AND model != ''",
			} {
				if got := count(t, env, query); got != stored {
					t.Errorf("%s = %d, and %d are stored", query, got, stored)
				}
			}
			equal(t, env, everything(time.Now()))
		})
	}
}

// medianSize is a limit that refuses the longer half of the predictions.
func medianSize(t *testing.T, opts traffic.Options) int {
	t.Helper()
	messages, _, err := traffic.Generate(opts)
	if err != nil {
		t.Fatal(err)
	}
	var sizes []int
	for _, m := range messages {
		if m.Topic == "predictions" {
			sizes = append(sizes, len(m.Value))
		}
	}
	slices.Sort(sizes)
	return sizes[len(sizes)/2]
}
