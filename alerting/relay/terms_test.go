package relay_test

import (
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/plumbline-slo/plumbline/alerting"
	"github.com/plumbline-slo/plumbline/alerting/relay"
)

// picky is a replica that answers what the function says, and keeps what it took.
type picky struct {
	*httptest.Server
	mu    sync.Mutex
	posts int
	names []string
	terms []string
}

// newPicky returns a replica; answer returns a status, and may set headers.
func newPicky(t *testing.T, answer func(post int, w http.ResponseWriter, q *http.Request, body string) int) *picky {
	t.Helper()
	p := &picky{}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.posts++
		body, err := io.ReadAll(q.Body)
		if err != nil {
			t.Error(err)
		}
		status := answer(p.posts, w, q, string(body))
		if w.WriteHeader(status); status != http.StatusOK || q.Method != http.MethodPost {
			return
		}
		var alerts []struct{ Labels map[string]string }
		if err := json.Unmarshal(body, &alerts); err != nil {
			t.Error(err)
		}
		for _, a := range alerts {
			p.names, p.terms = append(p.names, a.Labels["alertname"]), append(p.terms, q.Header.Get(alerting.TermHeader))
		}
	}))
	t.Cleanup(p.Close)
	return p
}

func (p *picky) took() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.names)
}

// raiser has the duty, or not, and cannot raise the first times.
type raiser struct {
	mu   sync.Mutex
	held bool
	fail int
}

func (r *raiser) Raise(refused alerting.Term, known int64) (alerting.Term, bool, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.fail > 0 {
		r.fail--
		return alerting.Term{}, true, errors.New("the coordinator does not answer")
	}
	return alerting.Term{Share: refused.Share, Number: known + 1}, r.held, nil
}

func carry(t *testing.T, by relay.Raiser, url string) *relay.Relay {
	t.Helper()
	cfg := relay.DefaultConfig()
	cfg.Retry, cfg.Peers = 5*time.Millisecond, []string{url}
	r, err := relay.New(cfg, prometheus.NewRegistry(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	r.RaiseBy(by)
	return r
}

// A page is not dropped because its replica remembers a later term than Kafka does.
func TestWhatIsFencedIsSentUnderARaisedTerm(t *testing.T) {
	for _, test := range []struct {
		name string
		by   *raiser
		want string
	}{
		{"the duty is ours", &raiser{held: true, fail: 2}, "58 rules-1"},
		{"another has the duty", &raiser{fail: 2}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := newPicky(t, func(_ int, w http.ResponseWriter, q *http.Request, _ string) int {
				if term, err := alerting.ParseTerm(q.Header.Get(alerting.TermHeader)); err != nil || term.Number >= 57 {
					return http.StatusOK
				}
				w.Header().Set(alerting.TermHeader, "57 rules-1")
				return http.StatusConflict
			})
			r := carry(t, test.by, p.URL)
			r.Send(alerting.Term{Share: "rules-1", Number: 1}, fires("a"), fires("b"))
			run(t, r)
			eventually(t, func() bool { return r.Pending() == 0 })
			if got := strings.Join(p.terms, ", "); test.want == "" && got != "" || test.want != "" && got != test.want+", "+test.want {
				t.Errorf("taken under %q, want %q of both", got, test.want)
			}
			if test.by.fail != 0 {
				t.Error("it was dropped though it may be that the duty is ours")
			}
		})
	}
}

// The announcement that a replica refuses says which term it knows.
func TestARefusedAnnouncementSaysWhatIsKnown(t *testing.T) {
	p := newPicky(t, func(_ int, w http.ResponseWriter, _ *http.Request, _ string) int {
		w.Header().Set(alerting.TermHeader, "57 rules-1")
		return http.StatusConflict
	})
	fenced := new(alerting.FencedError)
	err := carry(t, nil, p.URL).Announce(t.Context(), alerting.Term{Share: "rules-1", Number: 1})
	if !errors.As(err, &fenced) || fenced.Known != 57 || fenced.Term.Number != 1 {
		t.Errorf("%v, want what is known", err)
	}
}

func run(t *testing.T, r *relay.Relay) {
	t.Helper()
	done := make(chan struct{})
	go func() { defer close(done); _ = r.Run(t.Context()) }()
	t.Cleanup(func() { <-done })
}

// What somebody may mend is sent until it is taken, and nothing but a replica's own
// answer is an acknowledgement.
func TestWhatAReplicaHasNotTakenIsSentAgain(t *testing.T) {
	for _, status := range []int{
		http.StatusNoContent, http.StatusFound, http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusRequestTimeout,
		http.StatusRequestEntityTooLarge, http.StatusBadGateway,
	} {
		p := newPicky(t, func(post int, w http.ResponseWriter, q *http.Request, _ string) int {
			if post == 1 {
				w.Header().Set("Location", "/login")
				return status
			}
			return http.StatusOK
		})
		r := carry(t, nil, p.URL)
		r.Send(alerting.Term{}, fires("a"), fires("b"))
		run(t, r)
		eventually(t, func() bool { return r.Pending() == 0 })
		if p.took() != 2 {
			t.Errorf("after status %d it was dropped", status)
		}
	}
}

// What is too long for whatever stands before a replica is sent in parts; an alert that
// is too long by itself keeps no other waiting.
func TestLongBatchesAreSplit(t *testing.T) {
	const limit = 3000
	p := newPicky(t, func(_ int, _ http.ResponseWriter, _ *http.Request, body string) int {
		if len(body) > limit {
			return http.StatusRequestEntityTooLarge
		}
		return http.StatusOK
	})
	r := carry(t, nil, p.URL)
	var all []alerting.Alert
	for i := range 50 {
		a := fires("n" + strings.Repeat("x", i))
		a.Annotations = map[string]string{"text": strings.Repeat("y", 500)}
		all = append(all, a)
	}
	all[0].Annotations = map[string]string{"text": strings.Repeat("y", 2*limit)}
	r.Send(alerting.Term{}, all...)
	run(t, r)
	eventually(t, func() bool { return r.Pending() == 0 })
	if p.took() != 49 {
		t.Errorf("%d alerts were taken, want all but the one that is too long", p.took())
	}
}
