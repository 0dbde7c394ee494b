package ingest_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/plumbline-slo/plumbline/ingest"
	"github.com/plumbline-slo/plumbline/ingest/decode"
	"github.com/plumbline-slo/plumbline/ingest/verify"
	"github.com/plumbline-slo/plumbline/testenv"
)

const mixedTopic = `
predictions:
  when: {at: $/kind, is: scored}
  rows: /events
  prediction_id: $/id
  model: {value: rank}
  deploy_hash: {value: d1}
  ts: $/at
  features: /x
  score: /p
labels:
  when: {at: /kind, is: settled}
  prediction_id: /id
  model: {value: rank}
  ts: /at
  label: /truth
deployments:
  when: {at: /kind, is: released}
  model: {value: rank}
  deploy_hash: /sha
  ts: /at
`

// mixed makes a topic of several kinds and sends n times three predictions, of
// which the second is bad every tenth time, a label and a heartbeat, and one
// release.
func mixed(t *testing.T, env *testenv.Env, cfg *ingest.Config, n int, now time.Time) {
	t.Helper()
	topic := "mixed-" + env.Suffix
	cfg.Sources = []decode.Source{{
		Topic: topic, Format: decode.FormatMapping, Holds: []decode.Kind{decode.KindPredictions, decode.KindLabels, decode.KindDeployments},
		Mapping: decode.Mapping{MappingFile: "mixed.yml", MappingText: mixedTopic},
	}}
	if err := ingest.EnsureTopics(t.Context(), *cfg); err != nil {
		t.Fatal(err)
	}
	var messages []kafka.Message
	for i := range n {
		at, third := now.UnixMilli()+int64(i), "0.5"
		if i%10 == 0 {
			third = `"high"`
		}
		for _, value := range []string{
			fmt.Sprintf(`{"kind":"scored","id":"b%d","at":%d,"events":[{"x":{"a":1},"p":0.1},{"x":{"a":2},"p":%s},{"x":{"a":3},"p":0.9}]}`, i, at, third),
			fmt.Sprintf(`{"kind":"settled","id":"b%d/2","at":%d,"truth":"yes"}`, i, at),
			fmt.Sprintf(`{"kind":"heartbeat","at":%d}`, at),
		} {
			messages = append(messages, kafka.Message{Key: fmt.Append(nil, i), Value: []byte(value), Time: now})
		}
	}
	messages = append(messages, kafka.Message{Value: fmt.Appendf(nil, `{"kind":"released","sha":"d1","at":%d}`, now.UnixMilli()), Time: now})
	w := &kafka.Writer{WriteTimeout: 5 * time.Minute, Addr: kafka.TCP(env.Brokers...), Topic: topic, RequiredAcks: kafka.RequireAll, Balancer: &kafka.RoundRobin{}, Transport: &kafka.Transport{}}
	defer w.Close()
	if err := w.WriteMessages(t.Context(), messages...); err != nil {
		t.Fatal(err)
	}
}

// TestOneTopicOfSeveralKinds sends records of three rows, of which one in ten is
// bad, labels, releases and heartbeats over one topic in a shape of its own.
func TestOneTopicOfSeveralKinds(t *testing.T) {
	env := testenv.Start(t, testenv.Setup{Kafka: true})
	cfg := testConfig(env)
	const n = 200
	now := time.Now().Truncate(time.Minute)
	mixed(t, env, &cfg, n, now)
	start(t, cfg, ingest.Dependencies{DB: env.DB})
	until(t, env, "SELECT sum(rows) FROM batches FINAL WHERE table IN ('predictions', 'labels', 'deployments')", 3*n-n/10+n+1)
	for query, want := range map[string]uint64{
		rawRows: 3*n - n/10, requests: 3*n - n/10,
		"SELECT count() FROM labels":                       n,
		"SELECT count() FROM deployments":                  1,
		"SELECT uniqExact(prediction_id) FROM predictions": 3*n - n/10,
		"SELECT count() FROM labels WHERE prediction_id IN (SELECT prediction_id FROM predictions)":       n,
		"SELECT countIf(numbers['a'] = toUInt8(splitByChar('/', prediction_id)[2]) + 1) FROM predictions": 3*n - n/10,
		"SELECT sum(dead) FROM batches FINAL WHERE table = 'predictions'":                                 n / 10,
	} {
		if got := count(t, env, query); got != want {
			t.Errorf("%s = %d, want %d", query, got, want)
		}
	}
	equal(t, env, verify.Options{From: now.Add(-time.Hour), To: now.Add(2 * time.Hour)})
}

