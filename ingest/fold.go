package ingest

import (
	"math"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/ingest/decode"
	"github.com/plumbline-slo/plumbline/storage/grid"
)

// ScoreKind says what a model's score is, and so on which grid it is counted.
// It belongs to the model and never to a value: one series has one grid.
type ScoreKind string

// The kinds of scores.
const (
	// ScoreProbability is counted by its odds. A value outside [0, 1] has no
	// place on that grid and counts in infs.
	ScoreProbability ScoreKind = "probability"
	// ScoreNumber is counted like a feature.
	ScoreNumber ScoreKind = "number"
)

// Series are numbered within a batch: the fixed ones first, then the features
// by their identifier in the batch.
const (
	seriesRequests = iota
	seriesScore
	seriesValue
	seriesLatency
	seriesFeatures
)

// Category series: predicted first, then the features.
const (
	categoryPredicted = iota
	categoryFeatures
)

// Keys of categories that are no value. Others are an identifier in the
// batch's dictionary, or with cutBit one in fold.cuts.
const (
	cutBit   = 1 << 31
	nullKey  = cutBit - 1
	otherKey = cutBit - 2
)

// maxCategories caps the distinct values of one series and hour in one batch.
const maxCategories = 10_000

// maxCategoryBytes is where a category is cut, at a rune's start.
const maxCategoryBytes = 256

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

// counts is a table of counters by (cell, bucket or value).
type counts struct {
	pairs
	n, rows []uint64
}

func (c *counts) add(cell int32, key uint32, n uint64) {
	id, isNew := c.id(cell, key)
	if isNew {
		c.n = append(c.n, 0)
		c.rows = append(c.rows, 0)
	}
	c.n[id] += n
	c.rows[id]++
}

func (c *counts) reset() {
	c.pairs.reset()
	c.n, c.rows = c.n[:0], c.rows[:0]
}

// fold counts the rows of one batch into cells: one pass over the columns while
// they are in cache. It is reused from batch to batch and owned by one
// goroutine.
type fold struct {
	kinds map[plumbline.Model]ScoreKind
	in    *decode.Predictions

	deploys, owners pairs // (model, deploy), (that, stage)
	minutes, hours  pairs // (owner, minute), (owner, hour)
	hourOf          []int32

	minuteCells, hourCells pairs // (minute, series), (hour, series)
	minuteScalars          []scalars
	hourCellOf             []int32
	minuteBins, hourBins   counts
	// The cell of the row before, by series: rows come nearly in time order.
	lastMinute, lastCell []int32

	categoryCells pairs // (hour, category series)
	distinct      []int32
	categories    counts
	cuts          decode.Dict

	probability []bool // by model identifier
	response    int32  // identifier of the half that is no delivery
}

func newFold(kinds map[plumbline.Model]ScoreKind) *fold { return &fold{kinds: kinds} }

func (f *fold) reset() {
	for _, p := range []*pairs{&f.deploys, &f.owners, &f.minutes, &f.hours, &f.minuteCells, &f.hourCells, &f.categoryCells} {
		p.reset()
	}
	f.minuteBins.reset()
	f.hourBins.reset()
	f.categories.reset()
	f.cuts.Reset()
	f.hourOf, f.minuteScalars, f.hourCellOf, f.distinct = f.hourOf[:0], f.minuteScalars[:0], f.hourCellOf[:0], f.distinct[:0]
	f.lastMinute, f.lastCell, f.probability = f.lastMinute[:0], f.lastCell[:0], f.probability[:0]
}

// run folds every row of in, which must stay unchanged until the rollups are
// built.
func (f *fold) run(in *decode.Predictions) {
	f.reset()
	f.in = in
	for range seriesFeatures + in.Features.Len() {
		f.lastMinute = append(f.lastMinute, -1)
		f.lastCell = append(f.lastCell, -1)
	}
	for id := range in.Model.Dict.Len() {
		kind := f.kinds[plumbline.Model(in.Model.Dict.Value(int32(id)))]
		f.probability = append(f.probability, kind != ScoreNumber)
	}
	// The request of an exchange is its delivery.
	f.response = in.Half.Dict.ID(wordResponse)
	for row := range in.Len() {
		f.row(row)
	}
}

var wordResponse = []byte(decode.HalfResponse)

func (f *fold) row(row int) {
	in := f.in
	minute := f.minute(row)
	n := requests(in.Weight[row], in.ID.At(row))
	if in.Half.IDs[row] != f.response {
		all := &f.minuteScalars[f.cell(minute, seriesRequests)]
		all.count += n
		all.rows++
	}
	if v, ok := in.Score.At(row); ok {
		f.score(minute, in.Model.IDs[row], v, n)
	}
	if v, ok := in.PredictedValue.At(row); ok {
		f.number(minute, seriesValue, v, n)
	}
	if v, ok := in.Latency.At(row); ok {
		if cell, ok := f.number(minute, seriesLatency, v, n); ok {
			f.minuteBins.add(cell, order(grid.ToCoarse(grid.Bucket(v))), n)
		}
	}
	from, to := in.Numbers.Row(row)
	for i := from; i < to; i++ {
		f.number(minute, seriesFeatures+in.Numbers.Keys[i], in.NumberValues[i], n)
	}
	f.rowCategories(row, f.hourOf[minute], n)
}

