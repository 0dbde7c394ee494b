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
}

// block is some rows of the statement, by column.
type block struct {
	series, grids                        []string
	count, deliveries, nulls, nans, infs []uint64
	// buckets and counts of all rows one after another, and where those of each
	// row end; wide holds the counts of rows with one that does not fit.
	buckets                        []int32
	counts                         []uint32
	wide                           []uint64
	bucketsEnd, countsEnd, wideEnd []uint64
}

// blockColumns is how many columns the statement has.
const blockColumns = 10

// numeric is the sum of the rows of one series.
type numeric struct {
	nulls, nans, infs uint64
	grids             map[grid.Version]*adder
	values            map[grid.Version]uint64
}

// read adds up what the statement returns.
func (n *numbers) read(ctx context.Context, conn Querier, q Query) (err error) {
	body, err := conn.QueryFormat(ctx, "Native", numbersSQL, q.parameters()...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, body.Close()) }()
	var b block
	in := newNative(body)
	for in.next(blockColumns) {
		if err := b.read(in); err != nil {
			return err
		}
		for row := range b.series {
			if err := n.row(&b, row); err != nil {
				return err
			}
		}
	}
	return in.err
}

// read replaces the block by the next one.
func (b *block) read(in *native) error {
	b.series, b.grids = in.strings(b.series), in.strings(b.grids)
	b.count, b.deliveries = in.counts(b.count), in.counts(b.deliveries)
	b.nulls, b.nans, b.infs = in.counts(b.nulls), in.counts(b.nans), in.counts(b.infs)
	b.buckets, b.bucketsEnd = in.int32s(b.buckets, b.bucketsEnd)
	b.counts, b.countsEnd = in.uint32s(b.counts, b.countsEnd)
	b.wide, b.wideEnd = in.uint64s(b.wide, b.wideEnd)
	return in.err
}

// part is what a column of arrays holds of a row.
func part[T any](all []T, ends []uint64, row int) []T {
	from := uint64(0)
	if row > 0 {
		from = ends[row-1]
	}
	return all[from:ends[row]]
}

// row adds one row of a block.
func (n *numbers) row(b *block, row int) error {
	series, version, count := plumbline.Series(b.series[row]), grid.Version(b.grids[row]), b.count[row]
	if series == plumbline.SeriesRequests {
		n.requests += count
		n.deliveries += b.deliveries[row]
		return nil
	}
	s := n.of[series]
	if s == nil {
		s = &numeric{grids: map[grid.Version]*adder{}, values: map[grid.Version]uint64{}}
		n.of[series] = s
	}
	s.nulls += b.nulls[row]
	s.nans += b.nans[row]
	s.infs += b.infs[row]
	buckets := part(b.buckets, b.bucketsEnd, row)
	if len(buckets) == 0 {
		return nil
	}
	if s.grids[version] == nil {
		s.grids[version] = &adder{}
	}
	s.values[version] += count
	var err error
	if wide := part(b.wide, b.wideEnd, row); len(wide) > 0 {
		err = add(s.grids[version], buckets, wide)
	} else {
		err = add(s.grids[version], buckets, part(b.counts, b.countsEnd, row))
	}
	if err != nil {
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
