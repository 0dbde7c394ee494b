package figure_test

import (
	"bytes"
	"math"
	"testing"

	"github.com/plumbline-slo/plumbline/testenv/figure"
)

func TestPrint(t *testing.T) {
	var lines, table bytes.Buffer
	err := figure.Print(&lines, &table,
		figure.AtMost("idle memory", 612.5, "MB", 600),
		figure.AtLeast("drop", 21, "points", 15),
		figure.Exactly("lost", 0, "events", 0),
		figure.AtMost("latency", math.NaN(), "s", 1))
	if err != nil {
		t.Fatal(err)
	}
	want := `{"figure":"idle memory","value":612.5,"unit":"MB","goal":"<= 600","met":false}
{"figure":"drop","value":21,"unit":"points","goal":">= 15","met":true}
{"figure":"lost","value":0,"unit":"events","goal":"= 0","met":true}
{"figure":"latency","value":-1,"unit":"s","goal":"<= 1","met":false}
`
	if lines.String() != want {
		t.Errorf("lines:\n%s\nwant:\n%s", lines.String(), want)
	}
	if n := bytes.Count(table.Bytes(), []byte("NOT MET")); n != 2 {
		t.Errorf("the table says NOT MET %d times, want 2:\n%s", n, table.String())
	}
}
