package promapi

import (
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"github.com/prometheus/prometheus/tsdb/chunks"
)

// samples gives the points of a series to Prometheus' list iterator.
type samples struct{ of *series }

func (s samples) Get(i int) chunks.Sample { return sample{t: s.of.at[i], v: s.of.values[i]} }
func (s samples) Len() int                { return len(s.of.at) }

type sample struct {
	t int64
	v float64
}

func (p sample) T() int64                      { return p.t }
func (p sample) ST() int64                     { return 0 }
func (p sample) F() float64                    { return p.v }
func (p sample) H() *histogram.Histogram       { return nil }
func (p sample) FH() *histogram.FloatHistogram { return nil }
func (p sample) Type() chunkenc.ValueType      { return chunkenc.ValFloat }
func (p sample) Copy() chunks.Sample           { return p }
