package ingest

import (
	"bytes"
	"math"
	"math/bits"

	"github.com/plumbline-slo/plumbline/ingest/decode"
	"github.com/plumbline-slo/plumbline/storage/grid"
)

// scalars are the merging numbers of one cell.
type scalars struct {
	count, rows, nans, infs uint64 // all but rows by weight
	sum                     int128
	min, max                float64
}

func (s *scalars) merge(o *scalars) {
	s.count += o.count
	s.rows += o.rows
	s.nans += o.nans
	s.infs += o.infs
	s.sum = s.sum.add(o.sum)
	s.min, s.max = math.Min(s.min, o.min), math.Max(s.max, o.max)
}

// add counts v and reports whether it is finite and small enough for the sum.
func (s *scalars) add(v float64, n uint64) bool {
	if v != v {
		s.nans += n
		return false
	}
	if math.Abs(v) > sumLimit {
		s.infs += n
		return false
	}
	v += 0 // -0 counts as +0
	s.count += n
	s.rows++
	s.sum = s.sum.add(nano(v).times(n))
	s.min, s.max = min(s.min, v), max(s.max, v)
	return true
}

// values are values of one series in rows of one minute.
type values struct {
	column  []float64
	at      []int32 // where in the column they are, from offset on
	offset  int32
	weights []uint32 // in requests
}

// stretch is space for the rows that are counted together.
type stretch struct {
	weights, valid [stretchRows]uint32
	at             [stretchRows]int32
}

// count counts rows of the minute under way, at most stretchRows.
func (f *fold) count(rows []int32) {
	in := f.in
	weights := f.scratch.weights[:len(rows)]
	for i, row := range rows {
		weights[i] = f.weights[row]
	}
	f.requests(rows, weights)
	if score := f.present(&in.Score, rows, weights); len(score.at) > 0 {
		if f.probability[in.Model.IDs[rows[0]]] {
			f.odds(score)
		} else {
			f.coarse(f.numbers(seriesScore, score), score)
		}
	}
	if value := f.present(&in.PredictedValue, rows, weights); len(value.at) > 0 {
		f.numbers(seriesValue, value)
	}
	if latency := f.present(&in.Latency, rows, weights); len(latency.at) > 0 {
		f.coarse(f.numbers(seriesLatency, latency), latency)
	}
	if doubt := f.present(&in.Disagreement, rows, weights); len(doubt.at) > 0 {
		f.numbers(seriesDisagreement, doubt)
	}
	if explained := f.present(&in.Explained, rows, weights); len(explained.at) > 0 {
		f.numbers(seriesExplained, explained)
	}
	for len(rows) > 0 {
		n := f.features(rows, weights)
		rows, weights = rows[n:], weights[n:]
	}
}

func (f *fold) requests(rows []int32, weights []uint32) {
	for i, row := range rows {
		if f.in.Half.IDs[row] != f.response {
			all := &f.scalars[f.cell(seriesRequests)]
			all.count += uint64(weights[i])
			all.rows++
		}
	}
}

// present returns the values of an optional column.
func (f *fold) present(c *decode.Floats, rows []int32, weights []uint32) values {
	n := 0
	if c.Nulls == len(c.Values) { // no event of the batch has it
		rows = nil
	}
	for i, row := range rows {
		if _, ok := c.At(int(row)); ok {
			f.scratch.at[n], f.scratch.valid[n] = row, weights[i]
			n++
		}
	}
	return values{column: c.Values, at: f.scratch.at[:n], weights: f.scratch.valid[:n]}
}

// features counts the numbers of the first rows that have the same features in
// the same order, and returns how many rows these are.
func (f *fold) features(rows []int32, weights []uint32) int {
	in := f.in
	from, to := in.Numbers.Row(int(rows[0]))
	keys := in.Numbers.Keys[from:to]
	n := 0
	for _, row := range rows {
		from, to := in.Numbers.Row(int(row))
		if n > 0 && !bytes.Equal(bytesOf(in.Numbers.Keys[from:to]), bytesOf(keys)) {
			break
		}
		f.scratch.at[n] = from
		n++
	}
	v := values{column: in.NumberValues, at: f.scratch.at[:n], weights: weights[:n]}
	for i, feature := range keys {
		v.offset = int32(i)
		f.numbers(seriesFeatures+feature, v)
	}
	return n
}

// shortLimit is the magnitude below which a value in units of 1e-9 is an int64.
const shortLimit = 9e9

// numbers counts values on the full grid and returns their cell. Every value of
// every event passes here: the loop keeps its sums in registers, and leaves to
// scalars.add what is not a number of common size.
func (f *fold) numbers(series int32, v values) int32 {
	cell := f.cell(series)
	hour := f.hourCellOf[cell]
	bins := &f.hours.bins
	directory := bins.of(hour)
	all := &f.scalars[cell]
	var sum int128
	var count, rows, carry uint64
	least, most := all.min, all.max
	for i, at := range v.at {
		x, n := v.column[at+v.offset], uint64(v.weights[i])
		if !(math.Abs(x) < shortLimit) {
			if all.add(x, n) {
				bins.add(directory, hour, grid.Bucket(x), n)
			}
			continue
		}
		x += 0 // -0 counts as +0
		units := int64(math.RoundToEven(float64(x * sumScale)))
		hi, lo := bits.Mul64(uint64(units), n)
		sum.lo, carry = bits.Add64(sum.lo, lo, 0)
		sum.hi += int64(hi+carry) + (units>>63)*int64(n)
		count += n
		rows++
		if x < least {
			least = x
		}
		if x > most {
			most = x
		}
		bucket := grid.Bucket(x)
		if page := directory.page(bucket); page != 0 { // bins.add without a call
			bins.pages[page].add(bucket, n)
			continue
		}
		bins.miss(directory, hour, bucket, n)
	}
	all.merge(&scalars{count: count, rows: rows, sum: sum, min: least, max: most})
	return cell
}

// coarse counts by minute the values that the cell has counted by hour.
func (f *fold) coarse(cell int32, v values) {
	bins := &f.minutes.bins
	directory := bins.of(cell)
	for i, at := range v.at {
		if x := v.column[at]; math.Abs(x) <= sumLimit {
			bins.add(directory, cell, grid.ToCoarse(grid.Bucket(x)), uint64(v.weights[i]))
		}
	}
}

// odds counts scores that are probabilities.
func (f *fold) odds(v values) {
	cell := f.cell(seriesScore)
	hour := f.hourCellOf[cell]
	byHour, byMinute := &f.hours.bins, &f.minutes.bins
	all := &f.scalars[cell]
	for i, at := range v.at {
		p, n := v.column[at], uint64(v.weights[i])
		if p < 0 || p > 1 {
			all.infs += n
			continue
		}
		if !all.add(p, n) {
			continue
		}
		bucket := grid.OddsBucket(p)
		byHour.add(byHour.of(hour), hour, bucket, n)
		byMinute.add(byMinute.of(cell), cell, grid.ToCoarse(bucket), n)
	}
}
