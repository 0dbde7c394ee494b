package promapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	promrules "github.com/prometheus/prometheus/rules"
	"github.com/prometheus/prometheus/storage"

	"github.com/plumbline-slo/plumbline"
)

// Path is where the API is mounted; a Prometheus source is given what is before
// api/v1.
const Path = "/prometheus"

// Config bounds what queries may cost.
type Config struct {
	// Timeout bounds a query. Default 30 s.
	Timeout time.Duration
	// MaxSamples bounds the samples a query holds at once. Default 20 million.
	MaxSamples int
	// Concurrent bounds the queries that run at once; others are told to come
	// again. Default 8.
	Concurrent int
	// Lookback is how old a point may be that an instant shows. Default
	// plumbline.FindingAge: most looks are 5 min apart, so that in Prometheus' own
	// 5 min what they find would come and go.
	Lookback time.Duration
}

// DefaultConfig returns the defaults that the fields name.
func DefaultConfig() Config {
	return Config{Timeout: 30 * time.Second, MaxSamples: 20_000_000, Concurrent: 8, Lookback: plumbline.FindingAge}
}

// Rules tells what the evaluator knows; rules.Evaluator does.
type Rules interface {
	// Groups returns the rule groups with their state.
	Groups() []*promrules.Group
	// Recorded is what rules recorded of late.
	Recorded() storage.Queryable
}

// API answers queries.
type API struct {
	cfg      Config
	engine   *promql.Engine
	findings Findings
	rules    Rules
	parser   parser.Parser
	slots    chan struct{}
	now      func() time.Time
	log      *slog.Logger
}

// New returns an API over findings; rules may be nil.
func New(cfg Config, conn Querier, rules Rules, log *slog.Logger) *API {
	p := parser.NewParser(parser.Options{})
	return &API{
		cfg: cfg, findings: Findings{Conn: conn, most: mostPoints}, rules: rules, parser: p, now: time.Now, log: log,
		slots: make(chan struct{}, cfg.Concurrent),
		engine: promql.NewEngine(promql.EngineOpts{
			Logger: log, Parser: p, MaxSamples: cfg.MaxSamples, Timeout: cfg.Timeout, LookbackDelta: cfg.Lookback,
			EnableAtModifier: true, EnableNegativeOffset: true,
		}),
	}
}

// At evaluates one expression at an instant; ok is false if it has no value. An
// expression of several series is an error: it would not say which one counts.
func (a *API) At(ctx context.Context, expr string, at time.Time) (value float64, ok bool, err error) {
	q, err := a.engine.NewInstantQuery(ctx, a.storage(), nil, expr, at)
	if err != nil {
		return 0, false, err
	}
	defer q.Close()
	result := q.Exec(ctx)
	if result.Err != nil {
		return 0, false, result.Err
	}
	switch v := result.Value.(type) {
	case promql.Scalar:
		return v.V, !math.IsNaN(v.V), nil
	case promql.Vector:
		switch len(v) {
		case 0:
			return 0, false, nil
		case 1:
			return v[0].F, !math.IsNaN(v[0].F), nil
		}
		return 0, false, fmt.Errorf("%s has %d series at %s; aggregate them", expr, len(v), at.UTC().Format(time.RFC3339))
	}
	return 0, false, fmt.Errorf("%s is no number", expr)
}

// Minutes evaluates one expression at each whole minute from first to last, NaN where
// it has no value, as At would: of all minutes at once, since a minute at a time reads
// every series as often as there are minutes.
func (a *API) Minutes(ctx context.Context, expr string, first, last time.Time) ([]float64, error) {
	values := make([]float64, last.Sub(first)/time.Minute+1)
	for i := range values {
		values[i] = math.NaN()
	}
	if strings.Contains(expr, "@") { // start() and end() are those of the whole range
		for i := range values {
			v, ok, err := a.At(ctx, expr, first.Add(time.Duration(i)*time.Minute))
			if err != nil {
				return nil, err
			}
			if ok {
				values[i] = v
			}
		}
		return values, nil
	}
	q, err := a.engine.NewRangeQuery(ctx, a.storage(), nil, expr, first, last, time.Minute)
	if err != nil {
		return nil, err
	}
	defer q.Close()
	result := q.Exec(ctx)
	if result.Err != nil {
		return nil, result.Err
	}
	matrix, err := result.Matrix()
	if err != nil {
		return nil, fmt.Errorf("%s is no number: %w", expr, err)
	}
	filled := make([]bool, len(values))
	for _, series := range matrix {
		for _, p := range series.Floats {
			i := time.UnixMilli(p.T).Sub(first) / time.Minute
			if filled[i] {
				return nil, fmt.Errorf("%s has several series at %s; aggregate them", expr, time.UnixMilli(p.T).UTC().Format(time.RFC3339))
			}
			values[i], filled[i] = p.F, true
		}
	}
	return values, nil
}

