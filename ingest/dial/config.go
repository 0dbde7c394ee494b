package dial

import (
	"errors"
	"fmt"
)

// Config says how connections to Kafka are encrypted and authenticated. The
// zero value is a plain connection.
type Config struct {
	TLS  TLS  `yaml:"tls"`
	SASL SASL `yaml:"sasl"`
}

// TLS encrypts connections. The least version is 1.2.
type TLS struct {
	// Enabled encrypts every connection and verifies the broker's certificate.
	Enabled bool `yaml:"enabled"`
	// CAFile holds the certificates of the authorities that may have signed a
	// broker's, PEM. Only they are trusted then. Default: the system's.
	CAFile string `yaml:"ca_file"`
	// CertFile and KeyFile hold the client's certificate, with what stands
	// between it and the authority, and its key, PEM. Nobody but its owner and, to
	// read it, its group may reach the key (mode 0600 or 0440). Default: none.
	CertFile string `yaml:"cert_file"`
	KeyFile  string `yaml:"key_file"`
	// ServerName is the name that brokers' certificates must carry. Default: the
	// host of the broker's address.
	ServerName string `yaml:"server_name"`
}

// Mechanism is a way to authenticate.
type Mechanism string

// The mechanisms. SCRAM never sends the password.
const (
	Plain    Mechanism = "PLAIN"
	SCRAM256 Mechanism = "SCRAM-SHA-256"
	SCRAM512 Mechanism = "SCRAM-SHA-512"
)

// SASL authenticates connections.
type SASL struct {
	// Mechanism is PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512. Default: none, no
	// authentication.
	Mechanism Mechanism `yaml:"mechanism"`
	Username  string    `yaml:"username"`
	// PasswordFile holds the password on one line. Nobody but its owner and, to
	// read it, its group may reach it (mode 0600 or 0440).
	PasswordFile string `yaml:"password_file"`
	// AllowUnencrypted lets PLAIN send the password over a connection without
	// TLS. Default false.
	AllowUnencrypted bool `yaml:"allow_unencrypted"`
}

// DefaultConfig returns plain connections.
func DefaultConfig() Config { return Config{} }

// Files returns the paths of the configuration, to be made absolute.
func (c *Config) Files() []*string {
	return []*string{&c.TLS.CAFile, &c.TLS.CertFile, &c.TLS.KeyFile, &c.SASL.PasswordFile}
}

// Validate returns every mistake of the configuration, by field. It reads no
// file.
func (c Config) Validate() error {
	return errors.Join(c.TLS.validate(), c.SASL.validate(c.TLS.Enabled))
}

func (t TLS) validate() error {
	var errs []error
	if !t.Enabled && t != (TLS{}) {
		errs = append(errs, errors.New("kafka.tls.enabled: false, but other fields of kafka.tls are set; set it to true, or remove them"))
	}
	if t.CertFile != "" && t.KeyFile == "" {
		errs = append(errs, errors.New("kafka.tls.key_file: empty; name the key of cert_file"))
	}
	if t.KeyFile != "" && t.CertFile == "" {
		errs = append(errs, errors.New("kafka.tls.cert_file: empty; name the certificate of key_file"))
	}
	return errors.Join(errs...)
}

func (s SASL) validate(encrypted bool) error {
	var errs []error
	add := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	switch s.Mechanism {
	case "":
		if s != (SASL{}) {
			add("kafka.sasl.mechanism: empty, but other fields of kafka.sasl are set; name %s, %s or %s, or remove them", Plain, SCRAM256, SCRAM512)
		}
		return errors.Join(errs...)
	case Plain:
		if !encrypted && !s.AllowUnencrypted {
			add("kafka.sasl.mechanism: PLAIN without TLS sends the password in clear text; enable kafka.tls, use SCRAM, or set kafka.sasl.allow_unencrypted")
		}
	case SCRAM256, SCRAM512:
	default:
		add("kafka.sasl.mechanism: %q is not known; use %s, %s or %s", s.Mechanism, Plain, SCRAM256, SCRAM512)
	}
	if s.Username == "" {
		add("kafka.sasl.username: empty; name the user")
	}
	if s.PasswordFile == "" {
		add("kafka.sasl.password_file: empty; name the file that holds the password")
	}
	return errors.Join(errs...)
}
