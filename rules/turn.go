package rules

import (
	"context"
	"sync"
	"time"

	promrules "github.com/prometheus/prometheus/rules"
)

// groupKey is where Notify finds the rule group.
type groupKey struct{}

// GroupOf returns the name of the rule group whose alerts a Notify is given.
func GroupOf(ctx context.Context) string {
	if g, ok := ctx.Value(groupKey{}).(*promrules.Group); ok {
		return g.Name()
	}
	return ""
}

// keyOf tells groups of one name in several files apart.
func keyOf(g *promrules.Group) string { return promrules.GroupKey(g.File(), g.Name()) }

// turns are the rule groups that this evaluator speaks for, by file and name.
type turns struct {
	mu    sync.Mutex
	whose map[string]bool
}

// begin notes whether a group is this evaluator's, and reports whether it has
// become so.
func (t *turns) begin(group string, mine bool) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.whose == nil {
		t.whose = make(map[string]bool)
	}
	was := t.whose[group]
	t.whose[group] = mine
	return mine && !was
}

// turn reports whether this evaluator has the duty of a group.
func (e *Evaluator) turn(group string) bool { return e.deps.Turn == nil || e.deps.Turn(group) }

// sayAgain has every alert of a group sent at its next evaluation, those that
// ended within the last quarter of an hour too: the rule manager believes that it
// sent them, but nobody may have.
func sayAgain(g *promrules.Group) {
	for _, r := range g.AlertingRules() {
		r.ForEachActiveAlert(func(a *Alert) { a.LastSentAt = time.Time{} })
	}
}

// GroupPrefix begins the names of the generated rule groups; the name of the SLO
// follows.
const GroupPrefix = "plumbline-"

// Evaluated is when a rule group was last evaluated here.
type Evaluated struct {
	Group string
	At    time.Time // zero if it has not been yet
	Every time.Duration
}

// Evaluations returns the rule groups and when each was last evaluated; none
// before Run and after it.
func (e *Evaluator) Evaluations() []Evaluated {
	e.mu.Lock()
	manager := e.manager
	e.mu.Unlock()
	if manager == nil {
		return nil
	}
	var all []Evaluated
	for _, g := range manager.RuleGroups() {
		all = append(all, Evaluated{Group: g.Name(), At: g.GetLastEvaluation(), Every: g.Interval()})
	}
	return all
}

// Conditions returns the labels of every alert whose condition holds here, firing
// or pending.
func (e *Evaluator) Conditions() []map[string]string {
	e.mu.Lock()
	manager := e.manager
	e.mu.Unlock()
	if manager == nil {
		return nil
	}
	var all []map[string]string
	for _, r := range manager.AlertingRules() {
		for _, a := range r.ActiveAlerts() {
			all = append(all, a.Labels.Map())
		}
	}
	return all
}
