package rules

import (
	"context"
	"errors"

	"github.com/prometheus/prometheus/model/exemplar"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/metadata"
	"github.com/prometheus/prometheus/storage"
)

// errNoHistograms is returned for what no rule over findings returns.
var errNoHistograms = errors.New("native histograms are not kept")

// batch collects the results of one rule until Commit.
type batch struct {
	memory  *memory
	pending []pendingPoint
}

type pendingPoint struct {
	labels labels.Labels
	point
}

func (b *batch) add(l labels.Labels, t int64, v float64) error {
	if err := b.memory.check(l, t, v); err != nil {
		return err
	}
	b.pending = append(b.pending, pendingPoint{labels: l, point: point{t: t, v: v}})
	return nil
}

// Commit makes the points readable, all at once.
func (b *batch) Commit() error {
	b.memory.mu.Lock()
	defer b.memory.mu.Unlock()
	for _, p := range b.pending {
		b.memory.appendLocked(p.labels, p.t, p.v)
	}
	b.pending = nil
	return nil
}

// Rollback drops the points.
func (b *batch) Rollback() error {
	b.pending = nil
	return nil
}

// Appender returns a writer in the first version of Prometheus' interface, which
// rules.Manager still asks for.
func (m *memory) Appender(context.Context) storage.Appender {
	return &appender{batch: batch{memory: m}}
}

// AppenderV2 returns a writer in the second version of Prometheus' interface.
func (m *memory) AppenderV2(context.Context) storage.AppenderV2 {
	return &appenderV2{batch: batch{memory: m}}
}

type appender struct{ batch }

func (a *appender) Append(_ storage.SeriesRef, l labels.Labels, t int64, v float64) (storage.SeriesRef, error) {
	return 0, a.add(l, t, v)
}

// SetOptions has no effect: points out of order are refused anyway.
func (a *appender) SetOptions(*storage.AppendOptions) {}

func (a *appender) AppendHistogram(storage.SeriesRef, labels.Labels, int64, *histogram.Histogram, *histogram.FloatHistogram) (storage.SeriesRef, error) {
	return 0, errNoHistograms
}

func (a *appender) AppendHistogramSTZeroSample(storage.SeriesRef, labels.Labels, int64, int64, *histogram.Histogram, *histogram.FloatHistogram) (storage.SeriesRef, error) {
	return 0, errNoHistograms
}

// AppendSTZeroSample has no effect: rule results have no start time.
func (a *appender) AppendSTZeroSample(storage.SeriesRef, labels.Labels, int64, int64) (storage.SeriesRef, error) {
	return 0, nil
}

// AppendExemplar has no effect: rule results have none.
func (a *appender) AppendExemplar(storage.SeriesRef, labels.Labels, exemplar.Exemplar) (storage.SeriesRef, error) {
	return 0, nil
}

// UpdateMetadata has no effect: the catalogue describes the series.
func (a *appender) UpdateMetadata(storage.SeriesRef, labels.Labels, metadata.Metadata) (storage.SeriesRef, error) {
	return 0, nil
}

type appenderV2 struct{ batch }

func (a *appenderV2) Append(_ storage.SeriesRef, l labels.Labels, _, t int64, v float64, h *histogram.Histogram, fh *histogram.FloatHistogram, _ storage.AppendV2Options) (storage.SeriesRef, error) {
	if h != nil || fh != nil {
		return 0, errNoHistograms
	}
	return 0, a.add(l, t, v)
}
