package ingest

import (
	"cmp"
	"math"
	"slices"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/ingest/decode"
	"github.com/plumbline-slo/plumbline/storage/grid"
)

// A run is a range of rows of a record that lie in one ClickHouse partition.
type run struct {
	key      partKey
	from, to int
}

// rollup is the rows of one rollup table, ordered by ClickHouse partition; the
// last row of each run is the marker that makes a look before a replay
// possible: it is stored with its neighbours or not at all.
type rollup struct {
	table  plumbline.TableName
	record arrow.Record
	runs   []run
}

// rollups builds the rows of the three rollup tables from the cells. They hold
// views of the fold's memory until they are released.
func (f *fold) rollups(at source, last int64) []rollup {
	return []rollup{f.hourRollup(at, last), f.minuteRollup(at, last), f.categoryRollup(at, last)}
}

// keys are the columns that every rollup row starts with.
type keys struct {
	model, deploy, stage, segment, series decode.Names
	time                                  []int64
}

func (k *keys) append(f *fold, owner int32, series []byte, seconds int64) {
	deploy, place := f.owners.at(owner)
	stage, segment := placeAt(place)
	model, hash := f.deploys.at(deploy)
	k.model.Append(f.in.Model.Dict.Value(model))
	k.deploy.Append(f.in.Deploy.Dict.Value(int32(hash)))
	k.stage.Append(f.in.Stage.Dict.Value(stage))
	k.segment.Append(f.slicer.names[segment])
	k.series.Append(series)
	k.time = append(k.time, seconds)
}

func (k *keys) mark(at source, key partKey) {
	k.model.Append(nil)
	k.deploy.Append(nil)
	k.stage.Append(nil)
	k.segment.Append(nil)
	k.series.Append([]byte(at.mark()))
	k.time = append(k.time, key.lastHour())
}

func (k *keys) columns(c *arrowColumns) {
	c.names("model", &k.model)
	c.names("deploy_hash", &k.deploy)
	c.names("stage", &k.stage)
	c.names("segment", &k.segment)
	c.names("series", &k.series)
	fixed(c, "time", k.time)
}

// seriesRows are the columns of series_hour and series_minute.
type seriesRows struct {
	keys
	grid                           decode.Names
	count, rows, nulls, nans, infs []uint64
	sum                            []byte
	min, max                       []float64
	histogram                      []int32 // offsets
	buckets                        []int32
	bucketCounts                   []uint64
}

func (r *seriesRows) append(s *scalars, version grid.Version, bins []bin) {
	r.grid.Append([]byte(version))
	r.count = append(r.count, s.count)
	r.rows = append(r.rows, s.rows)
	r.nulls = append(r.nulls, 0)
	r.nans = append(r.nans, s.nans)
	r.infs = append(r.infs, s.infs)
	r.sum = s.sum.appendTo(r.sum)
	r.min = append(r.min, s.min)
	r.max = append(r.max, s.max)
	if len(r.histogram) == 0 {
		r.histogram = append(r.histogram, 0)
	}
	for _, b := range bins {
		r.buckets = append(r.buckets, bucketOf(b.key()))
		r.bucketCounts = append(r.bucketCounts, b.n)
	}
	r.histogram = append(r.histogram, int32(len(r.buckets)))
}

func (r *seriesRows) markPart(at source, key partKey, last int64) {
	r.keys.mark(at, key)
	r.append(&scalars{min: math.Inf(1), max: float64(last)}, grid.None, nil)
}

func (r *seriesRows) record(table plumbline.TableName) arrow.Record {
	c := columnsOf(table, len(r.time))
	r.keys.columns(c)
	c.names("grid", &r.grid)
	fixed(c, "count", r.count)
	fixed(c, "rows", r.rows)
	fixed(c, "nulls", r.nulls)
	fixed(c, "nans", r.nans)
	fixed(c, "infs", r.infs)
	fixed(c, "sum_nano", r.sum)
	fixed(c, "min", r.min)
	fixed(c, "max", r.max)
	c.columns["hist"] = r.histogramData(c.typeOf("hist").(*arrow.StructType))
	return c.record()
}

