package peers

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/analyze/dialect"
	"github.com/plumbline-slo/plumbline/analyze/drift/rows"
)

// table has n rows: a number that is shifted, a word, a column of both kinds
// where mixed, scores and labels of two classes.
func table(n int, shift float64, mixed bool) rows.Table {
	t := rows.Table{Total: uint64(n), Times: make([]time.Time, n), Numbers: map[plumbline.Feature][]float64{}, Words: map[plumbline.Feature]rows.Words{}}
	words := rows.Words{Values: make([]string, n), Null: make([]bool, n)}
	for i := range n {
		t.Numbers["amount"] = append(t.Numbers["amount"], float64(i*337%500)+shift)
		words.Values[i], words.Null[i] = fmt.Sprint("c", i%4), i%11 == 0
		score := (float64(i*37%100) + .5) / 100
		t.Scores = append(t.Scores, score)
		t.Predicted = append(t.Predicted, map[bool]string{true: "yes", false: "no"}[score > .5])
		t.Labels = append(t.Labels, map[bool]string{true: "yes", false: "no"}[i*37%100 > i*61%100])
	}
	t.Words["country"] = words
	if mixed {
		t.Numbers["both"], t.Words["both"] = t.Numbers["amount"], words
	}
	return t
}

func find(t *testing.T, r Report, f plumbline.Feature) Column {
	t.Helper()
	for _, c := range r.Columns {
		if c.Feature == f {
			return c
		}
	}
	t.Fatalf("no column %q", f)
	return Column{}
}

// Every peer speaks: what it can judge it judges, what it cannot it refuses in
// words, and its label is there.
func TestEveryPeerSpeaks(t *testing.T) {
	reference, current := table(1200, 0, true), table(400, 300, true)
	delete(current.Numbers, "gone")
	reference.Numbers["gone"] = reference.Numbers["amount"]
	for _, p := range dialect.Peers() {
		r, err := Speak(reference, current, Options{Peer: p.Name})
		if err != nil {
			t.Fatal(err)
		}
		amount := find(t, r, "amount")
		if amount.Refused != "" || !(amount.Value > 0) || !amount.Alert && amount.Verdict() != "no threshold" {
			t.Errorf("%s of amount: %+v", p.Name, amount)
		}
		if c := find(t, r, "country"); c.Refused != "" || c.Alert {
			t.Errorf("%s of country: %+v", p.Name, c)
		}
		if c := find(t, r, "both"); c.Verdict() != "refused" || !strings.Contains(c.Refused, "numbers and words") {
			t.Errorf("%s of a column of two kinds: %+v", p.Name, c)
		}
		if c := find(t, r, "gone"); c.Refused != "window: no row has a value" {
			t.Errorf("%s of a column that is gone: %+v", p.Name, c)
		}
		var text bytes.Buffer
		if err := r.Print(&text, func(plumbline.Feature) string { return "ours" }); err != nil {
			t.Fatal(err)
		}
		if want := fmt.Sprintf("dialect %s %s (%s)", p.Name, p.Version, p.Fidelity); !strings.Contains(text.String(), want) {
			t.Errorf("no %q in %s", want, text.String())
		}
		body, err := json.Marshal(r)
		if err != nil || !json.Valid(body) {
			t.Errorf("%s: JSON %v", p.Name, err)
		}
		if (p.Name == dialect.Evidently) != (r.Dataset != "") || (p.Name == dialect.NannyML) != (len(r.Performance) == 30) {
			t.Errorf("%s: all columns %q, %d estimates, %q", p.Name, r.Dataset, len(r.Performance), r.NoPerformance)
		}
	}
}

// The command prints what the package of the maths computes on the same rows.
func TestPerformanceIsTheDialects(t *testing.T) {
	reference, current := table(1000, 0, false), table(500, 0, false)
	reference.Labels[3], reference.Scores[7], reference.Predicted[9] = "", math.NaN(), ""
	r, err := Speak(reference, current, Options{Peer: dialect.NannyML, Chunks: dialect.Chunks{Size: 250}})
	if err != nil {
		t.Fatal(err)
	}
	before, truth := predictions(reference, "yes", true)
	if len(truth) != 997 {
		t.Fatalf("%d rows", len(truth))
	}
	chunks, err := dialect.ChunksOf(997, 250)
	if err != nil {
		t.Fatal(err)
	}
	fit, err := dialect.FitCBPE(before, truth, chunks)
	if err != nil {
		t.Fatal(err)
	}
	after, _ := predictions(current, "yes", false)
	want, err := fit.Estimate(dialect.ROCAUC, after.Rows(250, 500))
	if err != nil {
		t.Fatal(err)
	}
	if got := r.Performance[1]; got.Chunk != "[250:499]" || got.Estimate != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func TestPerformanceIsRefusedInWords(t *testing.T) {
	good := table(300, 0, false)
	for want, change := range map[string]func(reference, current *rows.Table) string{
		"no row of the reference has a score and a label": func(r, _ *rows.Table) string { r.Labels = make([]string, 300); return "" },
		"the reference's labels have 3 classes":           func(r, _ *rows.Table) string { r.Labels[0] = "maybe"; return "" },
		`no label of the reference is "1"`:                func(*rows.Table, *rows.Table) string { return "1" },
		"no row of the window has a score and a class":    func(_, c *rows.Table) string { c.Predicted = make([]string, 300); return "" },
		"a score is 7: it must be a probability":          func(_, c *rows.Table) string { c.Scores[5] = 7; return "" },
	} {
		reference, current := table(300, 0, false), table(300, 0, false)
		r, err := Speak(reference, current, Options{Peer: dialect.NannyML, Positive: change(&reference, &current)})
		if err != nil || !strings.Contains(r.NoPerformance, want) {
			t.Errorf("%q, %v, want %q", r.NoPerformance, err, want)
		}
	}
	if class, err := positiveClass(good, ""); class != "yes" || err != nil {
		t.Errorf("the positive class is %q, %v", class, err)
	}
}

func TestOptionsAreValidated(t *testing.T) {
	for want, o := range map[string]Options{
		`dialect "arize": there is none`:                                          {Peer: "arize"},
		`dialect vertex has no measure "psi": it has [l_infinity jensen_shannon]`: {Peer: dialect.Vertex, Measures: []dialect.Measure{dialect.PSI}},
		"dialect azure knows neither chunks nor a positive class":                 {Peer: dialect.Azure, Chunks: dialect.Chunks{Size: 5}},
		"chunks of -1 rows": {Peer: dialect.NannyML, Chunks: dialect.Chunks{Size: -1}},
	} {
		if _, err := Speak(rows.Table{}, rows.Table{}, o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", o, err, want)
		}
	}
}

func TestRowsReadAreHonest(t *testing.T) {
	for want, got := range map[string]string{
		"all 5 rows":              RowsRead(5, 5, 5),
		"a sample of 5 of 9 rows": RowsRead(5, 9, 9),
		"all 5 rows (7 were delivered: the others have expired, or were sampled or left out)": RowsRead(5, 5, 7),
	} {
		if got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

func TestListNamesEveryPeer(t *testing.T) {
	var out bytes.Buffer
	if err := List(&out); err != nil {
		t.Fatal(err)
	}
	for _, p := range dialect.Peers() {
		if !strings.Contains(out.String(), string(p.Name)) || !strings.Contains(out.String(), p.Version) {
			t.Errorf("no %s %s in %s", p.Name, p.Version, out.String())
		}
	}
}
