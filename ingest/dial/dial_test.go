package dial_test

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/segmentio/kafka-go"

	"github.com/plumbline-slo/plumbline/ingest/dial"
	"github.com/plumbline-slo/plumbline/testenv/securekafka"
)

func start(t *testing.T, o securekafka.Options) *securekafka.Kafka {
	t.Helper()
	k, err := securekafka.Start(t.TempDir(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.Close)
	return k
}

// configured returns what the Kafka's folder holds as a configuration.
func configured(k *securekafka.Kafka, o securekafka.Options) dial.Config {
	var c dial.Config
	if o.TLS {
		c.TLS = dial.TLS{Enabled: true, CAFile: k.File("ca.pem")}
	}
	if o.ClientCertificate {
		c.TLS.CertFile, c.TLS.KeyFile = k.File("client.pem"), k.File("client.key")
	}
	if o.Mechanism != "" {
		c.SASL = dial.SASL{Mechanism: dial.Mechanism(o.Mechanism), Username: securekafka.User, PasswordFile: k.File("password"), AllowUnencrypted: true}
	}
	return c
}

func open(t *testing.T, k *securekafka.Kafka, c dial.Config) error {
	t.Helper()
	d, err := dial.New(c)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := d.DialContext(t.Context(), "tcp", k.Address)
	if err == nil {
		err = conn.Close()
	}
	return err
}

// combinations are the kinds of listeners that a Kafka has.
func combinations() map[string]securekafka.Options {
	return map[string]securekafka.Options{
		"PLAINTEXT":          {},
		"SSL":                {TLS: true},
		"SSL, both sides":    {TLS: true, ClientCertificate: true},
		"SASL_PLAINTEXT":     {Mechanism: "SCRAM-SHA-256"},
		"SASL_SSL, PLAIN":    {TLS: true, Mechanism: "PLAIN"},
		"SASL_SSL, 256":      {TLS: true, Mechanism: "SCRAM-SHA-256"},
		"SASL_SSL, 512":      {TLS: true, Mechanism: "SCRAM-SHA-512"},
		"SASL_SSL, all, 512": {TLS: true, ClientCertificate: true, Mechanism: "SCRAM-SHA-512"},
	}
}

// What kafka-go does with a connection works on every kind of listener.
func TestEveryListener(t *testing.T) {
	for name, o := range combinations() {
		t.Run(name, func(t *testing.T) {
			k := start(t, o)
			d, err := dial.New(configured(k, o))
			if err != nil {
				t.Fatal(err)
			}
			transport := d.Transport("test")
			defer transport.CloseIdleConnections()
			client := &kafka.Client{Addr: kafka.TCP(k.Address), Transport: transport}
			made, err := client.CreateTopics(t.Context(), &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{{Topic: "events", NumPartitions: 3, ReplicationFactor: 1}}})
			if err != nil || made.Errors["events"] != nil {
				t.Fatal(err, made)
			}
			conn, err := d.Kafka("test").DialContext(t.Context(), "tcp", k.Address)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if p, err := conn.ReadPartitions("events"); err != nil || len(p) != 3 {
				t.Errorf("%d partitions, %v", len(p), err)
			}
		})
	}
}

