package main

import (
	"context"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/analyze/quality/forecast"
	"github.com/plumbline-slo/plumbline/analyze/quality/history"
	"github.com/plumbline-slo/plumbline/cmd/plumbline/internal/app"
	"github.com/plumbline-slo/plumbline/storage"
)

// maturity asks how much of what labels will say is in, and when the rest will be.
func (c *cli) maturity() {
	clause := c.app.Command("maturity", "Say how many of the labels that will ever come are in, and when the others will be.")
	where := whereFlags(clause)
	var p forecast.Params
	clause.Flag("model", "Model in question.").StringVar(&p.Model)
	clause.Flag("window", "Length of a window that ends at the newest whole hour: 24h, 7d, 4w; may be repeated. Default: 24h and 7d.").StringsVar(&p.Windows)
	clause.Flag("share", "Share of a window's labels that makes it mature. Default: 0.9.").StringVar(&p.Share)
	clause.Flag("at", "As known at this time, RFC 3339 or a day, taken down to the hour. Default: now.").StringVar(&p.At)
	asJSON := clause.Flag("json", "Print JSON, as the service does at "+forecast.Path+".").Bool()
	c.add(clause, func(ctx context.Context) error {
		asked, err := p.Asked(time.Now())
		if err != nil {
			return usageError{asFlags(err)}
		}
		answer, err := askMaturity(ctx, where, asked)
		if err != nil {
			return err
		}
		if *asJSON {
			return writeJSON(c.stdout, answer)
		}
		return printMaturity(c.stdout, answer)
	})
}

func askMaturity(ctx context.Context, w where, asked forecast.Asked) (forecast.Maturity, error) {
	return asking(w, func(cfg app.Config, db *storage.DB) (forecast.Maturity, error) {
		how := forecast.DefaultConfig()
		how.History = cfg.Analyze.EstimateHistory
		return forecast.Asker{Reader: history.Reader{Conn: db.Conn()}, Config: how}.Ask(ctx, asked)
	})
}

// printMaturity writes the answer for people: the windows, then how late the
// labels of each stratum are.
func printMaturity(out io.Writer, m forecast.Maturity) error {
	fmt.Fprintf(out, "model %s as known at %s\n", oneLine(string(m.Model)), clock(m.At))
	if said := uncounted(m); said != "" {
		fmt.Fprintln(out, said)
	}
	if said := history.WaitingInWords(m.Unjoined); said != "" {
		fmt.Fprintln(out, said)
	}
	fmt.Fprintln(out)
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(table, "WINDOW\tDEPLOY\tPREDICTIONS\tLABELS\tMATURITY\tINTERVAL\t%.0f %% IN AT\tSTATE\n", 100*m.Share)
	why := map[string]bool{}
	for _, w := range m.Windows {
		deploy, at, interval := "all", "-", "-"
		if w.Deploy != "" {
			deploy = oneLine(string(w.Deploy))
		}
		if !w.MatureAt.IsZero() {
			at = clock(w.MatureAt)
		}
		if !math.IsNaN(w.Low) {
			interval = percent(w.Low, "-") + " to " + percent(w.High, "-")
		}
		fmt.Fprintf(table, "%s\t%s\t%d\t%d\t%s\t%s\t%s\t%s\n", plumbline.WindowName(w.To.Sub(w.From)), deploy, w.Known+w.Waiting, w.Known, percent(w.Maturity, "-"), interval, at, w.State)
		why[w.Why] = true
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for _, w := range m.Windows {
		if w.Why != "" && why[w.Why] {
			fmt.Fprintf(out, "%s: %s\n", w.State, w.Why)
			why[w.Why] = false
		}
	}
	fmt.Fprintf(out, "\nlabels by %s\n", m.Strata)
	table = tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "STRATUM\tPREDICTIONS\tEVER LABELLED\tHALF IN\tNINE TENTHS IN\tNEVER IS")
	for _, d := range m.Delays {
		never := "known"
		if !d.Curve.Settled() {
			never = "not known yet"
		}
		ever := percent(d.Curve.Ever(), "-")
		if d.Curve.Ever() == 0 && m.Uncounted.Labels() {
			ever = "-" // those that are stored may be of this stratum
		}
		fmt.Fprintf(table, "%s\t%d\t%s\t%s\t%s\t%s\n", oneLine(d.Title), d.Curve.Predictions, ever, lasting(d.Half), lasting(d.Most), never)
	}
	return table.Flush()
}

// uncounted says what is stored but not counted yet, and when it will be; empty
// where only the hour that is not over is missing from what is said.
func uncounted(m forecast.Maturity) string {
	known := slices.ContainsFunc(m.Delays, func(d forecast.StratumDelay) bool { return d.Curve.Ever() > 0 })
	var what []string
	if !m.Newest.IsZero() {
		what = append(what, "predictions up to "+clock(m.Newest))
	}
	if m.Uncounted.Known > 0 {
		what = append(what, fmt.Sprintf("labels that became known in %d hours", m.Uncounted.Known))
	}
	if m.Uncounted.Open > 0 && !known {
		what = append(what, fmt.Sprintf("%d labels of the hour that is not over", m.Uncounted.Open))
	}
	if len(what) == 0 {
		return ""
	}
	when := "at its next look"
	if !m.CountedAfter.IsZero() {
		when = "at its first look after " + clock(m.CountedAfter)
	}
	return fmt.Sprintf("stored, but not counted yet: %s. The service counts them %s (analyze.estimate_interval apart, 5 minutes by default): ask again then.", strings.Join(what, ", "), when)
}

// lasting spells a delay.
func lasting(d time.Duration) string {
	switch {
	case d < 0:
		return "-"
	case d < 2*time.Hour:
		return d.Round(time.Second).String()
	case d < 4*24*time.Hour:
		return fmt.Sprintf("%.1f hours", d.Hours())
	}
	return fmt.Sprintf("%.1f days", d.Hours()/24)
}
