// Package docsgen writes the reference pages docs/signals.md and docs/tables.md
// from the catalogue in the root package, docs/data-quality.md from the table of
// checks and docs/dashboards.md from the dashboards, so that they cannot say
// anything else. It imports these three packages only.
package docsgen

import (
	"bytes"
	_ "embed" // dashboards.md
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/analyze/dataquality"
	"github.com/plumbline-slo/plumbline/dashboards"
)

// Pages returns the generated pages by file name.
func Pages() (map[string][]byte, error) {
	boards, err := boards()
	if err != nil {
		return nil, err
	}
	return map[string][]byte{
		"signals.md": signals(plumbline.Signals()), "tables.md": tables(plumbline.Tables(), plumbline.Views()),
		"data-quality.md": checks(dataquality.Table()), "dashboards.md": boards,
	}, nil
}

// Generate writes every page into dir, which must exist.
func Generate(dir string) error {
	pages, err := Pages()
	if err != nil {
		return err
	}
	for name, content := range pages {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, content, 0o644); err != nil {
			return fmt.Errorf("write reference page: %w", err)
		}
	}
	return nil
}

const generated = "<!-- Generated from the catalogue by `make generate`; edit %s instead. -->\n"

func signals(list []plumbline.Signal) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "# Signals\n"+generated, "signals.go")
	b.WriteString("What Plumbline computes, who acts on it, and the SQL behind its panel. In the SQL, Grafana fills in `$__fromTime`, `$__toTime` and `$model` (a list); `$partial`, an array of the models with partial feedback, is written in by `plumbline dashboards generate`. Missing data is a state of its own: a finding's `verdict` is `ok`, `breach`, `insufficient` or `missing`, and the last two are never healthy.\n\n")
	b.WriteString("| signal | owner | better | unit | alert |\n|---|---|---|---|---|\n")
	for _, s := range list {
		fmt.Fprintf(&b, "| [%s](#%s) | %s | %s | %s | %s |\n", s.Name, s.Name, s.Owner, direction(s.Good), unit(s.Unit), cell(alert(s)))
	}
	for _, s := range list {
		fmt.Fprintf(&b, "\n## %s\n%s\n\n", s.Name, s.Description)
		fmt.Fprintf(&b, "- Panel: %s\n- Owner: %s\n- Unit: %s; %s is better\n", s.Panel, s.Owner, unit(s.Unit), direction(s.Good))
		if s.Rule != "" {
			fmt.Fprintf(&b, "- Alert: `%s`, runbook [%s](runbooks/%s.md)\n", s.Rule, s.Runbook, s.Runbook)
		} else {
			fmt.Fprintf(&b, "- No alert of its own: %s\n", s.NoRule)
		}
		fmt.Fprintf(&b, "\n```sql\n%s\n```\n", strings.TrimSpace(s.SQL))
	}
	return b.Bytes()
}

func checks(list []dataquality.Check) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "# Data quality\n"+generated, "the files of analyze/dataquality")
	b.WriteString("What is looked at in the events themselves, by feature, as rows of `findings` with `signal = 'data_quality'`. `reference` is `training` where the model has training rows, else `week-before`: production in the seven days before the window. `value` is now, `null_mean` what it is if nothing changed, `effect` their difference. A breach is beyond noise (`p` at most 0.01 over all checks of a look) and beyond what matters (the least effect, `analyze.data_quality_min_effect`). With under 100 deliveries on either side the verdict is `insufficient`, without a reference `missing`. A check that the clock alone can move is a breach only if the same hours before (a week back, else a day) differ as well.\n\n")
	b.WriteString("| measure | what value is | unit | least effect | matters | test |\n|---|---|---|---|---|---|\n")
	for _, c := range list {
		matters := "upwards"
		if c.BothWays {
			matters = "both ways"
		}
		if c.Clocked {
			matters += "; the clock moves it"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %v %s | %s | %s |\n", c.Measure, cell(c.Doc), c.Unit, c.MinEffect, c.EffectUnit, matters, cell(c.Test))
	}
	return b.Bytes()
}

// howToConnect is what a dashboard needs before it shows anything.
//
//go:embed dashboards.md
var howToConnect string

