package ingest_test

import (
	"encoding/binary"
	"fmt"
	"math"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/segmentio/kafka-go"

	"github.com/plumbline-slo/plumbline/ingest"
	"github.com/plumbline-slo/plumbline/ingest/decode"
	"github.com/plumbline-slo/plumbline/testenv"
	"github.com/plumbline-slo/plumbline/testenv/fakehttp"
	"github.com/plumbline-slo/plumbline/testenv/fakeregistry"
)

// avroVersion returns the schema of a version of the events: the second knows a
// field more.
func avroVersion(version int) string {
	score := ""
	if version == 2 {
		score = `{"name":"score","type":["null","double"]},`
	}
	return `{"type":"record","name":"P","fields":[` + score + `{"name":"prediction_id","type":"string"},{"name":"model","type":"string"},
		{"name":"deploy_hash","type":"string"},{"name":"ts","type":{"type":"long","logicalType":"timestamp-millis"}},
		{"name":"features","type":{"type":"map","values":"double"}}]}`
}

// avroValue returns an event as a Confluent serializer writes it.
func avroValue(version, i int, at time.Time) []byte {
	b := binary.BigEndian.AppendUint32([]byte{0}, uint32(100+version))
	double := func(v float64) { b = binary.LittleEndian.AppendUint64(b, math.Float64bits(v)) }
	text := func(s string) { b = append(binary.AppendVarint(b, int64(len(s))), s...) }
	if version == 2 {
		b = append(b, 2)
		double(0.25)
	}
	text(fmt.Sprintf("p%d", i))
	text("fraud")
	text("d1")
	b = binary.AppendVarint(b, at.UnixMilli())
	b = append(b, 2)
	text("amount")
	double(float64(i))
	return append(b, 0)
}