// A batch that is finished in SQL counts for each table what concerns it.
func TestSeveralKindsFinishedInSQL(t *testing.T) {
	env := testenv.Start(t, testenv.Setup{Kafka: true})
	p, db := startProxy(t, env)
	p.reset(func(_ int, query string) fault {
		if strings.Contains(query, "`series_minute`") {
			return refuse
		}
		return pass
	})
	cfg := testConfig(env)
	cfg.Partitions = 1
	const n = 50
	now := time.Now().Truncate(time.Minute)
	mixed(t, env, &cfg, n, now)
	stop := start(t, cfg, ingest.Dependencies{DB: db})
	p.await(t)
	stop()
	p.reset(func(int, string) fault { return pass })
	cfg.Limits.MaxFeatures = 999
	seen := newNotices()
	start(t, cfg, ingest.Dependencies{DB: db, Noticer: seen})
	seen.await(t, ingest.NoticePlanChanged)
	until(t, env, "SELECT sum(rows) FROM batches FINAL WHERE table IN ('predictions', 'labels', 'deployments')", 3*n-n/10+n+1)
	for table, want := range map[string]uint64{"predictions": 3*n - n/10, "series_hour": 3*n - n/10, "labels": n, "deployments": 1} {
		if got := count(t, env, "SELECT toUInt64(sum(events) - sum(dead)) FROM batches FINAL WHERE table = '"+table+"'"); got != want {
			t.Errorf("%s: the batches count %d good events, want %d", table, got, want)
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.bare) > 0 {
		t.Errorf("statements that write and cannot be seen running: %q", p.bare)
	}
}

// Labels of a batch are stored also where its predictions were left out: its
// rollups are made from the records all the same, by whoever finishes it.
func TestSeveralKindsFinishedWithoutPredictions(t *testing.T) {
	for name, c := range map[string]struct {
		full bool // still, when it is finished
		lost bool // the intent too
	}{
		"room again":                 {false, false},
		"full still":                 {true, false},
		"room again, intent is lost": {false, true},
	} {
		t.Run(name, func(t *testing.T) {
			env := testenv.Start(t, testenv.Setup{Kafka: true})
			p, db := startProxy(t, env)
			p.reset(func(_ int, query string) fault {
				if strings.Contains(query, "`series_minute`") {
					return refuse
				}
				return pass
			})
			cfg := testConfig(env)
			cfg.Partitions = 1
			const n = 50
			mixed(t, env, &cfg, n, time.Now().Truncate(time.Minute))
			disk := new(room)
			disk.full.Store(true)
			stop := start(t, cfg, ingest.Dependencies{DB: db, Raw: disk})
			p.await(t)
			stop()
			if labels := count(t, env, "SELECT count() FROM labels"); labels == 0 {
				t.Fatal("no label is stored: nothing is tested")
			}
			p.reset(func(int, string) fault { return pass })
			if c.lost {
				topic := cfg
				topic.Topics.Predictions = cfg.Sources[0].Topic
				commitAs(t, env, topic, 0, "")
			}
			cfg.Limits.MaxFeatures = 999
			disk.full.Store(c.full)
			start(t, cfg, ingest.Dependencies{DB: db, Raw: disk})
			const good = 3*n - n/10
			until(t, env, "SELECT sum(rows) FROM batches FINAL WHERE table IN ('labels', 'deployments')", n+1)
			raw := uint64(good)
			if c.full {
				raw = 0
			}
			for query, want := range map[string]uint64{
				requests: good, rawRows: raw, tornBatches: 0,
				"SELECT count() FROM labels":      n,
				"SELECT count() FROM deployments": 1,
				"SELECT sum(count) FROM series_minute WHERE series = 'requests' AND model != ''": good,
				"SELECT sum(dead) FROM batches FINAL WHERE table = 'predictions'":                n / 10,
			} {
				if got := count(t, env, query); got != want {
					t.Errorf("%s = %d, want %d", query, got, want)
				}
			}
		})
	}
}
