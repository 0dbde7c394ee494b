package relay_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/plumbline-slo/plumbline/alerting"
	"github.com/plumbline-slo/plumbline/alerting/relay"
)

// replica is an alerting API that answers with a status.
type replica struct {
	*httptest.Server

	mu     sync.Mutex
	status int
	terms  []string
	got    []string // names of alerts, with an exclamation mark for an end
}

func newReplica(t *testing.T) *replica {
	t.Helper()
	r := &replica{status: http.StatusOK}
	r.Server = httptest.NewServer(http.HandlerFunc(r.serve))
	t.Cleanup(r.Close)
	return r
}

func (r *replica) serve(w http.ResponseWriter, q *http.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if q.Method == http.MethodGet {
		_ = json.NewEncoder(w).Encode([]map[string]any{{"labels": map[string]string{"alertname": "a"}, "startsAt": time.Unix(1, 0)}})
		return
	}
	var alerts []struct {
		Labels map[string]string
		EndsAt time.Time
	}
	if json.NewDecoder(q.Body).Decode(&alerts) != nil || r.status != http.StatusOK {
		w.WriteHeader(r.status)
		return
	}
	r.terms = append(r.terms, q.Header.Get(alerting.TermHeader))
	for _, a := range alerts {
		name := a.Labels["alertname"]
		if a.EndsAt.Before(time.Now()) {
			name += "!"
		}
		r.got = append(r.got, name)
	}
}

func (r *replica) answer(status int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status = status
}

func (r *replica) all() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string(nil), r.got...)
}

func start(t *testing.T, peers ...*replica) *relay.Relay {
	t.Helper()
	cfg := relay.DefaultConfig()
	cfg.Retry = 5 * time.Millisecond
	for _, p := range peers {
		cfg.Peers = append(cfg.Peers, p.URL)
	}
	r, err := relay.New(cfg, prometheus.NewRegistry(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = r.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	return r
}

func eventually(t *testing.T, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	late := time.After(5 * time.Minute)
	for !ok() {
		select {
		case <-tick.C:
		case <-late:
			t.Fatal("waited in vain")
		}
	}
}

func fires(name string) alerting.Alert {
	return alerting.Alert{Labels: map[string]string{"alertname": name}, StartsAt: time.Now(), EndsAt: time.Now().Add(time.Hour)}
}

func ends(a alerting.Alert) alerting.Alert {
	a.EndsAt = time.Now().Add(-time.Millisecond)
	return a
}

// Every replica gets every alert; one that does not take them keeps the other
// waiting for nothing, and gets what holds once it does.
func TestEveryReplicaGetsEverything(t *testing.T) {
	well, ill := newReplica(t), newReplica(t)
	ill.answer(http.StatusServiceUnavailable)
	r := start(t, well, ill)
	term := alerting.Term{Share: "rules-1", Number: 3}
	over, goes := fires("over"), fires("goes on")
	r.Send(term, over, goes)
	// Acknowledged, not only received: what is said again while it is on its way
	// is said once.
	eventually(t, func() bool { return len(well.all()) == 2 && r.Pending() == 2 })
	r.Send(term, ends(over))
	r.Send(term, goes)
	eventually(t, func() bool { return len(well.all()) == 4 && r.Pending() == 2 })
	if len(ill.all()) != 0 {
		t.Fatalf("the ill one got %q", ill.all())
	}
	ill.answer(http.StatusOK)
	eventually(t, func() bool { return r.Pending() == 0 })
	// What was on its way when it recovered may come before.
	if got := ill.all(); got[len(got)-1] != "over!" || !slices.Contains(got, "goes on") {
		t.Errorf("the ill one got %q, want what holds now", got)
	}
	if ill.terms[0] != term.String() {
		t.Errorf("term %q, want %q", ill.terms[0], term)
	}
}

// An end is told before a new beginning, and a refusal is not tried again.
func TestEndsAreNotForgottenAndRefusalsAreFinal(t *testing.T) {
	p := newReplica(t)
	p.answer(http.StatusServiceUnavailable)
	r := start(t, p)
	a := fires("a")
	r.Send(alerting.Term{Share: "g", Number: 1}, ends(a))
	r.Send(alerting.Term{Share: "g", Number: 1}, a)
	p.answer(http.StatusOK)
	eventually(t, func() bool { return len(p.all()) == 2 })
	if got := p.all(); got[0] != "a!" || got[1] != "a" {
		t.Errorf("got %q, want the end and then the beginning", got)
	}
	for _, status := range []int{http.StatusConflict, http.StatusBadRequest} {
		p.answer(status)
		r.Send(alerting.Term{Share: "g", Number: 1}, a)
		eventually(t, func() bool { return r.Pending() == 0 })
	}
}

func TestActiveAndAnnounce(t *testing.T) {
	p := newReplica(t)
	r := start(t, p)
	active, err := r.Active(t.Context())
	if err != nil || len(active) != 1 || active[0].Label("alertname") != "a" {
		t.Errorf("active %+v, %v", active, err)
	}
	if err := r.Announce(t.Context(), alerting.Term{Share: "g", Number: 2}); err != nil || len(p.terms) != 1 || p.terms[0] != "2 g" {
		t.Errorf("announced %q, %v", p.terms, err)
	}
	p.answer(http.StatusConflict)
	if err := r.Announce(t.Context(), alerting.Term{Share: "g", Number: 1}); err == nil {
		t.Error("a refused term is no error")
	}
	p.Close()
	if _, err := r.Active(t.Context()); err == nil {
		t.Error("a replica that is gone is no error")
	}
}

func TestConfigNamesEveryProblem(t *testing.T) {
	bad := relay.Config{Peers: []string{"x"}}
	if err := bad.Validate(); err == nil {
		t.Error("taken")
	}
	if err := relay.DefaultConfig().Validate(); err != nil {
		t.Error(err)
	}
}
