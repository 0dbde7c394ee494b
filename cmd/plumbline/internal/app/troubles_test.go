package app

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/alerting"
	"github.com/plumbline-slo/plumbline/ingest"
	"github.com/plumbline-slo/plumbline/storage/engine"
)

// inbox takes alerts and notices, or refuses them.
type inbox struct {
	mu      sync.Mutex
	alerts  [][]alerting.Alert
	notices []string
	refuse  error
}

// answer sets what every call returns from now on.
func (i *inbox) answer(err error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.refuse = err
}

func (i *inbox) Send(_ context.Context, alerts ...alerting.Alert) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.refuse != nil {
		return i.refuse
	}
	i.alerts = append(i.alerts, alerts)
	return nil
}

func (i *inbox) RecordNotice(_ context.Context, row notice) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.refuse != nil {
		return i.refuse
	}
	i.notices = append(i.notices, row.kind+" "+row.object)
	return nil
}

// last returns the newest alert of the name, and how often it was sent.
func (i *inbox) last(name string) (last alerting.Alert, n int) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, sent := range i.alerts {
		for _, a := range sent {
			if a.Label("alertname") == name {
				last, n = a, n+1
			}
		}
	}
	return last, n
}

// started runs troubles in a bubble of synctest.
func started(t *testing.T) (*troubles, *inbox) {
	t.Helper()
	cfg := defaultTroublesConfig()
	cfg.Owner, cfg.Base = "platform", "https://plumbline.example"
	tr, err := newTroubles(cfg, prometheus.NewRegistry(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	in := new(inbox)
	tr.sender, tr.history = in, in
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- tr.run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return tr, in
}

// pass lets the time of a bubble pass, and everybody in it do what is due.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func TestTroubleIsSentAgainUntilItEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr, in := started(t)
		began := time.Now()
		if err := tr.Notice(t.Context(), ingest.Notice{Kind: ingest.NoticeParked, Object: "labels/0", Text: "why"}); err != nil {
			t.Fatal(err)
		}
		// At once: once, or twice if the alert and its history woke the sender
		// apart.
		synctest.Wait()
		_, first := in.last("PartitionParked")
		if first < 1 || first > 2 {
			t.Errorf("sent %d times at once, want 1 or 2", first)
		}
		pass(10*time.Minute + time.Second)
		a, n := in.last("PartitionParked")
		if n != first+10 || !a.StartsAt.Equal(began) || a.EndsAt.Before(time.Now().Add(tr.cfg.Resend)) {
			t.Errorf("sent %d times in ten minutes, lately %+v; want 10 times more than at once, from the begin to beyond the next turn", n, a)
		}
		want := map[string]string{"alertname": "PartitionParked", plumbline.LabelObject: "labels/0", plumbline.LabelSeverity: plumbline.SeverityPage, plumbline.LabelOwner: "platform"}
		for name, value := range want {
			if a.Labels[name] != value || len(a.Labels) != len(want) {
				t.Errorf("labels %v, want %v", a.Labels, want)
			}
		}
		if a.Annotations[plumbline.AnnotationSummary] != "partition labels/0 is parked, nothing of it is stored" || a.Annotations[plumbline.AnnotationDescription] != "why" {
			t.Errorf("annotations %v", a.Annotations)
		}
		tr.Notice(t.Context(), ingest.Notice{Kind: ingest.NoticeUnparked, Object: "labels/0"})
		pass(10 * time.Minute)
		a, n = in.last("PartitionParked")
		if n < first+11 || n > first+12 || a.EndsAt.After(time.Now().Add(-9*time.Minute)) {
			t.Errorf("sent %d times, lately %+v; want the end, once", n, a)
		}
		if !slices.Equal(in.notices, []string{"partition_parked labels/0", "partition_unparked labels/0"}) {
			t.Errorf("recorded %v", in.notices)
		}
	})
}

func TestWhatIsRefusedIsSentAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr, in := started(t)
		in.answer(errors.New("not now"))
		tr.Notice(t.Context(), ingest.Notice{Kind: ingest.NoticeParked, Object: "labels/0"})
		tr.Notice(t.Context(), ingest.Notice{Kind: ingest.NoticeParked, Object: "labels/1"})
		synctest.Wait()
		tr.Notice(t.Context(), ingest.Notice{Kind: ingest.NoticeUnparked, Object: "labels/1"})
		pass(3 * time.Minute)
		in.answer(nil)
		pass(2 * time.Minute)
		if len(in.alerts) != 2 || len(in.alerts[0]) != 2 || len(in.alerts[1]) != 1 {
			t.Fatalf("sent %+v, want one that goes on and one that has ended, then the first alone", in.alerts)
		}
		if a := in.alerts[1][0]; a.Label(plumbline.LabelObject) != "labels/0" || a.EndsAt.Before(time.Now()) {
			t.Errorf("goes on: %+v", a)
		}
		if want := []string{"partition_parked labels/0", "partition_parked labels/1", "partition_unparked labels/1"}; !slices.Equal(in.notices, want) {
			t.Errorf("recorded %v, want %v", in.notices, want)
		}
	})
}

func TestWhatBeginsAgainHasNotEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr, in := started(t)
		in.answer(errors.New("not now"))
		for _, kind := range []ingest.NoticeKind{ingest.NoticeParked, ingest.NoticeUnparked, ingest.NoticeParked} {
			tr.Notice(t.Context(), ingest.Notice{Kind: kind, Object: "labels/0"})
		}
		synctest.Wait()
		in.answer(nil)
		pass(tr.cfg.Resend)
		if len(in.alerts) != 1 || len(in.alerts[0]) != 1 || in.alerts[0][0].EndsAt.Before(time.Now()) {
			t.Errorf("sent %+v, want it going on", in.alerts)
		}
	})
}

func TestEventIsOverByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr, in := started(t)
		for _, kind := range []ingest.NoticeKind{ingest.NoticeNewEpoch, ingest.NoticeOffsetsLost, ingest.NoticeRewound, ingest.NoticeAhead, ingest.NoticePlanChanged} {
			tr.Notice(t.Context(), ingest.Notice{Kind: kind, Object: "labels/0"})
		}
		pass(tr.cfg.EventLasts + 2*tr.cfg.Resend)
		for name, severity := range map[string]string{"NewEpoch": plumbline.SeverityTicket, "OffsetsLost": plumbline.SeverityPage, "OffsetRewound": plumbline.SeverityTicket, "OffsetAhead": plumbline.SeverityPage} {
			a, n := in.last(name)
			if a.Label(plumbline.LabelSeverity) != severity || n < 50 || a.EndsAt.After(time.Now()) {
				t.Errorf("%s was sent %d times, lately %+v; want a %s for an hour, then its end", name, n, a, severity)
			}
		}
		if len(in.alerts[0]) > 4 {
			t.Errorf("sent %+v: a changed plan is no trouble", in.alerts[0])
		}
	})
}

// What an alert on the metric asks for is there before it happens, of every kind.
func TestEveryTroubleHasItsSeriesAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr, _ := started(t)
		before := testutil.CollectAndCount(tr.firing)
		for _, kind := range []ingest.NoticeKind{
			ingest.NoticeParked, ingest.NoticePaused, ingest.NoticeNewEpoch, ingest.NoticeOffsetsLost, ingest.NoticeRewound, ingest.NoticeAhead,
			ingest.NoticePlanChanged, ingest.NoticeWaits, ingest.NoticeRawLeftOut, ingest.NoticeRefused,
		} {
			tr.Notice(t.Context(), ingest.Notice{Kind: kind, Object: "labels/0"})
		}
		if after := testutil.CollectAndCount(tr.firing); after != before {
			t.Errorf("%d series, and %d once everything went wrong", before, after)
		}
	})
}

// body is an engine as the watch sees it.
type body struct{ now atomic.Pointer[vitals] }

type vitals struct {
	disk     engine.DiskState
	ready    bool
	restarts int
}

func newBody() *body {
	b := new(body)
	b.now.Store(&vitals{disk: engine.DiskOK, ready: true})
	return b
}

func (b *body) Disk() engine.DiskState { return b.now.Load().disk }
func (b *body) Ready() bool            { return b.now.Load().ready }
func (b *body) Restarts() int          { return b.now.Load().restarts }

func TestDiskBeginsAndEndsATrouble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr, in := started(t)
		b := newBody()
		w := &engineWatch{troubles: tr, engine: b, object: "host:/data", limit: 0.85}
		for _, step := range []struct {
			disk   engine.DiskState
			active bool
			raw    bool
		}{
			{engine.DiskUnknown, false, true}, {engine.DiskOK, false, true}, {engine.DiskFull, true, false},
			// Not to know is no reason to call it off.
			{engine.DiskUnknown, true, true}, {engine.DiskFull, true, false}, {engine.DiskOK, false, true},
		} {
			b.now.Store(&vitals{disk: step.disk, ready: true})
			w.look()
			synctest.Wait()
			if got := tr.isActive(diskFull, "host:/data"); got != step.active {
				t.Errorf("disk %v: trouble %t, want %t", step.disk, got, step.active)
			}
			if got := (rawGate{b}).RawAllowed(); got != step.raw {
				t.Errorf("disk %v: raw rows %t, want %t", step.disk, got, step.raw)
			}
		}
		if want := []string{"disk_full host:/data", "disk_ok host:/data"}; !slices.Equal(in.notices, want) {
			t.Errorf("recorded %v, want %v", in.notices, want)
		}
		if a, _ := in.last("DiskFull"); a.Label(plumbline.LabelSeverity) != plumbline.SeverityPage || a.EndsAt.After(time.Now()) {
			t.Errorf("the last alert is %+v, want a page that has ended", a)
		}
	})
}

func TestCrashLoopEndsWhenTheEngineStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr, in := started(t)
		b := newBody()
		w := &engineWatch{troubles: tr, engine: b, object: "host:/data", limit: 0.85}
		watching, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- w.run(watching) }()
		defer func() { stop(); <-done }()
		pass(time.Hour)
		// It comes back and crashes again within the time to settle, thrice.
		for n := range 3 {
			b.now.Store(&vitals{disk: engine.DiskOK, restarts: n})
			tr.crashLoop("host:/data", errors.New("exit status 1"))
			pass(30 * time.Second)
			b.now.Store(&vitals{disk: engine.DiskOK, ready: true, restarts: n + 1})
			pass(tr.cfg.Settle - 2*time.Second)
			if !tr.isActive(engineCrashLoop, "host:/data") {
				t.Fatalf("after restart %d it was called over too soon", n)
			}
		}
		pass(5 * time.Second)
		if tr.isActive(engineCrashLoop, "host:/data") {
			t.Error("the engine stays, and the crash loop is not over")
		}
		if a, _ := in.last("EngineCrashLoop"); a.Label(plumbline.LabelSeverity) != plumbline.SeverityPage || a.EndsAt.After(time.Now()) {
			t.Errorf("the last alert is %+v, want a page that has ended", a)
		}
		if want := []string{"engine_crash_loop host:/data", "engine_recovered host:/data"}; !slices.Equal(in.notices, want) {
			t.Errorf("recorded %v, want %v", in.notices, want)
		}
	})
}
