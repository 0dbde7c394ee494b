package history

import (
	"context"
	_ "embed" // the statements
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/analyze/estimate"
)

//go:embed sql/arrivals.sql
var arrivalsSQL string

//go:embed sql/requests.sql
var requestsSQL string

//go:embed sql/lately.sql
var latelySQL string

// Arrivals is when requests came and when their labels did, by hour, from the
// rollups alone.
type Arrivals struct {
	// From is the first hour, Now the instant at which it was looked.
	From, Now time.Time
	// Requests are those of each hour, Arrived the labels that became known in
	// each hour, whatever hour their request is of. The last hour is not over.
	Requests, Arrived []float64
	// Curve is the delay curve of requests, as known before Fitted.
	Curve  estimate.Curve
	Fitted time.Time

	expected []float64 // labels of each hour, the last one as far as it has gone
}

// arrivalLag is how old what the delay curve is fitted to is at least: what is
// wrong now must not become what is usual.
const arrivalLag = 24 * time.Hour

// Arrivals reads the requests and labels of a model in the time before now.
func (r Reader) Arrivals(ctx context.Context, model plumbline.Model, history time.Duration, now time.Time) (Arrivals, error) {
	fail := func(err error) (Arrivals, error) {
		return Arrivals{}, fmt.Errorf("read label arrival of model %q: %w", model, err)
	}
	last := now.Truncate(time.Hour)
	a := Arrivals{From: last.Add(-history).Truncate(time.Hour), Now: now}
	hours := int(last.Sub(a.From)/time.Hour) + 1
	a.Requests, a.Arrived = make([]float64, hours), make([]float64, hours)
	first, err := r.requests(ctx, model, &a)
	if err != nil {
		return fail(err)
	}
	if first < 0 {
		return a, nil
	}
	// A short history gives up less of itself.
	lag := min(arrivalLag, (time.Duration(hours-first)*time.Hour/4).Truncate(time.Hour)+time.Hour)
	a.Fitted = last.Add(-lag)
	waits, labelled, err := r.arrived(ctx, model, &a)
	if err != nil {
		return fail(err)
	}
	a.fit(waits, labelled)
	return a, nil
}

// Later returns the same at a later instant of the same hour: the delays are kept,
// and only the labels of the last hours and the requests of the last one are read
// again. False means that the hour is over, or that there were no labels yet to
// tell delays from.
func (r Reader) Later(ctx context.Context, model plumbline.Model, a Arrivals, now time.Time, back time.Duration) (Arrivals, bool, error) {
	last := now.Truncate(time.Hour)
	if a.expected == nil || !(a.Curve.Ever() > 0) || !last.Equal(a.Now.Truncate(time.Hour)) || now.Before(a.Now) {
		return Arrivals{}, false, nil
	}
	fail := func(err error) (Arrivals, bool, error) {
		return Arrivals{}, false, fmt.Errorf("read label arrival of model %q: %w", model, err)
	}
	a.Now, a.Requests, a.Arrived = now, slices.Clone(a.Requests), slices.Clone(a.Arrived)
	if _, err := r.requests(ctx, model, &a); err != nil {
		return fail(err)
	}
	since := last.Add(-back)
	rows, err := r.Conn.Query(ctx, latelySQL, clickhouse.Named("model", string(model)), clickhouse.Named("from", a.From.Unix()),
		clickhouse.Named("to", last.Add(time.Hour).Unix()), clickhouse.Named("since", since.Unix()))
	if err != nil {
		return fail(err)
	}
	defer rows.Close()
	clear(a.Arrived[max(a.hour(since.Unix()), 0):])
	for rows.Next() {
		var heard, n int64
		if err := rows.Scan(&heard, &n); err != nil {
			return fail(err)
		}
		if i := a.hour(heard); i >= 0 {
			a.Arrived[i] = float64(max(n, 0))
		}
	}
	if err := rows.Err(); err != nil {
		return fail(err)
	}
	a.expect()
	return a, true, nil
}

