package promapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
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
		Labels         labels.Labels `json:"labels"`
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
		// KeepFiringSince is since when its condition does not hold any more.
		KeepFiringSince time.Time `json:"keepFiringSince,omitzero"`
		Value           string    `json:"value"`
	}
)

func (a *API) groups() []*promrules.Group {
	if a.rules == nil {
		return nil
	}
	return a.rules.Groups()
}

// wanted is which rules a client asks for; empty lists are all.
type wanted struct {
	kind                 string
	names, groups, files []string
	matchers             [][]*labels.Matcher
	noAlerts             bool
}

func (a *API) wantedRules(r *http.Request) (w wanted, err error) {
	w = wanted{kind: strings.ToLower(r.FormValue("type")), names: r.Form["rule_name[]"], groups: r.Form["rule_group[]"], files: r.Form["file[]"]}
	if w.kind != "" && w.kind != "alert" && w.kind != "record" {
		return w, bad(fmt.Errorf("invalid parameter \"type\": not supported value %q", w.kind))
	}
	if text := r.FormValue("exclude_alerts"); text != "" {
		if w.noAlerts, err = strconv.ParseBool(strings.ToLower(text)); err != nil {
			return w, bad(fmt.Errorf("invalid parameter \"exclude_alerts\": error converting exclude_alerts: %w", err))
		}
	}
	if len(r.Form["match[]"]) > 0 {
		w.matchers, err = a.matcherSets(r, true)
	}
	return w, err
}

// has reports whether a list names something; an empty one names all.
func has(list []string, name string) bool { return len(list) == 0 || slices.Contains(list, name) }

func (a *API) ruleGroups(r *http.Request) (any, error) {
	w, err := a.wantedRules(r)
	if err != nil {
		return nil, err
	}
	all := []ruleGroup{}
	for _, g := range a.groups() {
		if !has(w.groups, g.Name()) || !has(w.files, g.File()) {
			continue
		}
		group := ruleGroup{Name: g.Name(), File: g.File(), Rules: w.rules(g), Interval: g.Interval().Seconds(), Limit: g.Limit(),
			EvaluationTime: g.GetEvaluationTime().Seconds(), LastEvaluation: g.GetLastEvaluation()}
		if len(group.Rules) > 0 {
			all = append(all, group)
		}
	}
	return map[string]any{"groups": all}, nil
}

// rules returns the rules of a group that are wanted.
func (w wanted) rules(g *promrules.Group) []any {
	var all []any
	for _, rule := range g.Rules(w.matchers...) {
		if !has(w.names, rule.Name()) {
			continue
		}
		state := ruleState{Name: rule.Name(), Query: rule.Query().String(), Labels: rule.Labels(), Health: string(rule.Health()),
			EvaluationTime: rule.GetEvaluationDuration().Seconds(), LastEvaluation: rule.GetEvaluationTimestamp()}
		if err := rule.LastError(); err != nil {
			state.LastError = err.Error()
		}
		switch rule := rule.(type) {
		case *promrules.AlertingRule:
			if w.kind == "record" {
				continue
			}
			state.Type = "alerting"
			shown := alertingRule{ruleState: state, State: rule.State().String(), Duration: rule.HoldDuration().Seconds(),
				KeepFiringFor: rule.KeepFiringFor().Seconds(), Annotations: rule.Annotations()}
			if !w.noAlerts {
				shown.Alerts = alertsOf(rule)
			}
			all = append(all, shown)
		case *promrules.RecordingRule:
			if w.kind != "alert" {
				state.Type = "recording"
				all = append(all, state)
			}
		}
	}
	return all
}

func alertsOf(rule *promrules.AlertingRule) []alert {
	all := []alert{}
	for _, a := range rule.ActiveAlerts() {
		at := a.ActiveAt
		all = append(all, alert{Labels: a.Labels, Annotations: a.Annotations, State: a.State.String(), ActiveAt: &at,
			KeepFiringSince: a.KeepFiringSince, Value: strconv.FormatFloat(a.Value, 'e', -1, 64)})
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
