package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/plumbline-slo/plumbline/analyze/quality/ask"
	"github.com/plumbline-slo/plumbline/analyze/quality/history"
	"github.com/plumbline-slo/plumbline/analyze/quality/metric"
	"github.com/plumbline-slo/plumbline/cmd/plumbline/internal/app"
	"github.com/plumbline-slo/plumbline/storage"
)

// quality asks how good a model was, on the labels that are in.
func (c *cli) quality() {
	clause := c.app.Command("quality", "Say how good a model was, on the labels that are in.")
	where := whereFlags(clause)
	var p ask.Params
	clause.Flag("model", "Model in question.").StringVar(&p.Model)
	clause.Flag("window", "Length of the window: 24h, 7d, 4w. Default: 24h.").StringVar(&p.Window)
	clause.Flag("from", "Start of the window, RFC 3339 or a day, in place of --window.").StringVar(&p.From)
	clause.Flag("to", "End of the window, RFC 3339 or a day. Default: now.").StringVar(&p.To)
	clause.Flag("as-of", "As known before this time, RFC 3339 or a day. Default: now.").StringVar(&p.AsOf)
	clause.Flag("deploy", "Deploy in question; may be repeated. Default: all.").StringsVar(&p.Deploys)
	clause.Flag("segment", "A declared slice, key=value. Default: all traffic.").StringVar(&p.Segment)
	clause.Flag("stage", "production, canary or shadow. Default: production.").StringVar(&p.Stage)
	clause.Flag("metric", "Metrics by commas, or all. Default: those that the model declares, else every one of its task.").StringsVar(&p.Metrics)
	clause.Flag("by", "One answer for each deploy, hour, segment or segment:NAME.").StringVar(&p.By)
	clause.Flag("task", "binary, multiclass, regression or ranking. Default: as the model declares, else by its labels.").StringVar(&p.Task)
	clause.Flag("positive", "The class that a binary model looks for. Default: as the model declares.").StringVar(&p.Positive)
	clause.Flag("expr", "A metric of your own: an SQL expression over the columns of the view labelled, numbers['NAME'] and categories['NAME'].").StringVar(&p.Expr)
	clause.Flag("fairness", "Compare the protected segments that the model declares.").BoolVar(&p.Fairness)
	clause.Flag("why", "Take the change since the window before apart: deploys, segments and features.").BoolVar(&p.Why)
	clause.Flag("against", "What --why compares with: FROM..TO, or deploy:HASH for another deploy in the same window. Default: the same length before.").StringVar(&p.Against)
	clause.Flag("feature", "Feature that --why takes apart; may be repeated. Default: all, at most 50 numeric ones.").StringsVar(&p.Features)
	estimate := clause.Flag("estimate", "Print what the service last told of quality before the labels are in. Goes with --model, --deploy, --window, --metric and --json.").Bool()
	asJSON := clause.Flag("json", "Print JSON, as the service does at "+ask.Path+".").Bool()
	c.add(clause, func(ctx context.Context) error {
		if *estimate {
			return c.estimates(ctx, where, p, *asJSON)
		}
		q, err := p.Question(time.Now())
		if err != nil {
			return usageError{asFlags(err)}
		}
		answer, err := askQuality(ctx, where, q)
		if parameter, ok := errors.AsType[ask.ParameterError](err); ok {
			return usageError{fmt.Errorf("--%s: %w", parameter.Name, parameter.Err)}
		}
		if err != nil {
			return err
		}
		if *asJSON {
			return writeJSON(c.stdout, answer)
		}
		return printQuality(c.stdout, answer)
	})
}

func askQuality(ctx context.Context, w where, q ask.Question) (ask.Answer, error) {
	return asking(w, func(cfg app.Config, db *storage.DB) (_ ask.Answer, err error) {
		declared := cfg.DeclaredQuality()
		asker, err := ask.New(db.Conn(), declared)
		if err != nil {
			return ask.Answer{}, err
		}
		asker = asker.Sliced(cfg.Slices())
		if q.Expression == "" && len(declared[q.Model].Custom) == 0 {
			return asker.Reply(ctx, q)
		}
		reads, err := cfg.OpenReader()
		if err != nil {
			return ask.Answer{}, err
		}
		if reads != nil {
			defer func() { err = errors.Join(err, reads.Close()) }()
			asker = asker.Reading(reads.Conn())
		}
		return asker.Reply(ctx, q)
	})
}

