package promapi

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql"
)

// timeOf reads a parameter that is a time, the fallback where it is not given.
func timeOf(r *http.Request, field string, fallback time.Time) (time.Time, error) {
	text := r.FormValue(field)
	if text == "" {
		if fallback.IsZero() {
			return fallback, fmt.Errorf("invalid parameter %q: cannot parse \"\" to a valid timestamp", field)
		}
		return fallback, nil
	}
	if seconds, err := strconv.ParseFloat(text, 64); err == nil && !math.IsNaN(seconds) && math.Abs(seconds) < 1e11 {
		whole, part := math.Modf(seconds)
		return time.Unix(int64(whole), int64(math.Round(part*1000))*1e6).UTC(), nil
	}
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return at, fmt.Errorf("invalid parameter %q: cannot parse %q to a valid timestamp", field, text)
	}
	return at, nil
}

func durationOf(text string) (time.Duration, error) {
	if seconds, err := strconv.ParseFloat(text, 64); err == nil {
		if math.IsNaN(seconds) || math.Abs(seconds) > 1e9 {
			return 0, fmt.Errorf("cannot parse %q to a valid duration. It overflows int64", text)
		}
		return time.Duration(seconds * float64(time.Second)), nil
	}
	d, err := model.ParseDuration(text)
	if err != nil {
		return 0, fmt.Errorf("cannot parse %q to a valid duration", text)
	}
	return time.Duration(d), nil
}

// limitOf reads how many results are wanted; 0 is all.
func limitOf(r *http.Request, field string) (int, error) {
	text := r.FormValue(field)
	if text == "" {
		return 0, nil
	}
	limit, err := strconv.Atoi(text)
	if err == nil && limit < 0 {
		err = errors.New("limit must be non-negative")
	}
	if err != nil {
		return 0, bad(fmt.Errorf("invalid parameter %q: %w", field, err))
	}
	return limit, nil
}

// asked is what a query may say beside its expression.
type asked struct {
	promql.QueryOpts
	// within is how long it may take, 0 for Config.Timeout.
	within time.Duration
	// limit is how many series are wanted at most, 0 for all.
	limit int
}

func askedOf(r *http.Request) (q asked, err error) {
	var lookback time.Duration
	for field, d := range map[string]*time.Duration{"lookback_delta": &lookback, "timeout": &q.within} {
		if text := r.FormValue(field); text != "" {
			if *d, err = durationOf(text); err != nil {
				return q, bad(fmt.Errorf("invalid parameter %q: %w", field, err))
			}
		}
	}
	q.QueryOpts = promql.NewPrometheusQueryOpts(false, lookback)
	q.limit, err = limitOf(r, "limit")
	return q, err
}

// limited cuts the series of a result, and reports whether there were more.
func (q asked) limited(result *promql.Result) bool {
	switch v := result.Value.(type) {
	case promql.Matrix:
		result.Value = v[:cut(len(v), q.limit)]
		return cut(len(v), q.limit) < len(v)
	case promql.Vector:
		result.Value = v[:cut(len(v), q.limit)]
		return cut(len(v), q.limit) < len(v)
	}
	return false
}

// cut is how many of n are left by a limit.
func cut(n, limit int) int {
	if limit > 0 {
		return min(n, limit)
	}
	return n
}
