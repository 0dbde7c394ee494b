package ingesthttp

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const (
	oldToken = "0123456789abcdef0123456789abcdef"
	newToken = "fedcba9876543210fedcba9876543210"
)

func tokenFile(t *testing.T, text string, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tokens")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestTokenFile(t *testing.T) {
	good := "# the old one goes in May\n" + oldToken + "\n\n  " + newToken + "\r\n"
	for name, test := range map[string]struct {
		text string
		mode os.FileMode
		want string // of the error, "" for none
	}{
		"good":            {good, 0o600, ""},
		"read only":       {good, 0o400, ""},
		"group reads":     {good, 0o640, ""},
		"group writes":    {good, 0o660, "chmod 600"},
		"others read":     {good, 0o604, "chmod 600"},
		"empty":           {"", 0o600, "holds no token"},
		"only comments":   {"# " + oldToken, 0o600, "holds no token"},
		"short":           {"\nsecret\n", 0o600, "line 2: the token is shorter"},
		"space inside":    {"0123456789abcdef 0123456789abcdef", 0o600, "line 1"},
		"not ASCII":       {"0123456789abcdef0123é", 0o600, "line 1"},
		"larger than all": {strings.Repeat(oldToken+"\n", 60_000), 0o600, "larger than"},
	} {
		t.Run(name, func(t *testing.T) {
			known, err := readTokens(tokenFile(t, test.text, test.mode))
			switch {
			case test.want == "" && (err != nil || len(known) != 2):
				t.Errorf("%d tokens, %v", len(known), err)
			case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
				t.Errorf("%v, want an error with %q", err, test.want)
			case err != nil && (strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "0123456789")):
				t.Errorf("the error tells a token: %v", err)
			}
		})
	}
	if _, err := readTokens(filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("a missing token file is no error")
	}
	if _, err := readTokens(t.TempDir()); err == nil {
		t.Error("a directory is a token file")
	}
}

func TestAllow(t *testing.T) {
	known, err := parseTokens([]byte(oldToken + "\n" + newToken))
	if err != nil {
		t.Fatal(err)
	}
	for header, want := range map[string]bool{
		"Bearer " + oldToken:             true,
		"bearer  " + newToken:            true,
		"":                               false,
		"Bearer":                         false,
		"Bearer ":                        false,
		oldToken:                         false,
		"Basic " + oldToken:              false,
		"Bearer " + oldToken[:31]:        false,
		"Bearer " + oldToken + "0":       false,
		"Bearer " + oldToken + newToken:  false,
		"Bearer " + "x" + newToken[1:31]: false,
	} {
		if got := known.allow(header); got != want {
			t.Errorf("%q is let in: %v", header, got)
		}
	}
	if tokens(nil).allow("Bearer " + oldToken) {
		t.Error("without tokens somebody is let in")
	}
}

func TestConfig(t *testing.T) {
	if err := DefaultConfig().Validate(); err != nil {
		t.Error(err)
	}
	for field, change := range map[string]func(*Config){
		"max_body_bytes":      func(c *Config) { c.MaxBody = 0 },
		"max_events":          func(c *Config) { c.MaxEvents = 0 },
		"max_event_bytes":     func(c *Config) { c.MaxEvent = -1 },
		"max_in_flight":       func(c *Config) { c.MaxInFlight = 0 },
		"max_in_flight_bytes": func(c *Config) { c.MaxInFlightBytes = c.MaxBody },
		"read_timeout":        func(c *Config) { c.ReadTimeout = 0 },
		"produce_timeout":     func(c *Config) { c.ProduceTimeout = -1 },
		"retry_after":         func(c *Config) { c.RetryAfter = 2e15 },
	} {
		cfg := DefaultConfig()
		change(&cfg)
		if err := cfg.Validate(); err == nil || !strings.HasPrefix(err.Error(), field+": ") {
			t.Errorf("%s: %v", field, err)
		}
	}
}
