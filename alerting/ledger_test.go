package alerting

import (
	"encoding/json"
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
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/prometheus/common/model"

	plumbline "github.com/plumbline-slo/plumbline"
)

// noon is the time that the tests of the ledger begin at.
func noon() time.Time { return time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC) }

func newLedger(t *testing.T, path string) *incidentLedger {
	t.Helper()
	l, err := openLedger(path, 90*24*time.Hour, 5*24*time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	l.now = noon
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

// pushPull is what memberlist does now and then: each tells the other what it shares.
func pushPull(t *testing.T, a, b *incidentLedger) {
	t.Helper()
	for _, way := range [][2]*incidentLedger{{a, b}, {b, a}} {
		state, err := way[0].MarshalBinary()
		if err == nil {
			err = way[1].Merge(state)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// What replicas forget at different times, none gets back from another: neither from
// one of this version nor from one that tells everything that it keeps.
func TestWhatReplicasForgetStaysForgotten(t *testing.T) {
	const day = 24 * time.Hour
	for name, c := range map[string]struct {
		after time.Duration
		kept  int
	}{
		"at once": {time.Hour, 1}, "within the retention": {89 * day, 1}, "past it": {91 * day, 0},
	} {
		t.Run(name, func(t *testing.T) {
			a, b := newLedger(t, filepath.Join(t.TempDir(), "a")), newLedger(t, filepath.Join(t.TempDir(), "b"))
			mustObserve(t, a, seen(plumbline.SeverityPage, 0))
			mustObserve(t, a, ended(time.Minute))
			pushPull(t, a, b)
			everything, err := b.frames()
			if err != nil || len(b.all()) != 1 {
				t.Fatalf("b knows %d, %v", len(b.all()), err)
			}
			now := func() time.Time { return noon().Add(c.after) }
			a.now, b.now = now, now
			for range 3 {
				for _, l := range []*incidentLedger{a, b} {
					l.takeDirty()
					if err := l.compact(now().Add(-l.keep)); err != nil {
						t.Fatal(err)
					}
					pushPull(t, a, b)
					if err := l.Merge(everything); err != nil {
						t.Fatal(err)
					}
				}
			}
			if len(a.all()) != c.kept || len(b.all()) != c.kept {
				t.Errorf("a knows %d, b %d, want %d", len(a.all()), len(b.all()), c.kept)
			}
			if rows := append(a.takeDirty(), b.takeDirty()...); len(rows) > 0 {
				t.Errorf("%d rows are to be written again", len(rows))
			}
		})
	}
}

// A replica tells another what it needs to tell once, however much it keeps: the open
// incidents, and those that ended last.
func TestReplicasTellEachOtherWhatMayStillMatter(t *testing.T) {
	const many, day = 100, 24 * time.Hour
	a := newLedger(t, filepath.Join(t.TempDir(), "a"))
	size := 0
	for n := range many { // one a day, the first five open
		key := IncidentKey("m", plumbline.DeployHash(fmt.Sprint(n)), "s")
		i := Incident{Key: key, Severity: plumbline.SeverityPage, OpenedAt: noon().Add(time.Duration(n) * day)}
		i.ID = incidentID(key, i.OpenedAt)
		if n >= 5 {
			i.ResolvedAt = i.OpenedAt.Add(time.Hour)
		}
		content, err := json.Marshal(i)
		if err == nil {
			err = a.Merge(appendFrame(nil, content))
		}
		if err != nil {
			t.Fatal(err)
		}
		size = max(size, len(content))
	}
	a.now = func() time.Time { return noon().Add(many * day) }
	for _, c := range []struct {
		share        time.Duration
		incidents    int // as many have room
		open, latest int
	}{
		{5 * day, many, 5, 5}, {30 * day, many, 5, 30}, {365 * day, many, 5, many - 5},
		{365 * day, 8, 5, 3}, {365 * day, 3, 3, 0}, {time.Minute, many, 5, 0},
	} {
		a.share, a.room = c.share, c.incidents*(size+2)
		b := newLedger(t, filepath.Join(t.TempDir(), "b"))
		state, err := a.MarshalBinary()
		if err == nil {
			err = b.Merge(state)
		}
		if err != nil || len(state) > a.room {
			t.Fatalf("%d bytes in a room of %d, %v", len(state), a.room, err)
		}
		open, latest := 0, 0
		for n, i := range b.all() { // the latest first
			if i.Open() {
				open++
			} else if i.OpenedAt.Equal(noon().Add(time.Duration(many-1-n) * day)) {
				latest++
			}
		}
		if open != c.open || latest != c.latest || len(b.all()) != open+latest {
			t.Errorf("%+v: told of %d: %d open, %d of the latest", c, len(b.all()), open, latest)
		}
	}
	if restarted := newLedger(t, a.file.path); len(restarted.all()) != many {
		t.Errorf("%d are kept, want all", len(restarted.all()))
	}
}

// A replica that was away when an incident ended hears of it, though that was too long
// ago to be told to everybody.
func TestAnOldEndIsToldToWhoWasAway(t *testing.T) {
	a, b := newLedger(t, filepath.Join(t.TempDir(), "a")), newLedger(t, filepath.Join(t.TempDir(), "b"))
	mustObserve(t, a, seen(plumbline.SeverityPage, 0))
	pushPull(t, a, b)
	mustObserve(t, a, ended(time.Minute))
	now := func() time.Time { return noon().Add(30 * 24 * time.Hour) }
	a.now, b.now = now, now
	told := 0
	a.setBroadcast(func(frame []byte) {
		told++
		if err := b.Merge(frame); err != nil {
			t.Fatal(err)
		}
	})
	for range 3 {
		pushPull(t, a, b)
	}
	if one, two := a.all(), b.all(); len(two) != 1 || !two[0].equal(one[0]) || told != 1 {
		t.Errorf("told %d times: %+v, want %+v", told, two, one)
	}
}

// The owner of the service hears before replicas take nothing from each other any
// more, and that it is over.
func TestGossipThatNearsItsLimitIsAnAlert(t *testing.T) {
	c := newCore(t)
	c.config.DataDir, c.config.Cluster.Name = t.TempDir(), "a"
	if err := errors.Join(c.openIncidents(), c.openSilences(), c.openAlerts()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.alerts.Close)
	c.gossips(c.incidents.file, c.incidents)
	mustObserve(t, c.incidents, seen(plumbline.SeverityPage, 0))
	state, err := c.incidents.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	size := len(state)
	for _, step := range []struct {
		near          int
		known, firing bool
	}{{size, false, false}, {size - 1, true, true}, {size - 1, true, true}, {size, true, false}} {
		if err := c.weigh(t.Context(), step.near); err != nil {
			t.Fatal(err)
		}
		known := len(c.alerts.known) == 1
		firing := c.alerts.fires(ServiceIncidentKey(AlertGossipNearlyFull, "a"), func(model.Fingerprint) bool { return true })
		if known != step.known || firing != step.firing {
			t.Errorf("%d bytes, told from %d on: known %t, fires %t; want %+v", size, step.near, known, firing, step)
		}
	}
	if got := testutil.ToFloat64(c.metrics.gossip.WithLabelValues("incidents")); got != float64(size) {
		t.Errorf("plumbline_alerting_gossip_state_bytes %v, want %d", got, size)
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
	// It was silenced for ten minutes, and its owner told five minutes later.
	if goesOn(plumbline.SeverityPage, 10*time.Minute) {
		t.Fatal("the first page was handed on when its owner could hear of it")
	}
	if _, err := l.change(opened.ID, func(i Incident) Incident {
		return i.with(IncidentEvent{At: noon().Add(15 * time.Minute), Kind: EventNotified, By: "a"})
	}); err != nil {
		t.Fatal(err)
	}
	if goesOn(plumbline.SeverityPage, 74*time.Minute) || !goesOn(plumbline.SeverityPage, 75*time.Minute) {
		t.Fatal("the first page was not handed on an hour after its owner was told")
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
	if i, err := l.get(opened.ID); err != nil || len(i.Events) != 5 || i.Events[3].Kind != EventAgain {
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
	pushPull(t, a, b)
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
