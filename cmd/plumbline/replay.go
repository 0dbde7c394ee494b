package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/analyze/burn"
	"github.com/plumbline-slo/plumbline/analyze/burn/count"
	"github.com/plumbline-slo/plumbline/cmd/plumbline/internal/app"
	"github.com/plumbline-slo/plumbline/rules"
	"github.com/plumbline-slo/plumbline/storage"
)

func (c *cli) replay() {
	clause := c.app.Command("replay", "Say what the SLOs would have alerted on in the past.")
	where := whereFlags(clause)
	from := clause.Flag("from", "First moment, RFC 3339.").Required().String()
	to := clause.Flag("to", "Last moment, RFC 3339. Default: now.").String()
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

// replayed are the objectives of a replay.
func replayed(cfg app.Config, files []string) ([]plumbline.Objective, error) {
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

func runReplay(ctx context.Context, w where, files []string, s span, stdout, stderr io.Writer) (err error) {
	cfg, err := w.load()
	if err != nil {
		return err
	}
	objectives, err := replayed(cfg, files)
	if err != nil {
		return err
	}
	db, err := openStorage(cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	pages, tickets := 0, 0
	say := func(at time.Time, slo plumbline.SLOName, deploy plumbline.DeployHash, p plumbline.WindowPair, fires bool, long, short float64) {
		what := "ends "
		if fires {
			what = "fires"
			if p.Severity == plumbline.SeverityPage {
				pages++
			} else {
				tickets++
			}
		}
		fmt.Fprintf(stdout, "%s  %s  %-6s  %s  deploy %q  %s/%s  bad %.4g / %.4g, beyond %.4g\n", at.UTC().Format(time.RFC3339), what, p.Severity, slo, deploy,
			plumbline.WindowName(p.Long), plumbline.WindowName(p.Short), long, short, p.Threshold(targetOf(objectives, slo)))
	}
	begin := time.Now()
	progress := func(at time.Time) {
		if at.Sub(s.from) > 0 {
			done := float64(at.Sub(s.from)) / float64(s.to.Sub(s.from))
			fmt.Fprintf(stderr, "\r%3.0f %%  %s  %s elapsed ", 100*done, at.UTC().Format(time.RFC3339), time.Since(begin).Round(time.Second))
		}
	}
	counter := count.New(count.DefaultConfig(), db, nil, nil)
	err = counter.Replay(ctx, countable(objectives, stderr), s.from, s.to, func(c count.Change) {
		say(c.At, c.SLO, c.Deploy, c.Counted.Pair, c.Fires, c.Counted.Long.Share(), c.Counted.Short.Share())
	}, progress)
	if err != nil {
		return err
	}
	if err := replayQuality(ctx, cfg, db, objectives, s, say); err != nil {
		return err
	}
	fmt.Fprintln(stderr)
	fmt.Fprintf(stdout, "%d pages and %d tickets of %d SLOs, %s to %s\n", pages, tickets, len(objectives), s.from.UTC().Format(time.RFC3339), s.to.UTC().Format(time.RFC3339))
	return nil
}

// countable leaves out, and says so, what only the service itself can count: it
// has the read-only user and the PromQL engine that statements of users need. It
// also says of whose alerts only one clock is replayed.
func countable(all []plumbline.Objective, stderr io.Writer) (kept []plumbline.Objective) {
	for _, o := range all {
		if o.SLO.SLI.Is(plumbline.SLISQL) || o.SLO.SLI.Is(plumbline.SLIPromQL) {
			fmt.Fprintf(stderr, "SLO %s is not replayed: its indicator is a statement of kind %s\n", o.SLO.Name, o.SLO.SLI.Name())
			continue
		}
		if _, ok := burn.NowcastPair(o); ok {
			fmt.Fprintf(stderr, "SLO %s is replayed on labels as they came; estimates before labels, which may have paged earlier, are not replayed\n", o.SLO.Name)
		}
		kept = append(kept, o)
	}
	return kept
}

func targetOf(all []plumbline.Objective, name plumbline.SLOName) float64 {
	for _, o := range all {
		if o.SLO.Name == name {
			return o.SLO.Target
		}
	}
	return 0
}

// replayQuality replays the objectives of quality, whose windows end where labels
// do, label by label as they became known.
func replayQuality(ctx context.Context, cfg app.Config, db *storage.DB, all []plumbline.Objective, s span,
	say func(time.Time, plumbline.SLOName, plumbline.DeployHash, plumbline.WindowPair, bool, float64, float64)) error {
	reader := burn.Reader{Conn: db.Conn(), MaxLag: cfg.Analyze.MaxLabelLag}
	for _, o := range all {
		if !o.SLO.SLI.Is(plumbline.SLIQuality) {
			continue
		}
		err := reader.Replay(ctx, o, s.from, s.to, func(at time.Time, deploy plumbline.DeployHash, e burn.Evaluation) {
			say(at, o.SLO.Name, deploy, e.Pair, e.Breach(), e.Long.Share(), e.Short.Share())
		})
		if err != nil {
			return err
		}
	}
	return nil
}
