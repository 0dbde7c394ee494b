package relay

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/plumbline-slo/plumbline/alerting"
)

// peer is one replica and what it has not acknowledged.
type peer struct {
	url  string
	keep time.Duration // after the end of an alert
	wake chan struct{}

	mu      sync.Mutex
	waiting map[string][]item // by the alert's labels, in order
	most    int               // alerts at once
	swept   time.Time         // when old news were last looked for
}

func newPeer(url string, keep time.Duration) *peer {
	return &peer{url: url, keep: keep, wake: make(chan struct{}, 1), waiting: make(map[string][]item), most: mostAlerts}
}

// mostAlerts is how many alerts are sent at once: some hundred kilobytes, which
// whatever stands before a replica lets through.
const mostAlerts = 100

// sweepEvery is how often old news are looked for.
const sweepEvery = time.Minute

type item struct {
	term  alerting.Term
	alert alerting.Alert
}

func (p *peer) put(term alerting.Term, alerts []alerting.Alert, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	ended := func(a alerting.Alert) bool { return !a.EndsAt.IsZero() && !a.EndsAt.After(now) }
	for _, a := range alerts {
		key := identity(a)
		items := p.waiting[key]
		// An end makes a beginning that was never delivered old news; a beginning
		// does not make an end so.
		if n := len(items); n > 0 && (ended(items[n-1].alert) == ended(a) || ended(a)) {
			items = items[:n-1]
		}
		p.waiting[key] = append(slices.Clone(items), item{term, a})
	}
	p.sweep(now)
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// sweep drops what ended too long ago to be news: every deploy has labels of its own,
// and for a peer that is gone for good those of all that ever were would wait. The lock
// is held.
func (p *peer) sweep(now time.Time) {
	if now.Sub(p.swept) < sweepEvery {
		return
	}
	p.swept = now
	old := func(i item) bool { return !i.alert.EndsAt.IsZero() && i.alert.EndsAt.Before(now.Add(-p.keep)) }
	for key, items := range p.waiting {
		if !slices.ContainsFunc(items, old) {
			continue
		}
		if items = slices.DeleteFunc(slices.Clone(items), old); len(items) == 0 {
			delete(p.waiting, key)
			continue
		}
		p.waiting[key] = items
	}
}

func identity(a alerting.Alert) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(a.Labels)) {
		fmt.Fprintf(&b, "%q=%q,", name, a.Labels[name])
	}
	return b.String()
}

// batch returns the first waiting item of alerts of one term, of as many as may be sent
// at once.
func (p *peer) batch() (term alerting.Term, taken map[string]item) {
	p.mu.Lock()
	defer p.mu.Unlock()
	taken = make(map[string]item)
	for key, items := range p.waiting {
		if len(taken) == 0 {
			term = items[0].term
		}
		if items[0].term == term && len(taken) < p.most {
			taken[key] = items[0]
		}
	}
	return term, taken
}

// shorten has fewer alerts sent at once.
func (p *peer) shorten() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.most = max(p.most/2, 1)
}

// under has items sent under another term, but those whose place a newer one has taken.
func (p *peer) under(term alerting.Term, taken map[string]item) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for key, sent := range taken {
		if items := p.waiting[key]; len(items) > 0 && same(items[0], sent) {
			p.waiting[key] = append([]item{{term, sent.alert}}, items[1:]...)
		}
	}
}

// done takes items out that were acknowledged, unless a newer one has taken
// their place.
func (p *peer) done(taken map[string]item) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.most = min(p.most+1, mostAlerts)
	for key, sent := range taken {
		items := p.waiting[key]
		if len(items) == 0 || !same(items[0], sent) {
			continue
		}
		if len(items) == 1 {
			delete(p.waiting, key)
			continue
		}
		p.waiting[key] = items[1:]
	}
}

func same(a, b item) bool {
	return a.term == b.term && a.alert.StartsAt.Equal(b.alert.StartsAt) && a.alert.EndsAt.Equal(b.alert.EndsAt) &&
		maps.Equal(a.alert.Annotations, b.alert.Annotations)
}
