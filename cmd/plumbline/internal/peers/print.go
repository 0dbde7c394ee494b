package peers

import (
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"text/tabwriter"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/analyze/dialect"
)

// List prints every dialect with what it rests on.
func List(out io.Writer) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "DIALECT\tVERSION\tLABEL\tMEASURES\tSOURCE")
	for _, p := range dialect.Peers() {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", p.Name, p.Version, p.Fidelity, measures(p.Measures), p.Source)
	}
	fmt.Fprintln(table, "\nexact: written from the peer's source; documented: from its pages, so bins and bases of logarithms are our reading. See docs/dialects.md.")
	return table.Flush()
}

func measures(ids []dialect.Measure) string {
	var names []string
	for _, id := range ids {
		names = append(names, string(id))
	}
	return strings.Join(names, ",")
}

// Print writes the report for people. ours says what Plumbline says of a
// feature.
func (r Report) Print(out io.Writer, ours func(plumbline.Feature) string) error {
	fmt.Fprintf(out, "dialect %s %s (%s), from %s\n", r.Peer.Name, r.Peer.Version, r.Peer.Fidelity, r.Peer.Source)
	fmt.Fprintf(out, "reference %s: %s; window: %s\n\n", r.Reference,
		RowsRead(r.ReferenceRows, r.ReferenceTotal, r.ReferenceDeliveries), RowsRead(r.Rows, r.Total, r.Deliveries))
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(table, "FEATURE\tCHUNK\tMEASURE\tVALUE\tP\tTHRESHOLD\t%s\tPLUMBLINE\n", strings.ToUpper(string(r.Peer.Name)))
	for i, c := range r.Columns {
		own := ""
		if i == 0 || r.Columns[i-1].Feature != c.Feature {
			own = ours(c.Feature)
		}
		if c.Refused != "" {
			fmt.Fprintf(table, "%s\t-\t-\t-\t-\t-\trefused: %s\t%s\n", strconv.Quote(string(c.Feature)), c.Refused, own)
			continue
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", strconv.Quote(string(c.Feature)), dash(c.Chunk), c.Measure, digits(c.Value), digits(c.P), digits(c.Threshold), c.Verdict(), own)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	return r.summary(out)
}

// summary writes what is about all columns.
func (r Report) summary(out io.Writer) error {
	if r.Dataset != "" {
		fmt.Fprintf(out, "\nall columns together: %s\n", r.Dataset)
	}
	if r.NoPerformance != "" {
		fmt.Fprintf(out, "\nperformance is not estimated: %s\n", r.NoPerformance)
	}
	if len(r.Performance) == 0 {
		return nil
	}
	fmt.Fprintln(out, "\nestimated performance (CBPE):")
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "CHUNK\tMETRIC\tVALUE\tSAMPLING ERROR\tBAND\tTHRESHOLDS\tVERDICT")
	for _, e := range r.Performance {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s to %s\t%s to %s\t%s\n", e.Chunk, e.Metric, digits(e.Value), digits(e.SamplingError),
			digits(e.Low), digits(e.High), digits(e.Lower), digits(e.Upper), alert(e.Alert))
	}
	return table.Flush()
}

// RowsRead says how many of the stored rows were read, and whether more were
// delivered, as the rollups count. A peer would have taken all.
func RowsRead(rows int, total, deliveries uint64) string {
	words := fmt.Sprintf("all %d rows", rows)
	if uint64(rows) != total {
		words = fmt.Sprintf("a sample of %d of %d rows", rows, total)
	}
	if deliveries > total {
		words += fmt.Sprintf(" (%d were delivered: the others have expired, or were sampled or left out)", deliveries)
	}
	return words
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// digits prints as many as the peers' published figures have.
func digits(v float64) string {
	if math.IsNaN(v) {
		return "-"
	}
	return strconv.FormatFloat(v, 'g', 6, 64)
}
