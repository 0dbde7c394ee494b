package segment_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ClickHouse/clickhouse-go/v2"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/ingest/segment"
	"github.com/plumbline-slo/plumbline/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }

func many(n int) []string {
	values := make([]string, n)
	for i := range values {
		values[i] = fmt.Sprint("v", i)
	}
	return values
}

func TestDeclarationsAreChecked(t *testing.T) {
	region := segment.Segment{Name: "region", Values: []string{"eu", "us"}}
	device := segment.Segment{Name: "device", Values: many(20)}
	for name, tt := range map[string]struct {
		model segment.Model
		want  string // empty: valid
	}{
		"nothing":            {segment.Model{}, ""},
		"two and a joint":    {segment.Model{Segments: []segment.Segment{region, device, {Joint: []string{"region", "device"}}}}, ""},
		"a value with =":     {segment.Model{Segments: []segment.Segment{{Name: "q", Values: []string{"a=b"}}}}, ""},
		"cap raised":         {segment.Model{Segments: []segment.Segment{{Name: "q", Values: many(30), Cap: 30}}}, ""},
		"twice":              {segment.Model{Segments: []segment.Segment{region, region}}, `segments[1].name: "region" stands twice`},
		"no name":            {segment.Model{Segments: []segment.Segment{{Values: []string{"a"}}}}, "segments[0].name"},
		"= in a name":        {segment.Model{Segments: []segment.Segment{{Name: "a=b", Values: []string{"a"}}}}, "'=' or ','"},
		", in a name":        {segment.Model{Segments: []segment.Segment{{Name: "a,b", Values: []string{"a"}}}}, "'=' or ','"},
		", in a value":       {segment.Model{Segments: []segment.Segment{{Name: "q", Values: []string{"a,b"}}}}, "contains ','"},
		"no values":          {segment.Model{Segments: []segment.Segment{{Name: "q"}}}, "segments[0].values: none"},
		"an empty value":     {segment.Model{Segments: []segment.Segment{{Name: "q", Values: []string{""}}}}, "1 to 256 bytes"},
		"a value twice":      {segment.Model{Segments: []segment.Segment{{Name: "q", Values: []string{"a", "a"}}}}, `"a" stands twice`},
		"other":              {segment.Model{Segments: []segment.Segment{{Name: "q", Values: []string{"other"}}}}, "leave it out"},
		"over the cap":       {segment.Model{Segments: []segment.Segment{{Name: "q", Values: many(21)}}}, "21 values are more than the cap of 20"},
		"a negative cap":     {segment.Model{Segments: []segment.Segment{{Name: "q", Values: []string{"a"}, Cap: -1}}}, "segments[0].cap"},
		"joint of one":       {segment.Model{Segments: []segment.Segment{region, {Joint: []string{"region"}}}}, "at least two"},
		"joint of unknown":   {segment.Model{Segments: []segment.Segment{region, {Joint: []string{"region", "device"}}}}, `"device" is no segment of this model`},
		"joint with itself":  {segment.Model{Segments: []segment.Segment{region, {Joint: []string{"region", "region"}}}}, "stands twice"},
		"joint with a name":  {segment.Model{Segments: []segment.Segment{region, device, {Name: "x", Joint: []string{"region", "device"}}}}, "beside name"},
		"joint twice":        {segment.Model{Segments: []segment.Segment{region, device, {Joint: []string{"region", "device"}}, {Joint: []string{"device", "region"}}}}, "declared already"},
		"over the budget":    {segment.Model{Budget: 60, Segments: []segment.Segment{region, device, {Joint: []string{"region", "device"}}}}, "are 87 segments, more than the budget of 60"},
		"over the default":   {segment.Model{Segments: []segment.Segment{device, {Name: "q", Values: many(20)}, {Joint: []string{"device", "q"}}}}, "are 483 segments, more than the budget of 200"},
		"a negative budget":  {segment.Model{Budget: -1}, "segment_budget: -1"},
		"a huge budget":      {segment.Model{Budget: 1e6}, "segment_budget: 1000000 is more than 2000"},
		"an overflow":        {segment.Model{Segments: []segment.Segment{device, {Joint: slices.Repeat([]string{"device"}, 40)}}}, "more than the budget"},
		"every mistake told": {segment.Model{Segments: []segment.Segment{{Name: "a,b"}}}, ".values: none"},
	} {
		err := tt.model.Validate()
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
}

func TestIDNamesWhatIsDeclared(t *testing.T) {
	declared := func(segments ...segment.Segment) segment.Declared {
		return segment.Declared{"m": {Segments: segments}}
	}
	a, b := segment.Segment{Name: "a", Values: []string{"x", "y"}}, segment.Segment{Name: "b", Values: []string{"z"}}
	if id := (segment.Declared{"m": {}}).ID(); id != "" {
		t.Errorf("nothing is declared and has the ID %q", id)
	}
	one := declared(a, b).ID()
	if same := declared(b, segment.Segment{Name: "a", Values: []string{"y", "x"}, Cap: 30}).ID(); len(one) != 8 || same != one {
		t.Errorf("the same segments in another order: %q and %q", one, same)
	}
	for name, other := range map[string]segment.Declared{
		"fewer": declared(a), "a joint one": declared(a, b, segment.Segment{Joint: []string{"a", "b"}}),
		"another value": declared(a, segment.Segment{Name: "b", Values: []string{"w"}}), "another model": {"n": declared(a, b)["m"]},
	} {
		if other.ID() == one {
			t.Errorf("%s: the same ID", name)
		}
	}
}

// The expression reaches ClickHouse with names of every kind as a parameter.
func TestSQLNamesTheSegmentsOfARow(t *testing.T) {
	env := testenv.Start(t, testenv.Setup{})
	const odd = `o'd\d` + "\t\n" + `"é`
	declared := segment.Declared{
		odd: {Segments: []segment.Segment{
			{Name: "region", Values: []string{"eu", odd}}, {Name: odd, Values: []string{"a=b"}}, {Joint: []string{odd, "region"}}}},
		"plain": {Segments: []segment.Segment{{Name: "region", Values: []string{"us"}}}},
	}
	if err := declared.Validate(); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		model    string
		segments map[string]string
		want     []string
	}{
		"none carried":    {odd, nil, []string{}},
		"listed":          {odd, map[string]string{"region": "eu"}, []string{"region=eu"}},
		"odd":             {odd, map[string]string{"region": odd}, []string{"region=" + odd}},
		"not listed":      {odd, map[string]string{"region": "us", "more": "eu"}, []string{"region=other"}},
		"empty":           {odd, map[string]string{"region": ""}, []string{"region=other"}},
		"both":            {odd, map[string]string{"region": "eu", odd: "a=b"}, []string{"region=eu", odd + "=a=b", odd + "=a=b,region=eu"}},
		"another model":   {"plain", map[string]string{"region": "eu", odd: "x"}, []string{"region=other"}},
		"nothing for it":  {"unknown", map[string]string{"region": "eu"}, []string{}},
		"literally other": {odd, map[string]string{"region": "other"}, []string{"region=other"}},
	} {
		var got []string
		row := env.DB.Conn().QueryRow(t.Context(), "WITH CAST({keys:Array(String)}, 'Array(LowCardinality(String))') AS k, mapFromArrays(k, {values:Array(String)}) AS segments, toLowCardinality({model:String}) AS model SELECT "+segment.SQL,
			clickhouse.Named("keys", keys(tt.segments)), clickhouse.Named("values", values(tt.segments)), clickhouse.Named("model", tt.model), declared.Parameter())
		if err := row.Scan(&got); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}

// The statements of docs/segments.md run.
func TestDocumentedStatementsRun(t *testing.T) {
	env := testenv.Start(t, testenv.Setup{})
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "segments.md"))
	if err != nil {
		t.Fatal(err)
	}
	statements := strings.Split(string(text), "```sql\n")[1:]
	if len(statements) != 3 {
		t.Errorf("%d statements, want 3", len(statements))
	}
	for _, statement := range statements {
		statement, _, _ = strings.Cut(statement, "```")
		if err := env.DB.Conn().Exec(t.Context(), statement); err != nil {
			t.Errorf("%s: %v", statement, err)
		}
	}
}

func keys(m map[string]string) []string {
	keys := []string{}
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func values(m map[string]string) []string {
	values := []string{}
	for _, k := range keys(m) {
		values = append(values, m[k])
	}
	return values
}

// All declarations travel with every statement.
func TestDeclarationsFitIntoAStatement(t *testing.T) {
	declared := func(models int) segment.Declared {
		d := segment.Declared{}
		for i := range models {
			d[plumbline.Model(fmt.Sprintf("model-%d", i))] = segment.Model{Segments: []segment.Segment{{Name: "region", Values: many(20)}, {Name: "device", Values: many(5)}}}
		}
		return d
	}
	if err := declared(100).Validate(); err != nil {
		t.Error(err)
	}
	if err := declared(2000).Validate(); err == nil || !strings.Contains(err.Error(), "segments of 2000 models") {
		t.Errorf("2000 models: %v", err)
	}
}
