package rules

import (
	"context"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/plumbline-slo/plumbline"
)

// FindingSource gives the latest value of every series the rules read. A series
// of which nothing is known is left out. An error means that nothing could be
// learned, not that there is nothing.
type FindingSource interface {
	Current(ctx context.Context) ([]Sample, error)
}

// view copies what the source says into the memory that PromQL reads, once per
// interval, and decides what becomes of series the source no longer gives.
//
// Missing is not healthy, so a ratio that is not refreshed does not simply end:
// that would resolve the page that rests on it. It ends when a deploy of the
// same SLO speaks and this one says nothing at all, and, window by window, when it
// is said that other deploys serve and this one does not: both are what a rollback
// looks like. While nobody speaks for the SLO, or its deploy speaks in other
// windows only, the last value is held, for at most holdBlind, and
// plumbline.MetricFresh, which is never held, tells that the SLO is blind.
type view struct {
	source    FindingSource
	memory    *memory
	interval  time.Duration
	timeout   time.Duration
	maxAge    time.Duration
	holdBlind time.Duration
	// onError counts and reports a source that could not be read.
	onError func(error)

	mu sync.Mutex
	// last is the time of the last attempt to read the source.
	last time.Time
	live map[string]*liveSeries

	// held is read by whoever asks for /metrics, which must not wait for a source that
	// does not answer: mu is locked while it is read.
	held atomic.Int64
}

type liveSeries struct {
	labels labels.Labels
	value  float64
	// hold is how the series is held.
	hold        holding
	slo, deploy string
	fresh       time.Time
}

// holding says what keeps a series that the source no longer gives in view.
type holding int

const (
	// notHeld is of what says nothing by itself: it ends.
	notHeld holding = iota
	// heldByDeploy is of what a page rests on: an error ratio of an SLO by deploy, an
	// estimate of one, or, of no SLO, whether the labels of a model stay away. It ends
	// once others speak for the SLO and its deploy does not.
	heldByDeploy
	// heldWhileSilent is of what holds a page back: not to read the source would page.
	// It ends once anybody speaks for the SLO, for its proof may be gone.
	heldWhileSilent
)

// holdingOf is how series of a name are held.
func holdingOf(name string) holding {
	switch {
	case strings.HasPrefix(name, ratioPrefix), strings.HasPrefix(name, estimatePrefix), name == plumbline.MetricLabelsBlind:
		return heldByDeploy
	case strings.HasPrefix(name, sincePrefix):
		return heldWhileSilent
	}
	return notHeld
}

// ratioPrefix is what the names of all error-ratio series begin with.
const ratioPrefix = "slo:sli_error:ratio_"

// estimatePrefix is that of estimates before labels. They are held as ratios are,
// but an SLO that only they speak for is blind: no budget is counted from them.
const estimatePrefix = "slo:sli_estimate:"

// sincePrefix is that of estimates that speak against a burn which labels show.
const sincePrefix = "slo:sli_estimate_since:"

// refresh brings the memory up to ts. Groups are evaluated at offsets of their
// own; those within half an interval share one read.
func (v *view) refresh(ctx context.Context, ts time.Time) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if setBack(v.last, v.interval) {
		v.last = time.Time{}
		v.memory.rewind(ts.UnixMilli())
	}
	if !v.last.IsZero() && ts.Sub(v.last) < v.interval/2 {
		return
	}
	v.last = ts
	readCtx, cancel := context.WithTimeout(ctx, v.timeout)
	samples, err := v.source.Current(readCtx)
	cancel()
	if err != nil {
		v.onError(err)
		samples = nil
	}
	freshSLO, freshDeploy := v.take(samples, ts)
	v.settle(freshSLO, freshDeploy, ts)
	t := ts.UnixMilli()
	for slo, of := range freshSLO {
		v.memory.append(labels.FromStrings(model.MetricNameLabel, plumbline.MetricFresh,
			plumbline.LabelSLO, slo, plumbline.LabelModel, of), t, 1)
	}
	v.memory.forget(t - v.memory.horizon.Milliseconds())
}

// setBack reports whether the clock was set back since last: rules that wait until it is
// that late again tell nobody of anything until then.
func setBack(last time.Time, interval time.Duration) bool {
	return last.After(time.Now().Add(interval))
}

// deployOf identifies one deploy's part in an SLO.
type deployOf struct{ slo, deploy string }

// take puts the samples into the memory. It returns the SLOs that speak, with
// their models, and the deploys that do.
func (v *view) take(samples []Sample, ts time.Time) (map[string]string, map[deployOf]bool) {
	freshSLO, freshDeploy := make(map[string]string), make(map[deployOf]bool)
	for _, s := range samples {
		if ts.Sub(s.At) > v.maxAge {
			continue
		}
		b := labels.NewBuilder(labels.FromMap(s.Labels))
		b.Set(model.MetricNameLabel, s.Name)
		if s.Ended {
			delete(v.live, encode(b.Labels()))
			continue
		}
		if math.IsNaN(s.Value) || math.IsInf(s.Value, 0) {
			continue
		}
		l := &liveSeries{
			labels: b.Labels(), value: s.Value, fresh: ts,
			hold:   holdingOf(s.Name),
			slo:    s.Labels[plumbline.LabelSLO],
			deploy: s.Labels[plumbline.LabelModel] + "\xff" + s.Labels[plumbline.LabelDeploy],
		}
		v.live[encode(l.labels)] = l
		v.memory.append(l.labels, ts.UnixMilli(), l.value)
		if strings.HasPrefix(s.Name, ratioPrefix) && l.slo != "" {
			freshSLO[l.slo] = s.Labels[plumbline.LabelModel]
			freshDeploy[deployOf{l.slo, l.deploy}] = true
		}
	}
	return freshSLO, freshDeploy
}

// settle holds or ends every series that was not taken at ts. An ended series
// leaves PromQL's sight after two intervals, by the engine's lookback.
func (v *view) settle(freshSLO map[string]string, freshDeploy map[deployOf]bool, ts time.Time) {
	held := int64(0)
	defer func() { v.held.Store(held) }()
	for key, l := range v.live {
		if l.fresh.Equal(ts) {
			continue
		}
		_, spoken := freshSLO[l.slo]
		gone := spoken && (l.hold == heldWhileSilent || !freshDeploy[deployOf{l.slo, l.deploy}])
		if l.hold == notHeld || gone || ts.Sub(l.fresh) > v.holdBlind {
			delete(v.live, key)
			continue
		}
		held++
		v.memory.append(l.labels, ts.UnixMilli(), l.value)
	}
}

// restore puts a series that was held before a restart back into the view.
func (v *view) restore(p savedPoint) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.live[encode(p.Labels)] = &liveSeries{
		labels: p.Labels, value: p.Value, hold: holdingOf(p.Labels.Get(model.MetricNameLabel)),
		slo:    p.Labels.Get(plumbline.LabelSLO),
		deploy: p.Labels.Get(plumbline.LabelModel) + "\xff" + p.Labels.Get(plumbline.LabelDeploy),
		fresh:  time.UnixMilli(p.Milliseconds),
	}
}

// heldSeries returns how many series are shown with a value that is not fresh.
func (v *view) heldSeries() int64 { return v.held.Load() }

// eachHeld calls f with every series in view that is held and when it was fresh.
func (v *view) eachHeld(f func(slo string, p savedPoint)) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, l := range v.live {
		if l.hold != notHeld {
			f(l.slo, savedPoint{Labels: l.labels, Milliseconds: l.fresh.UnixMilli(), Value: l.value})
		}
	}
}
