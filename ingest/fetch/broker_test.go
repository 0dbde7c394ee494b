package fetch

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/sasl"
	"github.com/segmentio/kafka-go/sasl/plain"
	"github.com/segmentio/kafka-go/sasl/scram"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"
	kgoplain "github.com/twmb/franz-go/pkg/sasl/plain"
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
	dead, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := dead.Close(); err != nil {
		t.Fatal(err)
	}
	p = partition(t, c, func(cfg *Config) { cfg.Brokers = append([]string{dead.Addr().String()}, cfg.Brokers...) })
	readTo(t, p, 0, 5)
	p = partition(t, c, func(cfg *Config) { cfg.Brokers = []string{dead.Addr().String()} })
	if _, err := p.Fetch(t.Context(), 0, 0); !errors.As(err, &network) || !strings.Contains(err.Error(), dead.Addr().String()) {
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

func must(t *testing.T) func(sasl.Mechanism, error) sasl.Mechanism {
	return func(m sasl.Mechanism, err error) sasl.Mechanism {
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
}

func TestTLSAndSASL(t *testing.T) {
	server, trust := certificate(t)
	c := cluster(t, kfake.NumBrokers(2), kfake.TLS(server), kfake.EnableSASL(), kfake.Superuser("PLAIN", "ann", "secret"),
		kfake.Superuser("SCRAM-SHA-256", "bob", "secret"), kfake.Superuser("SCRAM-SHA-512", "cid", "secret"))
	records := variety(300, 1)
	produce(t, client(t, c, kgo.DialTLSConfig(trust), kgo.SASL(kgoplain.Auth{User: "ann", Pass: "secret"}.AsMechanism())), records, 50)
	for name, m := range map[string]sasl.Mechanism{
		"PLAIN":         plain.Mechanism{Username: "ann", Password: "secret"},
		"SCRAM-SHA-256": must(t)(scram.Mechanism(scram.SHA256, "bob", "secret")),
		"SCRAM-SHA-512": must(t)(scram.Mechanism(scram.SHA512, "cid", "secret")),
	} {
		p := partition(t, c, func(c *Config) { c.TLS, c.SASL = trust, m })
		got, _ := readTo(t, p, 0, 300)
		diff(t, got, items(records))
		if p.conn == nil {
			t.Errorf("%s: no connection", name)
		}
	}
	for name, test := range map[string]struct {
		change func(*Config)
		want   error
	}{
		"wrong password": {func(c *Config) { c.TLS, c.SASL = trust, plain.Mechanism{Username: "ann", Password: "no"} }, kafka.SASLAuthenticationFailed},
		"wrong SCRAM password": {func(c *Config) {
			c.TLS, c.SASL = trust, must(t)(scram.Mechanism(scram.SHA256, "bob", "no"))
		}, kafka.SASLAuthenticationFailed},
		"unknown authority": {func(c *Config) { c.TLS = &tls.Config{} }, nil},
		"no TLS":            {func(*Config) {}, nil},
	} {
		_, err := partition(t, c, test.change).Fetch(t.Context(), 0, 0)
		if err == nil || test.want != nil && !errors.Is(err, test.want) || strings.Contains(fmt.Sprint(err), "secret") {
			t.Errorf("%s: got %v", name, err)
		}
		t.Logf("%s: %v", name, err)
	}
}

func certificate(t *testing.T) (server, trust *tls.Config) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(cert)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}, &tls.Config{RootCAs: roots}
}
