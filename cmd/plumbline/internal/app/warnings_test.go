package app_test

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/plumbline-slo/plumbline/cmd/plumbline/internal/app"
)

// What check config warns of, the service logs at its start.
func TestWarningsAreLogged(t *testing.T) {
	path := filepath.Join(t.TempDir(), "plumbline.yml")
	if err := os.WriteFile(path, []byte("models: [{name: fraud}]\ningest: {privacy: {models: [{model: frauud, raw_rate: 0.5}]}}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := app.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	var logged bytes.Buffer
	if _, err := app.New(cfg, slog.New(slog.NewTextHandler(&logged, nil))); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"level=WARN", "at=" + path + ":2", "field=ingest.privacy.models[0].model", "did you mean fraud?"} {
		if !strings.Contains(logged.String(), want) {
			t.Errorf("logged %s, want %s", logged.String(), want)
		}
	}
}
