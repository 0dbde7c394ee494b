package app_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/plumbline-slo/plumbline/cmd/plumbline/internal/app"
)

// Who counts events and who counts outcomes count by the same declarations.
func TestDeclaredSegmentsReachIngestAndJoin(t *testing.T) {
	path := filepath.Join(t.TempDir(), "plumbline.yml")
	text := "models:\n  - name: m\n    segments:\n      - {name: region, values: [eu, 7]}\n  - name: n\n    cluster: user\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := app.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := cfg.Ingest.Segments["m"].Segments; len(cfg.Ingest.Segments) != 1 || len(got) != 1 || got[0].Name != "region" || !slices.Equal(got[0].Values, []string{"eu", "7"}) {
		t.Errorf("ingest counts by %+v", cfg.Ingest.Segments)
	}
	if id := cfg.Ingest.Segments.ID(); id == "" || cfg.Join.Segments.ID() != id {
		t.Errorf("the join counts by %+v", cfg.Join.Segments)
	}
	if got := cfg.Analyze.Clusters; len(got) != 1 || got["n"] != "user" {
		t.Errorf("drift takes clusters by %v", got)
	}
}
