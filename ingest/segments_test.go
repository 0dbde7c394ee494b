package ingest_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/ingest"
	"github.com/plumbline-slo/plumbline/ingest/segment"
	"github.com/plumbline-slo/plumbline/ingest/verify"
	"github.com/plumbline-slo/plumbline/testenv"
	"github.com/plumbline-slo/plumbline/testenv/traffic"
)

func regions(values ...string) segment.Declared {
	return segment.Declared{"m": {Segments: []segment.Segment{{Name: "region", Values: values}}}}
}

// sendRegions produces n events of model m, a third of them in each of three
// regions.
func sendRegions(t *testing.T, env *testenv.Env, cfg ingest.Config, from, n int, at time.Time) {
	t.Helper()
	messages := make([]traffic.Message, n)
	for i := range messages {
		event := fmt.Appendf(nil, `{"prediction_id":"p%d","model":"m","deploy_hash":"d","ts":%d,"score":0.5,"predicted":"yes","segments":{"region":%q},"features":{"f":%d,"c":"v%d"}}`,
			from+i, at.Add(time.Duration(i)*time.Second).UnixMilli(), []string{"eu", "us", "apac"}[i%3], i, i%5)
		messages[i] = traffic.Message{Topic: cfg.Topics.Predictions, Key: fmt.Sprint(i), Value: event, Time: time.Now()}
	}
	if err := env.Produce(t.Context(), messages, nil); err != nil {
		t.Fatal(err)
	}
}