func (r *seriesRows) histogramData(typ *arrow.StructType) arrow.ArrayData {
	rows := len(r.time)
	buckets := array.NewData(arrow.PrimitiveTypes.Int32, len(r.buckets), []*memory.Buffer{nil, buffer(r.buckets)}, nil, 0, 0)
	defer buckets.Release()
	counts := array.NewData(arrow.PrimitiveTypes.Uint64, len(r.bucketCounts), []*memory.Buffer{nil, buffer(r.bucketCounts)}, nil, 0, 0)
	defer counts.Release()
	keys := array.NewData(typ.Field(0).Type, rows, []*memory.Buffer{nil, offsets(r.histogram)}, []arrow.ArrayData{buckets}, 0, 0)
	defer keys.Release()
	values := array.NewData(typ.Field(1).Type, rows, []*memory.Buffer{nil, offsets(r.histogram)}, []arrow.ArrayData{counts}, 0, 0)
	defer values.Release()
	return array.NewData(typ, rows, []*memory.Buffer{nil}, []arrow.ArrayData{keys, values}, 0, 0)
}

func (f *fold) seriesName(series uint32) []byte {
	switch series {
	case seriesRequests:
		return []byte(plumbline.SeriesRequests)
	case seriesScore:
		return []byte(plumbline.SeriesScore)
	case seriesValue:
		return []byte(plumbline.SeriesValue)
	case seriesLatency:
		return []byte(plumbline.SeriesLatency)
	case seriesDisagreement:
		return []byte(plumbline.SeriesDisagreement)
	case seriesExplained:
		return []byte(plumbline.SeriesExplained)
	}
	return []byte(plumbline.Feature(f.in.Features.Value(int32(series) - seriesFeatures)).Series())
}

// gridOf returns the full grid of a series of an owner.
func (f *fold) gridOf(series uint32, owner int32) grid.Version {
	switch series {
	case seriesRequests:
		return grid.None
	case seriesScore:
		deploy, _ := f.owners.at(owner)
		model, _ := f.deploys.at(deploy)
		if f.probability[model] {
			return grid.FullOdds
		}
	}
	return grid.Full
}

// minuteGrid returns the grid of a series by minute: coarse for score and
// latency, none for the others, which are scalars only.
func minuteGrid(series uint32, full grid.Version) grid.Version {
	switch {
	case series != seriesScore && series != seriesLatency:
		return grid.None
	case full == grid.FullOdds:
		return grid.CoarseOdds
	}
	return grid.Coarse
}

func (f *fold) hourRollup(at source, last int64) rollup {
	sums := make([]scalars, f.hours.cells.len())
	for i := range sums {
		sums[i] = scalars{min: math.Inf(1), max: math.Inf(-1)}
	}
	for cell, hour := range f.hourCellOf {
		sums[hour].merge(&f.scalars[cell])
	}
	rows, runs := f.seriesRollup(&f.hours, 3_600, sums, f.gridOf, at, last)
	return rollup{plumbline.TableSeriesHour, rows.record(plumbline.TableSeriesHour), runs}
}

func (f *fold) minuteRollup(at source, last int64) rollup {
	grids := func(series uint32, owner int32) grid.Version { return minuteGrid(series, f.gridOf(series, owner)) }
	rows, runs := f.seriesRollup(&f.minutes, 60, f.scalars, grids, at, last)
	return rollup{plumbline.TableSeriesMinute, rows.record(plumbline.TableSeriesMinute), runs}
}

// seriesRollup builds the rows of a period's cells. Its unit is in seconds.
func (f *fold) seriesRollup(p *period, unit int64, sums []scalars, grids func(series uint32, owner int32) grid.Version, at source, last int64) (*seriesRows, []run) {
	starts := starts(p.bins.bins, len(sums))
	names := f.seriesNames()
	rows := &seriesRows{buckets: make([]int32, 0, len(p.bins.bins)), bucketCounts: make([]uint64, 0, len(p.bins.bins))}
	runs := inRuns(len(sums), unit, func(cell int32) (owner int32, time uint32) {
		return p.times.at(p.cells.time[cell])
	}, func(cell, owner int32, seconds int64) {
		series := uint32(p.cells.series[cell])
		rows.keys.append(f, owner, names[series], seconds)
		rows.append(&sums[cell], grids(series, owner), p.bins.bins[starts[cell]:starts[cell+1]])
	}, func(key partKey) int {
		rows.markPart(at, key, last)
		return len(rows.time)
	})
	return rows, runs
}

