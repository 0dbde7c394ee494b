package docsgen_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/cmd/plumbline/internal/docsgen"
)

var update = flag.Bool("update", false, "rewrite the pages under docs")

const docs = "../../../../docs"

func pages(t *testing.T) map[string][]byte {
	t.Helper()
	pages, err := docsgen.Pages()
	if err != nil {
		t.Fatal(err)
	}
	return pages
}

func TestPagesAreUpToDate(t *testing.T) {
	if *update {
		if err := docsgen.Generate(docs); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range pages(t) {
		got, err := os.ReadFile(filepath.Join(docs, name))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("docs/%s is not what the catalogue says; run make generate", name)
		}
	}
}

func TestEverythingIsOnItsPage(t *testing.T) {
	pages := pages(t)
	for _, table := range plumbline.Tables() {
		if !bytes.Contains(pages["tables.md"], []byte("\n## "+string(table.Name)+"\n")) {
			t.Errorf("tables.md lacks %s", table.Name)
		}
		for _, c := range table.Columns {
			if !bytes.Contains(pages["tables.md"], []byte("| `"+c.Name+"` | `"+string(c.Type)+"` |")) {
				t.Errorf("tables.md lacks %s.%s", table.Name, c.Name)
			}
		}
	}
	for _, s := range plumbline.Signals() {
		if !bytes.Contains(pages["signals.md"], []byte(s.SQL)) {
			t.Errorf("signals.md lacks the SQL of %s", s.Name)
		}
	}
}

// TestRunbooksExist holds that every runbook a signal names is a page, and that
// links between runbooks lead somewhere.
func TestRunbooksExist(t *testing.T) {
	for _, s := range plumbline.Signals() {
		if s.Runbook == "" {
			continue
		}
		if _, err := os.Stat(filepath.Join(docs, "runbooks", s.Runbook+".md")); err != nil {
			t.Errorf("signal %s: %v", s.Name, err)
		}
	}
	paths, err := filepath.Glob(filepath.Join(docs, "runbooks", "*.md"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("runbooks: %v, %v", paths, err)
	}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, link := range links(string(text)) {
			if _, err := os.Stat(filepath.Join(filepath.Dir(path), link)); err != nil {
				t.Errorf("%s links to %s: %v", filepath.Base(path), link, err)
			}
		}
	}
}

// links returns the targets of the Markdown links that are files.
func links(text string) []string {
	var out []string
	for _, part := range strings.Split(text, "](")[1:] {
		target, _, ok := strings.Cut(part, ")")
		if ok && !strings.Contains(target, ":") && !strings.HasPrefix(target, "#") {
			out = append(out, target)
		}
	}
	return out
}

func TestGenerateNamesTheFolder(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "nowhere")
	if err := docsgen.Generate(missing); err == nil || !strings.Contains(err.Error(), missing) {
		t.Errorf("got %v", err)
	}
}

// A view without its arguments is an error that does not name them.
func TestArgumentsOfViewsAreOnTheirPage(t *testing.T) {
	page := string(pages(t)["tables.md"])
	for _, v := range plumbline.Views() {
		for _, found := range regexp.MustCompile(`\{(\w+):`).FindAllStringSubmatch(v.SQL, -1) {
			_, section, _ := strings.Cut(page, "\n## "+string(v.Name)+"\n")
			said, _, _ := strings.Cut(section, "```sql")
			if !strings.Contains(said, "`"+found[1]+"`") || !strings.Contains(v.Example, found[1]+" = ") {
				t.Errorf("%s: the argument %s is not said, or its example lacks it: %s", v.Name, found[1], said)
			}
		}
	}
	if !strings.Contains(page, "`predictions_whole(name = value, ...)`: `model`, `since`, `until` |") {
		t.Error("the summary does not say that predictions_whole needs arguments")
	}
}
