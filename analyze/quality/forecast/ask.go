package forecast

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/analyze/quality/history"
	"github.com/plumbline-slo/plumbline/analyze/serve"
)

// Params is a question about maturity as text, for the command line and for HTTP.
type Params struct {
	Model string
	// Windows are lengths such as 24h, 7d or 4w. Default 24h and 7d.
	Windows []string
	// Share of a window's labels that makes it mature, in (0, 1). Default 0.9.
	Share string
	// At is an RFC 3339 time as of which is asked. Default: the newest hour that is
	// counted.
	At string
}

// ParameterError is a parameter that cannot be used, and why.
type ParameterError = serve.ParameterError

// Asked is a question about maturity.
type Asked struct {
	Model   plumbline.Model
	Windows []time.Duration
	Share   float64
	// At is the hour as of which is asked; zero is the newest.
	At time.Time
}

// mostWindows bounds the windows of one question.
const mostWindows = 20

// Asked reads the text; its error joins a ParameterError for everything that is
// wrong.
func (p Params) Asked(now time.Time) (Asked, error) {
	a := Asked{Model: plumbline.Model(p.Model), Share: 0.9}
	var errs []error
	wrong := func(name string, err error) { errs = append(errs, ParameterError{Name: name, Err: err}) }
	if p.Model == "" {
		wrong("model", errors.New("name the model"))
	}
	windows := p.Windows
	if len(windows) == 0 {
		windows = []string{"24h", "7d"}
	}
	if len(windows) > mostWindows {
		wrong("window", fmt.Errorf("%d windows, at most %d are answered at once", len(windows), mostWindows))
		windows = nil
	}
	for _, text := range windows {
		d, err := windowOf(text)
		if err != nil {
			wrong("window", err)
			continue
		}
		a.Windows = append(a.Windows, d)
	}
	if p.Share != "" {
		v, err := strconv.ParseFloat(p.Share, 64)
		if a.Share = v; err != nil || !(v > 0 && v < 1) {
			wrong("share", fmt.Errorf("%q is no share between 0 and 1", p.Share))
		}
	}
	if p.At != "" {
		at, err := serve.ParseTime(p.At)
		if a.At = at.Truncate(time.Hour); err == nil && at.After(now) {
			err = fmt.Errorf("%q is after now", p.At)
		}
		if err != nil {
			wrong("at", err)
		}
	}
	return a, errors.Join(errs...)
}

// windowOf reads a number of hours, days or weeks.
func windowOf(text string) (time.Duration, error) {
	units := map[string]time.Duration{"h": time.Hour, "d": day, "w": 7 * day}
	if len(text) > 1 {
		unit, known := units[text[len(text)-1:]]
		if n, err := strconv.Atoi(strings.TrimLeft(text[:len(text)-1], "+-")); known && err == nil && n > 0 && n <= 10_000 && strings.Trim(text[:len(text)-1], "0123456789") == "" {
			if d := time.Duration(n) * unit; d <= 400*day {
				return d, nil
			}
		}
	}
	return 0, fmt.Errorf("%q is no number of hours, days or weeks up to 400 days, such as 24h, 7d or 4w", text)
}

// Asker answers questions about maturity from what the service has counted.
type Asker struct {
	Reader history.Reader
	Config Config
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

func (a Asker) now() time.Time {
	if a.Now != nil {
		return a.Now()
	}
	return time.Now()
}

// ErrUnknown says that nothing of a model was counted: it never served, or the
// service has not looked at it yet.
var ErrUnknown = errors.New("nothing of this model is counted")

// behind is how far what is counted may be behind without a word: an hour is
// counted some minutes after it is over.
const behind = time.Hour

// Ask answers. The error is ErrUnknown for a model of which nothing is counted.
func (a Asker) Ask(ctx context.Context, q Asked) (Maturity, error) {
	scope, err := a.Reader.Former(ctx, q.Model)
	if err != nil {
		return Maturity{}, err
	}
	newest, err := a.Reader.Newest(ctx, q.Model, scope.To, a.now())
	if err != nil {
		return Maturity{}, err
	}
	if scope.Strata.Kind == "" {
		return Maturity{}, unknown(q.Model, newest)
	}
	at := scope.To
	if newest.Sub(at) <= behind || !q.At.IsZero() && q.At.Before(at) {
		newest = time.Time{}
	}
	if !q.At.IsZero() && q.At.Before(at) {
		at = q.At
	}
	cfg := a.Config
	for _, w := range q.Windows {
		cfg.History = max(cfg.History, w)
	}
	f := New(cfg, a.Reader, scope, TaskOf(scope.Classes))
	d, err := f.Delays(ctx, at)
	if err != nil {
		return Maturity{}, err
	}
	seen := map[plumbline.DeployHash]bool{}
	var deploys []plumbline.DeployHash
	for _, h := range d.Hours {
		if !seen[h.Deploy] && h.Deploy != "" && len(deploys) < mostWindows {
			seen[h.Deploy] = true
			deploys = append(deploys, h.Deploy)
		}
	}
	m, err := f.Maturity(ctx, at, q.Share, q.Windows, deploys...)
	if err != nil {
		return Maturity{}, err
	}
	m.Newest = newest
	unjoined, err := a.Reader.Unjoined(ctx)
	if err != nil {
		return Maturity{}, err
	}
	m.Unjoined = history.Waiting(unjoined, q.At)
	if q.At.IsZero() || at.Equal(scope.To) {
		err = a.uncounted(ctx, &m, scope, cfg.History)
	}
	return m.served(), err
}

// unknown says what there is of a model of which nothing is counted.
func unknown(model plumbline.Model, newest time.Time) error {
	if newest.IsZero() {
		return fmt.Errorf("model %q: %w: it did not serve in an hour that is over", model, ErrUnknown)
	}
	return fmt.Errorf("model %q: %w yet: predictions up to %s are stored, and counted at the service's next look (analyze.estimate_interval, 5 minutes by default)",
		model, ErrUnknown, newest.Format(time.RFC3339))
}

// uncounted says of what is known that labels are stored which are not counted
// yet: the demo was told for minutes that no label was known, while they were.
func (a Asker) uncounted(ctx context.Context, m *Maturity, scope history.Scope, history time.Duration) error {
	open := a.now().Truncate(time.Hour).UTC()
	scope.From, scope.To = open.Add(-history), open
	var err error
	if m.Uncounted, err = a.Reader.Uncounted(ctx, scope); err != nil {
		return err
	}
	known := slices.ContainsFunc(m.Delays, func(d StratumDelay) bool { return d.Curve.Ever() > 0 })
	// The service looks again soon as long as it knows no label, and else when an
	// hour is over.
	if known || m.Uncounted.Known == 0 {
		m.CountedAfter = open.Add(time.Hour)
	}
	if !m.Uncounted.Labels() {
		return nil
	}
	for i := range m.Windows {
		if w := &m.Windows[i]; w.Why == noLabel {
			w.Why = "labels of this model are stored, and none of them is counted yet"
		}
	}
	return nil
}

// served leaves out deploys without predictions in a window.
func (m Maturity) served() Maturity {
	var windows []WindowMaturity
	for _, w := range m.Windows {
		if w.Deploy == "" || w.Known+w.Waiting > 0 {
			windows = append(windows, w)
		}
	}
	m.Windows = windows
	return m
}

// seconds of a delay, NaN where none is known.
func seconds(d time.Duration) float64 {
	if d < 0 {
		return math.NaN()
	}
	return d.Seconds()
}
