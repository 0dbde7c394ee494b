package ingest

import (
	"math"
	"slices"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/ingest/decode"
	"github.com/plumbline-slo/plumbline/ingest/segment"
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

// NumberModels are the models whose score is a number and no probability, in
// order.
func (c Config) NumberModels() []plumbline.Model {
	var models []plumbline.Model
	for model, kind := range c.ScoreKinds {
		if kind == ScoreNumber {
			models = append(models, model)
		}
	}
	slices.Sort(models)
	return models
}

// Series are numbered within a batch: the fixed ones first, then the features
// by their identifier in the batch.
const (
	seriesRequests = iota
	seriesScore
	seriesValue
	seriesLatency
	seriesDisagreement
	seriesExplained
	seriesFeatures
)

// fold counts the rows of one batch into cells, the series of an owner (model,
// deploy, stage and segment) in a minute and in an hour. The rows of a minute are
// counted together, a few hundred at a time and series by series: what a cell
// sums stays in registers and the histogram that grows stays in cache. It is
// reused from batch to batch and owned by one goroutine.
type fold struct {
	kinds map[plumbline.Model]ScoreKind
	in    *decode.Predictions

	deploys, owners pairs // (model, deploy), (that, stage and segment)
	minutes, hours  period
	minuteOf        []int32 // by row, then by row of a segment
	hourOf          []int32 // by minute
	inMinute        grouping
	inHour          grouping
	weights         []uint32 // by row, in requests

	scalars    []scalars // by cell of a minute
	hourCellOf []int32   // by cell of a minute

	slicer      *slicer
	categories  categoryCounts
	probability []bool // by model identifier
	response    int32  // identifier of the half that is no delivery
	scratch     stretch
}

// period is what is counted by one unit of time, the minute or the hour.
type period struct {
	times pairs   // (owner, minutes or hours since 1970)
	rows  []int32 // by time
	cells cellList
	bins  histograms
}

func (p *period) reset(series int) {
	p.times.reset()
	p.rows = p.rows[:0]
	p.cells.reset(series)
	p.bins.reset()
}

// begin starts to count the rows of a time; each has its turn once.
func (p *period) begin(time int32) {
	p.cells.begin(time)
	p.bins.begin(p.cells.first, int(p.rows[time]))
}

// cellList is the cells of a period: one for each series of each time.
type cellList struct {
	time, series []int32
	// now is the time under way and first the first of its cells.
	now, first int32
	latest     []int32 // by series
}

func (c *cellList) reset(series int) {
	c.time, c.series, c.first, c.latest = c.time[:0], c.series[:0], 0, c.latest[:0]
	for range series {
		c.latest = append(c.latest, -1)
	}
}

func (c *cellList) begin(time int32) { c.now, c.first = time, int32(len(c.series)) }

// id returns the cell of a series in the time under way and whether it is new.
func (c *cellList) id(series int32) (int32, bool) {
	if cell := c.latest[series]; cell >= c.first {
		return cell, false
	}
	cell := int32(len(c.series))
	c.time, c.series = append(c.time, c.now), append(c.series, series)
	c.latest[series] = cell
	return cell, true
}

func (c *cellList) len() int { return len(c.series) }

func newFold(kinds map[plumbline.Model]ScoreKind, declared segment.Declared) *fold {
	return &fold{kinds: kinds, slicer: newSlicer(declared)}
}

func (f *fold) reset(in *decode.Predictions) {
	f.in = in
	series := seriesFeatures + in.Features.Len()
	f.deploys.reset()
	f.owners.reset()
	f.minutes.reset(series)
	f.hours.reset(series)
	f.categories.reset(categoryFeatures + in.Features.Len())
	f.minuteOf, f.hourOf, f.weights = f.minuteOf[:0], f.hourOf[:0], f.weights[:0]
	f.scalars, f.hourCellOf = f.scalars[:0], f.hourCellOf[:0]
	f.probability = f.probability[:0]
	for id := range in.Model.Dict.Len() {
		kind := f.kinds[plumbline.Model(in.Model.Dict.Value(int32(id)))]
		f.probability = append(f.probability, kind != ScoreNumber)
	}
	f.slicer.reset(f)
	// The request of an exchange is its delivery.
	f.response = in.Half.Dict.ID(wordResponse)
}

var wordResponse = []byte(decode.HalfResponse)

// run folds every row of in, which must stay unchanged until the rollups are
// built.
func (f *fold) run(in *decode.Predictions) {
	f.reset(in)
	for row := range in.Len() {
		f.weights = append(f.weights, uint32(requests(in.Weight[row], in.ID.At(row))))
	}
	f.group()
	for hour := range int32(f.hours.times.len()) {
		f.hours.begin(hour)
		for _, minute := range f.inHour.of(hour) {
			f.minute(minute)
		}
		f.hours.bins.end()
	}
	// Which categories are too many depends on the order of the rows, so they
	// are counted in that of the batch.
	for row := range in.Len() {
		f.rowCategories(row, f.hourOf[f.minuteOf[row]])
	}
	if f.slicer.sliced {
		f.slicer.categories(f)
	}
}

// stretchRows is how many rows are counted series by series: as many as keep
// the values of some twenty features in the first-level cache.
const stretchRows = 256

func (f *fold) minute(minute int32) {
	f.minutes.begin(minute)
	rows := f.inMinute.of(minute)
	for len(rows) > 0 {
		n := min(len(rows), stretchRows)
		f.count(rows[:n])
		rows = rows[n:]
	}
	f.minutes.bins.end()
}

// cell returns the cell of a series in the minute under way.
func (f *fold) cell(series int32) int32 {
	cell, isNew := f.minutes.cells.id(series)
	if isNew {
		hour, _ := f.hours.cells.id(series)
		f.hourCellOf = append(f.hourCellOf, hour)
		f.scalars = append(f.scalars, scalars{min: math.Inf(1), max: math.Inf(-1)})
	}
	return cell
}
