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
	// marks are those of every series, the requests among them.
	marks map[plumbline.Series]mark
}

func newNumbers() *numbers {
	return &numbers{of: map[plumbline.Series]*numeric{}, marks: map[plumbline.Series]mark{}}
}

// block is some rows of the statement, by column.
type block struct {
	series, grids                             []string
	count, deliveries, nulls, nans, infs, sum []uint64
	// buckets and counts of all rows one after another, and where those of each
	// row end; large and huge hold the counts of rows with one that does not fit
	// in counts or in large.
	buckets                                  []int32
	counts                                   []uint16
	large                                    []uint32
	huge                                     []uint64
	bucketsEnd, countsEnd, largeEnd, hugeEnd []uint64
}

// blockColumns is how many columns the statement has.
const blockColumns = 12

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
	b.sum = in.words(b.sum)
	b.buckets, b.bucketsEnd = in.int32s(b.buckets, b.bucketsEnd)
	b.counts, b.countsEnd = in.uint16s(b.counts, b.countsEnd)
	b.large, b.largeEnd = in.uint32s(b.large, b.largeEnd)
	b.huge, b.hugeEnd = in.uint64s(b.huge, b.hugeEnd)
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
	n.marks[series] = n.marks[series].plus(mark{count, b.deliveries[row], b.nulls[row], b.nans[row], b.infs[row], b.sum[row]})
	if series == plumbline.SeriesRequests {
		n.requests += count
		n.deliveries += b.deliveries[row]
		return nil
	}
	s := n.at(series)
	s.nulls += b.nulls[row]
	s.nans += b.nans[row]
	s.infs += b.infs[row]
	buckets := part(b.buckets, b.bucketsEnd, row)
	if len(buckets) == 0 {
		return nil
	}
	s.values[version] += count
	if err := b.addTo(s.on(version), buckets, row); err != nil {
		return fmt.Errorf("series %q: %w", series, err)
	}
	return nil
}

// addTo adds the histogram of a row, by the column that has all of its counts.
func (b *block) addTo(a *adder, buckets []int32, row int) error {
	if huge := part(b.huge, b.hugeEnd, row); len(huge) > 0 {
		return add(a, buckets, huge)
	}
	if large := part(b.large, b.largeEnd, row); len(large) > 0 {
		return add(a, buckets, large)
	}
	return add(a, buckets, part(b.counts, b.countsEnd, row))
}

// at returns the sum of a series so far.
func (n *numbers) at(series plumbline.Series) *numeric {
	s := n.of[series]
	if s == nil {
		s = &numeric{grids: map[grid.Version]*adder{}, values: map[grid.Version]uint64{}}
		n.of[series] = s
	}
	return s
}

// on returns the sum of the histograms on a version of the grid.
func (n *numeric) on(version grid.Version) *adder {
	if n.grids[version] == nil {
		n.grids[version] = &adder{}
	}
	return n.grids[version]
}

// merge adds other sums, which are not changed.
func (n *numbers) merge(other *numbers) {
	n.requests += other.requests
	n.deliveries += other.deliveries
	for series, m := range other.marks {
		n.marks[series] = n.marks[series].plus(m)
	}
	for series, from := range other.of {
		to := n.at(series)
		to.nulls += from.nulls
		to.nans += from.nans
		to.infs += from.infs
		for version, values := range from.values {
			to.values[version] += values
		}
		for version, a := range from.grids {
			to.on(version).merge(a)
		}
	}
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
