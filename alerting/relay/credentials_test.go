package relay_test

import (
	"encoding/pem"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/plumbline-slo/plumbline/alerting"
	"github.com/plumbline-slo/plumbline/alerting/relay"
)

// Every request passes a listener that asks for a password or a token, over TLS,
// with the secret as the file has it now.
func TestRequestsCarryCredentials(t *testing.T) {
	dir := t.TempDir()
	write := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for name, test := range map[string]struct {
		credentials relay.Credentials
		passes      func(r *http.Request, secret string) bool
	}{
		"password": {
			relay.Credentials{Username: "plumbline", PasswordFile: filepath.Join(dir, "secret")},
			func(r *http.Request, secret string) bool {
				user, password, ok := r.BasicAuth()
				return ok && user == "plumbline" && password == secret
			},
		},
		"token": {
			relay.Credentials{BearerTokenFile: filepath.Join(dir, "secret")},
			func(r *http.Request, secret string) bool { return r.Header.Get("Authorization") == "Bearer "+secret },
		},
	} {
		t.Run(name, func(t *testing.T) {
			var secret string
			server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if !test.passes(r, secret) {
					w.WriteHeader(http.StatusUnauthorized)
					return
				}
				_, _ = w.Write([]byte("[]"))
			}))
			defer server.Close()
			cfg := relay.DefaultConfig()
			cfg.Peers, cfg.Credentials = []string{server.URL}, test.credentials
			cfg.CAFile = write(name+".pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})))
			r, err := relay.New(cfg, prometheus.NewRegistry(), slog.New(slog.DiscardHandler))
			if err != nil {
				t.Fatal(err)
			}
			for _, secret = range []string{"first", "rotated"} {
				write("secret", secret+"\n")
				if err := r.Announce(t.Context(), alerting.Term{Share: "g", Number: 1}); err != nil {
					t.Errorf("%s: %v", secret, err)
				}
				if _, err := r.Active(t.Context()); err != nil {
					t.Errorf("%s: %v", secret, err)
				}
			}
			write("secret", "wrong")
			if err := r.Announce(t.Context(), alerting.Term{Share: "g", Number: 1}); err == nil {
				t.Error("a wrong secret is no error")
			}
		})
	}
	for _, bad := range []relay.Credentials{
		{Username: "a"}, {PasswordFile: "b"}, {Username: "a", PasswordFile: "b", BearerTokenFile: "c"},
	} {
		cfg := relay.DefaultConfig()
		cfg.Credentials = bad
		if err := cfg.Validate(); err == nil {
			t.Errorf("%+v is taken", bad)
		}
	}
	cfg := relay.DefaultConfig()
	cfg.CAFile = write("none.pem", "none")
	if _, err := relay.New(cfg, prometheus.NewRegistry(), slog.New(slog.DiscardHandler)); err == nil {
		t.Error("a file without certificates is taken")
	}
}

// All peers are asked at once: each of these answers when both have been, and the
// third, which is gone, is said to be beside what they answered.
func TestPeersAreAskedAtOnce(t *testing.T) {
	var asked atomic.Int32
	both := make(chan struct{})
	peer := func() string {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if asked.Add(1) == 2 {
				close(both)
			}
			select {
			case <-both:
				_, _ = w.Write([]byte(`[{"labels":{"alertname":"a"},"startsAt":"2026-11-21T12:00:00Z"}]`))
			case <-r.Context().Done():
			}
		}))
		t.Cleanup(s.Close)
		return s.URL
	}
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	for name, ask := range map[string]func(r *relay.Relay) error{
		"active": func(r *relay.Relay) error {
			active, err := r.Active(t.Context())
			if len(active) != 1 {
				t.Errorf("active %+v, %v", active, err)
			}
			return err
		},
		"announce": func(r *relay.Relay) error { return r.Announce(t.Context(), alerting.Term{Share: "g", Number: 1}) },
	} {
		asked.Store(0)
		both = make(chan struct{})
		cfg := relay.DefaultConfig()
		cfg.Timeout, cfg.Peers = 5*time.Minute, []string{peer(), gone.URL, peer()}
		r, err := relay.New(cfg, prometheus.NewRegistry(), slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		if err := ask(r); err == nil || strings.Count(err.Error(), "\n") != 0 {
			t.Errorf("%s: %v, want that the third did not answer, and no more", name, err)
		}
	}
}
