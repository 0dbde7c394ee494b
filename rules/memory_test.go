package rules

import (
	"errors"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
)

func metric(pairs ...string) labels.Labels {
	return labels.FromStrings(append([]string{model.MetricNameLabel, "m"}, pairs...)...)
}

// read returns the values of every matching series within [mint, maxt], in the
// order of their labels.
func read(t *testing.T, m *memory, mint, maxt int64, matchers ...*labels.Matcher) [][]float64 {
	t.Helper()
	q, err := m.Querier(mint, maxt)
	if err != nil {
		t.Fatal(err)
	}
	var all [][]float64
	set := q.Select(t.Context(), true, nil, matchers...)
	for set.Next() {
		var values []float64
		it := set.At().Iterator(nil)
		for it.Next() == chunkenc.ValFloat {
			_, v := it.At()
			values = append(values, v)
		}
		all = append(all, values)
	}
	if err := errors.Join(set.Err(), q.Close()); err != nil {
		t.Fatal(err)
	}
	return all
}

func TestMemorySelect(t *testing.T) {
	m := newMemory(time.Minute)
	for i := range int64(5) {
		m.append(metric("a", "1"), i*1000, float64(i))
		m.append(metric("a", "2"), i*1000, float64(10*i))
	}
	name := labels.MustNewMatcher(labels.MatchEqual, model.MetricNameLabel, "m")
	for _, tt := range []struct {
		name       string
		mint, maxt int64
		matchers   []*labels.Matcher
		want       [][]float64
	}{
		{"both ends are inclusive", 1000, 3000, []*labels.Matcher{name}, [][]float64{{1, 2, 3}, {10, 20, 30}}},
		{"one series", 0, 9000, []*labels.Matcher{name, labels.MustNewMatcher(labels.MatchEqual, "a", "2")}, [][]float64{{0, 10, 20, 30, 40}}},
		{"not", 4000, 4000, []*labels.Matcher{name, labels.MustNewMatcher(labels.MatchNotEqual, "a", "2")}, [][]float64{{4}}},
		{"by pattern of the name", 4000, 4000, []*labels.Matcher{labels.MustNewMatcher(labels.MatchRegexp, model.MetricNameLabel, "m|n")}, [][]float64{{4}, {40}}},
		{"outside the range", 5000, 9000, []*labels.Matcher{name}, nil},
		{"another name", 0, 9000, []*labels.Matcher{labels.MustNewMatcher(labels.MatchEqual, model.MetricNameLabel, "n")}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := read(t, m, tt.mint, tt.maxt, tt.matchers...)
			if !slices.EqualFunc(got, tt.want, slices.Equal[[]float64]) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
	q, err := m.Querier(0, 9000)
	if err != nil {
		t.Fatal(err)
	}
	if names, _, err := q.LabelNames(t.Context(), nil, name); err != nil || !slices.Equal(names, []string{"__name__", "a"}) {
		t.Errorf("names %v, %v", names, err)
	}
	if values, _, err := q.LabelValues(t.Context(), "a", nil, name); err != nil || !slices.Equal(values, []string{"1", "2"}) {
		t.Errorf("values %v, %v", values, err)
	}
}

func TestMemoryForgets(t *testing.T) {
	m := newMemory(10 * time.Second)
	for i := range int64(100) {
		m.append(metric("a", "1"), i*1000, float64(i))
	}
	m.append(metric("a", "2"), 50_000, 1)
	m.forget(89_000)
	got := read(t, m, 0, math.MaxInt64-1, labels.MustNewMatcher(labels.MatchEqual, model.MetricNameLabel, "m"))
	if len(got) != 1 || len(got[0]) != 11 || got[0][0] != 89 {
		t.Errorf("kept %v", got)
	}
	m.forget(1_000_000)
	if len(m.byName) != 0 {
		t.Errorf("kept %v", m.byName)
	}
}

// writer is what both versions of Prometheus' appender have in common.
type writer struct {
	add    func(l labels.Labels, t int64, v float64) error
	commit func() error
	undo   func() error
}

func TestAppenders(t *testing.T) {
	for name, open := range map[string]func(m *memory) writer{
		"v1": func(m *memory) writer {
			a := m.Appender(t.Context())
			return writer{func(l labels.Labels, t int64, v float64) error { _, err := a.Append(0, l, t, v); return err }, a.Commit, a.Rollback}
		},
		"v2": func(m *memory) writer {
			a := m.AppenderV2(t.Context())
			return writer{func(l labels.Labels, t int64, v float64) error {
				_, err := a.Append(0, l, 0, t, v, nil, nil, storage.AppendV2Options{})
				return err
			}, a.Commit, a.Rollback}
		},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMemory(time.Minute)
			matcher := labels.MustNewMatcher(labels.MatchEqual, model.MetricNameLabel, "m")
			w := open(m)
			if err := w.add(metric(), 1000, 1); err != nil {
				t.Fatal(err)
			}
			if got := read(t, m, 0, 9000, matcher); got != nil {
				t.Errorf("read %v before the commit", got)
			}
			if err := w.commit(); err != nil {
				t.Fatal(err)
			}
			w = open(m)
			for _, tt := range []struct {
				t    int64
				v    float64
				want error
			}{
				{999, 1, storage.ErrOutOfOrderSample},
				{1000, 2, storage.ErrDuplicateSampleForTimestamp},
				{1000, 1, nil},
				{2000, math.Float64frombits(value.StaleNaN), nil},
			} {
				if err := w.add(metric(), tt.t, tt.v); !errors.Is(err, tt.want) {
					t.Errorf("appending %v at %d: %v, want %v", tt.v, tt.t, err, tt.want)
				}
			}
			if err := w.undo(); err != nil {
				t.Fatal(err)
			}
			if got := read(t, m, 0, 9000, matcher); len(got) != 1 || !slices.Equal(got[0], []float64{1}) {
				t.Errorf("read %v after the rollback", got)
			}
		})
	}
}

func TestHistogramsAreRefused(t *testing.T) {
	m := newMemory(time.Minute)
	if _, err := m.Appender(t.Context()).AppendHistogram(0, metric(), 1, &histogram.Histogram{}, nil); err == nil {
		t.Error("v1 takes a histogram")
	}
	if _, err := m.AppenderV2(t.Context()).Append(0, metric(), 0, 1, 0, &histogram.Histogram{}, nil, storage.AppendV2Options{}); err == nil {
		t.Error("v2 takes a histogram")
	}
}
