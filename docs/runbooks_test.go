package docs_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/docs"
	"github.com/plumbline-slo/plumbline/rules"
)

// pages are the runbooks by name.
func pages(t *testing.T) map[string]string {
	t.Helper()
	names, err := fs.Glob(docs.Runbooks(), "*.md")
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string]string)
	for _, name := range names {
		text, err := fs.ReadFile(docs.Runbooks(), name)
		if err != nil {
			t.Fatal(err)
		}
		all[strings.TrimSuffix(name, ".md")] = string(text)
	}
	return all
}

// TestEveryFailureModeHasAPage: whoever is woken finds what to look at first and
// what to decide.
func TestEveryFailureModeHasAPage(t *testing.T) {
	all := pages(t)
	for _, name := range []string{
		"data-drift", "regression", "latency", "feature-lag", "poisoning", "exhaustion", "label-delay", "silent-drift", "config-drift", "concept-drift",
		"data-quality", "slo-burn", "slo-missing", "service",
	} {
		text, ok := all[name]
		if !ok {
			t.Errorf("there is no runbook %s", name)
			continue
		}
		if !strings.HasPrefix(text, "# ") || !strings.Contains(text, "```sql") || !strings.Contains(text, "| do |") && !strings.Contains(text, "| it is likely |") && name != "service" {
			t.Errorf("%s lacks a title, a query to look with, or a table of what to do", name)
		}
	}
}

// TestEveryRuleHasAPage holds that the link of every generated rule leads to a
// page, whatever an SLO counts.
func TestEveryRuleHasAPage(t *testing.T) {
	cfg := rules.DefaultGenerateConfig()
	cfg.RunbookURL = "https://runbooks.example"
	all := pages(t)
	for _, kind := range []plumbline.SLIKind{
		"", plumbline.SLIQuality, plumbline.SLILatency, plumbline.SLISuccess, plumbline.SLICost, plumbline.SLIFreshness, plumbline.SLILabelArrival,
		plumbline.SLIDrift, plumbline.SLIFairness, plumbline.SLIKPI, plumbline.SLISQL, plumbline.SLIPromQL, plumbline.SLIComposite,
	} {
		slo := plumbline.SLO{Name: "s", Model: "m", Owner: "o", Target: 0.99, Period: 30 * 24 * time.Hour, SLI: plumbline.SLI{Kind: kind}}
		content, err := rules.Generate([]plumbline.SLO{slo}, cfg)
		if err != nil {
			t.Fatalf("%s: %v", kind, err)
		}
		links := regexp.MustCompile(`runbook_url: (\S+)`).FindAllStringSubmatch(string(content), -1)
		if alerts := strings.Count(string(content), "alert: "); alerts == 0 || len(links) != alerts {
			t.Errorf("%s: %d alerts, %d of them with a runbook", kind, alerts, len(links))
		}
		for _, link := range links {
			name := strings.TrimSuffix(strings.TrimPrefix(link[1], cfg.RunbookURL+"/"), ".md")
			if _, ok := all[name]; !ok {
				t.Errorf("%s: runbook %s is no page", kind, link[1])
			}
		}
	}
}

// TestEveryAlertIsOnAPage reads the names of alerts in the code: the service's
// own have a section each, the others are named where they are explained.
func TestEveryAlertIsOnAPage(t *testing.T) {
	service := pages(t)["service"]
	for pattern, expression := range map[string]string{
		"../cmd/plumbline/internal/app/trouble*.go": `alert: +"([A-Za-z]+)"`,
		"../cmd/plumbline/internal/app/*.go":        `alert[A-Z][A-Za-z]+ += "([A-Za-z]+)"`,
		"../alerting/watchdog/*.go":                 `Alert[A-Z][A-Za-z]+ += "([A-Za-z]+)"`,
	} {
		for _, name := range declared(t, pattern, expression) {
			if n := strings.Count(service, "\n## "+name+" ("); n != 1 {
				t.Errorf("service.md has %d sections %s, want one", n, name)
			}
		}
	}
	var everything strings.Builder
	for _, text := range pages(t) {
		everything.WriteString(text)
	}
	for _, name := range declared(t, "../*.go", `Alert[A-Za-z]+ += "([A-Za-z]+)"`) {
		if name != plumbline.AlertSLOBurn && !strings.Contains(everything.String(), name) {
			t.Errorf("no runbook names the alert %s", name)
		}
	}
}

// declared returns what the expression finds in the files, which must be
// something.
func declared(t *testing.T, pattern, expression string) []string {
	t.Helper()
	paths, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(expression).FindAllStringSubmatch(string(text), -1) {
			found = append(found, m[1])
		}
	}
	if len(found) == 0 {
		t.Fatalf("%s declares nothing like %s: this test looks in the wrong place", pattern, expression)
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// TestCommandsOfRunbooksExist: every command line that a runbook gives has
// commands and flags that the binary declares.
func TestCommandsOfRunbooksExist(t *testing.T) {
	commands := declared(t, "../cmd/plumbline/*.go", `Command\("([a-z-]+)"`)
	flags := declared(t, "../cmd/plumbline/*.go", `Flag\("([a-z.-]+)"`)
	lines := 0
	for page, text := range pages(t) {
		for _, line := range regexp.MustCompile("(?m)(?:^|`)plumbline ([^`\n]+)").FindAllStringSubmatch(text, -1) {
			lines++
			for i, word := range strings.Fields(line[1]) {
				flag, isFlag := strings.CutPrefix(word, "--")
				name, _, _ := strings.Cut(flag, "=")
				switch {
				case isFlag && !slices.Contains(flags, name):
					t.Errorf("%s: plumbline %s: there is no flag --%s", page, line[1], name)
				case !isFlag && i == 0 && !slices.Contains(commands, word):
					t.Errorf("%s: plumbline %s: there is no command %s", page, line[1], word)
				}
			}
		}
	}
	if lines < 10 {
		t.Errorf("only %d command lines were found", lines)
	}
}
