package storage

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestAnAddressThatCannotBeUsedNamesTheFix(t *testing.T) {
	const fix = "write http://user:password@host:8123, or https://user:password@host:8443?secure=true"
	for _, tt := range []struct{ dsn, want string }{
		{"http://user:geheim@host:8123", ""},
		{"HTTP://host:8123", ""},
		{"http://a:8123,b:8123/?dial_timeout=5s", ""},
		{"https://user:geheim@host:8443?secure=true", ""},
		{"clickhouse:8123", `"clickhouse:8123" is no address of ClickHouse's HTTP interface`},
		{"10.0.0.1:8123", `"10.0.0.1:8123" is no address`},
		{"clickhouse://localhost:9000", `"clickhouse://localhost:9000" is no address`},
		{"user:geheim@host:8123", "what it holds is no address"},
		{"tcp://host:9000?password=geheim", "what it holds is no address"},
		{"http://", `"http://" cannot be read`},
		{"https://user:geheim@host:8443", "what it holds cannot be read: clickhouse [dsn parse]: https without TLS"},
		{"http://user:geheim@host:8123?dial_timeout=soon", "dial timeout"},
		{"http://user:geh%im@host:8123", "what it holds cannot be read"},
	} {
		cfg := DefaultConfig()
		cfg.DSN = tt.dsn
		err := cfg.Validate()
		if tt.want == "" {
			if err != nil {
				t.Errorf("%s: %v", tt.dsn, err)
			}
			continue
		}
		if err == nil || !strings.HasPrefix(err.Error(), "clickhouse.dsn: ") || !strings.Contains(err.Error(), tt.want) || !strings.HasSuffix(err.Error(), fix) || strings.Contains(err.Error(), "geh") {
			t.Errorf("%s: got %v, want %s, and %s", tt.dsn, err, tt.want, fix)
		}
	}
}

// Each field that may hold an address is named, and so is a file.
func TestAnAddressIsOfItsField(t *testing.T) {
	file := filepath.Join(t.TempDir(), "dsn")
	if err := os.WriteFile(file, []byte("host:8123\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(*Config){
		"clickhouse.dsn: ":                func(c *Config) { c.DSN = "host:8123" },
		"clickhouse.dsn_file: ":           func(c *Config) { c.DSNFile = file },
		"clickhouse.dsn_file: open ":      func(c *Config) { c.DSNFile = file + "s" },
		"clickhouse.shards[1].dsn: ":      func(c *Config) { c.Shards = []Shard{{Name: "a", DSN: "http://a"}, {Name: "b", DSN: "b"}} },
		"clickhouse.shards[0].dsn_file: ": func(c *Config) { c.Shards = []Shard{{Name: "a", DSNFile: file}} },
	} {
		cfg := DefaultConfig()
		change(&cfg)
		if _, err := New(cfg); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func TestTheFirstContactSaysWhatToDo(t *testing.T) {
	refuses := func(code int) *httptest.Server {
		return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-ClickHouse-Exception-Code", fmt.Sprint(code))
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprintf(w, "Code: %d. DB::Exception: refused.", code)
		}))
	}
	native := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "Port 9000 is for clickhouse-client program", http.StatusBadRequest)
	}))
	encrypted := httptest.NewTLSServer(http.NotFoundHandler())
	gateway := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }))
	elsewhere := httptest.NewServer(http.NotFoundHandler())
	down := httptest.NewServer(http.NotFoundHandler())
	down.Close()
	login, grants, other := refuses(codeNotAuthenticated), refuses(codeAccessDenied), refuses(999)
	for _, tt := range []struct {
		server     *httptest.Server
		tls        bool
		said, want string
		away       bool
	}{
		{login, false, "code: 516", "check user and password in clickhouse.dsn", false},
		{grants, false, "code: 497", `grant user "plumb" what the message names`, false},
		{other, false, "code: 999", "see the server's log", false},
		{native, false, "Port 9000", "that port is not its HTTP interface", false},
		{native, true, "HTTP response to HTTPS client", "it answers without TLS: write http://", false},
		{encrypted, true, "certificate", "this machine trusts the authority", false},
		{elsewhere, false, "HTTP 404", "the address in clickhouse.dsn is that of its HTTP interface", false},
		{gateway, false, "HTTP 502", "check that the server is up", true},
		{down, false, "connection refused", "check that the server is up", true},
	} {
		address := tt.server.Listener.Addr().(*net.TCPAddr).String()
		cfg := DefaultConfig()
		cfg.DSN = "http://plumb:geheim@" + address
		if tt.tls {
			cfg.DSN = "https://plumb:geheim@" + address + "?secure=true"
		}
		err := migrate(t, cfg)
		begin := `create database plumbline on ClickHouse at ` + address + ` as user "plumb": `
		if err == nil || !strings.HasPrefix(err.Error(), begin) || !strings.Contains(err.Error(), tt.said) || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "geheim") {
			t.Errorf("got %v, want %s%s; %s", err, begin, tt.said, tt.want)
		}
		if Away(err) != tt.away {
			t.Errorf("away is %v of %v", !tt.away, err)
		}
	}
	for _, s := range []*httptest.Server{login, grants, other, native, encrypted, gateway, elsewhere} {
		s.Close()
	}
}

func migrate(t *testing.T, cfg Config) error {
	t.Helper()
	db, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	return db.Migrate(t.Context())
}
