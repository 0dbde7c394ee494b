package ask

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/analyze/drift"
)

// resolve reads every reference of the question, and the training set beside
// auto.
func (a *Asker) resolve(ctx context.Context, q Question) ([]Resolved, error) {
	asked := slices.Clone(q.References)
	training := Reference{Kind: Training}
	if slices.Contains(asked, Reference{Kind: Auto}) && !slices.Contains(asked, training) {
		asked = append(asked, training)
	}
	t := &timeline{reader: a.reader, q: q}
	all, errs := make([]Resolved, len(asked)), make([]error, len(asked))
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wait sync.WaitGroup
	free := make(chan struct{}, readers)
	for i, r := range asked {
		free <- struct{}{}
		wait.Go(func() {
			defer func() { <-free }()
			if all[i], errs[i] = a.resolveOne(ctx, q, t, r); errs[i] != nil {
				errs[i] = fmt.Errorf("reference %s: %w", r, errs[i])
				cancel(errs[i])
			}
		})
	}
	wait.Wait()
	// Where one fails the others are cancelled: its error is the one to tell.
	return all, cmp.Or(context.Cause(ctx), errors.Join(errs...))
}

// readers is how many references are read at a time.
const readers = 2

func (a *Asker) resolveOne(ctx context.Context, q Question, t *timeline, r Reference) (Resolved, error) {
	out := Resolved{Asked: r, Chosen: r}
	if r.Kind == Auto {
		choice, err := a.choose(ctx, q, t)
		if err != nil {
			return Resolved{}, err
		}
		out.Choice = &choice
		if out.Chosen, err = ParseReference(choice.Kind); err != nil {
			return Resolved{}, err
		}
	}
	if err := out.place(ctx, q, t); err != nil {
		return Resolved{}, err
	}
	if out.Missing != "" {
		return out, nil
	}
	var err error
	if out.Window, err = a.Window(ctx, out.Queries); err != nil {
		return Resolved{}, err
	}
	out.judge(q)
	return out, nil
}

// place finds the windows that the reference is made of.
func (r *Resolved) place(ctx context.Context, q Question, t *timeline) error {
	switch r.Chosen.Kind {
	case Training:
		r.Of = "the training set"
		r.Queries = []drift.Query{q.over(plumbline.StageTraining, time.Time{}, time.Time{})}
	case Range:
		r.Of = between(r.Chosen.From, r.Chosen.To)
		r.Queries = []drift.Query{q.over(q.Stage, r.Chosen.From, r.Chosen.To, q.Deploys...)}
	case SameHours:
		for back := week; back <= r.Chosen.Length; back += week {
			r.Queries = append(r.Queries, q.over(q.Stage, q.From.Add(-back), q.To.Add(-back)))
		}
		r.Of = "the same hours of " + strconv.Itoa(len(r.Queries)) + " weeks"
	case Sliding:
		return r.slide(ctx, q, t)
	case PreviousDeploy:
		return r.previous(ctx, q, t)
	}
	return nil
}

// slide takes the time before the window, all deploys of it.
func (r *Resolved) slide(ctx context.Context, q Question, t *timeline) error {
	from := q.From.Add(-r.Chosen.Length)
	r.Of = between(from, q.From)
	served, err := t.served(ctx)
	if err != nil {
		return err
	}
	first := q.From
	for _, s := range served {
		if s.First.Before(first) {
			first = s.First
		}
	}
	switch has := q.From.Sub(first); {
	case 2*has < r.Chosen.Length:
		r.Missing = fmt.Sprintf("too little history: %s of %s", Length(has), Length(r.Chosen.Length))
	case has < r.Chosen.Length:
		r.Note = fmt.Sprintf("history is %s of %s", Length(has), Length(r.Chosen.Length))
	}
	r.Queries = []drift.Query{q.over(q.Stage, from, q.From)}
	return nil
}

