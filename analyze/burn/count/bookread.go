package count

import (
	"context"
	_ "embed" // the statements
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	plumbline "github.com/plumbline-slo/plumbline"
)

//go:embed sql/hours.sql
var hoursSQL string

//go:embed sql/minutes.sql
var minutesSQL string

// fetch reads what the windows need and the book does not hold.
func (b *Book) fetch(ctx context.Context, slis []plumbline.SLIID, lengths []time.Duration, end time.Time) error {
	w := buckets{lengths: lengths, end: end.Unix()}
	from := w.end - int64(lengths[len(lengths)-1]/time.Second)
	from -= from % hourOf
	cut := w.cut()
	var unknown, partly, changed []plumbline.SLIID
	missing, filled := make(map[int64]bool), make(map[int64]bool)
	for _, sli := range slis {
		e := b.known[sli]
		if e == nil || e.from > from {
			unknown = append(unknown, sli)
			continue
		}
		if e.missing(cut, missing) {
			partly = append(partly, sli)
		}
		if e.filled(filled) {
			changed = append(changed, sli)
		}
	}
	if err := b.readAll(ctx, unknown, from, w.end, cut); err != nil {
		return fmt.Errorf("read counts of %d indicators: %w", len(unknown), err)
	}
	if err := b.readFilled(ctx, changed, slices.Sorted(maps.Keys(filled))); err != nil {
		return fmt.Errorf("read hours of %d indicators: %w", len(changed), err)
	}
	if err := b.readHours(ctx, partly, slices.Sorted(maps.Keys(missing))); err != nil {
		return fmt.Errorf("read minutes of %d indicators: %w", len(partly), err)
	}
	return nil
}

// missing enters the hours that have to be known by the minute and are not, and reports
// whether there are any.
func (e *extent) missing(cut []int64, hours map[int64]bool) (some bool) {
	for at, backlog := range e.stale {
		if !backlog {
			hours[at], some = true, true
		}
	}
	for _, at := range cut {
		if at >= e.from && !e.byMinute(at) {
			hours[at], some = true, true
		}
	}
	return some
}

// filled enters the hours of a backlog that were counted since, and reports whether
// there are any.
func (e *extent) filled(hours map[int64]bool) (some bool) {
	for at, backlog := range e.stale {
		if backlog {
			hours[at], some = true, true
		}
	}
	return some
}

// readAll reads indicators from an hour on: by the hour, and by the minute the last
// hour before the end of the windows, those after it, and those in which windows begin.
func (b *Book) readAll(ctx context.Context, slis []plumbline.SLIID, from, end int64, cut []int64) error {
	if len(slis) == 0 {
		return nil
	}
	for _, sli := range slis {
		delete(b.known, sli)
		delete(b.series, sli)
	}
	open := end - hourOf
	open -= open % hourOf
	err := b.readByHour(ctx, []any{clickhouse.Named("slis", texts(slis)), clickhouse.Named("from", from), clickhouse.Named("to", open), clickhouse.Named("hours", []int64{})}, func(r hourRow) { *b.hour(r.sli, r.deploy, r.at) = r.hour })
	if err != nil {
		return err
	}
	for _, sli := range slis {
		b.known[sli] = &extent{from: from, open: open, minutes: make(map[int64]bool), stale: make(map[int64]bool)}
	}
	if err := b.readMinutes(ctx, slis, cut, open); err != nil {
		for _, sli := range slis {
			delete(b.known, sli)
		}
		return err
	}
	return nil
}

// readFilled reads hours of a backlog that were counted since, by the hour: by the minute
// those of days would fill the memory with what no window cuts.
func (b *Book) readFilled(ctx context.Context, slis []plumbline.SLIID, hours []int64) error {
	if len(slis) == 0 {
		return nil
	}
	parameters := []any{clickhouse.Named("slis", texts(slis)), clickhouse.Named("hours", hours), clickhouse.Named("from", hours[0]), clickhouse.Named("to", hours[len(hours)-1]+hourOf)}
	err := b.readByHour(ctx, parameters, func(r hourRow) {
		if b.known[r.sli].stale[r.at] {
			*b.hour(r.sli, r.deploy, r.at) = r.hour
		}
	})
	if err != nil {
		return err
	}
	for _, sli := range slis {
		maps.DeleteFunc(b.known[sli].stale, func(_ int64, backlog bool) bool { return backlog })
	}
	return nil
}

// readHours reads hours of indicators by the minute.
func (b *Book) readHours(ctx context.Context, slis []plumbline.SLIID, hours []int64) error {
	if len(slis) == 0 {
		return nil
	}
	return b.readMinutes(ctx, slis, hours, math.MaxUint32)
}

// readMinutes replaces hours of indicators, and all hours since one, by their minutes.
func (b *Book) readMinutes(ctx context.Context, slis []plumbline.SLIID, hours []int64, since int64) error {
	type minute struct {
		sli    plumbline.SLIID
		deploy plumbline.DeployHash
		at     int64
		tally  tally
	}
	var found []minute
	parameters := []any{clickhouse.Named("slis", texts(slis)), clickhouse.Named("hours", hours), clickhouse.Named("since", since), clickhouse.Named("from", min(since, slices.Min(append(hours, since))))}
	err := b.query(ctx, minutesSQL, parameters, func(scan func(...any) error) error {
		var (
			sli, deploy string
			at          uint32
			t           tally
		)
		if err := scan(&sli, &deploy, &at, &t.good, &t.total, &t.rows); err != nil {
			return err
		}
		found = append(found, minute{plumbline.SLIID(sli), plumbline.DeployHash(deploy), int64(at), t})
		return nil
	})
	if err != nil {
		return err
	}
	for _, sli := range slis {
		e := b.known[sli]
		for _, at := range hours {
			for _, s := range b.series[sli] {
				delete(s, at)
			}
			e.minutes[at] = true
			delete(e.stale, at)
		}
	}
	for _, m := range found {
		b.enter(m.sli, m.deploy, m.at, m.tally)
	}
	return nil
}

// hourRow is an hour of one indicator and deploy.
type hourRow struct {
	sli    plumbline.SLIID
	deploy plumbline.DeployHash
	at     int64
	hour   hour
}

func (b *Book) readByHour(ctx context.Context, parameters []any, take func(hourRow)) error {
	return b.query(ctx, hoursSQL, parameters, func(scan func(...any) error) error {
		var (
			sli, deploy string
			at, last    uint32
			h           hour
		)
		if err := scan(&sli, &deploy, &at, &h.good, &h.total, &h.rows, &last, &h.last.good, &h.last.total, &h.last.rows); err != nil {
			return err
		}
		h.lastAt = int64(last)
		take(hourRow{plumbline.SLIID(sli), plumbline.DeployHash(deploy), int64(at), h})
		return nil
	})
}

// query calls take for every row of an answer.
func (b *Book) query(ctx context.Context, statement string, parameters []any, take func(scan func(...any) error) error) (err error) {
	rows, err := b.Reader.Conn.Query(ctx, statement, parameters...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		if err := take(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}