// minute returns the group of the row: owner and minute.
func (f *fold) minute(row int) int32 {
	in := f.in
	deploy, _ := f.deploys.id(in.Model.IDs[row], uint32(in.Deploy.IDs[row]))
	owner, _ := f.owners.id(deploy, uint32(in.Stage.IDs[row]))
	at := floorDiv(in.TS[row], 60_000)
	minute, isNew := f.minutes.id(owner, uint32(at))
	if isNew {
		hour, _ := f.hours.id(owner, uint32(floorDiv(at, 60)))
		f.hourOf = append(f.hourOf, hour)
	}
	return minute
}

// cell returns the cell of a series in a minute.
func (f *fold) cell(minute, series int32) int32 {
	if f.lastMinute[series] == minute {
		return f.lastCell[series]
	}
	cell, isNew := f.minuteCells.id(minute, uint32(series))
	if isNew {
		hour, _ := f.hourCells.id(f.hourOf[minute], uint32(series))
		f.hourCellOf = append(f.hourCellOf, hour)
		f.minuteScalars = append(f.minuteScalars, scalars{min: math.Inf(1), max: math.Inf(-1)})
	}
	f.lastMinute[series], f.lastCell[series] = minute, cell
	return cell
}

// number counts one value and reports whether it has a place on the grid.
func (f *fold) number(minute, series int32, v float64, n uint64) (int32, bool) {
	cell := f.cell(minute, series)
	if !f.minuteScalars[cell].add(v, n) {
		return cell, false
	}
	f.hourBins.add(f.hourCellOf[cell], order(grid.Bucket(v)), n)
	return cell, true
}

func (f *fold) score(minute, model int32, v float64, n uint64) {
	if !f.probability[model] {
		if cell, ok := f.number(minute, seriesScore, v, n); ok {
			f.minuteBins.add(cell, order(grid.ToCoarse(grid.Bucket(v))), n)
		}
		return
	}
	cell := f.cell(minute, seriesScore)
	if v < 0 || v > 1 {
		f.minuteScalars[cell].infs += n
		return
	}
	if !f.minuteScalars[cell].add(v, n) {
		return
	}
	bucket := grid.OddsBucket(v)
	f.hourBins.add(f.hourCellOf[cell], order(bucket), n)
	f.minuteBins.add(cell, order(grid.ToCoarse(bucket)), n)
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
	if v == 0 {
		v = 0 // -0 counts as +0
	}
	s.count += n
	s.rows++
	s.sum = s.sum.add(nano(v).times(n))
	s.min, s.max = min(s.min, v), max(s.max, v)
	return true
}

func (f *fold) rowCategories(row int, hour int32, n uint64) {
	in := f.in
	if class := in.Predicted.At(row); len(class) > 0 {
		f.category(hour, categoryPredicted, uint32(in.Predicted.IDs[row]), class, n)
	}
	from, to := in.Categories.Row(row)
	for i := from; i < to; i++ {
		value := in.CategoryValues[i]
		f.category(hour, categoryFeatures+in.Categories.Keys[i], uint32(value), in.Values.Value(value), n)
	}
	from, to = in.Nulls.Row(row)
	for i := from; i < to; i++ {
		f.category(hour, categoryFeatures+in.Nulls.Keys[i], nullKey, nil, n)
	}
}

func (f *fold) category(hour, series int32, key uint32, value []byte, n uint64) {
	// A cut value may equal another that was short enough, so whatever comes
	// near the length of a cut one is interned again.
	if len(value) > maxCategoryBytes-4 {
		key = cutBit | uint32(f.cuts.ID(cutCategory(value)))
	}
	cell, isNew := f.categoryCells.id(hour, uint32(series))
	if isNew {
		f.distinct = append(f.distinct, 0)
	}
	if key != nullKey && f.distinct[cell] >= maxCategories && !f.categories.has(cell, key) {
		key = otherKey
	}
	before := f.categories.len()
	f.categories.add(cell, key, n)
	if key != nullKey && key != otherKey && f.categories.len() > before {
		f.distinct[cell]++
	}
}

func (p *pairs) has(a int32, b uint32) bool {
	if len(p.slots) == 0 {
		return false
	}
	return p.slots[p.find(uint64(uint32(a))<<32|uint64(b))] != 0
}

// cutCategory cuts a value to at most maxCategoryBytes bytes, at the start of a
// rune.
func cutCategory(value []byte) []byte {
	if len(value) <= maxCategoryBytes {
		return value
	}
	n := maxCategoryBytes
	for n > maxCategoryBytes-3 && value[n]&0xc0 == 0x80 {
		n--
	}
	return value[:n]
}

// order maps buckets to unsigned integers of the same order.
func order(bucket int32) uint32 { return uint32(bucket) ^ 1<<31 }

func bucketOf(ordered uint32) int32 { return int32(ordered ^ 1<<31) }

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
