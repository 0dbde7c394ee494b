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
	var unknown, partly []plumbline.SLIID
	missing := make(map[int64]bool)
	for _, sli := range slis {
		e := b.known[sli]
		if e == nil || e.from > from {
			unknown = append(unknown, sli)
			continue
		}
		if hours := e.missing(cut); len(hours) > 0 {
			partly = append(partly, sli)
			for _, at := range hours {
				missing[at] = true
			}
		}
	}
	if err := b.readAll(ctx, unknown, from, w.end, cut); err != nil {
		return fmt.Errorf("read counts of %d indicators: %w", len(unknown), err)
	}
	if err := b.readHours(ctx, partly, slices.Sorted(maps.Keys(missing))); err != nil {
		return fmt.Errorf("read minutes of %d indicators: %w", len(partly), err)
	}
	return nil
}

// missing returns the hours that have to be known by the minute and are not.
func (e *extent) missing(cut []int64) []int64 {
	hours := slices.Collect(maps.Keys(e.stale))
	for _, at := range cut {
		if at >= e.from && !e.byMinute(at) {
			hours = append(hours, at)
		}
	}
	return hours
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
	err := b.query(ctx, hoursSQL, []any{clickhouse.Named("slis", texts(slis)), clickhouse.Named("from", from), clickhouse.Named("to", open)}, b.scanHour)
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

func (b *Book) scanHour(scan func(...any) error) error {
	var (
		sli, deploy string
		at, last    uint32
		h           hour
	)
	if err := scan(&sli, &deploy, &at, &h.good, &h.total, &h.rows, &last, &h.last.good, &h.last.total, &h.last.rows); err != nil {
		return err
	}
	h.lastAt = int64(last)
	*b.hour(plumbline.SLIID(sli), plumbline.DeployHash(deploy), int64(at)) = h
	return nil
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
