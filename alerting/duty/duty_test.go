package duty_test

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	kafkago "github.com/segmentio/kafka-go"

	"github.com/plumbline-slo/plumbline/alerting"
	"github.com/plumbline-slo/plumbline/alerting/duty"
	"github.com/plumbline-slo/plumbline/testenv/broker"
	"github.com/plumbline-slo/plumbline/testenv/kafkatest"
)

// told keeps the terms in the order in which they were announced.
type told struct {
	mu    sync.Mutex
	terms []alerting.Term
}

func (a *told) Announce(_ context.Context, t alerting.Term) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.terms = append(a.terms, t)
	return nil
}

func kafka(t *testing.T) []string {
	t.Helper()
	return kafkatest.Embedded(t, func(c *broker.Config) { c.MinSession, c.MaxRebalance = 500*time.Millisecond, 2*time.Second }).Addresses()
}

func join(t *testing.T, brokers []string, a duty.Announcer) (m *duty.Member, leave func()) {
	t.Helper()
	cfg := duty.DefaultConfig()
	cfg.Partitions, cfg.Session, cfg.Rebalance = 4, 2*time.Second, time.Second
	m, err := duty.New(cfg, duty.Dependencies{Brokers: brokers, Announcer: a, Registry: prometheus.NewRegistry(), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := m.Run(ctx); err != nil {
			t.Error(err)
		}
	}()
	var once sync.Once
	leave = func() { once.Do(func() { cancel(); <-done }) }
	t.Cleanup(leave)
	return m, leave
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	late := time.After(5 * time.Minute)
	for !ok() {
		select {
		case <-tick.C:
		case <-late:
			t.Fatal("waited in vain until " + what)
		}
	}
}

// hanging answers when every announcement has begun, or when nobody waits any
// more.
type hanging struct {
	began atomic.Int32
	all   chan struct{}
	want  int32
}

func (h *hanging) Announce(ctx context.Context, _ alerting.Term) error {
	if h.began.Add(1) == h.want {
		close(h.all)
	}
	select {
	case <-h.all:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Terms are announced at once, and a replica that never answers costs no more
// than a rebalance.
func TestAnnouncementsKeepNobodyWaiting(t *testing.T) {
	brokers := kafka(t)
	for _, want := range []int32{4, 5} { // all four answer; none ever does
		h := &hanging{all: make(chan struct{}), want: want}
		m, leave := join(t, brokers, h)
		eventually(t, "it has every duty", func() bool { return m.Duties() == 4 })
		if got := h.began.Load(); got != 4 {
			t.Errorf("%d announcements, want one of each duty", got)
		}
		leave()
	}
}

// Every rule group has an evaluator, never two of the same term, and the one
// that takes over has a greater term.
func TestDutiesMoveWithGreaterTerms(t *testing.T) {
	brokers, heard := kafka(t), &told{}
	first, leave := join(t, brokers, heard)
	eventually(t, "the first has every duty", func() bool { return first.Duties() == 4 })
	before := map[string]int64{}
	for _, group := range []string{"a", "b", "c", "d", "e"} {
		term, ok := first.Term(group)
		if !ok || term.Number < 1 {
			t.Fatalf("group %s: %v %t", group, term, ok)
		}
		before[group] = term.Number
	}
	second, _ := join(t, brokers, heard)
	eventually(t, "both share", func() bool { return first.Duties() == 2 && second.Duties() == 2 })
	leave()
	if first.Duties() != 0 {
		t.Error("who has left still has duties")
	}
	eventually(t, "the second has every duty", func() bool { return second.Duties() == 4 })
	for group, was := range before {
		if term, ok := second.Term(group); !ok || term.Number <= was {
			t.Errorf("group %s: term %d after %d, %t", group, term.Number, was, ok)
		}
	}
	heard.mu.Lock()
	defer heard.mu.Unlock()
	seen := map[alerting.Term]bool{}
	for _, term := range heard.terms {
		if seen[term] {
			t.Errorf("term %v was announced twice", term)
		}
		seen[term] = true
	}
}

// Who has no duties, for others have them all, takes part like them.
func TestMoreMembersThanDuties(t *testing.T) {
	brokers := kafka(t)
	var members []*duty.Member
	for range 5 { // of four duties
		m, _ := join(t, brokers, nil)
		members = append(members, m)
	}
	eventually(t, "four have one each, and all take part", func() bool {
		duties, part := 0, 0
		for _, m := range members {
			duties += m.Duties()
			if m.TakesPart() && m.Duties() <= 1 {
				part++
			}
		}
		return duties == 4 && part == 5
	})
}

// A topic that is deleted takes its offsets with it, and everybody's part: it is shared
// out again once it is there.
func TestATopicThatIsDeletedIsSharedOutAnew(t *testing.T) {
	brokers := kafka(t)
	var members []*duty.Member
	for range 2 {
		m, _ := join(t, brokers, nil)
		members = append(members, m)
	}
	shared := func() bool { return members[0].Duties() == 2 && members[1].Duties() == 2 }
	eventually(t, "both share", shared)
	client := &kafkago.Client{Addr: kafkago.TCP(brokers...)}
	if _, err := client.DeleteTopics(t.Context(), &kafkago.DeleteTopicsRequest{Topics: []string{duty.DefaultConfig().Topic}}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "nobody has a part of what is gone", func() bool { return members[0].Duties()+members[1].Duties() == 0 })
	eventually(t, "both share again", shared)
}
