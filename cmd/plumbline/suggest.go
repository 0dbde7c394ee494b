package main

import (
	"context"
	"database/sql"
	_ "embed" // the statements
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/analyze"
	"github.com/plumbline-slo/plumbline/analyze/burn"
	"github.com/plumbline-slo/plumbline/analyze/burn/count"
	"github.com/plumbline-slo/plumbline/analyze/serve"
	"github.com/plumbline-slo/plumbline/cmd/plumbline/internal/app"
	"github.com/plumbline-slo/plumbline/rules"
	"github.com/plumbline-slo/plumbline/storage"
)

//go:embed suggest.sql
var suggestSQL string

//go:embed suggest_hour.sql
var suggestHourSQL string

//go:embed suggest_labels.sql
var suggestLabelsSQL string

func (c *cli) slo() {
	clause := c.app.Command("slo", "Service level objectives.")
	suggest := clause.Command("suggest", "Propose targets from what was observed, with the pages each would have caused.")
	where := whereFlags(suggest)
	model := suggest.Flag("model", "Model to propose for.").Required().String()
	days := suggest.Flag("days", "Days to look back on.").Default("28").Int()
	to := suggest.Flag("to", "End of the days, RFC 3339 or a day. Default: now.").String()
	c.add(suggest, func(ctx context.Context) error {
		end := time.Now().UTC()
		if *to != "" {
			var err error
			if end, err = serve.ParseTime(*to); err != nil {
				return usageError{fmt.Errorf("--to: %w", err)}
			}
		}
		if *days < 1 || *days > 90 {
			return usageError{fmt.Errorf("--days: %d is not between 1 and 90", *days)}
		}
		return suggestSLOs(ctx, where, plumbline.Model(*model), span{end.AddDate(0, 0, -*days), end}, c.stdout)
	})
}

// candidate is one proposal with what it would have done.
type candidate struct {
	slo            plumbline.SLO
	said           string
	pages, tickets int
}

// niceTargets are the targets that are proposed.
func niceTargets() []float64 {
	return []float64{0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999, 0.9995, 0.9999}
}

// below returns the two strictest targets that what was observed meets.
func below(observed float64) []float64 {
	var met []float64
	for _, t := range niceTargets() {
		if t < observed {
			met = append(met, t)
		}
	}
	return met[max(len(met)-2, 0):]
}

// roundUp returns v with two digits, not below v.
func roundUp(v float64) float64 {
	if !(v > 0) {
		return v
	}
	unit := math.Pow(10, math.Floor(math.Log10(v))-1)
	return math.Round(math.Ceil(v/unit-1e-9)*unit*1e9) / 1e9
}

func suggestSLOs(ctx context.Context, w where, model plumbline.Model, s span, stdout io.Writer) error {
	var seen traffic
	owner := plumbline.Owner("ml-oncall")
	candidates, err := asking(w, func(cfg app.Config, db *storage.DB) (all []*candidate, err error) {
		for _, o := range cfg.Alerting.Owners {
			if slices.Contains(o.Models, model) {
				owner = o.Name
			}
		}
		if all, seen, err = candidatesOf(ctx, db, model, cfg.Analyze.Models[model].Feedback, s); err != nil || len(all) == 0 {
			return nil, err
		}
		return all, tryOut(ctx, db, cfg.Analyze, all, s)
	})
	if err != nil {
		return err
	}
	if len(candidates) == 0 {
		return fmt.Errorf("slo suggest: model %q has neither predictions nor labels between %s and %s", model, s.from.Format(time.RFC3339), s.to.Format(time.RFC3339))
	}
	fmt.Fprint(stdout, seen.said(model, s))
	for _, c := range candidates {
		fmt.Fprintf(stdout, "%-34s target %-7g %d pages, %d tickets%s\n", c.said, c.slo.Target, c.pages, c.tickets, pagedIn(c.slo, seen.rate(s)))
	}
	fmt.Fprintf(stdout, "\n%s", asYAML(model, owner, candidates))
	return nil
}

