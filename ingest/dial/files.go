package dial

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"

	"github.com/segmentio/kafka-go/sasl"
	"github.com/segmentio/kafka-go/sasl/plain"
	"github.com/segmentio/kafka-go/sasl/scram"

	"github.com/plumbline-slo/plumbline/ingest/secrets"
)

// load reads the files: what a connection needs. Both are nil where they are
// not configured.
func (c Config) load() (*tls.Config, sasl.Mechanism, error) {
	encrypted, err := c.TLS.load()
	mechanism, also := c.SASL.load()
	return encrypted, mechanism, errors.Join(err, also)
}

func (t TLS) load() (*tls.Config, error) {
	if !t.Enabled {
		return nil, nil
	}
	cfg := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: t.ServerName}
	if t.CAFile != "" {
		pem, err := secrets.ReadPublic("kafka.tls.ca_file", t.CAFile)
		if err != nil {
			return nil, err
		}
		cfg.RootCAs = x509.NewCertPool()
		if !cfg.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("kafka.tls.ca_file: %s holds no certificate in PEM", t.CAFile)
		}
	}
	if t.CertFile == "" {
		return cfg, nil
	}
	cert, err := secrets.ReadPublic("kafka.tls.cert_file", t.CertFile)
	key, also := secrets.Read("kafka.tls.key_file", t.KeyFile)
	if err := errors.Join(err, also); err != nil {
		return nil, err
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, fmt.Errorf("kafka.tls.cert_file and key_file: %s and %s: %w", t.CertFile, t.KeyFile, err)
	}
	cfg.Certificates = []tls.Certificate{pair}
	return cfg, nil
}

func (s SASL) load() (sasl.Mechanism, error) {
	if s.Mechanism == "" {
		return nil, nil
	}
	text, err := secrets.Read("kafka.sasl.password_file", s.PasswordFile)
	if err != nil {
		return nil, err
	}
	// No error shows the password.
	password := bytes.TrimRight(text, "\r\n")
	if len(password) == 0 || bytes.ContainsAny(password, "\x00\r\n") {
		return nil, fmt.Errorf("kafka.sasl.password_file: %s must hold the password and nothing else, on one line", s.PasswordFile)
	}
	if s.Mechanism == Plain {
		return plain.Mechanism{Username: s.Username, Password: string(password)}, nil
	}
	algorithm := scram.SHA256
	if s.Mechanism == SCRAM512 {
		algorithm = scram.SHA512
	}
	m, err := scram.Mechanism(algorithm, s.Username, string(password))
	if err != nil {
		return nil, fmt.Errorf("kafka.sasl: the username or the password of %s holds a character that SASL forbids", s.PasswordFile)
	}
	return m, nil
}