// storage is findings, and what rules recorded under names of their own.
func (a *API) storage() storage.Queryable {
	if a.rules == nil {
		return a.findings
	}
	return both{a.findings, a.rules.Recorded()}
}

// Handler serves the API below Path.
func (a *API) Handler() http.Handler {
	mux := http.NewServeMux()
	handle := func(pattern string, f func(*http.Request) (any, error)) {
		serve := func(w http.ResponseWriter, r *http.Request) { a.answer(w, r, f) }
		mux.HandleFunc("GET "+Path+"/api/v1/"+pattern, serve)
		mux.HandleFunc("POST "+Path+"/api/v1/"+pattern, serve)
	}
	handle("query", a.query)
	handle("query_range", a.queryRange)
	handle("series", a.series)
	handle("labels", a.labelNames)
	handle("label/{name}/values", a.labelValues)
	handle("metadata", a.metadata)
	handle("rules", a.ruleGroups)
	handle("alerts", a.alerts)
	handle("status/buildinfo", a.buildinfo)
	mux.HandleFunc("GET "+Path+"/federate", func(w http.ResponseWriter, r *http.Request) { a.answer(w, r, a.federate) })
	return mux
}

func (a *API) query(r *http.Request) (any, error) {
	at, err := timeOf(r, "time", a.now())
	if err != nil {
		return nil, bad(err)
	}
	how, err := askedOf(r)
	if err != nil {
		return nil, err
	}
	q, err := a.engine.NewInstantQuery(r.Context(), a.storage(), how, r.FormValue("query"), at)
	if err != nil {
		return nil, bad(fmt.Errorf("invalid parameter \"query\": %w", err))
	}
	return exec(r.Context(), q, how)
}

func (a *API) queryRange(r *http.Request) (any, error) {
	from, err := timeOf(r, "start", time.Time{})
	if err != nil {
		return nil, bad(err)
	}
	to, err := timeOf(r, "end", time.Time{})
	if err != nil {
		return nil, bad(err)
	}
	step, err := durationOf(r.FormValue("step"))
	switch {
	case err != nil:
		return nil, bad(fmt.Errorf("invalid parameter \"step\": %w", err))
	case step <= 0:
		return nil, bad(errors.New("invalid parameter \"step\": zero or negative query resolution step widths are not accepted. Try a positive integer"))
	case to.Before(from):
		return nil, bad(errors.New("invalid parameter \"end\": end timestamp must not be before start time"))
	case to.Sub(from)/step > 11000:
		return nil, bad(errors.New("exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)"))
	}
	how, err := askedOf(r)
	if err != nil {
		return nil, err
	}
	// The last step is the end: nothing is evaluated between it and what was asked.
	to = from.Add(to.Sub(from) / step * step)
	text := r.FormValue("query")
	q, err := a.engine.NewRangeQuery(r.Context(), a.storage(), how, text, from, to, step)
	if err != nil {
		return nil, bad(fmt.Errorf("invalid parameter \"query\": %w", err))
	}
	ctx := r.Context()
	if !a.hasSubquery(text) {
		ctx = context.WithValue(ctx, thinning{}, true)
	}
	return exec(ctx, q, how)
}

func (a *API) hasSubquery(text string) bool {
	expr, err := a.parser.ParseExpr(text)
	if err != nil {
		return true
	}
	found := false
	parser.Inspect(expr, func(n parser.Node, _ []parser.Node) error {
		if _, ok := n.(*parser.SubqueryExpr); ok {
			found = true
		}
		return nil
	})
	return found
}

func exec(ctx context.Context, q promql.Query, how asked) (any, error) {
	defer q.Close()
	if how.within > 0 {
		within, cancel := context.WithTimeout(ctx, how.within)
		defer cancel()
		ctx = within
	}
	result := q.Exec(ctx)
	if result.Err != nil {
		return nil, result.Err
	}
	said := result.Warnings
	if how.limited(result) {
		said = said.Add(errLimited)
	}
	// Encoded before the query is closed, which gives its memory back.
	value, err := json.Marshal(result.Value)
	if err != nil {
		return nil, err
	}
	return told{data: map[string]any{"resultType": result.Value.Type(), "result": json.RawMessage(value)}, said: said, query: q.String()}, nil
}

// matcherSets reads match[].
func (a *API) matcherSets(r *http.Request, needed bool) ([][]*labels.Matcher, error) {
	if err := r.ParseForm(); err != nil {
		return nil, bad(err)
	}
	var sets [][]*labels.Matcher
	for _, text := range r.Form["match[]"] {
		m, err := a.parser.ParseMetricSelector(text)
		if err != nil {
			return nil, bad(fmt.Errorf("invalid parameter \"match[]\": %w", err))
		}
		// As Prometheus: what selects everything is a mistake in a template.
		if !slices.ContainsFunc(m, func(l *labels.Matcher) bool { return !l.Matches("") }) {
			return nil, bad(errors.New("match[] must contain at least one non-empty matcher"))
		}
		sets = append(sets, m)
	}
	if needed && len(sets) == 0 {
		return nil, bad(errors.New("no match[] parameter provided"))
	}
	if len(sets) == 0 {
		sets = [][]*labels.Matcher{nil}
	}
	return sets, nil
}

