package proxy

import (
	"context"
	_ "embed" // the statements
	"fmt"
	"math"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	plumbline "github.com/plumbline-slo/plumbline"
)

//go:embed sql/series.sql
var seriesSQL string

//go:embed sql/kpis.sql
var kpisSQL string

// Querier runs one query; clickhouse-go's driver.Conn is one.
type Querier interface {
	Query(ctx context.Context, query string, args ...any) (driver.Rows, error)
}

// Reader reads figures.
type Reader struct{ Conn Querier }

// Window says which hours of which weeks are read.
type Window struct {
	Model plumbline.Model
	// End is where the window ends, on an hour; Length is at most a week.
	End    time.Time
	Length time.Duration
	// Weeks is how many weeks before are read, 1 to 1000.
	Weeks int
}

func (w Window) args() []any {
	return []any{
		clickhouse.Named("model", string(w.Model)), clickhouse.Named("end", w.End.Unix()),
		clickhouse.Named("window", int64(w.Length/time.Second)), clickhouse.Named("weeks", w.Weeks),
	}
}

// figure returns a figure without any reading.
func (w Window) figure(measure string) Figure {
	f := Figure{Measure: measure, Weeks: make([]Reading, w.Weeks+1)}
	for i := range f.Weeks {
		f.Weeks[i].Value = math.NaN()
	}
	return f
}

// measures are those of Series, in the order of its figures.
func measures() []string {
	return []string{plumbline.MeasureConfidence, plumbline.MeasureEntropy, plumbline.MeasureLowConfidence, plumbline.MeasureDisagreement, plumbline.MeasureExplained}
}

// Series reads the figures that rollups hold: confidence with its entropy and the
// share of answers less sure than low, disagreement, and the share of predictions
// that are explained. Figures that no week has a reading of are left out.
func (r Reader) Series(ctx context.Context, w Window, low float64) ([]Figure, error) {
	rows, err := r.Conn.Query(ctx, seriesSQL, w.args()...)
	if err != nil {
		return nil, fmt.Errorf("read proxies of model %q: %w", w.Model, err)
	}
	defer rows.Close()
	figures := map[string]Figure{}
	for _, m := range measures() {
		figures[m] = w.figure(m)
	}
	requests := make([]Reading, w.Weeks+1)
	for rows.Next() {
		var (
			week     uint16
			series   string
			count, n uint64
			total    float64
			hours    uint32
			h        Histogram
		)
		if err := rows.Scan(&week, &series, &count, &n, &total, &hours, &h.Buckets, &h.Counts); err != nil {
			return nil, fmt.Errorf("read proxies of model %q: %w", w.Model, err)
		}
		switch plumbline.Series(series) {
		case plumbline.SeriesRequests:
			requests[week] = Reading{Value: float64(count), Count: n, Hours: int(hours)}
		case plumbline.SeriesScore:
			for m, reading := range confidences(h, n, int(hours), low) {
				figures[m].Weeks[week] = reading
			}
		case plumbline.SeriesDisagreement:
			reading := h.mean(n, int(hours), middle)
			reading.Value = total / float64(count) // exact, where the grid is not
			figures[plumbline.MeasureDisagreement].Weeks[week] = reading
		case plumbline.SeriesExplained:
			figures[plumbline.MeasureExplained].Weeks[week] = Reading{Value: total, Count: n, Hours: int(hours)}
		}
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read proxies of model %q: %w", w.Model, err)
	}
	explained(figures[plumbline.MeasureExplained].Weeks, requests)
	var all []Figure
	for _, m := range measures() {
		if f := figures[m]; f.any() {
			all = append(all, f)
		}
	}
	return all, nil
}

func (f Figure) any() bool {
	for _, w := range f.Weeks {
		if w.Count > 0 {
			return true
		}
	}
	return false
}

// explained makes counts of explanations the shares of all requests that have
// one. A prediction that does not say counts as not explained where its model
// says it of others.
func explained(weeks, requests []Reading) {
	for i, w := range weeks {
		if w.Count == 0 || requests[i].Count == 0 {
			weeks[i] = Reading{Value: math.NaN()}
			continue
		}
		p := min(w.Value/requests[i].Value, 1)
		weeks[i] = Reading{Value: p, Variance: p * (1 - p) / float64(requests[i].Count), Count: requests[i].Count, Hours: requests[i].Hours}
	}
}

// KPIs reads the business figures of a model: of each name and segment the mean
// of its readings. It reads the table kpis, which holds a few readings an hour.
func (r Reader) KPIs(ctx context.Context, w Window) ([]Figure, error) {
	rows, err := r.Conn.Query(ctx, kpisSQL, w.args()...)
	if err != nil {
		return nil, fmt.Errorf("read KPIs of model %q: %w", w.Model, err)
	}
	defer rows.Close()
	var all []Figure
	for rows.Next() {
		var (
			name, segment string
			week          uint16
			value         float64
			readings      uint64
			hours         uint32
		)
		if err := rows.Scan(&name, &segment, &week, &value, &readings, &hours); err != nil {
			return nil, fmt.Errorf("read KPIs of model %q: %w", w.Model, err)
		}
		if n := len(all); n == 0 || all[n-1].Name != name || all[n-1].Segment != plumbline.Segment(segment) {
			f := w.figure(plumbline.MeasureKPI)
			f.Name, f.Segment = name, plumbline.Segment(segment)
			all = append(all, f)
		}
		all[len(all)-1].Weeks[week] = Reading{Value: value, Count: readings, Hours: int(hours)}
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read KPIs of model %q: %w", w.Model, err)
	}
	return all, nil
}
