package alerting

import (
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/prometheus/alertmanager/alert"
	"github.com/prometheus/alertmanager/nflog"
	"github.com/prometheus/alertmanager/nflog/nflogpb"
	"github.com/prometheus/alertmanager/notify"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"

	plumbline "github.com/plumbline-slo/plumbline"
)

// noon is the time that the tests of the ledger begin at.
func noon() time.Time { return time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC) }

func newLedger(t *testing.T, path string) *incidentLedger {
	t.Helper()
	l, err := openLedger(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.file.Close() })
	return l
}

// seen is a look at an incident of a key, with one alert since noon plus after.
func seen(severity string, after time.Duration) sighting {
	s := sighting{Incident: Incident{Key: IncidentKey("m", "d", "s"), Model: "m", Deploy: "d", SLO: "s", Severity: severity, OpenedAt: noon().Add(after)}}
	if severity == plumbline.SeverityPage {
		s.EscalatedAt = s.OpenedAt
	}
	return s
}

func ended(after time.Duration) sighting {
	s := seen(plumbline.SeverityPage, 0)
	s.over = noon().Add(after)
	return s
}

func mustObserve(t *testing.T, l *incidentLedger, s sighting) Incident {
	t.Helper()
	i, err := l.observe(s)
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func TestIncidentIsOneFromTicketToEnd(t *testing.T) {
	path := filepath.Join(t.TempDir(), "incidents")
	l := newLedger(t, path)
	ticket := mustObserve(t, l, seen(plumbline.SeverityTicket, 0))
	page := mustObserve(t, l, seen(plumbline.SeverityPage, 10*time.Minute))
	if page.ID != ticket.ID || page.Severity != plumbline.SeverityPage || !page.EscalatedAt.Equal(noon().Add(10*time.Minute)) || !page.OpenedAt.Equal(noon()) {
		t.Fatalf("escalated into %+v", page)
	}
	over := mustObserve(t, l, ended(time.Hour))
	if over.ID != ticket.ID || over.Open() || over.Duration(noon()) != time.Hour {
		t.Fatalf("resolved into %+v", over)
	}
	// The same alert speaks again: another incident of the same key.
	again := mustObserve(t, l, seen(plumbline.SeverityPage, 10*time.Minute))
	if again.ID == over.ID || !again.Open() || !again.OpenedAt.After(over.ResolvedAt) {
		t.Fatalf("opened again as %+v", again)
	}
	if got, err := l.get(over.Key); err != nil || got.ID != again.ID {
		t.Errorf("the key names %s, %v; want the open one", got.ID, err)
	}
	restarted := newLedger(t, path)
	for _, want := range []Incident{over, again} {
		if got, err := restarted.get(want.ID); err != nil || !got.equal(want) {
			t.Errorf("after a restart %+v, %v; want %+v", got, err, want)
		}
	}
	if _, err := restarted.get("nothing"); !errors.Is(err, ErrNoIncident) {
		t.Errorf("an unknown incident: %v", err)
	}
}

func TestLedgerForgetsWhatIsOverOnly(t *testing.T) {
	path := filepath.Join(t.TempDir(), "incidents")
	l := newLedger(t, path)
	old := mustObserve(t, l, seen(plumbline.SeverityPage, 0))
	mustObserve(t, l, ended(time.Minute))
	open := mustObserve(t, l, seen(plumbline.SeverityPage, time.Hour))
	if err := l.compact(noon().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if _, err := l.get(old.ID); err != nil {
		t.Errorf("forgotten before its row was written: %v", err)
	}
	l.takeDirty()
	if err := l.compact(noon().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	l = newLedger(t, path)
	if _, err := l.get(old.ID); !errors.Is(err, ErrNoIncident) {
		t.Errorf("not forgotten: %v", err)
	}
	if _, err := l.get(open.ID); err != nil {
		t.Errorf("an open incident was forgotten: %v", err)
	}
}

// randomIncident is one of the states that replicas may know of one incident.
func randomIncident(r *rand.Rand) Incident {
	at := func() time.Time { return noon().Add(time.Duration(r.IntN(20)) * time.Second) }
	i := Incident{ID: "id", Key: "key", Severity: []string{"", plumbline.SeverityTicket, plumbline.SeverityPage}[r.IntN(3)], OpenedAt: at(),
		Name: []string{"", "a", "b"}[r.IntN(3)], Owner: plumbline.Owner([]string{"", "o"}[r.IntN(2)])}
	if r.IntN(2) == 0 {
		i.EscalatedAt = at()
	}
	if r.IntN(2) == 0 {
		i.ResolvedAt = at()
	}
	level := func() string { return []string{plumbline.SeverityTicket, plumbline.SeverityPage}[r.IntN(2)] }
	for n := r.IntN(3); n > 0; n-- {
		i = i.refired(map[string]time.Time{level(): at()})
	}
	for n := r.IntN(4); n > 0; n-- {
		i = i.with(IncidentEvent{At: at(), Kind: EventAcknowledged, By: fmt.Sprint("p", r.IntN(3)), Text: level()})
	}
	for n := r.IntN(4); n > 0; n-- {
		i = i.with(IncidentEvent{At: at(), Kind: []EventKind{EventOpened, EventNotified, EventHandedOn}[r.IntN(3)], By: fmt.Sprint("p", r.IntN(2))})
	}
	return i
}

// Whoever hears what first, all replicas end up with the same.
func TestMergeHasNoOrder(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 1))
	for range 5000 {
		a, b, c := randomIncident(r), randomIncident(r), randomIncident(r)
		if !a.merge(b).equal(b.merge(a)) {
			t.Fatalf("not commutative:\n%+v\n%+v", a, b)
		}
		if !a.merge(b).merge(c).equal(a.merge(b.merge(c))) {
			t.Fatalf("not associative:\n%+v\n%+v\n%+v", a, b, c)
		}
		if !a.merge(a).equal(a) || !a.merge(b).merge(b).equal(a.merge(b)) {
			t.Fatalf("not idempotent:\n%+v\n%+v", a, b)
		}
	}
}

// An acknowledgement counts for the firing that it was given to, whoever hears of
// the next one first.
func TestAcknowledgementEndsWithItsFiring(t *testing.T) {
	at := func(minutes int) time.Time { return noon().Add(time.Duration(minutes) * time.Minute) }
	page := Incident{ID: "id", Key: "key", Severity: plumbline.SeverityPage, OpenedAt: noon(), EscalatedAt: noon()}
	takes := func(i Incident, who string, minutes int) Incident {
		return i.with(IncidentEvent{At: at(minutes), Kind: EventAcknowledged, By: who, Text: plumbline.SeverityPage})
	}
	ann := takes(page, "ann", 5)
	again := page.refired(map[string]time.Time{plumbline.SeverityPage: at(120)})
	for _, i := range []Incident{ann.merge(again), again.merge(ann), ann.refired(again.Again)} {
		if ack, ok := i.Acknowledged(); ok || !i.pagedAt().Equal(at(120)) {
			t.Errorf("%+v has taken what fires since %s", ack, i.pagedAt())
		}
		if ack, ok := takes(i, "bob", 121).Acknowledged(); !ok || ack.By != "bob" {
			t.Errorf("%+v, %t; want bob", ack, ok)
		}
	}
	if same := ann.refired(map[string]time.Time{plumbline.SeverityPage: at(3)}); len(same.Acks) != 1 {
		t.Errorf("an acknowledgement of what fires was lost: %+v", same)
	}
}

// How long people took is counted to the first who took the page, not to who took it
// when it fired again; in between it is nobody's.
func TestFirstAcknowledgementIsWhatPeopleTook(t *testing.T) {
	at := func(minutes int) time.Time { return noon().Add(time.Duration(minutes) * time.Minute) }
	i := Incident{ID: "id", Key: "key", Severity: plumbline.SeverityPage, OpenedAt: noon(), EscalatedAt: noon()}
	takes := func(who, level string, minutes int) func(Incident) Incident {
		return func(i Incident) Incident {
			return i.with(IncidentEvent{At: at(minutes), Kind: EventAcknowledged, By: who, Text: level})
		}
	}
	for n, step := range []struct {
		change func(Incident) Incident
		by     string // empty is nobody
	}{
		{takes("eve", plumbline.SeverityTicket, 0), ""},
		{takes("ann", plumbline.SeverityPage, 1), "ann"},
		{func(i Incident) Incident { return i.refired(map[string]time.Time{plumbline.SeverityPage: at(360)}) }, ""},
		{takes("bob", plumbline.SeverityPage, 362), "ann"},
		{func(i Incident) Incident { return i.refired(map[string]time.Time{plumbline.SeverityPage: at(400)}) }, ""},
		{func(i Incident) Incident { i.ResolvedAt = at(500); return i }, "ann"},
	} {
		i = step.change(i)
		if ack, taken := i.FirstAcknowledged(); ack.By != step.by || taken != (step.by != "") || taken && !ack.At.Equal(at(1)) {
			t.Errorf("step %d: %+v, %t; want %q", n, ack, taken, step.by)
		}
	}
}

// A page that fires again is handed on again, when it was left for as long anew;
// what is no page goes to whoever was told before.
func TestPageThatFiresAgainIsHandedOnAgain(t *testing.T) {
	l := newLedger(t, filepath.Join(t.TempDir(), "incidents"))
	opened := mustObserve(t, l, seen(plumbline.SeverityPage, 0))
	e := &escalation{core: &core{incidents: l}, from: plumbline.OwnerEntry{Name: "a", Escalation: &plumbline.Escalation{After: time.Hour, To: "b"}}}
	fires := func(severity string) *alert.Alert {
		return &alert.Alert{Alert: model.Alert{EndsAt: time.Now().Add(time.Hour), Labels: model.LabelSet{
			plumbline.LabelModel: "m", plumbline.LabelDeploy: "d", plumbline.LabelSLO: "s", plumbline.LabelSeverity: model.LabelValue(severity),
		}}}
	}
	goesOn := func(severity string, after time.Duration) bool {
		_, alerts, err := e.Exec(notify.WithNow(t.Context(), noon().Add(after)), slog.New(slog.DiscardHandler), fires(severity))
		if err != nil {
			t.Fatal(err)
		}
		return len(alerts) > 0
	}
	if goesOn(plumbline.SeverityPage, 59*time.Minute) || !goesOn(plumbline.SeverityPage, time.Hour) {
		t.Fatal("the first page was not handed on after an hour")
	}
	again := seen(plumbline.SeverityPage, 5*time.Hour)
	again.Again = map[string]time.Time{plumbline.SeverityPage: noon().Add(5 * time.Hour)}
	mustObserve(t, l, again)
	if goesOn(plumbline.SeverityPage, 5*time.Hour) || !goesOn(plumbline.SeverityTicket, 5*time.Hour) {
		t.Error("what fires again is not handed on at once, and a ticket is no page")
	}
	if !goesOn(plumbline.SeverityPage, 6*time.Hour) {
		t.Error("what fires again was not handed on after an hour")
	}
	if i, err := l.get(opened.ID); err != nil || len(i.Events) != 4 || i.Events[2].Kind != EventAgain {
		t.Errorf("history %+v, %v", i.Events, err)
	}
}

// Two ledgers that tell each other every change, with losses, agree once they
// have compared everything, and stop talking.
func TestReplicasAgree(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 1))
	a, b := newLedger(t, filepath.Join(t.TempDir(), "a")), newLedger(t, filepath.Join(t.TempDir(), "b"))
	var toA, toB [][]byte
	a.setBroadcast(func(frame []byte) { toB = append(toB, frame) })
	b.setBroadcast(func(frame []byte) { toA = append(toA, frame) })
	for n := range 200 {
		l := []*incidentLedger{a, b}[r.IntN(2)]
		after := time.Duration(n) * time.Second
		switch r.IntN(4) {
		case 0:
			mustObserve(t, l, seen(plumbline.SeverityPage, after))
		case 1:
			mustObserve(t, l, seen(plumbline.SeverityTicket, after))
		case 2:
			mustObserve(t, l, ended(after))
		default:
			_, _ = l.change(IncidentKey("m", "d", "s"), func(i Incident) Incident { // not there yet is fine
				return i.with(IncidentEvent{At: noon().Add(after), Kind: EventAcknowledged, By: "p"})
			})
		}
		if r.IntN(3) == 0 { // some are lost
			toA, toB = nil, nil
		}
	}
	for _, way := range [][2]*incidentLedger{{a, b}, {b, a}} {
		state, err := way[0].MarshalBinary()
		if err == nil {
			err = way[1].Merge(state)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	toA, toB = nil, nil
	one, two := a.all(), b.all()
	if len(one) == 0 || len(one) != len(two) {
		t.Fatalf("%d and %d incidents", len(one), len(two))
	}
	for n := range one {
		if !one[n].equal(two[n]) {
			t.Errorf("replicas disagree:\n%+v\n%+v", one[n], two[n])
		}
	}
	state, err := a.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Merge(state); err != nil || len(toA) != 0 {
		t.Errorf("what was known was told again: %d frames, %v", len(toA), err)
	}
}

func FuzzLedgerMerge(f *testing.F) {
	f.Add(appendFrame(nil, []byte(`{"id":"a","key":"k","severity":"page","opened_at":"2026-11-21T12:00:00Z","events":null}`)))
	f.Add(appendFrame(nil, []byte(`{"id":""}`)))
	f.Add([]byte{200, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		l := newLedger(t, filepath.Join(t.TempDir(), "incidents"))
		err := l.Merge(b)
		for _, i := range l.all() {
			if i.validate() != nil {
				t.Errorf("took %+v, %v", i, err)
			}
		}
	})
}

// What an earlier version wrote down keeps a former evaluator out as well.
func TestFenceReadsTheTermsOfBefore(t *testing.T) {
	c := newCore(t)
	c.config.DataDir = t.TempDir()
	content := appendFrame(nil, []byte(`{"Group":"rules-1","Number":57}`))
	if err := os.WriteFile(filepath.Join(c.config.DataDir, "terms"), content, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := c.openFence(); err != nil {
		t.Fatal(err)
	}
	if err := c.fence.pass(Term{Share: "rules-1", Number: 56}); !errors.Is(err, ErrFenced) {
		t.Errorf("an earlier term: %v", err)
	}
}

func TestFenceRefusesFormerEvaluators(t *testing.T) {
	dir := t.TempDir()
	open := func() *fence {
		c := newCore(t)
		c.config.DataDir = dir
		if err := c.openFence(); err != nil {
			t.Fatal(err)
		}
		return c.fence
	}
	f := open()
	for _, step := range []struct {
		group  string
		number int64
		passes bool
	}{{"a", 3, true}, {"a", 3, true}, {"a", 2, false}, {"b", 1, true}, {"a", 4, true}, {"a", 3, false}} {
		if err := f.pass(Term{step.group, step.number}); (err == nil) != step.passes || err != nil && !errors.Is(err, ErrFenced) {
			t.Fatalf("%+v: %v", step, err)
		}
	}
	if err := open().pass(Term{"a", 3}); !errors.Is(err, ErrFenced) {
		t.Errorf("a restart let a former evaluator in: %v", err)
	}
}

func FuzzParseTerm(f *testing.F) {
	f.Add("3 rules-1")
	f.Add("-1 x")
	f.Fuzz(func(t *testing.T, text string) {
		term, err := ParseTerm(text)
		if err != nil {
			return
		}
		if again, err := ParseTerm(term.String()); err != nil || again != term {
			t.Errorf("%q is %+v, then %+v, %v", text, term, again, err)
		}
	})
}

// The notification log's name of an alert is Alertmanager's own.
func TestHashIsAlertmanagers(t *testing.T) {
	a := &alert.Alert{Alert: model.Alert{Labels: model.LabelSet{"b": "2", "alertname": "x", "a": "täglich", "empty": ""}}}
	stage := notify.NewDedupStage(sendResolved{}, &durableNflog{log: emptyLog(t)}, &nflogpb.Receiver{GroupName: "g", Integration: "i"})
	ctx := notify.WithRepeatInterval(notify.WithGroupKey(t.Context(), "key"), time.Hour)
	ctx, _, err := stage.Exec(ctx, slog.New(slog.DiscardHandler), a)
	if err != nil {
		t.Fatal(err)
	}
	if firing, ok := notify.FiringAlerts(ctx); !ok || len(firing) != 1 || firing[0] != hashOf(a.Labels) {
		t.Errorf("Alertmanager says %v, we say %d", firing, hashOf(a.Labels))
	}
}

func emptyLog(t *testing.T) *nflog.Log {
	t.Helper()
	log, err := nflog.New(nflog.Options{Retention: time.Hour, Logger: slog.New(slog.DiscardHandler), Metrics: prometheus.NewRegistry()})
	if err != nil {
		t.Fatal(err)
	}
	return log
}
