package alerting

import (
	"context"
	"errors"
	"log/slog"
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

// What a replica that was to speak first may have told before it was gone is written
// down as that, unless something is known of the group.
func TestWhatAReplicaThatIsGoneMayHaveTold(t *testing.T) {
	c := newCore(t)
	c.config.DataDir = t.TempDir()
	if err := c.openNflog(); err != nil {
		t.Fatal(err)
	}
	d := &delivery{core: c, channel: "pagerduty", entry: &nflogpb.Receiver{GroupName: "owner/a", Integration: "pagerduty"}}
	intent := func(entry *nflogpb.Entry) string {
		text, _ := nflog.NewStore(entry).GetStr(stateIntent)
		return text
	}
	if entry, err := d.told("group", &outcome{}); err != nil || entry != nil {
		t.Errorf("nobody is gone: %v, %v, want nothing known", entry, err)
	}
	// One was before it, and there is no cluster any more.
	for range 2 {
		entry, err := d.told("group", &outcome{before: 1})
		if err != nil || entry == nil || intent(entry) == "" || len(entry.FiringAlerts) > 0 {
			t.Fatalf("who was first is gone: %v, %v, want a notice that may have been", entry, err)
		}
	}
	if err := c.nflog.Log(d.entry, "known", []uint64{7}, nil, nflog.NewStore(nil), 0); err != nil {
		t.Fatal(err)
	}
	if entry, err := d.told("known", &outcome{before: 1}); err != nil || entry == nil || intent(entry) != "" || len(entry.FiringAlerts) != 1 {
		t.Errorf("what is known stays: %v, %v", entry, err)
	}
}

// A ticket that a page explained from its beginning stays muted where the replica that
// was to speak first is gone: it has no incident, and none of a page is told for it.
func TestMutedTicketOfAReplicaThatIsGone(t *testing.T) {
	for severity, heard := range map[string]bool{"": false, plumbline.SeverityTicket: false, plumbline.SeverityPage: true} {
		c := newCore(t)
		c.config.DataDir = t.TempDir()
		if err := errors.Join(c.openNflog(), c.openSilences(), c.openIncidents(), c.openAlerts()); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.alerts.Close)
		d := &delivery{core: c, channel: "slack", entry: &nflogpb.Receiver{GroupName: "owner/a", Integration: "slack"}}
		stage := &dedup{stage: notify.NewDedupStage(sendResolved{}, c.nflog, d.entry), delivery: d}
		now := time.Now()
		ctx := notify.WithRepeatInterval(notify.WithGroupKey(notify.WithNow(t.Context(), now), "group"), time.Hour)
		ctx = context.WithValue(ctx, mutedKey{}, true)
		ctx = context.WithValue(ctx, outcomeKey{}, &outcome{before: 1, incident: Incident{ID: severity, Severity: severity}})
		_, tells, err := stage.Exec(ctx, slog.New(slog.DiscardHandler), &alert.Alert{Alert: model.Alert{
			Labels: model.LabelSet{"alertname": "Drift", plumbline.LabelSeverity: plumbline.SeverityTicket}, StartsAt: now.Add(-time.Minute), EndsAt: now.Add(time.Hour),
		}, UpdatedAt: now})
		if err != nil || len(tells) > 0 != heard {
			t.Errorf("of an incident at level %q %d alerts are told, %v", severity, len(tells), err)
		}
	}
}

// A ticket that waits its turn is muted once the page that explains it is here, and
// heard again when that is over.
func TestATicketIsMutedWhileItWaits(t *testing.T) {
	config := DefaultConfig()
	config.DataDir, config.GroupWait = t.TempDir(), time.Hour // no turn comes by itself
	service, err := New(config, Deps{Registry: prometheus.NewRegistry(), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	c := service.core
	if err := c.start(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := c.stop(); err != nil {
			t.Error(err)
		}
	}()
	put := func(severity, slo string, ends time.Duration) *alert.Alert {
		now := time.Now()
		alerts, err := toAlertmanagers([]Alert{{
			Labels:   map[string]string{"alertname": "A", plumbline.LabelModel: "m", plumbline.LabelDeploy: "d", plumbline.LabelSLO: slo, plumbline.LabelSeverity: severity},
			StartsAt: now.Add(-time.Minute), EndsAt: now.Add(ends),
		}}, now, time.Hour)
		if err == nil {
			err = c.alerts.Put(t.Context(), alerts...)
		}
		if err != nil {
			t.Fatal(err)
		}
		return alerts[0]
	}
	ticket := []*alert.Alert{put(plumbline.SeverityTicket, "drift", time.Hour)}
	becomes := func(muted bool) {
		t.Helper()
		deadline, tick := time.After(time.Minute), time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for c.mutedMeanwhile(ticket) != muted {
			select {
			case <-tick.C:
			case <-deadline:
				t.Fatalf("muted is %v, want %v", !muted, muted)
			}
		}
	}
	becomes(false)
	page := put(plumbline.SeverityPage, "accuracy", time.Hour)
	becomes(true)
	if c.mutedMeanwhile(append(ticket, page)) {
		t.Error("a page that fires is muted for the ticket beside it")
	}
	put(plumbline.SeverityPage, "accuracy", -time.Second)
	becomes(false)
}
