package fetch

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/plumbline-slo/plumbline/testenv/kafkatest"
)

const topic = "predictions"

// server is a Kafka with one partition of one topic.
type server interface {
	// ListenAddrs are the addresses of its brokers.
	ListenAddrs() []string
}

// topicOf is the name of its topic.
func topicOf(s server) string {
	if real, ok := s.(realServer); ok {
		return real.topic
	}
	return topic
}

// realServer is an Apache Kafka and a topic of this test alone.
type realServer struct {
	addresses []string
	topic     string
}

func (r realServer) ListenAddrs() []string { return r.addresses }

// anyServer is the Kafka that PLUMBLINE_TEST_KAFKA names (make test-real), and
// else an embedded one: for tests that need no faults.
func anyServer(tb testing.TB) server {
	tb.Helper()
	brokers := kafkatest.Real()
	if brokers == nil {
		return cluster(tb)
	}
	r := realServer{addresses: brokers, topic: fmt.Sprintf("fetch-%d", rand.Uint64())}
	kafkatest.Create(tb, brokers, kafka.TopicConfig{
		Topic: r.topic, NumPartitions: 1, ReplicationFactor: 1, ConfigEntries: []kafka.ConfigEntry{{ConfigName: "max.message.bytes", ConfigValue: "16777216"}},
	})
	return r
}

// settled is the high watermark once no transaction is open below it: an Apache
// Kafka says that one has ended before it has written the mark of its end.
func settled(tb testing.TB, s server) int64 {
	tb.Helper()
	transport := &kafka.Transport{}
	defer transport.CloseIdleConnections()
	client := kafka.Client{Addr: kafka.TCP(s.ListenAddrs()...), Transport: transport}
	end := func(level kafka.IsolationLevel) int64 {
		r, err := client.ListOffsets(tb.Context(), &kafka.ListOffsetsRequest{
			Topics: map[string][]kafka.OffsetRequest{topicOf(s): {kafka.LastOffsetOf(0)}}, IsolationLevel: level,
		})
		if err != nil {
			tb.Fatal(err)
		}
		partition := r.Topics[topicOf(s)][0]
		if partition.Error != nil {
			tb.Fatal(partition.Error)
		}
		return partition.LastOffset
	}
	for {
		if stable, all := end(kafka.ReadCommitted), end(kafka.ReadUncommitted); stable == all {
			return all
		}
	}
}

// cluster starts an embedded Kafka with one partition of one topic.
func cluster(tb testing.TB, opts ...kfake.Opt) *kfake.Cluster {
	tb.Helper()
	c, err := kfake.NewCluster(append([]kfake.Opt{kfake.NumBrokers(1), kfake.SeedTopics(1, topic),
		kfake.BrokerConfigs(map[string]string{"message.max.bytes": "16777216"})}, opts...)...)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(c.Close)
	return c
}

func client(tb testing.TB, c server, opts ...kgo.Opt) *kgo.Client {
	tb.Helper()
	cl, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(c.ListenAddrs()...), kgo.DefaultProduceTopic(topicOf(c)),
		kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchMaxBytes(8 << 20)}, opts...)...)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(cl.Close)
	return cl
}

