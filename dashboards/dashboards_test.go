package dashboards_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/grafana/grafana-foundation-sdk/go/dashboard"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/dashboards"
)

// panel is what the tests read of a panel; the field names are Grafana's.
type panel struct {
	ID          int      `json:"id"`
	Type        string   `json:"type"`
	Title       string   `json:"title"`
	Description string   `json:"description"`
	Datasource  source   `json:"datasource"`
	Targets     []target `json:"targets"`
	GridPos     struct{ X, Y, W, H int }
	FieldConfig struct {
		Defaults struct {
			Unit       string          `json:"unit"`
			NoValue    string          `json:"noValue"`
			Mappings   json.RawMessage `json:"mappings"`
			Thresholds struct {
				Steps []struct{ Color string } `json:"steps"`
			} `json:"thresholds"`
			Custom struct {
				SpanNulls   any `json:"spanNulls"`
				InsertNulls any `json:"insertNulls"`
			} `json:"custom"`
		} `json:"defaults"`
	} `json:"fieldConfig"`
	Options struct {
		Legend        *struct{ ShowLegend bool } `json:"legend"`
		Orientation   string                     `json:"orientation"`
		ReduceOptions struct{ Calcs []string }   `json:"reduceOptions"`
	} `json:"options"`
}

type source struct{ Type, UID string }

type target struct {
	RefID         string `json:"refId"`
	Datasource    source `json:"datasource"`
	RawSQL        string `json:"rawSql"`
	Format        *int   `json:"format"`
	EditorType    string `json:"editorType"`
	PluginVersion string `json:"pluginVersion"`
}

type board struct {
	UID        string   `json:"uid"`
	Title      string   `json:"title"`
	Tags       []string `json:"tags"`
	Editable   bool     `json:"editable"`
	Refresh    string   `json:"refresh"`
	Time       struct{ From, To string }
	Panels     []panel `json:"panels"`
	Templating struct {
		List []struct {
			Name, Type string
			Multi      bool
			AllValue   *string
			Query      any
			Datasource source
		} `json:"list"`
	} `json:"templating"`
	Annotations struct {
		List []struct {
			Name       string
			Datasource source
			Target     target
		} `json:"list"`
	} `json:"annotations"`
}

func parse(t *testing.T, raw []byte) board {
	t.Helper()
	var b board
	if err := json.Unmarshal(raw, &b); err != nil {
		t.Fatalf("the dashboard is not JSON: %v", err)
	}
	return b
}

// generate returns the JSON of the dashboard with a uid.
func generate(t *testing.T, uid string, opts ...dashboards.Option) []byte {
	t.Helper()
	for _, g := range every(t, opts...) {
		if g.Name == uid {
			return g.JSON
		}
	}
	t.Fatalf("there is no dashboard %s", uid)
	return nil
}

