package labels

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/analyze/burn"
	"github.com/plumbline-slo/plumbline/ingest/join"
	"github.com/plumbline-slo/plumbline/storage"
	"github.com/plumbline-slo/plumbline/testenv/figure"
)

// Replay replays a history into an empty database and returns what came of it.
func Replay(ctx context.Context, db *storage.DB, dsn string, o Options) ([]figure.Figure, error) {
	r := &replay{Options: o, db: db, dsn: dsn, random: rand.New(rand.NewPCG(o.Seed, 1)), history: makeHistory(o)}
	if err := r.run(ctx); err != nil {
		return nil, err
	}
	labels := 0
	for _, e := range r.history {
		if e.label {
			labels++
		}
	}
	figures := []figure.Figure{
		figure.AtLeast("replay: labels joined by 3 processes", float64(labels), "labels", 1),
		figure.AtLeast("replay: processes killed", float64(r.kills), "kills", float64(o.Kills)),
	}
	checks := []func(context.Context) ([]figure.Figure, error){r.cells, r.verify}
	if o.Burns > 0 {
		checks = append(checks, r.burns, r.pages)
	}
	for _, check := range checks {
		found, err := check(ctx)
		if err != nil {
			return nil, err
		}
		figures = append(figures, found...)
	}
	return figures, nil
}

// stored reads the cells as they stand, but those that are zero.
func (r *replay) stored(ctx context.Context) (map[cell]counts, error) {
	rows, err := r.db.Conn().Query(ctx, "SELECT model, deploy_hash, time, known, labelled, correct FROM outcome_cells FINAL WHERE segment = '' AND (labelled != 0 OR correct != 0)")
	if err != nil {
		return nil, fmt.Errorf("read outcome cells: %w", err)
	}
	defer rows.Close()
	cells := map[cell]counts{}
	for rows.Next() {
		var (
			c cell
			n counts
		)
		if err := rows.Scan(&c.model, &c.deploy, &c.minute, &c.hour, &n.labelled, &n.correct); err != nil {
			return nil, fmt.Errorf("read outcome cells: %w", err)
		}
		c.minute, c.hour = c.minute.UTC(), c.hour.UTC()
		cells[c] = n
	}
	return cells, rows.Err()
}

// cells compares the stored cells with the oracle, one by one and as known at the
// end of every hour.
func (r *replay) cells(ctx context.Context) ([]figure.Figure, error) {
	have, err := r.stored(ctx)
	if err != nil {
		return nil, err
	}
	want := oracle(r.history)
	differ := 0
	byHour := map[time.Time]counts{}
	for c, n := range have {
		sum := byHour[c.hour]
		byHour[c.hour] = counts{sum.labelled + n.labelled, sum.correct + n.correct}
		if want[c] != n {
			differ++
		}
	}
	for c := range want {
		if _, ok := have[c]; !ok {
			differ++
		}
	}
	var (
		hours, wrong int
		known        counts
	)
	for at := begin; at.Before(r.end()); at = at.Add(time.Hour) {
		hours++
		known = counts{known.labelled + byHour[at].labelled, known.correct + byHour[at].correct}
		if known != r.by(at.Add(time.Hour)) {
			wrong++
		}
	}
	return []figure.Figure{
		figure.AtLeast("replay: cells of the batch oracle", float64(len(want)), "cells", 1),
		figure.Exactly("replay: cells that differ from the batch oracle", float64(differ), "cells", 0),
		figure.Exactly(fmt.Sprintf("replay: hours of %d whose state as known then differs", hours), float64(wrong), "hours", 0),
	}, nil
}

func (r *replay) end() time.Time {
	return r.history[len(r.history)-1].known.Truncate(time.Hour).Add(time.Hour)
}

// by is the state before an instant by definition, from nothing but the events
// known by then.
func (r *replay) by(at time.Time) counts {
	var known []event
	for _, e := range r.history {
		if e.known.Before(at) {
			known = append(known, e)
		}
	}
	var sum counts
	for _, n := range oracle(known) {
		sum = counts{sum.labelled + n.labelled, sum.correct + n.correct}
	}
	return sum
}

// verify compares cells and hours with their recomputation in SQL.
func (r *replay) verify(ctx context.Context) ([]figure.Figure, error) {
	j, err := join.New(join.DefaultConfig(), join.Dependencies{DB: r.db})
	if err != nil {
		return nil, err
	}
	v, err := j.Verify(ctx)
	if err != nil {
		return nil, err
	}
	return []figure.Figure{
		figure.Exactly("replay: cells that differ from their recomputation in SQL", float64(v.Differ+v.SegmentsDiffer), "cells", 0),
		figure.Exactly("replay: rows of outcome_hours that differ from it", float64(v.HoursDiffer+v.HoursSegmentsDiffer), "rows", 0),
	}, nil
}

// volume counts requests as ingest does.
func (r *replay) volume(ctx context.Context) error {
	for table, start := range map[string]string{"series_minute": "toStartOfMinute(ts)", "series_hour": "toStartOfHour(ts)"} {
		err := r.db.Conn().Exec(ctx, "INSERT INTO "+table+" (model, deploy_hash, stage, series, time, count, rows) SELECT model, deploy_hash, stage, 'requests', "+start+
			" AS start, count(), count() FROM predictions GROUP BY model, deploy_hash, stage, start")
		if err != nil {
			return fmt.Errorf("count requests: %w", err)
		}
	}
	return nil
}

// burns evaluates burn rates as known at hours of the replay.
func (r *replay) burns(ctx context.Context) ([]figure.Figure, error) {
	if err := r.volume(ctx); err != nil {
		return nil, err
	}
	reader := burn.Reader{Conn: r.db.Conn(), MaxLag: maxDelay}
	pages, spoke, hours := map[plumbline.Model]int{}, map[plumbline.Model]int{}, 0
	for at := begin.Add(time.Hour); at.Before(r.end()); at = at.Add(r.Burns) {
		hours++
		for _, model := range []plumbline.Model{healthy, broken} {
			evaluations, err := reader.AsKnownAt(ctx, objective(model), "a", at)
			if err != nil {
				return nil, err
			}
			for _, e := range evaluations {
				if e.Breach() {
					pages[model]++
				}
				if e.Verdict == plumbline.VerdictOK {
					spoke[model]++
				}
			}
		}
	}
	return []figure.Figure{
		figure.Exactly(fmt.Sprintf("replay: pages of a healthy model in %d hours", hours), float64(pages[healthy]), "pages", 0),
		figure.AtLeast("replay: times that the healthy model was found ok", float64(spoke[healthy]), "times", float64(hours)/4),
		figure.AtLeast("replay: pages of a model that is wrong in half of the cases", float64(pages[broken]), "pages", 1),
	}, nil
}

// objective has the pairs that page of Google's workbook, for 30 days, and the
// one of three days, which asks most of few labels.
func objective(model plumbline.Model) plumbline.Objective {
	const period = 30 * 24 * time.Hour
	pair := func(long, short time.Duration, factor float64) plumbline.WindowPair {
		return plumbline.WindowPair{Severity: "page", Long: long, Short: short, Factor: factor}
	}
	return plumbline.Objective{
		SLO:   plumbline.SLO{Name: "accuracy", Model: model, Measure: plumbline.MeasureAccuracy, Target: 0.95, Period: period, MinCoverage: 0.5},
		Pairs: []plumbline.WindowPair{pair(time.Hour, 5*time.Minute, 14.4), pair(6*time.Hour, 30*time.Minute, 6), pair(72*time.Hour, 6*time.Hour, 1)},
	}
}