// While the schema registry is gone, events wait; when it is back they are
// stored, each by the schema it was written with. What the registry does not
// know is a dead letter.
func TestRegistryGoneForAWhile(t *testing.T) {
	t.Parallel()
	env := testenv.Start(t, testenv.Setup{Kafka: true})
	registry, err := fakeregistry.Start("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer registry.Close()
	for version := 1; version <= 2; version++ {
		registry.Register(uint32(100+version), fakeregistry.Schema{Text: avroVersion(version)})
	}
	const outage = 6
	down := make([]fakehttp.Fault, outage)
	for i := range down {
		down[i] = []fakehttp.Fault{{Status: http.StatusServiceUnavailable}, {Cut: true}, {Status: http.StatusOK, Body: `{"sch`}}[i%3]
	}
	registry.Fail(down...)

	cfg := testConfig(env)
	topic := "avro-" + env.Suffix
	source := decode.Source{Topic: topic, Format: decode.FormatAvro, Schemas: decode.Schemas{SchemaRegistry: &decode.SchemaRegistry{URLs: []string{registry.URL()}}}}
	if err := source.ReadFiles(); err != nil {
		t.Fatal(err)
	}
	cfg.Sources = []decode.Source{source}
	if err := ingest.EnsureTopics(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	now := time.Now().Truncate(time.Minute)
	const n = 500
	var messages []kafka.Message
	for i := range n {
		messages = append(messages, kafka.Message{Key: fmt.Append(nil, i), Value: avroValue(1+i%2, i, now), Time: now})
	}
	w := &kafka.Writer{WriteTimeout: 5 * time.Minute, Addr: kafka.TCP(env.Brokers...), Topic: topic, RequiredAcks: kafka.RequireAll, Balancer: &kafka.RoundRobin{}, Transport: &kafka.Transport{}}
	defer w.Close()
	if err := w.WriteMessages(t.Context(), messages...); err != nil {
		t.Fatal(err)
	}
	start(t, cfg, ingest.Dependencies{DB: env.DB})
	until(t, env, rawRows, n)
	until(t, env, requests, n)
	for query, want := range map[string]uint64{
		"SELECT uniqExact(prediction_id) FROM predictions":                n,
		"SELECT countIf(score = 0.25) FROM predictions":                   n / 2,
		"SELECT sum(dead) FROM batches FINAL WHERE table = 'predictions'": 0,
		"SELECT toUInt64(sum(numbers['amount'])) FROM predictions":        n * (n - 1) / 2,
		"SELECT countIf(score IS NULL) FROM predictions":                  n / 2,
	} {
		if got := count(t, env, query); got != want {
			t.Errorf("%s = %d, want %d", query, got, want)
		}
	}
	if got := len(registry.Requests()); got < outage+2 || got > outage+6 {
		t.Errorf("%d requests, want one for each fault and schema", got)
	}

	if err := w.WriteMessages(t.Context(), kafka.Message{Value: avroValue(7, n, now), Time: now}, kafka.Message{Value: avroValue(1, n+1, now), Time: now}); err != nil {
		t.Fatal(err)
	}
	until(t, env, rawRows, n+1)
	until(t, env, "SELECT sum(dead) FROM batches FINAL WHERE table = 'predictions'", 1)
}

// A batch that was begun waits for its schema like any other, and people are
// told when that begins and when it is over, whichever sessions lie between.
func TestBegunBatchWaitsForItsSchema(t *testing.T) {
	t.Parallel()
	env := testenv.Start(t, testenv.Setup{Kafka: true})
	registry, err := fakeregistry.Start("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer registry.Close()
	registry.Register(101, fakeregistry.Schema{Text: avroVersion(1)})
	p, db := startProxy(t, env)
	p.reset(func(int, string) fault { return refuse })
	cfg := testConfig(env)
	cfg.Partitions = 1
	begin := func(seen *notices) func() {
		source := decode.Source{Topic: "avro-" + env.Suffix, Format: decode.FormatAvro, Schemas: decode.Schemas{SchemaRegistry: &decode.SchemaRegistry{URLs: []string{registry.URL()}}}}
		if err := source.ReadFiles(); err != nil {
			t.Fatal(err)
		}
		cfg.Sources = []decode.Source{source}
		if err := ingest.EnsureTopics(t.Context(), cfg); err != nil {
			t.Fatal(err)
		}
		return start(t, cfg, ingest.Dependencies{DB: db, Noticer: seen})
	}
	stop := begin(newNotices())
	send(t, env, "avro-"+env.Suffix, kafka.Message{Value: avroValue(1, 1, time.Now())})
	p.await(t)
	stop()
	p.reset(func(int, string) fault { return pass })
	registry.Fail(slices.Repeat([]fakehttp.Fault{{Status: http.StatusServiceUnavailable}}, 3)...)
	seen := newNotices()
	begin(seen)
	seen.await(t, ingest.NoticeWaits)
	seen.await(t, ingest.NoticeGoesOn)
	until(t, env, rawRows, 1)
}

// What waits for its schema has an age from its first attempt on, whether a batch of
// it was begun or not.
func TestWaitingForASchemaHasAnAge(t *testing.T) {
	t.Parallel()
	for name, begun := range map[string]bool{"new": false, "begun": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := testenv.Start(t, testenv.Setup{Kafka: true})
			answers, err := fakeregistry.Start("127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer answers.Close()
			answers.Register(101, fakeregistry.Schema{Text: avroVersion(1)})
			p, db := startProxy(t, env)
			cfg := testConfig(env)
			cfg.Partitions = 1
			source := decode.Source{Topic: "avro-" + env.Suffix, Format: decode.FormatAvro, Schemas: decode.Schemas{SchemaRegistry: &decode.SchemaRegistry{URLs: []string{answers.URL()}}}}
			if err := source.ReadFiles(); err != nil {
				t.Fatal(err)
			}
			cfg.Sources = []decode.Source{source}
			if err := ingest.EnsureTopics(t.Context(), cfg); err != nil {
				t.Fatal(err)
			}
			send(t, env, "avro-"+env.Suffix, kafka.Message{Value: avroValue(1, 1, time.Now())})
			if begun {
				p.reset(func(int, string) fault { return refuse })
				stop := start(t, cfg, ingest.Dependencies{DB: db})
				p.await(t)
				stop()
				p.reset(func(int, string) fault { return pass })
				cfg.Sources[0] = source // which knows no schema yet
			}
			answers.Fail(slices.Repeat([]fakehttp.Fault{{Status: http.StatusServiceUnavailable}}, 5)...)
			registry := prometheus.NewRegistry()
			start(t, cfg, ingest.Dependencies{DB: db, Registry: registry})
			eventually(t, "an age", func() bool { return oldestWaiting(t, registry) > 1 })
			until(t, env, rawRows, 1)
			eventually(t, "no age", func() bool { return oldestWaiting(t, registry) == 0 })
		})
	}
}

// oldestWaiting is the greatest plumbline_ingest_unstored_age_seconds.
func oldestWaiting(t *testing.T, registry *prometheus.Registry) (age float64) {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != "plumbline_ingest_unstored_age_seconds" {
			continue
		}
		for _, m := range f.GetMetric() {
			age = max(age, m.GetGauge().GetValue())
		}
	}
	return age
}
