package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/analyze"
	"github.com/plumbline-slo/plumbline/analyze/burn"
	"github.com/plumbline-slo/plumbline/analyze/burn/count"
	"github.com/plumbline-slo/plumbline/cmd/plumbline/internal/app"
	"github.com/plumbline-slo/plumbline/rules"
	"github.com/plumbline-slo/plumbline/rules/promapi"
	"github.com/plumbline-slo/plumbline/storage"
)

func (c *cli) replay() {
	clause := c.app.Command("replay", "Say what the SLOs would have alerted on in the past.")
	where := whereFlags(clause)
	from := clause.Flag("from", "First moment, RFC 3339 or a day.").Required().String()
	to := clause.Flag("to", "Last moment, RFC 3339 or a day. Default: now.").String()
	files := clause.Flag("slo", "OpenSLO file to try, instead of those of the configuration; may be repeated.").Strings()
	c.add(clause, func(ctx context.Context) error {
		end := *to
		if end == "" {
			end = time.Now().UTC().Format(time.RFC3339)
		}
		s, err := parseSpan(*from, end)
		if err != nil {
			return usageError{err}
		}
		return runReplay(ctx, where, *files, s, c.stdout, c.stderr)
	})
}

// objectivesToReplay are those of the files, or of the configuration without any.
func objectivesToReplay(cfg app.Config, files []string) ([]plumbline.Objective, error) {
	var (
		slos []plumbline.SLO
		err  error
	)
	if len(files) > 0 {
		slos, err = rules.ParseFiles(files...)
	} else {
		slos, err = cfg.SLOs()
	}
	if err != nil {
		return nil, usageError{err}
	}
	all, err := rules.Objectives(slos)
	if err != nil {
		return nil, usageError{err}
	}
	if len(all) == 0 {
		return nil, usageError{errors.New("replay: there is no SLO; name a file with --slo, or a configuration with --config.file")}
	}
	return all, nil
}

func runReplay(ctx context.Context, w where, files []string, s span, stdout, stderr io.Writer) error {
	cfg, err := w.load()
	if err != nil {
		return err
	}
	objectives, err := objectivesToReplay(cfg, files)
	if err != nil {
		return err
	}
	return withStorage(cfg, func(db *storage.DB) error { return replayAll(ctx, cfg, db, objectives, s, stdout, stderr) })
}

// replayAll prints what would have fired, and how much of it there is.
func replayAll(ctx context.Context, cfg app.Config, db *storage.DB, objectives []plumbline.Objective, s span, stdout, stderr io.Writer) (err error) {
	reads, err := cfg.OpenReader()
	if err != nil {
		return err
	}
	var queries count.Querier // as the user that may only read
	if reads != nil {
		defer func() { err = errors.Join(err, reads.Close()) }()
		queries = reads.Conn()
	}
	counted, quality := countable(objectives, queries, stderr), ofQuality(cfg, objectives, stderr)
	out := &replayLog{span: s, stdout: stdout, stderr: stderr, progress: newProgress(stderr, 1+len(quality))}
	counter := count.New(count.DefaultConfig(), db, queries, promapi.New(promapi.DefaultConfig(), db.Conn(), nil, slog.New(slog.DiscardHandler)))
	err = counter.Replay(ctx, counted, s.from, s.to, func(c count.Change) {
		out.say(replayedCount(c), sloOf(objectives, c.SLO))
	}, func(at time.Time) { out.progress.reach(float64(at.Sub(s.from)) / float64(s.to.Sub(s.from))) })
	if err != nil {
		return err
	}
	out.progress.next()
	if err := replayQuality(ctx, cfg, db, objectives, quality, out); err != nil {
		return err
	}
	out.end(len(objectives))
	return nil
}

// replayedCount is a change of what is counted by events, as one of quality is told.
func replayedCount(c count.Change) burn.Replayed {
	return burn.Replayed{At: c.At, Deploy: c.Deploy, Pair: c.Counted.Pair, Severity: c.Severity, Fires: c.Fires, Long: c.Counted.Long.Share(), Short: c.Counted.Short.Share()}
}

