package watchdog

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/alerting"
)

// handler is an alerting that works until it is stuck.
type handler struct {
	mu     sync.Mutex
	stuck  bool
	hangs  chan struct{} // Send waits for it, whatever its context says
	beat   time.Time
	alerts map[string]alerting.Alert // the last of each name
	first  map[string]time.Time
}

func (h *handler) Send(ctx context.Context, alerts ...alerting.Alert) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if hangs := h.hangs; hangs != nil {
		h.mu.Unlock()
		<-hangs
		h.mu.Lock()
	}
	if h.stuck {
		return errors.New("stuck")
	}
	for _, a := range alerts {
		name := a.Labels["alertname"]
		if name == alerting.HeartbeatAlert {
			h.beat = time.Now()
			continue
		}
		h.alerts[name] = a
		if _, ok := h.first[name]; !ok {
			h.first[name] = time.Now()
		}
	}
	return ctx.Err()
}

func (h *handler) LastBeat() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.beat
}

func (h *handler) set(stuck bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.stuck = stuck
}

func (h *handler) fires(name string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	a, ok := h.alerts[name]
	return ok && a.EndsAt.After(time.Now())
}

// pager keeps what it was told, with the time, apart from ends of what the notifier does
// not know of, and refuses the first calls.
type pager struct {
	mu     sync.Mutex
	refuse int
	told   []string
	at     []time.Time
	ends   []string
}

func (p *pager) Notify(_ context.Context, n alerting.Notice) (alerting.Result, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.refuse > 0 {
		p.refuse--
		return alerting.Result{Retry: true}, errors.New("no network")
	}
	was, _ := n.State.GetStr("status")
	if status := string(n.Text.Status); was != status {
		if was == "" && n.Text.Status == alerting.StatusResolved {
			if n.MaybeTold {
				p.ends = append(p.ends, n.Text.Name+" "+n.Text.Object)
			}
			return alerting.Result{Sent: n.MaybeTold}, nil
		}
		n.State.SetStr("status", status)
		p.told = append(p.told, n.Text.Name+" "+n.Text.Object+" "+status)
		p.at = append(p.at, time.Now())
	}
	return alerting.Result{Sent: true}, nil
}

// ended returns which ends of the unknown it was told.
func (p *pager) ended() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Sorted(slices.Values(p.ends))
}

func (p *pager) all() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.told)
}

// part is what a probe watches.
type part struct {
	mu   sync.Mutex
	last time.Time // when it last did its work; zero does it all the time
	err  error
	hang bool
}

func (p *part) lag(ctx context.Context, now time.Time) (time.Duration, string, error) {
	p.mu.Lock()
	last, err, hang := p.last, p.err, p.hang
	p.mu.Unlock()
	if hang {
		<-ctx.Done()
		return 0, "", ctx.Err()
	}
	if last.IsZero() {
		last = now
	}
	return now.Sub(last), "it is behind", err
}

func (p *part) set(last time.Time, err error, hang bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.last, p.err, p.hang = last, err, hang
}

func start(t *testing.T, h *handler, direct alerting.Notifier, parts map[string]*part) {
	t.Helper()
	var probes []Probe
	for name, p := range parts {
		probes = append(probes, Probe{Alert: name, Object: "here", Summary: name, Lag: p.lag})
	}
	cfg := DefaultConfig()
	cfg.Name = "host"
	w, err := New(cfg, Dependencies{
		Handler: h, Direct: direct, Owner: plumbline.OwnerEntry{Name: "platform"}, Probes: probes,
		Registry: prometheus.NewRegistry(), Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); _ = w.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
}

// Whatever goes blind is told within a minute, whatever else hangs, and is told
// to be over when it sees again.
func TestBlindnessIsToldWithinAMinute(t *testing.T) {
	for name, blind := range map[string]func(*part){
		"behind": func(p *part) { p.set(time.Now(), nil, false) },
		"error":  func(p *part) { p.set(time.Time{}, errors.New("no answer"), false) },
		"hangs":  func(p *part) { p.set(time.Time{}, nil, true) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h, p, other, hangs := &handler{alerts: map[string]alerting.Alert{}, first: map[string]time.Time{}}, &part{}, &part{}, &part{}
				hangs.set(time.Time{}, nil, true)
				start(t, h, nil, map[string]*part{"Blind": p, "Fine": other, "Hangs": hangs})
				time.Sleep(10 * time.Minute)
				if h.fires("Blind") || h.fires("Fine") || !h.fires("Hangs") {
					t.Fatal("who sees is called blind, or who hangs is not")
				}
				began := time.Now()
				blind(p)
				time.Sleep(time.Minute)
				if !h.fires("Blind") || h.fires("Fine") {
					t.Fatal("after a minute nobody was told, or of another")
				}
				if after := h.first["Blind"].Sub(began); after > 50*time.Second {
					t.Errorf("told after %s; alerting's group_wait is still to come", after)
				}
				p.set(time.Time{}, nil, false)
				time.Sleep(time.Minute)
				if h.fires("Blind") {
					t.Error("it sees again and is still called blind")
				}
			})
		})
	}
}