func partition(tb testing.TB, c server, change ...func(*Config)) *Partition {
	tb.Helper()
	cfg := DefaultConfig()
	cfg.Brokers = c.ListenAddrs()
	for _, f := range change {
		f(&cfg)
	}
	f, err := New(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	p := f.Partition(topicOf(c), 0)
	tb.Cleanup(func() {
		if err := p.Close(); err != nil && !errors.Is(err, context.Canceled) {
			tb.Logf("close: %v", err)
		}
	})
	return p
}

// item is a record that was copied out of a chunk, or out of another client.
type item struct {
	offset, time int64
	key, value   []byte
	headers      []kafka.Header
}

func (i item) String() string {
	return fmt.Sprintf("offset %d time %d key %.20q (nil %t) value %.20q (nil %t, %d bytes) headers %q", i.offset, i.time,
		i.key, i.key == nil, i.value, i.value == nil, len(i.value), i.headers)
}

func (i item) equal(j item) bool {
	if i.offset != j.offset || i.time != j.time || !same(i.key, j.key) || !same(i.value, j.value) || len(i.headers) != len(j.headers) {
		return false
	}
	for n := range i.headers {
		if i.headers[n].Key != j.headers[n].Key || !same(i.headers[n].Value, j.headers[n].Value) {
			return false
		}
	}
	return true
}

func same(a, b []byte) bool { return (a == nil) == (b == nil) && bytes.Equal(a, b) }

func diff(tb testing.TB, got, want []item) {
	tb.Helper()
	for n := range min(len(got), len(want)) {
		if !got[n].equal(want[n]) {
			tb.Fatalf("record %d\n got %s\nwant %s", n, got[n], want[n])
		}
	}
	if len(got) != len(want) {
		tb.Fatalf("%d records, want %d", len(got), len(want))
	}
}

func copied(c *Chunk) []item {
	var all []item
	for r := range c.Records() {
		i := item{offset: r.Offset, time: r.Timestamp, key: bytes.Clone(r.Key), value: bytes.Clone(r.Value)}
		for k, v := range r.Headers() {
			i.headers = append(i.headers, kafka.Header{Key: string(k), Value: bytes.Clone(v)})
		}
		if len(i.headers) != r.HeaderCount() {
			panic("header count")
		}
		all = append(all, i)
	}
	return all
}

// readTo fetches from an offset on until Next reaches end.
func readTo(tb testing.TB, p *Partition, from, end int64) (all []item, chunks int) {
	tb.Helper()
	for next := from; next < end; chunks++ {
		c, err := p.Fetch(tb.Context(), next, time.Second)
		if err != nil {
			tb.Fatal(err)
		}
		all = append(all, copied(c)...)
		next = c.Next
	}
	return all, chunks
}

// variety makes records of every shape that Kafka allows.
func variety(n int, seed uint64) []*kgo.Record {
	rng := rand.New(rand.NewPCG(seed, 1))
	var all []*kgo.Record
	for i := range n {
		r := &kgo.Record{
			Key: fmt.Appendf(nil, "id-%d", i), Value: bytes.Repeat(fmt.Appendf(nil, `{"n":%d}`, rng.Uint32()), rng.IntN(60)),
			Timestamp: time.UnixMilli(1_700_000_000_000 + int64(i)*7 - rng.Int64N(5000)),
		}
		switch i % 11 {
		case 1:
			r.Value = nil
		case 2:
			r.Key = nil
		case 3:
			r.Key, r.Value = []byte{}, []byte{}
		case 4:
			r.Headers = []kgo.RecordHeader{{Key: "ce_id", Value: []byte("a")}, {Key: "ce_id", Value: nil}, {Key: "", Value: []byte{}}}
		case 5:
			r.Headers = []kgo.RecordHeader{{Key: string(bytes.Repeat([]byte("k"), 200)), Value: bytes.Repeat([]byte("v"), 1000)}}
		}
		if i%101 == 100 {
			r.Value = make([]byte, 300<<10)
			for j := range r.Value {
				r.Value[j] = byte(rng.Uint32() >> (rng.Uint32() % 8))
			}
		}
		all = append(all, r)
	}
	return all
}

func items(records []*kgo.Record) []item {
	var all []item
	for _, r := range records {
		i := item{offset: r.Offset, time: r.Timestamp.UnixMilli(), key: r.Key, value: r.Value}
		for _, h := range r.Headers {
			i.headers = append(i.headers, kafka.Header{Key: h.Key, Value: h.Value})
		}
		all = append(all, i)
	}
	return all
}

// produce sends records in batches of the given number and fills in offsets.
func produce(tb testing.TB, cl *kgo.Client, records []*kgo.Record, batch int) {
	tb.Helper()
	for len(records) > 0 {
		n := min(batch, len(records))
		if err := cl.ProduceSync(tb.Context(), records[:n]...).FirstErr(); err != nil {
			tb.Fatal(err)
		}
		records = records[n:]
	}
}

var codecNames = map[string]kgo.CompressionCodec{
	"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(),
	"lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
}

func TestReadsWhatWasProduced(t *testing.T) {
	for name, compression := range codecNames {
		t.Run(name, func(t *testing.T) {
			c := anyServer(t)
			records := variety(1500, 7)
			produce(t, client(t, c, kgo.ProducerBatchCompression(compression)), records, 130)
			want := items(records)
			got, chunks := readTo(t, partition(t, c), 0, int64(len(records)))
			diff(t, got, want)
			if chunks < 3 {
				t.Errorf("%d chunks, want several of an answer", chunks)
			}
			diff(t, oracle(t, c, len(records)), nullForEmpty(got))
			// A fetch from the middle of a batch, and one byte at a time as it were.
			p := partition(t, c, func(c *Config) { c.MaxBytes = 1 << 10 })
			for _, from := range []int64{1, 129, 130, 131, 777, 1499} {
				to := int64(len(records))
				if from > 1 { // once to the end; else into the second batch behind
					to = min(from+200, to)
				}
				got, _ := readTo(t, p, from, to)
				diff(t, got, want[from:from+int64(len(got))])
			}
		})
	}
}

// nullForEmpty makes of an empty key, value or header value what kafka-go makes
// of it.
func nullForEmpty(all []item) []item {
	null := func(b []byte) []byte {
		if len(b) == 0 {
			return nil
		}
		return b
	}
	all = slices.Clone(all)
	for n := range all {
		i := &all[n]
		i.key, i.value, i.headers = null(i.key), null(i.value), slices.Clone(i.headers)
		for h := range i.headers {
			i.headers[h].Value = null(i.headers[h].Value)
		}
	}
	return all
}

// oracle reads with kafka-go's own reader, which does not check checksums.
func oracle(tb testing.TB, c server, n int) []item {
	tb.Helper()
	r := kafka.NewReader(kafka.ReaderConfig{Brokers: c.ListenAddrs(), Topic: topicOf(c), MinBytes: 1, MaxBytes: 4 << 20, MaxWait: 50 * time.Millisecond})
	defer r.Close()
	var all []item
	for range n {
		m, err := r.ReadMessage(tb.Context())
		if err != nil {
			tb.Fatal(err)
		}
		i := item{offset: m.Offset, time: m.Time.UnixMilli(), key: m.Key, value: m.Value}
		i.headers = m.Headers
		all = append(all, i)
	}
	return nullForEmpty(all)
}

func TestWaitsAtTheEnd(t *testing.T) {
	c := anyServer(t)
	records := variety(3, 1)
	p := partition(t, c)
	got, err := p.Fetch(t.Context(), 0, 0)
	if err != nil || got.Next != 0 || len(copied(got)) != 0 {
		t.Fatalf("an empty partition: %+v %v", got, err)
	}
	arrived := make(chan []item)
	go func() {
		c, err := p.Fetch(t.Context(), 0, time.Minute)
		if err != nil {
			t.Error(err)
		}
		arrived <- copied(c)
	}()
	produce(t, client(t, c), records, 3)
	diff(t, <-arrived, items(records))
}

func TestCancelled(t *testing.T) {
	c := cluster(t)
	p := partition(t, c)
	if _, err := p.Fetch(t.Context(), 0, 0); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	fetching := c.Fault(kfake.Fault{Observe: true, Count: -1})
	done := make(chan error)
	go func() {
		_, err := p.Fetch(ctx, 0, time.Hour)
		done <- err
	}()
	if err := fetching.Wait(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
	// The connection had a request under way; the next fetch has another.
	if _, err := p.Fetch(t.Context(), 0, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Fetch(ctx, 0, 0); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
}
