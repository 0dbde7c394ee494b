package calibration

import (
	"fmt"
	"runtime"
	"slices"
	"strings"

	"github.com/plumbline-slo/plumbline/analyze/drift/measure"
	"github.com/plumbline-slo/plumbline/testenv/figure"
)

// Page returns the tables of a run in Markdown.
func Page(c Config, commit string, cells []Cell, truths []Truth, figures []figure.Figure) string {
	var b strings.Builder
	fmt.Fprintf(&b, `# Calibration of the drift measures

Written by `+"`make calibration CALIBRATION_ARGS=\"-full -doc docs/calibration.md\"`"+`; do not edit. Seed %d, commit %s, %s on %s/%s with %d processors.

Both samples of a null are drawn from one distribution; a rate is the share of %d nulls whose p-value is at most 5 %% or 1 %%. Its own standard error at 10,000 nulls is .22 and .10 points. Wasserstein in standard deviations stands for Wasserstein on numbers; their p-values are the same.

The rows are %d of the %d combinations of the full form.

A rate may be low where the counts are so few that ties are great: no test of that distance attains the level there. The bar on the least rate is held where a limit distribution judged; and for sums over cells, Cramér-von Mises and Wasserstein also where every category is expected five times in both samples, and on untied numbers from 1,000 a side. TVD, L-infinity and KS are whole numbers of events between samples of one size: where they are judged given the pooled counts, tie for tie, a rate under the bar is that of the exact test.

## Figures

| figure | value | goal | |
|---|---|---|---|
`, c.Seed, commit, runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), c.Nulls, len(cells), len(c.Cells()))
	for _, f := range figures {
		met := "met"
		if !f.Met {
			met = "**not met**"
		}
		fmt.Fprintf(&b, "| %s | %.3g %s | %s | %s |\n", f.Name, f.Value, f.Unit, f.Goal, met)
	}
	b.WriteString("\n## Categories: rate at 5 % / at 1 %, in per cent\n\n")
	rates(&b, slices.DeleteFunc(slices.Clone(cells), func(c Cell) bool { return c.Kind != "" }))
	b.WriteString("\n## Numbers: rate at 5 % / at 1 %, in per cent\n\n")
	rates(&b, slices.DeleteFunc(slices.Clone(cells), func(c Cell) bool { return c.Kind == "" }))
	fmt.Fprintf(&b, "\n## Intervals: share that holds the true distance, in per cent, of %d pairs; nominal 95\n\n", c.Pairs)
	coverage(&b, truths)
	return b.String()
}

// columns returns the measures of which has is true, and writes the head of a
// table of them.
func columns(b *strings.Builder, first string, has func(measure.ID) bool) []measure.ID {
	var ids []measure.ID
	fmt.Fprintf(b, "| %s |", first)
	for _, d := range measure.Table() {
		if has(d.ID) {
			ids = append(ids, d.ID)
			fmt.Fprintf(b, " %s |", d.ID)
		}
	}
	fmt.Fprintf(b, "\n|---|%s\n", strings.Repeat("---|", len(ids)))
	return ids
}

func rates(b *strings.Builder, cells []Cell) {
	ids := columns(b, "null", func(id measure.ID) bool {
		return slices.ContainsFunc(cells, func(c Cell) bool { _, ok := c.Five[id]; return ok })
	})
	for _, c := range cells {
		fmt.Fprintf(b, "| %s |", c)
		for _, id := range ids {
			fmt.Fprintf(b, " %.1f / %.2f |", 100*c.Five[id], 100*c.One[id])
		}
		b.WriteString("\n")
	}
}

func coverage(b *strings.Builder, truths []Truth) {
	ids := columns(b, "truth", func(measure.ID) bool { return true })
	for _, t := range truths {
		fmt.Fprintf(b, "| %s |", t.Name)
		for _, id := range ids {
			held, ok := t.Held[id]
			if ok {
				fmt.Fprintf(b, " %.1f |", 100*held)
			} else {
				b.WriteString(" |")
			}
		}
		b.WriteString("\n")
	}
}