// printQuality writes the answer for people.
func printQuality(out io.Writer, a ask.Answer) error {
	segment, asOf := "", "now"
	if a.Segment != "" {
		segment = ", segment " + oneLine(string(a.Segment))
	}
	if !a.AsOf.IsZero() {
		asOf = clock(a.AsOf)
	}
	task := string(a.Task)
	if a.Positive != "" {
		task += ", positive is " + oneLine(a.Positive)
	}
	fmt.Fprintf(out, "model %s (%s), stage %s%s: %s to %s, as known %s\n", oneLine(string(a.Model)), task, a.Stage, segment, clock(a.From), clock(a.To), asOf)
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, p := range a.Parts {
		printPart(table, p)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if len(a.Parts) == 1 {
		if err := printMatrix(out, a.Parts[0].Matrix); err != nil {
			return err
		}
	}
	for _, g := range a.Fairness {
		if err := printGaps(out, g); err != nil {
			return err
		}
	}
	if a.Why != nil {
		if err := printChange(out, *a.Why); err != nil {
			return err
		}
	}
	for _, note := range a.Notes {
		fmt.Fprintf(out, "note: %s\n", note)
	}
	if said := history.WaitingInWords(a.Unjoined); said != "" {
		fmt.Fprintf(out, "note: %s\n", said)
	}
	return nil
}

func printPart(table io.Writer, p ask.Part) {
	name := ""
	if p.Name != "" {
		name = oneLine(p.Name) + ": "
	}
	fmt.Fprintf(table, "%s%d requests, %d with a label (%s)\n", name, p.Requests, p.Labelled, percent(p.LabelledShare(), "no requests"))
	fmt.Fprintln(table, "METRIC\tVALUE\tINTERVAL\tLABELS\tVERDICT\tUNIT, WHY")
	for _, v := range p.Values {
		words := v.Unit
		if v.Why != "" {
			words = v.Why
		}
		if v.Bound > 0 {
			words += ", within " + digits(v.Bound) + " of the raw scores'"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%d\t%s\t%s\n", v.Metric, digits(v.Value.Value), ends(v.Interval), v.Labelled, v.State, words)
	}
}

func ends(i metric.Interval) string {
	if math.IsNaN(i.Low) {
		return "-"
	}
	return digits(i.Low) + " to " + digits(i.High)
}

// percent spells a share, or what stands where there is none.
func percent(share float64, missing string) string {
	if math.IsNaN(share) {
		return missing
	}
	return fmt.Sprintf("%.1f %%", 100*share)
}

// mostPrinted is how many classes a matrix is printed for.
const mostPrinted = 12

func printMatrix(out io.Writer, counts []ask.Count) error {
	if len(counts) == 0 {
		return nil
	}
	var classes []string
	cells := map[[2]string]int64{}
	for _, c := range counts {
		classes = append(classes, c.Label, c.Predicted)
		cells[[2]string{c.Label, c.Predicted}] = c.Count
	}
	slices.Sort(classes)
	classes = slices.Compact(classes)
	if len(classes) > mostPrinted {
		_, err := fmt.Fprintf(out, "%d classes: --json has the confusion matrix\n", len(classes))
		return err
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprint(table, "TRUE \\ PREDICTED")
	for _, c := range classes {
		fmt.Fprintf(table, "\t%s", oneLine(c))
	}
	fmt.Fprintln(table)
	for _, label := range classes {
		fmt.Fprint(table, oneLine(label))
		for _, predicted := range classes {
			fmt.Fprintf(table, "\t%d", cells[[2]string{label, predicted}])
		}
		fmt.Fprintln(table)
	}
	return table.Flush()
}

func printGaps(out io.Writer, g ask.Gaps) error {
	if g.Missing != "" {
		_, err := fmt.Fprintf(out, "fairness, segment %s: missing: %s\n", oneLine(g.Segment), g.Missing)
		return err
	}
	fmt.Fprintf(out, "fairness, segment %s against %s\n", oneLine(g.Segment), oneLine(g.Reference))
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "GROUP\tCRITERION\tSHARE\tREFERENCE\tDIFFERENCE\tINTERVAL\tRATIO\tINTERVAL\tVERDICT")
	for _, gap := range g.Gaps {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", oneLine(gap.Group), gap.Criterion, digits(gap.Share), digits(gap.WithShare),
			digits(gap.Difference.Value), ends(gap.Difference.Interval), digits(gap.Ratio.Value), ends(gap.Ratio.Interval), inWords(gap.Difference))
	}
	return table.Flush()
}

// inWords says what a difference shows: that there are events enough to tell is not
// that the groups are treated alike.
func inWords(difference metric.Value) string {
	switch {
	case difference.State != metric.OK && difference.Why != "":
		return string(difference.State) + ": " + difference.Why
	case difference.State != metric.OK:
		return string(difference.State)
	case difference.Holds(0):
		return "no difference shown"
	}
	return "differs"
}

// How many ways, and pieces of each, are printed; --json has them all.
const (
	mostWays   = 8
	mostPieces = 6
)

func printChange(out io.Writer, w ask.Why) error {
	if w.Missing != "" {
		_, err := fmt.Fprintf(out, "why: missing: %s\n", w.Missing)
		return err
	}
	if len(w.Ways) == 0 {
		return nil
	}
	first := w.Ways[0]
	deploys := ""
	for _, d := range w.Deploys {
		deploys += " " + oneLine(string(d))
	}
	fmt.Fprintf(out, "why: %s was %s (%s to %s%s), is %s: %s\n", w.Metric, digits(first.Before), clock(w.From), clock(w.To), strings.TrimSuffix(", deploy"+deploys, ", deploy"), digits(first.After), signed(first.Change))
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "BY\tPIECE\tADDS\tMIX\tRATE\tSHARE BEFORE -> AFTER\tVALUE BEFORE -> AFTER")
	for _, way := range w.Ways[:min(len(w.Ways), mostWays)] {
		for i, p := range way.Parts[:min(len(way.Parts), mostPieces)] {
			by := oneLine(way.By)
			if i > 0 {
				by = ""
			}
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s -> %s\t%s -> %s\n", by, oneLine(p.Name), signed(p.Total), signed(p.Mix), signed(p.Rate), percent(p.BeforeShare, "no requests"), percent(p.AfterShare, "no requests"), digits(p.BeforeRate), digits(p.AfterRate))
		}
	}
	return table.Flush()
}

func signed(v float64) string {
	if v > 0 {
		return "+" + digits(v)
	}
	return digits(v)
}
