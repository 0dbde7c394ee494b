package rules

import (
	"context"
	_ "embed" // findings.sql
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/plumbline-slo/plumbline"
)

// Sample is the newest value of one series.
type Sample struct {
	// Name is the metric name, one of those plumbline.MetricErrorRatio and its
	// like return.
	Name string
	// Labels identify the series; the name is not among them.
	Labels map[string]string
	// Value is the number; one that is not finite makes no sample.
	Value float64
	// At is the wall clock at which the value was computed.
	At time.Time
}

// FindingRow is what a burn rule needs of one row of the table findings.
type FindingRow struct {
	At     time.Time
	Model  plumbline.Model
	Deploy plumbline.DeployHash
	SLO    plumbline.SLOName
	// Window is the length as plumbline.WindowName spells it.
	Window  string
	Measure string
	// Value is the bad share of the window, 0 to 1, and Low the lower end of its
	// 95 % interval; NaN where nothing can be said.
	Value, Low float64
	// Coverage is the share of the window's predictions with a label.
	Coverage float64
	// Noise is the chance, a minute, that noise starts what the window shows; NaN
	// where nothing was tested.
	Noise   float64
	Verdict string
}

// Samples turns burn findings into series: the bad share, the lower end of its
// interval, and the coverage. A row that says nothing (insufficient, missing, or
// a value that is not finite) makes no ratio: missing data is never healthy, and
// zero would be.
func Samples(rows []FindingRow) []Sample {
	samples := make([]Sample, 0, 3*len(rows))
	for _, r := range rows {
		if r.Measure == plumbline.MeasureBlind && !math.IsNaN(r.Value) {
			samples = append(samples, Sample{Name: plumbline.MetricLabelsBlind, Value: r.Value, At: r.At, Labels: map[string]string{plumbline.LabelModel: string(r.Model)}})
		}
		if r.Measure != plumbline.MeasureBadShare {
			continue
		}
		add := func(name string, v float64) {
			if math.IsNaN(v) || math.IsInf(v, 0) {
				return
			}
			samples = append(samples, Sample{Name: name, Value: v, At: r.At, Labels: map[string]string{
				plumbline.LabelModel:  string(r.Model),
				plumbline.LabelDeploy: string(r.Deploy),
				plumbline.LabelSLO:    string(r.SLO),
			}})
		}
		add(plumbline.MetricCoverage(r.Window), r.Coverage)
		if r.Verdict == plumbline.VerdictInsufficient || r.Verdict == plumbline.VerdictMissing {
			continue
		}
		add(plumbline.MetricErrorRatio(r.Window), r.Value)
		add(plumbline.MetricErrorRatioLow(r.Window), r.Low)
		add(plumbline.MetricNoise(r.Window), r.Noise)
	}
	return samples
}

// Querier runs one query; clickhouse-go's driver.Conn is one.
type Querier interface {
	Query(ctx context.Context, query string, args ...any) (driver.Rows, error)
}

// FindingReader reads the newest burn findings from ClickHouse. It is a
// FindingSource.
type FindingReader struct {
	// Conn is where the table findings is.
	Conn Querier
	// MaxAge is the age beyond which a finding is not read; zero means
	// DefaultFindingAge. It has to exceed the interval of the analysis.
	MaxAge time.Duration
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// DefaultFindingAge bounds how old a finding may be that a rule still sees: an
// analysis that misses a few runs is late, one that misses more is missing.
const DefaultFindingAge = 10 * time.Minute

//go:embed findings.sql
var findingsSQL string

// Rows reads the newest finding per model, deploy, SLO and window.
func (r FindingReader) Rows(ctx context.Context) (found []FindingRow, err error) {
	now, age := r.Now, r.MaxAge
	if now == nil {
		now = time.Now
	}
	if age == 0 {
		age = DefaultFindingAge
	}
	rows, err := r.Conn.Query(ctx, findingsSQL, clickhouse.Named("since", now().Add(-age).UnixMilli()))
	if err != nil {
		return nil, fmt.Errorf("reading burn findings: %w", err)
	}
	defer func() {
		if closeErr := rows.Close(); closeErr != nil {
			err = errors.Join(err, fmt.Errorf("reading burn findings: %w", closeErr))
		}
	}()
	for rows.Next() {
		var f FindingRow
		// Scanned as plain strings: clickhouse-go does not scan into named types.
		var model, deploy, slo string
		if err := rows.Scan(&f.At, &model, &deploy, &slo, &f.Window, &f.Measure, &f.Value, &f.Low, &f.Coverage, &f.Noise, &f.Verdict); err != nil {
			return nil, fmt.Errorf("reading burn findings: %w", err)
		}
		f.Model, f.Deploy, f.SLO = plumbline.Model(model), plumbline.DeployHash(deploy), plumbline.SLOName(slo)
		found = append(found, f)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("reading burn findings: %w", err)
	}
	return found, nil
}

// Current returns the samples of Rows.
func (r FindingReader) Current(ctx context.Context) ([]Sample, error) {
	rows, err := r.Rows(ctx)
	if err != nil {
		return nil, err
	}
	return Samples(rows), nil
}
