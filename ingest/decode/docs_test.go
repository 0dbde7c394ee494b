package decode

import (
	"os"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

// The sources and the mapping that docs/formats.md shows are valid.
func TestDocumentedSources(t *testing.T) {
	page, err := os.ReadFile("../../docs/formats.md")
	if err != nil {
		t.Fatal(err)
	}
	var sources []Source
	mapping := ""
	for _, block := range strings.Split(string(page), "```yaml\n")[1:] {
		block, _, _ = strings.Cut(block, "```")
		switch {
		case strings.HasPrefix(block, "- topic:"):
			var some []Source
			decoder := yaml.NewDecoder(strings.NewReader(block))
			decoder.KnownFields(true)
			if err := decoder.Decode(&some); err != nil {
				t.Errorf("%v in\n%s", err, block)
			}
			sources = append(sources, some...)
		case strings.HasPrefix(block, "# scored.yml"):
			mapping = block
		}
	}
	seen := map[Format]bool{}
	for _, s := range sources {
		seen[s.Format] = true
		if s.MappingFile != "" {
			s.MappingText = mapping
		}
		if s.SchemaFile != "" || s.SchemaRegistry != nil {
			continue // the files that they name are not in the page
		}
		if err := s.WithDefaults().Validate(); err != nil {
			t.Errorf("%s: %v", s.Topic, err)
		}
	}
	for _, format := range []Format{FormatSageMaker, FormatSageMakerTruth, FormatMLflow, FormatAzureML, FormatGenAI, FormatMapping} {
		if !seen[format] {
			t.Errorf("the page shows no source of %s", format)
		}
	}
}
