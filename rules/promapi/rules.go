package promapi

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	promrules "github.com/prometheus/prometheus/rules"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/util/annotations"
)

// The answers of rules and alerts, as Prometheus spells them.
type (
	ruleGroup struct {
		Name           string    `json:"name"`
		File           string    `json:"file"`
		Rules          []any     `json:"rules"`
		Interval       float64   `json:"interval"`
		Limit          int       `json:"limit"`
		EvaluationTime float64   `json:"evaluationTime"`
		LastEvaluation time.Time `json:"lastEvaluation"`
	}
	ruleState struct {
		Name           string        `json:"name"`
		Query          string        `json:"query"`
		Labels         labels.Labels `json:"labels,omitzero"`
		Health         string        `json:"health"`
		LastError      string        `json:"lastError,omitempty"`
		EvaluationTime float64       `json:"evaluationTime"`
		LastEvaluation time.Time     `json:"lastEvaluation"`
		Type           string        `json:"type"`
	}
	alertingRule struct {
		State         string        `json:"state"`
		Duration      float64       `json:"duration"`
		KeepFiringFor float64       `json:"keepFiringFor"`
		Annotations   labels.Labels `json:"annotations"`
		Alerts        []alert       `json:"alerts"`
		ruleState
	}
	alert struct {
		Labels      labels.Labels `json:"labels"`
		Annotations labels.Labels `json:"annotations"`
		State       string        `json:"state"`
		ActiveAt    *time.Time    `json:"activeAt,omitempty"`
		Value       string        `json:"value"`
	}
)

func (a *API) groups() []*promrules.Group {
	if a.rules == nil {
		return nil
	}
	return a.rules.Groups()
}

func (a *API) ruleGroups(r *http.Request) (any, error) {
	kind := r.FormValue("type")
	if kind != "" && kind != "alert" && kind != "record" {
		return nil, bad(errors.New("not supported value \"" + kind + "\""))
	}
	all := []ruleGroup{}
	for _, g := range a.groups() {
		group := ruleGroup{Name: g.Name(), File: g.File(), Rules: []any{}, Interval: g.Interval().Seconds(), Limit: g.Limit(),
			EvaluationTime: g.GetEvaluationTime().Seconds(), LastEvaluation: g.GetLastEvaluation()}
		for _, rule := range g.Rules() {
			state := ruleState{Name: rule.Name(), Labels: rule.Labels(), Health: string(rule.Health()),
				EvaluationTime: rule.GetEvaluationDuration().Seconds(), LastEvaluation: rule.GetEvaluationTimestamp()}
			if err := rule.LastError(); err != nil {
				state.LastError = err.Error()
			}
			switch rule := rule.(type) {
			case *promrules.AlertingRule:
				state.Query, state.Type = rule.Query().String(), "alerting"
				if kind != "record" {
					group.Rules = append(group.Rules, alertingRule{ruleState: state, State: rule.State().String(), Duration: rule.HoldDuration().Seconds(),
						KeepFiringFor: rule.KeepFiringFor().Seconds(), Annotations: rule.Annotations(), Alerts: alertsOf(rule)})
				}
			case *promrules.RecordingRule:
				state.Query, state.Type = rule.Query().String(), "recording"
				if kind != "alert" {
					group.Rules = append(group.Rules, state)
				}
			}
		}
		all = append(all, group)
	}
	return map[string]any{"groups": all}, nil
}

func alertsOf(rule *promrules.AlertingRule) []alert {
	all := []alert{}
	for _, a := range rule.ActiveAlerts() {
		at := a.ActiveAt
		all = append(all, alert{Labels: a.Labels, Annotations: a.Annotations, State: a.State.String(), ActiveAt: &at,
			Value: strconv.FormatFloat(a.Value, 'e', -1, 64)})
	}
	return all
}

func (a *API) alerts(*http.Request) (any, error) {
	all := []alert{}
	for _, g := range a.groups() {
		for _, rule := range g.AlertingRules() {
			all = append(all, alertsOf(rule)...)
		}
	}
	return map[string]any{"alerts": all}, nil
}

// both is two storages whose series have different names: what rules write beside
// what findings say. Where both have a series, findings are older and longer, and
// win.
type both struct{ findings, recorded storage.Queryable }

func (b both) Querier(from, to int64) (storage.Querier, error) {
	f, err := b.findings.Querier(from, to)
	if err != nil {
		return nil, err
	}
	r, err := b.recorded.Querier(from, to)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return bothQuerier{f, r}, nil
}

type bothQuerier struct{ findings, recorded storage.Querier }

func (q bothQuerier) Close() error { return errors.Join(q.findings.Close(), q.recorded.Close()) }

func (q bothQuerier) Select(ctx context.Context, _ bool, hints *storage.SelectHints, matchers ...*labels.Matcher) storage.SeriesSet {
	var all []storage.Series
	seen := map[string]bool{}
	for _, of := range []storage.Querier{q.findings, q.recorded} {
		set := of.Select(ctx, false, hints, matchers...)
		for set.Next() {
			s := set.At()
			if key := string(s.Labels().Bytes(nil)); !seen[key] {
				seen[key] = true
				all = append(all, s)
			}
		}
		if err := set.Err(); err != nil {
			return storage.ErrSeriesSet(err)
		}
	}
	slices.SortFunc(all, func(a, b storage.Series) int { return labels.Compare(a.Labels(), b.Labels()) })
	return &listSet{all: all, at: -1}
}

type listSet struct {
	all []storage.Series
	at  int
}

func (s *listSet) Next() bool                        { s.at++; return s.at < len(s.all) }
func (s *listSet) At() storage.Series                { return s.all[s.at] }
func (s *listSet) Err() error                        { return nil }
func (s *listSet) Warnings() annotations.Annotations { return nil }

func (q bothQuerier) LabelValues(ctx context.Context, name string, hints *storage.LabelHints, matchers ...*labels.Matcher) ([]string, annotations.Annotations, error) {
	a, _, err := q.findings.LabelValues(ctx, name, hints, matchers...)
	if err != nil {
		return nil, nil, err
	}
	b, _, err := q.recorded.LabelValues(ctx, name, hints, matchers...)
	return sorted(a, b), nil, err
}

func (q bothQuerier) LabelNames(ctx context.Context, hints *storage.LabelHints, matchers ...*labels.Matcher) ([]string, annotations.Annotations, error) {
	a, _, err := q.findings.LabelNames(ctx, hints, matchers...)
	if err != nil {
		return nil, nil, err
	}
	b, _, err := q.recorded.LabelNames(ctx, hints, matchers...)
	return sorted(a, b), nil, err
}

func sorted(a, b []string) []string {
	all := slices.Concat(a, b)
	slices.Sort(all)
	return slices.Compact(all)
}
