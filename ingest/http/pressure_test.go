package ingesthttp_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow/go/v17/arrow/ipc"
	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	ingesthttp "github.com/plumbline-slo/plumbline/ingest/http"
	"github.com/plumbline-slo/plumbline/testenv/address"
	"github.com/plumbline-slo/plumbline/testenv/broker"
)

func TestKafkaGoneIs503AndNothingIsClaimed(t *testing.T) {
	w := start(t)
	if got := w.post(t, "predictions", ndjson, prediction("before")); got.Status != http.StatusAccepted {
		t.Fatalf("%+v", got)
	}
	w.kafka.Close()
	got := w.post(t, "predictions", ndjson, prediction("a")+"\nx\n"+prediction("b"))
	if got.Status != http.StatusServiceUnavailable || got.Accepted != 0 || len(got.Rejected) != 1 || got.Header.Get("Retry-After") != "2" {
		t.Errorf("%+v", got)
	}
	if fmt.Sprint(got.Unacknowledged) != "[{1 1} {3 3}]" {
		t.Errorf("unacknowledged: %v", got.Unacknowledged)
	}
	if strings.Contains(got.Error, "127.0.0.1") {
		t.Errorf("the answer tells where Kafka is: %s", got.Error)
	}
	if v := w.metric(t, "plumbline_ingest_http_events_total", "predictions", "unacknowledged"); v != 2 {
		t.Errorf("%v unacknowledged events are counted, want 2", v)
	}
}

// Kafka does not answer: the request ends by its own timeout.
func TestKafkaSilentIs503(t *testing.T) {
	w := start(t, func(c *ingesthttp.Config) { c.ProduceTimeout = 300 * time.Millisecond })
	free, entered := w.blockProduce(t)
	got := w.post(t, "predictions", ndjson, prediction("a"))
	<-entered
	if got.Status != http.StatusServiceUnavailable || got.Accepted != 0 || len(got.Unacknowledged) != 1 {
		t.Errorf("%+v", got)
	}
	free()
}

// One partition refuses, the other takes: the answer says which events to send
// again, and with them sent again everything is stored once.
func TestOnlyWhatIsNotAcknowledgedIsSentAgain(t *testing.T) {
	w := start(t)
	w.kafka.ControlKey(int16(kmsg.Produce), func(req kmsg.Request) (kmsg.Response, error, bool) {
		p := req.(*kmsg.ProduceRequest)
		if p.Topics[0].Partitions[0].Partition != 1 {
			return nil, nil, false
		}
		return refused(p, kerr.NotLeaderForPartition), nil, true
	})
	lines := strings.Split(strings.TrimSpace(predictions(100)), "\n")
	got := w.post(t, "predictions", ndjson, strings.Join(lines, "\n"))
	again := len(got.Unacknowledged)
	if got.Status != http.StatusServiceUnavailable || again == 0 || again == 100 || got.Accepted != 100-again || got.Header.Get("Retry-After") == "" {
		t.Fatalf("%+v", got)
	}
	if !strings.Contains(got.Error, "not leader") {
		t.Errorf("the answer does not say why: %s", got.Error)
	}
	if n := len(w.stored(t, "predictions")); n != got.Accepted {
		t.Errorf("%d are stored, %d were acknowledged", n, got.Accepted)
	}
	var repeated []string
	for _, p := range got.Unacknowledged {
		repeated = append(repeated, lines[p.Line-1])
	}
	if got := w.post(t, "predictions", ndjson, strings.Join(repeated, "\n")); got.Status != http.StatusAccepted || got.Accepted != again {
		t.Fatalf("sent again: %+v", got)
	}
	if n := len(w.stored(t, "predictions")); n != 100 {
		t.Errorf("%d are stored in the end, want 100", n)
	}
}

// After a batch that is not acknowledged, those behind it are not sent and not
// claimed, whether they are batches of ours or halves of one.
func TestNothingBehindAFailedBatchIsClaimed(t *testing.T) {
	for name, limit := range map[string]string{"batches": "100000", "halves": "600"} {
		t.Run(name, func(t *testing.T) {
			w := start(t, func(c *ingesthttp.Config) {
				if name == "batches" {
					c.MaxEvent = 500
				}
			})
			w.limitTopic(t, limit)
			acknowledged := 0
			w.kafka.ControlKey(int16(kmsg.Produce), func(req kmsg.Request) (kmsg.Response, error, bool) {
				p := req.(*kmsg.ProduceRequest)
				size := len(p.Topics[0].Partitions[0].Records)
				if acknowledged < 3 || size > 600 {
					if size <= 600 {
						acknowledged++
					}
					return nil, nil, false
				}
				w.kafka.KeepControl()
				return refused(p, kerr.NotEnoughReplicas), nil, true
			})
			got := w.post(t, "predictions", ndjson, predictions(100))
			stored := len(w.stored(t, "predictions"))
			if got.Status != http.StatusServiceUnavailable || stored == 0 || stored == 100 || got.Accepted != stored || len(got.Unacknowledged) != 100-stored {
				t.Errorf("%d are stored; %d accepted, %d unacknowledged, status %d", stored, got.Accepted, len(got.Unacknowledged), got.Status)
			}
			if !strings.Contains(got.Error, "not enough") {
				t.Errorf("the answer does not say why: %s", got.Error)
			}
		})
	}
}

