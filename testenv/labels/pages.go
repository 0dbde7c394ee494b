package labels

import (
	"context"
	"fmt"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/analyze"
	"github.com/plumbline-slo/plumbline/analyze/burn"
	"github.com/plumbline-slo/plumbline/analyze/quality/history"
	"github.com/plumbline-slo/plumbline/testenv/figure"
)

// hourCell is a cell of the hours that estimates are made from: those in which
// predictions were made, and those in which their labels became known.
type hourCell struct {
	model, deploy string
	hour, known   time.Time
}

// pages counts what estimates are made from, and replays both clocks: by labels at
// every minute and by estimates at every hour, as plumbline replay does. What
// begins to hold is a page at once, for the rules of burn rates have no `for`.
func (r *replay) pages(ctx context.Context) ([]figure.Figure, error) {
	if err := r.roll(ctx); err != nil {
		return nil, err
	}
	want := r.hourCells()
	figures, err := r.rolled(ctx, want)
	if err != nil {
		return nil, err
	}
	of := map[plumbline.Model]*paged{}
	for _, model := range []plumbline.Model{healthy, broken} {
		if of[model], err = r.page(ctx, model, want); err != nil {
			return nil, err
		}
	}
	well, ill := of[healthy], of[broken]
	figures = append(figures,
		figure.Exactly("replay: pages of a healthy model by labels, at every minute", float64(well.pages[plumbline.ClockMatured]), "pages", 0),
		figure.AtLeast("replay: pages of the model that guesses by labels, at every minute", float64(ill.pages[plumbline.ClockMatured]), "pages", 1),
	)
	if r.Proven == 0 {
		return figures, nil // of what is never estimated, no page would say nothing
	}
	return append(figures,
		figure.AtLeast("replay: nowcasts of the healthy model", float64(well.told), "nowcasts", r.Proven),
		figure.AtLeast("replay: those of them that a page may rest on", float64(well.proven), "nowcasts", r.Proven),
		figure.Exactly("replay: nowcasts that rest on other predictions or labels than the oracle's, as known then", float64(well.astray+ill.astray), "nowcasts", 0),
		figure.Exactly("replay: pages of a healthy model by nowcasts", float64(well.pages[plumbline.ClockNowcast]), "pages", 0),
		figure.Exactly("replay: tickets of a healthy model by nowcasts", float64(well.tickets[plumbline.ClockNowcast]), "tickets", 0),
		figure.AtLeast("replay: pages of the model that guesses by nowcasts", float64(ill.pages[plumbline.ClockNowcast]), "pages", 1),
	), nil
}

// roll counts as the service does at every hour, for which it would choose strata
// anew once a week: here by all that is known in the end.
func (r *replay) roll(ctx context.Context) error {
	reader, roller := history.Reader{Conn: r.db.Conn()}, history.Roller{Conn: r.db.Conn(), To: r.db.Conn()}
	last := begin.Add(time.Duration(r.Days) * 24 * time.Hour)
	for _, model := range []plumbline.Model{healthy, broken} {
		strata, _, err := reader.Choose(ctx, model, nil, history.Strata{}, begin, last, uint64(r.Predictions))
		if err != nil {
			return err
		}
		scope := history.Scope{Model: model, Strata: strata, Classes: []string{"no", "yes"}, From: begin, To: r.end()}
		for more := true; more; {
			p, err := roller.Roll(ctx, scope)
			if err != nil {
				return err
			}
			more = p.More
		}
	}
	return nil
}

// hourCounts are those of an hourCell. Predictions are counted where nothing is known
// of their labels: at the zero hour.
type hourCounts struct {
	predictions int64
	counts
}

// hourCells computes what was to be counted by definition.
func (r *replay) hourCells() map[hourCell]hourCounts {
	want := map[hourCell]hourCounts{}
	seen := map[[2]string]bool{}
	for _, e := range r.history { // in the order of knowing
		if key := [2]string{e.model, e.id}; !e.label && !seen[key] {
			seen[key] = true
			c := hourCell{e.model, e.deploy, e.ts.Truncate(time.Hour), time.Unix(0, 0).UTC()}
			want[c] = hourCounts{predictions: want[c].predictions + 1}
		}
	}
	for c, n := range oracle(r.history) {
		h := hourCell{c.model, c.deploy, c.minute.Truncate(time.Hour), c.hour}
		sum := want[h]
		want[h] = hourCounts{counts: counts{sum.labelled + n.labelled, sum.correct + n.correct}}
	}
	return want
}

