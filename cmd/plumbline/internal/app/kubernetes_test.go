package app_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"gopkg.in/yaml.v3"

	"github.com/plumbline-slo/plumbline/cmd/plumbline/internal/app"
)

// What deploy/kubernetes.yaml begins with is a right configuration with a right SLO.
func TestTheConfigurationOfKubernetesIsRight(t *testing.T) {
	text, err := os.ReadFile("../../../../deploy/kubernetes.yaml")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for decoder := yaml.NewDecoder(bytes.NewReader(text)); ; {
		var object struct{ Data map[string]string }
		if err := decoder.Decode(&object); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		for name, content := range object.Data {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	checked, err := app.CheckWithoutSecrets(filepath.Join(dir, "plumbline.yml"))
	if err != nil {
		t.Fatal(err)
	}
	if checked.Found != "1 SLOs, 1 owners" || len(checked.Warnings) > 0 {
		t.Errorf("%+v", checked)
	}
}