// arrived reads the labels: those that came, by hour, into a, and for the curve
// the delays of those that were known when it is fitted, and how many there were
// of each hour of requests.
func (r Reader) arrived(ctx context.Context, model plumbline.Model, a *Arrivals) (waits []estimate.Wait, labelled []float64, err error) {
	rows, err := r.Conn.Query(ctx, arrivalsSQL, clickhouse.Named("model", string(model)), clickhouse.Named("from", a.From.Unix()),
		clickhouse.Named("to", a.Now.Truncate(time.Hour).Add(time.Hour).Unix()), clickhouse.Named("at", a.Fitted.Unix()))
	if err != nil {
		return nil, nil, err
	}
	defer rows.Close()
	labelled = make([]float64, len(a.Requests))
	for rows.Next() {
		var (
			kind     uint8
			place, n int64
		)
		if err := rows.Scan(&kind, &place, &n); err != nil {
			return nil, nil, err
		}
		switch i := a.hour(place); {
		case kind == countsDelay:
			waits = append(waits, estimate.Wait{Delay: time.Duration(place) * time.Second, Known: true, Count: n})
		case kind == countsArrived && i >= 0:
			a.Arrived[i] = float64(n)
		case kind == countsLabelled && i >= 0:
			labelled[i] = float64(n)
		}
	}
	return waits, labelled, rows.Err()
}

// What arrivals.sql counts.
const (
	countsArrived = iota
	countsDelay
	countsLabelled
)

// requests reads the requests and returns the first hour that has any, -1
// without.
func (r Reader) requests(ctx context.Context, model plumbline.Model, a *Arrivals) (first int, err error) {
	rows, err := r.Conn.Query(ctx, requestsSQL, clickhouse.Named("model", string(model)), clickhouse.Named("from", a.From.Unix()), clickhouse.Named("to", a.Now.Unix()))
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	for rows.Next() {
		var at, n int64
		if err := rows.Scan(&at, &n); err != nil {
			return 0, err
		}
		if i := a.hour(at); i >= 0 {
			a.Requests[i] = float64(n)
		}
	}
	return slices.IndexFunc(a.Requests, func(n float64) bool { return n > 0 }), rows.Err()
}

// hour returns the index of an hour, -1 outside.
func (a Arrivals) hour(at int64) int {
	i := int((at - a.From.Unix()) / 3600)
	if at < a.From.Unix() || i >= len(a.Requests) {
		return -1
	}
	return i
}

// fit fits the delay curve to what was known of the requests before it is fitted.
func (a *Arrivals) fit(waits []estimate.Wait, labelled []float64) {
	fitted := int(a.Fitted.Sub(a.From) / time.Hour)
	for i := range min(fitted, len(a.Requests)) {
		if n := int64(a.Requests[i] - labelled[i]); n > 0 {
			waits = append(waits, estimate.Wait{Delay: time.Duration(fitted-1-i) * time.Hour, Count: n})
		}
	}
	a.Curve = estimate.NewCurve(waits)
	a.expect()
}

// expect computes how many labels every hour should have had: of the requests of
// every hour before, the share whose delay is that long.
func (a *Arrivals) expect() {
	shares := make([]float64, len(a.Requests)+1)
	for d := range a.Requests {
		shares[d+1] = a.Curve.Share(time.Duration(d) * time.Hour)
	}
	a.expected = make([]float64, len(a.Requests))
	if a.Curve.Predictions == 0 {
		return
	}
	last := len(a.Requests) - 1
	for k := range a.expected {
		for i := 0; i <= k; i++ {
			a.expected[k] += a.Requests[i] * (shares[k-i+1] - shares[k-i])
		}
	}
	// Of the hour that is not over, only what has gone of it. That is too few of
	// labels that come within minutes, which errs on the side of silence.
	a.expected[last] *= float64(a.Now.Sub(a.Now.Truncate(time.Hour))) / float64(time.Hour)
}

// Arrival is what came in a window of wall clock.
type Arrival struct {
	Window time.Duration
	// From is the start of the window, a whole hour: it is up to an hour longer
	// than Window.
	From time.Time
	// Arrived labels came, Expected should have.
	Arrived, Expected float64
	// Share is Arrived / Expected with its 95 % interval, from the noise of
	// counting and from how far windows like this one usually are below.
	Share, Low, High float64
	// Usual is the share that only one in twenty windows was below, NaN without
	// enough of them.
	Usual   float64
	Verdict string
	Says    string
}

