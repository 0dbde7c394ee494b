package main

import (
	"context"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/plumbline-slo/plumbline/cmd/plumbline/internal/app"
	"github.com/plumbline-slo/plumbline/cmd/plumbline/internal/timeline"
	"github.com/plumbline-slo/plumbline/storage"
)

// incident lists and tells the incidents.
func (c *cli) incident() {
	group := c.app.Command("incident", "List incidents, and tell one as it happened.")
	list := group.Command("list", "List the incidents, the latest first.")
	listWhere := whereFlags(list)
	limit := list.Flag("limit", "How many.").Default("50").Int()
	c.add(list, func(ctx context.Context) error {
		rows, err := asking(listWhere, func(_ app.Config, db *storage.DB) ([]timeline.Row, error) {
			return timeline.Incidents(ctx, db.Conn(), "", *limit)
		})
		if err != nil {
			return err
		}
		return printIncidents(c.stdout, rows, time.Now())
	})
	show := group.Command("show", "Show an incident by its ID or its key, as JSON.")
	showWhere := whereFlags(show)
	shown := show.Arg("incident", "ID or key.").Required().String()
	c.add(show, func(ctx context.Context) error {
		t, err := askTimeline(ctx, showWhere, *shown)
		if err != nil {
			return err
		}
		return writeJSON(c.stdout, t)
	})
	export := group.Command("export", "Write an incident's timeline as Markdown, for the post-mortem.")
	exportWhere := whereFlags(export)
	exported := export.Arg("incident", "ID or key.").Required().String()
	c.add(export, func(ctx context.Context) error {
		t, err := askTimeline(ctx, exportWhere, *exported)
		if err != nil {
			return err
		}
		return t.Markdown(c.stdout, time.Now())
	})
}

func askTimeline(ctx context.Context, w where, name string) (timeline.Timeline, error) {
	return asking(w, func(_ app.Config, db *storage.DB) (timeline.Timeline, error) {
		return timeline.Read(ctx, db.Conn(), name, time.Now())
	})
}

func printIncidents(out io.Writer, rows []timeline.Row, now time.Time) error {
	if len(rows) == 0 {
		_, err := fmt.Fprintln(out, "no incident")
		return err
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "INCIDENT\tSTATUS\tLEVEL\tOPENED\tLASTED\tACKNOWLEDGED BY\tABOUT")
	for _, r := range rows {
		end := r.Resolved
		if end.IsZero() {
			end = now
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", r.Incident, r.Status(), r.Severity, clock(r.Opened), end.Sub(r.Opened).Round(time.Second), oneLine(r.AcknowledgedBy), oneLine(r.About()))
	}
	return table.Flush()
}
