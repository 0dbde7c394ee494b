package rules

import (
	"context"
	_ "embed" // findings.sql
	"errors"
	"fmt"
	"math"
	"slices"
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
	// Ended says that the series has ended: there is no number, and that is known.
	Ended bool
	// At is the wall clock at which the value was computed.
	At time.Time
}

// FindingRow is what rules need of one row of the table findings.
type FindingRow struct {
	At     time.Time
	Model  plumbline.Model
	Deploy plumbline.DeployHash
	SLO    plumbline.SLOName
	// Window is the length as plumbline.WindowName spells it.
	Window  string
	Measure string
	// End is the end of the window in event time.
	End time.Time
	// Value is the bad share of the window, 0 to 1, and Low and High the ends of its
	// interval; NaN where nothing can be said. Of a contradicted estimate, Value is
	// how far labels are off.
	Value, Low, High float64
	// Coverage is the share of the window's predictions with a label; NaN without
	// predictions.
	Coverage float64
	// Noise is the chance, a minute, that noise starts what the window shows; NaN
	// where nothing was tested. Of an estimate it is the chance of the labels that
	// are in.
	Noise   float64
	Verdict string
	// Assumes is what the finding rests on, or why it is missing.
	Assumes string
}

// Samples turns findings into series: the bad share, the lower end of its interval,
// and the coverage; those of estimates; whether a model is blind; whether labels
// contradict the estimate of a deploy; and what is left of budgets. A row that says nothing
// (insufficient, missing, or a value that is not finite) makes no ratio: missing
// data is never healthy, and zero would be.
func Samples(rows []FindingRow) []Sample {
	samples := make([]Sample, 0, 3*len(rows))
	labelled, told := make(map[windowOf]time.Time), make(map[windowOf]time.Time)
	for _, r := range rows {
		switch r.Measure {
		case plumbline.MeasureBadShare:
			labelled[r.of()] = r.End
			if r.tells() && !math.IsNaN(r.Value) {
				told[r.of()] = r.End
			}
			samples = append(samples, r.samples()...)
		case plumbline.MeasureBlind:
			blind := FindingRow{At: r.At, Model: r.Model}.sample(plumbline.MetricLabelsBlind, r.Value)
			for _, s := range blind {
				// Of the model, of no SLO and no deploy.
				delete(s.Labels, plumbline.LabelDeploy)
				delete(s.Labels, plumbline.LabelSLO)
			}
			samples = append(samples, blind...)
		case plumbline.MeasureBudgetLeft:
			samples = append(samples, r.budgetLeft()...)
		}
	}
	for _, r := range rows {
		if r.Measure == plumbline.MeasureEstimatedBadShare {
			samples = append(samples, r.estimates(labelled[r.of()], told[r.of()])...)
		}
	}
	return append(samples, contradictions(rows)...)
}

// contradictions are the series of suspected concept drift, of each deploy those of
// the shortest window that can tell: it sees a drift first and is over it first, and
// others see the same one. A longer one stands in where labels are too few, not where
// predictions are none: of a deploy that was rolled back it would tell for days.
func contradictions(rows []FindingRow) []Sample {
	// The windows of maturity are those of estimates too.
	served := shortest(rows, func(r FindingRow) bool { return r.Measure == plumbline.MeasureLabelsIn })
	told := shortest(rows, func(r FindingRow) bool {
		return r.Measure == plumbline.MeasureEstimateGap && r.tells() && !math.IsNaN(r.Value) && !math.IsInf(r.Value, 0)
	})
	var samples []Sample
	for of, r := range told {
		// Of no predictions no share has a label, and none is another number.
		if s, known := served[of]; known && math.IsNaN(s.Coverage) {
			continue
		}
		contradicted := 0.0
		if r.Verdict == plumbline.VerdictBreach {
			contradicted = 1
		}
		gap := r.sample(plumbline.MetricEstimateGap, r.Value)
		for _, s := range gap {
			s.Labels[plumbline.LabelWindow] = r.Window
		}
		for _, s := range slices.Concat(gap, r.sample(plumbline.MetricEstimateContradicted, contradicted)) {
			delete(s.Labels, plumbline.LabelSLO) // it is of none
			samples = append(samples, s)
		}
	}
	return samples
}

// shortest returns of each deploy, of the rows that are wanted, that of its shortest
// window.
func shortest(rows []FindingRow, wanted func(FindingRow) bool) map[windowOf]FindingRow {
	found, lengths := make(map[windowOf]FindingRow), make(map[windowOf]time.Duration)
	for _, r := range rows {
		length, err := ParseDuration(r.Window)
		if err != nil || !wanted(r) {
			continue
		}
		of := windowOf{model: r.Model, deploy: r.Deploy}
		if former, ok := lengths[of]; !ok || length < former {
			found[of], lengths[of] = r, length
		}
	}
	return found
}

// windowOf is what two findings of one window share.
type windowOf struct {
	model  plumbline.Model
	deploy plumbline.DeployHash
	slo    plumbline.SLOName
	window string
}

func (r FindingRow) of() windowOf { return windowOf{r.Model, r.Deploy, r.SLO, r.Window} }

