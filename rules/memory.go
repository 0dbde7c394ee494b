package rules

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"github.com/prometheus/prometheus/tsdb/chunks"
	"github.com/prometheus/prometheus/util/annotations"
)

// memory keeps the recent points of every series the rules read or write. It is
// Prometheus' storage here: written through, so that a rule sees what the one
// before it in the same evaluation returned. Safe for concurrent use.
type memory struct {
	// horizon is how far back points are kept.
	horizon time.Duration

	mu sync.RWMutex
	// byName holds series by metric name, then by their encoded labels: a
	// selector nearly always names its metric.
	byName map[string]map[string]*memSeries
}

type memSeries struct {
	labels labels.Labels
	// points are in order of time. A snapshot of the slice stays valid: points
	// are appended and cut from the front, never changed.
	points points
}

type point struct {
	t int64
	v float64
}

// The methods of chunks.Sample.
func (p point) T() int64                      { return p.t }
func (p point) ST() int64                     { return 0 }
func (p point) F() float64                    { return p.v }
func (p point) H() *histogram.Histogram       { return nil }
func (p point) FH() *histogram.FloatHistogram { return nil }
func (p point) Type() chunkenc.ValueType      { return chunkenc.ValFloat }
func (p point) Copy() chunks.Sample           { return p }

type points []point

func (p points) Get(i int) chunks.Sample { return p[i] }
func (p points) Len() int                { return len(p) }

var (
	_ storage.Queryable    = (*memory)(nil)
	_ storage.Appendable   = (*memory)(nil)
	_ storage.AppendableV2 = (*memory)(nil)
)

func newMemory(horizon time.Duration) *memory {
	return &memory{horizon: horizon, byName: make(map[string]map[string]*memSeries)}
}

func encode(l labels.Labels) string { return string(l.Bytes(nil)) }

// check returns the storage error that appending at t would be refused with.
func (m *memory) check(l labels.Labels, t int64, v float64) error {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.checkLocked(m.byName[l.Get(model.MetricNameLabel)][encode(l)], t, v)
}

func (m *memory) checkLocked(s *memSeries, t int64, v float64) error {
	if s == nil || len(s.points) == 0 {
		return nil
	}
	last := s.points[len(s.points)-1]
	switch {
	case t < last.t:
		return storage.ErrOutOfOrderSample
	case t == last.t && v != last.v && !(value.IsStaleNaN(v) && value.IsStaleNaN(last.v)):
		return storage.ErrDuplicateSampleForTimestamp
	}
	return nil
}

// append adds a point; one that is not newer than the series' last is left out.
func (m *memory) append(l labels.Labels, t int64, v float64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.appendLocked(l, t, v)
}

func (m *memory) appendLocked(l labels.Labels, t int64, v float64) {
	name, key := l.Get(model.MetricNameLabel), encode(l)
	series := m.byName[name]
	if series == nil {
		series = make(map[string]*memSeries)
		m.byName[name] = series
	}
	s := series[key]
	if s == nil {
		s = &memSeries{labels: l}
		series[key] = s
	}
	if n := len(s.points); n > 0 && s.points[n-1].t >= t {
		return
	}
	oldest := t - m.horizon.Milliseconds()
	drop := 0
	for drop < len(s.points) && s.points[drop].t < oldest {
		drop++
	}
	s.points = append(s.points[drop:], point{t: t, v: v})
}

// forget drops series without a point since t.
func (m *memory) forget(t int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for name, series := range m.byName {
		for key, s := range series {
			if len(s.points) == 0 || s.points[len(s.points)-1].t < t {
				delete(series, key)
			}
		}
		if len(series) == 0 {
			delete(m.byName, name)
		}
	}
}

// rewind drops the points after t: the clock was set back to it, and none could be added
// until it is that late again.
func (m *memory) rewind(t int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, series := range m.byName {
		for _, s := range series {
			n, _ := slices.BinarySearchFunc(s.points, t+1, func(p point, t int64) int { return cmp.Compare(p.t, t) })
			// Queries may still read the others: what is added must not overwrite them.
			s.points = slices.Clip(s.points[:n])
		}
	}
}