// boards lists every dashboard with its panels, as Grafana is told of them.
func boards() ([]byte, error) {
	all, err := dashboards.All()
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "# Dashboards\n"+generated, "the files of dashboards, and cmd/plumbline/internal/docsgen/dashboards.md")
	b.WriteString(howToConnect)
	for _, g := range all {
		var board struct {
			Title, Description, Refresh string
			Time                        struct{ From string }
			Panels                      []struct{ Type, Title, Description string }
		}
		if err := json.Unmarshal(g.JSON, &board); err != nil {
			return nil, fmt.Errorf("read dashboard %s: %w", g.Name, err)
		}
		fmt.Fprintf(&b, "## %s\n", board.Title)
		fmt.Fprintf(&b, "`/d/%s`, from `%s`, every %s. %s\n\n| panel | what it shows |\n|---|---|\n", g.Name, board.Time.From, board.Refresh, board.Description)
		for _, p := range board.Panels {
			if p.Type == "row" {
				fmt.Fprintf(&b, "| **%s** | |\n", cell(p.Title))
				continue
			}
			fmt.Fprintf(&b, "| %s | %s |\n", cell(p.Title), cell(p.Description))
		}
		b.WriteString("\n")
	}
	return append(bytes.TrimRight(b.Bytes(), "\n"), '\n'), nil
}

func alert(s plumbline.Signal) string {
	if s.Rule != "" {
		return "`" + s.Rule + "`"
	}
	return "none"
}

func direction(d plumbline.Direction) string {
	switch d {
	case plumbline.LowerIsBetter:
		return "lower"
	case plumbline.HigherIsBetter:
		return "higher"
	case plumbline.NeitherIsBetter:
		return "neither"
	}
	return "unknown"
}

// unit puts Grafana's name of a unit into words.
func unit(grafana string) string {
	switch grafana {
	case "percentunit":
		return "share, 0 to 1"
	case "short", "none":
		return "number"
	}
	return grafana
}

func tables(list []plumbline.Table, views []plumbline.View) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "# Tables and views\n"+generated, "tables.go and views.go")
	b.WriteString("Every table, as `storage` creates it. Times are UTC. `FINAL` reads a replacing table as it stands; rows of an aggregating table of one key add up, so sum them.\n\n")
	b.WriteString("| table | what it holds | kept |\n|---|---|---|\n")
	for _, t := range list {
		fmt.Fprintf(&b, "| [%s](#%s) | %s | %s |\n", t.Name, t.Name, cell(t.Doc), retention(t))
	}
	for _, v := range views {
		fmt.Fprintf(&b, "| [%s](#%s) | %s | %s |\n", v.Name, v.Name, cell(v.Doc), asked(v))
	}
	for _, t := range list {
		fmt.Fprintf(&b, "\n## %s\n%s\n\n", t.Name, t.Doc)
		fmt.Fprintf(&b, "Engine `%s`, ", t.Engine)
		if t.SearchBy != "" {
			fmt.Fprintf(&b, "searched by `%s`, ", t.SearchBy)
		}
		fmt.Fprintf(&b, "ordered by `%s`", t.OrderBy)
		if t.PartitionBy != "" {
			fmt.Fprintf(&b, ", partitioned by `%s`", t.PartitionBy)
		}
		fmt.Fprintf(&b, ". Kept: %s.\n\n| column | type | meaning |\n|---|---|---|\n", retention(t))
		for _, c := range t.Columns {
			fmt.Fprintf(&b, "| `%s` | `%s` | %s |\n", c.Name, c.Type, cell(c.Doc))
		}
	}
	for _, v := range views {
		fmt.Fprintf(&b, "\n## %s\n%s\n\n%s.\n\n```sql\n%s\n```\n", v.Name, v.Doc, sentence(asked(v)), v.Example)
	}
	return b.Bytes()
}

// asked says that a view is one, and which arguments it needs: without them
// ClickHouse answers with an error that does not name them.
func asked(v plumbline.View) string {
	var names []string
	for _, found := range regexp.MustCompile(`\{(\w+):`).FindAllStringSubmatch(v.SQL, -1) {
		if name := "`" + found[1] + "`"; !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return "a view"
	}
	return "a view that needs its arguments, `" + string(v.Name) + "(name = value, ...)`: " + strings.Join(names, ", ")
}

// sentence begins a text with a capital letter.
func sentence(text string) string { return strings.ToUpper(text[:1]) + text[1:] }

func retention(t plumbline.Table) string {
	if t.Retention == "" {
		return "for ever"
	}
	return fmt.Sprintf("`retention.%s` after `%s`", t.Level, t.Retention)
}

// cell keeps a text within its table cell.
func cell(s string) string { return strings.NewReplacer("|", `\|`, "\n", " ").Replace(s) }
