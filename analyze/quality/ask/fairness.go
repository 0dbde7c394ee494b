package ask

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/plumbline-slo/plumbline/analyze/quality/fairness"
)

// fairness compares the values of every protected segment with one of them.
func (a *Asker) fairness(ctx context.Context, q Question, d Declaration) ([]Gaps, error) {
	switch {
	case q.Segment != "":
		return nil, ParameterError{Name: "segment", Err: fmt.Errorf("%q: fairness compares segments, which are marginal; leave it out", q.Segment)}
	case len(d.Protected) == 0:
		return nil, ParameterError{Name: "fairness", Err: fmt.Errorf("no protected segments are declared for model %q: name them under models, quality.protected", q.Model)}
	case d.Task != Binary:
		return nil, ParameterError{Name: "fairness", Err: fmt.Errorf("a %s model has no positive class to compare; declare one under models, quality", d.Task)}
	}
	var all []Gaps
	for _, p := range d.Protected {
		groups, seen, err := a.groups(ctx, q, d, p)
		if err != nil {
			return nil, err
		}
		gaps, err := compare(p, groups, seen.withoutPositive(d))
		if err != nil {
			return nil, err
		}
		all = append(all, gaps)
	}
	return all, nil
}

// groups counts the predictions of each value of a segment. Those that were
// called positive are counted in the rollups, which are by hour and count
// deliveries; labels are counted from their rows.
func (a *Asker) groups(ctx context.Context, q Question, d Declaration, p Protected) (map[string]fairness.Group, vocabulary, error) {
	q.By = BySegment + Grouping(":"+p.Segment)
	var (
		tallies map[string]*tally
		err     error
	)
	if q.Rollups {
		tallies, err = a.hourClasses(ctx, q, d)
	} else {
		tallies, err = a.classes(ctx, q, d, false)
	}
	if err != nil {
		return nil, nil, err
	}
	groups, seen := map[string]fairness.Group{}, vocabularyOf(tallies)
	args := append(q.parameters(d), clickhouse.Named("key", p.Segment+"="))
	err = a.each(ctx, "calls by segment", q.statement(calledSQL), args, func(rows driver.Rows) error {
		var g fairness.Group
		if err := rows.Scan(&g.Name, &g.Predictions, &g.Called); err != nil {
			return err
		}
		groups[g.Name] = g
		if g.Called > 0 {
			seen[d.Positive] = true
		}
		return nil
	})
	for name, t := range tallies {
		g := groups[name]
		g.Name, g.Labelled, g.Thinning = name, t.confusion(d.Positive), t.thinning()
		// A batch whose rollups come a moment after its labels has more of those.
		g.Predictions = max(g.Predictions, g.Labelled.Labelled())
		groups[name] = g
	}
	return groups, seen, err
}

// compare compares groups with the reference, unless nothing is of the positive class.
func compare(p Protected, groups map[string]fairness.Group, noPositive string) (Gaps, error) {
	out := Gaps{Segment: p.Segment, Reference: p.Segment + "=" + p.Reference}
	if p.Reference == "" {
		most := int64(-1)
		for _, name := range slices.Sorted(maps.Keys(groups)) {
			if n := groups[name].Predictions; n > most {
				most, out.Reference = n, name
			}
		}
	}
	reference, ok := groups[out.Reference]
	names := slices.Sorted(maps.Keys(groups))
	switch {
	case len(groups) == 0:
		out.Missing = fmt.Sprintf("no prediction of the window has segment %q", p.Segment)
	case !ok:
		out.Missing = fmt.Sprintf("no prediction of the window is of the reference %q; groups seen: %s", out.Reference, listed(names))
	case len(groups) < 2:
		out.Missing = fmt.Sprintf("all predictions of the window are of %s: there is nothing to compare", listed(names))
	case noPositive != "":
		out.Missing = noPositive
	}
	if out.Missing != "" {
		return out, nil
	}
	for _, name := range names {
		if name == out.Reference {
			continue
		}
		gaps, err := fairness.Compare(groups[name], reference, len(groups)-1)
		if err != nil {
			return out, err
		}
		out.Gaps = append(out.Gaps, gaps...)
	}
	return out, nil
}
