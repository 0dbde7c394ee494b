package producers_test

import (
	"bytes"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/plumbline-slo/plumbline/docs/producers"
	"github.com/plumbline-slo/plumbline/ingest/decode"
)

// cluster is a broker that remembers the acknowledgements it was asked for.
type cluster struct {
	address          string
	produced, lesser atomic.Int64
}

func newCluster(t *testing.T) *cluster {
	t.Helper()
	k, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(4, "predictions", "labels"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.Close)
	c := &cluster{address: k.ListenAddrs()[0]}
	k.ControlKey(int16(kmsg.Produce), func(r kmsg.Request) (kmsg.Response, error, bool) {
		k.KeepControl()
		c.produced.Add(1)
		if r.(*kmsg.ProduceRequest).Acks != -1 {
			c.lesser.Add(1)
		}
		return nil, nil, false
	})
	return c
}

// records reads a topic.
func (c *cluster) records(t *testing.T, topic string) (all []kafka.Message) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	for partition := range 4 {
		conn, err := kafka.DialLeader(ctx, "tcp", c.address, topic, partition)
		if err != nil {
			t.Fatal(err)
		}
		end, err := conn.ReadLastOffset()
		if err != nil {
			t.Fatal(err)
		}
		if err := conn.Close(); err != nil {
			t.Fatal(err)
		}
		r := kafka.NewReader(kafka.ReaderConfig{Brokers: []string{c.address}, Topic: topic, Partition: partition, MaxWait: 50 * time.Millisecond})
		for range end {
			m, err := r.ReadMessage(ctx)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, m)
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// check reads what a producer sent as the service would.
func (c *cluster) check(t *testing.T, id string) {
	t.Helper()
	predictions, labels := decode.NewJSONPredictions(decode.DefaultLimits()), decode.NewJSONLabels(decode.DefaultLimits())
	for topic, columns := range map[string]interface{ Append(decode.Record) error }{"predictions": predictions, "labels": labels} {
		sent := c.records(t, topic)
		if len(sent) != 1 {
			t.Fatalf("%s holds %d records, want 1", topic, len(sent))
		}
		if string(sent[0].Key) != id {
			t.Errorf("%s: key %q, want the prediction_id %q", topic, sent[0].Key, id)
		}
		if err := columns.Append(decode.Record{Known: sent[0].Time.UnixMilli(), Value: sent[0].Value}); err != nil {
			t.Errorf("%s: the service refuses %s: %v", topic, sent[0].Value, err)
		}
	}
	if t.Failed() {
		return
	}
	if predictions.Unknown != 0 || labels.Unknown != 0 || string(predictions.ID.At(0)) != id || string(labels.ID.At(0)) != id {
		t.Errorf("ids %s and %s, unknown fields %d and %d", predictions.ID.At(0), labels.ID.At(0), predictions.Unknown, labels.Unknown)
	}
	if len(predictions.Numbers.Keys) == 0 || len(predictions.Categories.Keys) == 0 || labels.Deleted[0] != 0 {
		t.Error("the prediction lacks features, or the label its class")
	}
	if c.produced.Load() == 0 || c.lesser.Load() != 0 {
		t.Errorf("%d of %d requests did not ask for the acknowledgement of all replicas", c.lesser.Load(), c.produced.Load())
	}
}

func TestGo(t *testing.T) {
	c := newCluster(t)
	w := producers.NewWriter(c.address)
	p := producers.Prediction{
		ID: "go-1", Model: "flight-delay", Deploy: "3f9c2a", Stage: "production", Time: time.Now(),
		Features: map[string]any{"distance": 733, "origin": "ATL", "gate": nil}, Score: 0.31, Weight: 1,
	}
	if err := producers.SendPrediction(t.Context(), w, p); err != nil {
		t.Fatal(err)
	}
	if err := producers.SendLabel(t.Context(), w, producers.Label{ID: "go-1", Model: "flight-delay", Time: time.Now(), Value: "late"}); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	c.check(t, "go-1")
	if err := producers.SendLabel(t.Context(), w, producers.Label{}); err == nil || !strings.Contains(err.Error(), "labels") {
		t.Errorf("a closed writer: %v", err)
	}
}

// PLUMBLINE_PYTHON names another Python than python3, for example one of a
// virtual environment that has kafka-python.
func TestPython(t *testing.T) {
	python := "python3"
	if other := os.Getenv("PLUMBLINE_PYTHON"); other != "" {
		python = other
	}
	if _, err := exec.LookPath(python); err != nil {
		t.Skipf("skipped: %v", err)
	}
	if out, err := exec.CommandContext(t.Context(), python, "-c", "from kafka import KafkaProducer").CombinedOutput(); err != nil {
		t.Skipf("skipped: %s cannot import kafka (pip install kafka-python): %s", python, lastLine(out))
	}
	c := newCluster(t)
	// What the client is about to drop, the snippet may not use.
	command(t, python, "-W", "error::DeprecationWarning:__main__", "producer.py", c.address)
	c.check(t, "python-1")
}

// Java needs the jars of kafka-clients and slf4j-api: in the local Maven
// repository, or below the folder that PLUMBLINE_JARS names.
func TestJava(t *testing.T) {
	for _, tool := range []string{"javac", "java"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("skipped: %v", err)
		}
	}
	client := jar("org/apache/kafka/kafka-clients", "kafka-clients-[0-9]*.jar")
	if client == "" {
		t.Skip("skipped: no kafka-clients jar: mvn dependency:get -Dartifact=org.apache.kafka:kafka-clients:4.3.1, or set PLUMBLINE_JARS")
	}
	classes := t.TempDir()
	command(t, "javac", "-Xlint:all", "-Werror", "-cp", client, "-d", classes, "Producer.java")
	logging := jar("org/slf4j/slf4j-api", "slf4j-api-[0-9]*.jar")
	if logging == "" {
		t.Skip("compiled; not run: no slf4j-api jar, which kafka-clients needs")
	}
	c := newCluster(t)
	command(t, "java", "-cp", strings.Join([]string{classes, client, logging}, string(os.PathListSeparator)), "Producer", c.address)
	c.check(t, "java-1")
}

// jar finds the last jar of a name, or "".
func jar(artifact, name string) string {
	home, err := os.UserHomeDir()
	if err != nil {
		home = "."
	}
	var found []string
	for _, pattern := range []string{
		filepath.Join(home, ".m2", "repository", artifact, "*", name),
		filepath.Join(os.Getenv("PLUMBLINE_JARS"), name),
	} {
		if more, err := filepath.Glob(pattern); err == nil {
			found = append(found, more...)
		}
	}
	if len(found) == 0 {
		return ""
	}
	return found[len(found)-1]
}

// command runs a program, or fails the test with what it said.
func command(t *testing.T, name string, args ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	var out bytes.Buffer
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stdout, cmd.Stderr = io.Writer(&out), io.Writer(&out)
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out.Bytes())
	}
}

func lastLine(text []byte) string {
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return lines[len(lines)-1]
}