// previous takes the last seven days of the deploy before the one in question.
func (r *Resolved) previous(ctx context.Context, q Question, t *timeline) error {
	served, err := t.served(ctx)
	if err != nil {
		return err
	}
	current, ok := currentDeploy(served, q)
	if !ok {
		r.Missing = "no deploy serves in the window"
		return nil
	}
	var before *drift.Served
	for i, s := range served {
		if s.Deploy != current.Deploy && !slices.Contains(q.Deploys, s.Deploy) && s.First.Before(current.First) {
			before = &served[i] // served is in the order of the last hours
		}
	}
	if before == nil {
		r.Missing = fmt.Sprintf("no deploy before %q", current.Deploy)
		return nil
	}
	to := before.Last.Add(time.Hour)
	if len(q.Deploys) == 0 && to.After(q.From) {
		// The window is all traffic: what it holds is not its own reference.
		to = q.From
	}
	from := to.Add(-defaultSliding)
	if from.Before(before.First) {
		from = before.First
	}
	if !from.Before(to) {
		r.Missing = fmt.Sprintf("deploy %q served in the window only: name the deploy in question (--deploy, or the parameter deploy)", before.Deploy)
		return nil
	}
	r.Of = fmt.Sprintf("deploy %q, %s", before.Deploy, between(from, to))
	r.Queries = []drift.Query{q.over(q.Stage, from, to, before.Deploy)}
	return nil
}

// currentDeploy is the deploy in question: the newest of those named, else of
// those that serve in the window.
func currentDeploy(served []drift.Served, q Question) (drift.Served, bool) {
	var current drift.Served
	found := false
	for _, s := range served {
		if len(q.Deploys) > 0 && !slices.Contains(q.Deploys, s.Deploy) || s.Last.Before(q.From) {
			continue
		}
		if !found || !s.First.Before(current.First) {
			current, found = s, true
		}
	}
	return current, found
}

// judge says what the reference lacks.
func (r *Resolved) judge(q Question) {
	if r.Window.Requests == 0 {
		r.Missing = "there are no requests of " + r.Of
		if r.Chosen.Kind == Training {
			r.Missing = "there is no training set"
		}
		if q.Segment != plumbline.SegmentAll {
			r.Missing += " in segment " + strconv.Quote(string(q.Segment))
		}
		return
	}
	if r.Chosen.Kind != SameHours {
		return
	}
	weeks, have := len(r.Window.Each), 0
	for _, n := range r.Window.Each {
		if n > 0 {
			have++
		}
	}
	switch {
	case 2*have < weeks:
		r.Missing = fmt.Sprintf("too little history: %d of %d weeks", have, weeks)
	case have < weeks:
		r.Note = fmt.Sprintf("history is %d of %d weeks", have, weeks)
	}
}

func between(from, to time.Time) string { return spell(from) + " to " + spell(to) }

// timeline knows when each deploy served until the window ends. It looks once,
// when it is needed, and may be asked by several at a time.
type timeline struct {
	reader drift.Reader
	q      Question

	mu     sync.Mutex
	known  []drift.Served
	looked bool
}

func (t *timeline) served(ctx context.Context) ([]drift.Served, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.looked {
		return t.known, nil
	}
	known, err := t.reader.Deploys(ctx, drift.Query{Model: t.q.Model, Stage: t.q.Stage, Segment: t.q.Segment, To: t.q.To})
	if err != nil {
		return nil, err
	}
	t.known, t.looked = known, true
	return known, nil
}

// until is the timeline as it stood at an earlier time.
func (t *timeline) until(ctx context.Context, to time.Time) (*timeline, error) {
	known, err := t.served(ctx)
	if err != nil {
		return nil, err
	}
	past := &timeline{looked: true}
	for _, s := range known {
		if !s.First.Before(to) {
			continue
		}
		if last := to.Add(-time.Hour); s.Last.After(last) {
			s.Last = last
		}
		past.known = append(past.known, s)
	}
	slices.SortStableFunc(past.known, func(a, b drift.Served) int { return a.Last.Compare(b.Last) })
	return past, nil
}