// latest calls f with the last point of every series of a metric, except those
// that ended with a stale marker.
func (m *memory) latest(name string, f func(l labels.Labels, p point)) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	for _, s := range m.byName[name] {
		if len(s.points) == 0 {
			continue // rewound
		}
		if last := s.points[len(s.points)-1]; !value.IsStaleNaN(last.v) {
			f(s.labels, last)
		}
	}
}

// Querier returns a reader of the points within [mint, maxt] milliseconds.
func (m *memory) Querier(mint, maxt int64) (storage.Querier, error) {
	return &memoryQuerier{memory: m, mint: mint, maxt: maxt}, nil
}

type memoryQuerier struct {
	memory     *memory
	mint, maxt int64
}

// Close has nothing to release.
func (q *memoryQuerier) Close() error { return nil }

// Select returns the series that match and have a point in the time range.
func (q *memoryQuerier) Select(_ context.Context, sortSeries bool, hints *storage.SelectHints, matchers ...*labels.Matcher) storage.SeriesSet {
	mint, maxt := q.mint, q.maxt
	if hints != nil {
		mint, maxt = max(mint, hints.Start), min(maxt, hints.End)
	}
	set := &seriesSet{next: -1}
	for _, s := range q.memory.matching(matchers) {
		lo, _ := slices.BinarySearchFunc(s.points, mint, func(p point, t int64) int { return cmp.Compare(p.t, t) })
		hi, _ := slices.BinarySearchFunc(s.points, maxt+1, func(p point, t int64) int { return cmp.Compare(p.t, t) })
		if lo >= hi {
			continue
		}
		within := s.points[lo:hi]
		set.series = append(set.series, &storage.SeriesEntry{
			Lset:             s.labels,
			SampleIteratorFn: func(chunkenc.Iterator) chunkenc.Iterator { return storage.NewListSeriesIterator(within) },
		})
	}
	if sortSeries {
		slices.SortFunc(set.series, func(a, b storage.Series) int { return labels.Compare(a.Labels(), b.Labels()) })
	}
	return set
}

// matching returns snapshots of the series that satisfy all matchers.
func (m *memory) matching(matchers []*labels.Matcher) []memSeries {
	m.mu.RLock()
	defer m.mu.RUnlock()
	names := m.byName
	for _, match := range matchers {
		if match.Name == model.MetricNameLabel && match.Type == labels.MatchEqual {
			names = map[string]map[string]*memSeries{match.Value: m.byName[match.Value]}
		}
	}
	var found []memSeries
	for _, series := range names {
		for _, s := range series {
			if matches(s.labels, matchers) {
				found = append(found, *s)
			}
		}
	}
	return found
}

func matches(l labels.Labels, matchers []*labels.Matcher) bool {
	for _, m := range matchers {
		if !m.Matches(l.Get(m.Name)) {
			return false
		}
	}
	return true
}

// LabelValues returns the sorted values of a label among the matching series.
func (q *memoryQuerier) LabelValues(_ context.Context, name string, _ *storage.LabelHints, matchers ...*labels.Matcher) ([]string, annotations.Annotations, error) {
	var found []string
	for _, s := range q.memory.matching(matchers) {
		if v := s.labels.Get(name); v != "" {
			found = append(found, v)
		}
	}
	slices.Sort(found)
	return slices.Compact(found), nil, nil
}

// LabelNames returns the sorted label names of the matching series.
func (q *memoryQuerier) LabelNames(_ context.Context, _ *storage.LabelHints, matchers ...*labels.Matcher) ([]string, annotations.Annotations, error) {
	var found []string
	for _, s := range q.memory.matching(matchers) {
		s.labels.Range(func(l labels.Label) { found = append(found, l.Name) })
	}
	slices.Sort(found)
	return slices.Compact(found), nil, nil
}

type seriesSet struct {
	series []storage.Series
	next   int
}

func (s *seriesSet) Next() bool                        { s.next++; return s.next < len(s.series) }
func (s *seriesSet) At() storage.Series                { return s.series[s.next] }
func (s *seriesSet) Err() error                        { return nil }
func (s *seriesSet) Warnings() annotations.Annotations { return nil }