const (
	// leastExpected labels must be expected before their absence says anything.
	leastExpected = 20
	// leastWindows of the same length must have been seen.
	leastWindows = 24
	// usualTail is the share of past windows that may be lower than Usual: a past
	// outage of a day in four weeks does not become usual.
	usualTail = 0.05
)

// Judge says whether labels arrived in the last window as they should have. It is
// a breach if surely less than the share least of them did, and that is not usual
// for windows of this length: labels that come in bursts, once a night, say
// nothing in the hours between.
func (a Arrivals) Judge(window time.Duration, least float64) Arrival {
	hours, last := int(window/time.Hour), len(a.Requests)-1
	nan := math.NaN()
	out := Arrival{Window: window, Share: nan, Low: nan, High: nan, Usual: nan, Verdict: plumbline.VerdictMissing, Says: "no request ever got a label"}
	from := last - hours
	if from < 0 || a.expected == nil {
		return out
	}
	out.From = a.From.Add(time.Duration(from) * time.Hour)
	for i := from; i <= last; i++ {
		out.Arrived += a.Arrived[i]
		out.Expected += a.expected[i]
	}
	if a.Curve.Ever() == 0 || a.Curve.Predictions == 0 {
		return out
	}
	if out.Expected < leastExpected {
		out.Verdict, out.Says = plumbline.VerdictInsufficient, fmt.Sprintf("only %.0f labels should have come, %d are needed to miss them", out.Expected, leastExpected)
		return out
	}
	out.Share = out.Arrived / out.Expected
	past := a.past(hours)
	if len(past) < leastWindows {
		out.Verdict, out.Says = plumbline.VerdictInsufficient, fmt.Sprintf("only %d windows of this length were seen, %d are needed to know what is usual", len(past), leastWindows)
		return out
	}
	out.Usual = past[int(usualTail*float64(len(past)))]
	spread := max(past[len(past)/2]-out.Usual, 0) / 1.645
	noise := 1.96 * math.Hypot(spread, math.Sqrt(max(out.Arrived, 1))/out.Expected)
	out.Low, out.High = max(out.Share-noise, 0), out.Share+noise
	switch {
	case out.Usual < least:
		out.Verdict = plumbline.VerdictInsufficient
		out.Says = fmt.Sprintf("labels come in bursts: in one window of this length in twenty, less than %.0f %% of the expected come", 100*max(out.Usual, 0.01))
	case out.High < least:
		out.Verdict = plumbline.VerdictBreach
		out.Says = fmt.Sprintf("%.0f labels came where %.0f should have", out.Arrived, out.Expected)
	default:
		out.Verdict, out.Says = plumbline.VerdictOK, "labels come as they did"
	}
	return out
}

// past returns the shares of every window of some hours up to when the curve was
// fitted, the lowest first. In as many hours after the first request labels may
// not have begun to come.
func (a Arrivals) past(hours int) []float64 {
	var shares []float64
	begun := slices.IndexFunc(a.Requests, func(n float64) bool { return n > 0 }) + hours
	arrived, expected := 0.0, 0.0
	for end := 0; a.From.Add(time.Duration(end) * time.Hour).Before(a.Fitted); end++ {
		arrived, expected = arrived+a.Arrived[end], expected+a.expected[end]
		if start := end - hours; start >= 0 {
			arrived, expected = arrived-a.Arrived[start], expected-a.expected[start]
		}
		if end >= begun+hours-1 && expected >= leastExpected {
			shares = append(shares, arrived/expected)
		}
	}
	slices.Sort(shares)
	return shares
}

// LastHeard is the end of the last hour in which as many labels as usual came,
// zero if there is none: what is newer is blind while labels stay away.
func (a Arrivals) LastHeard(least float64) time.Time {
	for i := len(a.Arrived) - 1; i >= 0; i-- {
		if a.expected != nil && a.Arrived[i] > 0 && a.Arrived[i] >= least*a.expected[i] {
			return a.From.Add(time.Duration(i+1) * time.Hour)
		}
	}
	return time.Time{}
}
