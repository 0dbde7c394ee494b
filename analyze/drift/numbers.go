package drift

import (
	"context"
	"errors"
	"fmt"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/storage/grid"
)

// numbers adds up the rows of series_hour of a window.
type numbers struct {
	requests, deliveries uint64
	of                   map[plumbline.Series]*numeric
	buckets              []int32
	counts               []uint64
}

// numeric is the sum of the rows of one series.
type numeric struct {
	nulls, nans, infs uint64
	grids             map[grid.Version]*adder
	values            map[grid.Version]uint64
}

// read adds up what the statement returns.
func (n *numbers) read(ctx context.Context, conn Querier, q Query) (err error) {
	body, err := conn.QueryFormat(ctx, "RowBinary", numbersSQL, q.parameters()...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, body.Close()) }()
	rows := newBinaryRows(body)
	for rows.next() {
		if err := n.row(rows); err != nil {
			return err
		}
	}
	return rows.err
}

func (n *numbers) row(rows *binaryRows) error {
	series, version := plumbline.Series(rows.string()), grid.Version(rows.string())
	count, deliveries := rows.uint64(), rows.uint64()
	nulls, nans, infs := rows.uint64(), rows.uint64(), rows.uint64()
	n.buckets, n.counts = rows.int32s(n.buckets[:0]), rows.uint64s(n.counts[:0])
	if rows.err != nil {
		return rows.err
	}
	if series == plumbline.SeriesRequests {
		n.requests += count
		n.deliveries += deliveries
		return nil
	}
	s := n.of[series]
	if s == nil {
		s = &numeric{grids: map[grid.Version]*adder{}, values: map[grid.Version]uint64{}}
		n.of[series] = s
	}
	s.nulls += nulls
	s.nans += nans
	s.infs += infs
	if len(n.buckets) == 0 {
		return nil
	}
	if s.grids[version] == nil {
		s.grids[version] = &adder{}
	}
	s.values[version] += count
	if err := s.grids[version].add(n.buckets, n.counts); err != nil {
		return fmt.Errorf("series %q: %w", series, err)
	}
	return nil
}

// into adds the sum to what the categories of the series say. Of several grids
// the one with most values is kept.
func (n *numeric) into(s Sample) Sample {
	s.Nulls += n.nulls
	s.NaNs += n.nans
	s.Infs += n.infs
	best := grid.Full
	for _, version := range []grid.Version{grid.Full, grid.FullOdds} {
		if n.values[version] > n.values[best] {
			best = version
		}
	}
	for version, values := range n.values {
		if version != best {
			s.Elsewhere += values
		}
	}
	if a := n.grids[best]; a != nil {
		s.Numbers = a.histogram()
	}
	if best != grid.Full {
		s.Grid = best
	}
	return s
}
