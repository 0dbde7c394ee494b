package ingesthttp_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/plumbline-slo/plumbline/ingest/decode"
	ingesthttp "github.com/plumbline-slo/plumbline/ingest/http"
	"github.com/plumbline-slo/plumbline/testenv/kafkatest"
)

const token = "0123456789abcdef0123456789abcdef"

const (
	ndjson    = "application/x-ndjson"
	plainJSON = "application/json"
)

// now is the clock of every test: what stamps records.
var now = time.Date(2026, 5, 4, 10, 12, 0, 0, time.UTC)

type world struct {
	*httptest.Server
	address  string         // of Kafka
	kafka    *kfake.Cluster // nil with startOn
	registry *prometheus.Registry
}

// withArrow are sources of which one takes Arrow streams of predictions.
func withArrow() []decode.Source {
	return []decode.Source{
		{Topic: "columns", Format: decode.FormatArrow, Model: "checkout"},
		{Topic: "predictions"}, {Topic: "labels", Holds: []decode.Kind{decode.KindLabels}}, {Topic: "deployments", Holds: []decode.Kind{decode.KindDeployments}},
		{Topic: "kpis", Holds: []decode.Kind{decode.KindKPIs}},
	}
}

// names are the topics of withArrow.
var names = []string{"predictions", "labels", "deployments", "columns", "kpis"}

// startAny serves over real HTTP against the Kafka that PLUMBLINE_TEST_KAFKA names
// (make test-real), and else an embedded one: for tests that need no faults.
func startAny(t *testing.T) *world {
	t.Helper()
	brokers := kafkatest.Real()
	if brokers == nil {
		return start(t)
	}
	for _, name := range names {
		kafkatest.Create(t, brokers, kafka.TopicConfig{Topic: name, NumPartitions: 2, ReplicationFactor: 1})
	}
	return startOn(t, brokers[0])
}

// start serves over real HTTP against an embedded Kafka with two partitions a
// topic.
func start(t *testing.T, change ...func(*ingesthttp.Config)) *world {
	t.Helper()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(2, names...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	w := startOn(t, cluster.ListenAddrs()[0], change...)
	w.kafka = cluster
	return w
}

// startOn serves over real HTTP against a Kafka.
func startOn(t *testing.T, address string, change ...func(*ingesthttp.Config)) *world {
	t.Helper()
	return startWith(t, address, withArrow(), change...)
}

// startWith serves for the topics of some sources.
func startWith(t *testing.T, address string, sources []decode.Source, change ...func(*ingesthttp.Config)) *world {
	t.Helper()
	cfg := ingesthttp.DefaultConfig()
	cfg.TokenFile = filepath.Join(t.TempDir(), "tokens")
	cfg.ProduceTimeout = 20 * time.Second
	if err := os.WriteFile(cfg.TokenFile, []byte(token+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, f := range change {
		f(&cfg)
	}
	w := &world{address: address, registry: prometheus.NewRegistry()}
	s, err := ingesthttp.New(cfg, ingesthttp.Dependencies{
		Brokers: []string{address}, Predictions: "predictions", Labels: "labels", Deployments: "deployments", KPIs: "kpis",
		Sources: sources, Limits: decode.DefaultLimits(), Registry: w.registry, Now: func() time.Time { return now },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	w.Server = httptest.NewServer(s.Handler())
	t.Cleanup(w.Server.Close)
	return w
}

// reply is a response as a client sees it.
type reply struct {
	Status         int
	Header         http.Header
	Accepted       int
	Rejected       []rejection
	Unacknowledged []place
	Error          string
}

type place struct{ Line, Event int }

type rejection struct {
	Line, Event        int
	Reason, Field, Fix string
}

// request is a good one unless it is changed.
func (w *world) request(t *testing.T, kind, media string, body io.Reader) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.URL+"/api/v1/"+kind, body)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Content-Type", media)
	return r
}

func (w *world) do(t *testing.T, r *http.Request) reply {
	t.Helper()
	resp, err := w.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	got := reply{Status: resp.StatusCode, Header: resp.Header}
	if err := json.NewDecoder(resp.Body).Decode(&got); err != nil {
		t.Fatalf("status %d, and the answer is not JSON: %v", resp.StatusCode, err)
	}
	if got.Rejected == nil {
		t.Error(`"rejected" is no array`)
	}
	return got
}

func (w *world) post(t *testing.T, kind, media, body string) reply {
	t.Helper()
	return w.do(t, w.request(t, kind, media, strings.NewReader(body)))
}

// stored reads all of a topic, by key. A key stands for one record here.
func (w *world) stored(t *testing.T, topic string) map[string]kafka.Message {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	found := make(map[string]kafka.Message)
	for partition := range 2 {
		conn, err := kafka.DialLeader(ctx, "tcp", w.address, topic, partition)
		if err != nil {
			t.Fatal(err)
		}
		first, last, err := conn.ReadOffsets()
		if err != nil {
			t.Fatal(err)
		}
		if err := conn.Close(); err != nil {
			t.Fatal(err)
		}
		if first == last {
			continue
		}
		r := kafka.NewReader(kafka.ReaderConfig{Brokers: []string{w.address}, Topic: topic, Partition: partition, MaxWait: 10 * time.Millisecond})
		for range last - first {
			m, err := r.ReadMessage(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if _, twice := found[string(m.Key)]; twice {
				t.Errorf("the key %q stands twice in %s", m.Key, topic)
			}
			found[string(m.Key)] = m
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return found
}

// metric returns the value of a counter or gauge; labels are value by value in
// the order of their names.
func (w *world) metric(t *testing.T, name string, labels ...string) float64 {
	t.Helper()
	families, err := w.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			var values []string
			for _, l := range m.GetLabel() {
				values = append(values, l.GetValue())
			}
			if strings.Join(values, ",") == strings.Join(labels, ",") {
				return m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	t.Fatalf("no metric %s%v", name, labels)
	return 0
}

func prediction(id string) string {
	return fmt.Sprintf(`{"prediction_id":%q,"model":"checkout","deploy_hash":"d1","ts":%d,"features":{"amount":12.5},"predicted":"yes"}`, id, now.UnixMilli())
}

func predictions(n int) string {
	var lines strings.Builder
	for i := range n {
		lines.WriteString(prediction(fmt.Sprintf("p%d", i)) + "\n")
	}
	return lines.String()
}

func zipped(t *testing.T, text string) *bytes.Buffer {
	t.Helper()
	var buf bytes.Buffer
	z := gzip.NewWriter(&buf)
	if _, err := io.WriteString(z, text); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return &buf
}
