package ingest_test

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/plumbline-slo/plumbline/ingest"
	"github.com/plumbline-slo/plumbline/ingest/deadletters"
	"github.com/plumbline-slo/plumbline/ingest/dial"
	"github.com/plumbline-slo/plumbline/testenv"
	"github.com/plumbline-slo/plumbline/testenv/securekafka"
	"github.com/plumbline-slo/plumbline/testenv/traffic"
)

// secureConfig starts a Kafka that wants TLS on both sides and SASL, and returns
// how it is read.
func secureConfig(t *testing.T, env *testenv.Env, mechanism dial.Mechanism) (*securekafka.Kafka, dial.Config, ingest.Config) {
	t.Helper()
	secure, err := securekafka.Start(t.TempDir(), securekafka.Options{TLS: true, ClientCertificate: true, Mechanism: string(mechanism)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(secure.Close)
	how := dial.Config{
		TLS:  dial.TLS{Enabled: true, CAFile: secure.File("ca.pem"), CertFile: secure.File("client.pem"), KeyFile: secure.File("client.key")},
		SASL: dial.SASL{Mechanism: mechanism, Username: securekafka.User, PasswordFile: secure.File("password")},
	}
	cfg := testConfig(env)
	cfg.Brokers = []string{secure.Address}
	for _, name := range []*string{&cfg.Group, &cfg.Topics.Predictions, &cfg.Topics.Labels, &cfg.Topics.Deployments, &cfg.Topics.DeadLetters} {
		*name += "-" + strings.ToLower(string(mechanism))
	}
	cfg.Dialer = dialer(t, how)
	return secure, how, cfg
}

func dialer(t *testing.T, how dial.Config) *dial.Dialer {
	t.Helper()
	d, err := dial.New(how)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func produceSecurely(t *testing.T, cfg ingest.Config, opts traffic.Options) traffic.Expected {
	t.Helper()
	messages, expected, err := traffic.Generate(opts)
	if err != nil {
		t.Fatal(err)
	}
	transport := cfg.Dialer.Transport("test")
	defer transport.CloseIdleConnections()
	w := &kafka.Writer{
		Addr: kafka.TCP(cfg.Brokers...), Balancer: &kafka.Hash{}, RequiredAcks: kafka.RequireAll,
		BatchTimeout: 5 * time.Millisecond, BatchSize: 1000, WriteTimeout: 5 * time.Minute, Transport: transport,
	}
	topics := map[string]string{"predictions": cfg.Topics.Predictions, "labels": cfg.Topics.Labels}
	batch := make([]kafka.Message, len(messages))
	for i, m := range messages {
		batch[i] = kafka.Message{Topic: topics[m.Topic], Key: []byte(m.Key), Value: m.Value, Time: m.Time}
	}
	if err := errors.Join(w.WriteMessages(t.Context(), batch...), w.Close()); err != nil {
		t.Fatal(err)
	}
	return expected
}

// Topics, group, fetches, commits and dead letters: all of ingest works over TLS
// on both sides and each mechanism.
func TestTLSAndSASL(t *testing.T) {
	env := testenv.Start(t, testenv.Setup{})
	var stored, dead, all int
	for seed, mechanism := range []dial.Mechanism{dial.Plain, dial.SCRAM256, dial.SCRAM512} {
		_, _, cfg := secureConfig(t, env, mechanism)
		if err := ingest.EnsureTopics(t.Context(), cfg); err != nil {
			t.Fatal(err)
		}
		want := produceSecurely(t, cfg, options(uint64(seed+1), 500))
		stop := start(t, cfg, ingest.Dependencies{DB: env.DB})
		stored, dead, all = stored+want.Predictions, dead+want.Dead, all+want.Predictions+want.Dead+want.Labels
		until(t, env, committedEvents, uint64(all))
		stop()
		if got := count(t, env, "SELECT count() FROM predictions"); got != uint64(stored) {
			t.Errorf("%s: %d predictions are stored, want %d", mechanism, got, stored)
		}
		letters := deadletters.DefaultConfig()
		letters.Brokers, letters.Topic, letters.Dialer = cfg.Brokers, cfg.Topics.DeadLetters, cfg.Dialer
		box, err := deadletters.New(letters)
		if err != nil {
			t.Fatal(err)
		}
		if _, n, err := box.Newest(t.Context(), deadletters.Filter{}, 1); err != nil || n != want.Dead || n == 0 {
			t.Errorf("%s: %d dead letters, %v; want %d", mechanism, n, err, want.Dead)
		}
		box.Close()
	}
}

// A start with a wrong password or authority says what to check, not that a
// broker or a topic is unknown.
func TestTopicsOnAKafkaThatRefuses(t *testing.T) {
	for want, change := range map[string]func(*dial.Config, *securekafka.Kafka){
		"kafka.sasl.password_file": func(c *dial.Config, k *securekafka.Kafka) { c.SASL.PasswordFile = k.File("wrong-password") },
		"kafka.tls.ca_file":        func(c *dial.Config, k *securekafka.Kafka) { c.TLS.CAFile = k.File("other-ca.pem") },
		`username "nobody"`:        func(c *dial.Config, _ *securekafka.Kafka) { c.SASL.Username = "nobody" },
	} {
		secure, how, cfg := secureConfig(t, &testenv.Env{}, dial.SCRAM512)
		change(&how, secure)
		cfg.Dialer = dialer(t, how)
		if err := ingest.EnsureTopics(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), secure.Address) {
			t.Errorf("%v, want one that names %s and %s", err, secure.Address, want)
		}
	}
}

// A password that is wrong while the service runs is told to people, and mended
// without a restart.
func TestARefusalIsNoticed(t *testing.T) {
	env := testenv.Start(t, testenv.Setup{})
	secure, how, cfg := secureConfig(t, env, dial.SCRAM256)
	if err := ingest.EnsureTopics(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	want := produceSecurely(t, cfg, options(1, 100))
	password := func(text string) {
		if err := os.WriteFile(how.SASL.PasswordFile, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	password("rotated too early\n")
	n := newNotices()
	start(t, cfg, ingest.Dependencies{DB: env.DB, Noticer: n})
	n.await(t, ingest.NoticeRefused)
	n.mu.Lock()
	told := n.got[0]
	n.mu.Unlock()
	if told.Object != secure.Address || !strings.Contains(told.Text, "kafka.sasl.password_file") || strings.Contains(told.Text, "rotated") {
		t.Errorf("people are told %+v", told)
	}
	password(securekafka.Password)
	n.await(t, ingest.NoticeAccepted)
	until(t, env, committedEvents, uint64(want.Predictions+want.Dead+want.Labels))
}