// limitTopic sets the largest batch that the topic takes.
func (w *world) limitTopic(t *testing.T, bytes string) {
	t.Helper()
	client := &kafka.Client{Addr: kafka.TCP(w.address)}
	_, err := client.AlterConfigs(t.Context(), &kafka.AlterConfigsRequest{Resources: []kafka.AlterConfigRequestResource{{
		ResourceType: kafka.ResourceTypeTopic, ResourceName: "predictions",
		Configs: []kafka.AlterConfigRequestConfig{{Name: "max.message.bytes", Value: bytes}},
	}}})
	if err != nil {
		t.Fatal(err)
	}
}

// A topic that takes less than we send gets smaller batches; an event that is
// too large by itself is its own error.
func TestATopicThatTakesLess(t *testing.T) {
	w := start(t)
	w.limitTopic(t, "2000")
	large := strings.Replace(prediction("large"), `"yes"`, `"yes","note":"`+strings.Repeat("n", 5000)+`"`, 1)
	got := w.post(t, "predictions", ndjson, "x\n"+large+"\n"+predictions(100)+"y\n")
	if got.Status != http.StatusAccepted || got.Accepted != 100 || len(got.Rejected) != 3 {
		t.Fatalf("%+v", got)
	}
	if r := got.Rejected[1]; r.Line != 2 || r.Reason != "too_large" || !strings.Contains(r.Fix, "max.message.bytes") {
		t.Errorf("rejected: %+v", r)
	}
	if n := len(w.stored(t, "predictions")); n != 100 {
		t.Errorf("%d are stored, want 100", n)
	}
	if got := w.post(t, "predictions", ndjson, large); got.Status != http.StatusBadRequest || len(got.Rejected) != 1 {
		t.Errorf("alone: %+v", got)
	}
}

func TestTooManyRequestsIs429(t *testing.T) {
	w := start(t, func(c *ingesthttp.Config) { c.MaxInFlight, c.RetryAfter = 1, 2500*time.Millisecond })
	w.testPressure(t, prediction("b"), nil)
}

func TestTooManyBytesIs429(t *testing.T) {
	w := start(t, func(c *ingesthttp.Config) {
		c.MaxBody, c.MaxInFlightBytes, c.RetryAfter = 20_000, 20_001, 2500*time.Millisecond
	})
	second := prediction("b") + strings.Repeat(" ", 19_990-len(prediction("b")))
	w.testPressure(t, second, nil)
	w.testPressure(t, second, func(r *http.Request) { r.ContentLength = -1 })
}

// What an Arrow body decompresses to is under way too: small ones that grow must
// not come past the bound together.
func TestInflatedBytesAre429(t *testing.T) {
	w := start(t, func(c *ingesthttp.Config) {
		c.MaxBody, c.MaxInFlightBytes = 1<<20, 3<<20
	})
	ids := make([]string, 15_000)
	for i := range ids {
		ids[i] = "an-identifier-that-is-always-the-same"
	}
	body := packed(t, []ipc.Option{ipc.WithZstd()}, ids...)
	if len(body) > 100_000 {
		t.Fatalf("the body has %d bytes: the test cannot fail", len(body))
	}
	free, entered := w.blockProduce(t)
	first := make(chan reply, 1)
	go func() { first <- w.post(t, "predictions", arrowStream, body) }()
	<-entered
	if held := w.metric(t, "plumbline_ingest_http_in_flight_bytes"); held < 15_000*37 {
		t.Errorf("%v bytes are held for a body that decompresses to more", held)
	}
	if got := w.post(t, "predictions", arrowStream, body); got.Status != http.StatusTooManyRequests || got.Accepted != 0 {
		t.Errorf("under pressure: %+v", got)
	}
	free()
	if got := <-first; got.Status != http.StatusAccepted {
		t.Errorf("the first request: %+v", got)
	}
	if got := w.post(t, "predictions", arrowStream, body); got.Status != http.StatusAccepted {
		t.Errorf("without pressure: %+v", got)
	}
}

