package benchpage

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/plumbline-slo/plumbline/storage"
)

// stages say where the excess went, in seconds after the crossing: until events of
// that time were stored, until the finding that breaches was, until the evaluation of
// the rule that fires began, and until the page; and how long the page took from there.
type stages struct{ stored, found, evaluated, paged, delivery []float64 }

// stagesOf asks the service's own tables.
func stagesOf(ctx context.Context, db *storage.DB, p *pages, all []*endpoint) (s stages, err error) {
	const batches = "SELECT toString(known_max), toUnixTimestamp64Milli(known_max), toUnixTimestamp64Milli(stored) FROM batches WHERE table = 'predictions' AND rows > 0 ORDER BY stored"
	stored, err := times(ctx, db, batches)
	if err != nil {
		return s, err
	}
	const findings = "SELECT slo, toUnixTimestamp64Milli(min(at)), toInt64(0) FROM findings WHERE signal = 'burn' AND measure = 'bad_share' AND verdict = 'breach' AND window IN ('1h', '6h') GROUP BY slo"
	found, err := times(ctx, db, findings)
	if err != nil {
		return s, err
	}
	const incidents = "SELECT slo, toUnixTimestamp64Milli(min(opened)), toInt64(0) FROM incidents GROUP BY slo"
	evaluated, err := times(ctx, db, incidents)
	if err != nil {
		return s, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, e := range all {
		got := p.at[e.model]
		if e.crossed.IsZero() || len(got) == 0 {
			continue
		}
		since := func(ms int64) float64 { return time.UnixMilli(ms).Sub(e.crossed).Seconds() }
		i := slices.IndexFunc(stored, func(r instant) bool { return r.first >= e.crossed.UnixMilli() })
		of := func(r instant) bool { return r.name == string(e.slo) }
		k, l := slices.IndexFunc(found, of), slices.IndexFunc(evaluated, of)
		if i < 0 || k < 0 || l < 0 {
			continue
		}
		s.stored, s.found = append(s.stored, since(stored[i].second)), append(s.found, since(found[k].first))
		s.evaluated = append(s.evaluated, since(evaluated[l].first))
		s.paged = append(s.paged, got[0].Sub(e.crossed).Seconds())
		s.delivery = append(s.delivery, got[0].Sub(time.UnixMilli(evaluated[l].first)).Seconds())
	}
	for _, of := range [][]float64{s.stored, s.found, s.evaluated, s.paged, s.delivery} {
		slices.Sort(of)
	}
	return s, nil
}

// instant is a row of a name and two times in milliseconds.
type instant struct {
	name          string
	first, second int64
}

func times(ctx context.Context, db *storage.DB, query string) (all []instant, err error) {
	rows, err := db.Conn().Query(ctx, query)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var r instant
		if err := rows.Scan(&r.name, &r.first, &r.second); err != nil {
			return nil, err
		}
		all = append(all, r)
	}
	return all, rows.Err()
}

func (s stages) String() string {
	at := func(sorted []float64) string {
		return fmt.Sprintf("%.1f s, %.1f s", quantile(sorted, 0.5), quantile(sorted, 0.99))
	}
	return fmt.Sprintf("after the crossing, p50 and p99: stored %s; found %s; evaluated %s; paged %s, of which from the evaluation on %s",
		at(s.stored), at(s.found), at(s.evaluated), at(s.paged), at(s.delivery))
}
