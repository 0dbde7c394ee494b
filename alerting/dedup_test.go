package alerting

import (
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/prometheus/alertmanager/alert"
	"github.com/prometheus/alertmanager/nflog"
	"github.com/prometheus/alertmanager/nflog/nflogpb"
	"github.com/prometheus/alertmanager/notify"
	"github.com/prometheus/common/model"

	plumbline "github.com/plumbline-slo/plumbline"
)

// A repeat is due when the channel has said nothing for the interval, whatever turns
// there were since: one that failed, one in which it had nothing to say. The log's own
// time is that of the last turn, which is now in every row.
func TestWhenARepeatIsDue(t *testing.T) {
	const interval = 4 * time.Hour
	page := model.LabelSet{plumbline.LabelModel: "m", plumbline.LabelSeverity: plumbline.SeverityPage}
	for name, test := range map[string]struct {
		said   time.Duration // ago
		intent string
		ends   bool
		taken  bool
		tells  bool
		repeat bool
	}{
		"said just now":               {said: time.Minute},
		"said before the interval":    {said: interval, tells: true, repeat: true},
		"the repeat failed":           {said: interval, intent: "1", tells: true, repeat: true},
		"another notice failed":       {said: time.Minute, intent: "1", tells: true},
		"taken":                       {said: interval, taken: true},
		"over":                        {said: interval, ends: true, tells: true},
		"never said, as by PagerDuty": {said: -1},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCore(t)
			c.config.DataDir = t.TempDir()
			if err := errors.Join(c.openNflog(), c.openSilences(), c.openIncidents(), c.openAlerts()); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(c.alerts.Close)
			now := time.Now()
			o := &outcome{incident: Incident{ID: "i", Key: "k", Severity: plumbline.SeverityPage}}
			store := nflog.NewStore(nil)
			if test.said >= 0 {
				store.SetInt(stateSaid, now.Add(-test.said).UnixMilli())
			}
			if test.taken {
				o.incident = o.incident.with(IncidentEvent{At: now.Add(-interval), Kind: EventAcknowledged, By: "ann", Text: plumbline.SeverityPage})
				store.SetStr(stateAck, o.incident.ackName())
			}
			if test.intent != "" {
				store.SetStr(stateIntent, test.intent)
			}
			receiver := &nflogpb.Receiver{GroupName: "g", Integration: "i"}
			if err := c.nflog.Log(receiver, "group", []uint64{hashOf(page)}, nil, store, 0); err != nil {
				t.Fatal(err)
			}
			a := &alert.Alert{Alert: model.Alert{Labels: page, StartsAt: now.Add(-5 * time.Hour), EndsAt: now.Add(time.Hour)}}
			if test.ends {
				a.EndsAt = now.Add(-time.Minute)
			}
			d := &dedup{stage: notify.NewDedupStage(sendResolved{}, c.nflog, receiver), delivery: &delivery{core: c, entry: receiver}}
			ctx := notify.WithRepeatInterval(notify.WithGroupKey(notify.WithNow(t.Context(), now), "group"), interval)
			_, told, err := d.decide(ctx, slog.New(slog.DiscardHandler), withEntry(t, c, o, receiver), store, []*alert.Alert{a})
			if err != nil || len(told) > 0 != test.tells || o.repeat != test.repeat {
				t.Errorf("tells %d alerts, repeat %t, %v", len(told), o.repeat, err)
			}
		})
	}
}

// withEntry is the outcome with what the log has of the group.
func withEntry(t *testing.T, c *core, o *outcome, receiver *nflogpb.Receiver) *outcome {
	t.Helper()
	entry, err := c.nflog.entry("group", receiver)
	if err != nil || entry == nil {
		t.Fatalf("the log has %v, %v", entry, err)
	}
	intent, _ := nflog.NewStore(entry).GetStr(stateIntent)
	o.entry, o.maybeTold = entry, intent != ""
	return o
}
