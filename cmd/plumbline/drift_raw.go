package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/alecthomas/kingpin/v2"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/analyze/dialect"
	"github.com/plumbline-slo/plumbline/analyze/drift"
	"github.com/plumbline-slo/plumbline/analyze/drift/ask"
	"github.com/plumbline-slo/plumbline/analyze/drift/measure"
	"github.com/plumbline-slo/plumbline/analyze/drift/multivariate"
	"github.com/plumbline-slo/plumbline/analyze/drift/rows"
	"github.com/plumbline-slo/plumbline/cmd/plumbline/internal/app"
	"github.com/plumbline-slo/plumbline/cmd/plumbline/internal/peers"
	"github.com/plumbline-slo/plumbline/storage"
)

// Rows read a side where --rows says nothing: a dialect is fast, and a
// classifier is sure of an area to a point with ten thousand.
const (
	dialectRows      = 100_000
	multivariateRows = 10_000
)

// rawFlags are the flags of what is computed from raw rows, on demand.
type rawFlags struct {
	dialect, positive *string
	measures          *[]string
	chunk, rows       *int
	multivariate      *bool
}

func addRawFlags(clause *kingpin.CmdClause) rawFlags {
	return rawFlags{
		dialect:      clause.Flag("dialect", "Print what a peer would have, from raw rows: nannyml, evidently, deequ, sagemaker, azure, vertex, databricks; help lists them.").String(),
		measures:     clause.Flag("dialect.measure", "Measure of the dialect; may be repeated. Default: the peer's.").Strings(),
		chunk:        clause.Flag("dialect.chunk", "Rows of a chunk, for nannyml. Default: ten chunks.").Int(),
		positive:     clause.Flag("dialect.positive", "Class that the score is the probability of, for nannyml's CBPE. Default: the one with higher scores.").String(),
		multivariate: clause.Flag("multivariate", "Say how well a classifier tells the rows of the window from the reference's, from raw rows.").Bool(),
		rows:         clause.Flag("rows", "Most raw rows to read a side. Default: 100000 for a dialect, 10000 for --multivariate.").Int(),
	}
}

// wanted reports whether raw rows are asked for; the other flags say nothing
// without.
func (f rawFlags) wanted() (bool, error) {
	if *f.dialect != "" || *f.multivariate {
		return true, nil
	}
	if len(*f.measures) > 0 || *f.chunk != 0 || *f.positive != "" || *f.rows != 0 {
		return false, errors.New("--rows and --dialect.*: only with --dialect or --multivariate")
	}
	return false, nil
}

// options reads the flags, and names every mistake.
func (f rawFlags) options(q ask.Question) (peers.Options, error) {
	if *f.dialect != "" && *f.multivariate {
		return peers.Options{}, errors.New("--dialect and --multivariate: ask one at a time")
	}
	if *f.rows < 0 {
		return peers.Options{}, fmt.Errorf("--rows %d: must be positive", *f.rows)
	}
	o := peers.Options{Peer: dialect.Name(*f.dialect), Chunks: dialect.Chunks{Size: *f.chunk}, Positive: *f.positive}
	for _, m := range *f.measures {
		o.Measures = append(o.Measures, dialect.Measure(m))
	}
	for _, s := range q.Series {
		if feature, ok := s.Feature(); ok {
			o.Features = append(o.Features, feature)
		}
	}
	if *f.multivariate {
		if len(o.Measures) > 0 || o.Chunks.Size != 0 || o.Positive != "" {
			return peers.Options{}, errors.New("--dialect.measure, --dialect.chunk and --dialect.positive: only with --dialect")
		}
		return o, nil
	}
	if err := o.Validate(); err != nil {
		return peers.Options{}, fmt.Errorf("--dialect: %w; --dialect help lists them all", err)
	}
	return o, nil
}

// limit is how many rows are read a side.
func (f rawFlags) limit() int {
	switch {
	case *f.rows > 0:
		return *f.rows
	case *f.multivariate:
		return multivariateRows
	}
	return dialectRows
}