func every(t *testing.T, opts ...dashboards.Option) []dashboards.Generated {
	t.Helper()
	all, err := dashboards.All(opts...)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func onCall(t *testing.T, opts ...dashboards.Option) []byte {
	t.Helper()
	return generate(t, dashboards.OnCallUID, opts...)
}

func TestGolden(t *testing.T) {
	for _, g := range every(t, options()...) {
		path := filepath.Join("testdata", g.Name+".json")
		if *update {
			if err := os.WriteFile(path, g.JSON, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(g.JSON, want) {
			t.Errorf("the dashboard differs from %s; read the change with -update and git diff", path)
		}
	}
}

func TestSchemaOfTheSDK(t *testing.T) {
	for _, g := range every(t, options()...) {
		var d dashboard.Dashboard
		if err := json.Unmarshal(g.JSON, &d); err != nil {
			t.Fatalf("%s: Grafana's schema does not read it: %v", g.Name, err)
		}
		if err := d.Validate(); err != nil {
			t.Errorf("%s: Grafana's schema refuses it: %v", g.Name, err)
		}
		if g.Name == dashboards.OnCallUID && len(d.Panels) != 16+len(plumbline.Signals()) {
			t.Errorf("%d panels, want 10, two headings, four of quality's other units and one for each of %d signals", len(d.Panels), len(plumbline.Signals()))
		}
	}
}

// The rules follow grafana/dashboard-linter's, for a ClickHouse data source.
func TestLint(t *testing.T) {
	for name, opts := range map[string][]dashboards.Option{"objectives": options(), "none declared": nil} {
		t.Run(name, func(t *testing.T) {
			for _, g := range every(t, opts...) {
				for _, complaint := range lint(parse(t, g.JSON)) {
					t.Errorf("%s: %s", g.Name, complaint)
				}
			}
		})
	}
}

// TestLintComplains breaks a good dashboard in each way the linter knows.
func TestLintComplains(t *testing.T) {
	good := onCall(t, options()...)
	breaks := map[string]func(*board){
		"title":          func(b *board) { b.Panels[0].Title = "" },
		"description":    func(b *board) { b.Panels[1].Description = "short" },
		"unit":           func(b *board) { b.Panels[2].FieldConfig.Defaults.Unit = "" },
		"datasource":     func(b *board) { b.Panels[3].Targets[0].Datasource.UID = "abc" },
		"legend":         func(b *board) { b.Panels[7].Options.Legend = nil },
		"ids":            func(b *board) { b.Panels[1].ID = b.Panels[0].ID },
		"row":            func(b *board) { b.Panels[4].GridPos.Y = b.Panels[0].GridPos.Y },
		"grid":           func(b *board) { b.Panels[5].GridPos.X = 20 },
		"missing as gap": func(b *board) { b.Panels[7].FieldConfig.Defaults.Custom.SpanNulls = true },
		"missing word":   func(b *board) { b.Panels[0].FieldConfig.Defaults.NoValue = "" },
		"fallback":       func(b *board) { b.Panels[0].Targets[0].RawSQL += " -- ifNull(value, 0)" },
		"model":          func(b *board) { b.Panels[0].Targets[0].RawSQL = "SELECT 1 WHERE model IN ($model)" },
		"window":         func(b *board) { b.Panels[0].Targets[0].RawSQL = "SELECT 1 WHERE window = $window" },
		"no variable":    func(b *board) { b.Panels[0].Targets[0].RawSQL = "SELECT 1 WHERE a = ${unknown:singlequote}" },
		"all value":      func(b *board) { b.Templating.List[1].AllValue = new(string) },
		"range":          func(b *board) { b.Time.From = "" },
	}
	for name, damage := range breaks {
		t.Run(name, func(t *testing.T) {
			b := parse(t, good)
			damage(&b)
			if len(lint(b)) == 0 {
				t.Error("the linter says nothing")
			}
		})
	}
}

// variables are the names that Grafana fills in, whether quoted or not. Its macros
// begin with two underscores.
var variables = regexp.MustCompile(`\$\{?([a-z][a-z_]*)(:[a-z]+\})?`)

func lint(b board) []string {
	var out []string
	complain := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	if b.UID == "" || b.Title == "" || b.Editable || !slices.Contains(b.Tags, dashboards.GeneratedTag) {
		complain("uid, title, read-only or tag is missing")
	}
	if b.Time.From == "" || b.Time.To == "" || b.Refresh == "" {
		complain("time range or refresh is missing")
	}
	names := map[string]bool{}
	for _, v := range b.Templating.List {
		names[v.Name] = true
		if v.AllValue != nil {
			complain("variable %s: an own value for All does not fit IN", v.Name)
		}
	}
	for _, q := range everyQuery(b) {
		for _, used := range variables.FindAllStringSubmatch(q.sql, -1) {
			if !names[used[1]] {
				complain("%s: the dashboard has no variable %s", q.where, used[1])
			}
		}
	}
	if !names["datasource"] || !names["model"] {
		complain("variables datasource or model are missing")
	}
	for _, a := range b.Annotations.List {
		for _, problem := range lintTarget(a.Target, 1) {
			complain("annotation %s: %s", a.Name, problem)
		}
	}
	ids, titles, rows := map[int]bool{}, map[string]bool{}, map[int]int{}
	for _, p := range b.Panels {
		if ids[p.ID] || p.ID == 0 {
			complain("panel %q: id %d is not unique", p.Title, p.ID)
		}
		if titles[p.Title] {
			complain("panel title %q twice", p.Title)
		}
		ids[p.ID], titles[p.Title] = true, true
		rows[p.GridPos.Y]++
		if p.GridPos.X+p.GridPos.W > 24 {
			complain("panel %d %q: it is out of the grid, at %d with a width of %d", p.ID, p.Title, p.GridPos.X, p.GridPos.W)
		}
		if p.Type == "row" {
			continue // a heading
		}
		for _, problem := range lintPanel(p) {
			complain("panel %d %q: %s", p.ID, p.Title, problem)
		}
	}
	for y, n := range rows {
		if n > 4 {
			complain("%d panels in the row at %d", n, y)
		}
	}
	return out
}

func lintPanel(p panel) []string {
	var out []string
	defaults := p.FieldConfig.Defaults
	if p.Title == "" || !strings.Contains(p.Title, "?") {
		out = append(out, "the title asks nothing")
	}
	if len(p.Description) < 40 {
		out = append(out, "no description worth the name")
	}
	if defaults.Unit == "" || len(defaults.Thresholds.Steps) == 0 {
		out = append(out, "no unit or no thresholds")
	}
	if defaults.NoValue != "no data" {
		out = append(out, "missing data has no word")
	}
	if !strings.HasPrefix(p.Datasource.UID, "${") || len(p.Targets) == 0 {
		out = append(out, "fixed data source, or no query")
	}
	wantFormat := 1
	switch p.Type {
	case "timeseries":
		wantFormat = 0
		if p.Options.Legend == nil || !p.Options.Legend.ShowLegend {
			out = append(out, "no legend")
		}
		if defaults.Custom.SpanNulls != false || defaults.Custom.InsertNulls == nil {
			out = append(out, "a gap would be drawn over")
		}
	case "stat":
		if !strings.Contains(string(defaults.Mappings), "null+nan") || p.Options.Orientation == "" || len(p.Options.ReduceOptions.Calcs) == 0 {
			out = append(out, "null has no word, or orientation or calculation is left to chance")
		}
	}
	for _, target := range p.Targets {
		out = append(out, lintTarget(target, wantFormat)...)
	}
	return out
}

func lintTarget(q target, format int) []string {
	var out []string
	if q.Datasource.Type != "grafana-clickhouse-datasource" || q.Datasource.UID != "${datasource}" {
		out = append(out, "the query does not go through the data source variable")
	}
	if q.RefID == "" || q.EditorType != "sql" || q.PluginVersion < "4" || q.Format == nil || *q.Format != format {
		out = append(out, "the plugin would migrate the query or misread its format")
	}
	for _, used := range variables.FindAllStringSubmatch(q.RawSQL, -1) {
		if !strings.HasSuffix(used[0], ":singlequote}") {
			out = append(out, "the "+used[1]+" is not quoted")
		}
	}
	for _, lie := range []string{"ifNull", "coalesce", "vector(", "WITH FILL"} {
		if strings.Contains(q.RawSQL, lie) {
			out = append(out, lie+" turns missing data into a number")
		}
	}
	if strings.Contains(q.RawSQL, "$objectives") || strings.Contains(q.RawSQL, "$shares") {
		out = append(out, "the objectives or the shares are not filled in")
	}
	return out
}

func TestOnePanelForEachSignal(t *testing.T) {
	b := parse(t, onCall(t, options()...))
	for _, s := range plumbline.Signals() {
		i := slices.IndexFunc(b.Panels, func(p panel) bool { return p.Title == s.Panel })
		if i < 0 {
			t.Errorf("signal %s has no panel", s.Name)
			continue
		}
		if got := b.Panels[i].FieldConfig.Defaults.Unit; got != s.Unit {
			t.Errorf("signal %s: unit %s, want %s", s.Name, got, s.Unit)
		}
		if s.Runbook != "" && !bytes.Contains(onCall(t, options()...), []byte("http://plumbline.example:9470/runbooks/"+s.Runbook)) {
			t.Errorf("signal %s: no link to its runbook", s.Name)
		}
	}
}

func TestOptionsAreChecked(t *testing.T) {
	dollar := flights()
	dollar.SLO.Model = "a${__user.login}"
	perfect := flights()
	perfect.SLO.Target = 1
	tests := map[string]dashboards.Option{
		"relative page":      dashboards.WithPage("/plumbline"),
		"script page":        dashboards.WithPage("javascript:alert(1)"),
		"relative runbooks":  dashboards.WithRunbooks("runbooks"),
		"variable in a name": dashboards.WithObjectives(dollar),
		"threshold of 0":     dashboards.WithObjectives(perfect),
	}
	for name, opt := range tests {
		t.Run(name, func(t *testing.T) {
			if _, err := dashboards.All(opt); err == nil {
				t.Error("accepted")
			}
		})
	}
}

func TestNamesOfObjectivesAreQuoted(t *testing.T) {
	o := flights()
	o.SLO.Name = `it's \ an SLO`
	raw := onCall(t, dashboards.WithObjectives(o))
	sql := parse(t, raw).Panels[0].Targets[0].RawSQL
	if want := `('it\'s \\ an SLO', 'flight-delay', 0.85, 'page', '1h', '5m', 0.3, true, true, 0)`; !strings.Contains(sql, want) {
		t.Errorf("the query holds no %s:\n%s", want, sql)
	}
}

// A target of another share, such as one on latency, is no line among accuracies.
func TestTargetsOfAccuracyAreMarked(t *testing.T) {
	latency, segment := flights(), flights()
	latency.SLO.SLI.Kind = plumbline.SLILatency
	segment.SLO.Segment = "region=eu"
	for _, o := range []plumbline.Objective{latency, segment} {
		sql := parse(t, onCall(t, dashboards.WithObjectives(o))).Panels[0].Targets[0].RawSQL
		if !strings.Contains(sql, "'5m', 0.3, false, ") {
			t.Errorf("SLO on %s of segment %q: its target is taken for accuracy's:\n%s", o.SLO.SLI.Name(), o.SLO.Segment, sql)
		}
	}
}

func TestLinksFallBackToThePage(t *testing.T) {
	for name, opts := range map[string][]dashboards.Option{
		"nothing given": nil,
		"empty base":    {dashboards.WithPage(""), dashboards.WithRunbooks("/runbooks")},
	} {
		if raw := onCall(t, opts...); !bytes.Contains(raw, []byte(`"`+dashboards.DefaultPage+`/runbooks/slo-burn"`)) {
			t.Errorf("%s: no link to the default page's runbook", name)
		}
	}
}
