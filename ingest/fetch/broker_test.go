package fetch

import (
	"errors"
	"net"
	"strings"
	"testing"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"github.com/plumbline-slo/plumbline/ingest/dial"
	"github.com/plumbline-slo/plumbline/testenv/address"
	"github.com/plumbline-slo/plumbline/testenv/securekafka"
)

func TestErrorsOfTheBroker(t *testing.T) {
	c := cluster(t)
	produce(t, client(t, c), variety(20, 1), 10)
	if err := c.DeleteRecords(topic, 0, 10); err != nil {
		t.Fatal(err)
	}
	p := partition(t, c)
	for _, offset := range []int64{0, 9, 21} {
		_, err := p.Fetch(t.Context(), offset, 0)
		var e *Error
		if !errors.Is(err, kafka.OffsetOutOfRange) || !errors.As(err, &e) || e.Offset != offset {
			t.Errorf("at %d: got %v", offset, err)
		}
	}
	chunk, err := p.Fetch(t.Context(), 10, 0)
	if err != nil || chunk.LogStart != 10 || chunk.Next != 20 {
		t.Errorf("got %+v, %v", chunk, err)
	}
	for _, unknown := range []*Partition{p.f.Partition("nosuch", 0), p.f.Partition(topic, 1)} {
		if _, err := unknown.Fetch(t.Context(), 0, 0); !errors.Is(err, kafka.UnknownTopicOrPartition) {
			t.Errorf("got %v", err)
		}
	}
	if c.TopicInfo("nosuch") != nil {
		t.Error("asking for a topic has created it")
	}
	if err := c.DeleteTopic(topic); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Fetch(t.Context(), 10, 0); !errors.Is(err, kafka.UnknownTopicOrPartition) {
		t.Errorf("after the topic was deleted: got %v", err)
	}
}

func TestLeaderMoves(t *testing.T) {
	c := cluster(t, kfake.NumBrokers(3))
	records := variety(40, 1)
	cl := client(t, c)
	produce(t, cl, records[:20], 10)
	p := partition(t, c)
	got, _ := readTo(t, p, 0, 20)
	for node := range int32(3) {
		if err := c.MoveTopicPartition(topic, 0, node); err != nil {
			t.Fatal(err)
		}
		more, _ := readTo(t, p, 0, 20)
		diff(t, more, got)
	}
	// No leader for a while is an error that says so, and heals.
	fault := c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Metadata, kmsg.Fetch}, Err: kerr.NotLeaderForPartition, Count: -1})
	if _, err := p.Fetch(t.Context(), 0, 0); !errors.Is(err, kafka.NotLeaderForPartition) {
		t.Errorf("got %v", err)
	}
	fault.Remove()
	produce(t, cl, records[20:], 10)
	all, _ := readTo(t, p, 0, 40)
	diff(t, all, items(records))
}

func TestBrokerGoesAway(t *testing.T) {
	c := cluster(t, kfake.NumBrokers(2))
	produce(t, client(t, c), variety(5, 1), 5)
	p := partition(t, c)
	readTo(t, p, 0, 5)
	// The connection ends under the partition: an error once, then another one.
	if err := p.conn.Conn.Close(); err != nil {
		t.Fatal(err)
	}
	var network net.Error
	if _, err := p.Fetch(t.Context(), 0, 0); !errors.As(err, &network) {
		t.Errorf("got %v", err)
	}
	readTo(t, p, 0, 5)
	// The first broker of the list is gone; the other one answers.
	dead, err := address.Reserve()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = dead.Release() }) // the test is over
	p = partition(t, c, func(cfg *Config) { cfg.Brokers = append([]string{dead.Addr}, cfg.Brokers...) })
	readTo(t, p, 0, 5)
	p = partition(t, c, func(cfg *Config) { cfg.Brokers = []string{dead.Addr} })
	if _, err := p.Fetch(t.Context(), 0, 0); !errors.As(err, &network) || !strings.Contains(err.Error(), dead.Addr) {
		t.Errorf("got %v", err)
	}
}