// driftRaw answers from raw rows, beside what the rollups say.
func (c *cli) driftRaw(ctx context.Context, w where, q ask.Question, f rawFlags, asJSON bool) error {
	o, err := f.options(q)
	if err != nil {
		return usageError{err}
	}
	answer, err := askDrift(ctx, w, q)
	if err != nil {
		return err
	}
	if !asJSON {
		fmt.Fprintf(c.stdout, "model %s, stage %s: %s to %s\n", oneLine(string(answer.Model)), answer.Stage, clock(answer.From), clock(answer.To))
	}
	read := func(ctx context.Context, queries []drift.Query) (rows.Table, error) {
		return readRows(ctx, w, rows.Query{Windows: queries, Limit: f.limit(), Labels: o.Peer == dialect.NannyML})
	}
	sides := rawSides{answer: answer, options: o, read: read}
	if *f.multivariate {
		return sides.multivariate(ctx, c.stdout, asJSON)
	}
	return sides.dialect(ctx, c.stdout, asJSON)
}

func readRows(ctx context.Context, w where, q rows.Query) (rows.Table, error) {
	return asking(w, func(_ app.Config, db *storage.DB) (rows.Table, error) {
		return rows.Reader{Conn: db.Conn()}.Read(ctx, q)
	})
}

// rawSides reads the window once and each reference in turn.
type rawSides struct {
	answer  ask.Answer
	options peers.Options
	read    func(context.Context, []drift.Query) (rows.Table, error)
}

// each calls visit with every reference's rows and the window's. A reference
// that is missing is said to be.
func (s rawSides) each(ctx context.Context, visit func(r ask.Resolved, reference, current rows.Table) error, missing func(name, why string) error) error {
	window := drift.Query{Model: s.answer.Model, Deploys: s.answer.Deploys, Stage: s.answer.Stage, Segment: s.answer.Segment, From: s.answer.From, To: s.answer.To}
	current, err := s.read(ctx, []drift.Query{window})
	if err != nil {
		return err
	}
	for _, r := range s.answer.References {
		if r.Missing != "" {
			if err := missing(r.Asked.String(), r.Missing); err != nil {
				return err
			}
			continue
		}
		reference, err := s.read(ctx, r.Queries)
		if err != nil {
			return err
		}
		if err := visit(r, reference, current); err != nil {
			return err
		}
	}
	return nil
}

// missingReference is a reference that there are no rows of.
type missingReference struct {
	Reference string `json:"reference"`
	Missing   string `json:"missing"`
}

func (s rawSides) dialect(ctx context.Context, out io.Writer, asJSON bool) error {
	var reports []peers.Report
	missing := []missingReference{}
	err := s.each(ctx, func(r ask.Resolved, reference, current rows.Table) error {
		name := r.Asked.String()
		report, err := peers.Speak(reference, current, s.options)
		if err != nil {
			return err
		}
		report.Reference = name
		report.ReferenceDeliveries, report.Deliveries = r.Window.Deliveries, s.answer.Current.Deliveries
		reports = append(reports, report)
		if asJSON {
			return nil
		}
		return report.Print(out, func(f plumbline.Feature) string { return s.ours(name, f) })
	}, s.missing(out, asJSON, &missing))
	if err != nil || !asJSON {
		return err
	}
	return writeJSON(out, struct {
		Dialect   []peers.Report     `json:"dialect"`
		Missing   []missingReference `json:"missing"`
		Plumbline ask.Answer         `json:"plumbline"`
	}{reports, missing, s.answer})
}

// missing notes or prints that a reference is missing.
func (s rawSides) missing(out io.Writer, asJSON bool, all *[]missingReference) func(name, why string) error {
	return func(name, why string) error {
		*all = append(*all, missingReference{name, why})
		if asJSON {
			return nil
		}
		_, err := fmt.Fprintf(out, "reference %s: missing: %s\n", name, why)
		return err
	}
}

