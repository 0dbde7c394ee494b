package configdoc_test

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"github.com/plumbline-slo/plumbline/cmd/plumbline/internal/app"
	"github.com/plumbline-slo/plumbline/cmd/plumbline/internal/configdoc"
)

const (
	root = "../../../.."
	file = root + "/docs/configuration.md"
)

func page(t *testing.T) []byte {
	t.Helper()
	text, err := configdoc.Page(root, "github.com/plumbline-slo/plumbline", app.DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestThePageIsUpToDate(t *testing.T) {
	if got, err := os.ReadFile(file); err != nil || !bytes.Equal(got, page(t)) {
		t.Errorf("docs/configuration.md is old: run make generate (%v)", err)
	}
}

// What the page shows is a configuration, and means what an empty one means.
func TestThePageIsTheDefaults(t *testing.T) {
	_, text, _ := strings.Cut(string(page(t)), "```yaml\n")
	text, _, _ = strings.Cut(text, "```")
	decode := func(text string) string {
		cfg := app.DefaultConfig()
		d := yaml.NewDecoder(strings.NewReader(text))
		d.KnownFields(true)
		if err := d.Decode(&cfg); err != nil {
			t.Fatal(err)
		}
		again, err := yaml.Marshal(cfg)
		if err != nil {
			t.Fatal(err)
		}
		return string(again)
	}
	if got, want := decode(text), decode("{}"); got != want {
		t.Errorf("the page means\n%s\nthe defaults are\n%s", got, want)
	}
	// Entries that the defaults have none of must be keys, too.
	models := text[strings.Index(text, "\nmodels: []\n")+len("\nmodels: []\n"):]
	var entry strings.Builder
	for line := range strings.Lines(models) {
		entry.WriteString("  " + strings.TrimPrefix(line, "# "))
	}
	decode("models:\n" + entry.String())
}
