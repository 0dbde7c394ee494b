package ingesthttp_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/segmentio/kafka-go"

	"github.com/plumbline-slo/plumbline/ingest/decode"
	"github.com/plumbline-slo/plumbline/ingest/dial"
	ingesthttp "github.com/plumbline-slo/plumbline/ingest/http"
	"github.com/plumbline-slo/plumbline/testenv/securekafka"
)

// An event reaches a Kafka that wants TLS and SASL, and one that is refused
// there is a 503 that says nothing of the cause.
func TestTLSAndSASL(t *testing.T) {
	secure, err := securekafka.Start(t.TempDir(), securekafka.Options{TLS: true, Mechanism: "SCRAM-SHA-512", Topics: []string{"predictions", "labels", "deployments"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(secure.Close)
	how := dial.Config{
		TLS:  dial.TLS{Enabled: true, CAFile: secure.File("ca.pem")},
		SASL: dial.SASL{Mechanism: dial.SCRAM512, Username: securekafka.User, PasswordFile: secure.File("password")},
	}
	cfg := ingesthttp.DefaultConfig()
	cfg.TokenFile = filepath.Join(t.TempDir(), "tokens")
	if err := os.WriteFile(cfg.TokenFile, []byte(token+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	dialer, err := dial.New(how)
	if err != nil {
		t.Fatal(err)
	}
	s, err := ingesthttp.New(cfg, ingesthttp.Dependencies{
		Brokers: []string{secure.Address}, Dialer: dialer, Predictions: "predictions", Labels: "labels", Deployments: "deployments", Sources: withArrow(), Limits: decode.DefaultLimits(),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	w := &world{address: secure.Address, Server: httptest.NewServer(s.Handler())}
	t.Cleanup(w.Close)
	const event = `{"prediction_id":"1","model":"m","ts":"2026-01-01T00:00:00Z","label":"late"}`
	if got := w.post(t, "labels", "application/json", event); got.Status != http.StatusAccepted {
		t.Fatalf("got %+v", got)
	}
	transport := dialer.Transport("test")
	defer transport.CloseIdleConnections()
	client := &kafka.Client{Addr: kafka.TCP(secure.Address), Transport: transport}
	ends, err := client.ListOffsets(t.Context(), &kafka.ListOffsetsRequest{Topics: map[string][]kafka.OffsetRequest{"labels": {kafka.LastOffsetOf(0), kafka.LastOffsetOf(1)}}})
	if err != nil {
		t.Fatal(err)
	}
	if p := ends.Topics["labels"]; len(p) != 2 || p[0].LastOffset+p[1].LastOffset != 1 {
		t.Errorf("the topic ends at %+v, want one event", p)
	}
	s.Close()
	if err := os.WriteFile(how.SASL.PasswordFile, []byte("another\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := w.post(t, "labels", "application/json", event); got.Status != http.StatusServiceUnavailable {
		t.Errorf("with a wrong password: %+v", got)
	}
}