// Rows that were stored before segments were declared, or under another list,
// keep their rollups. The verification leaves out the segments of their hours
// and says so; every other hour it compares in full.
func TestSegmentsDeclaredLater(t *testing.T) {
	env := testenv.Start(t, testenv.Setup{Kafka: true})
	cfg := testConfig(env)
	if err := ingest.EnsureTopics(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	base := time.Now().Add(-10 * time.Hour).Truncate(time.Hour)
	for round, declared := range []segment.Declared{nil, regions("eu"), regions("eu", "us")} {
		cfg.Segments = declared
		stop := start(t, cfg, ingest.Dependencies{DB: env.DB})
		// The last events of a round share their hour with the first of the next.
		sendRegions(t, env, cfg, round*300, 300, base.Add(time.Duration(round)*2*time.Hour-150*time.Second))
		until(t, env, committedEvents, uint64(round+1)*300)
		stop()
	}
	for query, want := range map[string]uint64{
		"SELECT sum(count) FROM series_hour WHERE series = 'requests' AND segment = 'region=eu'":                              200,
		"SELECT sum(count) FROM series_hour WHERE series = 'requests' AND segment = 'region=us'":                              100,
		"SELECT sum(count) FROM series_minute WHERE series = 'requests' AND segment = 'region=other'":                         300,
		"SELECT sum(count) FROM categories_hour WHERE series = 'feature:c' AND segment = 'region=us'":                         100,
		"SELECT sum(count) FROM series_hour WHERE series = 'requests' AND segment = '' AND model != ''":                       900,
		"SELECT uniqExact(plan) FROM batches WHERE table = 'predictions'":                                                     3,
		"SELECT uniqExact(toString(segment)) FROM categories_hour WHERE model != '' AND toString(segment) LIKE 'region=%=%'":  0,
		"SELECT toUInt64(sum(hist.2[1])) FROM series_hour WHERE series = 'score' AND segment = 'region=us' AND grid LIKE '%'": 100,
	} {
		if got := count(t, env, query); got != want {
			t.Errorf("%s = %d, want %d", query, got, want)
		}
	}
	opts := everything(time.Now())
	opts.Segments = cfg.Segments
	// Each of the first two rounds lies in two hours.
	if report := equal(t, env, opts); report.HoursWithoutSegments != 4 {
		t.Errorf("the segments of %d hours are left out, want 4", report.HoursWithoutSegments)
	}
	spoil := func(hour int) {
		query := "INSERT INTO series_hour (model, deploy_hash, stage, segment, series, grid, time, count, rows, min, max) SELECT 'm', 'd', 'production', 'region=us', 'requests', '', " +
			fmt.Sprint(base.Add(time.Duration(hour)*time.Hour).Unix()) + ", 1, 1, inf, -inf"
		if err := env.DB.Conn().Exec(t.Context(), query); err != nil {
			t.Fatal(err)
		}
	}
	spoil(2) // counted in part by regions("eu")
	equal(t, env, opts)
	spoil(4)
	if report, err := verify.Run(t.Context(), env.DB.Conn(), opts); err != nil || report.Tables[0].Differing != 1 {
		t.Errorf("a wrong segment: %+v, %v", report, err)
	}
}

// A batch that was begun under other segments is finished under these: what it
// lacks is counted in SQL from its raw rows, and it is recorded as neither's.
// One that was begun under the same segments, but another plan, is as any other.
func TestBatchOfOtherSegmentsIsFinished(t *testing.T) {
	for name, tt := range map[string]struct {
		declared segment.Declared
		limits   int
		how      string
		mixed    bool
	}{
		"other segments":                    {regions("eu", "us"), 0, "", true},
		"other limits":                      {regions("eu"), 999, "", false},
		"other segments, no raw rows":       {regions("eu", "us"), 0, "full", true},
		"other segments, no raw rows twice": {regions("eu", "us"), 0, "full, dies", true},
		"other limits, no raw rows":         {regions("eu"), 999, "full", false},
		"none after some, intent is lost":   {nil, 0, "lost", true},
	} {
		t.Run(name, func(t *testing.T) {
			env := testenv.Start(t, testenv.Setup{Kafka: true})
			p, db := startProxy(t, env)
			p.reset(func(n int, query string) fault {
				if (n > 3 || strings.Contains(tt.how, "full")) && strings.Contains(query, "`"+string(plumbline.TableSeriesMinute)+"`") {
					return refuse
				}
				return pass
			})
			cfg := testConfig(env)
			cfg.Partitions, cfg.Segments = 1, regions("eu")
			if err := ingest.EnsureTopics(t.Context(), cfg); err != nil {
				t.Fatal(err)
			}
			sendRegions(t, env, cfg, 0, 300, time.Now().Add(-3*time.Hour))
			disk := new(room)
			disk.full.Store(strings.Contains(tt.how, "full"))
			stop := start(t, cfg, ingest.Dependencies{DB: db, Raw: disk})
			p.await(t)
			stop()
			if tt.how == "lost" {
				commitAs(t, env, cfg, 0, "")
			}
			cfg.Segments = tt.declared
			if tt.limits > 0 {
				cfg.Limits.MaxFeatures = tt.limits
			}
			seen := newNotices()
			if strings.Contains(tt.how, "dies") {
				// Its intent names the new plan; the rollups are of the old.
				p.reset(func(_ int, query string) fault {
					if strings.Contains(query, "`"+string(plumbline.TableSeriesMinute)+"`") {
						return refuse
					}
					return pass
				})
				disk.full.Store(false)
				stop := start(t, cfg, ingest.Dependencies{DB: db, Noticer: seen, Raw: disk})
				p.await(t)
				stop()
			}
			p.reset(func(int, string) fault { return pass })
			start(t, cfg, ingest.Dependencies{DB: db, Noticer: seen})
			seen.await(t, ingest.NoticePlanChanged)
			until(t, env, committedEvents, 300)
			opts := everything(time.Now())
			opts.Segments = cfg.Segments
			report := equal(t, env, opts)
			if mixed := count(t, env, "SELECT countIf(endsWith(plan, '+mixed')) FROM batches WHERE table = 'series_minute'") > 0; mixed != tt.mixed || (report.HoursWithoutSegments > 0) != tt.mixed {
				t.Errorf("mixed: %v, segments of %d hours left out", mixed, report.HoursWithoutSegments)
			}
			want := uint64(100)
			if tt.declared == nil {
				want = 0
			}
			if n := count(t, env, "SELECT sum(count) FROM series_minute WHERE series = 'requests' AND segment = 'region=eu'"); n != want {
				t.Errorf("%d requests in region=eu by minute, want %d", n, want)
			}
		})
	}
}