// rolled compares what was counted with the oracle, of every hour by every hour in
// which its labels became known: so it is the same as known at any past hour.
func (r *replay) rolled(ctx context.Context, want map[hourCell]hourCounts) ([]figure.Figure, error) {
	rows, err := r.db.Conn().Query(ctx, `SELECT model, deploy_hash, time, known, sum(predictions), sum(labelled), sum(correct) FROM score_cells FINAL WHERE stratum >= 0
		GROUP BY model, deploy_hash, time, known`)
	if err != nil {
		return nil, fmt.Errorf("read score cells: %w", err)
	}
	defer rows.Close()
	differ, have := 0, map[hourCell]bool{}
	for rows.Next() {
		var (
			c hourCell
			n hourCounts
		)
		if err := rows.Scan(&c.model, &c.deploy, &c.hour, &c.known, &n.predictions, &n.labelled, &n.correct); err != nil {
			return nil, fmt.Errorf("read score cells: %w", err)
		}
		c.hour, c.known = c.hour.UTC(), c.known.UTC()
		if want[c] != n {
			differ++
		}
		have[c] = true
	}
	for c, n := range want {
		if !have[c] && n != (hourCounts{}) {
			differ++
		}
	}
	return []figure.Figure{figure.Exactly(fmt.Sprintf("replay: hours of score_cells, of %d, that differ from the batch oracle", len(want)), float64(differ), "cells", 0)}, rows.Err()
}

// paged is what became of one model.
type paged struct {
	want     map[hourCell]hourCounts
	nowcasts *analyze.PastNowcasts
	// told are the hours of objectives in which there was a nowcast, proven those in
	// which a page might have rested on it, astray those whose nowcast was made from
	// what the oracle does not have.
	told, proven, astray int
	// pages and tickets are what began to hold, by clock.
	pages, tickets map[string]int
}

// page replays the objectives of one model, for which the oracle has these counts.
func (r *replay) page(ctx context.Context, model plumbline.Model, want map[hourCell]hourCounts) (*paged, error) {
	objectives := []plumbline.Objective{objective(model), daily(model)}
	p := &paged{want: want, nowcasts: analyze.NewPastNowcasts(analyze.DefaultConfig(), r.db, objectives), pages: map[string]int{}, tickets: map[string]int{}}
	reader := burn.Reader{Conn: r.db.Conn(), MaxLag: maxDelay}
	for _, o := range objectives {
		if err := reader.Replay(ctx, o, p, begin, r.end(), p.report, func(float64) {}); err != nil {
			return nil, err
		}
	}
	return p, nil
}

func (p *paged) report(c burn.Replayed) {
	switch {
	case !c.Fires:
	case c.Severity == plumbline.SeverityPage:
		p.pages[c.Clock]++
	default:
		p.tickets[c.Clock]++
	}
}

// At is that of the service's nowcasts, counted.
func (p *paged) At(ctx context.Context, o plumbline.Objective, deploy plumbline.DeployHash, hour time.Time) (burn.Nowcast, bool, error) {
	n, ok, err := p.nowcasts.At(ctx, o, deploy, hour)
	if ok && n.Long.Why == "" {
		p.told++
		if predictions, known := p.by(o.SLO.Model, hour, n.Pair.Long); n.Long.Predictions != predictions || n.Long.Known != known {
			p.astray++
		}
	}
	if ok && (n.Verdict == plumbline.VerdictOK || n.Verdict == plumbline.VerdictBreach) {
		p.proven++
	}
	return n, ok, err
}

// by is how many predictions a window had that ends at an hour, and how many labels
// of them were known then.
func (p *paged) by(model plumbline.Model, hour time.Time, window time.Duration) (predictions, known int64) {
	for c, n := range p.want {
		if c.model == string(model) && !c.hour.Before(hour.Add(-window)) && c.hour.Before(hour) && c.known.Before(hour) {
			predictions += n.predictions
			known += n.labelled
		}
	}
	return predictions, known
}

// daily has the workbook's pair of a day, as a page. An estimate of an hour cannot
// be proven where nine tenths of the labels take days: the twenty windows before it
// are all too young to be held against their labels. The predictions come
// independently of each other, which is declared.
func daily(model plumbline.Model) plumbline.Objective {
	o := objective(model)
	o.SLO.Name, o.SLO.Overdispersion = "accuracy-by-day", 1
	o.Pairs = []plumbline.WindowPair{{Severity: plumbline.SeverityPage, Long: 24 * time.Hour, Short: 6 * time.Hour, Factor: 3}}
	return o
}
