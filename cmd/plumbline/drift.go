package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/plumbline-slo/plumbline/analyze/drift/ask"
	"github.com/plumbline-slo/plumbline/analyze/drift/cluster"
	"github.com/plumbline-slo/plumbline/cmd/plumbline/internal/app"
	"github.com/plumbline-slo/plumbline/cmd/plumbline/internal/peers"
	"github.com/plumbline-slo/plumbline/storage"
)

// drift asks how far a model's window is from its references.
func (c *cli) drift() {
	clause := c.app.Command("drift", "Say how far what a model saw is from a reference, from the rollups.")
	where := whereFlags(clause)
	var p ask.Params
	clause.Flag("model", "Model in question.").StringVar(&p.Model)
	clause.Flag("window", "Length of the window: 24h, 7d, 4w.").Default("24h").StringVar(&p.Window)
	clause.Flag("to", "End of the window, RFC 3339 or a day. Default: now.").StringVar(&p.To)
	clause.Flag("reference", "training, previous-deploy, sliding[:7d], same-hours[:4w], FROM..TO or auto; may be repeated. Default: training.").StringsVar(&p.References)
	clause.Flag("segment", "A declared slice, key=value. Default: all traffic.").StringVar(&p.Segment)
	clause.Flag("stage", "production, canary, shadow or training. Default: production.").StringVar(&p.Stage)
	clause.Flag("deploy", "Deploy in question; may be repeated. Default: all that served in the window.").StringsVar(&p.Deploys)
	clause.Flag("measure", "Measures by commas, or all. Default: psi,js,ks.").StringsVar(&p.Measures)
	clause.Flag("feature", "Feature to compare; may be repeated. Default: all features, score, prediction and class.").StringsVar(&p.Features)
	clause.Flag("series", "score, predicted_value, predicted or feature:NAME; may be repeated.").StringsVar(&p.Series)
	asJSON := clause.Flag("json", "Print JSON, as the service does at "+ask.Path+".").Bool()
	clause.Flag("why", "Take what is in breach apart: values, deploys, segments and hours that carry it.").BoolVar(&p.Why)
	raw := addRawFlags(clause)
	c.add(clause, func(ctx context.Context) error {
		if *raw.dialect == "help" {
			return peers.List(c.stdout)
		}
		q, err := p.Question(time.Now())
		if err != nil {
			return usageError{asFlags(err)}
		}
		if wanted, err := raw.wanted(); err != nil {
			return usageError{err}
		} else if wanted {
			return c.driftRaw(ctx, where, q, raw, *asJSON)
		}
		answer, err := askDrift(ctx, where, q)
		if err != nil {
			return err
		}
		if *asJSON {
			return writeJSON(c.stdout, answer)
		}
		if err := printDrift(c.stdout, answer); err != nil || !q.Why {
			return err
		}
		return printWhy(c.stdout, answer)
	})
}

// asFlags names the parameters of an error as the command line spells them.
func asFlags(err error) error {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return err
	}
	var errs []error
	for _, e := range joined.Unwrap() {
		if parameter, ok := errors.AsType[ask.ParameterError](e); ok {
			e = fmt.Errorf("--%s: %w", parameter.Name, parameter.Err)
		}
		errs = append(errs, e)
	}
	return errors.Join(errs...)
}

func askDrift(ctx context.Context, w where, q ask.Question) (ask.Answer, error) {
	return asking(w, func(cfg app.Config, db *storage.DB) (ask.Answer, error) {
		asker, err := ask.New(ask.DefaultConfig(), db.Conn())
		if err != nil {
			return ask.Answer{}, err
		}
		return asker.Clustered(cluster.NewKeeper(cfg.Analyze.Clusters, db.Conn())).Ask(ctx, q)
	})
}

func writeJSON(out io.Writer, v any) error {
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(v); err != nil {
		return fmt.Errorf("write JSON: %w", err)
	}
	return nil
}

// printDrift writes the answer for people: what was compared, then a row each,
// the greatest effect first.
func printDrift(out io.Writer, a ask.Answer) error {
	segment := ""
	if a.Segment != "" {
		segment = ", segment " + oneLine(string(a.Segment))
	}
	fmt.Fprintf(out, "model %s, stage %s%s: %s to %s, %d requests\n", oneLine(string(a.Model)), a.Stage, segment, clock(a.From), clock(a.To), a.Current.Requests)
	for _, r := range a.References {
		fmt.Fprintf(out, "%s: %s\n", r.Asked, describe(r))
	}
	fmt.Fprintln(out)
	if len(a.Rows) == 0 {
		_, err := fmt.Fprintln(out, "nothing to compare: neither the window nor a reference has a series")
		return err
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "SERIES\tREFERENCE\tMEASURE\tVALUE\tNOISE\tINTERVAL\tP\tVERDICT\tBEFORE -> AFTER")
	for _, r := range a.Rows {
		name := string(r.Feature)
		if name == "" {
			name = "(" + string(r.Series) + ")"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", oneLine(name), r.Reference, r.Measure,
			digits(r.Value), digits(r.NullMean), interval(r), digits(r.P), r.Verdict, words(r))
	}
	return table.Flush()
}

// describe says what a reference is.
func describe(r ask.Resolved) string {
	if r.Missing != "" {
		return "missing: " + r.Missing
	}
	text := fmt.Sprintf("%s, %d requests", r.Of, r.Window.Requests)
	if r.Note != "" {
		text += "; " + r.Note
	}
	if r.Choice != nil {
		text = r.Chosen.String() + ", " + text + "; " + r.Choice.Assumption
	}
	return text
}

func words(r ask.Row) string {
	if r.Why != "" {
		return r.Why
	}
	return r.Before + " -> " + r.After
}

func interval(r ask.Row) string {
	if math.IsNaN(r.Low) {
		return "-"
	}
	return digits(r.Low) + " to " + digits(r.High)
}

func digits(v float64) string {
	switch {
	case math.IsNaN(v):
		return "-"
	case v != 0 && math.Abs(v) < 1e-3:
		return fmt.Sprintf("%.0e", v)
	}
	return fmt.Sprintf("%.3g", v)
}

func clock(t time.Time) string { return t.UTC().Format("2006-01-02 15:04") }

// oneLine quotes a name of the producer that would not stay one word of a table.
func oneLine(name string) string {
	quoted := fmt.Sprintf("%q", name)
	if quoted == `"`+name+`"` && !strings.ContainsAny(name, " ") {
		return name
	}
	return quoted
}