// replayLog prints what began and ended, and keeps it.
type replayLog struct {
	span           span
	stdout, stderr io.Writer
	progress       *progress
	told, shadowed []alarm // the latter of shadows, which tell nobody
}

func (l *replayLog) say(r burn.Replayed, slo plumbline.SLO) {
	what := "ends "
	if r.Fires {
		what = "fires"
	}
	note := ""
	if r.Clock == plumbline.ClockNowcast {
		note = ", estimated before labels"
	}
	if slo.Shadow {
		note += ", a shadow"
		l.shadowed = append(l.shadowed, alarm{slo.Name, r})
	} else {
		l.told = append(l.told, alarm{slo.Name, r})
	}
	fmt.Fprintf(l.stdout, "%s  %s  %-6s  %s  deploy %q  %s/%s  bad %.4g / %.4g, beyond %.4g%s\n", r.At.UTC().Format(time.RFC3339), what, r.Severity, slo.Name, r.Deploy,
		plumbline.WindowName(r.Pair.Long), plumbline.WindowName(r.Pair.Short), r.Long, r.Short, r.Pair.Threshold(slo.Target), note)
}

// end prints how many incidents it all makes.
func (l *replayLog) end(slos int) {
	l.progress.end()
	incidents, pages := tally(l.told)
	fmt.Fprintf(l.stdout, "%d pages and %d tickets of %d SLOs, %s to %s; the alarms of one deploy and SLO at a time are one\n",
		pages, incidents-pages, slos, l.span.from.UTC().Format(time.RFC3339), l.span.to.UTC().Format(time.RFC3339))
	if incidents, pages := tally(l.shadowed); incidents > 0 {
		fmt.Fprintf(l.stdout, "and %d pages and %d tickets of shadows, which nobody would have been told\n", pages, incidents-pages)
	}
}

// countable leaves out, and says so, what counts by SQL where there is no user that
// may only read.
func countable(all []plumbline.Objective, queries count.Querier, stderr io.Writer) (kept []plumbline.Objective) {
	for _, o := range all {
		if queries == nil && o.SLO.SLI.Is(plumbline.SLISQL) {
			fmt.Fprintf(stderr, "SLO %s is not replayed: it counts by SQL; name a ClickHouse user that may only read in rules.query_dsn_file\n", o.SLO.Name)
			continue
		}
		kept = append(kept, o)
	}
	return kept
}

func sloOf(all []plumbline.Objective, name plumbline.SLOName) plumbline.SLO {
	for _, o := range all {
		if o.SLO.Name == name {
			return o.SLO
		}
	}
	return plumbline.SLO{Name: name}
}

// ofQuality leaves out, and says so, what never alerts.
func ofQuality(cfg app.Config, all []plumbline.Objective, stderr io.Writer) (kept []plumbline.Objective) {
	for _, o := range all {
		if !o.SLO.SLI.Is(plumbline.SLIQuality) {
			continue
		}
		if cfg.Analyze.Models[o.SLO.Model].Feedback.Partial() {
			fmt.Fprintf(stderr, "SLO %s never alerts: model %s decides itself which predictions ever get a label\n", o.SLO.Name, o.SLO.Model)
			continue
		}
		kept = append(kept, o)
	}
	return kept
}

// replayQuality replays the objectives of quality on both clocks: label by label
// as they became known, and hour by hour on estimates.
func replayQuality(ctx context.Context, cfg app.Config, db *storage.DB, all, quality []plumbline.Objective, out *replayLog) error {
	reader := cfg.Analyze.Burn(db.Conn())
	nowcasts := analyze.NewPastNowcasts(cfg.Analyze, db, all)
	for _, o := range quality {
		report := func(r burn.Replayed) { out.say(r, o.SLO) }
		if err := reader.Replay(ctx, o, nowcasts, out.span.from, out.span.to, report, out.progress.reach); err != nil {
			return err
		}
		out.progress.next()
	}
	return nil
}