// TestDamageOnTheWay wants a damaged answer to be asked for again.
func TestDamageOnTheWay(t *testing.T) {
	c := cluster(t)
	records := variety(5, 1)
	produce(t, client(t, c), records, 5)
	set := recordings(t)[0].records
	damaged := append([]byte(nil), set...)
	damaged[headerSize+1] ^= 1
	c.ControlKey(int16(kmsg.Fetch), func(req kmsg.Request) (kmsg.Response, error, bool) {
		return fetched(req, damaged), nil, true
	})
	p := partition(t, c)
	if _, err := p.Fetch(t.Context(), 0, 0); !errors.Is(err, ErrCorrupt) {
		t.Fatalf("got %v", err)
	}
	got, _ := readTo(t, p, 0, 5)
	diff(t, got, items(records))
}

func fetched(req kmsg.Request, records []byte) kmsg.Response {
	res := req.ResponseKind().(*kmsg.FetchResponse)
	part := kmsg.NewFetchResponseTopicPartition()
	part.HighWatermark, part.LastStableOffset, part.RecordBatches = 1000, 1000, records
	topics := kmsg.NewFetchResponseTopic()
	topics.Topic, topics.Partitions = topic, append(topics.Partitions, part)
	res.Topics = append(res.Topics, topics)
	return res
}

// TestResponseTooLarge wants a refusal before the bytes are read.
func TestResponseTooLarge(t *testing.T) {
	c := cluster(t)
	p := partition(t, c, func(c *Config) { c.MaxBytes, c.MaxBatchBytes = 1<<10, 1<<10 })
	c.ControlKey(int16(kmsg.Fetch), func(req kmsg.Request) (kmsg.Response, error, bool) {
		return fetched(req, make([]byte, responseSlack+1<<12)), nil, true
	})
	if _, err := p.Fetch(t.Context(), 0, 0); !errors.Is(err, ErrTooLarge) {
		t.Fatalf("got %v", err)
	}
	// A batch over the limit that fits the response.
	produce(t, client(t, c), variety(102, 1)[100:101], 1)
	if _, err := p.Fetch(t.Context(), 0, 0); !errors.Is(err, ErrTooLarge) {
		t.Fatalf("got %v", err)
	}
}

func TestOldBroker(t *testing.T) {
	c := cluster(t, kfake.MaxVersions(kversion.V2_2_0()))
	_, err := partition(t, c).Fetch(t.Context(), 0, 0)
	if !errors.Is(err, ErrUnsupported) || !strings.Contains(err.Error(), "v11 (Kafka 2.3) is needed") {
		t.Fatalf("got %v", err)
	}
}

// A connection that package dial opens is read like any other.
func TestTLSAndSASL(t *testing.T) {
	secure, err := securekafka.Start(t.TempDir(), securekafka.Options{TLS: true, Mechanism: "SCRAM-SHA-256", Topics: []string{topic}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(secure.Close)
	right := dial.Config{
		TLS:  dial.TLS{Enabled: true, CAFile: secure.File("ca.pem")},
		SASL: dial.SASL{Mechanism: dial.SCRAM256, Username: securekafka.User, PasswordFile: secure.File("password")},
	}
	read := func(c dial.Config) (*Chunk, error) {
		d, err := dial.New(c)
		if err != nil {
			t.Fatal(err)
		}
		cfg := DefaultConfig()
		cfg.Brokers, cfg.Dial = []string{secure.Address}, d.DialContext
		f, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		p := f.Partition(topic, 0)
		t.Cleanup(func() { _ = p.Close() }) // the test is over
		return p.Fetch(t.Context(), 0, 0)
	}
	d, err := dial.New(right)
	if err != nil {
		t.Fatal(err)
	}
	transport := d.Transport("test")
	defer transport.CloseIdleConnections()
	client := &kafka.Client{Addr: kafka.TCP(secure.Address), Transport: transport}
	if _, err := client.Produce(t.Context(), &kafka.ProduceRequest{Topic: topic, RequiredAcks: kafka.RequireAll, Records: kafka.NewRecordReader(kafka.Record{Value: kafka.NewBytes([]byte("one"))})}); err != nil {
		t.Fatal(err)
	}
	if chunk, err := read(right); err != nil || chunk.Next != 1 {
		t.Errorf("got %+v, %v", chunk, err)
	}
	wrong := right
	wrong.SASL.PasswordFile = secure.File("wrong-password")
	if _, err := read(wrong); !errors.Is(err, kafka.SASLAuthenticationFailed) || !dial.Refused(err) {
		t.Errorf("with a wrong password: %v", err)
	}
}
