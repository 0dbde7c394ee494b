package app

import (
	"slices"
	"testing"

	qualityask "github.com/plumbline-slo/plumbline/analyze/quality/ask"
	"github.com/plumbline-slo/plumbline/analyze/quality/cause"
)

// The shares are worked out by hand from Kitagawa's formula.
func TestDropWords(t *testing.T) {
	for name, c := range map[string]struct {
		by     string
		spread float64
		cells  []cause.Cell
		want   []string
	}{
		// 80 % before, 60 % after: the new deploy took over whole.
		"a deploy took over": {"deploy", 1, []cause.Cell{
			{Name: "old", BeforeN: 100, BeforeSum: 80}, {Name: "new", AfterN: 100, AfterSum: 60},
		}, []string{`deploy "new", which is new, carries 100 % of the drop in accuracy with 100 % of the labelled predictions`}},
		// eu, half of both: 80 % to 40 %; us stays at 80 %: all of the 20 points.
		"one segment fell": {"segment region", 1, []cause.Cell{
			{Name: "eu", BeforeN: 50, BeforeSum: 40, AfterN: 50, AfterSum: 20}, {Name: "us", BeforeN: 50, BeforeSum: 40, AfterN: 50, AfterSum: 40},
		}, []string{`segment region "eu" carries 100 % of the drop in accuracy with 50 % of the labelled predictions, 80 % → 40 %`}},
		// 80 % before, 70 % after; the new one, with a quarter, is little worse than the old.
		"a new deploy much like the old one": {"deploy", 1, []cause.Cell{
			{Name: "old", BeforeN: 400, BeforeSum: 320, AfterN: 300, AfterSum: 214}, {Name: "new", AfterN: 100, AfterSum: 66},
		}, nil},
		// Both fall alike: each carries its share, which explains nothing.
		"all fell alike": {"segment region", 1, []cause.Cell{
			{Name: "eu", BeforeN: 50, BeforeSum: 40, AfterN: 50, AfterSum: 30}, {Name: "us", BeforeN: 50, BeforeSum: 40, AfterN: 50, AfterSum: 30},
		}, nil},
		"even beyond noise": {"segment region", 0, []cause.Cell{
			{Name: "eu", BeforeN: 50, BeforeSum: 40, AfterN: 50, AfterSum: 20}, {Name: "us", BeforeN: 50, BeforeSum: 40, AfterN: 50, AfterSum: 40},
		}, nil},
		"it rose": {"deploy", 1, []cause.Cell{
			{Name: "old", BeforeN: 100, BeforeSum: 60}, {Name: "new", AfterN: 100, AfterSum: 80},
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			d, err := cause.Decompose(c.cells)
			if err != nil {
				t.Fatal(err)
			}
			if got := dropWords([]qualityask.Way{{By: c.by, Spread: c.spread, Decomposition: d}}, "accuracy", "labelled predictions"); !slices.Equal(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}
