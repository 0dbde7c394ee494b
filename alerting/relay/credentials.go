package relay

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
)

// Credentials let requests pass a listener, or a proxy before it, that asks for
// them. Files are read for every request, so that a rotated secret is picked up.
type Credentials struct {
	// Username and PasswordFile are for web.config_file's basic_auth_users,
	// BearerTokenFile for a proxy that asks for a token.
	Username        string `yaml:"username"`
	PasswordFile    string `yaml:"password_file"`
	BearerTokenFile string `yaml:"bearer_token_file"`
	// CAFile holds the certificates that https peers are known by. Default the
	// system's. It is read at the start.
	CAFile string `yaml:"ca_file"`
}

func (c Credentials) validate() []error {
	var errs []error
	if c.Username != "" && c.BearerTokenFile != "" {
		errs = append(errs, errors.New("username, bearer_token_file: give one of them"))
	}
	if (c.Username == "") != (c.PasswordFile == "") {
		errs = append(errs, errors.New("username, password_file: one is given without the other"))
	}
	return errs
}

// transport carries requests with the credentials.
func (c Credentials) transport() (http.RoundTripper, error) {
	plain, ok := http.DefaultTransport.(*http.Transport)
	if !ok {
		return nil, errors.New("the default transport is none of net/http's")
	}
	plain = plain.Clone()
	if c.CAFile != "" {
		content, err := os.ReadFile(c.CAFile)
		if err != nil {
			return nil, fmt.Errorf("ca_file: %w", err)
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(content) {
			return nil, fmt.Errorf("ca_file: %s holds no certificate", c.CAFile)
		}
		plain.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	}
	return authorized{c, plain}, nil
}

type authorized struct {
	Credentials
	next http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (a authorized) RoundTrip(r *http.Request) (*http.Response, error) {
	if a.Username == "" && a.BearerTokenFile == "" {
		return a.next.RoundTrip(r)
	}
	r = r.Clone(r.Context())
	if a.Username != "" {
		password, err := secret(a.PasswordFile)
		if err != nil {
			return nil, fmt.Errorf("password_file: %w", err)
		}
		r.SetBasicAuth(a.Username, password)
		return a.next.RoundTrip(r)
	}
	token, err := secret(a.BearerTokenFile)
	if err != nil {
		return nil, fmt.Errorf("bearer_token_file: %w", err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	return a.next.RoundTrip(r)
}

func secret(path string) (string, error) {
	content, err := os.ReadFile(path)
	return strings.TrimSpace(string(content)), err
}
