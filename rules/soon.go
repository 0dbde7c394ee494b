package rules

import (
	"context"
	"sync"
	"time"

	promrules "github.com/prometheus/prometheus/rules"

	"github.com/plumbline-slo/plumbline"
)

// lately is when each rule group was evaluated last, by file and name: a user's own
// files may have groups of one name. Groups are evaluated when their turn comes and,
// by Soon, when their findings have changed.
type lately struct {
	mu sync.Mutex
	of map[string]*evaluatedAt
}

type evaluatedAt struct {
	mu sync.Mutex // held while the group is evaluated
	at time.Time
}

func (l *lately) group(key string) *evaluatedAt {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.of == nil {
		l.of = make(map[string]*evaluatedAt)
	}
	if l.of[key] == nil {
		l.of[key] = &evaluatedAt{}
	}
	return l.of[key]
}

// inOrder evaluates a group unless it was evaluated for a later time: a turn that
// came while Soon was at it has nothing to add, and its samples would be out of
// order.
func (e *Evaluator) inOrder(ctx context.Context, g *promrules.Group, ts time.Time) {
	last := e.lately.group(keyOf(g))
	last.mu.Lock()
	defer last.mu.Unlock()
	if ts.Before(last.at) && !setBack(last.at, g.Interval()) {
		return
	}
	last.at = ts
	e.evaluate(ctx, g, ts)
}

// sooner are the rule groups that do not wait for their turn.
type sooner struct {
	wake chan struct{} // holds one: there is something
	busy sync.Mutex    // held while groups are evaluated

	mu     sync.Mutex
	groups map[string]bool
}

// Soon has the rule groups of SLOs whose findings have just changed evaluated now:
// what they page for does not wait for their turn. It returns at once.
func (e *Evaluator) Soon(slos ...plumbline.SLOName) {
	s := &e.sooner
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.groups == nil {
		s.groups = make(map[string]bool)
	}
	for _, slo := range slos {
		s.groups[GroupPrefix+string(slo)] = true
	}
	select {
	case s.wake <- struct{}{}:
	default: // told already
	}
}

// run evaluates what Soon was told, until ctx is done.
func (s *sooner) run(ctx context.Context, evaluate func(groups map[string]bool)) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.wake:
		}
		s.mu.Lock()
		groups := s.groups
		s.groups = nil
		s.mu.Unlock()
		s.busy.Lock()
		evaluate(groups)
		s.busy.Unlock()
	}
}

// evaluateNow evaluates groups on what the source says now.
func (e *Evaluator) evaluateNow(ctx context.Context, manager *promrules.Manager, groups map[string]bool) {
	e.view.again()
	now := time.Now()
	for _, g := range manager.RuleGroups() {
		if groups[g.Name()] {
			e.inOrder(ctx, g, now)
		}
	}
}

// again lets the next refresh read the source, however lately it was read.
func (v *view) again() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.last = time.Time{}
}