// candidatesOf proposes from what was observed; nothing on labels of a model that
// decides itself who gets one, for no page may rest on those.
func candidatesOf(ctx context.Context, db *storage.DB, model plumbline.Model, feedback analyze.Feedback, s span) ([]*candidate, traffic, error) {
	parameters := []any{clickhouse.Named("model", string(model)), clickhouse.Named("from", s.from.Unix()), clickhouse.Named("to", s.to.Unix())}
	var (
		timed             uint64
		ok, p95, p99      float64
		labelled, correct int64
		seen              traffic
	)
	if err := db.Conn().QueryRow(ctx, suggestSQL, parameters...).Scan(&seen.requests, &ok, &timed, &p95, &p99, &seen.first, &seen.good); err != nil {
		return nil, seen, fmt.Errorf("slo suggest: %w", err)
	}
	if err := db.Conn().QueryRow(ctx, suggestLabelsSQL, parameters...).Scan(&labelled, &correct); err != nil {
		return nil, seen, fmt.Errorf("slo suggest: %w", err)
	}
	if err := db.Conn().QueryRow(ctx, suggestHourSQL, parameters...).Scan(&seen.worst, &seen.worstGood, &seen.worstRequests); err != nil && !errors.Is(err, sql.ErrNoRows) {
		return nil, seen, fmt.Errorf("slo suggest: %w", err)
	}
	var all []*candidate
	add := func(name, said string, sli plumbline.SLI, target float64) {
		all = append(all, &candidate{said: said, slo: plumbline.SLO{
			Name: plumbline.SLOName(fmt.Sprintf("%s-%d", name, len(all))), Model: model, Owner: "owner", Target: target, Period: 28 * 24 * time.Hour,
			MinCoverage: rules.DefaultMinCoverage, SLI: sli, Measure: plumbline.MeasureAccuracy,
		}})
	}
	if seen.requests > 0 {
		for _, t := range below(ok) {
			add("success", fmt.Sprintf("success, %.5g %% observed", 100*ok), plumbline.SLI{Kind: plumbline.SLISuccess}, t)
		}
	}
	if timed > 0 {
		add("latency", fmt.Sprintf("latency, 95 %% within %.4g ms", p95), plumbline.SLI{Kind: plumbline.SLILatency, Op: "lte", Value: roundUp(p95)}, 0.95)
		add("latency", fmt.Sprintf("latency, 99 %% within %.4g ms", p99), plumbline.SLI{Kind: plumbline.SLILatency, Op: "lte", Value: roundUp(p99)}, 0.99)
	}
	if labelled > 0 && !feedback.Partial() {
		right := float64(correct) / float64(labelled)
		for _, t := range below(right) {
			add("accuracy", fmt.Sprintf("accuracy, %.4g %% of the labels in", 100*right), plumbline.SLI{Kind: plumbline.SLIQuality}, t)
		}
	}
	return all, seen, nil
}

// traffic is what came in of a model, times in unix seconds.
type traffic struct {
	requests, good uint64
	first          uint32
	// worst is the hour in which most requests failed.
	worst                    uint32
	worstGood, worstRequests uint64
}

// history is the part of the days in which the model was there: from its first event on.
func (t traffic) history(s span) time.Duration {
	first := time.Unix(int64(t.first), 0)
	if t.requests == 0 || first.Before(s.from) {
		first = s.from
	}
	return max(s.to.Sub(first), time.Minute)
}

// rate is by the hour of the history: divided by days in which there was no model yet,
// it would say that outages are paged late.
func (t traffic) rate(s span) float64 { return float64(t.requests) / t.history(s).Hours() }

// said is what the proposals rest on; where one hour makes their targets lower, that
// it does, for it may have been an outage.
func (t traffic) said(model plumbline.Model, s span) string {
	text := fmt.Sprintf("%s, %s to %s, %s predictions an hour\n", model, s.from.Format(time.DateOnly), s.to.Format(time.DateOnly), plumbline.ThreeDigits(t.rate(s)))
	if known := t.history(s); t.requests > 0 && s.to.Sub(s.from)-known >= time.Hour {
		text += fmt.Sprintf("its first event in these days is %s old: all of this is of no more history than that\n", known.Round(time.Minute))
	}
	rest := t.requests - t.worstRequests
	if rest == 0 {
		return text
	}
	with, without := float64(t.good)/float64(t.requests), float64(t.good-t.worstGood)/float64(rest)
	if !slices.Equal(below(with), below(without)) {
		text += fmt.Sprintf("success was %.4g %% in the hour from %s, and %.5g %% without it: if that was an outage, targets of success are to be higher than these\n",
			100*float64(t.worstGood)/float64(t.worstRequests), time.Unix(int64(t.worst), 0).UTC().Format(time.RFC3339), 100*without)
	}
	return text
}

