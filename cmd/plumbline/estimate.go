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

	plumbline "github.com/plumbline-slo/plumbline"
	drift "github.com/plumbline-slo/plumbline/analyze/drift/ask"
	"github.com/plumbline-slo/plumbline/analyze/quality/ask"
	"github.com/plumbline-slo/plumbline/analyze/quality/metric"
	"github.com/plumbline-slo/plumbline/cmd/plumbline/internal/app"
	"github.com/plumbline-slo/plumbline/cmd/plumbline/internal/estimates"
	"github.com/plumbline-slo/plumbline/storage"
)

// estimateQuestion reads the flags of a question about estimates. Those that only
// labels can answer are refused: an answer that leaves one out would mislead.
func estimateQuestion(p ask.Params) (estimates.Question, error) {
	q := estimates.Question{Model: plumbline.Model(p.Model), Deploys: p.Deploys}
	var errs []error
	if p.Model == "" {
		errs = append(errs, errors.New("--model: say which model"))
	}
	if p.Window != "" {
		window, err := drift.ParseLength(p.Window)
		if err != nil {
			errs = append(errs, fmt.Errorf("--window: %w", err))
		}
		q.Windows = []string{plumbline.WindowName(window)}
	}
	for _, list := range p.Metrics {
		for name := range strings.SplitSeq(list, ",") {
			if name = strings.TrimSpace(name); name != "all" {
				q.Metrics = append(q.Metrics, name)
			}
		}
	}
	for _, flag := range []struct {
		name  string
		given bool
	}{
		{"from", p.From != ""}, {"to", p.To != ""}, {"as-of", p.AsOf != ""}, {"segment", p.Segment != ""}, {"stage", p.Stage != "" && p.Stage != string(plumbline.StageProduction)},
		{"by", p.By != ""}, {"task", p.Task != ""}, {"positive", p.Positive != ""}, {"expr", p.Expr != ""}, {"fairness", p.Fairness},
		{"why", p.Why}, {"against", p.Against != ""}, {"feature", len(p.Features) > 0},
	} {
		if flag.given {
			errs = append(errs, fmt.Errorf("--%s: does not go with --estimate, which prints what the service told last of each deploy in production and of each of analyze.estimate_windows", flag.name))
		}
	}
	return q, errors.Join(errs...)
}

// estimates prints what the service told of quality before the labels are in.
func (c *cli) estimates(ctx context.Context, w where, p ask.Params, asJSON bool) error {
	q, err := estimateQuestion(p)
	if err != nil {
		return usageError{err}
	}
	answer, err := askEstimates(ctx, w, q)
	if err != nil {
		return err
	}
	if asJSON {
		return writeJSON(c.stdout, answer)
	}
	return printEstimates(c.stdout, answer)
}

func askEstimates(ctx context.Context, w where, q estimates.Question) (estimates.Answer, error) {
	return asking(w, func(cfg app.Config, db *storage.DB) (estimates.Answer, error) {
		if cfg.DeclaredQuality()[q.Model].Task == ask.Ranking {
			return estimates.Answer{}, fmt.Errorf("model %q: of a ranking nothing is estimated: its scores do not say what it is worth", q.Model)
		}
		q.Interval = cfg.Analyze.EstimateInterval
		return estimates.Read(ctx, db.Conn(), q, time.Now())
	})
}

// printEstimates writes the answer for people: a table for each deploy and window,
// then what its numbers rest on.
func printEstimates(out io.Writer, a estimates.Answer) error {
	fmt.Fprintf(out, "model %s, stage production: quality estimated before the labels are in, as the service told it last\n", oneLine(string(a.Model)))
	unproven := false
	for len(a.Estimates) > 0 {
		first := a.Estimates[0]
		n := slices.IndexFunc(a.Estimates, func(e estimates.Estimate) bool { return e.Deploy != first.Deploy || e.Window != first.Window })
		if n < 0 {
			n = len(a.Estimates)
		}
		if err := printEstimatesOf(out, a.Estimates[:n]); err != nil {
			return err
		}
		unproven = unproven || slices.ContainsFunc(a.Estimates[:n], func(e estimates.Estimate) bool {
			return e.Verdict == plumbline.VerdictInsufficient && !math.IsNaN(e.Low)
		})
		a.Estimates = a.Estimates[n:]
	}
	if unproven {
		fmt.Fprintln(out, "\ninsufficient with a number: to look at; no page rests on it")
	}
	return nil
}

// printEstimatesOf writes the estimates of one deploy and window.
func printEstimatesOf(out io.Writer, told []estimates.Estimate) error {
	about := told[0]
	if i := slices.IndexFunc(told, func(e estimates.Estimate) bool { return e.Metric != plumbline.MeasureIntervalRecord }); i >= 0 {
		about = told[i] // the record counts windows, not predictions
	}
	var known []string
	if about.Predictions > 0 {
		known = append(known, fmt.Sprintf("%d predictions", about.Predictions))
	}
	if !math.IsNaN(about.LabelledShare) {
		known = append(known, percent(about.LabelledShare, "-")+" with a label")
	}
	if !math.IsNaN(about.Maturity) {
		known = append(known, percent(about.Maturity, "-")+" of the labels that will ever come are in")
	}
	fmt.Fprintf(out, "\ndeploy %s, %s to %s%s\n", oneLine(about.Deploy), about.Window, clock(about.WindowEnd), strings.TrimSuffix(": "+strings.Join(known, ", "), ": "))
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "METRIC\tVALUE\tINTERVAL\tVERDICT\tSAID")
	for _, e := range told {
		said := clock(e.Said)
		if e.Stale {
			said += ", stale: " + lasting(e.Age) + " ago"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", oneLine(e.Metric), digits(e.Value), ends(metric.Interval{Low: e.Low, High: e.High}), e.Verdict, said)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	return printAssumptions(out, told)
}

// printAssumptions writes what estimates rest on, or why there is none, each part
// once, with the metrics that it is of where it is not of all. The record of past
// intervals is no metric.
func printAssumptions(out io.Writer, told []estimates.Estimate) error {
	var parts []string
	of, word, metrics := map[string][]string{}, map[string]string{}, 0
	for _, e := range told {
		if e.Metric != plumbline.MeasureIntervalRecord {
			metrics++
		}
		for part := range strings.SplitSeq(e.Assumes, "; ") {
			if part == "" {
				continue
			}
			if of[part] == nil {
				parts = append(parts, part)
				word[part] = "assumes"
				if math.IsNaN(e.Value) && math.IsNaN(e.Low) {
					word[part] = "why"
				}
			}
			of[part] = append(of[part], oneLine(e.Metric))
		}
	}
	for _, part := range parts {
		whose := ""
		if len(of[part]) != metrics || slices.Contains(of[part], plumbline.MeasureIntervalRecord) {
			whose = " (" + strings.Join(of[part], ", ") + ")"
		}
		if _, err := fmt.Fprintf(out, "%s%s: %s\n", word[part], whose, part); err != nil {
			return err
		}
	}
	return nil
}
