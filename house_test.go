package plumbline_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	plumbline "github.com/plumbline-slo/plumbline"
)

const module = "github.com/plumbline-slo/plumbline"

// badImport says that packages under From must not import packages under To,
// and why. Paths are relative to the module; a trailing / means everything
// below as well.
type badImport struct{ from, to, why string }

var badImports = []badImport{
	{"storage/", "analyze/", "storage knows tables, not what they mean"},
	{"storage/", "ingest/", "storage is below ingest"},
	{"storage/", "rules/", "storage is below rules"},
	{"storage/", "alerting/", "storage is below alerting"},
	{"storage/engine/", "storage/", "the engine speaks HTTP; it knows no schema"},
	{"storage/grid/", "storage/", "the grid stands alone"},
	{"ingest/", "analyze/", "the hot path does not wait for statistics"},
	{"ingest/", "alerting/", "ingest reports through its own Noticer"},
	{"ingest/decode/", "storage/", "a decoder fills columns, it stores nothing"},
	{"analyze/", "ingest/", "analyzers read tables, not the stream"},
	{"analyze/", "rules/", "rules read findings, analyzers do not know rules"},
	{"analyze/", "alerting/", "only rules raise alerts"},
	{"rules/", "alerting/", "cmd adapts one to the other"},
	{"rules/", "ingest/", "rules read findings"},
	{"alerting/", "rules/", "cmd adapts one to the other"},
	{"alerting/", "storage/", "alerting declares the small interfaces it needs"},
	{"alerting/", "analyze/", "alerting declares the small interfaces it needs"},
	{"alerting/", "ingest/", "alerting declares the small interfaces it needs"},
	{"dashboards/", "analyze/", "a dashboard queries tables"},
	{"dashboards/", "ingest/", "a dashboard queries tables"},
	{"dashboards/", "rules/", "names shared with rules live in the root"},
	{"dashboards/", "alerting/", "a dashboard queries tables"},
}

type source struct {
	dir  string // relative to the module, "." for the root
	file *ast.File
	name string
}

func sources(t *testing.T) []source {
	t.Helper()
	var all []source
	fset := token.NewFileSet()
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata" || d.Name() == "node_modules"):
			return filepath.SkipDir
		case d.IsDir() || !strings.HasSuffix(path, ".go"):
			return nil
		}
		f, err := parser.ParseFile(fset, path, nil, parser.ParseComments)
		if err != nil {
			return err
		}
		all = append(all, source{dir: filepath.ToSlash(filepath.Dir(path)), file: f, name: path})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func under(pkg, prefix string) bool {
	return strings.HasPrefix(pkg+"/", prefix)
}

func TestImportDirection(t *testing.T) {
	for _, s := range sources(t) {
		if strings.HasSuffix(s.name, "_test.go") {
			continue
		}
		for _, spec := range s.file.Imports {
			path, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			if s.dir == "." && strings.Contains(path, ".") {
				t.Errorf("%s imports %s: the root package imports the standard library only", s.name, path)
			}
			imported, ours := strings.CutPrefix(path, module+"/")
			if !ours {
				continue
			}
			for _, bad := range badImports {
				if under(s.dir, bad.from) && under(imported, bad.to) && !under(imported, bad.from) {
					t.Errorf("%s imports %s: %s", s.name, imported, bad.why)
				}
			}
			if (under(imported, "testenv/") || under(imported, "cmd/")) && !under(s.dir, "testenv/") && !under(s.dir, "cmd/") {
				t.Errorf("%s imports %s: only cmd and testenv see all", s.name, imported)
			}
		}
	}
}

func TestEveryPackageHasOneDoc(t *testing.T) {
	docs := make(map[string][]string)
	seen := make(map[string]bool)
	for _, s := range sources(t) {
		if strings.HasSuffix(s.name, "_test.go") {
			continue
		}
		seen[s.dir] = true
		if s.file.Doc != nil {
			docs[s.dir] = append(docs[s.dir], s.name)
		}
	}
	for dir := range seen {
		if n := len(docs[dir]); n != 1 {
			t.Errorf("package %s has %d package comments %v, want exactly one", dir, n, docs[dir])
		}
	}
}