// ours is what the rollups say of a feature against a reference, in words.
func (s rawSides) ours(reference string, f plumbline.Feature) string {
	var said *ask.Row
	for i, r := range s.answer.Rows {
		if r.Reference != reference || r.Feature != f {
			continue
		}
		// Rows come in the order of their effects: the first breach says most, and
		// PSI is what everybody knows.
		if r.Verdict == plumbline.VerdictBreach {
			said = &s.answer.Rows[i]
			break
		}
		if said == nil || r.Measure == measure.PSI {
			said = &s.answer.Rows[i]
		}
	}
	if said == nil {
		return "-"
	}
	return fmt.Sprintf("%s: %s %s, noise %s", said.Verdict, said.Measure, digits(said.Value), digits(said.NullMean))
}

// told is how well the windows can be told apart.
type told struct {
	Reference string              `json:"reference"`
	Result    multivariate.Result `json:"result"`
}

func (s rawSides) multivariate(ctx context.Context, out io.Writer, asJSON bool) error {
	all := []told{}
	missing := []missingReference{}
	err := s.each(ctx, func(r ask.Resolved, reference, current rows.Table) error {
		name := r.Asked.String()
		if len(s.options.Features) > 0 {
			reference, current = reference.Only(s.options.Features), current.Only(s.options.Features)
		}
		result, err := multivariate.Compare(reference, current, multivariate.DefaultOptions())
		if err != nil {
			return err
		}
		all = append(all, told{name, result})
		if asJSON {
			return nil
		}
		fmt.Fprintf(out, "reference %s: %s; window: %s\n", name,
			peers.RowsRead(result.Reference, result.ReferenceTotal, r.Window.Deliveries), peers.RowsRead(result.Current, result.CurrentTotal, s.answer.Current.Deliveries))
		return printTold(out, result)
	}, s.missing(out, asJSON, &missing))
	if err != nil || !asJSON {
		return err
	}
	return writeJSON(out, struct {
		Multivariate []told             `json:"multivariate"`
		Missing      []missingReference `json:"missing"`
	}{all, missing})
}

// shownWeights is how many features have words.
const shownWeights = 5

func printTold(out io.Writer, r multivariate.Result) error {
	if r.Verdict == plumbline.VerdictInsufficient {
		_, err := fmt.Fprintf(out, "%s: at least %d rows a side are needed\n", r.Verdict, multivariate.DefaultOptions().MinRows)
		return err
	}
	fmt.Fprintf(out, "%s: a classifier tells them apart with an area of %s (%s to %s; 0.5 is not at all), p = %s\n", r.Verdict, digits(r.AUC), digits(r.Low), digits(r.High), digits(r.P))
	var features []string
	for i, w := range r.Weights {
		if i == shownWeights || w.Share < 0.01 {
			break
		}
		features = append(features, fmt.Sprintf("%s %.0f %%", strconv.Quote(string(w.Feature)), 100*w.Share))
	}
	if r.Verdict == plumbline.VerdictBreach && len(features) > 0 {
		fmt.Fprintf(out, "by %s\n", strings.Join(features, ", "))
	}
	_, err := fmt.Fprintf(out, "it rests on: %s\n", r.Assumes)
	return err
}

// printWhy writes what carries each alarm.
func printWhy(out io.Writer, a ask.Answer) error {
	if len(a.Why) == 0 {
		said := "nothing is in breach"
		if !slices.ContainsFunc(a.Rows, func(r ask.Row) bool { return r.Verdict != plumbline.VerdictMissing }) {
			said = "nothing could be compared" // which is not the same as well
		}
		_, err := fmt.Fprintf(out, "\nwhy: %s\n", said)
		return err
	}
	for _, w := range a.Why {
		fmt.Fprintf(out, "\nwhy, against %s:\n", w.Reference)
		for _, line := range w.Lines() {
			fmt.Fprintf(out, "  %s\n", line)
		}
		if w.Left > 0 {
			fmt.Fprintf(out, "  %d more in breach are not taken apart\n", w.Left)
		}
	}
	return nil
}
