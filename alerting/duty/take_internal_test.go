package duty

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol/describegroups"

	"github.com/plumbline-slo/plumbline/alerting"
)

// coordinator refuses so many commits, and keeps the last.
type coordinator struct {
	refuse  int
	offsets map[int]int64
	during  func() // each commit; nil is nothing
}

var errCoordinator = errors.New("request timed out")

func (c *coordinator) CommitOffsets(offsets map[string]map[int]int64) error {
	if c.refuse > 0 {
		c.refuse--
		return errCoordinator
	}
	if c.during != nil {
		c.during()
	}
	for _, parts := range offsets {
		for p, offset := range parts {
			c.offsets[p] = offset
		}
	}
	return nil
}

// replicas keep what was announced, and refuse what is under the term that they know.
type replicas struct {
	mu    sync.Mutex
	known int64
	told  int
}

func (r *replicas) Announce(_ context.Context, t alerting.Term) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.told++
	if t.Number < r.known {
		return errors.Join(errors.New("another does not answer"), &alerting.FencedError{Term: t, Known: r.known})
	}
	return nil
}

func member(t *testing.T, announce Announcer) *Member {
	t.Helper()
	m, err := New(DefaultConfig(), Dependencies{Brokers: []string{"nowhere:1"}, Announcer: announce, Registry: prometheus.NewRegistry(), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

var two = []kafka.PartitionAssignment{{ID: 3, Offset: -1}, {ID: 5, Offset: 40}}

// A commit that Kafka does not take is made again; who can never make it gives up its
// place, so that another is given the duties.
func TestDutiesAreTakenLaterOrGivenUp(t *testing.T) {
	for _, test := range []struct {
		name   string
		refuse int
		want   error
	}{{"a broker restarts", 3, nil}, {"it is never taken", math.MaxInt, errCoordinator}} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				told := &replicas{}
				m := member(t, told)
				from := &coordinator{refuse: test.refuse, offsets: map[int]int64{}}
				began := time.Now()
				if err := m.take(t.Context(), from, two, make(chan struct{})); !errors.Is(err, test.want) {
					t.Fatalf("%v, want %v", err, test.want)
				}
				if after := time.Since(began); after > DefaultConfig().Session {
					t.Errorf("after %s", after)
				}
				want := 0
				if test.want == nil {
					want = 2
				}
				if m.Duties() != want || told.told != want || m.TakesPart() != (test.want == nil) {
					t.Errorf("%d duties, %d announced, takes part: %t; want %d", m.Duties(), told.told, m.TakesPart(), want)
				}
			})
		})
	}
}

// What ends while it is taken is nobody's; what ends before it could be committed is
// announced to nobody.
func TestAGenerationThatEndsIsNotTaken(t *testing.T) {
	told, ended := &replicas{}, make(chan struct{})
	m := member(t, told)
	close(ended)
	if err := m.take(t.Context(), &coordinator{refuse: math.MaxInt}, two, ended); !errors.Is(err, errOver) {
		t.Errorf("%v, want %v", err, errOver)
	}
	if told.told != 0 {
		t.Errorf("%d terms were announced that were never committed", told.told)
	}
	if err := m.take(t.Context(), &coordinator{offsets: map[int]int64{}}, two, ended); err != nil {
		t.Error(err)
	}
	if m.Duties() != 0 || m.TakesPart() {
		t.Error("it has duties of a generation that is over")
	}
}

// A generation cannot be given anything any more before it is stripped of what it has.
func TestAGenerationEndsBeforeItsDuties(t *testing.T) {
	m, ended, done := member(t, nil), make(chan struct{}), make(chan struct{})
	m.mu.Lock()
	go func() { defer close(done); m.over(ended) }()
	select {
	case <-ended:
	case <-time.After(5 * time.Minute):
		t.Error("duties are dropped while the generation may still be given some")
	}
	m.mu.Unlock()
	<-done
}