// tryOut replays the days with every candidate, each as if it were the only one.
func tryOut(ctx context.Context, db *storage.DB, cfg analyze.Config, candidates []*candidate, s span) error {
	byName := make(map[plumbline.SLOName]*candidate)
	var objectives []plumbline.Objective
	for _, c := range candidates {
		all, err := rules.Objectives([]plumbline.SLO{c.slo})
		if err != nil {
			c.said += " (" + err.Error() + ")"
			continue
		}
		byName[c.slo.Name] = c
		objectives = append(objectives, all...)
	}
	alarms := make(map[plumbline.SLOName][]alarm)
	keep := func(name plumbline.SLOName, r burn.Replayed) { alarms[name] = append(alarms[name], alarm{name, r}) }
	counter := count.New(count.DefaultConfig(), db, nil, nil)
	if err := counter.Replay(ctx, objectives, s.from, s.to, func(c count.Change) { keep(c.SLO, replayedCount(c)) }, func(time.Time) {}); err != nil {
		return fmt.Errorf("slo suggest: %w", err)
	}
	reader := cfg.Burn(db.Conn())
	for _, o := range objectives {
		if !o.SLO.SLI.Is(plumbline.SLIQuality) {
			continue
		}
		// By labels alone: what estimates page for, labels confirm in the same incident.
		err := reader.Replay(ctx, o, nil, s.from, s.to, func(r burn.Replayed) { keep(o.SLO.Name, r) }, func(float64) {})
		if err != nil {
			return fmt.Errorf("slo suggest: %w", err)
		}
	}
	for name, c := range byName {
		incidents, pages := tally(alarms[name])
		c.pages, c.tickets = pages, incidents-pages
	}
	return nil
}

// pagedIn says how soon an outage would be paged at the rate that was observed.
func pagedIn(slo plumbline.SLO, rate float64) string {
	all, err := rules.Objectives([]plumbline.SLO{slo})
	if err != nil || slo.SLI.Is(plumbline.SLIQuality) {
		return ""
	}
	var first time.Duration
	for _, p := range all[0].Pairs {
		if took, ok := burn.EvidenceTime(slo, p, rate, 0.9, 1); ok && p.Severity == plumbline.SeverityPage && (first == 0 || took < first) {
			first = took
		}
	}
	if first == 0 {
		return "; a 90 % outage is never paged at this rate"
	}
	unit := time.Minute
	if first < 10*time.Minute {
		unit = time.Second
	}
	return fmt.Sprintf("; a 90 %% outage is paged after %s", first.Round(unit))
}

// asYAML writes the strictest candidate of each kind that paged nobody as OpenSLO.
func asYAML(model plumbline.Model, owner plumbline.Owner, candidates []*candidate) string {
	best := map[plumbline.SLIKind]*candidate{}
	for _, c := range candidates {
		kind := c.slo.SLI.Name()
		if c.pages == 0 && (best[kind] == nil || c.slo.Target > best[kind].slo.Target) {
			best[kind] = c
		}
	}
	text := ""
	for _, kind := range []plumbline.SLIKind{plumbline.SLISuccess, plumbline.SLILatency, plumbline.SLIQuality} {
		c := best[kind]
		if c == nil {
			continue
		}
		extra, bound := "", ""
		switch kind {
		case plumbline.SLIQuality:
			extra = "    plumbline.dev/measure: accuracy\n"
		case plumbline.SLILatency:
			bound = fmt.Sprintf(", op: %s, value: %g", c.slo.SLI.Op, c.slo.SLI.Value)
		}
		text += fmt.Sprintf(`---
apiVersion: openslo/v1
kind: SLO
metadata:
  name: suggested-%s
  annotations:
    plumbline.dev/sli: %s
%s    plumbline.dev/model: %q
    plumbline.dev/owner: %q # who is paged
    plumbline.dev/shadow: "true" # evaluated, and nobody is told, until you remove this
spec:
  service: %q
  budgetingMethod: Occurrences
  timeWindow: [{duration: 28d, isRolling: true}]
  objectives: [{target: %g%s}]
`, kind, kind, extra, string(model), string(owner), string(model), c.slo.Target, bound)
	}
	return text
}
