package promapi

import (
	"context"
	_ "embed" // the statement
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"github.com/prometheus/prometheus/util/annotations"

	"github.com/plumbline-slo/plumbline"
)

//go:embed sql/select.sql
var selectSQL string

//go:embed sql/labels.sql
var labelsSQL string

// mostPoints bounds what one selector reads.
const mostPoints = 2_000_000

// Names of the series that every finding has.
const (
	metricFinding     = "plumbline_finding"
	metricFindingLow  = "plumbline_finding_low"
	metricFindingHigh = "plumbline_finding_high"
)

// Querier runs one query; clickhouse-go's driver.Conn is one.
type Querier interface {
	Query(ctx context.Context, query string, args ...any) (driver.Rows, error)
}

// Findings are the findings as Prometheus' storage.
type Findings struct {
	Conn Querier
	most int
}

// Querier returns a reader of the range, unix milliseconds, both ends inclusive.
func (f Findings) Querier(from, to int64) (storage.Querier, error) {
	return &findingsQuerier{conn: f.Conn, most: f.most, from: from, to: to}, nil
}

type findingsQuerier struct {
	conn     Querier
	most     int
	from, to int64
}

func (q *findingsQuerier) Close() error { return nil }

// The parts of a finding that are metrics. The last four are of an SLO, and all but
// the coverage only where its verdict says something.
const (
	partValue    = "value"
	partLow      = "low"
	partHigh     = "high"
	partSaid     = "said"
	partSaidLow  = "said_low"
	partNoise    = "noise"
	partCoverage = "coverage"
)

// findingNames are the names of the series that every finding has, by their parts.
func findingNames() map[string]string {
	return map[string]string{partValue: metricFinding, partLow: metricFindingLow, partHigh: metricFindingHigh}
}

// sliPrefixes are the names of an SLO's series before the window's length, by their
// parts.
func sliPrefixes() map[string]string {
	return map[string]string{
		partSaid: plumbline.MetricErrorRatio(""), partSaidLow: plumbline.MetricErrorRatioLow(""),
		partNoise: plumbline.MetricNoise(""), partCoverage: plumbline.MetricCoverage(""),
	}
}

// scope is what of a selector ClickHouse can filter by.
type scope struct {
	name                                        string
	signal, measure, model, slo, deploy, window string
	// parts are those that the selector's name leaves, none of a name that is no
	// finding's.
	parts []string
}

// scopeOf reads the equality matchers.
func scopeOf(matchers []*labels.Matcher) scope {
	s := scope{parts: []string{partValue, partLow, partHigh, partSaid, partSaidLow, partNoise, partCoverage}}
	for _, m := range matchers {
		if m.Type != labels.MatchEqual || m.Value == "" {
			continue
		}
		switch m.Name {
		case model.MetricNameLabel:
			s.name = m.Value
		case plumbline.LabelModel:
			s.model = m.Value
		case plumbline.LabelSLO:
			s.slo = m.Value
		case plumbline.LabelDeploy:
			s.deploy = m.Value
		case "signal":
			s.signal = m.Value
		case "measure":
			s.measure = m.Value
		case "window":
			s.window = m.Value
		}
	}
	if s.name != "" {
		s.parts = s.named()
	}
	return s
}

// named narrows the scope to what has its name, and returns the part that does.
func (s *scope) named() []string {
	for part, name := range findingNames() {
		if s.name == name {
			return []string{part}
		}
	}
	if s.name == plumbline.MetricBudgetLeft {
		s.signal, s.measure = string(plumbline.SignalBudget), plumbline.MeasureBudgetLeft
		return []string{partSaid}
	}
	for part, prefix := range sliPrefixes() {
		if window, ok := strings.CutPrefix(s.name, prefix); ok && window != "" {
			s.signal, s.measure, s.window = string(plumbline.SignalBurn), plumbline.MeasureBadShare, window
			return []string{part}
		}
	}
	return nil
}

// arguments are those that the statements share.
func (s scope) arguments(from, to int64) []any {
	return []any{
		clickhouse.Named("from", from), clickhouse.Named("to", to), clickhouse.Named("parts", s.parts),
		clickhouse.Named("signal", s.signal), clickhouse.Named("measure", s.measure), clickhouse.Named("model", s.model), clickhouse.Named("slo", s.slo),
		clickhouse.Named("deploy", s.deploy), clickhouse.Named("window", s.window),
	}
}

// Select returns the matching series of the range.
func (q *findingsQuerier) Select(ctx context.Context, sorted bool, hints *storage.SelectHints, matchers ...*labels.Matcher) storage.SeriesSet {
	find := q.series
	if hints != nil && hints.Func == seriesOnly {
		find = q.known
	}
	found, err := find(ctx, hints, matchers)
	if err != nil {
		return storage.ErrSeriesSet(err)
	}
	if sorted {
		slices.SortFunc(found, func(a, b *series) int { return labels.Compare(a.labels, b.labels) })
	}
	return &seriesSet{all: found, at: -1}
}