// Terms that begin anew are raised over what replicas remember, by the generation that
// has the duty and by no other.
func TestTermsThatBeginAnewAreRaised(t *testing.T) {
	m, from := member(t, &replicas{known: 57}), &coordinator{offsets: map[int]int64{}}
	ended := make(chan struct{})
	if err := m.take(t.Context(), from, two, ended); err != nil {
		t.Fatal(err)
	}
	if from.offsets[3] != 58 || from.offsets[5] != 58 || m.terms[3] != 58 || m.terms[5] != 58 {
		t.Fatalf("committed %v, terms %v; want 58", from.offsets, m.terms)
	}
	old := term(3, 1)
	if raised, held, err := m.Raise(old, 57); err != nil || !held || raised != term(3, 58) {
		t.Errorf("%v %t %v; it is over that already", raised, held, err)
	}
	from.refuse = 1
	if _, held, err := m.Raise(old, 90); err == nil || !held || m.terms[3] != 58 {
		t.Errorf("%t %v; Kafka has refused it", held, err)
	}
	if raised, held, err := m.Raise(old, 90); err != nil || !held || raised != term(3, 91) || from.offsets[3] != 91 {
		t.Errorf("%v %t %v", raised, held, err)
	}
	if _, held, err := m.Raise(term(4, 1), 90); err != nil || held {
		t.Errorf("%t %v: another's duty", held, err)
	}
	if _, held, err := m.Raise(old, math.MaxInt64); err == nil || !held {
		t.Errorf("%t %v: no term is greater", held, err)
	}
	from.during = func() { m.over(ended) }
	if _, held, err := m.Raise(old, 95); err != nil || held || m.Duties() != 0 {
		t.Errorf("%t %v: the generation ended meanwhile", held, err)
	}
	if _, held, err := m.Raise(old, 200); err != nil || held || from.offsets[3] != 96 {
		t.Errorf("%t %v: the generation is over", held, err)
	}
}

// group answers whoever describes it.
type group struct {
	describegroups.ResponseGroup
	err error
}

func (g group) RoundTrip(context.Context, net.Addr, kafka.Request) (kafka.Response, error) {
	return &describegroups.Response{Groups: []describegroups.ResponseGroup{g.ResponseGroup}}, g.err
}

// A group in which nobody has a part, for its leader found no topic, is left and joined
// again; one that is well, that moves, or that cannot be asked is not disturbed.
func TestAGroupInWhichNobodyHasAPart(t *testing.T) {
	nobody := []describegroups.ResponseGroupMember{{MemberID: "a"}, {MemberID: "b"}}
	// Version 0, one topic, of the name t, with one partition, 0.
	somebody := append(nobody[:1:1], describegroups.ResponseGroupMember{MemberID: "b", MemberAssignment: []byte{0, 0, 0, 0, 0, 1, 0, 1, 't', 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0}})
	for _, test := range []struct {
		name string
		group
		leaves bool
	}{
		{"nobody has a part", group{ResponseGroup: describegroups.ResponseGroup{GroupState: "Stable", Members: nobody}}, true},
		{"somebody has", group{ResponseGroup: describegroups.ResponseGroup{GroupState: "Stable", Members: somebody}}, false},
		{"it moves", group{ResponseGroup: describegroups.ResponseGroup{GroupState: "PreparingRebalance", Members: nobody}}, false},
		{"it is not told", group{ResponseGroup: describegroups.ResponseGroup{ErrorCode: int16(kafka.GroupAuthorizationFailed)}}, false},
		{"no answer", group{err: errCoordinator}, false},
	} {
		m := member(t, nil)
		m.client.Transport = test.group
		err := m.take(t.Context(), &coordinator{}, nil, make(chan struct{}))
		if (err != nil) != test.leaves || m.TakesPart() == test.leaves {
			t.Errorf("%s: %v, takes part: %t", test.name, err, m.TakesPart())
		}
	}
}