// A mistake is an error that names the broker and what to check, and no secret.
func TestMistakesSayWhatToCheck(t *testing.T) {
	all := securekafka.Options{TLS: true, ClientCertificate: true, Mechanism: "SCRAM-SHA-512"}
	plain := securekafka.Options{TLS: true, Mechanism: "PLAIN"}
	for name, test := range map[string]struct {
		kafka   securekafka.Options
		change  func(*dial.Config, *securekafka.Kafka)
		refused bool
		want    string
	}{
		"wrong password, PLAIN": {plain, func(c *dial.Config, k *securekafka.Kafka) { c.SASL.PasswordFile = k.File("wrong-password") }, true, "kafka.sasl.password_file"},
		"wrong password, SCRAM": {all, func(c *dial.Config, k *securekafka.Kafka) { c.SASL.PasswordFile = k.File("wrong-password") }, true, "kafka.sasl.password_file"},
		"unknown user":          {all, func(c *dial.Config, _ *securekafka.Kafka) { c.SASL.Username = "nobody" }, true, `kafka.sasl.username "nobody" for SCRAM-SHA-512`},
		"another mechanism":     {plain, func(c *dial.Config, _ *securekafka.Kafka) { c.SASL.Mechanism = dial.SCRAM256 }, true, "SCRAM-SHA-256"},
		"wrong authority":       {all, func(c *dial.Config, k *securekafka.Kafka) { c.TLS.CAFile = k.File("other-ca.pem") }, true, "check kafka.tls.ca_file"},
		"no authority":          {all, func(c *dial.Config, _ *securekafka.Kafka) { c.TLS.CAFile = "" }, true, "name it in kafka.tls.ca_file"},
		"another name":          {all, func(c *dial.Config, _ *securekafka.Kafka) { c.TLS.ServerName = "kafka.example.org" }, true, "kafka.tls.server_name"},
		"no client certificate": {all, func(c *dial.Config, _ *securekafka.Kafka) { c.TLS.CertFile, c.TLS.KeyFile = "", "" }, true, "kafka.tls.cert_file"},
		"no client certificate, no SASL": {securekafka.Options{TLS: true, ClientCertificate: true},
			func(c *dial.Config, _ *securekafka.Kafka) { c.TLS.CertFile, c.TLS.KeyFile = "", "" }, true, "kafka.tls.cert_file"},
		"no SASL":          {plain, func(c *dial.Config, _ *securekafka.Kafka) { c.SASL = dial.SASL{} }, false, "kafka.sasl"},
		"no TLS":           {securekafka.Options{TLS: true}, func(c *dial.Config, _ *securekafka.Kafka) { c.TLS = dial.TLS{} }, false, "kafka.tls"},
		"SASL, no TLS":     {all, func(c *dial.Config, _ *securekafka.Kafka) { c.TLS = dial.TLS{} }, false, "kafka.tls"},
		"TLS to a plain":   {securekafka.Options{}, func(c *dial.Config, _ *securekafka.Kafka) { c.TLS.Enabled = true }, false, "kafka.tls"},
		"nobody listens":   {securekafka.Options{}, func(_ *dial.Config, k *securekafka.Kafka) { k.Close() }, false, "kafka.brokers"},
		"right, after all": {all, func(c *dial.Config, _ *securekafka.Kafka) { c.TLS.ServerName = "localhost" }, false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			k := start(t, test.kafka)
			c := configured(k, test.kafka)
			test.change(&c, k)
			err := open(t, k, c)
			t.Log(err)
			if test.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), k.Address) || strings.Contains(err.Error(), securekafka.Password) || strings.Contains(err.Error(), "guessed") {
				t.Errorf("%v, want one that names %s and %q", err, k.Address, test.want)
			}
			if dial.Refused(err) != test.refused || dial.Away(err) == test.refused {
				t.Errorf("refused is %v, away is %v", dial.Refused(err), dial.Away(err))
			}
		})
	}
}

