package dial

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/segmentio/kafka-go/sasl"
	"github.com/segmentio/kafka-go/sasl/plain"
	"github.com/segmentio/kafka-go/sasl/scram"
)

// maxFile bounds a file of the configuration in bytes.
const maxFile = 1 << 20

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
		pem, err := read("kafka.tls.ca_file", t.CAFile, false)
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
	cert, err := read("kafka.tls.cert_file", t.CertFile, false)
	key, also := read("kafka.tls.key_file", t.KeyFile, true)
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
	text, err := read("kafka.sasl.password_file", s.PasswordFile, true)
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

// read returns the content of a file. A secret that others can reach is refused.
func read(field, path string, secret bool) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", field, err)
	}
	defer file.Close() // read only
	info, err := file.Stat()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", field, err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: %s is not a file", field, path)
	}
	if mode := info.Mode().Perm(); secret && mode&0o037 != 0 {
		return nil, fmt.Errorf("%s: %s has the mode %s; others than its owner and its group can reach it: chmod 600", field, path, mode)
	}
	text, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", field, err)
	}
	if len(text) > maxFile {
		return nil, fmt.Errorf("%s: %s is larger than %d bytes", field, path, maxFile)
	}
	return text, nil
}