// testPressure holds one request at Kafka and sends another, which must be told
// to come again; then it may.
func (w *world) testPressure(t *testing.T, second string, change func(*http.Request)) {
	t.Helper()
	free, entered := w.blockProduce(t)
	first := make(chan reply, 1)
	go func() {
		first <- w.post(t, "labels", ndjson, `{"prediction_id":"a","model":"m","ts":`+fmt.Sprint(now.UnixMilli())+`,"label":1}`)
	}()
	<-entered
	if v := w.metric(t, "plumbline_ingest_http_requests_in_flight"); v != 1 {
		t.Errorf("%v requests are under way, want 1", v)
	}
	request := func() *http.Request {
		r := w.request(t, "predictions", ndjson, io.NopCloser(strings.NewReader(second)))
		r.ContentLength = int64(len(second))
		if change != nil {
			change(r)
		}
		return r
	}
	got := w.do(t, request())
	if got.Status != http.StatusTooManyRequests || got.Accepted != 0 || got.Header.Get("Retry-After") != "3" || got.Error == "" {
		t.Errorf("under pressure: %+v", got)
	}
	free()
	if got := <-first; got.Status != http.StatusAccepted || got.Accepted != 1 {
		t.Errorf("the first request: %+v", got)
	}
	if got := w.do(t, request()); got.Status != http.StatusAccepted || got.Accepted != 1 {
		t.Errorf("without pressure: %+v", got)
	}
	if v := w.metric(t, "plumbline_ingest_http_in_flight_bytes"); v != 0 {
		t.Errorf("%v bytes are held after the answers", v)
	}
}

// blockProduce makes Kafka hold the next produce request until free is called;
// entered is closed when it has arrived.
func (w *world) blockProduce(t *testing.T) (free func(), entered <-chan struct{}) {
	t.Helper()
	release, arrived := make(chan struct{}), make(chan struct{})
	freed := false
	free = func() {
		if !freed {
			freed = true
			close(release)
		}
	}
	t.Cleanup(free)
	w.kafka.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
		w.kafka.DropControl()
		close(arrived)
		<-release
		return nil, nil, false
	})
	return free, arrived
}

// refused answers a produce request of one partition with an error.
func refused(p *kmsg.ProduceRequest, with *kerr.Error) kmsg.Response {
	resp := p.ResponseKind().(*kmsg.ProduceResponse)
	topic := kmsg.NewProduceResponseTopic()
	topic.Topic, topic.TopicID = p.Topics[0].Topic, p.Topics[0].TopicID
	partition := kmsg.NewProduceResponseTopicPartition()
	partition.Partition, partition.ErrorCode = p.Topics[0].Partitions[0].Partition, with.Code
	topic.Partitions = append(topic.Partitions, partition)
	resp.Topics = append(resp.Topics, topic)
	return resp
}

// Kafka that comes back is used again, without a restart of the service.
func TestKafkaComesBack(t *testing.T) {
	cfg := broker.DefaultConfig()
	reserved, err := address.Reserve()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = reserved.Release() }) // the test is over
	cfg.DataDir, cfg.Listen = t.TempDir(), reserved.Addr
	begin := func() *broker.Broker {
		b, err := broker.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		if err := b.Start(); err != nil {
			t.Fatal(err)
		}
		return b
	}
	b := begin()
	client := &kafka.Client{Addr: kafka.TCP(cfg.Listen)}
	if _, err := client.CreateTopics(t.Context(), &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{{Topic: "predictions", NumPartitions: 2, ReplicationFactor: 1}}}); err != nil {
		t.Fatal(err)
	}
	w := startOn(t, cfg.Listen)
	if got := w.post(t, "predictions", ndjson, prediction("before")); got.Status != http.StatusAccepted {
		t.Fatalf("before: %+v", got)
	}
	b.Close()
	if got := w.post(t, "predictions", ndjson, prediction("during")); got.Status != http.StatusServiceUnavailable {
		t.Fatalf("during: %+v", got)
	}
	defer begin().Close()
	if got := w.post(t, "predictions", ndjson, prediction("during")); got.Status != http.StatusAccepted || got.Accepted != 1 {
		t.Errorf("after: %+v", got)
	}
	if stored := w.stored(t, "predictions"); len(stored) != 2 {
		t.Errorf("stored: %v", stored)
	}
}