// A name that no server knows is a mistake, and no broker that starts.
func TestAnUnknownHostIsNotAway(t *testing.T) {
	err := &dial.Error{Broker: "kafak:9092", Err: &net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", Name: "kafak", IsNotFound: true}}}
	if dial.Away(err) || dial.Refused(err) {
		t.Errorf("away is %v, refused is %v", dial.Away(err), dial.Refused(err))
	}
	if busy := (&dial.Error{Err: &net.DNSError{Err: "server misbehaving", IsTemporary: true}}); !dial.Away(busy) {
		t.Errorf("a name server that fails is no mistake of ours: %v", busy)
	}
}

// What is rotated on disk is used by the next connection; what is broken on
// disk is an error of it.
func TestFilesAreReadForEveryConnection(t *testing.T) {
	o := securekafka.Options{TLS: true, ClientCertificate: true, Mechanism: "SCRAM-SHA-256"}
	k := start(t, o)
	d, err := dial.New(configured(k, o))
	if err != nil {
		t.Fatal(err)
	}
	try := func() error {
		conn, err := d.DialContext(t.Context(), "tcp", k.Address)
		if err == nil {
			err = conn.Close()
		}
		return err
	}
	write := func(name, text string) {
		if err := os.WriteFile(k.File(name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := try(); err != nil {
		t.Fatal(err)
	}
	for name, mend := range map[string]func(){
		"password":   func() { write("password", securekafka.Password+"\n") },
		"client.key": func() { must(t, k.RenewClient("renewed")) },
	} {
		write(name, "nonsense\n")
		if err := try(); !dial.Refused(err) {
			t.Errorf("with a broken %s: %v", name, err)
		}
		mend()
		if err := try(); err != nil {
			t.Errorf("with a new %s: %v", name, err)
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// A peer that is no Kafka is told from one, whatever it says, and one that says
// nothing ends with the context.
func TestStrangers(t *testing.T) {
	for name, test := range map[string]struct{ says, want string }{
		"HTTP":    {"HTTP/1.1 400 Bad Request\r\n\r\n", "not Kafka"},
		"huge":    {"\x7f\xff\xff\xff\x00\x00\x00\x01", "not Kafka"},
		"short":   {"\x00\x00\x00\x02\x00\x00\x00\x01", "not Kafka"},
		"cut":     {"\x00\x00\x00\x20\x00\x00\x00\x01\x00", "the connection ended"},
		"nothing": {"", "the connection ended"},
	} {
		t.Run(name, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			must(t, err)
			defer l.Close()
			go func() {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				_, _ = conn.Read(make([]byte, 64))
				_, _ = conn.Write([]byte(test.says))
				_ = conn.Close()
			}()
			d, err := dial.New(dial.DefaultConfig())
			must(t, err)
			if _, err := d.DialContext(t.Context(), "tcp", l.Addr().String()); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v, want one with %q", err, test.want)
			}
		})
	}
}

func TestSilenceEndsWithTheContext(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		_, _ = conn.Read(make([]byte, 64))
		cancel()
	}()
	d, err := dial.New(dial.Config{TLS: dial.TLS{Enabled: true}})
	must(t, err)
	if _, err := d.DialContext(ctx, "tcp", l.Addr().String()); !errors.Is(err, context.Canceled) || dial.Refused(err) {
		t.Error(err)
	}
}

func TestNilDialsPlain(t *testing.T) {
	k := start(t, securekafka.Options{})
	var d *dial.Dialer
	conn, err := d.DialContext(t.Context(), "tcp", k.Address)
	must(t, err)
	must(t, conn.Close())
}

func TestValidate(t *testing.T) {
	right := dial.Config{TLS: dial.TLS{Enabled: true}, SASL: dial.SASL{Mechanism: dial.Plain, Username: "ann", PasswordFile: "f"}}
	must(t, right.Validate())
	must(t, dial.DefaultConfig().Validate())
	for want, change := range map[string]func(*dial.Config){
		"kafka.tls.enabled: false":                      func(c *dial.Config) { c.TLS = dial.TLS{CAFile: "ca.pem"} },
		"kafka.tls.key_file: empty":                     func(c *dial.Config) { c.TLS.CertFile = "c" },
		"kafka.tls.cert_file: empty":                    func(c *dial.Config) { c.TLS.KeyFile = "k" },
		"kafka.sasl.mechanism: PLAIN without TLS":       func(c *dial.Config) { c.TLS = dial.TLS{} },
		"kafka.sasl.mechanism: empty":                   func(c *dial.Config) { c.SASL.Mechanism = "" },
		`kafka.sasl.mechanism: "GSSAPI" is not known`:   func(c *dial.Config) { c.SASL.Mechanism = "GSSAPI" },
		"kafka.sasl.username: empty":                    func(c *dial.Config) { c.SASL.Username = "" },
		"kafka.sasl.password_file: empty; name the fil": func(c *dial.Config) { c.SASL.PasswordFile = "" },
	} {
		c := right
		change(&c)
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
		if _, err := dial.New(c); err == nil {
			t.Errorf("New takes what is wrong: %s", want)
		}
	}
	plain := right
	plain.TLS, plain.SASL.AllowUnencrypted = dial.TLS{}, true
	must(t, plain.Validate())
}

// New says what is wrong with a file, and never what stands in it.
func TestNewReadsTheFiles(t *testing.T) {
	k := start(t, securekafka.Options{})
	file := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(t.TempDir(), name)
		must(t, os.WriteFile(path, []byte(text), mode))
		return path
	}
	right := configured(k, securekafka.Options{TLS: true, ClientCertificate: true, Mechanism: "SCRAM-SHA-256"})
	if _, err := dial.New(right); err != nil {
		t.Fatal(err)
	}
	must(t, os.Chmod(k.File("password"), 0o640))
	if _, err := dial.New(right); err != nil {
		t.Errorf("a password that its group may read: %v", err)
	}
	for name, test := range map[string]struct {
		change func(*dial.Config)
		want   string
	}{
		"missing":         {func(c *dial.Config) { c.SASL.PasswordFile = k.File("nowhere") }, "kafka.sasl.password_file: open"},
		"open to all":     {func(c *dial.Config) { c.SASL.PasswordFile = file("p", "geheim", 0o644) }, "chmod 600"},
		"empty":           {func(c *dial.Config) { c.SASL.PasswordFile = file("p", "\n", 0o600) }, "on one line"},
		"two lines":       {func(c *dial.Config) { c.SASL.PasswordFile = file("p", "geheim\ngeheim\n", 0o600) }, "on one line"},
		"forbidden":       {func(c *dial.Config) { c.SASL.PasswordFile = file("p", "geheim\x07", 0o600) }, "SASL forbids"},
		"large":           {func(c *dial.Config) { c.TLS.CAFile = file("ca", strings.Repeat("x", 2<<20), 0o600) }, "larger than"},
		"no PEM":          {func(c *dial.Config) { c.TLS.CAFile = file("ca", "geheim", 0o600) }, "kafka.tls.ca_file"},
		"folder":          {func(c *dial.Config) { c.TLS.CAFile = t.TempDir() }, "is not a file"},
		"another key":     {func(c *dial.Config) { c.TLS.CertFile = k.File("ca.pem") }, "kafka.tls.cert_file and key_file"},
		"key open to all": {func(c *dial.Config) { c.TLS.KeyFile = file("k", "geheim", 0o604) }, "kafka.tls.key_file"},
	} {
		c := right
		test.change(&c)
		if _, err := dial.New(c); err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "geheim") {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
	}
}