// When alerting is stuck, people are told past it: of that and of what else is
// blind, once each, and of the end.
func TestStuckAlertingIsToldPastIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, direct, p := &handler{alerts: map[string]alerting.Alert{}, first: map[string]time.Time{}}, &pager{refuse: 2}, &part{}
		start(t, h, direct, map[string]*part{"Blind": p})
		time.Sleep(10 * time.Minute)
		if told := direct.all(); len(told) != 0 {
			t.Fatalf("told %q while alerting works", told)
		}
		h.set(true)
		p.set(time.Now(), nil, false)
		began := time.Now()
		time.Sleep(2 * time.Minute)
		if want := []string{"AlertingStuck host firing", "Blind here firing"}; !slices.Equal(direct.all(), want) {
			t.Fatalf("told %q, want %q", direct.all(), want)
		}
		if after := direct.at[0].Sub(began); after > time.Minute {
			t.Errorf("told after %s", after)
		}
		h.set(false)
		time.Sleep(time.Minute)
		if told := direct.all(); told[len(told)-1] != "AlertingStuck host resolved" || len(told) != 3 {
			t.Errorf("told %q, want the end of what was stuck", told)
		}
	})
}

// What was told past alerting is ended past it: though all of it ends at once, and
// though another process told it. What begins again soon after is told again, for
// alerting may have heard of no end between the two; and later it is alerting's alone.
func TestWhatWasToldPastAlertingIsEndedPastIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, direct, p := &handler{alerts: map[string]alerting.Alert{}, first: map[string]time.Time{}}, &pager{}, &part{}
		start(t, h, direct, map[string]*part{"Blind": p})
		h.set(true)
		time.Sleep(30 * time.Second)
		if ends := direct.ended(); len(ends) != 0 {
			t.Fatalf("ended %q before it is known to be well", ends)
		}
		h.set(false)
		time.Sleep(2 * time.Minute)
		if want := []string{"AlertingStuck host", "Blind here"}; !slices.Equal(direct.ended(), want) {
			t.Fatalf("after the start %q were ended, want %q, once", direct.ended(), want)
		}
		time.Sleep(2 * time.Hour)
		blind, sees := func() { p.set(time.Now(), nil, false) }, func() { p.set(time.Time{}, nil, false) }
		told := func(when string, want ...string) {
			t.Helper()
			if got := slices.Sorted(slices.Values(direct.all())); !slices.Equal(got, want) {
				t.Fatalf("%s: told %q, want %q", when, got, want)
			}
			direct.mu.Lock()
			defer direct.mu.Unlock()
			direct.told = nil
		}
		blind()
		h.set(true)
		time.Sleep(2 * time.Minute)
		told("stuck", "AlertingStuck host firing", "Blind here firing")
		sees()
		h.set(false)
		time.Sleep(time.Minute)
		told("well", "AlertingStuck host resolved", "Blind here resolved")
		blind()
		time.Sleep(time.Minute)
		told("again", "Blind here firing")
		sees()
		time.Sleep(time.Minute)
		told("well again", "Blind here resolved")
		time.Sleep(2 * time.Hour)
		blind()
		time.Sleep(time.Minute)
		told("hours later")
		if !h.fires("Blind") {
			t.Error("nobody is told at all")
		}
	})
}

// Alerting's disk hangs: its Send does not return, though what it has in memory
// goes all the way. The watchdog looks on, tells past it, and ends when asked to.
func TestHangingAlertingIsToldPastIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, direct, p := &handler{alerts: map[string]alerting.Alert{}, first: map[string]time.Time{}}, &pager{}, &part{}
		hangs := make(chan struct{})
		defer close(hangs)
		start(t, h, direct, map[string]*part{"Blind": p})
		time.Sleep(10 * time.Minute)
		h.mu.Lock()
		h.hangs, h.beat = hangs, time.Now().Add(time.Hour)
		h.mu.Unlock()
		p.set(time.Now(), nil, false)
		time.Sleep(time.Minute)
		if want := []string{"AlertingStuck host firing", "Blind here firing"}; !slices.Equal(direct.all(), want) {
			t.Errorf("told %q, want %q", direct.all(), want)
		}
	})
}