func (f *fold) seriesNames() [][]byte {
	names := make([][]byte, seriesFeatures+f.in.Features.Len())
	for i := range names {
		names[i] = f.seriesName(uint32(i))
	}
	return names
}

// inRuns visits n cells ordered by ClickHouse partition and closes each
// partition with its marker; closing returns the number of rows so far. Times
// are in units of seconds.
func inRuns(n int, unit int64, at func(cell int32) (owner int32, time uint32), visit func(cell, owner int32, seconds int64), closing func(partKey) int) []run {
	type place struct {
		key  partKey
		cell int32
	}
	months := keyer{of: monthKey}
	order := make([]place, n)
	for i := range order {
		_, time := at(int32(i))
		order[i] = place{months.at(int64(time) * unit * 1000), int32(i)}
	}
	slices.SortStableFunc(order, func(a, b place) int { return cmp.Compare(a.key, b.key) })
	var runs []run
	from := 0
	for i, p := range order {
		owner, time := at(p.cell)
		visit(p.cell, owner, int64(time)*unit)
		if i+1 == len(order) || order[i+1].key != p.key {
			to := closing(p.key)
			runs = append(runs, run{p.key, from, to})
			from = to
		}
	}
	return runs
}

// categoryRows are the columns of categories_hour.
type categoryRows struct {
	keys
	value decode.Text
	kind  []uint8
	count []uint64
	rows  []uint64
	marks []float64
}

func (f *fold) categoryRollup(at source, last int64) rollup {
	c := &f.categories
	bins := c.sorted()
	starts := starts(bins, c.cells.len())
	names := f.seriesNames()
	var rows categoryRows
	runs := inRuns(c.cells.len(), 3_600, func(cell int32) (owner int32, time uint32) {
		hour, _ := c.cells.at(cell)
		return f.hours.times.at(hour)
	}, func(cell, owner int32, seconds int64) {
		_, series := c.cells.at(cell)
		name := []byte(plumbline.SeriesClass)
		if series != categoryPredicted {
			name = names[series-categoryFeatures+seriesFeatures]
		}
		for _, b := range bins[starts[cell]:starts[cell+1]] {
			rows.keys.append(f, owner, name, seconds)
			value, kind := f.categoryValue(series, b.key())
			rows.add(value, kind, c.counts.n[b.n], c.counts.rows[b.n], 0)
		}
	}, func(key partKey) int {
		rows.keys.mark(at, key)
		rows.add(nil, plumbline.KindValue, 0, 0, float64(last))
		return len(rows.time)
	})
	return rollup{plumbline.TableCategories, rows.record(), runs}
}

func (f *fold) categoryValue(series, key uint32) ([]byte, uint8) {
	switch {
	case key == nullKey:
		return nil, plumbline.KindNull
	case key == otherKey:
		return nil, plumbline.KindOther
	case key&cutBit != 0:
		return f.categories.cuts.Value(int32(key &^ cutBit)), plumbline.KindValue
	case series == categoryPredicted:
		return f.in.Predicted.Dict.Value(int32(key)), plumbline.KindValue
	}
	return f.in.Values.Value(int32(key)), plumbline.KindValue
}

func (r *categoryRows) add(value []byte, kind uint8, n, rows uint64, mark float64) {
	r.value.Append(value)
	r.kind = append(r.kind, kind)
	r.count = append(r.count, n)
	r.rows = append(r.rows, rows)
	r.marks = append(r.marks, mark)
}

func (r *categoryRows) record() arrow.Record {
	c := columnsOf(plumbline.TableCategories, len(r.time))
	r.keys.columns(c)
	c.text("value", &r.value)
	fixed(c, "kind", r.kind)
	fixed(c, "count", r.count)
	fixed(c, "rows", r.rows)
	fixed(c, "mark", r.marks)
	return c.record()
}
