package app_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/plumbline-slo/plumbline/cmd/plumbline/internal/app"
)

// A mapping file lies beside the configuration, and its mistakes are named by
// its own lines.
func TestMappingFileOfASource(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	config := write("plumbline.yml", "ingest:\n  sources:\n    - {topic: scored, format: mapping, mapping_file: maps/scored.yml, model: m, deploy_hash: d}\n")
	if _, err := app.Load(config); err == nil || !strings.Contains(err.Error(), "ingest.sources[0].mapping_file") {
		t.Errorf("a file that is not there: %v", err)
	}
	if err := os.Mkdir(filepath.Join(dir, "maps"), 0o700); err != nil {
		t.Fatal(err)
	}
	write("maps/scored.yml", "predictions:\n  prediction_id: /id\n  ts: {at: /t, unit: sec}\n")
	if _, err := app.Load(config); err == nil || !strings.Contains(err.Error(), `scored.yml:3: predictions.ts: unit "sec" is none of`) {
		t.Errorf("a mistake in line 3: %v", err)
	}
	write("maps/scored.yml", "predictions:\n  prediction_id: /id\n  ts: {at: /t, unit: s}\n")
	if _, err := app.Load(config); err != nil {
		t.Error(err)
	}
}
