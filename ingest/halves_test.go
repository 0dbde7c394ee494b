package ingest_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/plumbline-slo/plumbline/ingest"
	"github.com/plumbline-slo/plumbline/ingest/decode"
	"github.com/plumbline-slo/plumbline/ingest/verify"
	"github.com/plumbline-slo/plumbline/testenv"
)

// TestHalvesOfAnExchangeAreOneDelivery sends requests and responses as KServe
// logs them, in any order, some without a response: the view merges them by
// identifier, and only requests count.
func TestHalvesOfAnExchangeAreOneDelivery(t *testing.T) {
	env := testenv.Start(t, testenv.Setup{Kafka: true})
	cfg := testConfig(env)
	topic := "kserve-" + env.Suffix
	cfg.Sources = []decode.Source{{Topic: topic, Format: decode.FormatKServe, Deploy: "d1"}}
	if err := ingest.EnsureTopics(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	now := time.Now().Truncate(time.Minute)
	half := func(kind string, i int, at time.Time, value string) kafka.Message {
		m := kafka.Message{Key: fmt.Append(nil, "x", i), Value: []byte(value), Time: now}
		for k, v := range map[string]string{
			"ce_specversion": "1.0", "ce_id": fmt.Sprint("x", i), "ce_time": at.UTC().Format(time.RFC3339Nano), "ce_source": "/test",
			"ce_type": "org.kubeflow.serving.inference." + kind, "ce_inferenceservicename": "iris", "ce_endpoint": "default",
		} {
			m.Headers = append(m.Headers, kafka.Header{Key: k, Value: []byte(v)})
		}
		return m
	}
	const n, answered = 100, 90
	var messages []kafka.Message
	for i := range n {
		at := now.Add(time.Duration(i) * time.Millisecond)
		request := half("request", i, at, fmt.Sprintf(`{"inputs":[{"name":"x","shape":[1],"datatype":"FP64","data":[%d]}]}`, i))
		response := half("response", i, at.Add(40*time.Millisecond), fmt.Sprintf(`{"outputs":[{"name":"class","shape":[1],"datatype":"BYTES","data":["c%d"]},{"name":"p","shape":[1],"datatype":"FP64","data":[0.5]}]}`, i%3))
		switch {
		case i >= answered:
			messages = append(messages, request)
		case i%2 == 0:
			messages = append(messages, request, response)
		default:
			messages = append(messages, response, request)
		}
	}
	w := &kafka.Writer{WriteTimeout: 5 * time.Minute, Addr: kafka.TCP(env.Brokers...), Topic: topic, RequiredAcks: kafka.RequireAll, Balancer: &kafka.RoundRobin{}, Transport: &kafka.Transport{}}
	defer w.Close()
	if err := w.WriteMessages(t.Context(), messages...); err != nil {
		t.Fatal(err)
	}
	start(t, cfg, ingest.Dependencies{DB: env.DB})
	// The rows of batches come last, when every rollup is stored.
	until(t, env, "SELECT sum(rows) FROM batches FINAL WHERE table = 'predictions'", n+answered)
	whole := fmt.Sprintf("predictions_whole(model = 'iris', since = '%s', until = '%s')", now.UTC().Format(time.DateTime), now.UTC().Add(time.Minute).Format(time.DateTime))
	for query, want := range map[string]uint64{
		requests:                       n,
		"SELECT count() FROM " + whole: n,
		"SELECT countIf(status = 'unanswered') FROM " + whole:                                         n - answered,
		"SELECT countIf(latency_ms = 40 AND score = 0.5) FROM " + whole:                               answered,
		"SELECT countIf(predicted = concat('c', toString(toUInt64(numbers['x']) % 3))) FROM " + whole: answered,
		"SELECT sum(count) FROM series_hour WHERE model = 'iris' AND series = 'score'":                answered,
		"SELECT sum(count) FROM series_hour WHERE model = 'iris' AND series = 'feature:x'":            n,
		"SELECT sum(count) FROM categories_hour WHERE model = 'iris' AND series = 'predicted'":        answered,
	} {
		if got := count(t, env, query); got != want {
			t.Errorf("%s = %d, want %d", query, got, want)
		}
	}
	equal(t, env, verify.Options{From: now.Add(-time.Hour), To: now.Add(2 * time.Hour)})
}
