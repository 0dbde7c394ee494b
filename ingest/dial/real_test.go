package dial_test

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/segmentio/kafka-go"

	"github.com/plumbline-slo/plumbline/ingest/dial"
	"github.com/plumbline-slo/plumbline/testenv/realkafka"
	"github.com/plumbline-slo/plumbline/testenv/securekafka"
)

// An Apache Kafka takes what this package says, and its refusals are understood.
func TestApacheKafka(t *testing.T) {
	if os.Getenv("PLUMBLINE_TEST_KAFKA") == "" {
		t.Skip("PLUMBLINE_TEST_KAFKA is not set: make test-real runs this on an Apache Kafka of its own")
	}
	files := start(t, securekafka.Options{}) // only its certificates are used
	cfg, err := realkafka.DefaultConfig()
	must(t, err)
	cfg.Secure = &realkafka.Secure{Keystore: files.File("server.pem"), Truststore: files.File("ca.pem"), User: securekafka.User, Password: "geheim"}
	must(t, os.WriteFile(files.File("password"), []byte("geheim\n"), 0o600))
	k, err := realkafka.Start(t.Context(), cfg)
	if errors.Is(err, realkafka.ErrUnavailable) {
		t.Skip(err)
	}
	must(t, err)
	t.Cleanup(func() { must(t, k.Close()) })

	ask := func(c dial.Config, address string) error {
		d, err := dial.New(c)
		must(t, err)
		transport := d.Transport("test")
		defer transport.CloseIdleConnections()
		_, err = (&kafka.Client{Addr: kafka.TCP(address), Transport: transport}).Metadata(t.Context(), &kafka.MetadataRequest{})
		return err
	}
	all := securekafka.Options{TLS: true, ClientCertificate: true, Mechanism: "SCRAM-SHA-512"}
	for _, mechanism := range []dial.Mechanism{dial.Plain, dial.SCRAM256, dial.SCRAM512} {
		c := configured(files, all)
		c.SASL.Mechanism = mechanism
		if err := ask(c, k.SecureAddr()); err != nil {
			t.Errorf("%s: %v", mechanism, err)
		}
		c.SASL.PasswordFile = files.File("wrong-password")
		if err := ask(c, k.SecureAddr()); !errors.Is(err, kafka.SASLAuthenticationFailed) || !dial.Refused(err) {
			t.Errorf("%s with a wrong password: %v", mechanism, err)
		}
	}
	must(t, ask(dial.DefaultConfig(), k.Addr()))
	for name, test := range map[string]struct {
		change  func(*dial.Config)
		address string
		refused bool
		want    string
	}{
		"no client certificate": {func(c *dial.Config) { c.TLS.CertFile, c.TLS.KeyFile = "", "" }, k.SecureAddr(), true, "kafka.tls.cert_file"},
		"no TLS":                {func(c *dial.Config) { c.TLS = dial.TLS{} }, k.SecureAddr(), false, "of another kind"},
		"no SASL":               {func(c *dial.Config) { c.SASL = dial.SASL{} }, k.SecureAddr(), false, "of another kind"},
		"nothing":               {func(c *dial.Config) { *c = dial.Config{} }, k.SecureAddr(), false, "of another kind"},
		"SASL to a plain one":   {func(c *dial.Config) { c.TLS = dial.TLS{} }, k.Addr(), true, "the broker's listener has no SASL"},
		"TLS to a plain one":    {func(c *dial.Config) { c.SASL = dial.SASL{} }, k.Addr(), false, "of another kind"},
	} {
		c := configured(files, all)
		test.change(&c)
		err := ask(c, test.address)
		t.Logf("%s: %v", name, err)
		if err == nil || !strings.Contains(err.Error(), test.want) || dial.Refused(err) != test.refused {
			t.Errorf("%s: %v, refused: %v; want %q", name, err, dial.Refused(err), test.want)
		}
	}
}