// The heartbeat stops by itself when alerting's last beat is old: the one who
// looks may hang as well.
func TestHeartbeatStopsWithoutALook(t *testing.T) {
	var beats atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { beats.Add(1) }))
	defer server.Close()
	now := time.Now()
	h := &handler{beat: now}
	cfg := DefaultConfig()
	cfg.HeartbeatURL = server.URL
	w, err := New(cfg, Dependencies{Handler: h, Registry: prometheus.NewRegistry(), Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	w.taken = now
	for _, after := range []time.Duration{cfg.Limit, cfg.Limit + time.Second} {
		now = h.beat.Add(after)
		if err := w.beatOnce(t.Context(), server.Client()); err != nil {
			t.Fatal(err)
		}
	}
	w.taken = now // it takes alerts and brings none of them on its way
	if err := w.beatOnce(t.Context(), server.Client()); err != nil || beats.Load() != 1 {
		t.Errorf("%d heartbeats, %v; want the one before alerting was %s behind", beats.Load(), err, cfg.Limit)
	}
}

// Behind a redirect is a login page as often as not, and it answers 200.
func TestARedirectedHeartbeatHasNotArrived(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/login" {
			http.Redirect(w, r, "/login", http.StatusFound)
		}
	}))
	defer server.Close()
	cfg := DefaultConfig()
	cfg.HeartbeatURL = server.URL
	w, err := New(cfg, Dependencies{Handler: &handler{}, Registry: prometheus.NewRegistry(), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.beatOnce(t.Context(), cfg.client()); err == nil {
		t.Error("a heartbeat that went to a login page counts")
	}
}

func TestHeartbeatStopsWhenAlertingIsStuck(t *testing.T) {
	var mu sync.Mutex
	var beats []string
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var b strings.Builder
		_ = r.Write(&b)
		mu.Lock()
		defer mu.Unlock()
		beats = append(beats, b.String())
	}))
	defer server.Close()
	cfg := DefaultConfig()
	cfg.HeartbeatURL, cfg.Name = server.URL, "host"
	w, err := New(cfg, Dependencies{Handler: &handler{}, Registry: prometheus.NewRegistry(), Log: slog.New(slog.DiscardHandler), Probes: []Probe{{Alert: "Blind", Object: "here"}}})
	if err != nil {
		t.Fatal(err)
	}
	w.probes[0].since = time.Now()
	if err := w.beatOnce(t.Context(), server.Client()); err != nil {
		t.Fatal(err)
	}
	w.stuck.since = time.Now()
	if err := w.beatOnce(t.Context(), server.Client()); err != nil {
		t.Fatal(err)
	}
	if len(beats) != 1 || !strings.Contains(beats[0], `"name":"host"`) || !strings.Contains(beats[0], "Blind here") {
		t.Errorf("heartbeats %q, want one, with what is blind", beats)
	}
}

func TestReceiverPagesOfSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg, direct := DefaultReceiverConfig(), &pager{refuse: 1}
		cfg.Expect, cfg.Owner = []string{"a", "b"}, plumbline.OwnerEntry{Name: "platform"}
		r, err := NewReceiver(cfg, direct, slog.New(slog.DiscardHandler), nil)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); _ = r.Run(ctx) }()
		defer func() { cancel(); <-done }()
		synctest.Wait()
		beat := func(name string) int {
			w := httptest.NewRecorder()
			r.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/beat", strings.NewReader(`{"name":"`+name+`"}`)))
			return w.Code
		}
		for range 20 { // five minutes: a beats, b never did
			if beat("a") != http.StatusOK || beat("stranger") != http.StatusNotFound {
				t.Fatal("a heartbeat is refused, or a stranger's taken")
			}
			time.Sleep(15 * time.Second)
		}
		stopped := time.Now()
		time.Sleep(time.Minute)
		want := []string{"PlumblineSilent b firing", "PlumblineSilent a firing"}
		if !slices.Equal(direct.all(), want) {
			t.Fatalf("told %q, want %q", direct.all(), want)
		}
		// A former receiver may have paged of the one that beats.
		if !slices.Equal(direct.ended(), []string{"PlumblineSilent a"}) {
			t.Errorf("ended %q", direct.ended())
		}
		if after := direct.at[1].Sub(stopped); after > 45*time.Second+cfg.Every {
			t.Errorf("silence is told after %s", after)
		}
		beat("a")
		time.Sleep(10 * time.Second)
		if told := direct.all(); told[len(told)-1] != "PlumblineSilent a resolved" {
			t.Errorf("told %q, want the end of a's silence", told)
		}
	})
}