// The file map leads to every package; a package that moved or came is missed in it.
func TestTheFileMapNamesEveryPackage(t *testing.T) {
	text, err := os.ReadFile("ARCHITECTURE.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range sources(t) {
		if !strings.HasSuffix(s.name, "_test.go") && s.dir != "." && !strings.Contains(string(text), "`"+s.dir+"`") {
			t.Errorf("ARCHITECTURE.md does not name `%s`", s.dir)
		}
	}
}

func TestNoForbiddenPackageNames(t *testing.T) {
	for _, s := range sources(t) {
		switch s.file.Name.Name {
		case "utils", "util", "common", "helpers", "types", "misc":
			t.Errorf("%s: package %s says nothing of what it is for", s.name, s.file.Name.Name)
		}
	}
}

func TestNoInitAndNoSleepInTests(t *testing.T) {
	for _, s := range sources(t) {
		test := strings.HasSuffix(s.name, "_test.go")
		ast.Inspect(s.file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncDecl:
				if n.Recv == nil && n.Name.Name == "init" {
					t.Errorf("%s has an init function: main wires everything", s.name)
				}
			case *ast.CallExpr:
				sel, ok := n.Fun.(*ast.SelectorExpr)
				if !ok || !test {
					return true
				}
				switch pkg, _ := sel.X.(*ast.Ident); {
				case pkg == nil:
				case pkg.Name == "synctest" && sel.Sel.Name == "Test":
					return false // whose clock is not the wall's
				case pkg.Name == "time" && sel.Sel.Name == "Sleep":
					t.Errorf("%s sleeps: wait for the condition instead", s.name)
				}
			}
			return true
		})
	}
}

// A subquery that is left to a setting of ClickHouse (distributed_product_mode)
// was refused on clusters as soon as one stood within another.
func TestSubqueriesSeeAllShards(t *testing.T) {
	alone := regexp.MustCompile(`(?m)(GLOBAL )?\b(NOT )?IN \((SELECT|$)`)
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (path == "testenv" || path == filepath.Join("storage", "engine") || d.Name() == "testdata" || strings.HasPrefix(d.Name(), ".") && path != "."):
			return filepath.SkipDir
		case filepath.Ext(path) != ".sql" && filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, in := range alone.FindAllString(string(text), -1) {
			if !strings.HasPrefix(in, "GLOBAL ") {
				t.Errorf("%s: write GLOBAL %s: a subquery must see the rows of every shard", path, in)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestEverySignalIsComplete(t *testing.T) {
	names := make(map[plumbline.SignalName]bool)
	for _, s := range plumbline.Signals() {
		if err := s.Validate(); err != nil {
			t.Error(err)
		}
		if names[s.Name] {
			t.Errorf("signal %s is declared twice", s.Name)
		}
		names[s.Name] = true
		if s.Runbook != "" {
			if _, err := os.Stat(filepath.Join("docs", "runbooks", s.Runbook+".md")); err != nil {
				t.Errorf("signal %s: %v", s.Name, err)
			}
		}
	}
}

func TestSignalValidateNamesWhatIsMissing(t *testing.T) {
	err := plumbline.Signal{Name: "x", Rule: "R"}.Validate()
	if err == nil {
		t.Fatal("an empty signal is valid")
	}
	for _, field := range []string{"owner", "panel", "runbook"} {
		if !strings.Contains(err.Error(), field) {
			t.Errorf("the error %q does not name the missing %s", err, field)
		}
	}
}

func TestEveryTableIsComplete(t *testing.T) {
	for _, table := range plumbline.Tables() {
		columns := make(map[string]bool)
		for _, c := range table.Columns {
			if c.Doc == "" || c.Name == "" || c.Type == "" {
				t.Errorf("table %s: column %q lacks a name, a type or a doc", table.Name, c.Name)
			}
			if columns[c.Name] {
				t.Errorf("table %s declares column %s twice", table.Name, c.Name)
			}
			columns[c.Name] = true
		}
		for _, key := range strings.Split(table.OrderBy, ", ") {
			if !columns[key] {
				t.Errorf("table %s is ordered by %s, which is not a column", table.Name, key)
			}
		}
		named := func(c plumbline.Column) bool { return strings.Contains(table.Retention, c.Name) }
		if table.Retention != "" && !slices.ContainsFunc(table.Columns, named) {
			t.Errorf("table %s is retained by %s, which names none of its columns", table.Name, table.Retention)
		}
	}
}
