package ingest_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/segmentio/kafka-go"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/ingest"
	"github.com/plumbline-slo/plumbline/ingest/deadletters"
	"github.com/plumbline-slo/plumbline/ingest/erase"
	"github.com/plumbline-slo/plumbline/ingest/join"
	"github.com/plumbline-slo/plumbline/ingest/privacy"
	"github.com/plumbline-slo/plumbline/testenv"
)

// keysFile writes keys that only this user may read.
func keysFile(t *testing.T, lines ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "keys")
	if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func keyLine(name string, times ...time.Time) string {
	line := name + " " + name + "-secret-of-at-least-32-characters"
	for _, at := range times {
		line += " " + at.UTC().Format(time.RFC3339)
	}
	return line
}

// raw stands in everything personal that is produced, behind what a truncation
// keeps.
const raw = "RAWPERSONAL"

func send(t *testing.T, env *testenv.Env, topic string, messages ...kafka.Message) {
	t.Helper()
	transport := &kafka.Transport{} // kafka-go's own knows no topic that is new
	defer transport.CloseIdleConnections()
	w := &kafka.Writer{WriteTimeout: 5 * time.Minute, Addr: kafka.TCP(env.Brokers...), Topic: topic, RequiredAcks: kafka.RequireAll, Balancer: &kafka.Hash{}, BatchTimeout: time.Millisecond, Transport: transport}
	if err := w.WriteMessages(t.Context(), messages...); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

// person is a prediction of the bank's model, every part of it personal. The
// Kafka timestamp of its label is an hour later.
func person(i int, at time.Time) (prediction, label kafka.Message) {
	id := fmt.Sprintf("%s-id-%d", raw, i)
	prediction = kafka.Message{Key: []byte(id), Time: at, Value: fmt.Appendf(nil,
		`{"prediction_id":%q,"model":"bank","deploy_hash":"d","ts":%d,"predicted":"c%d","features":{"email":"%s-mail-%d","account":%d,"name":"%s-name","city":"Zür%s","salary":123456,"note":null,"age":%d},"segments":{"customer":"%s-segment","region":"north%s"}}`,
		id, at.UnixMilli(), i%3, raw, i%10, 987650000+i%10, raw, raw, 20+i%50, raw, raw)}
	known := at.Add(time.Hour)
	label = kafka.Message{Key: []byte(id), Time: known, Value: fmt.Appendf(nil, `{"prediction_id":%q,"model":"bank","ts":%d,"label":"c%d"}`, id, known.UnixMilli(), i%2)}
	return prediction, label
}

// refusedPeople are events that cannot be stored, each in a way of its own.
func refusedPeople(at time.Time) []kafka.Message {
	var all []kafka.Message
	for i, value := range []string{
		`{"prediction_id":"` + raw + `","email":"` + raw + `@example.com"`,
		raw,
		`{"prediction_id":"` + raw + `","model":"bank","deploy_hash":"d","ts":"` + raw + `"}`,
		`{"prediction_id":"` + raw + `","model":"bank","deploy_hash":"d","ts":1,"score":"` + raw + `"}`,
		`{"prediction_id":"` + raw + `","model":"bank","deploy_hash":"d","stage":"` + raw + `","ts":1}`,
		`{"prediction_id":"` + raw + `","model":"bank","deploy_hash":"d","ts":1,"features":{"email":["` + raw + `"]}}`,
		`{"prediction_id":"` + raw + `","model":"bank","deploy_hash":"d","ts":1,"features":"` + raw + `"}`,
		`{"prediction_id":"` + raw + "\x00" + `","model":"bank"}`,
	} {
		all = append(all, kafka.Message{Key: []byte(raw), Value: []byte(value), Time: at.Add(time.Duration(i) * time.Millisecond), Headers: []kafka.Header{{Key: "x-" + raw, Value: []byte(raw)}}})
	}
	return all
}

// nowhere looks for what is raw in every column of every table, and in the dead
// letters.
func nowhere(t *testing.T, env *testenv.Env, cfg ingest.Config, refused int) {
	t.Helper()
	for _, table := range plumbline.Tables() {
		if n := count(t, env, "SELECT count() FROM "+string(table.Name)+" WHERE positionCaseInsensitive(toString(tuple(*)), '"+raw+"') > 0"); n != 0 {
			t.Errorf("%s: %d rows hold a raw value", table.Name, n)
		}
	}
	for query, what := range map[string]string{
		"SELECT countIf(arrayExists(v -> v IN (123456) OR v >= 987650000, mapValues(numbers))) FROM predictions WHERE model = 'bank'": "raw numbers",
		"SELECT count() FROM series_hour WHERE series IN ('feature:account', 'feature:name', 'feature:email') AND model != ''":        "numbers of what is hashed or dropped",
		"SELECT count() FROM categories_hour WHERE series LIKE 'feature:name%'":                                                       "rollups of what is dropped",
	} {
		if n := count(t, env, query); n != 0 {
			t.Errorf("%d rows hold %s", n, what)
		}
	}
	for _, m := range letters(t, env, cfg, refused) {
		text := fmt.Sprintf("%s %s %s", m.Key, m.Value, m.Headers)
		if strings.Contains(text, raw) || m.Key != nil {
			t.Errorf("the letter at %d holds a raw value: %q", m.Offset, text)
		}
	}
}

// Personal data go in over a key rotation, good events and bad ones; none of
// them is found in ClickHouse or in the dead letters. Every label finds its
// prediction, the rollups count all, and a replay restores the letters.
func TestPersonalDataAreStoredNowhere(t *testing.T) {
	env := testenv.Start(t, testenv.Setup{Kafka: true})
	cfg := testConfig(env)
	now := time.Now().Truncate(time.Second)
	rotation := now.Add(-5 * time.Hour)
	cfg.Privacy = privacy.Config{
		// Both keys are in use for two hours: longer than labels take.
		KeysFile: keysFile(t, keyLine("k1", now.Add(-1000*time.Hour), rotation.Add(2*time.Hour)), keyLine("k2", rotation)),
		Models: []privacy.Policy{{
			Model: "bank", PredictionID: privacy.Hash,
			Features: map[string]privacy.Rule{
				"email": {Action: privacy.Hash}, "account": {Action: privacy.Hash}, "name": {Action: privacy.Drop},
				"city": {Action: privacy.Truncate, To: 3}, "salary": {Action: privacy.Truncate, To: 1000},
			},
			Segments: map[string]privacy.Rule{"customer": {Action: privacy.Drop}, "*": {Action: privacy.Truncate, To: 5}},
		}},
	}
	if err := ingest.EnsureTopics(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	const n = 240
	var predictions, labels []kafka.Message
	before := 0
	for i := range n { // from 2 hours before the rotation to 2 hours after it
		at := rotation.Add(time.Duration(i-n/2) * time.Minute)
		if at.Before(rotation) {
			before++
		}
		p, l := person(i, at)
		predictions, labels = append(predictions, p), append(labels, l)
	}
	refused := refusedPeople(now.Add(-time.Hour))
	send(t, env, cfg.Topics.Predictions, append(predictions, refused...)...)
	send(t, env, cfg.Topics.Labels, append(labels, kafka.Message{Key: []byte(raw), Time: now, Value: []byte(`{"prediction_id":"` + raw + `","label":`)})...)
	stop := start(t, cfg, ingest.Dependencies{DB: env.DB})
	until(t, env, committedEvents, uint64(2*n+len(refused)+1))
	until(t, env, rawRows, n)
	stop()
	nowhere(t, env, cfg, len(refused)+1)

	j, err := join.New(join.DefaultConfig(), join.Dependencies{DB: env.DB})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := j.Step(t.Context()); err != nil {
		t.Fatal(err)
	}
	for query, want := range map[string]int{
		requests: n,
		"SELECT uniqExact(prediction_id) FROM predictions":                                                                     n,
		"SELECT countIf(startsWith(prediction_id, 'k1:') AND length(prediction_id) = 35) FROM predictions":                     before,
		"SELECT countIf(startsWith(prediction_id, 'k2:') AND length(prediction_id) = 35) FROM predictions":                     n - before,
		"SELECT toUInt64(sum(labelled)) FROM outcomes FINAL":                                                                   n,
		"SELECT toUInt64(sum(correct)) FROM outcomes FINAL":                                                                    n / 3,
		"SELECT uniqExact(prediction_id) FROM outcomes":                                                                        n,
		"SELECT countIf(categories['city'] = 'Zür') FROM predictions":                                                          n,
		"SELECT countIf(numbers['salary'] = 123000) FROM predictions":                                                          n,
		"SELECT countIf(segments = map('region', 'north')) FROM predictions":                                                   n,
		"SELECT countIf(has(nulls, 'note')) FROM predictions":                                                                  n,
		"SELECT uniqExact(categories['email']) FROM predictions WHERE startsWith(prediction_id, 'k1:')":                        10,
		"SELECT uniqExact(categories['account']) FROM predictions WHERE startsWith(prediction_id, 'k2:')":                      10,
		"SELECT countIf(mapContains(categories, 'email@k1')) FROM predictions":                                                 120,
		"SELECT uniqExact(categories['email@k1']) FROM predictions WHERE mapContains(categories, 'email@k1')":                  10,
		"SELECT sum(count) FROM categories_hour WHERE model = 'bank' AND series = 'feature:email' AND match(value, '^k[12]:')": n,
	} {
		if got := count(t, env, query); got != uint64(want) {
			t.Errorf("%s = %d, want %d", query, got, want)
		}
	}
	// Hashed before and hashed after can be joined where both keys are in use.
	if got := count(t, env, `SELECT uniqExact(categories['email']) FROM predictions WHERE startsWith(prediction_id, 'k1:')
AND categories['email'] IN (SELECT categories['email@k1'] FROM predictions WHERE startsWith(prediction_id, 'k2:'))`); got != 10 {
		t.Errorf("%d of 10 people are recognised across the rotation", got)
	}
	equal(t, env, everything(now))
	replayedOpen(t, env, cfg, refused)
}

// replayedOpen replays the letters with the keys and compares what is produced.
func replayedOpen(t *testing.T, env *testenv.Env, cfg ingest.Config, refused []kafka.Message) {
	t.Helper()
	where := deadletters.DefaultConfig()
	where.Brokers, where.Topic = cfg.Brokers, cfg.Topics.DeadLetters
	var err error
	if where.Keys, err = privacy.ReadKeys(cfg.Privacy.KeysFile); err != nil {
		t.Fatal(err)
	}
	box, err := deadletters.New(where)
	if err != nil {
		t.Fatal(err)
	}
	defer box.Close()
	values := map[string]bool{}
	for _, m := range refused {
		values[string(m.Value)] = true
	}
	err = box.Replay(t.Context(), deadletters.Filter{Topic: cfg.Topics.Predictions}, deadletters.Options{}, func(o deadletters.Outcome) {
		l := o.Letter
		if o.Verdict != deadletters.Replayed || !values[string(l.Value)] || !bytes.Equal(l.Key, []byte(raw)) || string(l.Headers[0].Value) != raw {
			t.Errorf("letter %s: %d, %s, value %q", l.At, o.Verdict, o.Note, l.Value)
		}
		delete(values, string(l.Value))
	})
	if err != nil || len(values) != 0 {
		t.Errorf("%d records were not replayed, %v", len(values), err)
	}
}

// A tenth of the raw rows is stored and everything is counted; a model without a
// rate is stored whole.
func TestSampledRawRowsLeaveRollupsComplete(t *testing.T) {
	env := testenv.Start(t, testenv.Setup{Kafka: true})
	cfg := testConfig(env)
	cfg.FlushRows = 300
	cfg.Privacy = privacy.Config{Models: []privacy.Policy{{Model: "bulk", RawRate: 0.1}}}
	if err := ingest.EnsureTopics(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	const n, whole = 4000, 200
	var messages []kafka.Message
	event := func(id, model string, x int) {
		at := now.Add(time.Duration(len(messages)) * -time.Minute)
		messages = append(messages, kafka.Message{Key: []byte(id), Time: now, Value: fmt.Appendf(nil,
			`{"prediction_id":%q,"model":%q,"deploy_hash":"d","ts":%d,"predicted":"c%d","score":0.5,"features":{"x":%d}}`, id, model, at.UnixMilli(), x%3, x)})
	}
	for i := range n {
		event(fmt.Sprint("b", i), "bulk", i)
		if i < whole {
			event(fmt.Sprint("w", i), "whole", i)
		}
	}
	send(t, env, cfg.Topics.Predictions, messages...)
	start(t, cfg, ingest.Dependencies{DB: env.DB})
	until(t, env, requests, n+whole)
	until(t, env, committedEvents, n+whole)
	for query, want := range map[string]uint64{
		"SELECT sum(count) FROM series_hour WHERE model = 'bulk' AND series = 'feature:x'":                    n,
		"SELECT sum(count) FROM series_minute WHERE model = 'bulk' AND series = 'score'":                      n,
		"SELECT sum(count) FROM categories_hour WHERE model = 'bulk' AND series = 'predicted'":                n,
		"SELECT toUInt64(sum(sum_nano) / 1e9) FROM series_hour WHERE model = 'bulk' AND series = 'feature:x'": n * (n - 1) / 2,
		"SELECT count() FROM predictions WHERE model = 'whole' AND weight = 1":                                whole,
		"SELECT countIf(weight != 10) FROM predictions WHERE model = 'bulk'":                                  0,
		"SELECT toUInt64(sum(events - dead)) FROM batches FINAL WHERE table = 'predictions'":                  n + whole,
	} {
		if got := count(t, env, query); got != want {
			t.Errorf("%s = %d, want %d", query, got, want)
		}
	}
	kept := float64(count(t, env, "SELECT count() FROM predictions WHERE model = 'bulk'"))
	if bound := 5 * math.Sqrt(n*0.1*0.9); math.Abs(kept-n*0.1) > bound {
		t.Errorf("%g of %d raw rows are stored, want %g±%g", kept, n, n*0.1, bound)
	}
	if got := count(t, env, "SELECT sum(rows) FROM batches FINAL WHERE table = 'predictions'"); got != uint64(kept)+whole {
		t.Errorf("the batches tell of %d rows, stored are %g", got, kept+whole)
	}
}

// A batch that was begun under one policy is finished under another: nothing is
// lost or doubled, no batch is half of each, and raw rows and rollups agree.
func TestBatchOfAnotherPolicyIsFinished(t *testing.T) {
	hash := privacy.Config{Models: []privacy.Policy{{Model: "fraud", PredictionID: privacy.Hash, Features: map[string]privacy.Rule{"*": {Action: privacy.Hash}}}}}
	cut := privacy.Config{Models: []privacy.Policy{{Model: "fraud", Features: map[string]privacy.Rule{"channel": {Action: privacy.Truncate, To: 1}}}}}
	sample := privacy.Config{Models: []privacy.Policy{{Model: "fraud", RawRate: 0.3}}}
	for _, c := range []struct {
		name       string
		begun, now privacy.Config
		table      string
	}{
		{"none to hash, raw incomplete", privacy.Config{}, hash, "predictions"},
		{"none to hash, raw complete", privacy.Config{}, hash, "series_minute"},
		{"hash to cut, raw incomplete", hash, cut, "predictions"},
		{"hash to cut, raw complete", hash, cut, "categories_hour"},
		{"cut to hash, all but the record", cut, hash, "batches"},
		{"sample to none, raw complete", sample, privacy.Config{}, "series_minute"},
		{"sample to none, all but the record", sample, privacy.Config{}, "batches"},
		{"none to sample, raw complete", privacy.Config{}, sample, "series_minute"},
		{"none to sample, raw incomplete", privacy.Config{}, sample, "series_hour"},
	} {
		t.Run(c.name, func(t *testing.T) {
			env := testenv.Start(t, testenv.Setup{Kafka: true})
			p, db := startProxy(t, env)
			p.reset(func(n int, query string) fault {
				if n > 3 && strings.Contains(query, "`"+c.table+"`") {
					return refuse
				}
				return pass
			})
			file := keysFile(t, keyLine("k"))
			cfg := testConfig(env)
			cfg.Partitions, cfg.Privacy = 1, c.begun
			cfg.Privacy.KeysFile = file
			if err := ingest.EnsureTopics(t.Context(), cfg); err != nil {
				t.Fatal(err)
			}
			want := produce(t, env, cfg, options(3, 500))
			stop := start(t, cfg, ingest.Dependencies{DB: db})
			p.await(t)
			stop()
			p.reset(func(int, string) fault { return pass })
			cfg.Privacy = c.now
			cfg.Privacy.KeysFile = file
			seen := newNotices()
			start(t, cfg, ingest.Dependencies{DB: db, Noticer: seen})
			seen.await(t, ingest.NoticePlanChanged)
			until(t, env, committedEvents, uint64(want.Predictions+want.Dead+want.Labels))
			if stored := count(t, env, rawRows); c.name == "none to sample, raw incomplete" {
				bound := 5 * math.Sqrt(0.3*0.7*float64(want.Predictions))
				if got := count(t, env, requests); got != uint64(want.Predictions) || math.Abs(float64(stored)-0.3*float64(want.Predictions)) > bound {
					t.Errorf("%d events are counted and %d stored, want %d and 0.3 of them", got, stored, want.Predictions)
				}
				return
			}
			check(t, env, want, everything(time.Now()))
			mixed := 0
			rows, err := env.DB.Conn().Query(t.Context(), "SELECT first, last FROM batches FINAL WHERE table = 'predictions'")
			if err != nil {
				t.Fatal(err)
			}
			for rows.Next() {
				var first, last int64
				if err := rows.Scan(&first, &last); err != nil {
					t.Fatal(err)
				}
				var some, all uint64
				row := env.DB.Conn().QueryRow(t.Context(), "SELECT countIf(startsWith(prediction_id, 'k:')), count() FROM predictions WHERE _offset BETWEEN {first:Int64} AND {last:Int64}",
					clickhouse.Named("first", first), clickhouse.Named("last", last))
				if err := row.Scan(&some, &all); err != nil {
					t.Fatal(err)
				}
				if some != 0 && some != all {
					mixed++
				}
			}
			if err := rows.Err(); err != nil || mixed > 0 {
				t.Errorf("%d batches hold rows of both policies, %v", mixed, err)
			}
		})
	}
}

// Rows are erased while ingest writes: no partition parks, what is not asked for
// is neither lost nor doubled, and everything is counted.
func TestEraseWhileIngestRuns(t *testing.T) {
	env := testenv.Start(t, testenv.Setup{Kafka: true})
	cfg := testConfig(env)
	cfg.FlushRows = 20
	if err := ingest.EnsureTopics(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	const rounds, people, each = 8, 5, 10
	seen := newNotices()
	start(t, cfg, ingest.Dependencies{DB: env.DB, Noticer: seen})
	unfinished := uint64(0)
	for round := range rounds {
		var messages []kafka.Message
		for i := range people * each {
			messages = append(messages, kafka.Message{Key: fmt.Append(nil, round, i), Time: now, Value: fmt.Appendf(nil,
				`{"prediction_id":"r%d-%d","model":"bank","deploy_hash":"d","ts":%d,"features":{"customer":"c%d"}}`, round, i, now.UnixMilli()-int64(i), i%people)})
		}
		send(t, env, cfg.Topics.Predictions, messages...)
		report, err := erase.Run(t.Context(), env.DB, erase.Request{Model: "bank", Feature: "customer", Value: "c0"}, time.Now())
		if errors.As(err, new(erase.UnknownError)) {
			continue // nothing of the model is stored yet
		}
		if err != nil {
			t.Fatal(err)
		}
		unfinished += report.Unfinished()
	}
	t.Logf("%d rows were left for later runs", unfinished)
	until(t, env, requests, rounds*people*each)
	until(t, env, committedEvents, rounds*people*each)
	if _, err := erase.Run(t.Context(), env.DB, erase.Request{Model: "bank", Feature: "customer", Value: "c0"}, time.Now()); err != nil {
		t.Fatal(err)
	}
	for query, want := range map[string]uint64{
		rawRows: rounds * (people - 1) * each,
		"SELECT uniqExact(prediction_id) FROM predictions":                             rounds * (people - 1) * each,
		"SELECT countIf(categories['customer'] = 'c0') FROM predictions":               0,
		"SELECT sum(rows) FROM erasures WHERE table = 'predictions'":                   rounds * each,
		"SELECT sum(count) FROM categories_hour WHERE model = 'bank' AND value = 'c0'": rounds * each,
	} {
		if got := count(t, env, query); got != want {
			t.Errorf("%s = %d, want %d", query, got, want)
		}
	}
	seen.none(t)
}

// safeBuffer is a log that several goroutines write.
type safeBuffer struct {
	mu   sync.Mutex
	text strings.Builder
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// What people are told of bad events, and what is logged, holds nothing of them,
// whichever is the sample.
func TestNoticesAndLogsHoldNoValues(t *testing.T) {
	env := testenv.Start(t, testenv.Setup{Kafka: true})
	for i, bad := range refusedPeople(time.Now()) {
		cfg := testConfig(env)
		cfg.Partitions, cfg.BadShare = 1, 0.05
		for _, name := range []*string{&cfg.Group, &cfg.Topics.Predictions, &cfg.Topics.Labels, &cfg.Topics.Deployments, &cfg.Topics.DeadLetters} {
			*name = fmt.Sprint(*name, "-", i)
		}
		if err := ingest.EnsureTopics(t.Context(), cfg); err != nil {
			t.Fatal(err)
		}
		send(t, env, cfg.Topics.Predictions, slices.Repeat([]kafka.Message{bad}, 60)...)
		seen, log := newNotices(), &safeBuffer{}
		stop := start(t, cfg, ingest.Dependencies{DB: env.DB, Noticer: seen, Logger: slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
		seen.await(t, ingest.NoticePaused)
		stop()
		text := seen.text(ingest.NoticePaused)
		if !strings.Contains(text, "offset ") {
			t.Errorf("event %d: no sample in %q", i, text)
		}
		if !strings.Contains(log.String(), "events were refused") || !strings.Contains(log.String(), "topic="+cfg.Topics.Predictions) {
			t.Errorf("event %d: the log says nothing of the dead letters: %s", i, log)
		}
		if strings.Contains(text+log.String(), raw) {
			t.Errorf("event %d: people are told %q, the log says %s", i, text, log)
		}
	}
}