// sample is one of the row's series, none for a value that is not finite.
func (r FindingRow) sample(name string, v float64) []Sample {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	return []Sample{{Name: name, Value: v, At: r.At, Labels: map[string]string{
		plumbline.LabelModel:  string(r.Model),
		plumbline.LabelDeploy: string(r.Deploy),
		plumbline.LabelSLO:    string(r.SLO),
	}}}
}

// tells reports whether enough is known of the window to judge it.
func (r FindingRow) tells() bool {
	return r.Verdict != plumbline.VerdictInsufficient && r.Verdict != plumbline.VerdictMissing
}

func (r FindingRow) samples() []Sample {
	all := r.sample(plumbline.MetricCoverage(r.Window), r.Coverage)
	if r.Verdict == plumbline.VerdictMissing && r.Assumes == plumbline.AssumesElsewhere {
		return r.ended()
	}
	if !r.tells() {
		return all
	}
	return slices.Concat(all, r.sample(plumbline.MetricErrorRatio(r.Window), r.Value),
		r.sample(plumbline.MetricErrorRatioLow(r.Window), r.Low), r.sample(plumbline.MetricNoise(r.Window), r.Noise))
}

// budgetLeft is the series of what is left of a budget, of all deploys unless the SLO is
// of one.
func (r FindingRow) budgetLeft() []Sample {
	if !r.tells() {
		return nil
	}
	left := r.sample(plumbline.MetricBudgetLeft, r.Value)
	for _, s := range left {
		if r.Deploy == "" {
			delete(s.Labels, plumbline.LabelDeploy)
		}
	}
	return left
}

// ended says of the series of a window in which other deploys serve, and this one does
// not, that they are over: a page that rests on them has nothing to wait for.
func (r FindingRow) ended() []Sample {
	all := slices.Concat(r.sample(plumbline.MetricErrorRatio(r.Window), 0),
		r.sample(plumbline.MetricErrorRatioLow(r.Window), 0), r.sample(plumbline.MetricNoise(r.Window), 0))
	for i := range all {
		all[i].Value, all[i].Ended = math.NaN(), true
	}
	return all
}

// estimates are the series of an estimate. It is shown where it is not proven, and
// is one to rest a page on where it is, until labels tell of a window that ends no
// earlier: a page that they deny had to wait for the hour to end. labelled is where
// the labels' window ends, told where it does if they tell enough of it.
func (r FindingRow) estimates(labelled, told time.Time) []Sample {
	proven, ahead := 0.0, 0.0
	if r.Verdict == plumbline.VerdictOK || r.Verdict == plumbline.VerdictBreach {
		proven = 1
	}
	if told.Before(r.End) {
		ahead = 1
	}
	all := r.sample(plumbline.MetricEstimateAhead(r.Window), ahead)
	if math.IsNaN(r.Value) {
		return all // or one of before would be held against what labels tell
	}
	all = slices.Concat(all, r.sample(plumbline.MetricEstimate(r.Window), r.Value), r.sample(plumbline.MetricEstimateProven(r.Window), proven),
		r.sample(plumbline.MetricEstimateLow(r.Window), r.Low), r.sample(plumbline.MetricEstimateHigh(r.Window), r.High),
		r.sample(plumbline.MetricEstimateCoverage(r.Window), r.Coverage))
	// Against what labels show speaks only what is proven, agrees with labels that
	// could deny it, and is about a later time than they are.
	length, err := ParseDuration(r.Window)
	if err != nil || proven == 0 || math.IsNaN(r.Noise) || labelled.IsZero() || labelled.After(r.End.Add(-length)) {
		return all
	}
	return append(all, r.sample(plumbline.MetricEstimateSince(r.Window), r.High)...)
}

// Querier runs one query; clickhouse-go's driver.Conn is one.
type Querier interface {
	Query(ctx context.Context, query string, args ...any) (driver.Rows, error)
}

// FindingReader reads the newest findings that rules need from ClickHouse. It is a
// FindingSource.
type FindingReader struct {
	// Conn is where the table findings is.
	Conn Querier
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

//go:embed findings.sql
var findingsSQL string

// Rows reads the newest finding per model, deploy, SLO and window, none older than
// plumbline.FindingAge.
func (r FindingReader) Rows(ctx context.Context) (found []FindingRow, err error) {
	now := r.Now
	if now == nil {
		now = time.Now
	}
	rows, err := r.Conn.Query(ctx, findingsSQL, clickhouse.Named("since", now().Add(-plumbline.FindingAge).UnixMilli()))
	if err != nil {
		return nil, fmt.Errorf("read burn findings: %w", err)
	}
	defer func() {
		if closeErr := rows.Close(); closeErr != nil {
			err = errors.Join(err, fmt.Errorf("read burn findings: %w", closeErr))
		}
	}()
	for rows.Next() {
		var f FindingRow
		// Scanned as plain strings: clickhouse-go does not scan into named types.
		var model, deploy, slo string
		if err := rows.Scan(&f.At, &model, &deploy, &slo, &f.Window, &f.End, &f.Measure, &f.Value, &f.Low, &f.High, &f.Coverage, &f.Noise, &f.Verdict, &f.Assumes); err != nil {
			return nil, fmt.Errorf("read burn findings: %w", err)
		}
		f.Model, f.Deploy, f.SLO = plumbline.Model(model), plumbline.DeployHash(deploy), plumbline.SLOName(slo)
		found = append(found, f)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read burn findings: %w", err)
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