func (q *findingsQuerier) series(ctx context.Context, hints *storage.SelectHints, matchers []*labels.Matcher) (found []*series, err error) {
	s := scopeOf(matchers)
	if len(s.parts) == 0 {
		return nil, nil
	}
	var step, start int64
	from, to := q.from, q.to
	if hints != nil {
		from, to = hints.Start, hints.End
		// Only a plain selector takes one point a step; functions over ranges take all.
		if hints.Range == 0 && hints.Step > 0 && mayThin(ctx) {
			step, start = hints.Step, hints.End
		}
	}
	rows, err := q.conn.Query(ctx, selectSQL, append(s.arguments(from, to),
		clickhouse.Named("step", step), clickhouse.Named("start", floorTo(start, step, from)), clickhouse.Named("most", uint64(q.most+1)))...)
	if err != nil {
		return nil, fmt.Errorf("selecting findings: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	points := 0
	for rows.Next() {
		var r finding
		if err := rows.Scan(&r.signal, &r.measure, &r.model, &r.deploy, &r.stage, &r.segment, &r.feature, &r.slo, &r.reference, &r.window,
			&r.part, &r.at, &r.values); err != nil {
			return nil, fmt.Errorf("selecting findings: %w", err)
		}
		if points += len(r.at); points > q.most {
			return nil, fmt.Errorf("selecting findings: over %d points; name the metric, the model or a shorter range", q.most)
		}
		if made := r.series(); matches(made.labels, matchers) {
			found = append(found, made)
		}
	}
	return found, rows.Err()
}

// thinning marks the context of a query whose selectors may be read a point a step:
// one without subqueries, which evaluate between the steps, and whose end is a step.
type thinning struct{}

func mayThin(ctx context.Context) bool { return ctx.Value(thinning{}) != nil }

// floorTo returns the last whole step before from, counted back from end.
func floorTo(end, step, from int64) int64 {
	if step <= 0 {
		return 0
	}
	return end - (end-from+step-1)/step*step - step
}

func matches(l labels.Labels, matchers []*labels.Matcher) bool {
	for _, m := range matchers {
		if !m.Matches(l.Get(m.Name)) {
			return false
		}
	}
	return true
}

// finding is one part of findings, every point of it.
type finding struct {
	signal, measure, model, deploy, stage, segment, feature, slo, reference, window, part string

	at     []int64
	values []float64
}

// series returns the series that the part shows as.
func (f finding) series() *series {
	b := labels.NewBuilder(labels.FromStrings(model.MetricNameLabel, f.name(), plumbline.LabelModel, f.model, plumbline.LabelDeploy, f.deploy, plumbline.LabelSLO, f.slo))
	if _, whole := findingNames()[f.part]; whole {
		for k, v := range map[string]string{"signal": f.signal, "measure": f.measure, "stage": f.stage, "segment": f.segment,
			"feature": f.feature, "reference": f.reference, "window": f.window} {
			b.Set(k, v)
		}
	}
	return &series{labels: b.Labels(), at: f.at, values: f.values}
}

func (f finding) name() string {
	if name, whole := findingNames()[f.part]; whole {
		return name
	}
	if f.signal == string(plumbline.SignalBudget) {
		return plumbline.MetricBudgetLeft
	}
	return sliPrefixes()[f.part] + f.window
}

// LabelValues returns the sorted values of a label in the range.
func (q *findingsQuerier) LabelValues(ctx context.Context, name string, _ *storage.LabelHints, matchers ...*labels.Matcher) ([]string, annotations.Annotations, error) {
	found, err := q.known(ctx, nil, matchers)
	var values []string
	for _, s := range found {
		if v := s.labels.Get(name); v != "" {
			values = append(values, v)
		}
	}
	slices.Sort(values)
	return slices.Compact(values), nil, err
}

// LabelNames returns the sorted names of the labels in the range.
func (q *findingsQuerier) LabelNames(ctx context.Context, _ *storage.LabelHints, matchers ...*labels.Matcher) ([]string, annotations.Annotations, error) {
	found, err := q.known(ctx, nil, matchers)
	var names []string
	for _, s := range found {
		s.labels.Range(func(l labels.Label) { names = append(names, l.Name) })
	}
	slices.Sort(names)
	return slices.Compact(names), nil, err
}

// seriesOnly is what Prometheus calls a selection whose labels alone are wanted.
const seriesOnly = "series"

// known returns the series of the range without their points.
func (q *findingsQuerier) known(ctx context.Context, _ *storage.SelectHints, matchers []*labels.Matcher) (found []*series, err error) {
	s := scopeOf(matchers)
	if len(s.parts) == 0 {
		return nil, nil
	}
	rows, err := q.conn.Query(ctx, labelsSQL, s.arguments(q.from, q.to)...)
	if err != nil {
		return nil, fmt.Errorf("selecting series of findings: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var (
			r     finding
			parts []string
		)
		if err := rows.Scan(&r.signal, &r.measure, &r.model, &r.deploy, &r.stage, &r.segment, &r.feature, &r.slo, &r.reference, &r.window, &parts); err != nil {
			return nil, fmt.Errorf("selecting series of findings: %w", err)
		}
		for _, r.part = range parts {
			if made := r.series(); matches(made.labels, matchers) {
				found = append(found, made)
			}
		}
	}
	return found, rows.Err()
}

// series is one series, its points in order.
type series struct {
	labels labels.Labels
	at     []int64
	values []float64
}

func (s *series) Labels() labels.Labels { return s.labels }

func (s *series) Iterator(chunkenc.Iterator) chunkenc.Iterator {
	return storage.NewListSeriesIterator(samples{s})
}

type seriesSet struct {
	all []*series
	at  int
}

func (s *seriesSet) Next() bool                        { s.at++; return s.at < len(s.all) }
func (s *seriesSet) At() storage.Series                { return s.all[s.at] }
func (s *seriesSet) Err() error                        { return nil }
func (s *seriesSet) Warnings() annotations.Annotations { return nil }
