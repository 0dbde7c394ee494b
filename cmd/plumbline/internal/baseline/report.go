package baseline

import (
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"text/tabwriter"
)

// report says what the columns hold, and what of it is not counted well.
func (i *importer) report(out io.Writer) error {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "COLUMN\tROLE\tTYPE\tNULLS\tVALUES\tMIN\tMAX\tREMARK")
	var notes []string
	for _, p := range i.profiles {
		low, high := "", ""
		if p.finite > 0 {
			low, high = short(p.min), short(p.max)
		}
		remarks := p.remarks()
		words := make([]string, len(remarks))
		for j, r := range remarks {
			words[j] = string(r)
			if note := p.note(r); note != "" {
				notes = append(notes, note)
			}
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%s\t%s\t%s\t%s\n", printable(p.name), p.role, p.kind, p.nulls, p.distinct.text(), low, high, strings.Join(words, ", "))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for line := range strings.Lines(b.String()) {
		if _, err := fmt.Fprintln(out, strings.TrimRight(line, " \n")); err != nil {
			return err
		}
	}
	for _, note := range notes {
		if _, err := fmt.Fprintln(out, note); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(out, "%d rows, %d features\n", i.result.Rows, len(i.plan.features))
	return err
}

// note explains a remark about a column that is counted.
func (p *profile) note(r remark) string {
	name := printable(p.name)
	counted := p.role == "feature" || p.role == "score"
	switch {
	case r == remarkUnresolved && counted && p.odds:
		share, c := p.worst()
		return fmt.Sprintf("%s: unresolved: %s of its values, from %s to %s, share one bucket of the grid", name, percent(share), exact(c.lo), exact(c.hi))
	case r == remarkUnresolved && counted:
		share, c := p.worst()
		by := p.propose()
		text := fmt.Sprintf("%s: unresolved: %s of its values, from %s to %s, share one bucket of the grid; ", name, percent(share), exact(c.lo), exact(c.hi))
		if by.Worst > unresolvedShare {
			return text + fmt.Sprintf("no offset resolves it: after the best, %s, a bucket still holds %s", exact(by.Offset), percent(by.Worst))
		}
		return text + fmt.Sprintf("proposed: offset %s, scale %s, after which none holds more than %s; send that, since the grid takes no offsets yet", exact(by.Offset), exact(by.Scale), percent(by.Worst))
	case r == remarkIdentifier && p.role == "feature":
		return fmt.Sprintf("%s: looks like an identifier: %s values in %d rows; leave it out with --skip, or name it with --id-column%s", name, p.distinct.text(), p.rows, p.orTime())
	}
	return ""
}

// orTime is said of a column whose name is that of a time, which takes as many values.
func (p *profile) orTime() string {
	name := strings.ToLower(p.name)
	if name == "ts" || strings.HasSuffix(name, "_ts") || strings.Contains(name, "time") || strings.Contains(name, "date") {
		return ", or with --time-column if it is when the row was served"
	}
	return ""
}

// text is the number of values, marked where it is an estimate.
func (s *sketch) text() string {
	n := s.count()
	if !s.estimated() {
		return fmt.Sprintf("%.0f", n)
	}
	digit := math.Pow(10, math.Floor(math.Log10(n))-1)
	return fmt.Sprintf("~%.0f", math.Round(n/digit)*digit)
}

func percent(share float64) string { return strconv.FormatFloat(100*share, 'f', 1, 64) + " %" }

func short(x float64) string { return strconv.FormatFloat(x, 'g', 6, 64) }

// exact is all digits of a number, without an exponent up to 2^53.
func exact(x float64) string {
	if x > -1<<53 && x < 1<<53 {
		return strconv.FormatFloat(x, 'f', -1, 64)
	}
	return strconv.FormatFloat(x, 'g', -1, 64)
}

// printable keeps a stranger's name from moving the cursor or the columns.
func printable(name string) string {
	return strings.Map(func(r rune) rune {
		if !strconv.IsPrint(r) {
			return '·'
		}
		return r
	}, name)
}