// span reads start and end; without them, the last day.
func (a *API) span(r *http.Request) (*storage.SelectHints, error) {
	now := a.now()
	from, err := timeOf(r, "start", now.Add(-24*time.Hour))
	if err != nil {
		return nil, bad(err)
	}
	to, err := timeOf(r, "end", now)
	if err != nil {
		return nil, bad(err)
	}
	return &storage.SelectHints{Start: from.UnixMilli(), End: to.UnixMilli(), Func: seriesOnly}, nil
}

func (a *API) series(r *http.Request) (any, error) {
	found := []labels.Labels{}
	err := a.each(r, true, func(ctx context.Context, q storage.Querier, hints *storage.SelectHints, m []*labels.Matcher) error {
		set := q.Select(ctx, true, hints, m...)
		for set.Next() {
			found = append(found, set.At().Labels())
		}
		return set.Err()
	})
	slices.SortFunc(found, labels.Compare)
	return limited(r, slices.CompactFunc(found, labels.Equal), err)
}

func (a *API) labelNames(r *http.Request) (any, error) {
	return a.names(r, func(ctx context.Context, q storage.Querier, m []*labels.Matcher) ([]string, error) {
		names, _, err := q.LabelNames(ctx, nil, m...)
		return names, err
	})
}

func (a *API) labelValues(r *http.Request) (any, error) {
	name := r.PathValue("name")
	if !model.UTF8Validation.IsValidLabelName(name) {
		return nil, bad(fmt.Errorf("invalid label name: %q", name))
	}
	return a.names(r, func(ctx context.Context, q storage.Querier, m []*labels.Matcher) ([]string, error) {
		values, _, err := q.LabelValues(ctx, name, nil, m...)
		return values, err
	})
}

func (a *API) names(r *http.Request, get func(context.Context, storage.Querier, []*labels.Matcher) ([]string, error)) (any, error) {
	found := []string{}
	err := a.each(r, false, func(ctx context.Context, q storage.Querier, _ *storage.SelectHints, m []*labels.Matcher) error {
		names, err := get(ctx, q, m)
		found = append(found, names...)
		return err
	})
	slices.Sort(found)
	return limited(r, slices.Compact(found), err)
}

// limited leaves as many results as are wanted, and says so where there are more.
func limited[T any](r *http.Request, found []T, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	limit, err := limitOf(r, "limit")
	if err != nil {
		return nil, err
	}
	all := told{data: found[:cut(len(found), limit)]}
	if cut(len(found), limit) < len(found) {
		all.said = all.said.Add(errLimited)
	}
	return all, nil
}

// each calls f with every selector of match[], and with how their series are selected
// where their labels alone are wanted.
func (a *API) each(r *http.Request, needed bool, f func(context.Context, storage.Querier, *storage.SelectHints, []*labels.Matcher) error) (err error) {
	sets, err := a.matcherSets(r, needed)
	if err != nil {
		return err
	}
	hints, err := a.span(r)
	if err != nil {
		return err
	}
	q, err := a.storage().Querier(hints.Start, hints.End)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, q.Close()) }()
	for _, m := range sets {
		if err := f(r.Context(), q, hints, m); err != nil {
			return err
		}
	}
	return nil
}

func (a *API) metadata(r *http.Request) (any, error) {
	limit, err := limitOf(r, "limit")
	if err != nil {
		return nil, err
	}
	all, wanted := map[string]any{}, r.FormValue("metric")
	for name, help := range map[string]string{
		metricFinding: "Value of a finding.", metricFindingLow: "Lower end of a finding's 95 % interval.", metricFindingHigh: "Upper end of a finding's 95 % interval.",
		plumbline.MetricFresh:      "1 while something is known of the SLO.",
		plumbline.MetricBudgetLeft: "Share of the error budget of the SLO's period that is left, of all deploys; below 0 where it is overspent.",
	} {
		if (wanted == "" || wanted == name) && (limit == 0 || len(all) < limit) {
			all[name] = []map[string]string{{"type": "gauge", "help": help, "unit": ""}}
		}
	}
	return all, nil
}

func (a *API) buildinfo(*http.Request) (any, error) {
	version := "unknown"
	if info, ok := debug.ReadBuildInfo(); ok {
		version = info.Main.Version
	}
	// Grafana asks for the version to know what the API can do: it is that of
	// Prometheus whose engine runs here.
	return map[string]string{"version": "3.15.0", "revision": version, "branch": "plumbline", "buildUser": "", "buildDate": "", "goVersion": ""}, nil
}

// Use lets the API show what an evaluator knows. It is called before the API is
// asked anything.
func (a *API) Use(rules Rules) { a.rules = rules }
