package fetch

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// response is encoded by franz-go, which shares no code with the parser.
func response(change func(*kmsg.FetchResponse)) []byte {
	r := kmsg.NewPtrFetchResponse()
	r.Version = fetchVersion
	for _, name := range []string{"other", topic} {
		t := kmsg.NewFetchResponseTopic()
		t.Topic = name
		for i := range int32(3) {
			p := kmsg.NewFetchResponseTopicPartition()
			p.Partition, p.PreferredReadReplica = i, -1
			p.HighWatermark, p.LastStableOffset, p.LogStartOffset = 30+int64(i), 20, 10
			p.AbortedTransactions = []kmsg.FetchResponseTopicPartitionAbortedTransaction{{ProducerID: 2, FirstOffset: 12}, {ProducerID: 1, FirstOffset: 11}}
			p.RecordBatches = []byte(strings.Repeat("x", 10+int(i)))
			t.Partitions = append(t.Partitions, p)
		}
		r.Topics = append(r.Topics, t)
	}
	if change != nil {
		change(r)
	}
	return r.AppendTo(nil)
}

func TestResponse(t *testing.T) {
	for name, test := range map[string]struct {
		change    func(*kmsg.FetchResponse)
		partition int
		err       error
	}{
		"first":             {},
		"last":              {partition: 2},
		"another partition": {partition: 3, err: kafka.UnknownTopicOrPartition},
		"another topic":     {change: func(r *kmsg.FetchResponse) { r.Topics = r.Topics[:1] }, err: kafka.UnknownTopicOrPartition},
		"empty":             {change: func(r *kmsg.FetchResponse) { r.Topics = nil }, err: kafka.UnknownTopicOrPartition},
		"error of all":      {change: func(r *kmsg.FetchResponse) { r.ErrorCode = 70 }, err: kafka.FetchSessionIDNotFound},
		"error of one":      {change: func(r *kmsg.FetchResponse) { r.Topics[1].Partitions[0].ErrorCode = 1 }, err: kafka.OffsetOutOfRange},
		"error of another":  {change: func(r *kmsg.FetchResponse) { r.Topics[0].Partitions[0].ErrorCode = 1 }},
		"another replica": {change: func(r *kmsg.FetchResponse) {
			r.Topics[1].Partitions[0].PreferredReadReplica, r.Topics[1].Partitions[0].RecordBatches = 3, nil
		}, err: ErrUnsupported},
	} {
		a, err := parseResponse(response(test.change), topic, test.partition, nil)
		if !errors.Is(err, test.err) {
			t.Errorf("%s: got %v, want %v", name, err, test.err)
		}
		if err != nil {
			continue
		}
		if a.highWatermark != 30+int64(test.partition) || a.lastStable != 20 || a.logStart != 10 || len(a.records) != 10+test.partition ||
			len(a.aborted) != 2 || a.aborted[0] != (transaction{1, 11}) || a.aborted[1] != (transaction{2, 12}) {
			t.Errorf("%s: got %+v", name, a)
		}
	}
	null := response(func(r *kmsg.FetchResponse) {
		r.Topics[1].Partitions[0].AbortedTransactions, r.Topics[1].Partitions[0].RecordBatches = nil, nil
	})
	if a, err := parseResponse(null, topic, 0, nil); err != nil || len(a.records) != 0 || len(a.aborted) != 0 {
		t.Errorf("null arrays: %+v %v", a, err)
	}
}

func TestResponseCutOff(t *testing.T) {
	whole := response(func(r *kmsg.FetchResponse) { r.Topics[1].Partitions = r.Topics[1].Partitions[:1] })
	for n := range whole {
		if _, err := parseResponse(whole[:n], topic, 0, nil); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Fatalf("%d of %d bytes: got %v", n, len(whole), err)
		}
	}
}

// TestDeclaredLength wants memory for the bytes that come, not for those that
// are announced.
func TestDeclaredLength(t *testing.T) {
	b, err := readBody(iotest.HalfReader(strings.NewReader("short")), make([]byte, 0, 16), 1<<30)
	if !errors.Is(err, io.ErrUnexpectedEOF) || cap(b) > 2*readStep {
		t.Errorf("got %v and %d bytes of capacity", err, cap(b))
	}
	long := strings.Repeat("long", readStep)
	b, err = readBody(iotest.OneByteReader(strings.NewReader(long[:1000])), nil, 1000)
	if err != nil || string(b) != long[:1000] {
		t.Errorf("got %d bytes, %v", len(b), err)
	}
	b, err = readBody(strings.NewReader(long+"next"), nil, len(long))
	if err != nil || string(b) != long {
		t.Errorf("got %d bytes, %v", len(b), err)
	}
}

func TestConfig(t *testing.T) {
	good := DefaultConfig()
	good.Brokers = []string{"a:9092", "[::1]:9092"}
	if _, err := New(good); err != nil {
		t.Error(err)
	}
	for field, change := range map[string]func(*Config){
		"brokers: empty":           func(c *Config) { c.Brokers = nil },
		"brokers: address a":       func(c *Config) { c.Brokers = []string{"a"} },
		"dial: not set":            func(c *Config) { c.Dial = nil },
		"dial_timeout: 0s":         func(c *Config) { c.DialTimeout = 0 },
		"timeout: -1ns":            func(c *Config) { c.Timeout = -1 },
		"max_bytes: 1000 is":       func(c *Config) { c.MaxBytes = 1000 },
		"max_batch_bytes: 2147483": func(c *Config) { c.MaxBatchBytes = 1 << 31 },
	} {
		c := good
		change(&c)
		if _, err := New(c); err == nil || !strings.HasPrefix(err.Error(), field) {
			t.Errorf("got %v, want %s", err, field)
		}
	}
}
